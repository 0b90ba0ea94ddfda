"""The control plane on real sockets, over a gateway that is only told about."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest

from llm_edge_agent.control.access import AllowedHosts
from llm_edge_agent.control.app import admin_app, metrics_app
from llm_edge_agent.control.plane import Plane, Readiness
from llm_edge_agent.control.port import Port
from llm_edge_agent.engine import Explanation, Question, Status
from llm_edge_agent.errors import EngineFailed
from llm_edge_agent.reload import ReloadResult

TOKEN = "t0ken-of-the-test"
APPLIED = ReloadResult(ok=True, epoch=8, warnings=("one",))
STATUS = Status(
    epoch=7,
    fingerprint="ab" * 16,
    address="127.0.0.1:8080",
    workers=2,
    draining=False,
    in_flight=3,
    connections=4,
    targets=[],
    principals=1,
)


@dataclass
class Control:
    """Both ports of a control plane, and what stands behind them."""

    readiness: Readiness = field(default_factory=Readiness)
    outcome: ReloadResult | Exception = APPLIED
    reloads: int = 0
    admin: str = ""
    metrics: str = ""

    async def reload(self) -> ReloadResult:
        self.reloads += 1
        await asyncio.sleep(0)
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return self.outcome


def explain(question: Question) -> Explanation:
    raise EngineFailed(f"`{question.path}` is no path")


@pytest.fixture
async def control() -> AsyncIterator[Control]:
    made = Control()
    plane = Plane(
        version="1.2.3",
        readiness=made.readiness,
        status=lambda: STATUS,
        uptime_s=lambda: 1.5,
        resolved=lambda: {"providers": {"openai": {"api_key": "***"}}},
        reload=made.reload,
        explain=explain,
        exposition=lambda accept: (f"asked for {accept}".encode(), "text/plain; version=0.0.4"),
    )
    admin, metrics = Port("admin", "127.0.0.1", 0), Port("metrics", "127.0.0.1", 0)
    admin.serve(admin_app(plane, AllowedHosts("127.0.0.1"), TOKEN))
    metrics.serve(metrics_app(plane))
    made.admin, made.metrics = f"http://{admin.address}", f"http://{metrics.address}"
    yield made
    await admin.close()
    await metrics.close()
