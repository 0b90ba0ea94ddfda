"""Structured log lines: one JSON object each, with the fields `ts`, `level`, `event` first.

The engine writes its request lines with the same first fields, on the same descriptor. Invariant:
a line leaves in one write, so that lines of the two never interleave. What other libraries hand to
`logging` (asyncio's complaints above all) comes out in the same form.
"""

import logging
import os
import threading
from collections.abc import MutableMapping
from typing import Any, Final, cast

import msgspec
import structlog
from structlog.typing import FilteringBoundLogger

__all__ = ["STDERR", "STDOUT", "configure", "logger", "set_descriptor"]

STDOUT: Final = 1
STDERR: Final = 2

_encoder = msgspec.json.Encoder(enc_hook=str)
_write_lock = threading.Lock()
_descriptor = STDOUT


def logger() -> FilteringBoundLogger:
    """Return the logger of this process; keyword arguments become fields of the line."""
    return cast("FilteringBoundLogger", structlog.get_logger())


def configure(descriptor: int = STDOUT, level: int = logging.INFO) -> None:
    """Send every log line of this process to a descriptor.

    Args:
        descriptor: `STDOUT` or `STDERR`.
        level: Least level that is written, as `logging` counts them.
    """
    set_descriptor(descriptor)
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True, key="ts"),
            structlog.processors.format_exc_info,
            _render,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=_LineWriter,
        cache_logger_on_first_use=False,
    )
    root = logging.getLogger()
    for handler in [h for h in root.handlers if isinstance(h, _Bridge)]:
        root.removeHandler(handler)
    root.addHandler(_Bridge())
    root.setLevel(max(level, logging.WARNING))
    logging.captureWarnings(capture=True)


def set_descriptor(descriptor: int) -> None:
    """Move the log to another descriptor, from the next line on."""
    global _descriptor  # noqa: PLW0603 -- the log of a process is one thing, as its descriptors are
    _descriptor = descriptor


def _render(_logger: object, _method: str, fields: MutableMapping[str, Any]) -> str:
    line = {name: fields.pop(name, None) for name in ("ts", "level", "event")}
    line.update(fields)
    return _encoder.encode(line).decode()


class _LineWriter:
    """What structlog calls with a finished line."""

    def __init__(self, *_names: object) -> None:
        pass

    def msg(self, line: str) -> None:
        data = memoryview(f"{line}\n".encode())
        with _write_lock:
            try:
                while data:
                    data = data[os.write(_descriptor, data) :]
            except OSError:
                # The reader of the log is gone; that must not stop the gateway.
                return

    debug = info = warning = warn = error = critical = fatal = exception = log = msg


class _Bridge(logging.Handler):
    """Lines of libraries that log by the standard library."""

    def emit(self, record: logging.LogRecord) -> None:
        logger().log(
            record.levelno,
            "library_message",
            logger=record.name,
            message=record.getMessage(),
            exc_info=record.exc_info,
        )
