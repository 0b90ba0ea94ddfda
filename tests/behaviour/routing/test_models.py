"""`models` in the body: whom the client would have asked next."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import openai
import pytest

from tests.behaviour.failure.several import Several, good, refusal, several
from tests.behaviour.providers.test_every_type import HELLO
from tests.support.gateway import start
from tests.support.hop import KEY, Hop, post
from tests.support.http2 import Http2
from tests.support.upstream import Read, Send, Upstream, reply
from tests.support.wire import Answer

BUSY = refusal("503 Service Unavailable")
ROUTES = """
  kept: {models: [kept], targets: [{provider: a, model: m}], cache: {ttl_s: 60}}
  twice: {models: ["twice/*"], targets: [{provider: a, model: "*"}], cache: {ttl_s: 60}}
  dumb: {models: [dumb], targets: [{provider: b, model: dumb}]}
  led:
    models: [led]
    targets: [{provider: b, model: m}]
    rules: [{when: {keys: [app]}, route: other}]
  other: {targets: [{provider: c, model: m}]}
catalog: {models: {b/dumb: {capabilities: {tools: false}}}}
"""


@pytest.fixture(scope="module")
def module_three(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Several]:
    folder = tmp_path_factory.mktemp("models")
    with several(folder, "retry: {budget_percent: 100}", count=3, more=ROUTES) as found:
        yield found


@pytest.fixture
def three(module_three: Several) -> Several:
    for name, upstream in module_three.upstreams.items():
        upstream.always(Read(), Send(good(name)))
        upstream.requests.clear()
    return module_three


def ask(three: Several, **fields: Any) -> Answer:  # noqa: ANN401 -- whatever a body holds
    data = msgspec.json.encode({"messages": HELLO, **fields})
    return three.hop.ask(post("/v1/chat/completions", data))


def sent(three: Several, name: str) -> dict[str, Any]:
    body = three.upstreams[name].requests[-1].body
    return msgspec.json.decode(body, type=dict[str, Any])


def test_the_next_is_asked_by_its_own_name(three: Several) -> None:
    three.upstreams["a"].always(Read(), Send(BUSY))
    three.upstreams["b"].always(Read(), Send(BUSY))
    answer = ask(three, model="a/first", models=["a/first", "b/second", "c/third"], n=1)
    assert (answer.status, answer.headers["x-llm-edge-attempts"]) == (200, "3")
    assert msgspec.json.decode(answer.body)["id"] == "c"
    assert three.seen() == [1, 1, 1]
    for name, model in (("a", "first"), ("b", "second"), ("c", "third")):
        assert sent(three, name) == {"messages": HELLO, "model": model, "n": 1}


def test_nobody_else_is_asked_while_the_first_answers(three: Several) -> None:
    assert ask(three, model="a/m", models=["b/m"]).status == 200
    assert three.seen() == [1, 0, 0]
    assert sent(three, "a") == {"messages": HELLO, "model": "m"}


def test_capabilities_of_the_further_are_looked_at(three: Several) -> None:
    three.upstreams["a"].always(Read(), Send(BUSY))
    tools = [{"type": "function", "function": {"name": "f"}}]
    assert ask(three, model="a/m", models=["dumb", "c/m"], tools=tools).status == 200
    assert three.seen() == [1, 0, 1]


def test_what_the_first_cannot_do_a_further_one_may(three: Several) -> None:
    tools = [{"type": "function", "function": {"name": "f"}}]
    assert ask(three, model="dumb", models=["c/m"], tools=tools).status == 200
    assert three.seen() == [0, 0, 1]


def test_its_rules_hold_for_a_further_one(three: Several) -> None:
    three.upstreams["a"].always(Read(), Send(BUSY))
    assert ask(three, model="a/m", models=["led"]).status == 200
    assert three.seen() == [1, 0, 1]


def test_it_counts_as_a_fallback_and_is_not_kept(three: Several) -> None:
    three.upstreams["a"].once(Read(), Send(BUSY))
    before = three.metric("llm_edge_fallbacks_total", route="twice")
    answers = [ask(three, model="twice/x", models=["twice/y"]) for _ in range(3)]
    assert [answer.headers["x-llm-edge-cache"] for answer in answers] == ["miss", "miss", "hit"]
    asked = [msgspec.json.decode(r.body)["model"] for r in three.upstreams["a"].requests]
    assert asked == ["x", "y", "x"]
    assert three.metric("llm_edge_fallbacks_total", route="twice") == before + 1


def test_two_names_of_one_provider_are_two_places(three: Several) -> None:
    three.upstreams["a"].once(Read(), Send(BUSY))
    assert ask(three, model="a/large", models=["a/small"]).status == 200
    assert [msgspec.json.decode(r.body)["model"] for r in three.upstreams["a"].requests] == [
        "large",
        "small",
    ]


def test_the_first_of_them_is_the_model(three: Several) -> None:
    three.upstreams["b"].always(Read(), Send(BUSY))
    assert ask(three, models=["b/m", "c/m"]).status == 200
    assert three.seen() == [0, 1, 1]
    assert sent(three, "b") == {"messages": HELLO, "model": "m"}


def test_the_next_may_speak_another_dialect(three: Several) -> None:
    three.upstreams["b"].always(Read(), Send(BUSY))
    content = [{"type": "text", "text": "hi"}]
    message = {"id": "m", "type": "message", "role": "assistant", "model": "opus"}
    message |= {"content": content, "stop_reason": "end_turn", "stop_sequence": None}
    message |= {"usage": {"input_tokens": 1, "output_tokens": 1}}
    three.upstreams["a"].always(Read(), Send(reply(msgspec.json.encode(message))))
    with openai.OpenAI(base_url=three.running.api, api_key=KEY, max_retries=0) as client:
        answer = client.chat.completions.create(
            model="b/m", messages=HELLO, extra_body={"models": ["claude/opus"]}
        )
        assert answer.choices[0].message.content == "hi"
        assert three.upstreams["a"].requests[-1].request_line == "POST /v1/messages HTTP/1.1"
        assert sent(three, "a")["model"] == "opus"


def test_responses_and_completions_have_them_too(three: Several) -> None:
    three.upstreams["a"].always(Read(), Send(BUSY))
    for path, asked in (("responses", {"input": "hi"}), ("completions", {"prompt": "hi"})):
        data = {"model": "a/m", "models": ["b/m"], **asked}
        assert three.hop.ask(post(f"/v1/{path}", msgspec.json.encode(data))).status == 200
        assert sent(three, "b") == {"model": "m", **asked}


def test_what_is_kept_is_kept_for_the_whole_list(three: Several) -> None:
    for models in (None, ["b/m"], ["c/m"]):
        answers = [ask(three, model="kept", models=models) for _ in range(2)]
        assert [answer.headers["x-llm-edge-cache"] for answer in answers] == ["miss", "hit"]
    assert three.seen() == [3, 0, 0]


def test_over_http2_too(three: Several) -> None:
    three.upstreams["a"].always(Read(), Send(BUSY))
    data = msgspec.json.encode({"model": "a/m", "models": ["b/m"], "messages": HELLO})
    with Http2(three.hop.running.address) as http:
        fields = [("authorization", f"Bearer {KEY}")]
        answer = http.answer(http.request("/v1/chat/completions", data, *fields))
    assert msgspec.json.decode(answer.body)["id"] == "b"
    assert sent(three, "b") == {"messages": HELLO, "model": "m"}


@pytest.mark.parametrize("models", ["b/m", [], ["b/m", 7], ["b/m"] * 9])
def test_what_is_no_list_of_names_is_refused(three: Several, models: object) -> None:
    answer = ask(three, model="a/m", models=models)
    error = msgspec.json.decode(answer.body)["error"]
    assert (answer.status, error["param"]) == (400, "models")
    assert "1 to 8 names" in error["message"]
    assert three.seen() == [0, 0, 0]


def test_a_name_that_is_not_there_is_told_before_anybody_is_asked(three: Several) -> None:
    answer = ask(three, model="a/m", models=["b/m", "nobody/m"])
    error = msgspec.json.decode(answer.body)["error"]
    assert (answer.status, error["code"], error["param"]) == (404, "model_not_found", "models")
    assert "`nobody/m` does not exist" in error["message"]
    assert three.seen() == [0, 0, 0]


def test_openrouter_keeps_its_own(tmp_path: Path) -> None:
    config = f"""
version: 1
keys: [{{name: app, key: {KEY}}}]
providers: {{openrouter: {{type: openrouter, base_url: "URL/api/v1", api_key: k}}}}
"""
    path = tmp_path / "llm-edge.yaml"
    with Upstream() as upstream:
        path.write_text(config.replace("URL", upstream.url))
        upstream.always(Read(), Send(good("x")))
        running = start(["serve", "--config", str(path), "--workers", "1"], tmp_path)
        try:
            asked = {"model": "openrouter/x/m", "models": ["y/m", "z/m"], "messages": HELLO}
            hop = Hop(running, upstream)
            data = msgspec.json.encode(asked)
            assert hop.ask(post("/v1/chat/completions", data)).status == 200
            assert upstream.requests[-1].body == data.replace(b"openrouter/", b"")
        finally:
            running.stop()
