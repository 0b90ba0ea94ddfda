"""A process that runs out of file descriptors serves on with those it has, and mends itself."""

import contextlib
import resource
import stat
import time
from pathlib import Path

import pytest

from tests.support.gateway import Running, program
from tests.support.hop import CHAT, KEY, Hop, body, post, start_hop
from tests.support.http2 import Http2
from tests.support.upstream import AwaitClose, Read, Upstream
from tests.support.wire import Wire

pytestmark = pytest.mark.behaviour("B32")

LIVEZ = b"GET /livez HTTP/1.1\r\nHost: edge\r\n\r\n"
REFUSED = 'llm_edge_connections_refused_total{reason="descriptors"}'
AUTH = ("authorization", f"Bearer {KEY}")


def allowed(running: Running) -> tuple[int, int]:
    return resource.prlimit(running.pid, resource.RLIMIT_NOFILE)


def allow(running: Running, count: int) -> None:
    _, hard = allowed(running)
    resource.prlimit(running.pid, resource.RLIMIT_NOFILE, (count, hard))
    # It is looked at once a second.
    time.sleep(1.3)


def starting_with(
    monkeypatch: pytest.MonkeyPatch, folder: Path, limits: str, upstream: Upstream
) -> Hop:
    """A gateway started by a shell that set `ulimit`."""
    wrapper = folder / "limited"
    wrapper.write_text(f'#!/bin/bash\n{limits}\nexec {program()[0]} "$@"\n')
    wrapper.chmod(wrapper.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("LLM_EDGE_AGENT", str(wrapper))
    return start_hop(folder / "hop", upstream, "", "--workers", "1")


def served(running: Running) -> bool:
    with Wire(running.address) as wire:
        wire.send(LIVEZ)
        return wire.readable_within(2) and not wire.ended()


def test_the_program_takes_all_descriptors_it_may_have(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, upstream: Upstream
) -> None:
    hop = starting_with(monkeypatch, tmp_path, "ulimit -Sn 256; ulimit -Hn 4096", upstream)
    assert allowed(hop.running) == (4096, 4096)
    hop.running.stop()


def test_with_few_descriptors_clients_are_refused_and_the_rest_works(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, upstream: Upstream
) -> None:
    hop = starting_with(monkeypatch, tmp_path, "ulimit -n 200", upstream)
    upstream.always(Read(), AwaitClose(seconds=30))
    with contextlib.ExitStack() as stack:
        # From several addresses, since one has no more than its share.
        sources = [f"127.0.0.{30 + number % 5}" for number in range(150)]
        wires = [stack.enter_context(Wire(hop.running.address, source=one)) for one in sources]
        for wire in wires:
            with contextlib.suppress(ConnectionError):
                wire.send(post(data=body(stream=True)))
        time.sleep(0.5)
        scraped = hop.running.scrape()
        # Each of those let in has its upstream, and was not sent away later.
        assert 20 <= upstream.begun == scraped["llm_edge_connections"] <= 75
        assert scraped[REFUSED] == 150 - upstream.begun
        busy_s = hop.running.cpu_s
        time.sleep(1)
        assert hop.running.cpu_s - busy_s < 0.2
        assert hop.running.ask_admin("status")["connections"] == upstream.begun
    upstream.reset()
    end = time.monotonic() + 5
    while not served(hop.running):
        assert time.monotonic() < end
    hop.still_works()
    hop.running.stop()


def test_streams_cannot_take_the_descriptors_of_the_control_plane(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, upstream: Upstream
) -> None:
    hop = starting_with(monkeypatch, tmp_path, "ulimit -n 200", upstream)
    upstream.always(Read(), AwaitClose(seconds=30))
    with Http2(hop.running.address) as client:
        sent = [client.request(CHAT, body(stream=True), AUTH) for _ in range(200)]
        time.sleep(1)
        assert hop.running.ask_admin("status")["connections"] == 1
        assert hop.running.descriptors <= 200
        failed = client.answer(sent[-1])
        assert failed.status == 502
        assert b"error" in failed.body
        assert served(hop.running)
    upstream.reset()
    hop.still_works()
    hop.running.stop()


def test_accepting_pauses_without_a_descriptor_and_goes_on_with_one(
    tmp_path: Path, upstream: Upstream
) -> None:
    hop = start_hop(tmp_path / "hop", upstream, "", "--workers", "1")
    running = hop.running
    with hop.connect() as held:
        held.send(LIVEZ)
        assert held.answer().status == 200
        # The control plane is up, too: both of its servers have what they open at their start.
        assert running.ask_admin("status")["connections"] == 1
        assert running.scrape()["llm_edge_accept_pauses_total"] == 0
        _, hard = allowed(running)
        # Fewer than it has open: every accept fails, and there is nothing to be reserved.
        resource.prlimit(running.pid, resource.RLIMIT_NOFILE, (running.descriptors // 2, hard))
        waiting = [hop.connect() for _ in range(20)]
        try:
            for wire in waiting:
                wire.send(LIVEZ)
            busy_s, began = running.cpu_s, time.monotonic()
            time.sleep(1.5)
            share = (running.cpu_s - busy_s) / (time.monotonic() - began)
            assert share < 0.2
            told = running.notices("accepting")
            assert [(line["state"], line["worker"]) for line in told] == [("paused", 0)]
            # Whoever is in is served.
            held.send(LIVEZ)
            assert held.answer().status == 200
            assert not any(wire.readable_within(0) for wire in waiting)
            allow(running, hard)
            assert [wire.answer().status for wire in waiting] == [200] * len(waiting)
        finally:
            for wire in waiting:
                wire.reset()
    # Ten tries a second, and not as many as the processor could make.
    assert 5 <= running.scrape()["llm_edge_accept_pauses_total"] <= 60
    hop.still_works()
    running.stop()
