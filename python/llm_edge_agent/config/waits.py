"""Spans of time that contradict each other.

What is written is held against what it is a part of. Defaults give way by themselves: who shortens
the whole need not write down every part.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from llm_edge_agent.config.described import Fault
    from llm_edge_agent.config.marks import Marks, Path
    from llm_edge_agent.config.schema import Health, Route

__all__ = ["check_probe", "check_waits"]

_PARTS = (
    ("deadlines", "connect_ms"),
    ("deadlines", "first_byte_ms"),
    ("deadlines", "progress_ms"),
    ("retry", "backoff_ms"),
    ("retry", "retry_after_max_ms"),
    ("policy", "deadline_ms"),
)
"""What a route waits for within its `deadlines.total_ms`."""


def check_waits(fault: Fault, marks: Marks, path: Path, route: Route) -> None:
    """See that a route waits for nothing longer than it can; `path` is the route's."""
    deadlines, retry, hedge = route.deadlines, route.retry, route.hedge
    for area, option in _PARTS if deadlines.total_ms else ():
        where: Path = (*path, area, option)
        if where in marks and (ms := getattr(getattr(route, area), option)) > deadlines.total_ms:
            whole = "total_ms" if area == "deadlines" else "deadlines.total_ms"
            message = (
                f"{ms} ms is more than `{whole}`, {deadlines.total_ms}, which is for everything "
                "together"
            )
            fault(where, message, "shorten it, or lengthen the whole")
    if hedge is not None:
        ends = [(getattr(deadlines, end), end) for end in ("first_byte_ms", "total_ms")]
        sooner, end = min((end for end in ends if end[0]), default=(hedge.delay_ms, ""))
        if sooner < hedge.delay_ms:
            message = (
                f"{hedge.delay_ms} ms is more than `deadlines.{end}`, {sooner}, after which the "
                "first attempt is over"
            )
            fault((*path, "hedge", "delay_ms"), message, "begin the second attempt sooner")
    if retry.backoff_ms > retry.backoff_max_ms:
        where = (*path, "retry", "backoff_max_ms")
        message = (
            f"the first pause ({retry.backoff_ms} ms) is longer than the longest one "
            f"({retry.backoff_max_ms} ms)"
        )
        fault(where if where in marks else (*path, "retry", "backoff_ms"), message, "")


def check_probe(fault: Fault, marks: Marks, path: Path, health: Health) -> None:
    """See that a probe is over before the next is due; `path` is the provider's."""
    where: Path = (*path, "health", "timeout_ms")
    if where in marks and health.timeout_ms > health.interval_ms:
        message = (
            f"{health.timeout_ms} ms is more than `interval_ms`, {health.interval_ms}: the next "
            "question would be due before the answer"
        )
        fault(where, message, "wait less long, or ask less often")
