"""The two applications of the control plane: metrics port, open; admin port, behind its gate."""

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.routing import Route

from llm_edge_agent.control.access import AllowedHosts, Gate
from llm_edge_agent.control.plane import Plane
from llm_edge_agent.control.problem import HANDLERS
from llm_edge_agent.control.resources import config, explain, metrics, probes, reload, status

__all__ = ["admin_app", "metrics_app"]


def metrics_app(plane: Plane) -> Starlette:
    """Make the application of the metrics port: metrics and probes, for whoever can reach it."""
    return _application(
        plane,
        [
            Route("/metrics", metrics.show),
            Route("/", metrics.show),  # for those who paste the bare address
            Route("/livez", probes.live),
            Route("/healthz", probes.live),
            Route("/readyz", probes.ready),
        ],
    )


def admin_app(plane: Plane, hosts: AllowedHosts, token: str) -> Starlette:
    """Make the application of the admin port.

    Args:
        plane: What it may see and do.
        hosts: Values of `Host` it answers to.
        token: What every caller must present.
    """
    return _application(
        plane,
        [
            Route("/api/v1/status", status.show),
            Route("/api/v1/config", config.show),
            Route("/api/v1/reload", reload.apply, methods=["POST"]),
            Route("/api/v1/explain", explain.show, methods=["POST"]),
        ],
        [Middleware(Gate, hosts=hosts, token=token)],
    )


def _application(
    plane: Plane, routes: list[Route], middleware: list[Middleware] | None = None
) -> Starlette:
    app = Starlette(routes=routes, middleware=middleware, exception_handlers=HANDLERS)
    app.state.plane = plane
    return app
