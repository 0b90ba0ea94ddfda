"""Log lines: JSON, whole, with the same first fields."""

import logging
import os
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from llm_edge_agent import log
from llm_edge_agent.config.secret import Secret


@pytest.fixture
def lines(tmp_path: Path) -> Iterator[Path]:
    target = tmp_path / "log"
    descriptor = os.open(target, os.O_CREAT | os.O_WRONLY)
    log.configure(descriptor)
    yield target
    log.configure(log.STDERR)
    os.close(descriptor)


def read(target: Path) -> list[dict[str, object]]:
    return [msgspec.json.decode(line) for line in target.read_bytes().splitlines()]


def test_time_level_and_event_come_first(lines: Path) -> None:
    log.logger().info("started", api="127.0.0.1:8080", workers=2)
    (line,) = read(lines)
    assert list(line)[:3] == ["ts", "level", "event"]
    assert line["level"] == "info"
    assert line["event"] == "started"
    assert str(line["ts"]).endswith("Z")
    assert line["workers"] == 2


def test_a_failure_is_one_line_with_its_traceback(lines: Path) -> None:
    try:
        raise ValueError("over\ntwo lines")
    except ValueError:
        log.logger().exception("failed")
    (line,) = read(lines)
    assert "ValueError" in str(line["exception"])
    assert line["level"] == "error"


def test_a_secret_is_masked(lines: Path) -> None:
    log.logger().info("event", key=Secret("sk-very-secret"), nested={"k": Secret("sk-very-secret")})
    assert b"very-secret" not in lines.read_bytes()
    assert read(lines)[0]["key"] == "***"


def test_what_libraries_log_has_the_same_form(lines: Path) -> None:
    logging.getLogger("some.library").warning("took %s s", 3)
    (line,) = read(lines)
    assert line["logger"] == "some.library"
    assert line["message"] == "took 3 s"
    assert line["level"] == "warning"


def test_a_reader_that_is_gone_stops_nothing() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    log.configure(writing)
    try:
        log.logger().info("unheard")
    finally:
        log.configure(log.STDERR)
        os.close(writing)
