"""CPU per request: time of the gateway's process tree ÷ successful requests, against nginx."""

import http.client
from collections.abc import Callable

from bench import machine, messages, programs
from bench.loads import h2load, paced, wrk
from bench.messages import body
from bench.programs import MODELS, Running, gateway, in_two_dialects
from bench.rounds import Comparison, Sides, Window, compare, compare_rows
from bench.scenarios import Found, Stage
from bench.verdicts import Row

_THROUGH, _CACHED = MODELS
_TRANSLATED = "claude"
UNARY = "unary-1024"
TWO_WORKERS_RATE = 3000
CONNECTIONS = 32
BUSY_MIN = 0.8
"""Below it the generator or the upstream was the limit, or somebody else used the core."""

# key, model, bytes of the request body, connections; the last ones only in a full run
_AGAINST_PROXY = (
    ("cpu_unary_1k", UNARY, 1024, CONNECTIONS),
    ("cpu_unary_16k", UNARY, 16 * 1024, CONNECTIONS),
    ("cpu_unary_64k", UNARY, 64 * 1024, CONNECTIONS),
    ("cpu_stream_64x200", "sse-64x200", 1024, CONNECTIONS),
    ("cpu_stream_1000x200", "sse-1000x200", 1024, CONNECTIONS),
)
_EXTRA = (
    ("cpu_unary_400k", UNARY, 400 * 1024, CONNECTIONS),
    ("cpu_unary_1k_1conn", UNARY, 1024, 1),
    ("cpu_unary_1k_256conn", UNARY, 1024, 256),
)


def closed(
    running: Running,
    data: bytes,
    seconds: float,
    connections: int = CONNECTIONS,
    *,
    http2: bool = False,
) -> Callable[[], Window]:
    """A window of load against a program; microseconds of CPU per request."""

    def run() -> Window:
        before = machine.usage(running.pid)
        if http2:
            load = h2load(running.port, data, seconds=seconds)
        else:
            load = wrk(running.port, data, seconds=seconds, connections=connections)
        used = machine.usage(running.pid).since(before)
        good = max(load.requests - load.failed, 1)
        more = {
            "requests_per_s": load.rate,
            "cpu_share": used.cpu_s / load.wall_s,
            "switches_per_request": used.switches / good,
        }
        return Window(used.cpu_s / good * 1e6, load.failed, more)

    return run


def against_proxy(stage: Stage) -> Found:
    """Every body size and stream through the gateway and through the control."""
    found = Found()
    _rows_against_proxy(found, stage, _AGAINST_PROXY)
    if stage.plan.extra:
        # Nothing is demanded of them, and other numbers of connections would stir up the pools of
        # those above.
        for row in _EXTRA:
            _rows_against_proxy(found, stage, (row,))
    return found


def _rows_against_proxy(
    found: Found, stage: Stage, rows: tuple[tuple[str, str, int, int], ...]
) -> None:
    compared_sides = (stage.gateway, stage.proxy)
    sides: dict[str, Sides] = {}
    direct: dict[str, float] = {}
    for key, model, size, connections in rows:
        data = body(f"{_THROUGH}/{model}", size)
        sides[key] = {
            side.name: closed(side, data, stage.plan.window_s, connections)
            for side in compared_sides
        }
        # Buffers, pools and connections have their size before anything counts.
        for side in compared_sides:
            wrk(side.port, data, seconds=1, connections=connections)
        direct[key] = wrk(stage.upstream.port, data, seconds=1, connections=connections).rate
    compared = compare_rows(
        sides, stage.plan.rounds, subject=stage.gateway.name, control=stage.proxy.name
    )
    for key, one in compared.items():
        _record(found, key, one, stage.proxy.name, direct_requests_per_s=direct[key])


def http2(stage: Stage) -> Found:
    """A client on HTTP/2 without TLS, against the control on HTTP/1.1."""
    found = Found()
    if not stage.plan.extra:
        return found
    data = body(f"{_THROUGH}/{UNARY}", 1024)
    seconds, ours, theirs = stage.plan.window_s, stage.gateway, stage.proxy
    sides = {
        ours.name: closed(ours, data, seconds, http2=True),
        theirs.name: closed(theirs, data, seconds),
    }
    compared = compare(sides, stage.plan.rounds, subject=ours.name, control=theirs.name)
    _record(found, "cpu_unary_1k_http2", compared, theirs.name)
    return found


def translated(stage: Stage) -> Found:
    """A chat request for a model of Anthropic's dialect, against one of its own."""
    found = Found()
    config = {
        "providers": in_two_dialects(stage.upstream.url, _THROUGH, _TRANSLATED),
        "routes": {},
    }
    with gateway(stage.upstream.port, name="translated", more=config) as running:
        for key, own, other in (
            ("cpu_translated_1k", UNARY, "message-1024"),
            ("cpu_translated_stream", "sse-64x200", "message-64x200"),
        ):
            stream = own.startswith("sse")
            bodies = {
                _THROUGH: body(f"{_THROUGH}/{own}", 1024),
                _TRANSLATED: body(f"{_TRANSLATED}/{other}", 1024, stream=stream),
            }
            for data in bodies.values():
                wrk(running.port, data, seconds=1)
            seconds = stage.plan.window_s
            sides = {name: closed(running, data, seconds) for name, data in bodies.items()}
            compared = compare(sides, stage.plan.rounds, subject=_TRANSLATED, control=_THROUGH)
            _record(found, key, compared, _THROUGH)
    return found


def cache_hit(stage: Stage) -> Found:
    """A cached reply against nginx that returns the same bytes from memory."""
    found = Found()
    data = body(f"{_CACHED}/{UNARY}", 1024)
    reply = reply_body(stage.gateway.port, data)
    with programs.nginx("static", BODY=reply) as static:
        sides = {
            side.name: closed(side, data, stage.plan.window_s) for side in (stage.gateway, static)
        }
        compared = compare(
            sides, stage.plan.rounds, subject=stage.gateway.name, control=static.name
        )
        direct = wrk(static.port, data, seconds=1)
    _record(found, "cpu_cache_hit", compared, static.name, control_requests_per_s=direct.rate)
    return found


def two_workers(stage: Stage) -> Found:
    """The same low rate through one worker and through two, both cores free to all."""
    found = Found()
    data = body(f"{_THROUGH}/{UNARY}", 1024)
    port, seconds = stage.upstream.port, stage.plan.window_s
    every = programs.EVERY_CORE
    with (
        gateway(port, workers=1, core=every, name="one-worker") as one,
        gateway(port, workers=2, core=every, name="two-workers") as two,
    ):

        def window(running: Running) -> Callable[[], Window]:
            def run() -> Window:
                before = machine.usage(running.pid)
                load = paced(
                    running.port,
                    data,
                    rate=TWO_WORKERS_RATE,
                    seconds=seconds,
                    connections=CONNECTIONS,
                    core=every,
                )
                used = machine.usage(running.pid).since(before)
                return Window(used.cpu_s / max(load.requests, 1) * 1e6, load.failed, {})

            return run

        sides = {side.name: window(side) for side in (one, two)}
        for run in sides.values():
            run()
        compared = compare(sides, stage.plan.rounds, subject=two.name, control=one.name)
    _record(found, "cpu_two_workers", compared, one.name)
    return found


def reply_body(port: int, data: bytes) -> str:
    """The body that a request is answered with; asked twice, so that a cache has it."""
    for _ in range(2):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        connection.request("POST", messages.PATH, body=data, headers=messages.headers())
        answer = connection.getresponse()
        text = answer.read().decode()
        connection.close()
        if answer.status != 200:
            raise programs.BenchError(f"{answer.status} {text}")
    return text


def _record(found: Found, key: str, compared: Comparison, control: str, **more: float) -> None:
    subject = next(name for name in compared.sides if name != control)
    ratios = compared.ratios or [compared.ratio]
    spread = f"{min(ratios):.2f} to {max(ratios):.2f}"
    note = (
        f"{compared.median(subject):.1f} / {compared.median(control):.1f} µs, "
        f"spread {spread}, {len(compared.ratios)} rounds"
    )
    busy = compared.median(subject, "cpu_share") if more else 1.0
    if busy < BUSY_MIN:
        note += f", core {busy:.0%} busy"
    lost = sum(compared.dropped.values())
    found.rows.append(Row(key, compared.ratio, note + (f", {lost} dropped" if lost else "")))
    found.details[key] = {**compared.summary(), **more}
