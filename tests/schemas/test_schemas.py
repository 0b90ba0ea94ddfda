"""The vendors' own schemas judge what the translation makes, of every feature of every pair.

So they do of token counts, of what the gateway rejects itself, and of its lists of models. These
come from a gateway, all others from the Rust test of the pairs (`rust/core/tests/pairs`). Bodies
for upstreams are judged by what the target's vendor takes; replies, events of streams and errors by
what the surface's vendor says.
"""

import collections
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema_rs
import msgspec
import pytest

from llm_edge_agent.providers import SPECS
from tests.schemas.amendments import AMENDMENTS, Amendment
from tests.schemas.judge import Judge
from tests.schemas.lists import lists
from tests.schemas.vendors import CHAT_REQUEST, CHATS, VENDORS
from tests.support.tree import ROOT

KINDS = ("requests", "replies", "events", "errors", "failures")


class Wire(msgspec.Struct, frozen=True):
    """By which schemas of which vendor the documents of one dialect are judged, kind by kind."""

    vendor: str
    schemas: dict[str, str]


def wire(vendor: str, *schemas: str) -> Wire:
    """A row of the table: the kinds that the dialect has no schema for are left out, last first."""
    return Wire(vendor, dict(zip(KINDS, schemas, strict=False)))


VERTEX = "GoogleCloudAiplatformV1"
DIALECTS = {
    "openai_chat": wire(
        "openai",
        "CreateChatCompletionRequest",
        "CreateChatCompletionResponse",
        "CreateChatCompletionStreamResponse",
        "ErrorResponse",
        "ErrorResponse",
    ),
    "openai_responses": wire(
        "openai",
        "CreateResponse",
        "Response",
        "ResponseStreamEvent",
        "ErrorResponse",
        "ResponseErrorEvent",
    ),
    "anthropic_messages": wire(
        "anthropic",
        "CreateMessageParams",
        "Message",
        "MessageStreamEvent",
        "ErrorResponse",
        "ErrorResponse",
    ),
    "gemini": wire(
        "google",
        "GenerateContentRequest",
        "GenerateContentResponse",
        "GenerateContentResponse",
        "ErrorInHttp",
        "ErrorInHttp",
    ),
    # Spoken to upstreams only.
    "bedrock_converse": wire("amazon", "ConverseRequest"),
    "cohere_chat": wire("cohere", "/v2/chat"),
    # Ollama publishes none.
    "ollama_chat": wire("ollama"),
    "openai_embeddings": Wire(
        "openai",
        {
            "requests": "CreateEmbeddingRequest",
            "replies": "CreateEmbeddingResponse",
            "errors": "ErrorResponse",
        },
    ),
    "gemini_embed_content": Wire(
        "google",
        {
            "requests": "EmbedContentRequest",
            "replies": "EmbedContentResponse",
            "errors": "ErrorInHttp",
        },
    ),
    "gemini_batch_embed_contents": Wire(
        "google",
        {
            "requests": "BatchEmbedContentsRequest",
            "replies": "BatchEmbedContentsResponse",
            "errors": "ErrorInHttp",
        },
    ),
    "cohere_embed": wire("cohere", "/v2/embed"),
    "ollama_embed": wire("ollama"),
    # Counts, by their operations.
    "count_tokens": wire("anthropic", "CountMessageTokensParams", "CountMessageTokensResponse"),
    "input_tokens": wire("openai", "TokenCountsBody", "TokenCountsResource"),
    "gemini_count_tokens": wire("google", "CountTokensRequest", "CountTokensResponse"),
    "bedrock_count_tokens": wire("amazon", "CountTokensRequest"),
    # Lists of models, and one of them alone.
    "openai_models": Wire("openai", {"replies": "ListModelsResponse"}),
    "openai_models_one": Wire("openai", {"replies": "Model"}),
    "anthropic_models": Wire("anthropic", {"replies": "ListResponse_ModelInfo_"}),
    "anthropic_models_one": Wire("anthropic", {"replies": "ModelInfo"}),
    "gemini_models": Wire("google", {"replies": "ListModelsResponse"}),
    "gemini_models_one": Wire("google", {"replies": "Model"}),
    # Platforms that have an API of their own, by the types of their providers.
    "vertex": wire("vertex", f"{VERTEX}GenerateContentRequest"),
    "vertex_count_tokens": wire("vertex", f"{VERTEX}CountTokensRequest"),
    "vertex_anthropic": wire("anthropic", "CreateMessageParamsOnVertex"),
    # Those who took OpenAI's APIs for theirs.
    **{f"chat_{name}": wire(f"chat_{name}", CHAT_REQUEST) for name in CHATS},
    "common_responses": wire("openai", "CreateResponse"),
}

UNJUDGED = {
    ("ollama_chat", "requests"): "Ollama publishes no schema",
    ("ollama_embed", "requests"): "Ollama publishes no schema",
}
"""What no schema judges, and why."""

FREE = {
    "parameters": "a schema of the client's",
    "input_schema": "a schema of the client's",
    "inputSchema": "a schema of the client's",
    "parametersJsonSchema": "a schema of the client's",
    "responseJsonSchema": "a schema of the client's",
    "schema": "a schema of the client's",
    "input": "what a tool is called with",
    "args": "what a tool is called with",
    "response": "what a tool gave",
    "metadata": "names of the client's",
    "logit_bias": "ids of tokens",
    "additionalModelRequestFields": "what models have of their own",
    "cohere json_schema": "a schema of the client's",
    "google details": "messages of any type",
    "openai annotation": "of any kind, in the event that tells one",
}
"""Members that hold an object with anything in it, at one vendor or at all, and why."""

ALIKE = {"openai_chat": wire("azure", "createChatCompletionRequest")}
"""Those who are sent the same bodies as the vendor of a dialect."""


class Document(msgspec.Struct, frozen=True):
    """One document, and what it was made of."""

    surface: str
    target: str
    name: str
    document: Any

    def dialect(self, kind: str) -> str:
        return self.target if kind == "requests" else self.surface

    def __str__(self) -> str:
        return f"{self.surface} → {self.target}, {self.name}"


Documents = dict[str, list[Document]]


@pytest.fixture(scope="session")
def documents(tmp_path_factory: pytest.TempPathFactory) -> Documents:
    folder = tmp_path_factory.mktemp("translated")
    # As `make unit-rust` builds it: of one package alone, other features would make another build.
    build = ["--workspace", "--features", "llm-edge-engine/fail-points", "--test", "pairs"]
    locked = ["--locked"] if "CI" in os.environ else []
    others = {
        name: {
            "chat_fields": spec.chat_fields,
            "chat_members": spec.chat_members,
            "tool_id_length": spec.tool_id_length,
        }
        for name, spec in SPECS.items()
        if "chat_completions" in spec.operations and spec.chat_fields != "openai" and name != "mock"
    }
    providers = folder / "providers.json"
    providers.write_bytes(msgspec.json.encode(others))
    done = subprocess.run(
        ["cargo", "test", *build, *locked, "--", "can_be_judged"],
        cwd=ROOT,
        env=os.environ | {"TRANSLATED_TO": str(folder), "TRANSLATED_FOR": str(providers)},
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, (done.stdout + done.stderr).decode()
    found = {kind: read(folder / f"{kind}.jsonl") for kind in KINDS}
    found["replies"] += [
        Document(name, "the gateway", "its models", tree) for name, tree in lists(folder).items()
    ]
    return found


def read(path: Path) -> list[Document]:
    # The same event comes in many streams.
    lines = path.read_bytes().splitlines()
    found = [msgspec.json.decode(line, type=Document) for line in lines]
    key = {msgspec.json.encode((d.surface, d.target, d.document)): d for d in reversed(found)}
    return list(key.values())


@pytest.fixture(scope="session")
def judges() -> dict[str, Judge]:
    return {vendor: Judge(vendor) for vendor in VENDORS}


def judged(documents: Documents) -> Iterator[tuple[str, str, Document]]:
    """Each document with its vendor and its schema there."""
    for kind, of_kind in documents.items():
        for document in of_kind:
            dialect = document.dialect(kind)
            for row in (DIALECTS[dialect], ALIKE.get(dialect)):
                if row and kind in row.schemas:
                    yield row.vendor, row.schemas[kind], document


# The first run builds the test of the pairs.
pytestmark = pytest.mark.timeout(600)


def test_every_dialect_has_its_schemas(documents: Documents) -> None:
    for kind, of_kind in documents.items():
        missing = {document.dialect(kind) for document in of_kind} - set(DIALECTS)
        assert not missing, f"no schemas for {missing}. hint: add a row to `DIALECTS`"


@pytest.mark.parametrize("kind", KINDS)
def test_every_document_is_what_its_vendor_says(
    documents: Documents, judges: dict[str, Judge], kind: str
) -> None:
    faults = collections.defaultdict(list)
    for vendor, schema, document in judged({kind: documents[kind]}):
        for fault in judges[vendor].faults(schema, document.document):
            faults[f"{schema} {fault}"].append(str(document))
    assert not faults, "\n".join(
        f"{fault}\n    {len(of)} times, such as {of[0]}" for fault, of in sorted(faults.items())
    )


def objects(node: object, vendor: str, path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every object in a document whose members are named by a schema, with the way to it."""
    if isinstance(node, list):
        for value in node:
            yield from objects(value, vendor, f"{path}[]")
    elif isinstance(node, dict):
        yield path, node
        for name, value in node.items():
            is_free = f"{vendor} {name}" in FREE or (name in FREE and isinstance(value, dict))
            if not is_free:
                yield from objects(value, vendor, f"{path}.{name}")


def test_an_unknown_member_is_a_fault_wherever_it_stands(
    documents: Documents, judges: dict[str, Judge]
) -> None:
    seen = set()
    passed = collections.defaultdict(list)
    for vendor, schema, document in judged(documents):
        for path, place in objects(document.document, vendor):
            # Kinds of a union have the same way to them.
            key = (vendor, schema, path, place.get("type"))
            if key not in seen:
                seen.add(key)
                place["mark_unknown"] = 1
                if not judges[vendor].faults(schema, document.document):
                    passed[f"{vendor} {schema} {path} {place.get('type')}"].append(str(document))
                del place["mark_unknown"]
    assert any("[]." in path for _, _, path, _ in seen)
    assert not passed, "\n".join(f"{place} ({of[0]})" for place, of in sorted(passed.items()))


def test_every_document_is_judged_or_said_not_to_be(documents: Documents) -> None:
    bare = {
        (dialect, kind)
        for kind, of_kind in documents.items()
        for dialect in {document.dialect(kind) for document in of_kind}
        if kind not in DIALECTS[dialect].schemas
    }
    assert not bare - set(UNJUDGED), "add rows to `DIALECTS`, or to `UNJUDGED` with the reason"
    assert not set(UNJUDGED) - bare, "these are judged, or not made: remove them from `UNJUDGED`"


@pytest.mark.parametrize("amendment", AMENDMENTS, ids=lambda a: f"{a.schema}{a.at}")
def test_every_amendment_is_needed(documents: Documents, amendment: Amendment) -> None:
    judge = Judge(amendment.vendor, without=amendment)
    try:
        needed = any(
            vendor == amendment.vendor and judge.faults(schema, document.document)
            for vendor, schema, document in judged(documents)
        )
    except jsonschema_rs.ValidationError:
        return  # Without it the vendor's document is no schema.
    assert needed, f"remove it. It was there because: {amendment.reason}"
