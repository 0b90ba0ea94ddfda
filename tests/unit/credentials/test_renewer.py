"""Credentials that are found are renewed before they expire, and kept until then."""

import threading
import time
from collections.abc import Callable, Iterator

import pytest

from llm_edge_agent.config.secret import Secret
from llm_edge_agent.credentials import Found, NotFound, Renewer
from llm_edge_agent.errors import ConfigError
from tests.unit.test_reload import Recorder


class Chain:
    """Stands where the search for a credential stands."""

    option = "aws"
    hint = "give the key"

    def __init__(self, *found: Found | NotFound, provider: str = "b") -> None:
        self.found = list(found)
        self.provider = provider

    def check(self) -> str:
        return ""

    def find(self) -> Found:
        next_one = self.found.pop(0) if len(self.found) > 1 else self.found[0]
        if isinstance(next_one, NotFound):
            raise next_one
        return next_one


def found(secret: str, lives_s: float | None = 3600.0) -> Found:
    return Found(Secret(secret), None if lives_s is None else time.time() + lives_s)


FAILED = NotFound("no answer")


@pytest.fixture
def renewed() -> Iterator[tuple[Recorder, Renewer]]:
    engine = Recorder()
    renewer = Renewer(engine)
    yield engine, renewer
    renewer.close()


def start(renewer: Renewer, chain: Chain) -> None:
    looked = renewer.look({"slot": chain})
    renewer.fill(looked.values())
    renewer.follow(looked)


def wait_until(true: Callable[[], bool]) -> None:
    end = time.monotonic() + 10
    while not true():
        assert time.monotonic() < end
        threading.Event().wait(0.02)


def test_a_credential_is_renewed_before_it_expires(renewed: tuple[Recorder, Renewer]) -> None:
    engine, renewer = renewed
    start(renewer, Chain(found("one", 2.5), found("two")))
    assert engine.slots == {"slot": "one"}
    wait_until(lambda: engine.slots == {"slot": "two"})
    assert [name for name, _ in engine.calls] == ["credential", "credential"]


def test_the_last_good_credential_stays_until_it_expires(
    renewed: tuple[Recorder, Renewer],
) -> None:
    engine, renewer = renewed
    start(renewer, Chain(found("one", 2.5), FAILED, FAILED, found("two")))
    wait_until(lambda: renewer.renewals[0].failures > 0)
    assert engine.slots == {"slot": "one"}
    wait_until(lambda: engine.slots == {})
    reason = engine.calls[-1][1]
    assert reason.startswith("its credential expired at 20")
    assert reason.endswith("Z and was not renewed: no answer")
    wait_until(lambda: engine.slots == {"slot": "two"})


def test_a_look_at_a_reload_that_fails_keeps_what_is_there(
    renewed: tuple[Recorder, Renewer],
) -> None:
    engine, renewer = renewed
    absent = NotFound("none", absent=True)
    chain = Chain(found("one"), absent)
    start(renewer, chain)
    start(renewer, chain)
    assert engine.slots == {"slot": "one"}
    # Another source for the slot has no claim on what the old one found.
    with pytest.raises(ConfigError, match=r"providers\.b\.aws: none"):
        renewer.look({"slot": Chain(absent)})


def test_the_same_credential_is_not_set_again(renewed: tuple[Recorder, Renewer]) -> None:
    engine, renewer = renewed
    start(renewer, Chain(found("one", 2.5), found("one")))
    wait_until(lambda: renewer.renewals[0].successes == 2)
    assert len(engine.calls) == 1


def test_what_is_found_for_a_slot_that_is_not_followed_any_more_counts_for_nothing(
    renewed: tuple[Recorder, Renewer],
) -> None:
    engine, renewer = renewed
    goes_on, looking = threading.Event(), threading.Event()

    class Slow(Chain):
        def find(self) -> Found:
            if len(self.found) == 1:
                looking.set()
                goes_on.wait(10)
            return super().find()

    start(renewer, Slow(found("one", 2.1), found("two")))
    assert looking.wait(10)
    renewer.follow({})
    goes_on.set()
    threading.Event().wait(0.2)
    assert engine.slots == {"slot": "one"}
