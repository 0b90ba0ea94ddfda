"""The official SDKs against the mock: what it sends is what the vendors' own clients expect."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import anthropic
import httpx2
import openai
import pytest

from tests.mock.asks import (
    CHAT_TOOL,
    MESSAGES_TOOL,
    RESPONSES_TOOL,
    TEXT,
    USER,
    Bounded,
    City,
    strictly,
)

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def oai(mock_address: str) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(
        base_url=f"{mock_address}/v1", api_key="none", max_retries=0, timeout=20
    ) as client:
        yield client


@pytest.fixture(scope="session")
def ant(mock_address: str) -> Iterator[anthropic.Anthropic]:
    with anthropic.Anthropic(
        base_url=mock_address, api_key="none", max_retries=0, timeout=20
    ) as client:
        yield client


# --- chat completions


def test_chat_answers_whole_and_streamed_alike(oai: openai.OpenAI) -> None:
    whole = oai.chat.completions.create(model="echo", messages=USER)
    strictly(whole)
    assert whole.choices[0].message.content == TEXT
    assert whole.choices[0].finish_reason == "stop"
    ask = {"model": "echo", "messages": USER, "stream_options": {"include_usage": True}}
    with oai.chat.completions.stream(**ask) as stream:
        kinds = [event.type for event in stream]
        final = stream.get_final_completion()
    assert "content.delta" in kinds
    assert final.choices[0].message.content == TEXT
    assert final.usage == whole.usage


def test_every_chat_chunk_is_valid(oai: openai.OpenAI) -> None:
    for model in ("lorem?tokens=5", "tools", "thinking"):
        chunks = list(
            oai.chat.completions.create(model=model, messages=USER, tools=[CHAT_TOOL], stream=True)
        )
        for chunk in chunks:
            strictly(chunk)
        assert len({chunk.id for chunk in chunks}) == 1
        assert chunks[-1].choices[0].finish_reason in {"stop", "tool_calls"}


def test_chat_calls_a_tool_and_takes_its_result(oai: openai.OpenAI) -> None:
    whole = oai.chat.completions.create(model="tools", messages=USER, tools=[CHAT_TOOL])
    strictly(whole)
    assert whole.choices[0].finish_reason == "tool_calls"
    with oai.chat.completions.stream(model="tools", messages=USER, tools=[CHAT_TOOL]) as stream:
        done = [event for event in stream if event.type == "tool_calls.function.arguments.done"]
    assert done[0].parsed_arguments == {"city": "text", "days": 2}
    call = whole.choices[0].message
    answer = {"role": "tool", "tool_call_id": call.tool_calls[0].id, "content": "sunny"}
    after = oai.chat.completions.create(
        model="tools",
        messages=[*USER, call.model_dump(exclude_none=True), answer],
        tools=[CHAT_TOOL],
    )
    assert after.choices[0].message.content == "The tool answered: sunny"


def test_chat_parses_structured_output(oai: openai.OpenAI) -> None:
    parsed = oai.chat.completions.parse(model="json", messages=USER, response_format=City)
    assert isinstance(parsed.choices[0].message.parsed, City)
    with oai.chat.completions.stream(model="json", messages=USER, response_format=City) as stream:
        stream.until_done()
        assert (
            stream.get_final_completion().choices[0].message.parsed
            == parsed.choices[0].message.parsed
        )

    bounded = oai.chat.completions.parse(model="json", messages=USER, response_format=Bounded)
    assert bounded.choices[0].message.parsed == Bounded(population=10, code="AAA-00")


def test_completions_answer_whole_and_streamed_alike(oai: openai.OpenAI) -> None:
    whole = oai.completions.create(model="echo", prompt=TEXT)
    strictly(whole)
    chunks = list(
        oai.completions.create(
            model="echo", prompt=TEXT, stream=True, stream_options={"include_usage": True}
        )
    )
    assert (
        "".join(chunk.choices[0].text for chunk in chunks if chunk.choices)
        == TEXT
        == whole.choices[0].text
    )
    assert chunks[-1].usage == whole.usage


# --- responses


@pytest.mark.parametrize("model", ["echo", "thinking", "tools", "lorem?tokens=30"])
def test_responses_answer_whole_and_streamed_alike(oai: openai.OpenAI, model: str) -> None:
    whole = oai.responses.create(model=model, input=TEXT, tools=[RESPONSES_TOOL])
    strictly(whole)
    for event in oai.responses.create(model=model, input=TEXT, tools=[RESPONSES_TOOL], stream=True):
        strictly(event)
    with oai.responses.stream(model=model, input=TEXT, tools=[RESPONSES_TOOL]) as stream:
        for _ in stream:
            pass
        final = stream.get_final_response()
    assert final.output_text == whole.output_text
    assert final.usage == whole.usage
    assert [item.type for item in final.output] == [item.type for item in whole.output]
    assert final.status == "completed"


def test_responses_call_a_tool_and_take_its_result(oai: openai.OpenAI) -> None:
    first = oai.responses.create(model="tools", input=USER, tools=[RESPONSES_TOOL])
    call = first.output[0]
    result = {"type": "function_call_output", "call_id": call.call_id, "output": "sunny"}
    items = [*USER, call.model_dump(exclude_none=True), result]
    assert (
        oai.responses.create(model="tools", input=items).output_text == "The tool answered: sunny"
    )


def test_responses_parse_structured_output(oai: openai.OpenAI) -> None:
    parsed = oai.responses.parse(model="json", input=TEXT, text_format=City)
    assert isinstance(parsed.output_parsed, City)
    with oai.responses.stream(model="json", input=TEXT, text_format=City) as stream:
        assert stream.get_final_response().output_parsed == parsed.output_parsed


def test_a_response_that_hits_its_limit_is_incomplete(oai: openai.OpenAI) -> None:
    events = list(
        oai.responses.create(model="lorem", input=TEXT, max_output_tokens=16, stream=True)
    )
    assert events[-1].type == "response.incomplete"
    assert events[-1].response.incomplete_details.reason == "max_output_tokens"
    assert events[-1].response.usage.output_tokens == 16


# --- embeddings and models


def test_embeddings_arrive_as_floats_and_as_base64(oai: openai.OpenAI) -> None:
    packed = oai.embeddings.create(model="embed?dims=64", input=["one two", "three"])
    strictly(packed)
    floats = oai.embeddings.create(
        model="embed?dims=64", input=["one two", "three"], encoding_format="float"
    )
    for left, right in zip(packed.data, floats.data, strict=True):
        assert left.embedding == pytest.approx(right.embedding, abs=1e-6)
        assert math.hypot(*left.embedding) == pytest.approx(1, abs=1e-5)
    assert len(oai.embeddings.create(model="embed", input="x", dimensions=7).data[0].embedding) == 7


def test_models_are_listed_and_found(oai: openai.OpenAI, ant: anthropic.Anthropic) -> None:
    ids = [model.id for model in oai.models.list()]
    assert {"echo", "lorem", "big"} <= set(ids)
    assert [model.id for model in ant.models.list()] == ids
    for model in [oai.models.retrieve("mock/echo"), ant.models.retrieve("mock/echo")]:
        strictly(model)
        assert model.id == "mock/echo"


# --- messages


@pytest.mark.parametrize("model", ["echo", "thinking", "tools", "lorem?tokens=30"])
def test_messages_answer_whole_and_streamed_alike(ant: anthropic.Anthropic, model: str) -> None:
    ask = {"model": model, "messages": USER, "max_tokens": 500, "tools": [MESSAGES_TOOL]}
    whole = ant.messages.create(**ask)
    strictly(whole)
    for event in ant.messages.create(**ask, stream=True):
        strictly(event)
    with ant.messages.stream(**ask) as stream:
        final = stream.get_final_message()
    without_ids = {"content": {"__all__": {"id"}}}
    assert final.model_dump(include={"content"}, exclude=without_ids) == whole.model_dump(
        include={"content"}, exclude=without_ids
    )
    assert final.usage == whole.usage
    assert (
        final.stop_reason == whole.stop_reason == ("tool_use" if model == "tools" else "end_turn")
    )


def test_messages_call_a_tool_and_take_its_result(ant: anthropic.Anthropic) -> None:
    first = ant.messages.create(model="tools", messages=USER, max_tokens=99, tools=[MESSAGES_TOOL])
    call = first.content[0]
    assert call.input == {"city": "text", "days": 2}
    result = {
        "type": "tool_result",
        "tool_use_id": call.id,
        "content": [{"type": "text", "text": "sunny"}],
    }
    turns = [
        *USER,
        {"role": "assistant", "content": first.content},
        {"role": "user", "content": [result]},
    ]
    after = ant.messages.create(model="tools", messages=turns, max_tokens=99, tools=[MESSAGES_TOOL])
    assert after.content[0].text == "The tool answered: sunny"


def test_messages_parse_structured_output(ant: anthropic.Anthropic) -> None:
    ask = {"model": "json", "messages": USER, "max_tokens": 999, "output_format": City}
    parsed = ant.messages.parse(**ask)
    assert isinstance(parsed.parsed_output, City)
    with ant.messages.stream(**ask) as stream:
        assert stream.get_final_message().parsed_output == parsed.parsed_output


def test_messages_end_at_a_stop_sequence_and_at_their_limit(ant: anthropic.Anthropic) -> None:
    ask = {"model": "echo", "messages": [{"role": "user", "content": "one two three"}]}
    stopped = ant.messages.create(**ask, max_tokens=99, stop_sequences=["three"])
    assert (stopped.stop_reason, stopped.stop_sequence, stopped.content[0].text) == (
        "stop_sequence",
        "three",
        "one two ",
    )
    limited = ant.messages.create(**ask, max_tokens=2)
    assert (limited.stop_reason, limited.usage.output_tokens) == ("max_tokens", 2)


def test_counted_tokens_are_those_of_the_usage(ant: anthropic.Anthropic) -> None:
    ask = {"model": "echo", "messages": USER, "system": "be brief", "tools": [MESSAGES_TOOL]}
    counted = ant.messages.count_tokens(**ask).input_tokens
    assert ant.messages.create(**ask, max_tokens=99).usage.input_tokens == counted > 5


def test_counts_are_the_same_by_each_path(mock_address: str, oai: openai.OpenAI) -> None:
    counted = oai.responses.input_tokens.count(model="echo", input=TEXT, instructions="be brief")
    strictly(counted)
    said = oai.responses.create(model="echo", input=TEXT, instructions="be brief")
    assert said.usage is not None
    assert counted.input_tokens == said.usage.input_tokens > 5
    asked = {
        "contents": [{"role": "user", "parts": [{"text": TEXT}]}],
        "systemInstruction": {"parts": [{"text": "be brief"}]},
    }
    # Alone, or as the request that would generate.
    for body in (asked, {"generateContentRequest": asked | {"model": "models/echo"}}):
        url = f"{mock_address}/v1beta/models/echo:countTokens"
        assert httpx2.post(url, json=body).json() == {"totalTokens": counted.input_tokens}


# --- failures


@pytest.mark.parametrize(
    ("status", "name"),
    [
        (400, "BadRequestError"),
        (401, "AuthenticationError"),
        (404, "NotFoundError"),
        (429, "RateLimitError"),
        (500, "InternalServerError"),
        (503, "InternalServerError"),
    ],
)
def test_errors_are_raised_as_their_kind(
    oai: openai.OpenAI, ant: anthropic.Anthropic, status: int, name: str
) -> None:
    model = f"error?status={status}&retry_after=3"
    with pytest.raises(getattr(openai, name)) as oai_error:
        oai.chat.completions.create(model=model, messages=USER)
    assert oai_error.value.response.headers["retry-after"] == "3"
    assert oai_error.value.request_id.startswith("req_")
    with pytest.raises(anthropic.APIStatusError) as ant_error:
        ant.messages.create(model=model, messages=USER, max_tokens=9)
    assert ant_error.value.status_code == status
    assert ant_error.value.request_id.startswith("req_")


def test_a_cut_stream_raises(oai: openai.OpenAI, ant: anthropic.Anthropic) -> None:
    seen: list[str] = []

    def read() -> None:
        chunks = oai.chat.completions.create(model="cut?after=3", messages=USER, stream=True)
        seen.extend(chunk.choices[0].delta.content for chunk in chunks)

    with pytest.raises(openai.APIConnectionError):
        read()
    assert len([text for text in seen if text]) == 3
    with pytest.raises((anthropic.APIConnectionError, httpx2.RemoteProtocolError)):
        list(ant.messages.create(model="cut?after=3", messages=USER, max_tokens=9, stream=True))


def test_an_unknown_model_and_a_wrong_parameter_name_what_is_known(oai: openai.OpenAI) -> None:
    with pytest.raises(openai.NotFoundError, match="`lorem`"):
        oai.chat.completions.create(model="gpt-9", messages=USER)
    with pytest.raises(openai.BadRequestError, match="`tokens`"):
        oai.chat.completions.create(model="lorem?words=1", messages=USER)


def test_retries_of_the_sdk_get_through_a_flaky_model(mock_address: str) -> None:
    with openai.OpenAI(base_url=f"{mock_address}/v1", api_key="none", max_retries=6) as client:
        for _ in range(5):
            reply = client.chat.completions.create(model="flaky?p=0.3&seed=11", messages=USER)
            assert reply.choices[0].message.content == TEXT


@pytest.mark.parametrize("model", ["fixed?bytes=1024", "fixed?frames=8&size=200"])
def test_fixed_replies_parse(oai: openai.OpenAI, ant: anthropic.Anthropic, model: str) -> None:
    stream = "frames" in model
    chat = oai.chat.completions.create(model=model, messages=USER, stream=stream)
    message = ant.messages.create(model=model, messages=USER, max_tokens=9, stream=stream)
    for reply in [*(chat if stream else [chat]), *(message if stream else [message])]:
        strictly(reply)
