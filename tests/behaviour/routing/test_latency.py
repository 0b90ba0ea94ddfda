"""A target that slows down loses its share within two seconds, and has it back within ten."""

import threading
import time
from pathlib import Path

from tests.behaviour.failure.several import Several, delta, question, several, streamed
from tests.support.hop import CHAT, post
from tests.support.upstream import Pause, Read, Send, Upstream

FAST_S, SLOW_S = 0.01, 0.1
CLIENTS = 8
ATTEMPTS = "llm_edge_upstream_attempts_total"


def paced(upstream: Upstream, seconds: float) -> None:
    upstream.always(Read(), Pause(seconds), Send(streamed(delta(content="a"))))


def shares(three: Several, seconds: float) -> list[float]:
    """Of what was asked in so many seconds."""
    before = three.seen()
    time.sleep(seconds)
    came = [now - then for now, then in zip(three.seen(), before, strict=True)]
    return [count / sum(came) for count in came]


def test_a_slow_target_is_left_and_comes_back(tmp_path: Path) -> None:
    stop = threading.Event()
    with several(tmp_path, "strategy: latency", count=3) as three:
        for upstream in three.upstreams.values():
            paced(upstream, FAST_S)

        def ask_on() -> None:
            with three.hop.connect() as wire:
                while not stop.is_set():
                    wire.send(post(CHAT, question(stream=True)))
                    assert wire.answer().status == 200

        clients = [threading.Thread(target=ask_on) for _ in range(CLIENTS)]
        for client in clients:
            client.start()
        time.sleep(1.0)
        try:
            assert min(shares(three, 1.0)) > 0.1
            paced(three.upstreams["c"], SLOW_S)
            time.sleep(2.0)
            assert shares(three, 2.0)[2] < 0.05
            paced(three.upstreams["c"], FAST_S)
            time.sleep(9.0)
            assert shares(three, 1.0)[2] > 0.15
        finally:
            stop.set()
            for client in clients:
                client.join(10)


def test_who_fails_at_once_does_not_look_fast(tmp_path: Path) -> None:
    with several(tmp_path, "strategy: latency\nbreaker: {enabled: false}", count=2) as both:
        paced(both.upstreams["a"], 2 * FAST_S)
        paced(both.upstreams["b"], FAST_S)
        for _ in range(4):
            assert both.ask(stream=True).status == 200
        both.upstreams["b"].__exit__()
        before = both.seen()[0]
        for _ in range(20):
            assert both.ask(stream=True).status == 200
        assert both.seen()[0] == before + 20
        # The faster of the two until then: asked once more, or as often as its average falls back.
        assert 1 <= both.metric(ATTEMPTS, provider="b", result="unreachable") <= 3
