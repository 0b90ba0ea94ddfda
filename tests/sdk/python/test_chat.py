"""OpenAI's chat completions through the gateway: whole, streamed, with tools, with a schema."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import openai
import pytest

from tests.mock.asks import ARGUMENTS, CHAT_TOOL, TEXT, USER, Bounded, City, strictly

if TYPE_CHECKING:
    from tests.sdk.python.access import Clients

USAGE = {"include_usage": True}


@pytest.mark.parametrize("model", ["mock/echo", "demo"])
def test_a_route_and_a_provider_answer(oai: openai.OpenAI, model: str) -> None:
    whole = oai.chat.completions.create(model=model, messages=USER)
    strictly(whole)
    assert whole.choices[0].message.content == TEXT
    assert whole.choices[0].finish_reason == "stop"
    assert whole.usage.total_tokens == whole.usage.prompt_tokens + whole.usage.completion_tokens > 2


@pytest.mark.parametrize("model", ["gpt-small", "team/search", "up/echo", "echo"])
def test_the_names_of_a_configuration_answer(configured_clients: Clients, model: str) -> None:
    with configured_clients.oai() as client:
        whole = client.chat.completions.create(model=model, messages=USER)
        chunks = client.chat.completions.create(model=model, messages=USER, stream=True)
        streamed = "".join(chunk.choices[0].delta.content or "" for chunk in chunks)
    assert whole.choices[0].message.content == TEXT == streamed


def test_a_stream_says_what_the_whole_reply_says(oai: openai.OpenAI) -> None:
    model = "mock/lorem?tokens=40&seed=3"
    whole = oai.chat.completions.create(model=model, messages=USER)
    chunks = list(
        oai.chat.completions.create(model=model, messages=USER, stream=True, stream_options=USAGE)
    )
    for chunk in chunks:
        strictly(chunk)
    text = [chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices]
    assert len([piece for piece in text if piece]) == 40
    assert "".join(text) == whole.choices[0].message.content
    assert len({chunk.id for chunk in chunks}) == 1
    assert chunks[-2].choices[0].finish_reason == "stop"
    assert chunks[-1].usage == whole.usage


def test_the_streaming_helper_follows_to_the_end(oai: openai.OpenAI) -> None:
    ask = {"model": "mock/echo", "messages": USER, "stream_options": USAGE}
    with oai.chat.completions.stream(**ask) as stream:
        deltas = [event.delta for event in stream if event.type == "content.delta"]
        final = stream.get_final_completion()
    assert "".join(deltas) == TEXT == final.choices[0].message.content
    assert final.choices[0].finish_reason == "stop"
    assert final.usage.completion_tokens > 1


@pytest.mark.parametrize("streamed", [False, True])
def test_a_tool_is_called_and_its_result_taken(oai: openai.OpenAI, streamed: bool) -> None:
    ask = {"model": "mock/tools", "messages": USER, "tools": [CHAT_TOOL]}
    if streamed:
        with oai.chat.completions.stream(**ask) as stream:
            done = [event for event in stream if event.type == "tool_calls.function.arguments.done"]
            first = stream.get_final_completion().choices[0]
        assert [event.parsed_arguments for event in done] == [ARGUMENTS]
    else:
        first = oai.chat.completions.create(**ask).choices[0]
    assert first.finish_reason == "tool_calls"
    (call,) = first.message.tool_calls
    assert call.function.name == "weather"
    assert msgspec.json.decode(call.function.arguments) == ARGUMENTS
    result = {"role": "tool", "tool_call_id": call.id, "content": "sunny"}
    # What the SDK parsed out of the arguments is its own, no field of the API.
    said = {
        "role": "assistant",
        "tool_calls": [
            {
                "id": call.id,
                "type": "function",
                "function": {"name": call.function.name, "arguments": call.function.arguments},
            }
        ],
    }
    after = oai.chat.completions.create(**ask | {"messages": [*USER, said, result]})
    assert after.choices[0].message.content == "The tool answered: sunny"


def test_structured_output_parses(oai: openai.OpenAI) -> None:
    ask = {"model": "mock/json", "messages": USER}
    parsed = oai.chat.completions.parse(**ask, response_format=City).choices[0].message.parsed
    assert isinstance(parsed, City)
    with oai.chat.completions.stream(**ask, response_format=City) as stream:
        assert stream.get_final_completion().choices[0].message.parsed == parsed
    bounded = oai.chat.completions.parse(**ask, response_format=Bounded)
    assert bounded.choices[0].message.parsed == Bounded(population=10, code="AAA-00")


def test_a_large_reply_comes_whole(oai: openai.OpenAI) -> None:
    model = "mock/big?bytes=3000000"
    whole = oai.chat.completions.create(model=model, messages=USER).choices[0].message.content
    chunks = oai.chat.completions.create(model=model, messages=USER, stream=True)
    streamed = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert len(whole.encode()) == 3_000_000
    assert streamed == whole


def test_a_reply_that_hits_its_limit_says_so(oai: openai.OpenAI) -> None:
    ask = {"model": "mock/lorem", "messages": USER, "max_tokens": 7}
    whole = oai.chat.completions.create(**ask)
    assert (whole.choices[0].finish_reason, whole.usage.completion_tokens) == ("length", 7)
    # The SDK's own rule: a parsed reply that was cut is an error.
    with pytest.raises(openai.LengthFinishReasonError):
        oai.chat.completions.parse(**ask, response_format=City)


def test_completions_answer_whole_and_streamed_alike(oai: openai.OpenAI) -> None:
    whole = oai.completions.create(model="mock/echo", prompt=TEXT)
    strictly(whole)
    chunks = list(
        oai.completions.create(model="mock/echo", prompt=TEXT, stream=True, stream_options=USAGE)
    )
    streamed = "".join(chunk.choices[0].text for chunk in chunks if chunk.choices)
    assert streamed == TEXT == whole.choices[0].text
    assert chunks[-1].usage == whole.usage
