"""The oracle as users start it; what its verifier counts as an error raises in the SDKs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anthropic
import httpx2
import openai
import pytest
from google import genai
from google.genai import errors, types

from tests.mock.alone import mock_alone

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.behaviour("B04")


@pytest.fixture(scope="module")
def oracle(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of an oracle of our own, `http://host:port`."""
    with mock_alone(tmp_path_factory.mktemp("oracle"), "--oracle") as address:
        yield address


@pytest.fixture(scope="module")
def oai(oracle: str) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(
        base_url=f"{oracle}/v1", api_key="none", max_retries=0, timeout=10
    ) as client:
        yield client


@pytest.fixture(scope="module")
def claude(oracle: str) -> Iterator[anthropic.Anthropic]:
    with anthropic.Anthropic(base_url=oracle, api_key="none", max_retries=0, timeout=10) as client:
        yield client


@pytest.fixture(scope="module")
def google(oracle: str) -> Iterator[genai.Client]:
    options = types.HttpOptions(
        base_url=oracle, retry_options=types.HttpRetryOptions(attempts=1), timeout=10_000
    )
    with genai.Client(api_key="none", http_options=options) as client:
        yield client


def chat(oai: openai.OpenAI, prompt: str) -> str:
    stream = oai.chat.completions.create(
        model="any", messages=[{"role": "user", "content": prompt}], stream=True
    )
    return "".join(chunk.choices[0].delta.content or "" for chunk in stream)


def responses(oai: openai.OpenAI, prompt: str) -> str:
    stream = oai.responses.create(model="any", input=prompt, stream=True)
    return "".join(e.delta for e in stream if e.type == "response.output_text.delta")


def messages(claude: anthropic.Anthropic, prompt: str) -> str:
    stream = claude.messages.create(
        model="any",
        max_tokens=100,
        messages=[{"role": "user", "content": prompt}],
        stream=True,
    )
    return "".join(
        e.delta.text
        for e in stream
        if e.type == "content_block_delta" and e.delta.type == "text_delta"
    )


def generated(google: genai.Client, prompt: str) -> str:
    stream = google.models.generate_content_stream(model="any", contents=prompt)
    return "".join(chunk.text or "" for chunk in stream)


def test_one_seed_tells_one_story_in_every_dialect(
    oai: openai.OpenAI, claude: anthropic.Anthropic, google: genai.Client
) -> None:
    prompt = "oracle seed=77 events=30"
    told = {chat(oai, prompt), responses(oai, prompt), messages(claude, prompt)}
    told.add(generated(google, prompt))
    assert len(told) == 1
    (text,) = told
    assert text.count("⟦4d.") == 30
    whole = oai.chat.completions.create(model="any", messages=[{"role": "user", "content": prompt}])
    assert whole.choices[0].message.content == text
    assert google.models.generate_content(model="any", contents=prompt).text == text
    assert chat(oai, "oracle seed=78 events=30") != text


FRAMINGS = ("crlf", "cr", "mixed+bom", "comments+no-space+multi-line", "gzip", "split-every")


@pytest.mark.parametrize("order", FRAMINGS)
def test_what_changes_no_content_changes_nothing_for_the_sdks(
    oai: openai.OpenAI, claude: anthropic.Anthropic, order: str
) -> None:
    clean, other = "oracle seed=5 events=4", f"oracle seed=5 events=4 do={order}"
    assert chat(oai, other) == chat(oai, clean)
    assert messages(claude, other) == messages(claude, clean)


ERRORS = ("fin:900", "rst:900", "status:529", "status:429:1", "gzip+fin:700", "error:2")


@pytest.mark.parametrize("order", ERRORS)
def test_what_counts_as_an_explicit_error_raises_on_the_chat_surface(
    oai: openai.OpenAI, order: str
) -> None:
    with pytest.raises((openai.APIError, httpx2.HTTPError)):
        chat(oai, f"oracle seed=5 do={order}")


# OpenAI's SDK stops reading at `[DONE]`; all there was to read has come then.
@pytest.mark.parametrize("order", [*ERRORS, "no-last-chunk"])
def test_what_counts_as_an_explicit_error_raises_on_the_messages_surface(
    claude: anthropic.Anthropic, order: str
) -> None:
    with pytest.raises((anthropic.APIError, httpx2.HTTPError)):
        messages(claude, f"oracle seed=5 do={order}")


@pytest.mark.parametrize("seed", [5, 6])
@pytest.mark.parametrize("order", [*ERRORS, "no-last-chunk"])
def test_what_counts_as_an_explicit_error_raises_on_google_s_surface(
    google: genai.Client, order: str, seed: int
) -> None:
    with pytest.raises((errors.APIError, httpx2.HTTPError)):
        generated(google, f"oracle seed={seed} do={order}")


def test_a_missing_terminal_event_raises_nowhere_and_is_a_violation_therefore(
    oai: openai.OpenAI, claude: anthropic.Anthropic, google: genai.Client
) -> None:
    assert chat(oai, "oracle seed=5 do=no-terminal")
    assert messages(claude, "oracle seed=5 do=no-terminal")
    assert generated(google, "oracle seed=5 do=no-terminal")


def test_an_unknown_order_is_answered_with_the_known_ones(oai: openai.OpenAI) -> None:
    with pytest.raises(openai.BadRequestError) as refused:
        chat(oai, "oracle do=explode")
    told = str(refused.value)
    assert "unknown fault order `explode`" in told
    assert all(f"`{known}`" in told for known in ("rst:AT", "no-last-chunk", "status:CODE"))


def test_the_log_tells_what_was_executed_and_done(oracle: str, oai: openai.OpenAI) -> None:
    with pytest.raises(openai.InternalServerError):
        chat(oai, "oracle id=991 do=status:503,clean")
    assert chat(oai, "oracle id=991 do=status:503,clean")
    log = httpx2.get(f"{oracle}/oracle/log", params={"id": 991}, timeout=5).json()
    assert [(a["executed"], a["performed"]) for a in log["attempts"]] == [(True, True)] * 2
