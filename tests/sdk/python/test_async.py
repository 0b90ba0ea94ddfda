"""The asynchronous clients, many requests at once among them."""

import asyncio

import anthropic
import openai

from tests.mock.asks import ARGUMENTS, CHAT_TOOL, MESSAGES_TOOL, TEXT, USER, City

AT_ONCE = 64


def saying(text: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": text}]


async def test_every_api_answers(
    async_oai: openai.AsyncOpenAI, async_ant: anthropic.AsyncAnthropic
) -> None:
    chat, response, completion, message, vector = await asyncio.gather(
        async_oai.chat.completions.create(model="mock/echo", messages=USER),
        async_oai.responses.create(model="mock/echo", input=TEXT),
        async_oai.completions.create(model="mock/echo", prompt=TEXT),
        async_ant.messages.create(model="mock/echo", messages=USER, max_tokens=99),
        async_oai.embeddings.create(model="mock/embed?dims=5", input=TEXT),
    )
    assert chat.choices[0].message.content == TEXT
    assert response.output_text == TEXT
    assert completion.choices[0].text == TEXT
    assert message.content[0].text == TEXT
    assert len(vector.data[0].embedding) == 5
    assert [model.id async for model in async_oai.models.list()] == [
        model.id async for model in async_ant.models.list()
    ]


async def test_every_api_streams(
    async_oai: openai.AsyncOpenAI, async_ant: anthropic.AsyncAnthropic
) -> None:
    chunks = await async_oai.chat.completions.create(model="demo", messages=USER, stream=True)
    assert "".join([chunk.choices[0].delta.content or "" async for chunk in chunks]) == TEXT
    chunks = await async_oai.completions.create(model="mock/echo", prompt=TEXT, stream=True)
    assert "".join([chunk.choices[0].text async for chunk in chunks]) == TEXT
    events = await async_oai.responses.create(model="mock/echo", input=TEXT, stream=True)
    assert [event.type async for event in events][-1] == "response.completed"
    ask = {"model": "mock/echo", "messages": USER, "max_tokens": 99}
    events = await async_ant.messages.create(**ask, stream=True)
    assert [event.type async for event in events][-1] == "message_stop"


async def test_the_streaming_helpers_follow_to_the_end(
    async_oai: openai.AsyncOpenAI, async_ant: anthropic.AsyncAnthropic
) -> None:
    ask = {"model": "mock/tools", "messages": USER}
    async with async_oai.chat.completions.stream(**ask, tools=[CHAT_TOOL]) as stream:
        call = (await stream.get_final_completion()).choices[0].message.tool_calls[0]
    assert call.function.parsed_arguments == ARGUMENTS
    async with async_oai.responses.stream(model="mock/echo", input=TEXT) as stream:
        assert (await stream.get_final_response()).output_text == TEXT
    async with async_ant.messages.stream(**ask, max_tokens=99, tools=[MESSAGES_TOOL]) as stream:
        assert (await stream.get_final_message()).content[0].input == ARGUMENTS


async def test_structured_output_parses(
    async_oai: openai.AsyncOpenAI, async_ant: anthropic.AsyncAnthropic
) -> None:
    ask = {"model": "mock/json", "messages": USER}
    chat = await async_oai.chat.completions.parse(**ask, response_format=City)
    message = await async_ant.messages.parse(**ask, max_tokens=999, output_format=City)
    assert isinstance(chat.choices[0].message.parsed, City)
    assert isinstance(message.parsed_output, City)


async def test_each_of_many_at_once_gets_its_own_answer(
    async_oai: openai.AsyncOpenAI, async_ant: anthropic.AsyncAnthropic
) -> None:
    async def chat(text: str) -> str:
        ask = {"model": "mock/echo?ttft=20ms&itl=1ms", "messages": saying(text)}
        chunks = await async_oai.chat.completions.create(**ask, stream=True)
        return "".join([chunk.choices[0].delta.content or "" async for chunk in chunks])

    async def message(text: str) -> str:
        ask = {"model": "mock/echo?ttft=20ms", "messages": saying(text), "max_tokens": 99}
        return (await async_ant.messages.create(**ask)).content[0].text

    asked = [f"{number} of {AT_ONCE}, and {number * number}" for number in range(AT_ONCE)]
    answers = await asyncio.gather(*map(chat, asked), *map(message, asked))
    assert answers == [*asked, *asked]
