"""What a provider should cache is marked where clients cannot, and never more than it takes."""

from typing import Any

import msgspec
import pytest

from tests.conftest import Serve
from tests.support.hop import CHAT, KEY, UPSTREAM_KEY, Hop, post
from tests.support.upstream import Read, Send, Upstream, reply

CONFIG = """
version: 1
keys: [{{name: app, key: {key}}}]
providers:
  claude: {{type: anthropic, base_url: "{url}", api_key: {upstream_key}}}
  aws: {{type: bedrock, base_url: "{url}", api_key: {upstream_key}}}
routes:
  plain:
    models: [plain]
    targets: [{{provider: {provider}, model: anthropic.claude-m}}]
    translation: {{cache_breakpoints: false}}
"""
MARKS_MAX = 4
TOOL = {"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}
TURNS = [
    {"role": "system", "content": "Be kind."},
    {"role": "user", "content": "one"},
    {"role": "assistant", "content": "two"},
    {"role": "user", "content": "three"},
]
PROVIDERS = pytest.mark.parametrize("provider", ["claude", "aws"])


@pytest.fixture
def hop(serve: Serve, upstream: Upstream, provider: str) -> Hop:
    config = CONFIG.format(key=KEY, upstream_key=UPSTREAM_KEY, url=upstream.url, provider=provider)
    return Hop(serve(config), upstream)


def sent(hop: Hop, path: str = CHAT, **fields: object) -> dict[str, Any]:
    """What the upstream gets of it."""
    hop.ask(post(path, msgspec.json.encode(fields)))
    return msgspec.json.decode(hop.upstream.requests[-1].body, type=dict[str, Any])


def marks(part: object) -> int:
    """How many there are in a part of a body, in either provider's words."""
    match part:
        case dict():
            own = sum(name in {"cache_control", "cachePoint"} for name in part)
            return own + sum(map(marks, part.values()))
        case list():
            return sum(map(marks, part))
    return 0


@PROVIDERS
def test_tools_system_and_the_last_stable_turn_are_marked(hop: Hop, provider: str) -> None:
    body = sent(hop, model=f"{provider}/anthropic.claude-m", messages=TURNS, tools=[TOOL])
    tools = body["tools"] if provider == "claude" else body["toolConfig"]["tools"]
    assert marks(tools) == marks(body["system"]) == 1
    # What was said last is new each time; all before it comes again with the next turn.
    assert [marks(message) for message in body["messages"]] == [0, 1, 0]
    longer = [*TURNS, {"role": "assistant", "content": "four"}, {"role": "user", "content": "five"}]
    again = sent(hop, model=f"{provider}/anthropic.claude-m", messages=longer, tools=[TOOL])
    assert [marks(message) for message in again["messages"]][-2:] == [1, 0]
    assert marks(again) <= MARKS_MAX


@PROVIDERS
def test_a_route_may_do_without(hop: Hop, provider: str) -> None:
    body = sent(hop, model="plain", messages=TURNS, tools=[TOOL])
    assert marks(body) == 0, provider


@pytest.mark.parametrize("provider", ["aws"])
def test_marks_of_the_client_are_kept_and_no_others_set(hop: Hop, provider: str) -> None:
    marked = {"type": "text", "text": "Be kind.", "cache_control": {"type": "ephemeral"}}
    turns = [{"role": "user", "content": "one"}]
    ask = {"model": f"{provider}/anthropic.claude-m", "max_tokens": 9, "messages": turns}
    body = sent(hop, "/v1/messages", system=[marked], **ask)
    assert (marks(body["system"]), marks(body)) == (1, 1)
    # Of more than the provider takes the last ones count, for each holds all that is before it.
    many = [marked | {"text": str(number)} for number in range(MARKS_MAX + 1)]
    message = {"role": "assistant", "content": [{"text": "two"}]}
    usage = {"inputTokens": 1, "outputTokens": 1, "totalTokens": 2}
    whole = {"output": {"message": message}, "stopReason": "end_turn", "usage": usage}
    hop.upstream.always(Read(), Send(reply(msgspec.json.encode(whole))))
    answer = hop.ask(post("/v1/messages", msgspec.json.encode({**ask, "system": many})))
    assert (answer.status, answer.headers["x-llm-edge-dropped"]) == (200, "cache_control")
    system = msgspec.json.decode(hop.upstream.requests[-1].body)["system"]
    assert [next(iter(part)) for part in system] == ["text", *["text", "cachePoint"] * MARKS_MAX]
