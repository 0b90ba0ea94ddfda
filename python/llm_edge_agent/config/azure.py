"""An identity of Microsoft Entra ID, as configured: what can be seen without asking for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llm_edge_agent.config.library import are_installed

if TYPE_CHECKING:
    from llm_edge_agent.config.described import Fault
    from llm_edge_agent.config.marks import Path
    from llm_edge_agent.config.schema import Provider
    from llm_edge_agent.providers.spec import ProviderSpec

__all__ = ["check_azure"]


def check_azure(fault: Fault, path: Path, provider: Provider, spec: ProviderSpec) -> None:
    """See that a provider's identity can be used; `path` is the provider's."""
    azure = provider.azure
    if azure is None:
        return
    path = (*path, "azure")
    if spec.entra_scope is None:
        message = f"a provider of type `{spec.type}` takes no tokens of Microsoft Entra ID"
        fault(path, message, "leave it out")
        return
    if provider.credentials:
        fault(path, "stands beside an `api_key`", "leave one of them out")
        return
    if azure.client_secret is not None and (azure.tenant_id is None or azure.client_id is None):
        message = "a secret belongs to a `client_id` in a `tenant_id`"
        fault((*path, "client_secret"), message, "write all three")
    elif azure.client_secret is None and azure.tenant_id is not None and azure.client_id is None:
        message = "says nothing without a `client_id`"
        fault((*path, "tenant_id"), message, "write both, or neither")
    if not are_installed("azure.identity"):
        message = "getting access tokens needs azure-identity, which is missing"
        fault(path, message, "pip install 'llm-edge-agent[azure]'")
