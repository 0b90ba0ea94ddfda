"""Each API that clients speak, by its vendor's SDK: a question, and what it made of the answer."""

from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import quote

import msgspec
from google.genai import types

from tests.mock.asks import CHAT_TOOL, MESSAGES_TOOL, RESPONSES_TOOL, WEATHER
from tests.sdk.python.access import Clients

DECLARED = types.Tool(
    function_declarations=[
        types.FunctionDeclaration(name="weather", parameters_json_schema=WEATHER)
    ]
)


@dataclass(frozen=True)
class Said:
    """A reply."""

    text: str
    calls: list[tuple[str, dict[str, Any]]]
    """Names and arguments of the tools that are to be called."""
    thinking: str
    tokens: tuple[int, int]
    """Of the prompt and of the reply."""
    ended: str
    """Why, in the API's word."""
    turns: list[Any]
    """What the reply is in the conversation that goes on."""
    ids: list[str]
    """Of the calls."""


class Surface(Protocol):
    """An API with its SDK."""

    name: str
    stopped: str
    """Its word for an answer that is whole."""

    def __init__(self, clients: Clients) -> None: ...
    def user(self, text: str) -> Any: ...  # noqa: ANN401 -- a turn is what its SDK makes of it
    def ask(self, model: str, turns: list[Any], *, stream: bool) -> Said: ...
    def results(self, said: Said, results: list[str]) -> list[Any]: ...
    def close(self) -> None: ...


class _Closing:
    """Has a client that is to be closed: a socket that is left open is another test's warning."""

    client: Any

    def close(self) -> None:
        self.client.close()


class Chat(_Closing):
    """OpenAI's chat completions."""

    name = "chat"
    stopped = "stop"

    def __init__(self, clients: Clients) -> None:
        self.client = clients.oai()

    def user(self, text: str) -> dict[str, Any]:
        return {"role": "user", "content": text}

    def ask(self, model: str, turns: list[Any], *, stream: bool) -> Said:
        ask = {"model": model, "messages": turns, "tools": [CHAT_TOOL]}
        if stream:
            options = {"include_usage": True}
            with self.client.chat.completions.stream(**ask, stream_options=options) as events:
                whole = events.get_final_completion()
        else:
            whole = self.client.chat.completions.create(**ask)
        message = whole.choices[0].message
        calls = message.tool_calls or []
        sent = [
            {
                "id": call.id,
                "type": "function",
                "function": {"name": call.function.name, "arguments": call.function.arguments},
            }
            for call in calls
        ]
        turn = {"role": "assistant", "content": message.content}
        return Said(
            text=message.content or "",
            calls=[(c.function.name, msgspec.json.decode(c.function.arguments)) for c in calls],
            thinking=message.to_dict().get("reasoning_content") or "",
            tokens=(whole.usage.prompt_tokens, whole.usage.completion_tokens),
            ended=whole.choices[0].finish_reason,
            turns=[turn | ({"tool_calls": sent} if sent else {})],
            ids=[call.id for call in calls],
        )

    def results(self, said: Said, results: list[str]) -> list[Any]:
        return [
            {"role": "tool", "tool_call_id": of, "content": result}
            for of, result in zip(said.ids, results, strict=True)
        ]


class Responses(_Closing):
    """OpenAI's responses."""

    name = "responses"
    stopped = "completed"

    def __init__(self, clients: Clients) -> None:
        self.client = clients.oai()

    def user(self, text: str) -> dict[str, Any]:
        return {"role": "user", "content": text}

    def ask(self, model: str, turns: list[Any], *, stream: bool) -> Said:
        ask = {"model": model, "input": turns, "tools": [RESPONSES_TOOL], "store": False}
        ask["reasoning"] = {"effort": "high", "summary": "auto"}
        if stream:
            with self.client.responses.stream(**ask) as events:
                whole = events.get_final_response()
        else:
            whole = self.client.responses.create(**ask)
        calls = [item for item in whole.output if item.type == "function_call"]
        thinking = [
            summary.text
            for item in whole.output
            if item.type == "reasoning"
            for summary in item.summary
        ]
        fields = {"exclude_none": True, "exclude": {"parsed_arguments", "parsed"}}
        return Said(
            text=whole.output_text,
            calls=[(call.name, msgspec.json.decode(call.arguments)) for call in calls],
            thinking="".join(thinking),
            tokens=(whole.usage.input_tokens, whole.usage.output_tokens),
            ended=whole.status,
            turns=[item.model_dump(**fields) for item in whole.output],
            ids=[call.call_id for call in calls],
        )

    def results(self, said: Said, results: list[str]) -> list[Any]:
        return [
            {"type": "function_call_output", "call_id": of, "output": result}
            for of, result in zip(said.ids, results, strict=True)
        ]


class Messages(_Closing):
    """Anthropic's messages."""

    name = "messages"
    stopped = "end_turn"

    def __init__(self, clients: Clients) -> None:
        self.client = clients.ant()

    def user(self, text: str) -> dict[str, Any]:
        return {"role": "user", "content": text}

    def ask(self, model: str, turns: list[Any], *, stream: bool) -> Said:
        ask = {"model": model, "messages": turns, "tools": [MESSAGES_TOOL], "max_tokens": 2048}
        ask["thinking"] = {"type": "enabled", "budget_tokens": 1024}
        if stream:
            with self.client.messages.stream(**ask) as events:
                whole = events.get_final_message()
        else:
            whole = self.client.messages.create(**ask)
        calls = [block for block in whole.content if block.type == "tool_use"]
        return Said(
            text="".join(block.text for block in whole.content if block.type == "text"),
            calls=[(call.name, call.input) for call in calls],
            thinking="".join(b.thinking for b in whole.content if b.type == "thinking"),
            tokens=(whole.usage.input_tokens, whole.usage.output_tokens),
            ended=whole.stop_reason,
            turns=[{"role": "assistant", "content": whole.content}],
            ids=[call.id for call in calls],
        )

    def results(self, said: Said, results: list[str]) -> list[Any]:
        content = [
            {"type": "tool_result", "tool_use_id": of, "content": result}
            for of, result in zip(said.ids, results, strict=True)
        ]
        return [{"role": "user", "content": content}]


class Gemini(_Closing):
    """Google's generateContent."""

    name = "gemini"
    stopped = "STOP"

    def __init__(self, clients: Clients) -> None:
        self.client = clients.google()
        self.config = types.GenerateContentConfig(
            tools=[DECLARED],
            automatic_function_calling=types.AutomaticFunctionCallingConfig(disable=True),
            thinking_config=types.ThinkingConfig(include_thoughts=True),
        )

    def user(self, text: str) -> types.Content:
        return types.Content(role="user", parts=[types.Part(text=text)])

    def ask(self, model: str, turns: list[Any], *, stream: bool) -> Said:
        # The SDK takes no question mark in a model's name, and writes it into the path as it is.
        ask = {"model": f"models/{quote(model)}", "contents": turns, "config": self.config}
        if stream:
            replies = list(self.client.models.generate_content_stream(**ask))
        else:
            replies = [self.client.models.generate_content(**ask)]
        parts = [
            part
            for reply in replies
            if reply.candidates and reply.candidates[0].content
            for part in reply.candidates[0].content.parts or []
        ]
        calls = [part.function_call for part in parts if part.function_call]
        usage = replies[-1].usage_metadata
        out = (usage.candidates_token_count or 0) + (usage.thoughts_token_count or 0)
        return Said(
            text="".join(part.text for part in parts if part.text and not part.thought),
            calls=[(call.name, call.args) for call in calls],
            thinking="".join(part.text for part in parts if part.text and part.thought),
            tokens=(usage.prompt_token_count, out),
            ended=replies[-1].candidates[0].finish_reason.value,
            turns=[types.Content(role="model", parts=parts)],
            ids=[call.name for call in calls],
        )

    def results(self, said: Said, results: list[str]) -> list[Any]:
        parts = [
            types.Part.from_function_response(name=name, response={"result": result})
            for name, result in zip(said.ids, results, strict=True)
        ]
        return [types.Content(role="user", parts=parts)]


SURFACES: dict[str, type[Surface]] = {
    surface.name: surface for surface in (Chat, Responses, Messages, Gemini)
}
