"""Connections are spread over the workers, however few there are."""

import contextlib
import signal
from concurrent.futures import ThreadPoolExecutor

import httpx2
import pytest

from tests.behaviour.process.programs import wait_until
from tests.behaviour.process.test_reload import admin, metric
from tests.conftest import Serve
from tests.support.gateway import Running
from tests.support.hop import body, config, post
from tests.support.streams import EVENTS, chunked, whole
from tests.support.upstream import Read, Send, Upstream
from tests.support.wire import Wire


def shares(running: Running) -> list[int]:
    return [int(n) for n in admin(running, "GET", "status").json()["worker_connections"]]


@pytest.mark.parametrize("workers", [2, 3])
@pytest.mark.parametrize("count", [2, 16, 32, 200])
def test_connections_are_spread(serve: Serve, upstream: Upstream, workers: int, count: int) -> None:
    running = serve(config(upstream.url), "--workers", str(workers))
    with contextlib.ExitStack() as stack:
        wires = [stack.enter_context(Wire(running.address)) for _ in range(count)]
        wait_until(lambda: sum(shares(running)) == count)
        found = shares(running)
        assert len(found) == workers
        assert max(found) - min(found) <= 1 + max(found) // 8, found
        # Each is served by whoever has it now.
        for wire in wires:
            wire.send(post())
        assert [wire.answer().status for wire in wires] == [200] * count
        assert metric(running, "llm_edge_connections_total") == count
        assert metric(running, "llm_edge_connections") == count
    wait_until(lambda: sum(shares(running)) == 0)


def test_hand_overs_are_counted(serve: Serve, upstream: Upstream) -> None:
    running = serve(config(upstream.url), "--workers", "2")
    with contextlib.ExitStack() as stack:
        for _ in range(64):
            stack.enter_context(Wire(running.address))
        wait_until(lambda: sum(shares(running)) == 64)
    # The kernel's hash does not spread 64 connections within one of each other but by a miracle.
    assert metric(running, "llm_edge_connections_handed_over_total") > 0


@pytest.mark.behaviour("B28")
def test_a_drain_loses_no_connection_that_was_handed_over(serve: Serve, upstream: Upstream) -> None:
    upstream.always(Read(), Send(chunked(EVENTS["chat"]), piece=40))
    running = serve(config(upstream.url), "--workers", "2")

    def ask(_: int) -> bytes | None:
        try:
            wire = Wire(running.address)
        except ConnectionRefusedError:
            return None
        with wire:
            wire.send(post(data=body(stream=True)))
            return wire.answer().body

    with ThreadPoolExecutor(16) as pool:
        answers = [pool.submit(ask, each) for each in range(400)]
        wait_until(lambda: len(upstream.requests) > 100)
        running.signal(signal.SIGTERM)
        bodies = [each.result() for each in answers]
    got = [each for each in bodies if each is not None]
    assert len(got) > 100
    assert set(got) == {whole("chat")}
    running.check_end()


def test_the_bound_on_connections_holds_over_all_workers(serve: Serve, upstream: Upstream) -> None:
    more = "limits: {connections_max: 10, connections_per_client_max: 10}"
    running = serve(config(upstream.url, more), "--workers", "2")
    with contextlib.ExitStack() as stack:
        wires = [stack.enter_context(Wire(running.address)) for _ in range(14)]
        wait_until(
            lambda: (
                metric(running, 'llm_edge_connections_refused_total{reason="connections_max"}') == 4
                and sum(shares(running)) == 10
            )
        )
        assert sum(wire.readable_within(0) for wire in wires) == 4
    wait_until(lambda: sum(shares(running)) == 0)
    with httpx2.Client(trust_env=False) as client:
        assert client.get(f"{running.anthropic}/livez").status_code == 200
