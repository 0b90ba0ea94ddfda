"""The gateway inside a Python program: engine, mock and reloads, started and stopped together.

The engine has threads and sockets of its own; the program's loop carries none of the traffic.
"""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING, Any

from llm_edge_agent.compiler import compile_options
from llm_edge_agent.config import Config, Loaded, load, load_pepper, load_tree
from llm_edge_agent.engine import Address, Engine, Mock
from llm_edge_agent.reload import Reloader

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

    from llm_edge_agent.config import Pepper
    from llm_edge_agent.reload import ReloadResult

__all__ = ["Gateway"]


class Gateway:
    """A gateway for as long as an `async with` block lasts.

    Example::

        async with Gateway({"mock": True, "listen": {"api": "127.0.0.1:0"}}) as gateway:
            client = AsyncOpenAI(base_url=f"{gateway.url}/v1", api_key="none")

    Attributes:
        loaded: The configuration it was made with.
        pepper: Secret of the key hashes.
        engine: The engine, once started.
        reloader: Brings new configurations to it, once started.
        mock_address: Where the built-in mock listens, if it runs.
    """

    def __init__(
        self,
        config: Loaded | Config | Mapping[str, Any] | str | os.PathLike[str] | None = None,
        *,
        env: Mapping[str, str] | None = None,
        flags: Mapping[str, object] | None = None,
        log_fd: int = 1,
    ) -> None:
        """Read and check the configuration; nothing is started.

        Args:
            config: A configuration read before, a mapping with the options of a file, the path of a
                file, or None to search for one as the command line does.
            env: Environment; the process's own when None.
            flags: Dotted option → value, over everything else (not for configurations read before).
            log_fd: Where the request log goes, 1 or 2.

        Raises:
            ConfigError: The configuration cannot be used.
            StateError: The state folder cannot be used.
        """
        self._config = config
        self._env = env
        self._flags = flags
        self._log_fd = log_fd
        self.loaded = self._load()
        self.pepper: Pepper = load_pepper(self.loaded.config, env)
        self.engine: Engine | None = None
        self.reloader: Reloader | None = None
        self.mock_address: Address | None = None
        self._mock: Mock | None = None
        self._address: Address | None = None

    def _load(self) -> Loaded:
        config = self._config
        if isinstance(config, Loaded):
            return config
        if isinstance(config, Config):
            return Loaded(config=config)
        if config is None or isinstance(config, str | os.PathLike):
            return load(config, env=self._env, flags=self._flags)
        return load_tree(config, env=self._env, flags=self._flags)

    @property
    def address(self) -> Address:
        """Where the API listens.

        Raises:
            RuntimeError: The gateway is not started.
        """
        if self._address is None:
            message = "the gateway is not started"
            raise RuntimeError(message)
        return self._address

    @property
    def url(self) -> str:
        """Base URL of the API, without `/v1`; over a Unix socket its host means nothing."""
        if self.address.unix_path is not None:
            return "http://localhost"
        scheme = "http" if self.loaded.config.tls is None else "https"
        return f"{scheme}://{self.address}"

    def start(self) -> Address:
        """Start the mock (if it is wanted) and the engine; returns where the API listens.

        Raises:
            ConfigError: The configuration names a file that cannot be read.
            EngineFailed: The address is taken, the certificate is not usable.
        """
        config = self.loaded.config
        # First, so that a certificate that cannot be read starts nothing.
        options = compile_options(config, self.pepper.value, log_fd=self._log_fd)
        try:
            if config.mock:
                self._mock = Mock()
                self.mock_address = self._mock.start()
            self.engine = Engine(options)
            self.reloader = Reloader(
                self.engine, self._load, pepper=self.pepper, mock_address=self.mock_address
            )
            self.reloader.apply(self.loaded)
            self._address = self.engine.start()
        except BaseException:
            self.stop()
            raise
        return self._address

    def reload(self) -> ReloadResult:
        """Read the configuration again; a bad one changes nothing, and the result says why.

        Raises:
            RuntimeError: The gateway is not started.
        """
        if self.reloader is None:
            message = "the gateway is not started"
            raise RuntimeError(message)
        return self.reloader.reload()

    def drain(self, deadline_s: float | None = None) -> bool:
        """Stop accepting and let running requests finish; says whether all did before the deadline.

        Args:
            deadline_s: Seconds; `drain_s` of the configuration when None.
        """
        if self.engine is None:
            return True
        seconds = self.loaded.config.drain_s if deadline_s is None else deadline_s
        return self.engine.drain(seconds)

    def stop(self) -> None:
        """Stop at once. Idempotent."""
        engine, mock = self.engine, self._mock
        if self.reloader is not None:
            self.reloader.close()
        self.engine = self.reloader = self._mock = None
        self._address = self.mock_address = None
        if engine is not None:
            engine.stop()
        if mock is not None:
            mock.stop()

    async def __aenter__(self) -> Gateway:
        """Start, off the loop."""
        await asyncio.to_thread(self.start)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Drain and stop, off the loop; at once when the block failed."""
        if error is None:
            await asyncio.to_thread(self.drain)
        await asyncio.to_thread(self.stop)
