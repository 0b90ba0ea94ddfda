"""LangChain's classes at the gateway, each with models that are reached by every API.

Where a class meets its own API bytes pass untouched; everywhere else they are translated.
"""

from collections.abc import Callable

import anthropic
import openai
import pytest
from langchain_anthropic import ChatAnthropic
from langchain_core.exceptions import (
    ModelAPIError,
    ModelInvalidRequestError,
    ModelRateLimitError,
)
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk, HumanMessage, ToolMessage
from langchain_openai import ChatOpenAI

from tests.mock.asks import ARGUMENTS, TEXT, WEATHER
from tests.sdk.python.access import PLAIN, Clients

SCHEMA = {"title": "weather", "description": "The weather", **WEATHER}


def of_openai(clients: Clients, model: str, **more: object) -> BaseChatModel:
    return ChatOpenAI(
        **PLAIN,
        model=model,
        base_url=clients.running.api,
        api_key=clients.key,
        stream_usage=True,
        **more,
    )


def of_responses(clients: Clients, model: str, **more: object) -> BaseChatModel:
    return of_openai(clients, model, use_responses_api=True, output_version="v1", **more)


def of_anthropic(clients: Clients, model: str, **more: object) -> BaseChatModel:
    return ChatAnthropic(
        **PLAIN,
        model=model,
        base_url=clients.running.anthropic,
        api_key=clients.key,
        max_tokens=2048,
        **more,
    )


Make = Callable[..., BaseChatModel]
CLASSES: dict[str, Make] = {
    "chat": of_openai,
    "responses": of_responses,
    "anthropic": of_anthropic,
}
# Google has an endpoint for clients of chat completions, which the mock has not.
PAIRS = [
    (name, target)
    for name in CLASSES
    for target in ("chat", "answers", "claude", "google")
    if (name, target) != ("chat", "google")
]
ENDED = {
    "chat": ("finish_reason", "stop"),
    "responses": ("status", "completed"),
    "anthropic": ("stop_reason", "end_turn"),
}


def folded(chunks: list[AIMessageChunk]) -> AIMessageChunk:
    """The chunks as one message."""
    first, *rest = chunks
    for chunk in rest:
        first += chunk
    return first


@pytest.mark.parametrize(("name", "target"), PAIRS)
def test_an_answer_is_the_same_whole_and_streamed(
    crossing_clients: Clients, name: str, target: str
) -> None:
    model = CLASSES[name](crossing_clients, f"{target}/echo")
    whole = model.invoke(TEXT)
    assert whole.text == TEXT
    field, word = ENDED[name]
    assert whole.response_metadata[field] == word
    usage = whole.usage_metadata
    assert usage["total_tokens"] == usage["input_tokens"] + usage["output_tokens"]
    assert min(usage["input_tokens"], usage["output_tokens"]) > 0
    chunks = list(model.stream(TEXT))
    assert len([chunk for chunk in chunks if chunk.text]) > 2
    streamed = folded(chunks)
    assert streamed.text == TEXT
    assert streamed.response_metadata[field] == word
    for part in ("input_tokens", "output_tokens", "total_tokens"):
        assert streamed.usage_metadata[part] == usage[part]


@pytest.mark.parametrize(("name", "target"), PAIRS)
def test_a_tool_is_called_and_its_result_answered(
    crossing_clients: Clients, name: str, target: str
) -> None:
    model = CLASSES[name](crossing_clients, f"{target}/tools").bind_tools([SCHEMA])
    for first in (model.invoke(TEXT), folded(list(model.stream(TEXT)))):
        (call,) = first.tool_calls
        assert (call["name"], call["args"]) == ("weather", ARGUMENTS)
        assert call["id"]
        assert not first.invalid_tool_calls
        turns = [HumanMessage(TEXT), first, ToolMessage("sunny", tool_call_id=call["id"])]
        again = model.invoke(turns)
        assert not again.tool_calls
        assert "sunny" in again.text


@pytest.mark.parametrize(("name", "target"), PAIRS)
def test_the_arguments_of_a_streamed_call_come_in_pieces(
    crossing_clients: Clients, name: str, target: str
) -> None:
    model = CLASSES[name](crossing_clients, f"{target}/tools").bind_tools([SCHEMA])
    pieces = [piece["args"] for chunk in model.stream(TEXT) for piece in chunk.tool_call_chunks]
    # Google's API has whole calls only.
    assert (len(pieces) > 2) == (target != "google")


@pytest.mark.parametrize("method", ["function_calling", "json_schema"])
@pytest.mark.parametrize(("name", "target"), PAIRS)
def test_structured_output_has_its_schema(
    crossing_clients: Clients, name: str, target: str, method: str
) -> None:
    answers = "tools" if method == "function_calling" else "json"
    model = CLASSES[name](crossing_clients, f"{target}/{answers}")
    structured = model.with_structured_output(SCHEMA, method=method)
    # Anthropic's SDK puts bounds into prose, because its API takes none here.
    unbound = name == "anthropic" and method == "json_schema"
    wanted = ARGUMENTS | ({"days": 1} if unbound else {})
    assert structured.invoke(TEXT) == wanted
    *_, last = structured.stream(TEXT)
    assert last == wanted


@pytest.mark.parametrize(("name", "target"), [pair for pair in PAIRS if pair[0] != "chat"])
def test_reasoning_is_told_apart_and_goes_out_again(
    crossing_clients: Clients, name: str, target: str
) -> None:
    asked = {"thinking": {"type": "enabled", "budget_tokens": 1024}} if name == "anthropic" else {}
    model = CLASSES[name](crossing_clients, f"{target}/thinking", **asked)
    for first in (model.invoke(TEXT), folded(list(model.stream(TEXT)))):
        kinds = [block["type"] for block in first.content_blocks]
        # A signature that came in an event of its own is a block of its own to LangChain.
        assert (set(kinds), kinds[-1]) == ({"reasoning", "text"}, "text")
        again = model.invoke([HumanMessage(TEXT), first, HumanMessage("and now?")])
        assert isinstance(again, AIMessage)
        assert again.text


RAISED = {
    400: ("BadRequestError", ModelInvalidRequestError),
    429: ("RateLimitError", ModelRateLimitError),
    503: ("InternalServerError", ModelAPIError),
}
"""By status: the class of the vendor's SDK, and LangChain's own."""


@pytest.mark.parametrize(("name", "target"), PAIRS)
def test_an_error_raises_the_class_of_its_status(
    crossing_clients: Clients, name: str, target: str
) -> None:
    sdk = anthropic if name == "anthropic" else openai
    for status, (of_sdk, of_langchain) in RAISED.items():
        model = CLASSES[name](crossing_clients, f"{target}/error?status={status}")
        with pytest.raises(getattr(sdk, of_sdk)) as found:
            model.invoke(TEXT)
        assert isinstance(found.value, of_langchain)


@pytest.mark.parametrize(("name", "target"), PAIRS)
def test_a_stream_that_is_cut_raises(crossing_clients: Clients, name: str, target: str) -> None:
    asked = f"{target}/cut?after=3"
    chunks = []
    with pytest.raises((openai.APIError, anthropic.APIError)):
        chunks.extend(CLASSES[name](crossing_clients, asked).stream(TEXT))
    assert any(chunk.text for chunk in chunks)


@pytest.mark.parametrize(("name", "target"), [("chat", "claude"), ("anthropic", "chat")])
async def test_the_asynchronous_half_answers_too(
    crossing_clients: Clients, name: str, target: str
) -> None:
    model = CLASSES[name](crossing_clients, f"{target}/echo")
    assert (await model.ainvoke(TEXT)).text == TEXT
    assert folded([chunk async for chunk in model.astream(TEXT)]).text == TEXT
