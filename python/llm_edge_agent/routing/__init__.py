"""Policies of the operator's own: Python that says which target of a route comes first.

A policy is asked for routes that name it, on a thread of its own; the engine waits for
`deadline_ms` and goes on by the route's strategy without it. So it may be slow, fail or hang, and
costs a request no more than that.
"""

from llm_edge_agent.routing.load import GROUP, load_policy
from llm_edge_agent.routing.policy import Answering, Policy, PolicyQuestion, PolicyTarget

__all__ = ["GROUP", "Answering", "Policy", "PolicyQuestion", "PolicyTarget", "load_policy"]
