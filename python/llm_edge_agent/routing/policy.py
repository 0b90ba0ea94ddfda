"""What a policy is asked, and how it answers."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

import msgspec

from llm_edge_agent.engine import Live  # noqa: TC001 -- msgspec reads the annotation

__all__ = ["Answering", "Policy", "PolicyQuestion", "PolicyTarget"]

_log = logging.getLogger("llm_edge_agent.routing")


class PolicyTarget(msgspec.Struct, frozen=True, kw_only=True):
    """A target that may be asked.

    Attributes:
        target: `provider/model`, by which it is named in the answer.
        standing: `ready`; or `resting` or `open`: it has failed lately.
        cost_nano_usd: What the request is expected to cost there; None where no price is known.
        live: What is known of it at the moment.
    """

    target: str
    standing: str
    cost_nano_usd: int | None
    live: Live


class PolicyQuestion(msgspec.Struct, frozen=True, kw_only=True):
    """A request of which a policy is asked.

    Attributes:
        route: Name of the route.
        model: The model as the client calls it.
        key: Name of the caller's key.
        operation: What is to be done, such as `chat_completions`.
        stream: Whether a stream is wanted.
        needs: What the request asks of a model.
        input_tokens: Tokens of its prompt, an estimate.
        output_tokens: Tokens that are expected to be generated.
        targets: Those of the route that can do it.
    """

    route: str
    model: str
    key: str
    operation: str
    stream: bool
    needs: list[str]
    input_tokens: int
    output_tokens: int
    targets: list[PolicyTarget]


Policy = Callable[[PolicyQuestion], Sequence[str]]
"""Names targets, the best first; those it leaves out follow as the route's strategy has them."""


class Answering:
    """A policy as the engine asks it: JSON in, JSON out."""

    def __init__(self, name: str, policy: Policy) -> None:
        """Ask `policy`; `name` is what its failures are logged under."""
        self._name = name
        self._policy = policy
        self._questions = msgspec.json.Decoder(PolicyQuestion)

    def __call__(self, question: str) -> str | None:
        """The answer; None when the policy failed, which is logged without what it said."""
        try:
            named = self._policy(self._questions.decode(question))
            return msgspec.json.encode([str(name) for name in named]).decode()
        except Exception as error:  # noqa: BLE001 -- somebody else's code fails as it likes
            _log.error("policy `%s` failed: %s", self._name, type(error).__name__)
            return None
