"""OpenAI's responses through the gateway."""

import msgspec
import openai
import pytest

from tests.mock.asks import ARGUMENTS, RESPONSES_TOOL, TEXT, USER, City, strictly


@pytest.mark.parametrize("model", ["mock/echo", "demo", "mock/thinking", "mock/lorem"])
def test_whole_and_streamed_replies_are_alike(oai: openai.OpenAI, model: str) -> None:
    whole = oai.responses.create(model=model, input=TEXT)
    strictly(whole)
    events = list(oai.responses.create(model=model, input=TEXT, stream=True))
    for event in events:
        strictly(event)
    assert [event.sequence_number for event in events] == list(range(len(events)))
    assert events[-1].type == "response.completed"
    final = events[-1].response
    assert final.output_text == whole.output_text
    assert final.usage == whole.usage
    assert [item.type for item in final.output] == [item.type for item in whole.output]
    deltas = [event.delta for event in events if event.type == "response.output_text.delta"]
    assert "".join(deltas) == whole.output_text
    assert model in {"mock/thinking", "mock/lorem"} or whole.output_text == TEXT


def test_the_streaming_helper_follows_to_the_end(oai: openai.OpenAI) -> None:
    with oai.responses.stream(model="mock/echo", input=TEXT) as stream:
        kinds = [event.type for event in stream]
        final = stream.get_final_response()
    assert kinds[0] == "response.created"
    assert kinds[-1] == "response.completed"
    assert final.output_text == TEXT
    assert final.status == "completed"


@pytest.mark.parametrize("streamed", [False, True])
def test_a_tool_is_called_and_its_result_taken(oai: openai.OpenAI, streamed: bool) -> None:
    ask = {"model": "mock/tools", "input": USER, "tools": [RESPONSES_TOOL]}
    if streamed:
        with oai.responses.stream(**ask) as stream:
            (call,) = stream.get_final_response().output
    else:
        (call,) = oai.responses.create(**ask).output
    assert (call.type, call.name) == ("function_call", "weather")
    assert msgspec.json.decode(call.arguments) == ARGUMENTS
    said = {
        "type": "function_call",
        "call_id": call.call_id,
        "name": call.name,
        "arguments": call.arguments,
    }
    result = {"type": "function_call_output", "call_id": call.call_id, "output": "sunny"}
    after = oai.responses.create(**ask | {"input": [*USER, said, result]})
    assert after.output_text == "The tool answered: sunny"


def test_structured_output_parses(oai: openai.OpenAI) -> None:
    parsed = oai.responses.parse(model="mock/json", input=TEXT, text_format=City)
    assert isinstance(parsed.output_parsed, City)
    with oai.responses.stream(model="mock/json", input=TEXT, text_format=City) as stream:
        assert stream.get_final_response().output_parsed == parsed.output_parsed


def test_a_reply_that_hits_its_limit_is_incomplete(oai: openai.OpenAI) -> None:
    ask = {"model": "mock/lorem", "input": TEXT, "max_output_tokens": 16}
    events = list(oai.responses.create(**ask, stream=True))
    assert events[-1].type == "response.incomplete"
    assert events[-1].response.incomplete_details.reason == "max_output_tokens"
    whole = oai.responses.create(**ask)
    assert (whole.status, whole.usage.output_tokens) == ("incomplete", 16)
