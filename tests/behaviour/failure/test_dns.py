"""Names of upstreams: changes are followed, and a resolver that fails changes nothing."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import msgspec
import pytest

from tests.behaviour.process.programs import wait_until
from tests.behaviour.process.test_reload import metric
from tests.support.dns import NameServer
from tests.support.gateway import start
from tests.support.hop import Hop, config, post
from tests.support.upstream import AwaitClose, Pause, Read, Send, Upstream, reply, stream_head

pytestmark = pytest.mark.behaviour("B31")

TTL_S = 1.0
# B31 allows the record's TTL and five seconds more; the default of `limits.dns_ttl_ms` is that.
FOLLOWED_S = TTL_S + 5
LOOPBACK = ["127.0.0.0/8"]


@dataclass
class Named:
    """A gateway whose upstream has a name, two places that the name may lead to, and its server."""

    hop: Hop
    names: NameServer
    first: Upstream
    second: Upstream

    def ask_until(self, server: Upstream, within_s: float) -> float:
        """Ask without a break until `server` gets a request; returns how long that took."""
        began, before = time.monotonic(), len(server.requests)
        while len(server.requests) == before:
            assert self.hop.ask(post()).status == 200
            assert time.monotonic() - began < within_s, "the new address was not used"
        return time.monotonic() - began


def two_places() -> tuple[Upstream, Upstream]:
    """Servers on one port of two addresses of this machine."""
    first = Upstream()
    port = first.address[1]
    second = Upstream(host="127.0.0.2", port=port)
    return first, second


Make = Callable[..., Named]


@pytest.fixture
def make_named(tmp_path: Path) -> Iterator[Make]:
    """A factory: further areas in YAML, options of the providers."""
    made: list[Named] = []

    def factory(more: str = "", **options: object) -> Named:
        folder = tmp_path / f"named-{len(made)}"
        folder.mkdir()
        first, second = two_places()
        names = NameServer({"up.test": ["127.0.0.1"]})
        for each in (names, first, second):
            each.__enter__()
        path = folder / "llm-edge.yaml"
        url = f"http://up.test:{first.address[1]}"
        path.write_text(config(url, more, options={"allow_addresses": LOOPBACK, **options}))
        arguments = ["serve", "--config", str(path), "--workers", "2"]
        running = start(arguments, folder, launcher=names.launcher(folder))
        made.append(Named(Hop(running, first), names, first, second))
        return made[-1]

    yield factory
    for each in made:
        each.hop.running.stop()
        for server in (each.first, each.second, each.names):
            server.__exit__()


def test_a_change_is_followed_under_load_and_pooled_connections_go(make_named: Make) -> None:
    named = make_named()
    stop = False

    def load(_: int) -> set[int]:
        seen = set()
        with named.hop.connect() as wire:
            while not stop:
                wire.send(post())
                seen.add(wire.answer().status)
                time.sleep(0.01)
        return seen

    with ThreadPoolExecutor(4) as pool:
        loads = [pool.submit(load, each) for each in range(4)]
        wait_until(lambda: len(named.first.requests) > 40)
        named.names.names["up.test"] = ["127.0.0.2"]
        took = named.ask_until(named.second, FOLLOWED_S)
        assert took <= FOLLOWED_S
        # The load keeps its connections busy; once idle for a moment they are gone as well.
        time.sleep(2)
        before = len(named.first.requests)
        time.sleep(1)
        stop = True
        assert all(each.result() == {200} for each in loads)
    assert len(named.first.requests) == before


def test_idle_connections_to_an_address_that_is_gone_are_closed(make_named: Make) -> None:
    named = make_named("limits: {dns_ttl_ms: 1000}")
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: named.hop.ask(post()), range(16)))
    assert named.first.open_connections > 0
    named.names.names["up.test"] = ["127.0.0.2"]
    wait_until(lambda: named.first.open_connections == 0)


@pytest.mark.parametrize("fault", ["unknown", "silent", "broken"])
def test_the_last_good_address_stays_while_the_resolver_fails(make_named: Make, fault: str) -> None:
    named = make_named("limits: {dns_ttl_ms: 500, upstream_idle_ms: 200}")
    assert named.hop.ask(post()).status == 200
    match fault:
        case "unknown":
            del named.names.names["up.test"]
        case "silent":
            named.names.silent = True
        case _:
            named.names.broken = True
    running = named.hop.running
    wait_until(lambda: metric(running, "llm_edge_dns_failures_total") >= 1)
    wait_until(lambda: [line["state"] for line in running.notices("dns")] == ["failing"])
    before = named.first.connections
    slowest = 0.0
    for _ in range(12):
        began = time.monotonic()
        assert named.hop.ask(post()).status == 200
        slowest = max(slowest, time.monotonic() - began)
        time.sleep(0.25)
    # New connections were needed, and none of them waited for the resolver.
    assert named.first.connections > before
    assert slowest < 0.5
    assert metric(running, "llm_edge_dns_age_seconds") > 2
    # It heals by itself.
    named.names.silent = named.names.broken = False
    named.names.names["up.test"] = ["127.0.0.2"]
    named.ask_until(named.second, 8)
    wait_until(lambda: metric(running, "llm_edge_dns_age_seconds") < 2)
    wait_until(
        lambda: [line["state"] for line in running.notices("dns")] == ["failing", "resolved"]
    )


def test_a_name_that_never_resolved_is_an_error_that_may_be_retried(make_named: Make) -> None:
    named = make_named()
    del named.names.names["up.test"]
    answer = named.hop.ask(post())
    assert answer.status == 502
    assert answer.values("x-should-retry") == ["true"]
    error = msgspec.json.decode(answer.body)["error"]
    assert error["code"] == "upstream_unreachable"
    assert "its name does not resolve" in error["message"]
    named.names.names["up.test"] = ["127.0.0.1"]
    assert named.hop.ask(post()).status == 200


def test_a_resolver_that_hangs_ends_with_the_connect_deadline(make_named: Make) -> None:
    routes = (
        "routes: {short: {models: ['up/*'], targets: [{provider: up, model: m}], "
        "deadlines: {connect_ms: 400}}}"
    )
    named = make_named(routes)
    named.names.silent = True
    began = time.monotonic()
    assert named.hop.ask(post()).status == 504
    assert time.monotonic() - began < 0.9


def test_the_next_address_is_tried_when_one_refuses(make_named: Make) -> None:
    named = make_named()
    named.names.names["up.test"] = ["127.0.0.3", "127.0.0.1"]
    assert named.hop.ask(post()).status == 200


def test_one_look_up_serves_all_requests_and_workers(make_named: Make) -> None:
    named = make_named()
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda _: named.hop.ask(post()), range(200)))
    assert {answer.status for answer in answers} == {200}
    # For both kinds of address, and once more if the answer has become old meanwhile.
    assert named.names.asked <= 6


def test_an_answer_that_leaves_one_address_out_now_and_then_costs_no_connection(
    make_named: Make,
) -> None:
    named = make_named("limits: {dns_ttl_ms: 1000}")
    named.names.names["up.test"] = ["127.0.0.1", "127.0.0.2"]
    assert named.hop.ask(post()).status == 200
    before = named.first.connections + named.second.connections
    for names in (["127.0.0.2"], ["127.0.0.1", "127.0.0.2"]) * 2:
        named.names.names["up.test"] = names
        for _ in range(6):
            assert named.hop.ask(post()).status == 200
            time.sleep(0.2)
    assert named.first.connections + named.second.connections <= before + 1


def test_an_old_connection_is_retired_but_never_one_in_use(make_named: Make) -> None:
    named = make_named("limits: {upstream_age_max_ms: 3000}")
    named.first.always(Read(), Pause(0.2), Send(reply(b"{}")))
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(lambda _: named.hop.ask(post()), range(16)))
    assert named.first.open_connections >= 8
    began = time.monotonic()
    wait_until(lambda: named.first.open_connections == 0)
    assert time.monotonic() - began > 2
    named.first.always(Read(), Send(stream_head()), AwaitClose())
    with named.hop.connect() as wire:
        wire.send(post())
        wire.read_until(b"\r\n\r\n")
        assert not wire.readable_within(4)
