"""The SDKs' own retries and timeouts work through the gateway as they do without it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import anthropic
import httpx2
import openai
import pytest

from tests.mock.asks import TEXT, USER
from tests.sdk.python.access import all_of, becomes, figure

if TYPE_CHECKING:
    from tests.sdk.python.access import Clients

RETRIES = 2
RETRY_AFTER_S = 1
MESSAGE = {"messages": USER, "max_tokens": 99}


class Sent:
    """Requests as a client's transport sent them; `counting` makes the client of an SDK."""

    def __init__(self) -> None:
        self.attempts: list[str] = []

    def client(self) -> httpx2.Client:
        return httpx2.Client(event_hooks={"request": [self._note]})

    def _note(self, request: httpx2.Request) -> None:
        self.attempts.append(request.headers["x-stainless-retry-count"])


@pytest.fixture
def sent() -> Sent:
    return Sent()


def test_a_rate_limit_is_tried_again_as_often_as_the_client_wants(
    clients: Clients, sent: Sent
) -> None:
    model = f"mock/error?status=429&retry_after={RETRY_AFTER_S}"
    count = ("llm_edge_requests_total", {"status": "4xx"})
    before = figure(clients.running, count[0], **count[1])
    started = time.monotonic()
    with (
        clients.oai(max_retries=RETRIES, http_client=sent.client()) as client,
        pytest.raises(openai.RateLimitError),
    ):
        client.chat.completions.create(model=model, messages=USER)
    assert sent.attempts == ["0", "1", "2"]
    assert time.monotonic() - started >= RETRIES * RETRY_AFTER_S
    # The gateway added no attempts of its own, and swallowed none.
    wanted = before + RETRIES + 1
    assert becomes(clients.running, count[0], wanted, **count[1]) == wanted


@pytest.mark.parametrize("status", [500, 503, 529])
def test_a_failing_provider_is_tried_again(clients: Clients, sent: Sent, status: int) -> None:
    with (
        clients.ant(max_retries=1, http_client=sent.client()) as client,
        pytest.raises(anthropic.InternalServerError),
    ):
        client.messages.create(model=f"mock/error?status={status}", **MESSAGE)
    assert sent.attempts == ["0", "1"]


@pytest.mark.parametrize("status", [400, 401, 404, 413])
def test_what_would_fail_again_is_not_tried_again(
    clients: Clients, sent: Sent, status: int
) -> None:
    with (
        clients.oai(max_retries=RETRIES, http_client=sent.client()) as client,
        pytest.raises(openai.APIStatusError),
    ):
        client.chat.completions.create(model=f"mock/error?status={status}", messages=USER)
    assert sent.attempts == ["0"]


def test_rejections_of_the_gateway_are_not_tried_again(clients: Clients, sent: Sent) -> None:
    with clients.oai(max_retries=RETRIES, http_client=sent.client()) as client:
        with pytest.raises(openai.NotFoundError):
            client.chat.completions.create(model="dmo", messages=USER)
        with pytest.raises(openai.AuthenticationError):
            client.with_options(api_key="sk-edge-wrong").models.list()
    assert sent.attempts == ["0", "0"]


def test_a_provider_that_cannot_be_reached_is_tried_again(
    configured_clients: Clients, sent: Sent
) -> None:
    with (
        configured_clients.oai(max_retries=1, http_client=sent.client()) as client,
        pytest.raises(openai.InternalServerError),
    ):
        client.chat.completions.create(model="nobody/x", messages=USER)
    assert sent.attempts == ["0", "1"]


def test_retries_get_through_a_flaky_provider(clients: Clients, sent: Sent) -> None:
    # The sequence of failures follows from the seed, and begins anew with each mock.
    model = "mock/flaky?p=0.6&seed=20261"
    with clients.oai(max_retries=6, http_client=sent.client()) as client:
        for _ in range(3):
            whole = client.chat.completions.create(model=model, messages=USER)
            assert whole.choices[0].message.content == TEXT
    assert len(sent.attempts) > 3, "the provider never failed: nothing was shown"


def test_a_timeout_of_the_client_is_raised_in_time(
    oai: openai.OpenAI, ant: anthropic.Anthropic
) -> None:
    started = time.monotonic()
    ask = {"model": "mock/slow?total=30s", "messages": USER, "timeout": 0.3}
    with pytest.raises(openai.APITimeoutError):
        oai.chat.completions.create(**ask)
    with pytest.raises(anthropic.APITimeoutError):
        ant.messages.create(**ask, max_tokens=9)
    # A slow stream begins at once, and then stalls.
    with pytest.raises(openai.APITimeoutError):
        all_of(oai.chat.completions.create(**ask, stream=True))
    # What the transport says; this SDK gives it no name of its own while it reads events.
    with pytest.raises((anthropic.APITimeoutError, httpx2.ReadTimeout)):
        all_of(ant.messages.create(**ask, max_tokens=9, stream=True))
    assert time.monotonic() - started < 4


def test_a_timeout_leaves_nothing_behind(clients: Clients) -> None:
    counted = ("llm_edge_requests_total", {"status": "cancelled"})
    before = figure(clients.running, counted[0], **counted[1])
    with clients.oai(timeout=0.3) as client, pytest.raises(openai.APITimeoutError):
        client.responses.create(model="mock/slow?total=30s", input="x")
    assert becomes(clients.running, "llm_edge_inflight_requests", 0) == 0
    assert becomes(clients.running, counted[0], before + 1, **counted[1]) == before + 1


def test_a_slow_answer_that_comes_in_time_comes(oai: openai.OpenAI) -> None:
    whole = oai.chat.completions.create(model="mock/slow?total=600ms", messages=USER, timeout=5)
    assert whole.choices[0].message.content == TEXT


async def test_the_asynchronous_clients_try_again_and_give_up_in_time(clients: Clients) -> None:
    counted = ("llm_edge_requests_total", {"status": "5xx"})
    before = figure(clients.running, counted[0], **counted[1])
    async with clients.async_oai(max_retries=1) as oai, clients.async_ant(max_retries=1) as ant:
        with pytest.raises(openai.InternalServerError):
            await oai.chat.completions.create(model="mock/error?status=503", messages=USER)
        with pytest.raises(anthropic.InternalServerError):
            await ant.messages.create(model="mock/error?status=529", **MESSAGE)
        wanted = before + 4
        assert becomes(clients.running, counted[0], wanted, **counted[1]) == wanted

        started = time.monotonic()
        slow = "mock/slow?total=30s"
        with pytest.raises(openai.APITimeoutError):
            await oai.with_options(timeout=0.3, max_retries=0).responses.create(
                model=slow, input=TEXT
            )
        with pytest.raises(anthropic.APITimeoutError):
            await ant.with_options(timeout=0.3, max_retries=0).messages.create(
                model=slow, **MESSAGE
            )
        assert time.monotonic() - started < 3
    assert becomes(clients.running, "llm_edge_inflight_requests", 0) == 0
