"""The rules for what a configuration says of a provider in place of its type: paths and headers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from llm_edge_agent.config.shape import nearest
from llm_edge_agent.providers import CHAT_MEMBERS, OPERATIONS, path_fault

if TYPE_CHECKING:
    from collections.abc import Collection

    from llm_edge_agent.config.marks import Path
    from llm_edge_agent.config.schema import Provider
    from llm_edge_agent.providers import ProviderSpec

__all__ = ["Fault", "check_description"]

_OPTIONS = (
    "operations",
    "auth",
    "operation_auth",
    "chat_fields",
    "chat_members",
    "replays_reasoning",
    "tool_id_length",
)


class Fault(Protocol):
    """Takes note of a fault at a path."""

    def __call__(self, path: Path, message: str, hint: str = "") -> None:
        """Take note of one."""


def check_description(
    fault: Fault, path: Path, provider: Provider, spec: ProviderSpec, own_headers: Collection[str]
) -> None:
    """See that what is said in place of the type can be used.

    Args:
        fault: Where faults go.
        path: The provider's.
        provider: As configured.
        spec: Of its type alone.
        own_headers: Fields that no provider may have.
    """
    if spec.type == "mock":
        for option in _OPTIONS:
            if getattr(provider, option):
                fault((*path, option), "the mock is what it is", "leave it out")
        return
    for operation, template in provider.operations.items():
        _check_path(fault, (*path, "operations", operation), template, provider, spec)
    served = provider.operations or spec.operations
    for operation, auth in provider.operation_auth.items():
        where = (*path, "operation_auth", operation)
        if operation not in served:
            fault(where, f"the operation `{operation}` is not served", nearest(operation, served))
        _check_field(fault, (*where, "header"), auth.header, own_headers)
    _check_members(fault, (*path, "chat_members"), provider.chat_members)
    if provider.auth is not None:
        _check_field(fault, (*path, "auth", "header"), provider.auth.header, own_headers)
    for option, account in (("auth", "aws"), ("auth", "azure"), ("operation_auth", "azure")):
        if getattr(provider, option) and getattr(provider, account) is not None:
            fault((*path, option), f"stands beside `{account}`", "leave one of them out")


def _check_members(fault: Fault, path: Path, members: Collection[str]) -> None:
    for name in members:
        if name not in CHAT_MEMBERS:
            fault((*path, name), f"no member `{name}` may be given", nearest(name, CHAT_MEMBERS))


def _check_path(
    fault: Fault, path: Path, template: str, provider: Provider, spec: ProviderSpec
) -> None:
    operation = str(path[-1])
    if operation not in OPERATIONS:
        fault(path, f"unknown operation `{operation}`", nearest(operation, OPERATIONS))
        return
    wrong = path_fault(template, of_account=spec.oauth_scope is not None)
    if wrong is None and "{api_version}" in template and provider.api_version is None:
        wrong = "`{api_version}` stands for an `api_version` that is not given"
    if wrong is not None:
        fault(path, f"`{template}`: {wrong}")


def _check_field(fault: Fault, path: Path, header: str, own_headers: Collection[str]) -> None:
    if header.lower() in own_headers:
        message = f"the field `{header.lower()}` is the gateway's own affair"
        fault(path, message, "name the field that the provider takes its key in")
