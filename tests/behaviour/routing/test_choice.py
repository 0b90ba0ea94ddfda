"""What a route's targets can do, cost and are busy with decides, and it can be told why."""

import contextlib
import threading
from collections import Counter
from pathlib import Path

import msgspec
import pytest

from tests.behaviour.failure.several import (
    Several,
    delta,
    good,
    question,
    refusal,
    several,
    streamed,
)
from tests.support.hop import CHAT, post
from tests.support.upstream import Read, Send, Wait, chunk, reply
from tests.support.wire import Wire

CATALOG = """
catalog:
  models:
    a/m:
      context_window: 1000
      capabilities: {tools: true, vision: false, audio: false}
      price: {input: 2, output: 8, cached_input: 0.5}
    b/m:
      context_window: 2000
      capabilities: {tools: true, vision: true, audio: false}
      price: {input: 3, output: 12}
debug_headers: true
"""
IMAGE = {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}
SOUND = {"type": "input_audio", "input_audio": {"data": "", "format": "wav"}}
DEBUG = "X-LLM-Edge-Debug: 1"
USAGE = {
    "prompt_tokens": 1000,
    "completion_tokens": 10,
    "prompt_tokens_details": {"cached_tokens": 600},
}


def asks(content: object, **more: object) -> bytes:
    messages = [{"role": "user", "content": content}]
    return post(CHAT, msgspec.json.encode({"model": "chat", "messages": messages, **more}), DEBUG)


def error(body: bytes) -> dict[str, str | None]:
    return msgspec.json.decode(body, type=dict[str, dict[str, str | None]])["error"]


def test_who_cannot_do_it_is_not_asked_and_that_is_told_and_counted(tmp_path: Path) -> None:
    with several(tmp_path, more=CATALOG) as both:
        answer = both.hop.ask(asks([IMAGE]))
        assert (answer.status, both.seen()) == (200, [0, 1])
        assert answer.headers["x-llm-edge-decision"] == "b/m=ready, a/m=excluded:vision"
        assert answer.headers["x-llm-edge-target"] == "b/m"
        name = "llm_edge_routing_exclusions_total"
        assert both.metric(name, route="chat", reason="vision") == 1
        assert both.metric(name) == 1


def test_the_order_and_who_answered_in_the_end_are_told(tmp_path: Path) -> None:
    with several(tmp_path, more=CATALOG, count=3) as three:
        three.upstreams["a"].always(Read(), Send(refusal("503 Service Unavailable")))
        answer = three.hop.ask(asks("hello"))
        assert answer.headers["x-llm-edge-decision"] == "a/m=ready, b/m=ready, c/m=ready"
        assert answer.headers["x-llm-edge-target"] == "b/m"


def test_what_no_target_can_do_is_refused_by_name(tmp_path: Path) -> None:
    with several(tmp_path, more=CATALOG) as both:
        answer = both.hop.ask(asks([SOUND]))
        assert (answer.status, error(answer.body)["code"]) == (400, "capability_missing")
        message = "the request needs `audio`, which no target of route `chat` has."
        assert (error(answer.body)["message"] or "").startswith(message)
        assert both.seen() == [0, 0]
        assert both.metric("llm_edge_routing_last_resorts_total", standing="excluded") == 1


def test_the_fallback_of_who_cannot_is_asked(tmp_path: Path) -> None:
    more = "  voice: {models: [voice], targets: [{provider: c, model: m}]}\n" + CATALOG
    with several(tmp_path, "fallbacks: [voice]", more=more, count=3) as three:
        three.upstreams["c"].always(Read(), Send(good("c")))
        # The third is a target too; without it nobody of the route hears.
        assert three.hop.ask(asks([SOUND])).status == 200
        assert three.seen()[:2] == [0, 0]


def test_a_long_prompt_goes_where_it_fits_and_one_for_nobody_goes_all_the_same(
    tmp_path: Path,
) -> None:
    with several(tmp_path, more=CATALOG) as both:
        assert both.hop.ask(asks("word " * 1000)).status == 200
        assert both.seen() == [0, 1]
        answer = both.hop.ask(asks("word " * 3000))
        assert answer.headers["x-llm-edge-decision"] == (
            "a/m=too_long:context_window, b/m=too_long:context_window"
        )
        assert both.seen() == [1, 1]
        assert both.metric("llm_edge_routing_last_resorts_total", standing="too_long") == 1


def test_the_cheapest_is_asked_and_what_it_cost_is_counted(tmp_path: Path) -> None:
    body = {"id": "x", "object": "chat.completion", "choices": [], "usage": USAGE}
    with several(tmp_path, "strategy: cost", more=CATALOG) as both:
        for upstream in both.upstreams.values():
            upstream.always(Read(), Send(reply(msgspec.json.encode(body))))
        for _ in range(5):
            assert both.hop.ask(asks("hello")).status == 200
        assert both.seen() == [5, 0]
        # 400 at $2, 600 at $0.5 and 10 at $8, of a million each.
        cost = 5 * (400 * 2 + 600 * 0.5 + 10 * 8) / 1e6
        assert both.metric("llm_edge_cost_usd_total", provider="a") == pytest.approx(cost)
        saved = both.metric("llm_edge_prompt_cache_savings_usd_total", provider="a")
        assert saved == pytest.approx(5 * 600 * 1.5 / 1e6)
        assert both.metric("llm_edge_routing_unpriced_total") == 0


def test_whose_price_is_not_known_is_asked_last_and_counted(tmp_path: Path) -> None:
    catalog = CATALOG.replace("a/m", "a/other")
    with several(tmp_path, "strategy: cost", more=catalog) as both:
        assert both.hop.ask(asks("hello")).status == 200
        assert both.seen() == [0, 1]
    with several(tmp_path, "strategy: cost") as both:
        assert both.ask().status == 200
        assert both.metric("llm_edge_routing_unpriced_total", route="chat") == 1
        body = {"id": "x", "object": "chat.completion", "choices": [], "usage": USAGE}
        both.upstreams["b"].always(Read(), Send(reply(msgspec.json.encode(body))))
        both.upstreams["a"].always(Read(), Send(reply(msgspec.json.encode(body))))
        assert both.ask().status == 200
        assert both.metric("llm_edge_unpriced_replies_total", route="chat") == 1
        assert both.metric("llm_edge_cost_usd_total", route="chat") == 0


def test_the_least_busy_is_asked(tmp_path: Path) -> None:
    go_on = {name: threading.Event() for name in "abc"}
    begun, end = streamed(delta(content="a"), last=False), chunk(b"data: [DONE]\n\n") + chunk(b"")
    with contextlib.ExitStack() as stack:
        three = stack.enter_context(several(tmp_path, "strategy: least_in_flight", count=3))
        for name, upstream in three.upstreams.items():
            upstream.always(Read(), Send(begun), Wait(go_on[name]), Send(end))

        def ask() -> Wire:
            before = sum(three.seen())
            wire = stack.enter_context(three.hop.connect())
            wire.send(post(CHAT, question(stream=True)))
            while sum(three.seen()) == before:
                three.hop.upstream.pause(0.01)
            return wire

        wires = [ask() for _ in range(3)]
        assert three.seen() == [1, 1, 1]
        # Whose request is over is asked again and again, whosever turn it would be.
        for over in range(2, 5):
            go_on["b"].set()
            assert wires[-1 if over > 2 else 1].answer().complete
            go_on["b"].clear()
            wires.append(ask())
            assert three.seen() == [1, over, 1]
        for event in go_on.values():
            event.set()


RULES = """
  night: {targets: [{provider: b, model: m}]}
"""


def test_a_rule_leads_elsewhere(tmp_path: Path) -> None:
    rules = "rules: [{when: {tags: [batch], stream: false}, route: night}]"
    with several(tmp_path, rules, more=RULES) as both:
        assert both.ask("X-LLM-Edge-Tags: a, batch").status == 200
        assert both.seen() == [0, 1]
        assert both.ask("X-LLM-Edge-Tags: a").status == 200
        both.upstreams["a"].always(Read(), Send(streamed(delta(content="a"))))
        assert both.ask("X-LLM-Edge-Tags: batch", stream=True).status == 200
        assert both.seen() == [2, 1]
        assert both.metric("llm_edge_routing_redirects_total", route="chat") == 1


def test_a_rule_goes_by_what_is_asked_and_for_which_model(tmp_path: Path) -> None:
    rules = "{when: {models: [chat-long*]}, route: night}, {when: {needs: [vision]}, route: night}"
    route = f"models: [chat, chat-*]\nrules: [{rules}]"
    with several(tmp_path, route, more=RULES) as both:
        for seen, content, model in (
            ([1, 0], "hello", "chat"),
            ([1, 1], [IMAGE], "chat"),
            ([2, 1], "hello", "chat-short"),
            ([2, 2], "hello", "chat-long-1"),
        ):
            assert both.hop.ask(asks(content, model=model)).status == 200
            assert both.seen() == seen
        assert both.metric("llm_edge_routing_redirects_total", route="chat") == 2


def test_a_split_in_percent_is_one(tmp_path: Path) -> None:
    targets = [
        {"provider": name, "model": "m", "weight": weight} for name, weight in (("a", 95), ("b", 5))
    ]
    route = f"strategy: weighted\ntargets: {msgspec.json.encode(targets).decode()}"
    with several(tmp_path, route) as both:
        for _ in range(1000):
            assert both.ask().status == 200
        # 50 on average, and outside of these bounds less often than once in half a million times.
        assert sum(both.seen()) == 1000
        assert 20 <= both.seen()[1] <= 85


def test_shares_stay_by_weight_when_one_cannot(tmp_path: Path) -> None:
    route = (
        "strategy: round_robin\ntargets: "
        + msgspec.json.encode(
            [
                {"provider": "a", "model": "m"},
                {"provider": "b", "model": "m", "weight": 2},
                {"provider": "c", "model": "m"},
            ]
        ).decode()
    )
    with several(tmp_path, route, more=CATALOG, count=3) as three:
        for _ in range(12):
            assert three.hop.ask(asks([IMAGE])).status == 200
        assert three.seen() == [0, 8, 4]


def explained(several: Several, question: object) -> tuple[int, dict[str, object]]:
    return several.running.post_admin("explain", msgspec.json.encode(question))


def test_a_running_gateway_tells_how_it_would_route(tmp_path: Path) -> None:
    go_on = threading.Event()
    with several(tmp_path, "strategy: least_in_flight", more=CATALOG) as both:
        both.upstreams["a"].always(
            Read(), Send(streamed(delta(content="a"), last=False)), Wait(go_on)
        )
        with both.hop.connect() as wire:
            wire.send(post(CHAT, question(stream=True)))
            both.upstreams["a"].wait_for(requests=1)
            asked = {"path": CHAT, "body": {"model": "chat", "messages": []}}
            status, found = explained(both, asked)
            go_on.set()
        assert status == 200
        (table,) = msgspec.convert(found, type=dict[str, object])["routes"]  # type: ignore[misc]
        rows = {row["target"]: (row["asked"], row["live"]["in_flight"]) for row in table["targets"]}
        assert rows == {"a/m": (2, 1), "b/m": (1, 0)}
        status, found = explained(both, {"path": "/v1/nothing", "body": {}})
        assert (status, found["title"]) == (422, "Unprocessable Entity")
        status, found = explained(both, {"path": CHAT})
        assert status == 400
        assert Counter(both.seen()) == Counter([1, 0])
