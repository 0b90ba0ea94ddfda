"""Limits and request log, which are the same words on both sides."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from llm_edge_agent.compiler.snapshot import LimitsDoc, RequestLogDoc

if TYPE_CHECKING:
    from llm_edge_agent.config.schema import Limits, RequestLog

__all__ = ["compile_limits", "compile_request_log"]


def compile_limits(limits: Limits) -> LimitsDoc:
    """The named limits."""
    return LimitsDoc(**msgspec.structs.asdict(limits))


def compile_request_log(request_log: RequestLog) -> RequestLogDoc:
    """Which requests get a log line."""
    return RequestLogDoc(mode=request_log.mode, sample_every=request_log.sample_every)
