"""What the SDK tests ask for, at the mock itself and through the gateway."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field

TEXT = 'Žluťoučký kůň, "quoted"\n漢字 🙂'
USER = [{"role": "user", "content": TEXT}]


class City(BaseModel):
    name: str = Field(min_length=2)
    population: int
    kind: Literal["city", "village"]
    tags: list[str]
    twin: City | None


class Bounded(BaseModel):
    """Bounds travel to OpenAI; Anthropic's SDK turns them into prose."""

    population: int = Field(ge=10, le=12)
    code: str = Field(pattern="^[A-Z]{3}-[0-9]{2}$")


WEATHER = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "days": {"type": "integer", "minimum": 2}},
    "required": ["city", "days"],
    "additionalProperties": False,
}
ARGUMENTS = {"city": "text", "days": 2}
"""What `mock/tools` calls a tool of that schema with."""

CHAT_TOOL = {
    "type": "function",
    "function": {"name": "weather", "parameters": WEATHER, "strict": True},
}
RESPONSES_TOOL = {"type": "function", "name": "weather", "parameters": WEATHER, "strict": True}
MESSAGES_TOOL = {"name": "weather", "description": "The weather", "input_schema": WEATHER}


def strictly(reply: BaseModel) -> None:
    """The SDKs build models without checking; here every field must have its declared type."""
    type(reply).model_validate(reply.model_dump(by_alias=True, warnings="error"))
