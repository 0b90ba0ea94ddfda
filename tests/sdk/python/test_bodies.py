"""The largest request that is let through, to the byte, and the first that is not."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import anthropic
import openai
import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

BODY_BYTES_MAX = 32 << 20
MODEL = "mock/lorem?tokens=1"
SPLICE = (b'"mock/lorem', b'"lorem')
"""The gateway takes the provider's name off the model; every other byte stays."""


def message(size: int) -> list[dict[str, str]]:
    return [{"role": "user", "content": "x" * size}]


@pytest.fixture(params=["chat", "messages"])
def create(
    request: pytest.FixtureRequest, oai: openai.OpenAI, ant: anthropic.Anthropic
) -> Callable[[int], Any]:
    """Sends a body with so many bytes of text, and returns the raw reply."""
    if request.param == "chat":
        return lambda size: oai.chat.completions.with_raw_response.create(
            model=MODEL, messages=message(size), timeout=60
        )
    return lambda size: ant.messages.with_raw_response.create(
        model=MODEL, messages=message(size), max_tokens=9, timeout=60
    )


@pytest.mark.timeout(90)
def test_a_body_at_the_limit_arrives_whole_and_one_byte_more_is_a_413(
    create: Callable[[int], Any],
) -> None:
    overhead = len(create(0).http_request.content)
    fits = BODY_BYTES_MAX - overhead
    raw = create(fits)
    sent = raw.http_request.content
    assert len(sent) == BODY_BYTES_MAX
    forwarded = hashlib.sha256(sent.replace(*SPLICE, 1)).hexdigest()
    assert raw.headers["x-mock-saw-body-sha256"] == forwarded

    for _ in range(3):
        with pytest.raises((openai.APIStatusError, anthropic.APIStatusError)) as error:
            create(fits + 1)
        assert error.value.status_code == 413
        assert "body_bytes_max" in str(error.value)
    # The connection pool of the client is none the worse.
    assert create(0).http_response.status_code == 200
