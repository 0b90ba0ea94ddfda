"""Each deadline of a route, alone, ends what it bounds when it says (B26)."""

import contextlib
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass

import msgspec
import pytest

from tests.support.gateway import start
from tests.support.hop import KEY, Hop, body, post
from tests.support.streams import EVENTS
from tests.support.upstream import (
    Action,
    AwaitClose,
    Pause,
    Read,
    Send,
    Upstream,
    chunk,
    stream_head,
)
from tests.support.wire import Answer

pytestmark = pytest.mark.behaviour("B26")

DEADLINE_S = 0.4
LATE_S = 0.1
# The best of so many: whoever else uses the machine is late in his own time, a gateway always.
TRIES = 5
ROUTES = {
    "no-syn-ack": ("deaf", "connect_ms"),
    "no-handshake": ("mute", "connect_ms"),
    "no-first-byte": ("up", "first_byte_ms"),
    "no-progress": ("up", "progress_ms"),
    "no-end": ("up", "total_ms"),
}
"""Model → its provider, and the one deadline of its route."""

FIRST = Send(stream_head() + chunk(EVENTS["chat"][0]))
PULSES = [action for _ in range(20) for action in (Send(chunk(b": ping\n\n")), Pause(0.1))]
SCRIPTS: dict[str, list[Action]] = {
    "no-first-byte": [AwaitClose()],
    "no-progress": [FIRST, AwaitClose()],
    "no-end": [FIRST, *PULSES],
}


@contextlib.contextmanager
def deaf() -> Iterator[int]:
    """A port on which no SYN is answered: the queue of its listener is full."""
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        port = int(listener.getsockname()[1])
        for _ in range(8):
            waiting = stack.enter_context(socket.socket())
            waiting.settimeout(0.2)
            try:
                waiting.connect(("127.0.0.1", port))
            except TimeoutError:
                yield port
                return
        raise AssertionError("the queue takes everybody")


@contextlib.contextmanager
def mute() -> Iterator[int]:
    """A port where the system connects whoever comes, and nobody says a word."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listener:
        yield int(listener.getsockname()[1])


@dataclass
class Site:
    """A gateway before upstreams that keep it waiting."""

    hop: Hop

    def ask(self, model: str) -> tuple[Answer, float]:
        """One streamed request; the answer, and after how long it ended."""
        began = time.monotonic()
        answer = self.hop.ask(post(data=body(stream=True).replace(b"up/m", model.encode())))
        return answer, time.monotonic() - began


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("deadlines")
    with Upstream() as upstream, deaf() as silent, mute() as wordless:
        at = {
            "up": f"{upstream.url}/v1",
            "deaf": f"http://127.0.0.1:{silent}/v1",
            "mute": f"https://127.0.0.1:{wordless}/v1",
        }
        providers = {
            name: {"type": "openai_compatible", "base_url": url} for name, url in at.items()
        }
        routes = {
            model: {
                "models": [model],
                "targets": [{"provider": provider, "model": "m"}],
                "deadlines": {deadline: int(DEADLINE_S * 1000)},
            }
            for model, (provider, deadline) in ROUTES.items()
        }
        keys = [{"name": "app", "key": KEY}]
        tree = {"version": 1, "keys": keys, "providers": providers, "routes": routes}
        path = folder / "llm-edge.yaml"
        path.write_bytes(msgspec.json.encode(tree))
        running = start(["serve", "--config", str(path), "--workers", "1"], folder)
        yield Site(Hop(running, upstream))
        running.stop()


@pytest.fixture
def site(shared: Site) -> Site:
    shared.hop.upstream.reset()
    return shared


@pytest.mark.parametrize("model", ROUTES)
def test_a_deadline_alone_ends_what_it_bounds_in_time(site: Site, model: str) -> None:
    # What everything but the waiting takes on this machine, at this moment.
    allowance = min(site.ask("up/m")[1] for _ in range(3))
    if model in SCRIPTS:
        site.hop.upstream.always(Read(), *SCRIPTS[model])
    took: list[float] = []
    while len(took) < TRIES and (not took or min(took) > DEADLINE_S + LATE_S + allowance):
        answer, seconds = site.ask(model)
        took.append(seconds)
        assert b'"code":"upstream_timeout"' in answer.body
        begun = model in {"no-progress", "no-end"}
        assert (answer.status, answer.complete) == ((200, False) if begun else (504, True))
        # Nothing was written to whoever was not connected to.
        unsent = model in {"no-syn-ack", "no-handshake"}
        assert answer.values("x-should-retry") == (["true"] if unsent else [])
    assert min(took) >= DEADLINE_S
    assert min(took) <= DEADLINE_S + LATE_S + allowance, took
