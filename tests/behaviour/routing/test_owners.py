"""Who gave what a request goes on with is found behind whatever route it was asked by."""

from pathlib import Path

import msgspec
import pytest

from tests.behaviour.failure.several import Several, metric, refusal, several
from tests.support.gateway import Running, start
from tests.support.hop import Hop, post
from tests.support.upstream import Read, Send, reply
from tests.support.wire import Answer

ONLY_A = "targets: [{provider: a, model: m}]\nrules: [{when: {tags: [batch]}, route: night}]"
NIGHT = "  night: {models: [night], targets: [{provider: b, model: m}]}\n"
DEBUG = "debug_headers: true\n"
BATCH = "X-LLM-Edge-Tags: batch"


def ask(at: Several, *fields: str, model: str = "chat", **more: object) -> Answer:
    body = {"model": model, "input": "hello", **more}
    return at.hop.ask(post("/v1/responses", msgspec.json.encode(body), *fields))


def gives(at: Several, name: str, response: str) -> None:
    answer = {"id": response, "object": "response", "output": []}
    at.upstreams[name].always(Read(), Send(reply(msgspec.json.encode(answer))))


def code(answer: Answer) -> str | None:
    return msgspec.json.decode(answer.body, type=dict[str, dict[str, str | None]])["error"]["code"]


@pytest.mark.parametrize("first", [[], [BATCH]], ids=["before", "after"])
def test_a_rule_that_holds_for_one_turn_only_does_not_part_it_from_its_owner(
    tmp_path: Path, first: list[str]
) -> None:
    with several(tmp_path, ONLY_A, more=NIGHT + DEBUG) as both:
        gives(both, "a", "resp_a")
        gives(both, "b", "resp_b")
        owner = "b" if first else "a"
        assert ask(both, *first).status == 200
        assert both.seen() == [int(not first), int(bool(first))]
        second = [] if first else [BATCH]
        answer = ask(both, *second, "X-LLM-Edge-Debug: 1", previous_response_id=f"resp_{owner}")
        assert answer.status == 200
        assert answer.headers["x-llm-edge-decision"] == f"{owner}/m=owner"
        assert both.seen() == ([2, 0] if owner == "a" else [0, 2])


def test_the_next_of_several_models_is_gone_on_with_where_it_answered(tmp_path: Path) -> None:
    with several(tmp_path, ONLY_A, more=NIGHT) as both:
        both.upstreams["a"].once(Read(), Send(refusal("503 Service Unavailable")))
        gives(both, "a", "resp_a")
        gives(both, "b", "resp_b")
        models = ["a/large", "b/small"]
        assert ask(both, model="a/large", models=models).status == 200
        assert both.seen() == [1, 1]
        answer = ask(both, model="a/large", models=models, previous_response_id="resp_b")
        assert answer.status == 200
        assert both.seen() == [1, 2]
        sent = msgspec.json.decode(both.upstreams["b"].requests[-1].body, type=dict[str, str])
        assert sent == {"model": "small", "input": "hello", "previous_response_id": "resp_b"}
        # What is asked for alone cannot lead there.
        answer = ask(both, model="a/large", previous_response_id="resp_b")
        assert (answer.status, code(answer)) == (409, "owner_gone")
        assert both.seen() == [1, 2]


def test_an_owner_that_refuses_our_credential_is_not_taken_for_the_callers_fault(
    tmp_path: Path,
) -> None:
    with several(tmp_path) as both:
        gives(both, "a", "resp_a")
        assert ask(both).status == 200
        both.upstreams["a"].always(Read(), Send(refusal("401 Unauthorized")))
        answer = ask(both, previous_response_id="resp_a")
        assert (answer.status, code(answer)) == (409, "owner_gone")
        assert both.seen() == [2, 0]
        both.upstreams["a"].always(Read(), Send(refusal("429 Too Many Requests")))
        answer = ask(both, previous_response_id="resp_a")
        assert (answer.status, code(answer)) == (429, "refused")
        assert both.seen()[1] == 0


def test_a_route_with_one_target_says_so(tmp_path: Path) -> None:
    with several(tmp_path, ONLY_A, more=NIGHT + DEBUG) as both:
        answer = both.ask("X-LLM-Edge-Debug: 1")
        assert answer.headers["x-llm-edge-decision"] == "a/m=ready"


def unknown(running: Running) -> float:
    return metric(running, "llm_edge_routing_unknown_owners_total", route="chat")


@pytest.mark.parametrize(
    "more",
    [
        {"previous_response_id": "resp_made_up"},
        {"input": [{"type": "reasoning", "encrypted_content": "gAAAmade-up", "summary": []}]},
    ],
    ids=["response", "reasoning"],
)
def test_what_nobody_is_known_to_have_given_goes_where_any_request_goes_and_is_counted(
    tmp_path: Path, more: dict[str, object]
) -> None:
    with several(tmp_path) as both:
        gives(both, "a", "resp_a")
        answer = ask(both, **more)
        assert (answer.status, both.seen(), unknown(both.running)) == (200, [1, 0], 1)
        sent = msgspec.json.decode(both.upstreams["a"].requests[-1].body)
        assert sent == {"model": "m", "input": "hello", **more}
        # Neither who goes on with what is known, nor who goes on with nothing.
        assert ask(both, previous_response_id="resp_a").status == 200
        assert ask(both).status == 200
        assert (both.seen(), unknown(both.running)) == ([3, 0], 1)


def test_what_the_asked_account_does_not_know_is_its_own_answer(tmp_path: Path) -> None:
    with several(tmp_path) as both:
        both.upstreams["a"].always(
            Read(), Send(refusal("400 Bad Request", code="previous_response_not_found"))
        )
        answer = ask(both, previous_response_id="resp_made_up")
        assert (answer.status, code(answer)) == (400, "previous_response_not_found")
        assert both.seen() == [1, 0]


def test_where_there_is_one_account_nothing_is_unknown(tmp_path: Path) -> None:
    with several(tmp_path, "targets: [{provider: a, model: m}]") as both:
        gives(both, "a", "resp_a")
        assert ask(both, previous_response_id="resp_made_up").status == 200
        assert (both.seen(), unknown(both.running)) == ([1, 0], 0)


def test_after_a_restart_nobody_is_known_any_more(tmp_path: Path) -> None:
    with several(tmp_path) as both:
        gives(both, "a", "resp_a")
        both.upstreams["a"].once(Read(), Send(refusal("503 Service Unavailable")))
        gives(both, "b", "resp_b")
        assert ask(both).status == 200
        assert both.seen() == [1, 1]
        assert ask(both, previous_response_id="resp_b").status == 200
        assert (both.seen(), unknown(both.running)) == ([1, 2], 0)
        both.running.stop()
        config = str(tmp_path / "llm-edge.yaml")
        again = start(["serve", "--config", config, "--workers", "1"], tmp_path / "again")
        restarted = Several(Hop(again, both.upstreams["a"]), both.upstreams)
        try:
            assert ask(restarted, previous_response_id="resp_b").status == 200
            assert (both.seen(), unknown(again)) == ([2, 2], 1)
        finally:
            again.stop()
