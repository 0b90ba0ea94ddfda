"""A reload is nobody's failed request, and every request sees one configuration."""

import contextlib
import itertools
import threading
from collections import Counter
from pathlib import Path

import msgspec
import pytest

from tests.behaviour.failure.several import delta, metric
from tests.support.hop import CHAT, KEY, Hop, body, config, post, start_hop
from tests.support.streams import EVENTS, whole
from tests.support.upstream import Action, Pause, Read, Send, Upstream, Wait, chunk, stream_head

pytestmark = pytest.mark.behaviour("B29")

RELOADS = 50
STREAMS = 50
ROUTE = """\
debug_headers: true
routes: {{moving: {{models: [moving], targets: [{{provider: {}, model: {}}}]}}}}
"""


def rewrite(hop: Hop, more: str) -> None:
    """Swap the configuration file in one step, and have it read."""
    path = hop.running.log_path.with_name("llm-edge.yaml")
    draft = path.with_suffix(".new")
    draft.write_text(config(hop.upstream.url, more))
    draft.rename(path)
    hop.running.reload()


@pytest.mark.parametrize("workers", [1, 2])
def test_no_request_fails_and_none_is_mixed(
    tmp_path: Path, upstream: Upstream, workers: int
) -> None:
    hop = start_hop(
        tmp_path / "reload", upstream, ROUTE.format("up", "m0"), "--workers", str(workers)
    )
    outcomes: Counter[str] = Counter()
    stop = threading.Event()
    data = post(
        CHAT, body().replace(b"up/m", b"moving"), "X-LLM-Edge-Debug: 1", "X-Request-Id: req-id"
    )
    told: dict[str, int] = {}

    def ask_on(client: int) -> None:
        with hop.connect() as wire:
            for at in itertools.count():
                if stop.is_set():
                    return
                number = f"{client}-{at}"
                wire.send(data.replace(b"req-id", number.encode()))
                answer = wire.answer()
                outcomes[f"{answer.status} {answer.complete}"] += 1
                told[number] = int(answer.headers["x-llm-edge-epoch"])

    clients = [threading.Thread(target=ask_on, args=(at,)) for at in range(3)]
    for client in clients:
        client.start()
    for number in range(1, RELOADS + 1):
        rewrite(hop, ROUTE.format("up", f"m{number}"))
        # What is asked after a reload has been confirmed sees the new configuration.
        assert hop.ask(data).status == 200
        models = [msgspec.json.decode(got.body)["model"] for got in upstream.requests[-20:]]
        assert f"m{number}" in models
    stop.set()
    for client in clients:
        client.join(10)
    assert set(outcomes) == {"200 True"}
    assert sum(outcomes.values()) > RELOADS
    seen = [int(msgspec.json.decode(got.body)["model"][1:]) for got in upstream.requests]
    assert set(seen) <= set(range(RELOADS + 1))
    # What a request was told it was served with is what it was served with. The watch may see a
    # change before the order comes, and read it too; an epoch still is of one configuration.
    served: dict[int, set[str]] = {}
    for got in upstream.requests:
        if (asked := got.headers.get("x-request-id", "")) in told:
            model = msgspec.json.decode(got.body)["model"]
            served.setdefault(told[asked], set()).add(model)
    assert all(len(models) == 1 for models in served.values()), served
    in_order = [int(models.pop()[1:]) for _, models in sorted(served.items())]
    assert in_order == sorted(in_order)
    hop.running.stop()


def test_a_stream_goes_on_over_reloads_with_what_it_began_with(
    tmp_path: Path, upstream: Upstream
) -> None:
    go_on = threading.Event()
    events = EVENTS["chat"]
    upstream.once(
        Read(),
        Send(stream_head() + chunk(events[0])),
        Wait(go_on),
        Send(b"".join(map(chunk, events[1:])) + chunk(b"")),
    )
    hop = start_hop(tmp_path / "reload", upstream, ROUTE.format("up", "m0"), "--workers", "1")
    with hop.connect() as wire:
        wire.send(post(data=body(stream=True).replace(b"up/m", b"moving")))
        upstream.wait_for(requests=1)
        for _ in range(5):
            rewrite(hop, "")
        # The route is gone for whoever comes now (and the bare name goes to the first provider).
        go_on.set()
        answer = wire.answer()
        assert answer.complete
        assert answer.body == whole("chat")
        wire.send(post())
        assert wire.answer().status == 200
    hop.running.stop()


def test_many_live_streams_go_on_over_reloads_and_each_ends_as_it_began(
    tmp_path: Path, upstream: Upstream
) -> None:
    go_on = threading.Event()
    done = b"data: [DONE]\n\n"
    sent = []
    for number in range(STREAMS):
        words = [delta(content=f"{number}-{at}") for at in range(20)]
        flow: list[Action] = [
            action for word in words for action in (Send(chunk(word)), Pause(0.15))
        ]
        # None ends before the last reload, however long that takes.
        upstream.once(
            Read(), Send(stream_head()), *flow, Wait(go_on), Send(chunk(done) + chunk(b""))
        )
        sent.append(b"".join([*words, done]))
    hop = start_hop(tmp_path / "reload", upstream, ROUTE.format("up", "m0"), "--workers", "2")
    with contextlib.ExitStack() as stack:
        wires = [stack.enter_context(hop.connect()) for _ in range(STREAMS)]
        for wire in wires:
            wire.send(post(data=body(stream=True).replace(b"up/m", b"moving")))
        upstream.wait_for(requests=STREAMS)
        began = hop.running.ask_admin("status")["epoch"]
        for number in range(12):
            # The route comes and goes.
            rewrite(hop, ROUTE.format("up", f"m{number}") if number % 2 else "")
            assert hop.ask(post()).status == 200
            upstream.pause(0.15)
        assert hop.running.ask_admin("status")["epoch"] >= began + 12
        assert metric(hop.running, "llm_edge_open_streams") == STREAMS
        go_on.set()
        answers = [wire.answer() for wire in wires]
    assert [answer.status for answer in answers] == [200] * STREAMS
    assert all(answer.complete for answer in answers)
    assert sorted(answer.body for answer in answers) == sorted(sent)
    hop.running.stop()


def test_a_key_that_is_taken_away_is_refused_at_once_even_on_an_open_connection(
    tmp_path: Path, upstream: Upstream
) -> None:
    hop = start_hop(tmp_path / "reload", upstream, "", "--workers", "2")
    with hop.connect() as wire:
        wire.send(post())
        assert wire.answer().status == 200
        path = hop.running.log_path.with_name("llm-edge.yaml")
        path.write_text(path.read_text().replace(KEY, "sk-edge-another"))
        hop.running.reload()
        wire.send(post())
        assert wire.answer().status == 401
    assert hop.ask(post(key="sk-edge-another")).status == 200
    hop.running.stop()


def test_two_workers_share_the_clients(tmp_path: Path, upstream: Upstream) -> None:
    hop = start_hop(tmp_path / "workers", upstream, "", "--workers", "2")
    wires = [hop.connect() for _ in range(60)]
    for wire in wires:
        wire.send(post())
    assert [wire.answer().status for wire in wires] == [200] * 60
    status = hop.running.ask_admin("status")
    assert status["workers"] == 2
    assert status["connections"] == 60
    for wire in wires:
        wire.__exit__()
    # Both have asked: each keeps connections upstream of its own.
    assert upstream.connections >= 2
    hop.running.stop()
