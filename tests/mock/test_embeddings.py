"""Embeddings of Cohere's API and of Ollama's at the mock.

Cohere's are judged by the schema that it publishes; what Ollama's client reads is written down
here. Source: types of the package `ollama` 0.6.3 (`EmbedResponse`).
"""

from __future__ import annotations

import base64
import math
import struct
from typing import Any

import httpx2
import msgspec
import pytest

from tests.schemas.judge import Judge

TEXTS = ["Grüße, 世界!", "two"]


class Embedded(msgspec.Struct, forbid_unknown_fields=True):
    model: str
    embeddings: list[list[float]]
    total_duration: int
    load_duration: int
    prompt_eval_count: int


def cohere(mock_address: str, **asked: object) -> httpx2.Response:
    plain = {"model": "embed?dims=16", "input_type": "search_document", "texts": TEXTS}
    asked = {name: value for name, value in (plain | asked).items() if value is not None}
    return httpx2.post(f"{mock_address}/v2/embed", json=asked, timeout=20)


def ollama(mock_address: str, **asked: object) -> httpx2.Response:
    asked = {"model": "embed?dims=16"} | asked
    return httpx2.post(f"{mock_address}/api/embed", json=asked, timeout=20)


def embedded(reply: httpx2.Response) -> Embedded:
    assert reply.status_code == 200, reply.text
    return msgspec.json.decode(reply.content, type=Embedded)


def told(reply: httpx2.Response) -> dict[str, Any]:
    assert reply.status_code == 200, reply.text
    tree: dict[str, Any] = reply.json()
    # The schema insists on a member that it does not describe; it is told below `meta`.
    assert Judge("cohere").faults("EmbedByTypeResponse", tree) == {
        '`.`: "api_version" is a required property'
    }
    return tree


def test_cohere_has_a_vector_for_each_text(mock_address: str) -> None:
    tree = told(cohere(mock_address))
    assert (tree["texts"], tree["response_type"]) == (TEXTS, "embeddings_by_type")
    assert tree["meta"]["billed_units"]["input_tokens"] > 1
    (kind, vectors), *others = tree["embeddings"].items()
    assert (kind, others) == ("float", [])
    assert [len(vector) for vector in vectors] == [16, 16]
    parts = [{"content": [{"type": "text", "text": text}]} for text in TEXTS]
    by_parts = told(cohere(mock_address, texts=None, inputs=parts, output_dimension=16))
    assert by_parts["embeddings"]["float"] == vectors
    assert "texts" not in by_parts


def test_cohere_has_each_kind_of_vector(mock_address: str) -> None:
    kinds = ["float", "int8", "uint8", "binary", "ubinary", "base64"]
    embeddings = told(cohere(mock_address, embedding_types=kinds))["embeddings"]
    assert list(embeddings) == kinds
    for index, floats in enumerate(embeddings["float"]):
        packed = base64.b64decode(embeddings["base64"][index])
        assert list(struct.unpack("<16f", packed)) == pytest.approx(floats, abs=1e-7)
        assert embeddings["int8"][index] == [round(x * 127) for x in floats]
        assert embeddings["uint8"][index] == [round(x * 127) + 128 for x in floats]
        bits = "".join("1" if x > 0 else "0" for x in floats)
        octets = [int(bits[:8], 2), int(bits[8:], 2)]
        assert embeddings["ubinary"][index] == octets
        assert embeddings["binary"][index] == [octet - 128 for octet in octets]


@pytest.mark.parametrize(
    "wrong",
    [
        {"input_type": None},
        {"input_type": "poem"},
        {"texts": None},
        {"texts": []},
        {"texts": ["x"] * 97},
        {"texts": [1]},
        {"texts": None, "inputs": [{"content": [{"type": "image_url"}]}]},
        {"embedding_types": ["float64"]},
        {"output_dimension": 0},
    ],
    ids=str,
)
def test_cohere_says_what_is_wrong(mock_address: str, wrong: dict[str, object]) -> None:
    reply = cohere(mock_address, **wrong)
    assert (reply.status_code, set(reply.json())) == (400, {"id", "message"})


def test_ollama_embeds_one_text_or_several_or_none(mock_address: str) -> None:
    several = embedded(ollama(mock_address, input=TEXTS))
    assert [math.hypot(*vector) for vector in several.embeddings] == pytest.approx([1, 1])
    assert several.model == "embed?dims=16"
    one = embedded(ollama(mock_address, input=TEXTS[0], dimensions=16))
    assert one.embeddings == several.embeddings[:1]
    assert 0 < one.prompt_eval_count < several.prompt_eval_count
    # Ollama answers so when a model is only to be loaded.
    assert embedded(ollama(mock_address, input="")).embeddings == []
    wrong = ollama(mock_address, input=[1])
    assert (wrong.status_code, list(wrong.json())) == (400, ["error"])
