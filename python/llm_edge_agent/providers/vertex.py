"""Google Vertex AI, by the API of each kind of model: Gemini's own, Anthropic's, OpenAI's.

Three types, because a model's kind decides how it is asked: `vertex` for Gemini, `vertex_anthropic`
for Claude, `vertex_openai` for the open models that Google serves itself (Llama, DeepSeek, Qwen,
gpt-oss). Sources: cloud.google.com, Vertex AI REST reference v1 (`publishers.models`,
`endpoints.openapi`), "Deployments and endpoints", "Use Claude"; platform.claude.com, "Claude on
Vertex AI"; the SDK `anthropic` 2.12, `lib/vertex`.

The address names the location, except that `global` has none, and the multi-regions `us` and `eu`
have their own. A token count of Claude names its model in the body.
"""

from __future__ import annotations

from datetime import date

from llm_edge_agent.providers.spec import BEARER, ProviderSpec

__all__ = ["VERTEX", "VERTEX_ANTHROPIC", "VERTEX_OPENAI"]

_PLACE = "/v1/projects/{project}/locations/{location}"
_GOOGLE = f"{_PLACE}/publishers/google/models/{{model}}"
_ANTHROPIC = f"{_PLACE}/publishers/anthropic/models"

_LOCATION_URL = "https://{location}-aiplatform.googleapis.com"
_LOCATION_URLS = {
    "global": "https://aiplatform.googleapis.com",
    "us": "https://aiplatform.us.rep.googleapis.com",
    "eu": "https://aiplatform.eu.rep.googleapis.com",
}
_SCOPE = "https://www.googleapis.com/auth/cloud-platform"

# A caller does not choose whose quota is used.
_WITHHELD = ("x-goog-user-project",)

VERTEX = ProviderSpec(
    type="vertex",
    title="Google Vertex AI: Gemini",
    verified=date(2026, 11, 26),
    location_url=_LOCATION_URL,
    location_urls=_LOCATION_URLS,
    oauth_scope=_SCOPE,
    auth=BEARER,
    operations={
        "generate_content": f"{_GOOGLE}:generateContent",
        "stream_generate_content": f"{_GOOGLE}:streamGenerateContent",
        "gemini_count_tokens": f"{_GOOGLE}:countTokens",
    },
    platform="vertex",
    withheld_headers=_WITHHELD,
    health_path="/",
    catalog=("vertex", "google"),
)

VERTEX_ANTHROPIC = ProviderSpec(
    type="vertex_anthropic",
    title="Google Vertex AI: Claude",
    verified=date(2026, 11, 26),
    location_url=_LOCATION_URL,
    location_urls=_LOCATION_URLS,
    oauth_scope=_SCOPE,
    auth=BEARER,
    operations={
        "messages": f"{_ANTHROPIC}/{{model}}:{{rawPredict|streamRawPredict}}",
        "count_tokens": f"{_ANTHROPIC}/count-tokens:rawPredict",
    },
    platform="vertex",
    is_anthropic=True,
    # The body says it.
    withheld_headers=(*_WITHHELD, "anthropic-version"),
    health_path="/",
    catalog=("vertex", "google", "anthropic"),
)

VERTEX_OPENAI = ProviderSpec(
    type="vertex_openai",
    title="Google Vertex AI: open models",
    verified=date(2026, 11, 26),
    location_url=_LOCATION_URL,
    location_urls=_LOCATION_URLS,
    oauth_scope=_SCOPE,
    auth=BEARER,
    operations={"chat_completions": f"{_PLACE}/endpoints/openapi/chat/completions"},
    takes_extra_content=True,
    withheld_headers=_WITHHELD,
    health_path="/",
    catalog=("vertex", "google"),
)
