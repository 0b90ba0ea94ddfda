"""Azure OpenAI, in two modes.

With `api_version` the deployment URLs are used, where the model name is the deployment's; without
it the versionless `/openai/v1/` API. Source: learn.microsoft.com, Azure OpenAI REST reference and
API lifecycle.
"""

from __future__ import annotations

from datetime import date

from llm_edge_agent.providers.spec import AuthSpec, ProviderSpec

__all__ = ["AZURE_OPENAI"]

AZURE_OPENAI = ProviderSpec(
    type="azure_openai",
    title="Azure OpenAI",
    verified=date(2026, 11, 23),
    base_url_env="AZURE_OPENAI_ENDPOINT",
    base_url_endings=("/openai", "/openai/v1"),
    key_env="AZURE_OPENAI_API_KEY",
    chat_fields="openai",
    auth=AuthSpec(header="api-key"),
    entra_scope="https://cognitiveservices.azure.com/.default",
    health_path="/openai/v1/models",
    operations={
        "chat_completions": "/openai/v1/chat/completions",
        "completions": "/openai/v1/completions",
        "responses": "/openai/v1/responses",
        "embeddings": "/openai/v1/embeddings",
        "input_tokens": "/openai/v1/responses/input_tokens",
        "compact_response": "/openai/v1/responses/compact",
        "stored_response": "/openai/v1/responses/",
        "openai_pass_through": "/openai/v1/",
    },
    versioned_operations={
        "chat_completions": (
            "/openai/deployments/{model}/chat/completions?api-version={api_version}"
        ),
        "completions": "/openai/deployments/{model}/completions?api-version={api_version}",
        "responses": "/openai/responses?api-version={api_version}",
        "embeddings": "/openai/deployments/{model}/embeddings?api-version={api_version}",
        "stored_response": "/openai/responses/?api-version={api_version}",
        "openai_pass_through": "/openai/?api-version={api_version}",
    },
    catalog=("azure", "openai"),
)
