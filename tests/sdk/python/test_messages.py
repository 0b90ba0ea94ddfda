"""Anthropic's messages through the gateway, also as its SDK's beta client sends them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.mock.asks import ARGUMENTS, MESSAGES_TOOL, TEXT, USER, City, strictly

if TYPE_CHECKING:
    import anthropic

    from tests.sdk.python.access import Clients

THINKING = {"type": "enabled", "budget_tokens": 1024}


def asking(model: str, **more: object) -> dict[str, object]:
    return {"model": model, "messages": USER, "max_tokens": 2048, **more}


@pytest.mark.parametrize("model", ["mock/echo", "demo"])
def test_a_route_and_a_provider_answer(ant: anthropic.Anthropic, model: str) -> None:
    whole = ant.messages.create(**asking(model))
    strictly(whole)
    assert (whole.content[0].text, whole.stop_reason) == (TEXT, "end_turn")
    assert whole.usage.input_tokens > 1
    events = list(ant.messages.create(**asking(model), stream=True))
    for event in events:
        strictly(event)
    assert (events[0].type, events[-1].type) == ("message_start", "message_stop")
    deltas = [event.delta.text for event in events if event.type == "content_block_delta"]
    assert "".join(deltas) == TEXT


@pytest.mark.parametrize("model", ["claude-small", "claude/echo", "echo"])
def test_the_names_of_a_configuration_answer(configured_clients: Clients, model: str) -> None:
    with configured_clients.ant() as client:
        assert client.messages.create(**asking(model)).content[0].text == TEXT
        with client.messages.stream(**asking(model)) as stream:
            assert stream.get_final_text() == TEXT


@pytest.mark.parametrize("model", ["mock/echo", "mock/thinking", "mock/lorem?tokens=30"])
def test_the_streaming_helper_ends_with_what_the_whole_reply_says(
    ant: anthropic.Anthropic, model: str
) -> None:
    whole = ant.messages.create(**asking(model))
    with ant.messages.stream(**asking(model)) as stream:
        text = "".join(stream.text_stream)
        final = stream.get_final_message()
    assert text == whole.content[-1].text == final.content[-1].text
    assert final.usage == whole.usage
    assert final.stop_reason == whole.stop_reason == "end_turn"


@pytest.mark.parametrize("streamed", [False, True])
def test_a_tool_is_called_and_its_result_taken(ant: anthropic.Anthropic, streamed: bool) -> None:
    ask = asking("mock/tools", tools=[MESSAGES_TOOL])
    if streamed:
        with ant.messages.stream(**ask) as stream:
            first = stream.get_final_message()
    else:
        first = ant.messages.create(**ask)
    assert first.stop_reason == "tool_use"
    (call,) = first.content
    assert (call.type, call.name, call.input) == ("tool_use", "weather", ARGUMENTS)
    result = {"type": "tool_result", "tool_use_id": call.id, "content": "sunny"}
    turns = [
        *USER,
        {"role": "assistant", "content": first.content},
        {"role": "user", "content": [result]},
    ]
    after = ant.messages.create(**ask | {"messages": turns})
    assert after.content[0].text == "The tool answered: sunny"


def test_structured_output_parses(ant: anthropic.Anthropic) -> None:
    parsed = ant.messages.parse(**asking("mock/json"), output_format=City).parsed_output
    assert isinstance(parsed, City)
    with ant.messages.stream(**asking("mock/json"), output_format=City) as stream:
        assert stream.get_final_message().parsed_output == parsed


def test_thinking_comes_before_the_answer_and_goes_back_in_the_next_turn(
    ant: anthropic.Anthropic,
) -> None:
    ask = asking("mock/thinking", thinking=THINKING)
    whole = ant.messages.create(**ask)
    with ant.messages.stream(**ask) as stream:
        thoughts = [event.thinking for event in stream if event.type == "thinking"]
        streamed = stream.get_final_message()
    for message in (whole, streamed):
        strictly(message)
        assert [block.type for block in message.content] == ["thinking", "text"]
        assert message.content[0].signature
    assert "".join(thoughts) == whole.content[0].thinking == streamed.content[0].thinking
    turns = [*USER, {"role": "assistant", "content": streamed.content}, *USER]
    again = ant.messages.create(**ask | {"messages": turns})
    assert again.content[-1].text.endswith(TEXT)


def test_the_beta_client_is_answered_at_the_same_place(ant: anthropic.Anthropic) -> None:
    betas = ["context-1m-2025-08-07"]
    # Other versions of the SDK send the query themselves.
    ask = asking("mock/echo", betas=betas, extra_query={"beta": "true"})
    raw = ant.beta.messages.with_raw_response.create(**ask)
    assert raw.http_request.url.query == b"beta=true"
    strictly(raw.parse())
    assert raw.parse().content[0].text == TEXT
    with ant.beta.messages.stream(**ask) as stream:
        assert stream.get_final_text() == TEXT
    counted = ant.beta.messages.count_tokens(model="mock/echo", messages=USER)
    assert counted.input_tokens == raw.parse().usage.input_tokens


def test_counted_tokens_are_those_of_the_usage(ant: anthropic.Anthropic) -> None:
    ask = {"messages": USER, "system": "be brief", "tools": [MESSAGES_TOOL]}
    for model in ("mock/echo", "demo"):
        counted = ant.messages.count_tokens(model=model, **ask).input_tokens
        answered = ant.messages.create(model=model, **ask, max_tokens=99)
        assert answered.usage.input_tokens == counted > 5


def test_a_reply_ends_at_a_stop_sequence_and_at_its_limit(ant: anthropic.Anthropic) -> None:
    ask = {"model": "mock/echo", "messages": [{"role": "user", "content": "one two three"}]}
    stopped = ant.messages.create(**ask, max_tokens=99, stop_sequences=["three"])
    assert (stopped.stop_reason, stopped.stop_sequence) == ("stop_sequence", "three")
    assert stopped.content[0].text == "one two "
    limited = ant.messages.create(**ask, max_tokens=2)
    assert (limited.stop_reason, limited.usage.output_tokens) == ("max_tokens", 2)
