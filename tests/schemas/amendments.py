"""Where a vendor's schema is not what the vendor's API takes and says, and what we say beyond it.

An amendment that no document needs any more fails the test.
"""

from typing import Any

import msgspec

from tests.schemas.vendors import Schema


class Amendment(msgspec.Struct, frozen=True):
    """What a schema of a vendor holds besides."""

    vendor: str
    schema: str
    at: str
    """Where in the schema: a JSON pointer; `-` stands for the end of a list (RFC 6902, `add`)."""
    value: Any
    reason: str

    def apply(self, schemas: dict[str, Schema]) -> None:
        """Put it in."""
        *parents, last = self.at.removeprefix("/").split("/")
        place: Any = schemas[self.schema]
        for step in parents:
            place = place[int(step) if isinstance(place, list) else step]
        if isinstance(place, list):
            assert last == "-", f"{self.at} of {self.schema} would replace what is there"
            place.append(self.value)
        else:
            place[last] = self.value


def _object(**properties: Schema) -> Schema:
    return {"type": "object", "properties": properties}


TEXT = {"type": "string"}
COUNT = {"type": "integer"}
THINKING_BLOCKS = {
    "type": "array",
    "minItems": 1,
    "items": {
        "anyOf": [
            _object(type={"const": "thinking"}, thinking=TEXT, signature=TEXT, index=COUNT)
            | {"required": ["type", "thinking"]},
            _object(type={"const": "redacted_thinking"}, data=TEXT, index=COUNT)
            | {"required": ["type", "data"]},
        ]
    },
}
ANNOTATION = _object(
    type={"const": "url_citation"},
    url_citation=_object(url=TEXT, title=TEXT, start_index=COUNT, end_index=COUNT)
    | {"required": ["url", "title", "start_index", "end_index"]},
) | {"required": ["type", "url_citation"]}
REASONING = "how reasoning is told by DeepSeek, vLLM and others; OpenAI's chat does not tell it"
BLOCKS = "how LiteLLM tells reasoning with its signature, which the next turn must give back"

EFFORTS = "/allOf/1/properties/reasoning_effort/enum"
OF_APRIL_2025 = "newer than Azure's document, which is of April 2025: OpenAI's has it"

AMENDMENTS = [
    *(
        Amendment("azure", schema, at, value, OF_APRIL_2025)
        for schema, at, value in (
            ("chatCompletionsRequestCommon", "/properties/prompt_cache_key", TEXT),
            ("chatCompletionsRequestCommon", "/properties/safety_identifier", TEXT),
            ("chatCompletionsRequestCommon", "/properties/service_tier", TEXT),
            ("chatCompletionsRequestCommon", "/properties/verbosity", TEXT),
            (
                "chatCompletionRequestUserMessageContentPart",
                "/oneOf/-",
                _object(
                    type={"const": "file"},
                    file=_object(file_data=TEXT, file_id=TEXT, filename=TEXT),
                )
                | {"required": ["type", "file"]},
            ),
            *(
                ("createChatCompletionRequest", f"{EFFORTS}/-", effort)
                for effort in ("minimal", "xhigh", "max")
            ),
        )
    ),
    Amendment(
        "azure",
        "chatCompletionsRequestCommon",
        "/properties/model",
        TEXT,
        "the path names the deployment; a model beside it does no harm: OpenAI's SDK sends one too",
    ),
    *(
        Amendment("openai", schema, f"/properties/{member}", value, reason)
        for schema in ("ChatCompletionResponseMessage", "ChatCompletionStreamResponseDelta")
        for member, value, reason in (
            ("reasoning_content", TEXT, REASONING),
            ("thinking_blocks", THINKING_BLOCKS, BLOCKS),
        )
    ),
    Amendment(
        "openai",
        "ChatCompletionStreamResponseDelta",
        "/properties/annotations",
        {"type": "array", "items": ANNOTATION},
        "the document has citations in whole replies only; search models stream them too",
    ),
    Amendment(
        "openai",
        "CompletionUsage",
        "/properties/prompt_tokens_details/properties/cache_write_tokens",
        COUNT,
        "newer than the document: `PromptTokensDetails` of openai 3.54",
    ),
    Amendment(
        "openai",
        "ResponseUsage",
        "/properties/input_tokens_details/properties/cache_write_tokens",
        COUNT,
        "newer than the document: `InputTokensDetails` of openai 3.54",
    ),
    Amendment(
        "openai",
        "ReasoningEffort",
        "/anyOf/0/enum/-",
        "max",
        "newer than the document: `ReasoningEffort` of openai 3.54",
    ),
    Amendment(
        "openai",
        "Response",
        "/allOf/-",
        _object(store={"type": "boolean"}),
        "the API tells it, the document forgets it: it is a member of the request alone",
    ),
    Amendment(
        "openai",
        "ResponseErrorEvent",
        "/properties/error",
        {"$ref": "#/components/schemas/Error"},
        "beyond it: by a member `error` OpenAI's SDKs tell that a stream failed, and raise",
    ),
    Amendment(
        "anthropic",
        "ErrorResponse",
        "/properties/error/oneOf/-",
        _object(type={"const": "request_too_large"}, message=TEXT)
        | {"required": ["type", "message"]},
        "the reference has it (errors, 413), the document does not",
    ),
    Amendment(
        "anthropic",
        "ModelInfo",
        "/properties/lifecycle",
        {"enum": ["active", "deprecated", "retired"]},
        "newer than the document: `ModelInfo` of anthropic 2.12 insists on it",
    ),
    Amendment(
        "google",
        "Part",
        "/properties/mediaResolution",
        _object(level=TEXT, numTokens=COUNT),
        "the document refers to a schema that it has not: `PartMediaResolution` of google-genai",
    ),
]
