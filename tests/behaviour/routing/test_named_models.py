"""What is known of a model counts where the client names it, too."""

from collections.abc import Iterator

import msgspec
import pytest

from llm_edge_agent.catalog import embedded
from tests.behaviour.failure.several import metric
from tests.conftest import Serve
from tests.support.hop import CHAT, KEY, UPSTREAM_KEY, Hop, post
from tests.support.upstream import Read, Send, Upstream, reply
from tests.support.wire import Answer

CONFIG = """
version: 1
debug_headers: true
keys: [{{name: app, key: {key}}}]
providers:
  one: {{type: openai_compatible, base_url: "{one}/v1", api_key: {secret}}}
  two: {{type: openai_compatible, base_url: "{two}/v1", api_key: {secret}}}
  gpt: {{type: openai, base_url: "{one}/v1", api_key: {secret}}}
routes:
  fleet:
    models: ["fleet/*"]
    strategy: cost
    targets: [{{provider: one, model: "*"}}, {{provider: two, model: "*"}}]
catalog:
  models:
    one/large: {{capabilities: {{vision: true, audio: false}}, price: {{input: 3, output: 15}}}}
    two/large: {{capabilities: {{vision: false, audio: false}}, price: {{input: 2, output: 8}}}}
"""
USAGE = {"prompt_tokens": 1000, "completion_tokens": 10}
IMAGE = {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}
SOUND = {"type": "input_audio", "input_audio": {"data": "", "format": "wav"}}


@pytest.fixture
def hop(serve: Serve) -> Iterator[Hop]:
    with Upstream() as one, Upstream() as two:
        for upstream in (one, two):
            document = {"id": "x", "object": "chat.completion", "choices": [], "usage": USAGE}
            upstream.always(Read(), Send(reply(msgspec.json.encode(document))))
        config = CONFIG.format(key=KEY, one=one.url, two=two.url, secret=UPSTREAM_KEY)
        yield Hop(serve(config), one)


def ask(hop: Hop, model: str, content: object = "hello", **more: object) -> Answer:
    messages = [{"role": "user", "content": content}]
    body = msgspec.json.encode({"model": model, "messages": messages} | more)
    return hop.ask(post(CHAT, body, "X-LLM-Edge-Debug: 1"))


def target(answer: Answer) -> str:
    assert answer.status == 200
    return answer.headers["x-llm-edge-target"]


@pytest.mark.parametrize("name", ["large", "large-2026-01-01", "Large@20260101"])
def test_the_cheapest_that_can_do_it_by_any_spelling(hop: Hop, name: str) -> None:
    assert target(ask(hop, f"fleet/{name}")) == f"two/{name}"
    assert target(ask(hop, f"fleet/{name}", [IMAGE])) == f"one/{name}"
    assert metric(hop.running, "llm_edge_unpriced_replies_total", route="fleet") == 0
    for provider, cost in (("two", 1000 * 2 + 10 * 8), ("one", 1000 * 3 + 10 * 15)):
        counted = metric(hop.running, "llm_edge_cost_usd_total", route="fleet", provider=provider)
        assert counted == pytest.approx(cost / 1e6)


def test_a_longer_name_is_another_model(hop: Hop) -> None:
    # `us.a.large` is a place's `a.large`, and `large-x` is no release.
    for name in ("us.a.large", "large-x"):
        assert ask(hop, f"fleet/{name}", [IMAGE]).status == 200
    assert metric(hop.running, "llm_edge_unpriced_replies_total", route="fleet") == 2


def test_what_no_target_s_model_can_do_is_refused_by_name(hop: Hop) -> None:
    answer = ask(hop, "fleet/large", [SOUND])
    assert (answer.status, b"`audio`" in answer.body) == (400, True)
    assert answer.headers["x-llm-edge-decision"] == (
        "one/large=excluded:audio, two/large=excluded:audio"
    )
    # Of another model nothing is known.
    assert target(ask(hop, "fleet/other", [SOUND])) == "one/other"


def test_the_decision_names_no_bytes_that_a_field_cannot_hold(hop: Hop) -> None:
    answer = ask(hop, "fleet/größe\r\nx: y")
    assert answer.headers["x-llm-edge-target"] in {"one/*", "two/*"}
    assert "x" not in answer.headers


def test_further_models_are_known_by_their_own_names(hop: Hop) -> None:
    answer = ask(hop, "one/deaf", models=["one/deaf", "fleet/large"])
    assert target(answer) == "one/deaf"
    hop.upstream.once(Read(), Send(reply(b"{}", "503 Service Unavailable")))
    answer = ask(hop, "gpt/gpt-4o", models=["gpt/gpt-4o", "fleet/large"])
    assert target(answer) == "two/large"
    cost = metric(hop.running, "llm_edge_cost_usd_total", route="fleet", provider="two")
    assert cost == pytest.approx((1000 * 2 + 10 * 8) / 1e6)


@pytest.mark.parametrize("name", ["gpt-4o", "gpt-4o-2024-08-06"])
def test_the_catalog_s_prices_hold_without_a_route(hop: Hop, name: str) -> None:
    known = embedded().find(["openai"], name)
    assert known is not None
    assert known.price is not None
    assert known.price.input is not None
    assert known.price.output is not None
    assert target(ask(hop, f"gpt/{name}")) == f"gpt/{name}"
    cost = metric(hop.running, "llm_edge_cost_usd_total", provider="gpt")
    assert cost == pytest.approx((1000 * known.price.input + 10 * known.price.output) / 1e12)
    assert target(ask(hop, "gpt/of-my-own")) == "gpt/of-my-own"
    assert metric(hop.running, "llm_edge_unpriced_replies_total", provider="gpt") == 1
