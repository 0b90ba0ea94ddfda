"""The request log: which requests have a line in which mode, and what no line ever holds."""

import os
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from tests.behaviour.failure.several import good, metric, refusal
from tests.behaviour.process.programs import wait_until
from tests.conftest import Serve
from tests.support.gateway import start
from tests.support.hop import KEY, UPSTREAM_KEY, Hop, config, post
from tests.support.upstream import Read, Send, Upstream, reply

CHAT = "/v1/chat/completions"
SECRET = "the prompt's own words"
ANSWER = "what was answered"

MODELS = f"GET /v1/models HTTP/1.1\r\nHost: edge\r\nAuthorization: Bearer {KEY}\r\n\r\n".encode()

Logging = Callable[[str], Hop]


@pytest.fixture
def logging(serve: Serve, upstream: Upstream) -> Logging:
    """A gateway with these options of the request log."""
    upstream.always(Read(), Send(good("up")))
    return lambda options: Hop(
        serve(config(upstream.url, f"request_log: {options}"), "--workers", "1"), upstream
    )


def question() -> bytes:
    return post(
        CHAT,
        msgspec.json.encode({"model": "up/m", "messages": [{"role": "user", "content": SECRET}]}),
    )


@pytest.mark.parametrize(
    ("options", "lines"),
    [("{mode: all}", 12), ("{mode: sampled, sample_every: 4}", 3), ("{mode: off}", 0)],
)
def test_as_many_lines_as_the_mode_says(logging: Logging, options: str, lines: int) -> None:
    hop = logging(options)
    with hop.connect() as wire:
        for _ in range(12):
            wire.send(question())
            assert wire.answer().status == 200
    log = hop.running.stop()
    assert log.count('"event":"request"') == lines


def test_an_error_has_its_line_in_every_mode(logging: Logging, upstream: Upstream) -> None:
    hop = logging("{mode: off}")
    upstream.once(Read(), Send(refusal("400 Bad Request")))
    assert hop.ask(question()).status == 400
    assert hop.ask(question()).status == 200
    wait_until(lambda: hop.running.notices("request"))
    (line,) = hop.running.notices("request")
    assert (line["status"], line["ending"]) == (400, "whole")
    hop.running.stop()


def test_no_line_holds_content_or_secrets(logging: Logging, upstream: Upstream) -> None:
    hop = logging("{mode: all}")
    choice = {"index": 0, "message": {"role": "assistant", "content": ANSWER}}
    document = {"id": "x", "object": "chat.completion", "choices": [choice]}
    upstream.once(Read(), Send(reply(msgspec.json.encode(document))))
    assert ANSWER in hop.ask(question()).body.decode()
    upstream.once(Read(), Send(refusal("401 Unauthorized")))
    hop.ask(question())
    hop.ask(question().replace(KEY.encode(), b"sk-edge-wrong-0123456789"))
    hop.ask(question().replace(b'"model"', b'"modle"'))
    log = hop.running.stop()
    assert log.count('"event":"request"') == 4
    for secret in (SECRET, ANSWER, KEY, UPSTREAM_KEY, "sk-edge-wrong-0123456789"):
        assert secret not in log


def test_lines_that_nobody_reads_are_dropped_and_counted(
    tmp_path: Path, upstream: Upstream
) -> None:
    upstream.always(Read(), Send(good("up")))
    path = tmp_path / "config.yaml"
    path.write_text(config(upstream.url, "request_log: {mode: all}"))
    pipe = tmp_path / "log"
    os.mkfifo(pipe)
    # Both ends are held open here, and nothing is read.
    held = os.open(pipe, os.O_RDWR)
    into_pipe = ["sh", "-c", f'exec "$@" 2>{pipe}', "sh"]
    running = start(
        ["serve", "--config", str(path), "--workers", "1"], tmp_path, launcher=into_pipe
    )
    hop = Hop(running, upstream)
    name = "llm_edge_request_log_dropped_total"
    try:
        with hop.connect() as wire:
            for _ in range(300):
                wire.send(100 * MODELS)
                assert [wire.answer().status for _ in range(100)] == [200] * 100
                if dropped := metric(running, name):
                    break
        assert dropped > 0
    finally:
        os.close(held)
        running.process.kill()
        running.process.communicate()
