"""What an engine is started with; a change of these needs a restart."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from llm_edge_agent.engine import EngineOptions, ListenOptions, TlsOptions, UnixOptions
from llm_edge_agent.errors import ConfigError

if TYPE_CHECKING:
    from llm_edge_agent.config.schema import Config

__all__ = ["compile_options"]


def compile_options(config: Config, pepper: bytes, *, log_fd: int = 1) -> EngineOptions:
    """Options of the engine.

    Raises:
        ConfigError: A certificate or key file cannot be read.
    """
    address = config.listen.api_address
    unix = None
    if address.unix_path is not None:
        unix = UnixOptions(path=address.unix_path, mode=int(config.listen.api_mode, 8))
    return EngineOptions(
        listen=ListenOptions(host=address.host, port=address.port, unix=unix),
        workers=config.workers,
        reuse_port=config.reuse_port,
        tls=_tls(config),
        pepper=pepper.hex(),
        log_fd=log_fd,
    )


def _tls(config: Config) -> TlsOptions | None:
    if config.tls is None:
        return None
    return TlsOptions(
        cert_pem=_read("tls.cert_file", config.tls.cert_file),
        key_pem=_read("tls.key_file", config.tls.key_file),
    )


def _read(path: str, name: str) -> str:
    try:
        return Path(name).read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "is not PEM text"
        message = f"the file `{name}` cannot be read: {reason}"
        raise ConfigError(message, path=path) from None
