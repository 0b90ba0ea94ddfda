"""What a provider is, as data: its address, how it wants its credential, which paths it serves.

A specification holds no behaviour and imports nothing, so that configuration can check against it
and the compiler can turn it into the snapshot. Adding a provider that speaks a known dialect is one
more literal, here or in another distribution (`registry.py`).
"""

from __future__ import annotations

from datetime import date  # noqa: TC003 -- the checks read it
from typing import Literal

import msgspec

__all__ = [
    "BEARER",
    "CHAT_MEMBERS",
    "OPERATIONS",
    "TOOL_ID_LENGTHS",
    "AuthSpec",
    "ProviderSpec",
    "openai_paths",
]

OPERATIONS = (
    "chat_completions",
    "completions",
    "responses",
    "embeddings",
    "messages",
    "count_tokens",
    "generate_content",
    "stream_generate_content",
    "gemini_count_tokens",
    "converse",
    "converse_stream",
    "cohere_chat",
    "ollama_chat",
    "input_tokens",
    "bedrock_count_tokens",
    "compact_response",
    "stored_response",
    "openai_pass_through",
    "anthropic_pass_through",
    "gemini_pass_through",
    "embed_content",
    "batch_embed_contents",
    "cohere_embed",
    "ollama_embed",
    "rerank",
)
"""Operations that go upstream, named as in the engine and in its order."""


TOOL_ID_LENGTHS = (8, 32)
"""Bounds of `tool_id_length`: shorter ones would soon be the same, longer ones nobody asks for."""

CHAT_MEMBERS = (
    "temperature",
    "top_p",
    "frequency_penalty",
    "presence_penalty",
    "seed",
    "logit_bias",
    "logprobs",
    "top_logprobs",
    "n",
    "service_tier",
    "reasoning_effort",
    "parallel_tool_calls",
    "stream_options",
)
"""Members of chat requests that a provider may call otherwise, or not know, as in the engine."""


class AuthSpec(msgspec.Struct, frozen=True, kw_only=True):
    """Header field (lower case) of a credential, and what stands before it there."""

    header: str
    prefix: str = ""


BEARER = AuthSpec(header="authorization", prefix="Bearer ")

_OPENAI_PATHS = {
    "chat_completions": "/chat/completions",
    "completions": "/completions",
    "responses": "/responses",
    "embeddings": "/embeddings",
    "messages": "/messages",
    "input_tokens": "/responses/input_tokens",
    "compact_response": "/responses/compact",
    "stored_response": "/responses/",
    "openai_pass_through": "/",
    "rerank": "/rerank",
}


def openai_paths(*operations: str) -> dict[str, str]:
    """Operations at the paths where they are below `/v1` at those who follow OpenAI."""
    return {operation: _OPENAI_PATHS[operation] for operation in operations}


class ProviderSpec(msgspec.Struct, frozen=True, kw_only=True):
    """One kind of provider.

    Attributes:
        type: The word in the configuration.
        title: Name for people.
        verified: When it was last compared with the provider's own documents.
        operations: Operation → path below the base URL; `{model}` stands for the model name, and
            behind it `{whole|stream}` for one word or the other, as the reply is to be;
            `{api_version}` for the configured version, `{project}` and `{location}` for those of
            a Google Cloud account. To a path that ends in `/`, the end
            of the client's is added.
        auth: How the credential is presented; None when there is none.
        operation_auth: How it is presented for operations that want it in another way.
        base_url: Where it is, when that is the same for everybody.
        base_url_env: Variable that usually holds the base URL.
        base_url_endings: Path endings that people add to the base URL and that would then stand
            twice.
        region_url: Where it is for an Amazon account, `{region}` standing for the account's region.
        signing_name: What it is called in Amazon's signatures, where it takes those too.
        location_url: Where it is for a Google Cloud account, `{location}` standing for the place.
        location_urls: Where it is for locations that are not in that way.
        oauth_scope: What access tokens of a Google Cloud account are asked for, where it takes
            those.
        entra_scope: What access tokens of Microsoft Entra ID are asked for, where it takes those.
        key_env: Variable that usually holds the credential.
        key_required: Whether it does not answer without a credential.
        versioned_operations: Used instead of `operations` when `api_version` is configured; empty
            when the type knows no version.
        default_headers: Header fields sent when the client sent none of that name.
        withheld_headers: Header fields of the client's that are not passed on.
        health_path: Path below the base URL that a probe asks for; costs no tokens.
        models: Models to list without being told.
        chat_fields: Which members of chat requests it knows: `openai` for those of OpenAI's own
            current API (`max_completion_tokens`), `common` for those that everybody has
            (`max_tokens`).
        chat_members: Members of translated chat requests that it calls otherwise, or (None) does
            not know.
        replays_reasoning: Where translated chat requests take back the reasoning of earlier turns:
            in the member of this name of the assistant's message, which for `content` means parts
            of type `thinking`; None where it is refused, or nobody reads it.
        tool_id_length: Of how many letters and digits ids of tool calls must be, where it insists;
            others are replaced, the same by the same.
        takes_models: Whether it turns to the models of a request's `models` itself.
        is_anthropic: Whether what it serves as messages is Anthropic's own: reasoning must come
            back with its signature, and the line that Claude Code puts before its system prompt is
            for it (where the platform is its own); from others that line is kept away.
        takes_extra_content: Whether it signs tool calls of chat messages in Google's member
            `extra_content` and takes them back so; others are not sent it.
        platform: Where the vendor's API is served: the vendor's `own`, or `vertex`, where
            Anthropic's version stands in the body and its model in the path only, and what is to be
            counted for Gemini is not wrapped.
        catalog: Whose entries in the catalog of models hold here, those looked at first in front;
            empty where prices and capabilities are the operator's own affair.
        takes_bare_names: Whether a model name without a provider may go here unasked.
    """

    type: str
    title: str
    operations: dict[str, str]
    auth: AuthSpec | None
    verified: date | None = None
    base_url: str | None = None
    base_url_env: str | None = None
    base_url_endings: tuple[str, ...] = ()
    region_url: str | None = None
    signing_name: str | None = None
    location_url: str | None = None
    location_urls: dict[str, str] = {}
    oauth_scope: str | None = None
    entra_scope: str | None = None
    key_env: str | None = None
    key_required: bool = True
    operation_auth: dict[str, AuthSpec] = {}
    versioned_operations: dict[str, str] = {}
    default_headers: dict[str, str] = {}
    withheld_headers: tuple[str, ...] = ()
    health_path: str = "/models"
    models: tuple[str, ...] = ()
    chat_fields: Literal["openai", "common"] = "common"
    chat_members: dict[str, str | None] = {}
    replays_reasoning: Literal["reasoning_content", "reasoning", "content"] | None = None
    tool_id_length: int | None = None
    takes_models: bool = False
    is_anthropic: bool = False
    takes_extra_content: bool = False
    platform: Literal["own", "vertex"] = "own"
    catalog: tuple[str, ...] = ()
    takes_bare_names: bool = True

    def address(self, location: str) -> str | None:
        """The base URL for a location of Google Cloud; None where the type has none."""
        if self.location_url is None:
            return None
        return self.location_urls.get(location) or self.location_url.format(location=location)
