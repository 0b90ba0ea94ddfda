"""The gateways that the official SDKs talk to, and clients of theirs, synchronous and not.

`gateway` is the demo. `configured` has names of an operator's: two providers at a mock of its own,
of which the gateway only knows the addresses, routes, and upstreams that do not answer. `crossing`
reaches the same mock by every API that it speaks, each as a provider with that API only.
"""

import socket
from collections.abc import AsyncIterator, Iterator

import anthropic
import openai
import pytest

from tests.mock.alone import mock_alone
from tests.sdk.python.access import CONFIGURED_KEY, Clients
from tests.support.gateway import Running, start
from tests.support.ports import refusing

CONFIG = """
version: 1
keys: [{{name: sdk, key: {key}}}]
providers:
  up: {{type: openai_compatible, base_url: "{mock}/v1", api_key: none}}
  claude: {{type: anthropic, base_url: "{mock}", api_key: none}}
  nobody: {{type: openai_compatible, base_url: "http://127.0.0.1:{closed}/v1"}}
  silent: {{type: openai_compatible, base_url: "http://127.0.0.1:{silent}/v1"}}
routes:
  chat: {{models: [gpt-small, "team/*"], targets: [{{provider: up, model: echo}}]}}
  claude: {{models: [claude-small], targets: [{{provider: claude, model: echo}}]}}
  slow: {{models: [silent-one], targets: [{{provider: silent}}], deadlines: {{first_byte_ms: 300}}}}
"""

CROSSING = """
version: 1
keys: [{{name: sdk, key: {key}}}]
providers:
  chat: {{type: together, base_url: "{mock}/v1", api_key: none}}
  answers: {{type: perplexity, base_url: "{mock}/v1", api_key: none}}
  claude: {{type: anthropic, base_url: "{mock}", api_key: none}}
  google: {{type: gemini, base_url: "{mock}/v1beta", api_key: none}}
  aws: {{type: bedrock, base_url: "{mock}", api_key: none}}
  cohere: {{type: cohere, base_url: "{mock}", api_key: none}}
  ollama: {{type: ollama, base_url: "{mock}"}}
"""


@pytest.fixture(scope="session")
def configured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A gateway as an operator configures it. Shared: leave it as it was."""
    folder = tmp_path_factory.mktemp("configured")
    with (
        mock_alone(folder) as mock,
        refusing() as closed,
        socket.create_server(("127.0.0.1", 0)) as silent,
    ):
        config = folder / "llm-edge.yaml"
        text = CONFIG.format(
            mock=mock,
            key=CONFIGURED_KEY,
            closed=closed,
            silent=silent.getsockname()[1],
        )
        config.write_text(text)
        running = start(["serve", "--config", str(config), "--workers", "1"], folder)
        yield running
        running.stop()


@pytest.fixture(scope="session")
def crossing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A gateway with a provider for every API of the mock. Shared: leave it as it was."""
    folder = tmp_path_factory.mktemp("crossing")
    with mock_alone(folder) as mock:
        config = folder / "llm-edge.yaml"
        config.write_text(CROSSING.format(mock=mock, key=CONFIGURED_KEY))
        running = start(["serve", "--config", str(config), "--workers", "1"], folder)
        yield running
        running.stop()


@pytest.fixture(scope="session")
def clients(gateway: Running) -> Clients:
    """Makers of clients of the demo."""
    return Clients(gateway, gateway.key or "")


@pytest.fixture(scope="session")
def configured_clients(configured: Running) -> Clients:
    """Makers of clients of the configured gateway."""
    return Clients(configured, CONFIGURED_KEY)


@pytest.fixture(scope="session")
def crossing_clients(crossing: Running) -> Clients:
    """Makers of clients of the gateway whose models are reached by every API."""
    return Clients(crossing, CONFIGURED_KEY)


@pytest.fixture(scope="session")
def oai(clients: Clients) -> Iterator[openai.OpenAI]:
    """An OpenAI client that does not retry."""
    with clients.oai() as client:
        yield client


@pytest.fixture(scope="session")
def ant(clients: Clients) -> Iterator[anthropic.Anthropic]:
    """An Anthropic client that does not retry."""
    with clients.ant() as client:
        yield client


@pytest.fixture
async def async_oai(clients: Clients) -> AsyncIterator[openai.AsyncOpenAI]:
    """The asynchronous one of OpenAI's."""
    async with clients.async_oai() as client:
        yield client


@pytest.fixture
async def async_ant(clients: Clients) -> AsyncIterator[anthropic.AsyncAnthropic]:
    """The asynchronous one of Anthropic's."""
    async with clients.async_ant() as client:
        yield client
