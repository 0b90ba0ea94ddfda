"""The composition root: what starts in which order, what signals mean, and how it all ends.

Start: configuration, pepper, ports of the control plane, mock, engine (snapshot first, listener
then). Stop: readiness off, the engine drains, then the control plane goes, and last the mock, which
requests in flight may still need. SIGTERM and SIGINT drain up to `drain_s`, a second one ends at
once; SIGHUP reloads, and so does a change of a file that the configuration was read from.
Invariant: whatever was started is stopped, also when a later step fails.
"""

from __future__ import annotations

import asyncio
import platform
import resource
import secrets
import signal
import threading
import time
from contextlib import AsyncExitStack, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from llm_edge_agent import log
from llm_edge_agent.compiler import compile_options
from llm_edge_agent.config import admin_token, load_pepper, resolved
from llm_edge_agent.control.access import AllowedHosts
from llm_edge_agent.control.app import admin_app, metrics_app
from llm_edge_agent.control.exposition import Exposition
from llm_edge_agent.control.plane import Plane, Readiness
from llm_edge_agent.control.port import Port, check_free
from llm_edge_agent.engine import Engine, Mock, engine_version
from llm_edge_agent.errors import ConfigError, EngineFailed
from llm_edge_agent.reload import Reloader, ReloadResult

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Iterable, Iterator, Mapping

    from llm_edge_agent.config import Loaded, Pepper
    from llm_edge_agent.engine import Address

__all__ = ["ServeOptions", "Started", "serve"]

T = TypeVar("T")

_WATCH_S = 0.5


@dataclass(frozen=True)
class Started:
    """A gateway that accepts requests.

    Attributes:
        version: Version of the package.
        api: Where the API listens.
        tls: Whether the API speaks TLS.
        admin: Where the admin API listens.
        admin_token: What its callers present.
        admin_token_made: Whether it was made for this start, so that nobody knows it yet.
        metrics: Where metrics and probes are.
        loaded: The configuration, and where it came from.
    """

    version: str
    api: Address
    tls: bool
    admin: Address
    admin_token: str
    metrics: Address
    loaded: Loaded
    admin_token_made: bool = False


@dataclass(frozen=True)
class ServeOptions:
    """What a gateway process is started with.

    Attributes:
        load: Reads the configuration; called again at each reload.
        on_started: Told once everything accepts; an exit code from it ends the process.
        log_fd: Descriptor of all log lines, those of requests too: 1 or 2.
        pepper: Secret of the key hashes; None stands for the one of this machine.
    """

    load: Callable[[], Loaded]
    on_started: Callable[[Started], Awaitable[int | None]]
    log_fd: int = log.STDOUT
    pepper: Pepper | None = None


def serve(options: ServeOptions) -> int:
    """Run a gateway until it is told to stop, and return the exit code of the process.

    Raises:
        ConfigError: The configuration cannot be used.
        LlmEdgeError: A port is taken, the state folder cannot be used, the engine does not start.
    """
    log.configure(options.log_fd)
    _raise_descriptors()
    return _run(_Process(options).run)


class _Process:
    def __init__(self, options: ServeOptions) -> None:
        self._options = options
        self._born = time.monotonic()
        self._readiness = Readiness()
        self._tasks: set[asyncio.Task[Any]] = set()

    async def run(self) -> int:
        self._told = asyncio.Event()
        self._told_again = asyncio.Event()
        self._reloading = asyncio.Lock()
        with self._signals():
            async with AsyncExitStack() as stack:
                started = await self._start(stack)
                code = await self._until_told(started)
                await self._drain()
        log.logger().info("stopped", exit_code=code)
        return code

    async def _start(self, stack: AsyncExitStack) -> Started:
        self._loaded = self._options.load()
        self._watched = self._loaded.source.files
        self._looks = _look(self._watched)
        config = self._loaded.config
        pepper = self._options.pepper or load_pepper(config)
        _warn((*self._loaded.warnings, *pepper.warnings))
        chosen_token = admin_token()
        token = chosen_token or secrets.token_urlsafe(32)
        if not config.reuse_port and config.listen.api_address.unix_path is None:
            # The engine binds it last; of several that are taken, this is the one people know.
            check_free("API", *config.listen.api_address, option="--port")
        admin = Port("admin", *config.listen.admin_address)
        stack.push_async_callback(admin.close)
        metrics = Port("metrics", *config.listen.metrics_address)
        stack.push_async_callback(metrics.close)
        mock_address = _start_mock(stack) if config.mock else None
        try:
            options = compile_options(config, pepper.value, log_fd=self._options.log_fd)
        except ConfigError as error:
            raise self._loaded.locate(error) from None
        engine = self._engine = Engine(options)
        stack.callback(engine.stop)
        self._reloader = Reloader(
            engine, self._options.load, pepper=pepper, mock_address=mock_address
        )
        stack.callback(self._reloader.close)
        self._reloader.apply(self._loaded)
        plane = self._plane()
        admin.serve(admin_app(plane, AllowedHosts(config.listen.admin_address.host), token))
        metrics.serve(metrics_app(plane))
        api = engine.start()
        self._readiness.reason = ""
        return Started(
            version=plane.version,
            api=api,
            tls=config.tls is not None,
            admin=admin.address,
            admin_token=token,
            metrics=metrics.address,
            loaded=self._loaded,
            admin_token_made=chosen_token is None,
        )

    def _plane(self) -> Plane:
        version = engine_version()
        labels = {"version": version, "python": platform.python_version()}
        return Plane(
            version=version,
            readiness=self._readiness,
            status=self._engine.status,
            uptime_s=lambda: time.monotonic() - self._born,
            resolved=lambda: resolved(self._loaded.config),
            reload=self._reload,
            explain=self._engine.explain,
            exposition=Exposition(
                self._engine.metrics,
                self._reloader.counters,
                labels,
                renewals=lambda: self._reloader.renewals,
            ).render,
        )

    async def _until_told(self, started: Started) -> int:
        """Serve until a signal, or the caller's own end, and return the exit code."""
        self._spawn(self._watch())
        caller = asyncio.ensure_future(self._options.on_started(started))
        told = asyncio.ensure_future(self._told.wait())
        waiting: set[asyncio.Future[Any]] = {caller, told}
        while told not in await _first(waiting):
            waiting.discard(caller)
            code = caller.result()
            if code is not None:
                return code
        return 0

    async def _drain(self) -> None:
        deadline_s = self._loaded.config.drain_s
        self._readiness.reason = "draining"
        for task in self._tasks:
            task.cancel()
        with suppress(EngineFailed):
            in_flight = self._engine.status().in_flight
            log.logger().info("draining", in_flight=in_flight, deadline_s=deadline_s)
        drained = in_daemon_thread(partial(self._engine.drain, deadline_s))
        again = asyncio.ensure_future(self._told_again.wait())
        if drained in await _first({drained, again}) and drained.result():
            return
        log.logger().warning("requests_cut", reason="told twice" if again.done() else "deadline")

    # Reloading.

    async def _reload(self) -> ReloadResult:
        async with self._reloading:
            return await self._read_again()

    async def _read_again(self) -> ReloadResult:
        # Looked at before it is read: what changes meanwhile is seen as a change later.
        looks = _look(self._watched)
        result = await asyncio.to_thread(self._reloader.reload)
        self._loaded = self._reloader.loaded or self._loaded
        # Those of a refused configuration too: mending one of them may be all it takes.
        self._watched = tuple(dict.fromkeys((*self._loaded.source.files, *result.files)))
        self._looks = _look(self._watched) | looks
        if result.ok:
            log.logger().info("reloaded", epoch=result.epoch)
            _warn(result.warnings)
        else:
            log.logger().error("reload_refused", epoch=result.epoch, reason=str(result.error))
        return result

    async def _watch(self) -> None:
        """Reload when a file changed and has then stood still for one look."""
        seen = self._looks
        while True:
            await asyncio.sleep(_WATCH_S)
            before, seen = seen, _look(self._watched)
            if self._is_news(seen) and seen == before:
                async with self._reloading:
                    # Who was told to reload meanwhile may have read this change already.
                    if self._is_news(seen):
                        await self._read_again()

    def _is_news(self, seen: Mapping[str, object]) -> bool:
        """Whether a file is not as it was when it was read."""
        return any(self._looks.get(name) != look for name, look in seen.items())

    # Signals.

    @contextmanager
    def _signals(self) -> Iterator[None]:
        loop = asyncio.get_running_loop()
        handlers: dict[signal.Signals, Callable[[], object]] = {
            signal.SIGTERM: self._on_stop,
            signal.SIGINT: self._on_stop,
            signal.SIGHUP: lambda: self._spawn(self._reload()),
        }
        for number, handler in handlers.items():
            loop.add_signal_handler(number, handler)
        try:
            yield
        finally:
            for number in handlers:
                loop.remove_signal_handler(number)
                # One more signal in the last moments must not turn a clean end into a killed one.
                signal.signal(number, signal.SIG_IGN)

    def _on_stop(self) -> None:
        (self._told_again if self._told.is_set() else self._told).set()

    def _spawn(self, work: Coroutine[Any, Any, Any]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _run(main: Callable[[], Coroutine[Any, Any, int]]) -> int:
    try:
        import uvloop  # noqa: PLC0415 -- not on every platform, and then the standard loop does
    except ImportError:
        return asyncio.run(main())
    return uvloop.run(main())


def _raise_descriptors() -> None:
    """Take as many file descriptors as the system allows; each connection needs one or two.

    The low soft limit that shells set is for programs that use `select`, which this one does not.
    (granian raises it too, as a side effect of its import; that is nothing to rely on.)
    """
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(ValueError, OSError):  # macOS has a bound of its own below `hard`
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


async def _first(waiting: set[asyncio.Future[Any]]) -> set[asyncio.Future[Any]]:
    done, _ = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    return done


def in_daemon_thread(call: Callable[[], T]) -> asyncio.Future[T]:
    """Run a blocking call in a thread that does not keep the process alive."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[T] = loop.create_future()

    def finish(set_outcome: Callable[[Any], None], outcome: object) -> None:
        if not future.done():
            set_outcome(outcome)

    def work() -> None:
        set_outcome: Callable[[Any], None] = future.set_result
        try:
            outcome: object = call()
        except Exception as error:  # noqa: BLE001 -- handed over to whoever awaits
            set_outcome, outcome = future.set_exception, error
        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(finish, set_outcome, outcome)

    threading.Thread(target=work, daemon=True).start()
    return future


def _warn(warnings: Iterable[str]) -> None:
    for warning in warnings:
        log.logger().warning("config_warning", message=warning)


def _start_mock(stack: AsyncExitStack) -> Address:
    mock = Mock()
    address = mock.start()
    stack.callback(mock.stop)
    return address


def _look(files: Iterable[str]) -> dict[str, object]:
    """Return for each file what differs once it was changed, replaced or removed."""
    looks: dict[str, object] = {}
    for name in files:
        try:
            # Links are followed: Kubernetes swaps a link when a ConfigMap or Secret changes.
            found = Path(name).stat()
            looks[name] = (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns)
        except OSError as error:
            looks[name] = error.errno
        except ValueError:  # a NUL in the name
            looks[name] = None
    return looks
