"""The page for those who come from elsewhere: what it says works is asked for, and what does not.

Clients get their address and key from the variables that the page has, and nothing else; where they
lead, the mock stands for every provider.
"""

import os
import re
from typing import Any, get_args

import anthropic
import msgspec
import openai
import pytest
import yaml
from google import genai
from langchain_anthropic import ChatAnthropic
from langchain_openai import ChatOpenAI

from llm_edge_agent.config.schema.routing import Strategy
from tests.conftest import Serve
from tests.support.gateway import Running
from tests.support.hop import CHAT, KEY, UPSTREAM_KEY, Hop, post
from tests.support.pages import FENCE
from tests.support.tree import ROOT
from tests.support.upstream import Read, Send, Upstream, reply
from tests.support.wire import request as asked

PAGE = (ROOT / "docs/guide/migrate.md").read_text()
ADDRESS = "http://127.0.0.1:8080"
MOCKED = [{"provider": "mock", "model": "echo"}]
TEXT = "Hello!"
USER: Any = [{"role": "user", "content": TEXT}]


def block(language: str) -> str:
    """The one block in that language."""
    (found,) = [body for name, body in FENCE.findall(PAGE) if name == language]
    return str(found)


def row(title: str) -> list[str]:
    """What stands between backticks in the row of a table that begins so."""
    (found,) = re.findall(rf"^\| {re.escape(title)} \|(.*)$", PAGE, re.MULTILINE)
    return re.findall(r"`([^`]+)`", found)


@pytest.fixture
def running(serve: Serve) -> Running:
    """The page's configuration, with the mock in the place of each provider."""
    tree = yaml.safe_load(block("yaml"))
    providers = tree.pop("providers")
    for route in tree["routes"].values():
        route["targets"] = MOCKED
    tree["routes"]["by_provider"] = {"models": [f"{p}/*" for p in providers], "targets": MOCKED}
    text = msgspec.json.encode(tree | {"mock": True}).decode()
    return serve(text, env={"TEAM_KEY": KEY})


@pytest.fixture(autouse=True)
def _variables(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of the page, and no others that the clients look at."""
    for name in list(os.environ):
        if name.startswith(("OPENAI_", "ANTHROPIC_", "AZURE_", "GOOGLE_", "GEMINI_")):
            monkeypatch.delenv(name)
    if "running" not in request.fixturenames:
        return
    running: Running = request.getfixturevalue("running")
    for name, value in re.findall(r"^export (\w+)=(\S+)$", block("bash"), re.MULTILINE):
        place = value.replace(ADDRESS, running.anthropic).replace("$TEAM_KEY", KEY)
        monkeypatch.setenv(name, place)


@pytest.mark.usefixtures("running")
@pytest.mark.parametrize("model", ["gpt-5.1", "openai/gpt-5.1", "claude-sonnet-4-5", "gemini-x"])
def test_openai_s_client(model: str) -> None:
    with openai.OpenAI() as client:
        chat = client.chat.completions.create(model=model, messages=USER)
        assert chat.choices[0].message.content == TEXT
        with client.chat.completions.create(model=model, messages=USER, stream=True) as stream:
            said = [chunk.choices[0].delta.content or "" for chunk in stream if chunk.choices]
        assert "".join(said) == TEXT
        assert client.responses.create(model=model, input=TEXT).output_text == TEXT
        assert client.completions.create(model=model, prompt=TEXT).choices[0].text == TEXT
        assert client.embeddings.create(model="mock/embed", input=TEXT).data
        assert [listed.id for listed in client.models.list()]


@pytest.mark.parametrize("below", ["", "/v1", "/openai/v1", "/openai"])
def test_openai_s_client_with_other_base_urls(running: Running, below: str) -> None:
    with openai.OpenAI(base_url=running.anthropic + below) as client:
        assert client.responses.create(model="gpt-5.1", input=TEXT).output_text == TEXT


@pytest.mark.usefixtures("running")
def test_openai_s_client_for_azure() -> None:
    with openai.AzureOpenAI() as client:
        chat = client.chat.completions.create(model="gpt-5.1", messages=USER)
        assert chat.choices[0].message.content == TEXT
        assert client.completions.create(model="gpt-5.1", prompt=TEXT).choices[0].text == TEXT
        assert client.embeddings.create(model="mock/embed", input=TEXT).data
        assert client.responses.create(model="gpt-5.1", input=TEXT).output_text == TEXT


@pytest.mark.parametrize("model", ["claude-x", "anthropic/claude-x", "gpt-5.1"])
@pytest.mark.parametrize("variable", ["ANTHROPIC_AUTH_TOKEN", "ANTHROPIC_API_KEY"])
@pytest.mark.parametrize("below", ["", "/anthropic"])
def test_anthropic_s_client_as_claude_code_has_it(
    running: Running, monkeypatch: pytest.MonkeyPatch, model: str, variable: str, below: str
) -> None:
    monkeypatch.delenv("ANTHROPIC_AUTH_TOKEN")
    monkeypatch.setenv(variable, KEY)
    monkeypatch.setenv("ANTHROPIC_BASE_URL", running.anthropic + below)
    ask: dict[str, Any] = {"model": model, "max_tokens": 9, "messages": USER}
    with anthropic.Anthropic() as client:
        with client.messages.stream(**ask) as stream:
            assert stream.get_final_text() == TEXT
        # Asked at `?beta=true`.
        message = client.beta.messages.create(**ask, betas=["nobody-knows-2099-01-01"])
        assert message.content[0].text == TEXT
        assert client.messages.count_tokens(model=model, messages=USER).input_tokens > 0
        assert [listed.id for listed in client.models.list()]


@pytest.mark.parametrize("below", ["", "/genai"])
def test_google_s_client(running: Running, monkeypatch: pytest.MonkeyPatch, below: str) -> None:
    monkeypatch.setenv("GOOGLE_GEMINI_BASE_URL", running.anthropic + below)
    with genai.Client() as client:
        for model in ("gemini-2.5-flash", "gpt-5.1"):
            answer = client.models.generate_content(model=model, contents=TEXT)
            assert answer.text == TEXT
            parts = client.models.generate_content_stream(model=model, contents=TEXT)
            assert "".join(part.text or "" for part in parts) == TEXT
            assert client.models.count_tokens(model=model, contents=TEXT).total_tokens
        assert client.models.embed_content(model="mock/embed", contents=TEXT).embeddings
        assert [listed.name for listed in client.models.list()]


@pytest.mark.usefixtures("running")
def test_langchain_s_clients(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ANTHROPIC_AUTH_TOKEN")
    monkeypatch.setenv("ANTHROPIC_API_KEY", KEY)
    assert ChatOpenAI(model="gpt-5.1").invoke(TEXT).content == TEXT
    claude = ChatAnthropic(model_name="claude-x", timeout=None, stop=None)
    assert claude.invoke(TEXT).content == TEXT


@pytest.fixture
def hop(serve: Serve, upstream: Upstream) -> Hop:
    upstream.always(Read(), Send(reply(b"{}")))
    config = f"""
version: 1
keys: [{{name: team, key: {KEY}}}]
mock: true
providers:
  openai: {{type: openai_compatible, base_url: "{upstream.url}/v1", api_key: {UPSTREAM_KEY}}}
routes:
  portkey: {{models: ["@openai/*"], targets: [{{provider: openai, model: "*"}}]}}
  any:
    models: [any]
    targets: [{{provider: openai, model: m}}]
    rules: [{{when: {{headers: {{x-portkey-provider: [mock]}}}}, route: mocked}}]
  mocked: {{targets: [{{provider: mock, model: echo}}]}}
"""
    return Hop(serve(config), upstream)


def test_paths_that_are_not_there_are_not_there(hop: Hop) -> None:
    paths = row("paths, answered by 404")
    assert "/health/liveliness" in paths
    for path in paths:
        for below in ("", "/v1/chat/completions"):
            for method in ("GET", "POST"):
                answer = hop.ask(asked(path + below, b"{}", f"x-api-key: {KEY}", method=method))
                assert answer.status == 404, path + below


def test_what_stands_in_their_place_is_there(hop: Hop) -> None:
    for theirs in ("`/health/liveliness`, `/health/liveness`", "`/health/readiness`"):
        (ours,) = row(theirs)
        assert hop.ask(asked(ours, method="GET")).status == 200
    strategies = row(
        "`simple-shuffle`, `least-busy`, `latency-based-routing`, `cost-based-routing`"
    )
    assert set(strategies) <= set(get_args(Strategy))


def test_keys_of_others_stay_here_and_their_members_go_on(hop: Hop) -> None:
    (fields,) = re.findall(r"look for a key of theirs \((.*?)\)", PAGE, re.DOTALL)
    names = re.findall(r"`([\w-]+)`", fields)
    assert len(names) == 4
    body = (
        b'{"model":"openai/m","messages":[],"fallbacks":["x"],"num_retries":2,"mock_response":"x"}'
    )
    assert hop.ask(post(CHAT, body, *(f"{name}: of-theirs" for name in names))).status == 200
    (seen,) = hop.upstream.requests
    assert not {name.lower() for name in names} & set(seen.headers)
    assert b"of-theirs" not in seen.head
    assert seen.body == body.replace(b"openai/m", b"m")
    for name in names:
        assert hop.ask(asked(CHAT, body, f"{name}: {KEY}")).status == 401, name


def test_portkey_s_names_and_provider_lead_where_routes_say(hop: Hop) -> None:
    assert hop.ask(post(CHAT, b'{"model":"@openai/gpt-5.1","messages":[]}')).status == 200
    assert msgspec.json.decode(hop.upstream.requests[-1].body)["model"] == "gpt-5.1"
    body = b'{"model":"any","messages":[{"role":"user","content":"Hello!"}]}'
    answer = hop.ask(post(CHAT, body, "x-portkey-provider: mock"))
    assert b"Hello!" in answer.body
    assert hop.seen == 1
