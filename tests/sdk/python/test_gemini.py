"""Google's SDK at the gateway: texts, streams, tools, counts, models, and every error class."""

import math
from collections.abc import Iterator

import msgspec
import pytest
from google import genai
from google.genai import errors, types

from tests.mock.asks import ARGUMENTS, TEXT, WEATHER
from tests.sdk.python.access import Clients

DECLARED = types.Tool(
    function_declarations=[
        types.FunctionDeclaration(name="weather", parameters_json_schema=WEATHER)
    ]
)
MANUAL = types.AutomaticFunctionCallingConfig(disable=True)


@pytest.fixture
def google(clients: Clients) -> Iterator[genai.Client]:
    with clients.google() as client:
        yield client


@pytest.mark.parametrize("model", ["mock/echo", "models/mock/echo"])
def test_a_text_comes_back_whole(google: genai.Client, model: str) -> None:
    reply = google.models.generate_content(model=model, contents=TEXT)
    assert reply.text == TEXT
    assert reply.candidates[0].finish_reason == types.FinishReason.STOP
    usage = reply.usage_metadata
    total = usage.prompt_token_count + usage.candidates_token_count
    assert usage.total_token_count == total


def test_a_stream_is_the_same_text_in_pieces(google: genai.Client) -> None:
    chunks = list(google.models.generate_content_stream(model="mock/echo", contents=TEXT))
    assert "".join(chunk.text or "" for chunk in chunks) == TEXT
    assert chunks[-1].candidates[0].finish_reason == types.FinishReason.STOP
    assert len(chunks) > 2


def test_a_tool_is_called_and_its_result_sent_back(google: genai.Client) -> None:
    config = types.GenerateContentConfig(tools=[DECLARED], automatic_function_calling=MANUAL)
    first = google.models.generate_content(model="mock/tools", contents=TEXT, config=config)
    (call,) = first.function_calls
    assert (call.name, call.args) == ("weather", ARGUMENTS)
    assert first.candidates[0].content.parts[0].thought_signature
    answer = types.Part.from_function_response(name="weather", response={"sky": "clear"})
    turns = [
        types.Content(role="user", parts=[types.Part(text=TEXT)]),
        first.candidates[0].content,
        types.Content(role="user", parts=[answer]),
    ]
    again = google.models.generate_content(model="mock/tools", contents=turns, config=config)
    assert not again.function_calls
    assert "clear" in again.text


def test_thoughts_are_told_apart(google: genai.Client) -> None:
    reply = google.models.generate_content(model="mock/thinking", contents=TEXT)
    thought, said = reply.candidates[0].content.parts
    assert (thought.thought, said.thought) == (True, None)
    assert said.thought_signature
    assert reply.usage_metadata.thoughts_token_count


def test_a_schema_is_kept(google: genai.Client) -> None:
    config = types.GenerateContentConfig(
        response_mime_type="application/json", response_json_schema=WEATHER
    )
    reply = google.models.generate_content(model="mock/json", contents=TEXT, config=config)
    assert msgspec.json.decode(reply.text) == ARGUMENTS


def test_contents_become_vectors(google: genai.Client) -> None:
    config = types.EmbedContentConfig(output_dimensionality=8, task_type="CLUSTERING")
    reply = google.models.embed_content(
        model="mock/embed", contents=["one two", "three", "one two"], config=config
    )
    first, second, third = (embedding.values for embedding in reply.embeddings)
    assert len(first) == 8
    assert math.hypot(*first) == pytest.approx(1, abs=1e-5)
    assert first == third != second
    assert len(google.models.embed_content(model="mock/embed", contents="x").embeddings) == 1


def test_tokens_are_counted(google: genai.Client) -> None:
    assert google.models.count_tokens(model="mock/echo", contents="one two").total_tokens == 2


def test_models_are_listed_and_shown(google: genai.Client) -> None:
    names = [model.name for model in google.models.list()]
    assert "models/mock/echo" in names
    assert google.models.get(model="mock/echo").name == "models/mock/echo"


@pytest.mark.parametrize(
    ("model", "raised", "code", "status"),
    [
        ("mock/error?status=429", errors.ClientError, 429, "RESOURCE_EXHAUSTED"),
        ("mock/error?status=503", errors.ServerError, 503, "UNAVAILABLE"),
        ("mok/echo", errors.ClientError, 404, "NOT_FOUND"),
        ("mock/nonsense", errors.ClientError, 404, "NOT_FOUND"),
    ],
)
def test_an_error_raises_its_class(
    google: genai.Client, model: str, raised: type[errors.APIError], code: int, status: str
) -> None:
    name = model.replace("?", "%3F").replace("=", "%3D")
    with pytest.raises(raised) as found:
        google.models.generate_content(model=name, contents=TEXT)
    assert (found.value.code, found.value.status) == (code, status)


def test_a_wrong_key_is_refused(clients: Clients) -> None:
    with clients.google(api_key="sk-edge-nobody") as google, pytest.raises(errors.ClientError) as e:
        google.models.generate_content(model="mock/echo", contents=TEXT)
    assert (e.value.code, e.value.status) == (401, "UNAUTHENTICATED")


def test_a_stream_that_is_cut_raises(google: genai.Client) -> None:
    stream = google.models.generate_content_stream(model="mock/cut%3Fafter%3D2", contents=TEXT)
    texts = []
    with pytest.raises(errors.APIError) as found:
        texts.extend(chunk.text for chunk in stream)
    assert len(texts) == 2
    assert found.value.code == 502
