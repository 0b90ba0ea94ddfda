"""Every API that clients speak, by its vendor's SDK, of models whose API no client speaks.

The mock stands at Amazon's Converse, Cohere's chat and Ollama's.
"""

import contextlib
from collections.abc import Iterator
from typing import Any

import anthropic
import openai
import pytest
from google.genai import errors

from tests.mock.asks import ARGUMENTS, RESPONSES_TOOL, TEXT
from tests.sdk.python.access import Clients, all_of
from tests.sdk.python.surfaces import SURFACES, Surface

PAIRS = [(surface, target) for surface in SURFACES for target in ("aws", "cohere", "ollama")]
RAISED = (openai.APIError, anthropic.APIError, errors.APIError)

either = pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])


@pytest.fixture(params=PAIRS, ids="-".join)
def pair(
    request: pytest.FixtureRequest, crossing_clients: Clients
) -> Iterator[tuple[Surface, str]]:
    surface, target = request.param
    with contextlib.closing(SURFACES[surface](crossing_clients)) as client:
        yield client, target


@either
def test_a_text(pair: tuple[Surface, str], *, stream: bool) -> None:
    surface, target = pair
    said = surface.ask(f"{target}/echo", [surface.user(TEXT)], stream=stream)
    assert (said.text, said.calls, said.ended) == (TEXT, [], surface.stopped)
    again = surface.ask(f"{target}/echo", [surface.user(TEXT)], stream=not stream)
    assert said.tokens == again.tokens
    assert min(said.tokens) > 0


@either
def test_a_call_and_its_result(pair: tuple[Surface, str], *, stream: bool) -> None:
    surface, target = pair
    turns = [surface.user(TEXT)]
    said = surface.ask(f"{target}/tools", turns, stream=stream)
    assert said.calls == [("weather", ARGUMENTS)]
    turns += [*said.turns, *surface.results(said, ["sunny"])]
    again = surface.ask(f"{target}/tools", turns, stream=stream)
    assert again.calls == []
    assert again.text.startswith("The tool answered: ")
    assert "sunny" in again.text


@either
def test_reasoning_is_told_apart(pair: tuple[Surface, str], *, stream: bool) -> None:
    surface, target = pair
    said = surface.ask(f"{target}/thinking", [surface.user(TEXT)], stream=stream)
    assert said.text == f"Having thought about it: {TEXT}"
    assert said.thinking.startswith("The user said ")


@either
@pytest.mark.parametrize("status", [400, 429, 503])
def test_an_error_raises_the_class_of_its_status(
    pair: tuple[Surface, str], status: int, *, stream: bool
) -> None:
    surface, target = pair
    with pytest.raises(RAISED) as found:
        surface.ask(f"{target}/error?status={status}", [surface.user(TEXT)], stream=stream)
    raised = found.value
    assert (raised.code if isinstance(raised, errors.APIError) else raised.status_code) == status
    assert f"The mock was asked to answer with status {status}." in str(raised)


def test_a_stream_that_is_cut_raises(pair: tuple[Surface, str]) -> None:
    surface, target = pair
    with pytest.raises(RAISED) as found:
        surface.ask(f"{target}/cut?after=3", [surface.user(TEXT)], stream=True)
    # It is told inside a stream that began well.
    assert getattr(found.value, "status_code", 200) == 200


@either
def test_a_response_repeats_its_settings(crossing_clients: Clients, *, stream: bool) -> None:
    ask: dict[str, Any] = {"model": "aws/echo", "input": TEXT, "instructions": "Be brief."}
    ask |= {"temperature": 0.5, "max_output_tokens": 99, "metadata": {"ticket": "7"}}
    ask |= {"tools": [RESPONSES_TOOL], "tool_choice": "none"}
    with crossing_clients.oai() as oai:
        if stream:
            said = all_of(oai.responses.create(**ask, stream=True))
            told = [event.response for event in said if hasattr(event, "response")]
            assert len(told) == 3, "when it is created, when it is under way and when it is done"
        else:
            told = [oai.responses.create(**ask)]
    for response in told:
        assert response.instructions == "Be brief."
        assert (response.temperature, response.max_output_tokens) == (0.5, 99)
        assert (response.metadata, response.tool_choice) == ({"ticket": "7"}, "none")
        assert [tool.name for tool in response.tools] == ["weather"]
