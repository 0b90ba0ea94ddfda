"""What is too much is refused early, cheaply and in the caller's own words; the rest goes on."""

import contextlib
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx2
import msgspec
import pytest

from tests.behaviour.process.programs import wait_until
from tests.support.hop import KEY, PATHS, Hop, body, post, start_hop
from tests.support.http2 import Http2
from tests.support.streams import EVENTS
from tests.support.upstream import Read, Send, Upstream, Wait, chunk, reply, stream_head
from tests.support.wire import Wire

pytestmark = pytest.mark.behaviour("B34")

IN_FLIGHT_MAX = 16
FULL = f"limits: {{in_flight_max: {IN_FLIGHT_MAX}, queue_ms_max: 0}}"
LIVEZ = b"GET /livez HTTP/1.1\r\nHost: edge\r\n\r\n"
READYZ = LIVEZ.replace(b"livez", b"readyz")
WHY = "limits.in_flight_max"
MODELS = b"GET /v1/models HTTP/1.1\r\nHost: edge\r\nAuthorization: Bearer %b\r\n\r\n"
LIST = MODELS % KEY.encode()
QUEUED = 10
"""Streams in hand: with few of them no queue is looked at."""
BUSY = 12


def metric(hop: Hop, name: str) -> float:
    """The value of one sample, labels and all."""
    with httpx2.Client(trust_env=False) as client:
        text = client.get(f"{hop.running.metrics}/metrics").text
    (line,) = [line for line in text.splitlines() if line.startswith(f"{name} ")]
    return float(line.split()[-1])


@pytest.fixture
def full(tmp_path: Path) -> Iterator[Hop]:
    """A gateway with as many streams in hand as it may have; they end when the test does."""
    go_on = threading.Event()
    with Upstream() as upstream, contextlib.ExitStack() as streams:
        begun = Send(stream_head() + chunk(EVENTS["chat"][0]))
        end = Send(b"".join(map(chunk, EVENTS["chat"][1:])) + chunk(b""))
        upstream.always(Read(), begun, Wait(go_on), end)
        hop = start_hop(tmp_path / "full", upstream, FULL, "--workers", "1")
        wires = [streams.enter_context(hop.connect()) for _ in range(IN_FLIGHT_MAX)]
        # The share that is refused below the limit is spread evenly: whoever is refused asks again.
        for wire in wires:
            while True:
                wire.send(post(data=body(stream=True)))
                if b" 200 " in wire.read_until(b"\r\n\r\n").split(b"\r\n")[0]:
                    break
                wire.read_until(b"}}")
        upstream.wait_for(requests=IN_FLIGHT_MAX)
        yield hop
        go_on.set()
        for wire in wires:
            # Those that were let in end whole.
            rest = wire.read_until(b"0\r\n\r\n")
            assert EVENTS["chat"][-1] in rest
        hop.upstream.always(Read(), Send(reply(b"{}")))
        hop.still_works()
        hop.running.stop()


@pytest.mark.parametrize("surface", ["chat", "messages"])
def test_a_request_too_many_is_told_when_to_come_back(full: Hop, surface: str) -> None:
    before = metric(full, 'llm_edge_sheds_total{reason="in_flight"}')
    rejected = metric(full, 'llm_edge_rejections_total{code="overloaded"}')
    with full.connect() as wire:
        for _ in range(3):
            wire.send(post(PATHS[surface], body(surface)))
            answer = wire.answer()
            assert answer.status == 503
            assert int(answer.headers["retry-after"]) in {1, 2, 3}
            # The connection stays: a new one would cost both sides more than the answer.
            assert "connection" not in answer.headers
            error = msgspec.json.decode(answer.body)["error"]
            assert WHY in error["message"]
            kind = "overloaded_error" if surface == "messages" else "server_error"
            assert error["type"] == kind
    assert full.seen == IN_FLIGHT_MAX
    assert metric(full, 'llm_edge_sheds_total{reason="in_flight"}') == before + 3
    assert metric(full, 'llm_edge_rejections_total{code="overloaded"}') == rejected + 3
    wait_until(lambda: full.running.notices("shedding"))
    told = full.running.notices("shedding")
    assert [(line["state"], line["reason"]) for line in told] == [("began", "in_flight")]


def test_probes_and_the_other_ports_answer_all_the_same(full: Hop) -> None:
    with full.connect() as wire:
        for probe in (LIVEZ, READYZ):
            wire.send(probe)
            assert wire.answer().status == 200
    with httpx2.Client(trust_env=False) as client:
        assert client.get(f"{full.running.metrics}/readyz").status_code == 200
        assert client.get(f"{full.running.metrics}/metrics").status_code == 200
        token = {"authorization": f"Bearer {full.running.admin_token}"}
        status = client.get(f"{full.running.admin}/api/v1/status", headers=token)
        assert status.status_code == 200
        assert status.json()["in_flight"] == IN_FLIGHT_MAX


def test_the_no_does_not_wait_for_the_body(full: Hop) -> None:
    data = body(text="x" * 1_000_000)
    request = post(data=data)
    with full.connect() as wire:
        wire.send(request[: -len(data) // 2])
        began = time.monotonic()
        answer = wire.answer()
        assert (answer.status, answer.headers["connection"]) == (503, "close")
        assert time.monotonic() - began < 1
        # The rest may still come; it must not turn the answer into a reset.
        wire.send(request[-len(data) // 2 :])
        wire.send_end()
        assert wire.read_to_end() == b""
        assert not wire.was_reset


def test_over_http2_a_stream_is_refused_and_the_connection_stays(full: Hop) -> None:
    key = ("authorization", f"Bearer {KEY}")
    with Http2(full.running.address) as http:
        for text in ("short", "x" * 100_000):
            data = body(text=text)
            answer = http.answer(http.request("/v1/chat/completions", data, key, upto=5))
            assert answer.status == 503
            assert int(answer.headers["retry-after"]) >= 1
            assert WHY in msgspec.json.decode(answer.body)["error"]["message"]
        probe = http.answer(http.request("/livez", b"", method="GET"))
        assert (probe.status, http.goaway) == (200, False)


def test_whoever_has_no_key_is_not_told_how_busy_we_are(full: Hop) -> None:
    assert full.ask(post(key=None)).status == 401


def test_a_flood_of_refusals_leaves_a_few_lines_in_the_log(full: Hop) -> None:
    time.sleep(1.1)  # A second of its own: what was refused before has had its lines.
    before = len(re.findall('"code":"overloaded"', full.running.log()))
    requests = post() * 500
    with full.connect() as wire:
        threading.Thread(target=wire.send, args=(requests,)).start()
        for _ in range(500):
            assert wire.answer().status == 503
    time.sleep(0.3)
    lines = len(re.findall('"code":"overloaded"', full.running.log())) - before
    assert 10 <= lines <= 50
    assert metric(full, 'llm_edge_sheds_total{reason="in_flight"}') >= 500
    assert metric(full, "llm_edge_request_log_dropped_total") == 0


def test_want_of_memory_refuses_until_there_is_some_again(tmp_path: Path) -> None:
    with Upstream() as upstream:
        hop = start_hop(tmp_path / "small", upstream, "limits: {memory_bytes_max: 1}")
        config = tmp_path / "small" / "llm-edge.yaml"
        try:
            _wait_for(hop, 503)
            with hop.connect() as wire:
                wire.send(post())
                answer = wire.answer()
                assert "limits.memory_bytes_max" in answer.body.decode()
                assert int(answer.headers["retry-after"]) >= 1
            assert metric(hop, 'llm_edge_sheds_total{reason="memory"}') >= 1
            config.write_text(config.read_text().replace("memory_bytes_max: 1", "queue_ms_max: 10"))
            _wait_for(hop, 200)
        finally:
            hop.running.stop()


def _wait_for(hop: Hop, status: int) -> None:
    end = time.monotonic() + 5
    with Wire(hop.running.address) as wire:
        while True:
            wire.send(post())
            if wire.answer().status == status:
                return
            assert time.monotonic() < end
            time.sleep(0.05)


def test_a_queue_that_stands_refuses_until_it_is_gone(tmp_path: Path) -> None:
    go_on = threading.Event()
    with Upstream() as upstream, contextlib.ExitStack() as ends:
        begun = Send(stream_head() + chunk(EVENTS["chat"][0]))
        end = Send(b"".join(map(chunk, EVENTS["chat"][1:])) + chunk(b""))
        upstream.always(Read(), begun, Wait(go_on), end)
        hop = start_hop(tmp_path / "busy", upstream, "limits: {queue_ms_max: 1}", "--workers", "1")
        ends.callback(hop.running.stop)
        streams = [ends.enter_context(hop.connect()) for _ in range(QUEUED)]
        for stream in streams:
            stream.send(post(data=body(stream=True)))
            assert b" 200 " in stream.read_until(b"\r\n\r\n").split(b"\r\n")[0]
        before = ends.enter_context(hop.connect())
        before.send(LIST)
        assert before.answer().status == 200
        with busy(hop), hop.connect() as late, Http2(hop.running.address) as http:
            # On a connection from before, on one that comes now, and again on the same ones.
            for _ in range(3):
                _wait_until(503, lambda: _listed(before))
                _wait_until(503, lambda: _listed(late))
                _wait_until(503, lambda: _listed_over_http2(http))
            assert metric(hop, 'llm_edge_sheds_total{reason="queue"}') >= 9
        _wait_until(200, lambda: _listed(before))
        go_on.set()
        for stream in streams:
            assert EVENTS["chat"][-1] in stream.read_until(b"0\r\n\r\n")
        hop.upstream.always(Read(), Send(reply(b"{}")))
        for _ in range(3):
            before.send(post())
            assert before.answer().status == 200
        assert metric(hop, "llm_edge_panics_total") == 0


@contextlib.contextmanager
def busy(hop: Hop) -> Iterator[None]:
    """More work than the worker has time for: connections that ask ahead, without a pause."""
    over = threading.Event()

    def ask(connection: socket.socket) -> None:
        while not over.is_set():
            connection.sendall(LIST * 200)
        connection.shutdown(socket.SHUT_WR)

    def read(connection: socket.socket) -> None:
        while connection.recv(1 << 20):
            pass

    with contextlib.ExitStack() as stack:
        threads = []
        for _ in range(BUSY):
            connection = stack.enter_context(socket.create_connection(hop.running.address, 10))
            threads += [threading.Thread(target=task, args=(connection,)) for task in (ask, read)]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            over.set()
            for thread in threads:
                thread.join()


def _listed(wire: Wire) -> int:
    wire.send(LIST)
    answer = wire.answer()
    if answer.status == 503:
        assert "limits.queue_ms_max" in answer.body.decode()
        assert int(answer.headers["retry-after"]) >= 1
    return answer.status


def _listed_over_http2(http: Http2) -> int:
    key = ("authorization", f"Bearer {KEY}")
    return http.answer(http.request("/v1/models", b"", key, method="GET")).status


def _wait_until(status: int, ask: Callable[[], int]) -> None:
    end = time.monotonic() + 10
    while ask() != status:
        assert time.monotonic() < end
