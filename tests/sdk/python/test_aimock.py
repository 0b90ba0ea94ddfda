"""An upstream that others wrote, in each API that it speaks, from each API that clients speak.

Our own mock could share a misunderstanding with the gateway; this one cannot.
"""

import contextlib
from collections.abc import Iterator

import anthropic
import openai
import pytest
from google.genai import errors

from tests.sdk.python.access import CONFIGURED_KEY, Clients
from tests.sdk.python.surfaces import SURFACES, Surface
from tests.support.aimock import aimock
from tests.support.gateway import start

CONFIG = """
version: 1
keys: [{{name: sdk, key: {key}}}]
providers:
  chat: {{type: together, base_url: "{url}/v1", api_key: none}}
  answers: {{type: perplexity, base_url: "{url}/v1", api_key: none}}
  azure: {{type: azure_openai, base_url: "{url}", api_key: none}}
  deployed:
    type: azure_openai
    base_url: "{url}"
    api_key: none
    api_version: 2025-04-01-preview
  claude: {{type: anthropic, base_url: "{url}", api_key: none}}
  google: {{type: gemini, base_url: "{url}/v1beta", api_key: none}}
  vertex:
    type: vertex
    base_url: "{url}"
    api_key: none
    google: {{project: p, location: europe-west1}}
  aws: {{type: bedrock, base_url: "{url}", api_key: none}}
  cohere: {{type: cohere, base_url: "{url}", api_key: none}}
  ollama: {{type: ollama, base_url: "{url}"}}
routes:
  # It does not know that a cache point may stand among the tools.
  aws:
    models: [aws-claude]
    targets: [{{provider: aws, model: "anthropic.claude-sonnet-4-5-20250929-v1:0"}}]
    translation: {{cache_breakpoints: false}}
"""
MODELS = {
    "chat": "chat/mistral-large",
    "answers": "answers/sonar-pro",
    "azure": "azure/gpt-5.1",
    "deployed": "deployed/gpt-5.1",
    "claude": "claude/claude-sonnet-4-5",
    "google": "google/gemini-2.5-pro",
    "vertex": "vertex/gemini-2.5-pro",
    "aws": "aws-claude",
    "cohere": "cohere/command-a-03-2025",
    "ollama": "ollama/llama3.3",
}
PAIRS = [(surface, target) for surface in SURFACES for target in MODELS]
TEXT = 'Dobrý den: "quoted", a\\b\n漢字 🙂 and an end.'
THOUGHT = "First I think of Ostrava, then of Brno."
CALLS = [
    ("weather", {"city": 'Brno "centre"', "days": 3}),
    ("weather", {"city": "漢字 🙂\n", "days": 4}),
]
TOKENS = (21, 9)
# Each API takes those that are named as it names them.
USAGE = {
    "prompt_tokens": TOKENS[0],
    "input_tokens": TOKENS[0],
    "promptTokenCount": TOKENS[0],
    "completion_tokens": TOKENS[1],
    "output_tokens": TOKENS[1],
    "candidatesTokenCount": TOKENS[1],
}
FIXTURES: list[dict[str, object]] = [
    {
        "match": {"userMessage": "say it"},
        "response": {"content": TEXT, "usage": USAGE},
        "chunkSize": 3,
    },
    *(
        {
            "match": {"userMessage": "look twice", "hasToolResult": False} | match,
            "response": {
                "content": "I look.",
                "toolCalls": [{"name": name, "arguments": given} for name, given in CALLS],
            }
            | ended,
            "chunkSize": 2,
        }
        # Google's API ends calls with `STOP`; by itself this upstream invents a word.
        for match, ended in (({"model": "gemini-2.5-pro"}, {"finishReason": "stop"}), ({}, {}))
    ),
    {
        "match": {"userMessage": "look twice", "hasToolResult": True},
        "response": {"content": "It is sunny."},
    },
    {
        "match": {"userMessage": "think"},
        "response": {"content": "Brno.", "reasoning": THOUGHT},
        "chunkSize": 4,
    },
    {
        "match": {"userMessage": "break off"},
        "response": {"content": TEXT * 4},
        "chunkSize": 3,
        "truncateAfterChunks": 5,
    },
    *(
        {
            "match": {"userMessage": f"fail {status}"},
            "response": {
                "error": {"message": f"it failed with {status}", "type": "some_error"},
                "status": status,
            },
        }
        for status in (400, 429, 503)
    ),
]


@pytest.fixture(scope="module")
def clients(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Clients]:
    folder = tmp_path_factory.mktemp("aimock")
    with aimock(folder, FIXTURES) as url:
        config = folder / "llm-edge.yaml"
        config.write_text(CONFIG.format(url=url, key=CONFIGURED_KEY))
        running = start(["serve", "--config", str(config), "--workers", "1"], folder)
        yield Clients(running, CONFIGURED_KEY)
        running.stop()


@pytest.fixture(params=PAIRS, ids="-".join)
def pair(request: pytest.FixtureRequest, clients: Clients) -> Iterator[tuple[Surface, str]]:
    surface, target = request.param
    with contextlib.closing(SURFACES[surface](clients)) as client:
        yield client, MODELS[target]


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_a_text(pair: tuple[Surface, str], *, stream: bool) -> None:
    surface, model = pair
    said = surface.ask(model, [surface.user("say it")], stream=stream)
    assert (said.text, said.calls, said.ended) == (TEXT, [], surface.stopped)
    # Of Ollama's own API it tells no tokens.
    told = model != MODELS["ollama"] or surface.name == "chat"
    assert said.tokens == (TOKENS if told else (0, 0))


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_two_calls_at_once_and_their_results(pair: tuple[Surface, str], *, stream: bool) -> None:
    surface, model = pair
    turns = [surface.user("look twice")]
    said = surface.ask(model, turns, stream=stream)
    assert said.calls == CALLS
    assert len(set(said.ids)) == 2 or surface.name == "gemini"
    turns += [*said.turns, *surface.results(said, ["sunny", "rainy"])]
    again = surface.ask(model, turns, stream=stream)
    assert (again.text, again.calls) == ("It is sunny.", [])


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_reasoning_is_told_apart(pair: tuple[Surface, str], *, stream: bool) -> None:
    surface, model = pair
    said = surface.ask(model, [surface.user("think")], stream=stream)
    assert said.text.endswith("Brno.")
    # Of these two this upstream tells reasoning otherwise than their vendors do.
    if model not in {MODELS["cohere"], MODELS["ollama"]}:
        assert (said.text, said.thinking) == ("Brno.", THOUGHT)


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("status", [400, 429, 503])
def test_an_error_raises_the_class_of_its_status(
    pair: tuple[Surface, str], status: int, *, stream: bool
) -> None:
    surface, model = pair
    with pytest.raises((openai.APIStatusError, anthropic.APIStatusError, errors.APIError)) as found:
        surface.ask(model, [surface.user(f"fail {status}")], stream=stream)
    raised = found.value
    assert (raised.code if isinstance(raised, errors.APIError) else raised.status_code) == status
    assert f"it failed with {status}" in str(raised)


def test_a_stream_that_breaks_off_raises(pair: tuple[Surface, str]) -> None:
    surface, model = pair
    with pytest.raises((openai.APIError, anthropic.APIError, errors.APIError)):
        surface.ask(model, [surface.user("break off")], stream=True)
