"""Bytes that should not change do not change: SHA-256 in is SHA-256 out, both ways.

The one declared difference is the model's name in the request.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.support.dice import DiceUpstream, digest, roll, write_request
from tests.support.gateway import Running, start
from tests.support.hop import CHAT, KEY, config
from tests.support.wire import Wire

EXCHANGES = 10_000
SHARDS = 8
CLIENTS = 3


@pytest.fixture(scope="module")
def dice_hop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Running, DiceUpstream]]:
    folder = tmp_path_factory.mktemp("dice")
    with DiceUpstream() as upstream:
        path = folder / "llm-edge.yaml"
        path.write_text(config(upstream.url))
        running = start(["serve", "--config", str(path), "--workers", "2"], folder)
        yield running, upstream
        running.stop()


def run(address: tuple[str, int], seeds: range) -> list[str]:
    """Every exchange of those seeds on one connection; what went wrong."""
    faults = []
    with Wire(address) as wire:
        for seed in seeds:
            rolled = roll(seed)
            for piece in write_request(rolled, CHAT, KEY):
                wire.send(piece)
            answer = wire.answer()
            if (answer.status, answer.complete) != (200, True):
                faults.append(f"seed {seed}: status {answer.status}, complete {answer.complete}")
                break
            if digest(answer.body) != digest(rolled.payload):
                faults.append(f"seed {seed}: the reply differs")
    return faults


def check_seen(upstream: DiceUpstream, seeds: range) -> list[str]:
    """Each body arrived exactly once, and as it was sent."""
    return [
        f"seed {seed}: the request differs"
        for seed in seeds
        if upstream.digests.pop(seed, None) != digest(roll(seed).forwarded)
    ]


@pytest.mark.slow
@pytest.mark.timeout(60)
@pytest.mark.behaviour("B63")
@pytest.mark.parametrize("shard", range(SHARDS))
def test_what_comes_out_is_what_went_in(dice_hop: tuple[Running, DiceUpstream], shard: int) -> None:
    running, upstream = dice_hop
    size = EXCHANGES // SHARDS
    first = shard * size
    parts = [range(first + client, first + size, CLIENTS) for client in range(CLIENTS)]
    with ThreadPoolExecutor(CLIENTS) as pool:
        faults = [
            fault for some in pool.map(run, [running.address] * CLIENTS, parts) for fault in some
        ]
    assert faults == []
    assert check_seen(upstream, range(first, first + size)) == []


def test_the_instrument_sees_a_single_changed_byte() -> None:
    rolled = roll(7)
    assert digest(rolled.forwarded) != digest(rolled.body)
    assert rolled == roll(7)
    assert rolled != roll(8)
