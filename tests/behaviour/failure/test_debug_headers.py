"""Whoever may know is told how a request was served; nobody else is."""

from pathlib import Path

import pytest

from tests.support.hop import CHAT, KEY, body, post, start_hop
from tests.support.http2 import Http2
from tests.support.upstream import Upstream

ASKED = "X-LLM-Edge-Debug: 1"
TOLD = {"x-llm-edge-epoch": "1"}


def told(headers: dict[str, str]) -> dict[str, str]:
    return {name: headers[name] for name in TOLD if name in headers}


@pytest.mark.behaviour("B29")
def test_the_epoch_is_told_to_whoever_asks(tmp_path: Path, upstream: Upstream) -> None:
    hop = start_hop(tmp_path / "debug", upstream, "debug_headers: true", "--workers", "1")
    with hop.connect() as wire:
        for stream in (False, True):
            wire.send(post(CHAT, body(stream=stream), ASKED))
            assert told(wire.answer().headers) == TOLD
        wire.send(post())
        assert told(wire.answer().headers) == {}
        wire.send(post(CHAT, body(), "X-LLM-Edge-Debug: 0"))
        assert told(wire.answer().headers) == {}
        # An error of ours says it too.
        wire.send(post("/v1/nothing", b"{}", ASKED))
        assert told(wire.answer().headers) == TOLD
    with Http2(hop.running.address) as http:
        fields = [("authorization", f"Bearer {KEY}"), ("x-llm-edge-debug", "1")]
        assert told(http.answer(http.request(CHAT, body(), *fields)).headers) == TOLD
    assert all("x-llm-edge-debug" not in got.headers for got in upstream.requests)
    hop.running.stop()


def test_without_the_option_nobody_is_told(tmp_path: Path, upstream: Upstream) -> None:
    hop = start_hop(tmp_path / "debug", upstream, "", "--workers", "1")
    assert told(hop.ask(post(CHAT, body(), ASKED)).headers) == {}
    hop.running.stop()
