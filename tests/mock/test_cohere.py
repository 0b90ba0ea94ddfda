"""Cohere's chat at the mock, judged by the schemas that Cohere publishes."""

from __future__ import annotations

from typing import Any

import httpx2
import msgspec
import pytest

from tests.mock.asks import ARGUMENTS, CHAT_TOOL, TEXT, USER, WEATHER
from tests.mock.cut import cut_stream
from tests.schemas.judge import Judge

MODELS = ["echo", "thinking", "tools", "lorem?tokens=30"]


@pytest.fixture(scope="module")
def judge() -> Judge:
    return Judge("cohere")


def ask(mock_address: str, **asked: object) -> httpx2.Response:
    return httpx2.post(f"{mock_address}/v2/chat", json={"messages": USER} | asked, timeout=20)


def events_of(reply: httpx2.Response) -> list[dict[str, Any]]:
    assert reply.headers["content-type"].startswith("text/event-stream")
    events = []
    *frames, rest = reply.text.split("\n\n")
    assert rest == ""
    for frame in frames:
        name, data = frame.split("\n")
        event = msgspec.json.decode(data.removeprefix("data: "))
        assert name == f"event: {event['type']}"
        events.append(event)
    return events


def folded(events: list[dict[str, Any]]) -> dict[str, Any]:
    """The message that came as events."""
    message: dict[str, Any] = {"role": "assistant"}
    for event in events:
        piece = event.get("delta", {}).get("message", {})
        match event["type"]:
            case "content-start":
                assert event["index"] == len(message.setdefault("content", []))
                message["content"].append(piece["content"])
            case "content-delta":
                ((name, text),) = piece["content"].items()
                message["content"][event["index"]][name] += text
            case "tool-plan-delta":
                message["tool_plan"] = message.get("tool_plan", "") + piece["tool_plan"]
            case "tool-call-start":
                assert event["index"] == len(message.setdefault("tool_calls", []))
                message["tool_calls"].append(piece["tool_calls"])
            case "tool-call-delta":
                call = message["tool_calls"][event["index"]]["function"]
                call["arguments"] += piece["tool_calls"]["function"]["arguments"]
    return message


@pytest.mark.parametrize("model", MODELS)
def test_an_answer_is_the_same_whole_and_streamed(
    mock_address: str, judge: Judge, model: str
) -> None:
    asked = {"model": model, "tools": [CHAT_TOOL]}
    whole = ask(mock_address, **asked).json()
    assert judge.faults("ChatResponseV2", whole) == set()
    events = events_of(ask(mock_address, **asked, stream=True))
    start, end = events[0], events[-1]
    # The schema does not know the empty lists that the vendor begins a message with.
    assert start["delta"]["message"].pop("content") == []
    assert start["delta"]["message"].pop("tool_calls") == []
    assert start["delta"]["message"].pop("citations") == []
    assert start["delta"]["message"].pop("tool_plan") == ""
    for event in events:
        assert judge.faults("StreamedChatResponseV2", event) == set()
    assert (start["type"], end["type"]) == ("message-start", "message-end")
    assert end["delta"] == {"finish_reason": whole["finish_reason"], "usage": whole["usage"]}
    message = folded(events)
    for call in [*whole["message"].get("tool_calls", []), *message.get("tool_calls", [])]:
        assert call.pop("id").startswith("weather_")
    assert message == whole["message"]
    assert whole["finish_reason"] == ("TOOL_CALL" if model == "tools" else "COMPLETE")
    if model == "echo":
        assert message["content"] == [{"type": "text", "text": TEXT}]
    if model == "tools":
        (call,) = message["tool_calls"]
        assert msgspec.json.decode(call["function"]["arguments"]) == ARGUMENTS
        assert message["tool_plan"]


def test_structured_output_has_its_schema(mock_address: str) -> None:
    wanted = {"type": "json_object", "json_schema": WEATHER}
    said = ask(mock_address, model="json", response_format=wanted).json()
    assert msgspec.json.decode(said["message"]["content"][0]["text"]) == ARGUMENTS


def test_errors_have_a_message_and_an_id(mock_address: str) -> None:
    reply = ask(mock_address, model="error?status=429&retry_after=3", stream=True)
    assert (reply.status_code, reply.headers["retry-after"]) == (429, "3")
    assert set(reply.json()) == {"id", "message"}
    assert ask(mock_address, model="gpt-9").status_code == 404


def test_a_cut_stream_breaks_off_before_its_end(mock_address: str) -> None:
    seen = cut_stream(f"{mock_address}/v2/chat")
    assert seen.count(b'"content":{"text"') == 3
    assert b"message-end" not in seen
