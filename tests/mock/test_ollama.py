"""Ollama's chat at the mock, read strictly.

There are no schemas; what its own client reads is written down here. Source: types of the package
`ollama` 0.6.3 (`ChatResponse`).
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

import httpx2
import msgspec
import pytest

from tests.mock.asks import ARGUMENTS, CHAT_TOOL, TEXT, USER, WEATHER
from tests.mock.cut import cut_stream

MODELS = ["echo", "thinking", "tools", "lorem?tokens=30"]


class Function(msgspec.Struct, forbid_unknown_fields=True):
    index: int
    name: str
    arguments: dict[str, Any]


class Call(msgspec.Struct, forbid_unknown_fields=True):
    id: str
    function: Function


class Message(msgspec.Struct, forbid_unknown_fields=True):
    role: Literal["assistant"]
    content: str
    thinking: str = ""
    tool_calls: list[Call] = []


class Line(msgspec.Struct, forbid_unknown_fields=True):
    """A line of a stream but the last one."""

    model: str
    created_at: datetime
    message: Message
    done: Literal[False]


class Done(msgspec.Struct, forbid_unknown_fields=True):
    """A whole reply, or the last line of a stream. Durations are in nanoseconds."""

    model: str
    created_at: datetime
    message: Message
    done: Literal[True]
    done_reason: Literal["stop", "length"]
    total_duration: int
    load_duration: int
    prompt_eval_count: int
    prompt_eval_duration: int
    eval_count: int
    eval_duration: int


def ask(mock_address: str, **asked: object) -> httpx2.Response:
    return httpx2.post(f"{mock_address}/api/chat", json={"messages": USER} | asked, timeout=20)


@pytest.mark.parametrize("model", MODELS)
def test_an_answer_is_the_same_whole_and_streamed(mock_address: str, model: str) -> None:
    asked = {"model": model, "tools": [CHAT_TOOL]}
    whole = msgspec.json.decode(ask(mock_address, **asked, stream=False).content, type=Done)
    reply = ask(mock_address, **asked)
    assert reply.headers["content-type"] == "application/x-ndjson"
    *lines, last = reply.content.splitlines()
    came = [msgspec.json.decode(line, type=Line) for line in lines]
    done = msgspec.json.decode(last, type=Done)
    assert {line.model for line in came} == {done.model} == {whole.model} == {model}
    assert done.message == Message("assistant", "")
    said = whole.message
    assert "".join(line.message.content for line in came) == said.content
    assert "".join(line.message.thinking for line in came) == said.thinking
    calls = [call for line in came for call in line.message.tool_calls]
    assert [call.function for call in calls] == [call.function for call in said.tool_calls]
    assert (done.prompt_eval_count, done.eval_count) == (whole.prompt_eval_count, whole.eval_count)
    assert min(done.prompt_eval_count, done.eval_count) > 0
    if model == "echo":
        assert (said.content, len(lines) > 2) == (TEXT, True)
    if model == "tools":
        assert [(call.function.name, call.function.arguments) for call in calls] == [
            ("weather", ARGUMENTS)
        ]


def test_structured_output_has_its_schema(mock_address: str) -> None:
    said = ask(mock_address, model="json", format=WEATHER, stream=False).json()
    assert msgspec.json.decode(said["message"]["content"]) == ARGUMENTS


def test_errors_are_a_text(mock_address: str) -> None:
    reply = ask(mock_address, model="error?status=503&retry_after=3")
    assert (reply.status_code, reply.headers["retry-after"]) == (503, "3")
    assert list(reply.json()) == ["error"]
    assert ask(mock_address, model="gpt-9").status_code == 404


def test_models_are_listed_and_a_version_is_told(mock_address: str) -> None:
    models = httpx2.get(f"{mock_address}/api/tags").json()["models"]
    assert {"echo", "lorem"} <= {model["model"] for model in models}
    assert {model["name"] for model in models} == {model["model"] for model in models}
    datetime.fromisoformat(models[0]["modified_at"])
    assert set(httpx2.get(f"{mock_address}/api/version").json()) == {"version"}


def test_a_cut_stream_breaks_off_before_its_end(mock_address: str) -> None:
    seen = cut_stream(f"{mock_address}/api/chat")
    assert seen.count(b'"done":false') == 3
    assert b'"done":true' not in seen
