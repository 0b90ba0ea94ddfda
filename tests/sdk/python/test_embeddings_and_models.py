"""Embeddings, and the lists of models of both APIs, through the gateway."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import anthropic
import openai
import pytest

from tests.mock.asks import strictly

if TYPE_CHECKING:
    from tests.sdk.python.access import Clients


def test_embeddings_arrive_as_floats_and_as_base64(oai: openai.OpenAI) -> None:
    ask = {"model": "mock/embed?dims=64", "input": ["one two", "three"]}
    raw = oai.embeddings.with_raw_response.create(**ask)
    # The SDK asks for base64 and unpacks it itself, unless told what to ask for.
    assert b'"encoding_format":"base64"' in raw.http_request.content
    packed = raw.parse()
    strictly(packed)
    floats = oai.embeddings.create(**ask, encoding_format="float")
    for left, right in zip(packed.data, floats.data, strict=True):
        assert left.embedding == pytest.approx(right.embedding, abs=1e-6)
        assert math.hypot(*left.embedding) == pytest.approx(1, abs=1e-5)
    assert packed.data[0].embedding != packed.data[1].embedding
    assert packed.usage == floats.usage
    encoded = oai.embeddings.create(**ask, encoding_format="base64")
    assert isinstance(encoded.data[0].embedding, str)


def test_dimensions_are_passed_on(oai: openai.OpenAI) -> None:
    vector = oai.embeddings.create(model="mock/embed", input="x", dimensions=7).data[0].embedding
    assert len(vector) == 7


def test_the_models_of_the_demo_are_listed_in_both_shapes(
    oai: openai.OpenAI, ant: anthropic.Anthropic
) -> None:
    ids = [model.id for model in oai.models.list()]
    assert {"demo", "mock/echo", "mock/lorem", "mock/big"} <= set(ids)
    assert len(ids) == len(set(ids))
    for model in oai.models.list():
        strictly(model)
    assert [model.id for model in ant.models.list()] == ids
    for model in ant.models.list():
        strictly(model)


@pytest.mark.parametrize("name", ["demo", "mock/echo"])
def test_a_model_is_found_by_its_name(
    oai: openai.OpenAI, ant: anthropic.Anthropic, name: str
) -> None:
    raw = oai.models.with_raw_response.retrieve(name)
    assert raw.http_request.url.raw_path.decode().endswith(name.replace("/", "%2F"))
    for model in (raw.parse(), ant.models.retrieve(name)):
        strictly(model)
        assert model.id == name


def test_a_model_that_is_not_there_is_not_found_in_both_shapes(
    oai: openai.OpenAI, ant: anthropic.Anthropic
) -> None:
    with pytest.raises(openai.NotFoundError, match="did you mean `mock/echo`"):
        oai.models.retrieve("mock/ecko")
    with pytest.raises(anthropic.NotFoundError, match="did you mean `mock/echo`"):
        ant.models.retrieve("mock/ecko")


def test_the_routes_of_a_configuration_are_listed(configured_clients: Clients) -> None:
    with configured_clients.oai() as client:
        ids = {model.id for model in client.models.list()}
    assert {"gpt-small", "claude-small", "silent-one"} <= ids
    assert not any(name.endswith("*") for name in ids)


@pytest.mark.parametrize("provider", ["cohere", "ollama"])
def test_openai_s_sdk_reaches_models_behind_either(
    crossing_clients: Clients, provider: str
) -> None:
    with crossing_clients.oai() as client:
        model = f"{provider}/embed?dims=16"
        said = client.embeddings.create(model=model, input=["Grüße, 世界!", "two"])
        fewer = client.embeddings.create(model=model, input="two", dimensions=8)
        with pytest.raises(openai.RateLimitError):
            client.embeddings.create(model=f"{provider}/error?status=429", input="two")
    assert [len(one.embedding) for one in said.data] == [16, 16]
    assert [math.hypot(*one.embedding) for one in said.data] == pytest.approx([1, 1])
    assert said.usage.prompt_tokens > 1
    assert len(fewer.data[0].embedding) == 8
