"""The mock provider by itself, started as a user starts it."""

import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from tests.support.gateway import clean_environment, program

STOP_S = 10.0


@contextmanager
def mock_alone(home: Path, *options: str) -> Iterator[str]:
    """Run `llm-edge-agent mock` on a free port and yield its address, `http://host:port`.

    Args:
        home: Home and working folder of the process.
        options: Further options, `--oracle` for one.

    Raises:
        AssertionError: It did not start, or did not end by SIGTERM with exit code 0 in silence.
    """
    process = subprocess.Popen(
        [*program(), "mock", "--port", "0", "--json", *options],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=home,
        env=clean_environment(home),
    )
    assert process.stdout is not None
    try:
        line = process.stdout.readline()
        assert line, process.communicate()[1].decode()
        yield msgspec.json.decode(line)["anthropic"]
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            rest, log = process.communicate(timeout=STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            rest, log = process.communicate()
    assert (process.returncode, rest, log) == (0, b"", b""), log.decode()
