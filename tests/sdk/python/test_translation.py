"""Each SDK with models that only speak the other vendor's API; the mock provider answers."""

import anthropic
import msgspec
import openai
import pytest

from tests.mock.asks import ARGUMENTS, CHAT_TOOL, MESSAGES_TOOL, USER
from tests.sdk.python.access import Clients, all_of

ASKED = USER[0]["content"]


def folded(stream: openai.Stream) -> dict[str, object]:
    """What a reader takes from a stream of chat chunks."""
    text, arguments, finish, usage = "", "", None, None
    for chunk in all_of(stream):
        usage = chunk.usage or usage
        for choice in chunk.choices:
            text += choice.delta.content or ""
            for call in choice.delta.tool_calls or []:
                arguments += call.function.arguments or ""
            finish = choice.finish_reason or finish
    return {"text": text, "arguments": arguments, "finish": finish, "usage": usage}


def test_the_openai_sdk_reads_an_answer_of_a_claude_model(configured_clients: Clients) -> None:
    with configured_clients.oai() as oai:
        whole = oai.chat.completions.create(model="claude-small", messages=USER)
        assert whole.choices[0].message.content == ASKED
        assert whole.choices[0].finish_reason == "stop"
        assert whole.usage.total_tokens == whole.usage.prompt_tokens + whole.usage.completion_tokens
        options = {"include_usage": True}
        found = folded(
            oai.chat.completions.create(
                model="claude-small", messages=USER, stream=True, stream_options=options
            )
        )
        assert (found["text"], found["finish"]) == (ASKED, "stop")
        assert found["usage"].total_tokens == whole.usage.total_tokens


def test_the_openai_sdk_calls_tools_through_a_claude_model(configured_clients: Clients) -> None:
    with configured_clients.oai() as oai:
        ask = {"model": "claude/tools", "tools": [CHAT_TOOL]}
        first = oai.chat.completions.create(**ask, messages=USER)
        message = first.choices[0].message
        (call,) = message.tool_calls
        assert msgspec.json.decode(call.function.arguments) == ARGUMENTS
        assert first.choices[0].finish_reason == "tool_calls"
        found = folded(oai.chat.completions.create(**ask, messages=USER, stream=True))
        assert msgspec.json.decode(found["arguments"]) == ARGUMENTS
        result = {"role": "tool", "tool_call_id": call.id, "content": "sunny"}
        turns = [*USER, message.to_dict(), result]
        again = oai.chat.completions.create(**ask, messages=turns)
        assert again.choices[0].finish_reason == "stop"
        assert again.choices[0].message.content


def test_thinking_comes_back_with_its_signature_and_goes_out_again(
    configured_clients: Clients,
) -> None:
    with configured_clients.oai() as oai:
        ask = {"model": "claude/thinking", "messages": USER}
        first = oai.chat.completions.create(**ask)
        message = first.choices[0].message.to_dict()
        (block,) = message["thinking_blocks"]
        assert block["signature"]
        assert block["thinking"] == message["reasoning_content"]
        turns = [*USER, message, {"role": "user", "content": "and now?"}]
        raw = oai.chat.completions.with_raw_response.create(model="claude/thinking", messages=turns)
        assert "thinking" not in raw.headers.get("x-llm-edge-dropped", "")


def test_the_sdk_s_own_fold_of_a_stream_holds_the_thinking(configured_clients: Clients) -> None:
    with configured_clients.oai() as oai:
        ask = {"model": "claude/thinking", "messages": USER}
        whole = oai.chat.completions.create(**ask).choices[0].message.to_dict()
        with oai.chat.completions.stream(**ask) as stream:
            folded = stream.get_final_completion().choices[0].message.to_dict()
        (block,) = whole["thinking_blocks"]
        assert folded["thinking_blocks"] == [{"index": 0} | block]
        assert folded["reasoning_content"] == whole["reasoning_content"]


@pytest.mark.parametrize("streamed", [False, True])
def test_the_anthropic_sdk_reads_an_answer_of_an_openai_model(
    configured_clients: Clients, *, streamed: bool
) -> None:
    with configured_clients.ant() as ant:
        ask = {"model": "gpt-small", "max_tokens": 999, "messages": USER, "system": "be brief"}
        if streamed:
            with ant.messages.stream(**ask) as stream:
                text = "".join(stream.text_stream)
                message = stream.get_final_message()
            assert text == ASKED
        else:
            message = ant.messages.create(**ask)
        assert [block.text for block in message.content] == [ASKED]
        assert message.stop_reason == "end_turn"
        assert message.usage.input_tokens > 0
        assert message.usage.output_tokens > 0


@pytest.mark.parametrize("streamed", [False, True])
def test_the_anthropic_sdk_calls_tools_through_an_openai_model(
    configured_clients: Clients, *, streamed: bool
) -> None:
    with configured_clients.ant() as ant:
        ask = {"model": "up/tools", "max_tokens": 999, "tools": [MESSAGES_TOOL]}
        if streamed:
            with ant.messages.stream(**ask, messages=USER) as stream:
                first = stream.get_final_message()
        else:
            first = ant.messages.create(**ask, messages=USER)
        assert first.stop_reason == "tool_use"
        (call,) = first.content
        assert (call.type, call.input) == ("tool_use", ARGUMENTS)
        result = {"type": "tool_result", "tool_use_id": call.id, "content": "sunny"}
        turns = [
            *USER,
            {"role": "assistant", "content": first.content},
            {"role": "user", "content": [result]},
        ]
        again = ant.messages.create(**ask, messages=turns)
        assert again.stop_reason == "end_turn"


def test_errors_raise_the_class_of_the_clients_sdk(configured_clients: Clients) -> None:
    with configured_clients.oai() as oai, configured_clients.ant() as ant:
        limited = "error?status=429&retry_after=2"
        with pytest.raises(openai.RateLimitError) as of_oai:
            oai.chat.completions.create(model=f"claude/{limited}", messages=USER)
        assert of_oai.value.response.headers["retry-after"] == "2"
        with pytest.raises(anthropic.RateLimitError):
            ant.messages.create(model=f"up/{limited}", messages=USER, max_tokens=9)
        bad = "error?status=400"
        with pytest.raises(openai.BadRequestError):
            oai.chat.completions.create(model=f"claude/{bad}", messages=USER)
        with pytest.raises(anthropic.BadRequestError):
            ant.messages.create(model=f"up/{bad}", messages=USER, max_tokens=9)


def test_a_stream_that_is_cut_raises(configured_clients: Clients) -> None:
    with configured_clients.oai() as oai, configured_clients.ant() as ant:
        with pytest.raises(openai.APIError):
            folded(
                oai.chat.completions.create(model="claude/cut?after=5", messages=USER, stream=True)
            )
        with (
            pytest.raises(anthropic.APIError),
            ant.messages.stream(model="up/cut?after=5", messages=USER, max_tokens=999) as stream,
        ):
            stream.get_final_message()
