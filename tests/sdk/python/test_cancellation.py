"""A caller who goes away ends the work: nothing stays in hand, and the next one is served."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import anthropic
import openai
import pytest

from tests.mock.asks import TEXT, USER
from tests.sdk.python.access import becomes, figure
from tests.support.gateway import Running

SLOW = "mock/slow?total=60s"
ENDLESS = "mock/lorem?tokens=5000&itl=20ms"
MESSAGE = {"messages": USER, "max_tokens": 99_999}
IN_HAND = "llm_edge_inflight_requests"
OPEN_STREAMS = "llm_edge_open_streams"
Ask = Callable[[openai.AsyncOpenAI, anthropic.AsyncAnthropic], Awaitable[Any]]

ASKS: dict[str, Ask] = {
    "chat": lambda oai, _: oai.chat.completions.create(model=SLOW, messages=USER),
    "completions": lambda oai, _: oai.completions.create(model=SLOW, prompt=TEXT),
    "responses": lambda oai, _: oai.responses.create(model=SLOW, input=TEXT),
    "messages": lambda _, ant: ant.messages.create(model=SLOW, **MESSAGE),
}


async def comes_to(running: Running, name: str, wanted: float, **labels: str) -> float:
    """As `becomes`, while the loop goes on."""
    return await asyncio.to_thread(becomes, running, name, wanted, **labels)


@contextlib.asynccontextmanager
async def one_cancelled(running: Running) -> AsyncIterator[None]:
    """What happens inside is counted as one cancelled request, and leaves nothing in hand."""
    assert await comes_to(running, IN_HAND, 0) == 0
    labels = {"status": "cancelled"}
    before = figure(running, "llm_edge_requests_total", **labels)
    yield
    assert await comes_to(running, IN_HAND, 0) == 0
    assert figure(running, OPEN_STREAMS) == 0
    assert await comes_to(running, "llm_edge_requests_total", before + 1, **labels) == before + 1


@pytest.mark.parametrize("ask", ASKS)
async def test_a_cancelled_task_leaves_nothing_in_hand(
    gateway: Running, async_oai: openai.AsyncOpenAI, async_ant: anthropic.AsyncAnthropic, ask: str
) -> None:
    async with one_cancelled(gateway):
        task = asyncio.ensure_future(ASKS[ask](async_oai, async_ant))
        assert await comes_to(gateway, IN_HAND, 1) == 1
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    again = await async_oai.chat.completions.create(model="mock/echo", messages=USER)
    assert again.choices[0].message.content == TEXT


async def test_a_stream_that_is_closed_early_ends_at_the_gateway(
    gateway: Running, async_oai: openai.AsyncOpenAI
) -> None:
    async with one_cancelled(gateway):
        stream = await async_oai.chat.completions.create(model=ENDLESS, messages=USER, stream=True)
        await anext(stream)
        assert await comes_to(gateway, OPEN_STREAMS, 1) == 1
        await stream.close()


async def test_a_task_that_reads_a_stream_can_be_cancelled(
    gateway: Running, async_ant: anthropic.AsyncAnthropic
) -> None:
    begun = asyncio.Event()

    async def read() -> None:
        async with async_ant.messages.stream(model=ENDLESS, **MESSAGE) as stream:
            async for _ in stream.text_stream:
                begun.set()

    async with one_cancelled(gateway):
        task = asyncio.create_task(read())
        await asyncio.wait_for(begun.wait(), 10)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


def test_a_stream_left_by_break_ends_at_the_gateway(gateway: Running, oai: openai.OpenAI) -> None:
    before = figure(gateway, "llm_edge_requests_total", status="cancelled")
    with oai.responses.create(model=ENDLESS, input=TEXT, stream=True) as stream:
        for event in stream:
            if event.type == "response.output_text.delta":
                break
        assert becomes(gateway, OPEN_STREAMS, 1) == 1
    assert becomes(gateway, IN_HAND, 0) == 0
    assert becomes(gateway, "llm_edge_requests_total", before + 1, status="cancelled") == before + 1
