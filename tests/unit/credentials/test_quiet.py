"""What a library logs of its failures stays out, in this thread and while it lasts only."""

import logging
import threading

import pytest

from llm_edge_agent.credentials.quiet import quiet


def test_what_is_below_a_name_is_quiet_too(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    loggers = [logging.getLogger(f"alibrary{end}") for end in ("", ".part", ".part.inner", "other")]
    with quiet("alibrary"):
        for logger in loggers:
            logger.warning("within, of %s", logger.name)
        other = threading.Thread(target=lambda: loggers[1].warning("of another thread"))
        other.start()
        other.join()
    loggers[2].warning("afterwards")
    said = [record.getMessage() for record in caplog.records]
    assert said == ["within, of alibraryother", "of another thread", "afterwards"]
