"""Signals end the process: by a drain first, at once when told twice."""

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import httpx2
import pytest

from tests.conftest import Serve
from tests.support.gateway import Running

MOCK = "version: 1\nmock: true\n"
SLOW = {
    "model": "mock/lorem?tokens=20&itl=50ms",
    "stream": True,
    "messages": [{"role": "user", "content": "go on"}],
}
ENDLESS = SLOW | {"model": "mock/lorem?tokens=2000&itl=50ms"}


@contextmanager
def streaming(running: Running, request: dict[str, object]) -> Iterator[Iterator[bytes]]:
    """A stream of which something has arrived."""
    with (
        httpx2.Client(trust_env=False, timeout=15) as client,
        client.stream("POST", f"{running.api}/chat/completions", json=request) as answer,
    ):
        assert answer.status_code == 200
        parts = answer.iter_raw()
        assert next(parts)
        yield parts


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_either_signal_ends_an_idle_gateway_with_0(serve: Serve, number: signal.Signals) -> None:
    running = serve(MOCK)
    began = time.monotonic()
    running.signal(number)
    running.check_end()
    assert time.monotonic() - began < 3
    assert '"event":"draining"' in running.log()
    assert '"event":"stopped"' in running.log()


@pytest.mark.behaviour("B28")
def test_a_stream_in_flight_ends_whole_before_the_process_does(serve: Serve) -> None:
    running = serve(MOCK)
    with streaming(running, SLOW) as parts:
        running.signal(signal.SIGTERM)
        rest = b"".join(parts)
    assert rest.rstrip().endswith(b"data: [DONE]")
    running.check_end()


@pytest.mark.behaviour("B28")
def test_readiness_goes_off_while_the_drain_lasts_and_liveness_stays(serve: Serve) -> None:
    running = serve(MOCK)
    with streaming(running, SLOW) as parts, httpx2.Client(trust_env=False) as client:
        running.signal(signal.SIGTERM)
        end = time.monotonic() + 5
        while client.get(f"{running.metrics}/readyz").status_code == 200:
            assert time.monotonic() < end
        assert "draining" in client.get(f"{running.metrics}/readyz").text
        assert client.get(f"{running.metrics}/livez").status_code == 200
        b"".join(parts)
    running.check_end()


@pytest.mark.behaviour("B28")
def test_the_deadline_cuts_a_stream_so_that_the_client_can_tell(serve: Serve) -> None:
    running = serve(MOCK + "drain_s: 1\n")
    seen = b""
    began = time.monotonic()
    with streaming(running, ENDLESS) as parts:
        running.signal(signal.SIGTERM)
        try:
            for part in parts:
                seen += part
        except httpx2.HTTPError:
            pass
        else:
            assert b'"error"' in seen
    assert b"[DONE]" not in seen
    assert time.monotonic() - began < 6
    running.check_end()


def test_a_second_signal_ends_at_once(serve: Serve) -> None:
    running = serve(MOCK + "drain_s: 60\n")
    with streaming(running, ENDLESS) as parts:
        running.signal(signal.SIGTERM)
        reader = threading.Thread(target=_read, args=(parts,), daemon=True)
        reader.start()
        _wait_for(running, '"event":"draining"')
        running.signal(signal.SIGTERM)
        began = time.monotonic()
        running.check_end()
        assert time.monotonic() - began < 5
        reader.join(5)
    assert "told twice" in running.log()


def _read(parts: Iterator[bytes]) -> None:
    try:
        for _ in parts:
            pass
    except httpx2.HTTPError:
        pass


def _wait_for(running: Running, text: str) -> None:
    end = time.monotonic() + 5
    while text not in running.log():
        assert time.monotonic() < end, running.log()
        signal.sigtimedwait([], 0.02)
