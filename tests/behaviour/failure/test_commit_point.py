"""A stream is released with its first word, so that an error before it fails over unseen."""

import threading
from pathlib import Path

import pytest

from tests.behaviour.failure.several import data, delta, question, several, streamed
from tests.support.hop import post
from tests.support.upstream import Close, Pause, Read, Send, Wait, chunk, stream_head

ROLE = delta(role="assistant", content="")
WORDS = [delta(content="well "), delta(content="done")]
ERRORS = {
    "an error member": data({"error": {"message": "overloaded", "type": "server_error"}}),
    "an error event": b'event: error\ndata: {"type":"error","error":{"message":"no"}}\n\n',
    "vLLM's older one": data({"object": "error", "message": "no", "code": 500}),
}

pytestmark = pytest.mark.behaviour("B05")


@pytest.mark.parametrize("error", ERRORS)
@pytest.mark.parametrize("piece", [0, 1], ids=["at once", "byte by byte"])
def test_an_error_before_the_first_word_is_answered_by_another(
    tmp_path: Path, error: str, piece: int
) -> None:
    with several(tmp_path, "commit_point: true") as many:
        many.upstreams["a"].always(
            Read(), Send(streamed(ROLE, ERRORS[error], last=False), piece), Close()
        )
        many.upstreams["b"].always(Read(), Send(streamed(ROLE, *WORDS)))
        answer = many.ask(stream=True)
        assert answer.complete
        assert answer.body == b"".join([ROLE, *WORDS, b"data: [DONE]\n\n"])
        assert answer.headers["x-llm-edge-attempts"] == "2"
        assert many.metric("llm_edge_retries_total", reason="error_event") == 1
        assert (
            many.metric("llm_edge_upstream_attempts_total", provider="a", result="error_event") == 1
        )


def test_without_it_the_error_goes_to_the_client(tmp_path: Path) -> None:
    with several(tmp_path) as many:
        event = ERRORS["an error member"]
        many.upstreams["a"].always(Read(), Send(streamed(ROLE, event, last=False)), Close())
        answer = many.ask(stream=True)
        assert ROLE + event in answer.body
        assert many.seen() == [1, 0]


@pytest.mark.behaviour("B02")
def test_an_error_after_the_first_word_goes_to_the_client(tmp_path: Path) -> None:
    with several(tmp_path, "commit_point: true") as many:
        event = ERRORS["an error member"]
        many.upstreams["a"].always(Read(), Send(streamed(ROLE, WORDS[0], event)))
        answer = many.ask(stream=True)
        assert answer.body.startswith(ROLE + WORDS[0] + event)
        assert many.seen() == [1, 0]


def test_where_all_fail_the_client_gets_the_last_error_as_it_came(tmp_path: Path) -> None:
    with several(tmp_path, "commit_point: true\nretry: {attempts_max: 2}") as many:
        event = ERRORS["an error member"]
        for upstream in many.upstreams.values():
            upstream.always(Read(), Send(streamed(ROLE, event)))
        answer = many.ask(stream=True)
        assert (answer.status, answer.body) == (200, ROLE + event + b"data: [DONE]\n\n")
        assert many.seen() == [1, 1]


@pytest.mark.behaviour("B03")
def test_a_stream_that_breaks_off_before_its_first_word_is_not_sent_again(tmp_path: Path) -> None:
    with several(tmp_path, "commit_point: true") as many:
        many.upstreams["a"].always(Read(), Send(streamed(ROLE, last=False)), Pause(0.1), Close())
        answer = many.ask(stream=True)
        assert b"upstream_closed" in answer.body
        assert many.seen() == [1, 0]


def test_the_first_word_releases_the_stream_and_nothing_waits_after_it(tmp_path: Path) -> None:
    with several(tmp_path, "commit_point: true", count=1) as many:
        first, second = threading.Event(), threading.Event()
        many.upstreams["a"].always(
            Read(),
            Send(stream_head() + chunk(ROLE)),
            Wait(first),
            Send(chunk(WORDS[0])),
            Wait(second),
            Send(chunk(WORDS[1]) + chunk(b"data: [DONE]\n\n") + chunk(b"")),
        )
        with many.hop.connect() as wire:
            wire.send(post("/v1/chat/completions", question(stream=True)))
            many.upstreams["a"].wait_for(requests=1)
            assert not wire.readable_within(0.2)
            first.set()
            begun = wire.read_until(b"well ")
            second.set()
            rest = wire.read_until(b"0\r\n\r\n")
        assert begun.index(ROLE) < begun.index(b"well ")
        assert WORDS[1] in rest


def test_formalities_without_end_are_let_go(tmp_path: Path) -> None:
    with several(tmp_path, "commit_point: true", count=1) as many:
        formalities = [ROLE] * (2 * 64 * 1024 // len(ROLE))
        many.upstreams["a"].always(Read(), Send(streamed(*formalities, *WORDS)))
        answer = many.ask(stream=True)
        assert answer.body == b"".join([*formalities, *WORDS, b"data: [DONE]\n\n"])
