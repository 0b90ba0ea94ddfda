"""A reply that breaks off raises, however the SDKs read it, and never looks whole."""

from __future__ import annotations

from collections.abc import AsyncIterable, Awaitable, Callable, Iterable

import anthropic
import openai
import pytest

from tests.mock.asks import USER

MESSAGE = {"messages": USER, "max_tokens": 999}
BROKEN = (openai.APIError, anthropic.APIError)
Read = Callable[[openai.OpenAI, anthropic.Anthropic, str], Iterable[object]]
AsyncRead = Callable[
    [openai.AsyncOpenAI, anthropic.AsyncAnthropic, str], Awaitable[AsyncIterable[object]]
]


def chat_helper(oai: openai.OpenAI, _: anthropic.Anthropic, model: str) -> Iterable[object]:
    with oai.chat.completions.stream(model=model, messages=USER) as stream:
        yield from stream
        yield stream.get_final_completion()


def responses_helper(oai: openai.OpenAI, _: anthropic.Anthropic, model: str) -> Iterable[object]:
    with oai.responses.stream(model=model, input="x") as stream:
        yield from stream
        yield stream.get_final_response()


def messages_helper(_: openai.OpenAI, ant: anthropic.Anthropic, model: str) -> Iterable[object]:
    with ant.messages.stream(model=model, **MESSAGE) as stream:
        yield from stream
        yield stream.get_final_message()


def messages_text(_: openai.OpenAI, ant: anthropic.Anthropic, model: str) -> Iterable[object]:
    with ant.messages.stream(model=model, **MESSAGE) as stream:
        yield from stream.text_stream


READERS: dict[str, Read] = {
    "chat": lambda oai, _, model: oai.chat.completions.create(
        model=model, messages=USER, stream=True
    ),
    "chat helper": chat_helper,
    "completions": lambda oai, _, model: oai.completions.create(
        model=model, prompt="x", stream=True
    ),
    "responses": lambda oai, _, model: oai.responses.create(model=model, input="x", stream=True),
    "responses helper": responses_helper,
    "messages": lambda _, ant, model: ant.messages.create(model=model, **MESSAGE, stream=True),
    "messages helper": messages_helper,
    "messages text": messages_text,
    "beta messages": lambda _, ant, model: ant.beta.messages.create(
        model=model, **MESSAGE, stream=True
    ),
}
LAST = {
    "response.completed",
    "response.incomplete",
    "message_stop",
    "message_delta",
    "content_block_stop",
}


def read_into(got: list[object], items: Iterable[object]) -> None:
    """Keep what comes, also when it ends in an error."""
    for item in items:
        got.append(item)  # noqa: PERF402 -- `extend` would lose what came before the error


async def async_read_into(got: list[object], items: AsyncIterable[object]) -> None:
    """Keep what comes, also when it ends in an error."""
    async for item in items:
        got.append(item)  # noqa: PERF401 -- as above


def ends(item: object) -> bool:
    """Whether the item says that the reply is whole."""
    choices = getattr(item, "choices", None) or []
    return getattr(item, "type", "") in LAST or any(choice.finish_reason for choice in choices)


@pytest.mark.parametrize("after", [0, 1, 7])
@pytest.mark.parametrize("reader", READERS)
def test_a_cut_stream_raises_and_gives_nothing_that_ends_it(
    oai: openai.OpenAI, ant: anthropic.Anthropic, reader: str, after: int
) -> None:
    got: list[object] = []
    with pytest.raises(BROKEN) as error:
        read_into(got, READERS[reader](oai, ant, f"mock/cut?after={after}"))
    assert len(got) >= after
    assert not any(map(ends, got))
    assert "closed the connection before its reply was complete" in str(error.value)


@pytest.mark.parametrize("reader", READERS)
def test_the_same_reading_of_a_whole_stream_ends_well(
    oai: openai.OpenAI, ant: anthropic.Anthropic, reader: str
) -> None:
    # Without this, a reader that always raised would pass the test above.
    assert list(READERS[reader](oai, ant, "mock/lorem?tokens=9"))


ASYNC_READERS: dict[str, AsyncRead] = {
    "chat": lambda oai, _, model: oai.chat.completions.create(
        model=model, messages=USER, stream=True
    ),
    "completions": lambda oai, _, model: oai.completions.create(
        model=model, prompt="x", stream=True
    ),
    "responses": lambda oai, _, model: oai.responses.create(model=model, input="x", stream=True),
    "messages": lambda _, ant, model: ant.messages.create(model=model, **MESSAGE, stream=True),
}


@pytest.mark.parametrize("reader", ASYNC_READERS)
async def test_a_cut_stream_raises_in_the_asynchronous_clients(
    async_oai: openai.AsyncOpenAI, async_ant: anthropic.AsyncAnthropic, reader: str
) -> None:
    got: list[object] = []
    stream = await ASYNC_READERS[reader](async_oai, async_ant, "mock/cut?after=3")
    with pytest.raises(BROKEN):
        await async_read_into(got, stream)
    assert len(got) >= 3
    assert not any(map(ends, got))


def test_a_cut_reply_that_is_not_streamed_raises(
    oai: openai.OpenAI, ant: anthropic.Anthropic
) -> None:
    with pytest.raises(openai.APIError):
        oai.chat.completions.create(model="mock/cut", messages=USER)
    with pytest.raises(openai.APIError):
        oai.responses.create(model="mock/cut", input="x")
    with pytest.raises(openai.APIError):
        oai.completions.create(model="mock/cut", prompt="x")
    with pytest.raises(anthropic.APIError):
        ant.messages.create(model="mock/cut", **MESSAGE)
