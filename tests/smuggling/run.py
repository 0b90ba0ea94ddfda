"""Vectors through the gateway to real servers: what they saw is what the gateway let through (G15).

For every origin the following must agree, request by request: what the gateway's log says it sent,
the bytes on the wire as a parser of our own reads them (nothing may be left over), the number of
replies that the origin gave, and what the application behind the origin's parser got, bodies
included. An origin may be stricter and refuse a request; it may not see another one.

Usage: `python -m tests.smuggling.run quick|full|long [SEED]`, which `scripts/smuggling.sh` calls.
The last line is JSON; RESULT names a file to write that to as well.
"""

import asyncio
import secrets
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

import msgspec

from bench import last_line, machine
from tests.smuggling.origins import PROXIES, SERVERS, Origin, Place, free_ports
from tests.smuggling.vectors import BASE_COUNT, KEY, Shape, all_vectors, mutations
from tests.smuggling.wire import Record, Recorder, Request, Tee
from tests.support.gateway import Running, start

ORIGINS_PYTHON = ".cache/origins/bin/python"
START_S = 30.0
RECORDER = "recorder"
PEER, DIRECT = "envoy", "direct"
"""Envoy is also asked without the gateway: we may not take a base vector that it refuses."""
AT_ONCE = 24
QUIET_S = 0.06
VECTOR_S = 3.0
HELD_MS = 300
"""How long a client that sends half a request is waited for: many vectors are one."""


@dataclass(frozen=True)
class Plan:
    """How much is run."""

    vectors: int
    mutations: int
    seconds: float


PLANS = {
    "quick": Plan(BASE_COUNT, 3_000, 120),
    "full": Plan(10_000, 20_000, 400),
    "long": Plan(10_000, 1_000_000, 3_600),
}


@dataclass
class Outcome:
    """What one origin saw, against what it was sent."""

    vectors: int
    authorised: int = 0
    sent: int = 0
    replies: int = 0
    recorded: int = 0
    refused_by_origin: int = 0
    connections: int = 0
    mismatches: list[str] = field(default_factory=list)


class LogLine(msgspec.Struct):
    """What the request log says of one request."""

    event: str
    request_id: str = ""
    provider: str = ""
    status: int = 0
    attempts: int = 0


async def send(address: tuple[str, int], data: bytes) -> None:
    """One client: it writes, and reads until nothing more comes."""
    try:
        reader, writer = await asyncio.open_connection(*address)
    except OSError:
        return
    try:
        writer.write(data)
        await writer.drain()
        until = time.monotonic() + VECTOR_S
        said = b""
        while time.monotonic() < until:
            # Before the first byte, whoever sent half a request is waited for.
            patience = QUIET_S if said else VECTOR_S
            piece = await asyncio.wait_for(reader.read(1 << 16), patience)
            if not piece:
                return
            said += piece
    except (OSError, TimeoutError):
        pass
    finally:
        writer.transport.abort()


async def send_all(address: tuple[str, int], data: Iterable[bytes], until: float) -> int:
    """All of them, some at a time; how many were sent before the time ran out."""
    queue = iter(data)
    sent = 0

    async def client() -> None:
        nonlocal sent
        for one in queue:
            if time.monotonic() > until:
                return
            await send(address, one)
            sent += 1

    await asyncio.gather(*(client() for _ in range(AT_ONCE)))
    return sent


def config(tees: dict[str, int]) -> str:
    """A provider for each origin, every request logged, short patience with half requests."""
    providers = {
        name: {
            "type": "openai_compatible",
            "base_url": f"http://127.0.0.1:{port}/v1",
            "api_key": "sk-origin",
        }
        for name, port in tees.items()
    }
    tree = {
        "version": 1,
        "keys": [{"name": "app", "key": KEY, "models": ["*"]}],
        "providers": providers,
        "request_log": {"mode": "all"},
        "limits": {"head_ms": HELD_MS, "body_progress_ms": HELD_MS, "upstream_idle_ms": 1500},
    }
    return msgspec.json.encode(tree).decode()


async def wait_for_origins(origins: list[Origin]) -> None:
    """Until each accepts connections."""
    end = time.monotonic() + START_S
    waiting = list(origins)
    while waiting:
        if time.monotonic() > end:
            raise RuntimeError(f"{waiting[0].name} does not accept connections")
        waiting = [origin for origin in waiting if not origin.accepts()]
        await asyncio.sleep(0.05)


def logged(gateway: Running) -> Iterator[LogLine]:
    """Requests that the gateway sent to an upstream, by its own log."""
    for line in gateway.log().splitlines():
        if '"event":"request"' in line:
            said = msgspec.json.decode(line, type=LogLine)
            if said.attempts:
                yield said


def judge(
    outcome: Outcome, record: Record, seen: list[tuple[str, str]] | None, log: list[LogLine]
) -> None:
    """Compare what was authorised, sent, answered and recorded."""
    sent = Counter((one.ident, one.digest) for one in record.sent)
    authorised = Counter(line.request_id for line in log)
    outcome.authorised = authorised.total()
    outcome.sent, outcome.replies = sent.total(), record.replies
    outcome.connections = record.connections
    wrong = outcome.mismatches
    ids_sent = Counter(one.ident for one in record.sent)
    for ident in (authorised - ids_sent) | (ids_sent - authorised):
        wrong.append(f"{ident}: logged {authorised[ident]} times, sent {ids_sent[ident]} times")
    wrong += [f"left over on the wire: {rest[:120]!r}" for rest in record.leftovers]
    if outcome.replies != outcome.sent:
        wrong.append(f"{outcome.sent} requests were sent and {outcome.replies} answered")
    if seen is None:
        return
    recorded = Counter(seen)
    outcome.recorded = recorded.total()
    wrong += [f"{ident}: seen by the origin, not sent" for ident, _ in recorded - sent]
    refused = {line.request_id for line in log if line.status >= 400}
    unseen = sent - recorded
    outcome.refused_by_origin = unseen.total()
    wrong += [f"{ident}: answered, but not seen" for ident, _ in unseen if ident not in refused]


async def run(plan: Plan, seed: int, folder: Path) -> dict[str, object]:
    """Start everything, send everything, compare."""
    names = [*PROXIES, *SERVERS]
    ports = iter(free_ports(3 * len(names) + 2))
    records = {name: Record() for name in [*names, RECORDER]}
    behind: dict[str, list[Request]] = {name: [] for name in [*PROXIES, RECORDER]}
    broken: dict[str, list[bytes]] = {name: [] for name in behind}
    origins: list[Origin] = []
    tees: dict[str, int] = {}
    servers: list[asyncio.Server] = []

    async def listen(handler: Tee | Recorder, port: int) -> None:
        servers.append(await asyncio.start_server(handler, "127.0.0.1", port, limit=1 << 20))

    gateway: Running | None = None
    try:
        for name in names:
            at = Place(folder / name, ORIGINS_PYTHON, next(ports), next(ports))
            at.folder.mkdir()
            at.folder.chmod(0o755)
            if name in PROXIES:
                await listen(Recorder(behind[name], broken[name]), at.behind)
            origins.append(Origin(name, at))
            tees[name] = next(ports)
            await listen(Tee(at.port, records[name]), tees[name])
        own, tees[RECORDER] = next(ports), next(ports)
        await listen(Recorder(behind[RECORDER], broken[RECORDER]), own)
        await listen(Tee(own, records[RECORDER]), tees[RECORDER])
        await wait_for_origins(origins)
        path = folder / "llm-edge.yaml"
        path.write_text(config(tees))
        gateway = await asyncio.to_thread(
            start, ["serve", "--config", str(path), "--workers", "1"], folder
        )
        outcomes = await send_vectors(plan, seed, gateway, records)
        (peer,) = [origin for origin in origins if origin.name == PEER]
        known = len(broken[PEER])
        await send_all(("127.0.0.1", peer.port), base_vectors(DIRECT), time.monotonic() + 60)
        await asyncio.sleep(0.5)
        await asyncio.to_thread(gateway.stop)
        # Tees write their record when the gateway's connections have ended.
        await asyncio.sleep(1)
        log = list(logged(gateway))
        for name, outcome in outcomes.items():
            seen = found(name, behind, origins)
            judge(outcome, records[name], seen, [line for line in log if line.provider == name])
            cut = broken.get(name, [])[: known if name == PEER else None]
            outcome.mismatches += [f"broken behind it: {b[:120]!r}" for b in cut]
        taken = {one.ident for one in behind[PEER]}
        looser = looser_than_peer({line.request_id for line in log}, taken)
    finally:
        if gateway is not None and not gateway.stopped:
            gateway.process.kill()
        for origin in origins:
            origin.stop()
        for server in servers:
            server.close()
    return summary(outcomes, seed, looser)


def base_vectors(prefix: str) -> list[bytes]:
    """The base vectors with ids of their own."""
    numbered = enumerate(all_vectors()[:BASE_COUNT])
    return [make(Shape(f"{prefix}.{n}", f"{PEER}/m")) for n, (_, make) in numbered]


def looser_than_peer(authorised: set[str], taken: set[str]) -> list[str]:
    """Base vectors that the gateway lets through and Envoy, asked directly, does not."""
    return [
        name
        for n, (name, _) in enumerate(all_vectors()[:BASE_COUNT])
        if f"{PEER}.{n}" in authorised and f"{DIRECT}.{n}" not in taken
    ]


def found(
    name: str, behind: dict[str, list[Request]], origins: list[Origin]
) -> list[tuple[str, str]]:
    """Ids and digests that reached the application behind an origin's parser."""
    if name in behind:
        through = [one for one in behind[name] if not one.ident.startswith(f"{DIRECT}.")]
        return [(one.ident, one.digest) for one in through]
    (origin,) = [one for one in origins if one.name == name]
    return [(ident, digest) for _, _, ident, digest in origin.seen() or []]


async def send_vectors(
    plan: Plan, seed: int, gateway: Running, names: Iterable[str]
) -> dict[str, Outcome]:
    """The vectors to every origin, the mutations to our own."""
    templates = all_vectors()[: plan.vectors]
    outcomes = {name: Outcome(len(templates)) for name in names}
    until = time.monotonic() + plan.seconds
    for name, outcome in outcomes.items():
        began = time.monotonic()
        data = [make(Shape(f"{name}.{n}", f"{name}/m")) for n, (_, make) in enumerate(templates)]
        sent = await send_all(gateway.address, data, until)
        if sent < len(data):
            outcome.mismatches.append(f"only {sent} of {len(data)} in time")
        say(f"{name}: {sent} vectors in {time.monotonic() - began:.1f} s")
    began = time.monotonic()
    mutated = (data for _, data in mutations(seed, f"{RECORDER}/m", "mutation."))
    sent = await send_all(gateway.address, islice(mutated, plan.mutations), until)
    outcomes[RECORDER].vectors += sent
    say(f"{RECORDER}: {sent} mutations in {time.monotonic() - began:.1f} s")
    return outcomes


def summary(outcomes: dict[str, Outcome], seed: int, looser: list[str]) -> dict[str, object]:
    """The last line."""
    wrong = {name: one.mismatches[:5] for name, one in outcomes.items() if one.mismatches}
    own = outcomes[RECORDER]
    others = [one for name, one in outcomes.items() if name != RECORDER]
    return {
        "command": "smuggling",
        "machine": machine.describe(),
        "seed": seed,
        "vectors": others[0].vectors,
        "origins": len(others),
        "mutations": own.vectors - others[0].vectors,
        "authorised": sum(one.authorised for one in outcomes.values()),
        "seen": sum(one.sent for one in outcomes.values()),
        "refused_by_origin": sum(one.refused_by_origin for one in others),
        "mismatches": sum(len(one.mismatches) for one in outcomes.values()),
        "by_origin": {
            name: [one.authorised, one.sent, one.replies, one.recorded, one.connections]
            for name, one in outcomes.items()
        },
        "looser_than_envoy": looser,
        "examples": wrong,
        # A run in which nothing was let through would agree with itself.
        "ok": not wrong and not looser and all(one.authorised for one in outcomes.values()),
    }


def say(line: str) -> None:
    """Print a line at once, so that whoever waits sees how far it is."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main(arguments: list[str]) -> int:
    """Run; the exit code is 1 when something does not agree."""
    if not arguments or arguments[0] not in PLANS:
        sys.stderr.write(f"usage: python -m tests.smuggling.run {'|'.join(PLANS)} [SEED]\n")
        return 2
    seed = int(arguments[1]) if len(arguments) > 1 else secrets.randbelow(2**32)
    with tempfile.TemporaryDirectory(prefix="smuggling-") as name:
        # Servers that drop their privileges read their configuration, too.
        Path(name).chmod(0o755)
        result = asyncio.run(run(PLANS[arguments[0]], seed, Path(name)))
    last_line.say(result)
    return 0 if result["ok"] else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
