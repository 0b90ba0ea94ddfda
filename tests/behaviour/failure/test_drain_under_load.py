"""The end of the process is nobody's failed request."""

import contextlib
import signal
import threading
import time
from collections import Counter
from pathlib import Path

import httpx2
import pytest

from tests.support.hop import CHAT, Hop, body, post, start_hop
from tests.support.streams import EVENTS, whole
from tests.support.upstream import Read, Send, Upstream, Wait, chunk, stream_head
from tests.support.wire import Wire

pytestmark = pytest.mark.behaviour("B28")

STREAMS = 20
HEAD = stream_head() + chunk(EVENTS["chat"][0])
REST = b"".join(map(chunk, EVENTS["chat"][1:])) + chunk(b"")


def wait_until_refused(address: tuple[str, int]) -> None:
    end = time.monotonic() + 5
    while True:
        try:
            Wire(address).__exit__()
        except ConnectionRefusedError:
            return
        except ConnectionResetError:
            # It was in the listener's queue when that closed.
            pass
        assert time.monotonic() < end, "new connections are still taken"


def readiness(hop: Hop) -> int:
    with httpx2.Client(trust_env=False) as client:
        return client.get(f"{hop.running.metrics}/readyz").status_code


@pytest.mark.parametrize("workers", [1, 2])
def test_live_streams_end_whole_while_nobody_new_is_let_in(
    tmp_path: Path, upstream: Upstream, workers: int
) -> None:
    go_on = threading.Event()
    upstream.always(Read(), Send(HEAD), Wait(go_on), Send(REST))
    hop = start_hop(tmp_path / "drain", upstream, "", "--workers", str(workers))
    with contextlib.ExitStack() as stack:
        idle = stack.enter_context(hop.connect())
        idle.send(b"GET /readyz HTTP/1.1\r\nHost: edge\r\n\r\n")
        assert idle.answer().status == 200
        streams = [stack.enter_context(hop.connect()) for _ in range(STREAMS)]
        for wire in streams:
            wire.send(post(data=body(stream=True)))
        upstream.wait_for(requests=STREAMS)
        for wire in streams:
            wire.read_until(EVENTS["chat"][0][-20:])
        hop.running.signal(signal.SIGTERM)
        wait_until_refused(hop.running.address)
        assert readiness(hop) == 503
        # A connection that does nothing is told to go by its end.
        assert idle.read_to_end() == b""
        go_on.set()
        for wire in streams:
            rest = wire.read_to_end()
            assert rest.endswith(b"0\r\n\r\n")
            assert EVENTS["chat"][-1] in rest
            assert not wire.was_reset
    hop.running.check_end()
    assert upstream.begun == STREAMS


def test_a_reply_during_the_drain_says_that_the_connection_ends(
    tmp_path: Path, upstream: Upstream
) -> None:
    go_on = threading.Event()
    upstream.always(Read(), Wait(go_on), Send(HEAD + REST))
    hop = start_hop(tmp_path / "drain", upstream, "", "--workers", "1")
    with hop.connect() as wire:
        wire.send(post(data=body(stream=True)))
        upstream.wait_for(requests=1)
        hop.running.signal(signal.SIGTERM)
        wait_until_refused(hop.running.address)
        go_on.set()
        answer = wire.answer()
        assert answer.headers["connection"] == "close"
        assert answer.body == whole("chat")
        assert wire.read_to_end() == b""
    hop.running.check_end()


def test_clients_that_come_and_go_meet_an_answer_or_a_closed_door(
    tmp_path: Path, upstream: Upstream
) -> None:
    hop = start_hop(tmp_path / "drain", upstream, "", "--workers", "2")
    outcomes: Counter[str] = Counter()
    stop = threading.Event()

    def come_and_go() -> None:
        while not stop.is_set():
            try:
                with hop.connect() as wire:
                    wire.send(post(CHAT, body(), "Connection: close"))
                    if wire.readable_within(10) and not wire.ended():
                        answer = wire.answer()
                        outcomes[f"{answer.status} {answer.complete}"] += 1
                    else:
                        outcomes["reset" if wire.was_reset else "closed without a reply"] += 1
            except ConnectionRefusedError:
                outcomes["refused"] += 1
                return
            except ConnectionResetError:
                outcomes["reset"] += 1

    clients = [threading.Thread(target=come_and_go) for _ in range(4)]
    for client in clients:
        client.start()
    end = time.monotonic() + 5
    while outcomes["200 True"] < 200:
        assert time.monotonic() < end
        stop.wait(0.01)
    hop.running.signal(signal.SIGTERM)
    for client in clients:
        client.join(10)
    stop.set()
    hop.running.check_end()
    assert set(outcomes) == {"200 True", "refused"}, outcomes
