"""What the control plane may see and do: the only things its resources are given."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from llm_edge_agent.engine import Explanation, Question, Status
from llm_edge_agent.reload import ReloadResult

__all__ = ["Plane", "Readiness"]


@dataclass
class Readiness:
    """Whether new traffic is welcome, and if not, why; the composition root sets it.

    Attributes:
        reason: Why not, such as `starting` or `draining`; empty when ready.
    """

    reason: str = "starting"


@dataclass(frozen=True)
class Plane:
    """The handles of a running gateway.

    Attributes:
        version: Version of the package.
        readiness: What `/readyz` answers.
        status: Asks the engine what it is doing.
        uptime_s: Time since the start, in seconds.
        resolved: The configuration in use, secrets masked, with where it came from.
        reload: Reads the configuration again and applies it, or keeps the old one.
        explain: Says how a request would be routed now.
        exposition: Renders `/metrics` for an `Accept` value.
    """

    version: str
    readiness: Readiness
    status: Callable[[], Status]
    uptime_s: Callable[[], float]
    resolved: Callable[[], Mapping[str, object]]
    reload: Callable[[], Awaitable[ReloadResult]]
    explain: Callable[[Question], Explanation]
    exposition: Callable[[str], tuple[bytes, str]]
