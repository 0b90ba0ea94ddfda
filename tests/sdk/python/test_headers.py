"""What the SDKs send and show beside the bodies: addresses, credentials, ids, the cache's word."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

import anthropic
import httpx2
import openai
import pytest

from tests.mock.asks import TEXT, USER

if TYPE_CHECKING:
    from tests.sdk.python.access import Clients

MESSAGE = {"messages": USER, "max_tokens": 99}


@pytest.mark.parametrize("path", ["/v1", "/openai/v1", ""])
def test_openai_is_served_under_each_of_its_addresses(clients: Clients, path: str) -> None:
    with clients.oai(base_url=clients.running.anthropic + path) as client:
        assert client.models.retrieve("mock/echo").id == "mock/echo"
        chat = client.chat.completions.create(model="demo", messages=USER)
        assert chat.choices[0].message.content == TEXT
        assert client.responses.create(model="mock/echo", input=TEXT).output_text == TEXT
        with client.responses.stream(model="mock/echo", input=TEXT) as stream:
            assert stream.get_final_response().output_text == TEXT
        assert client.completions.create(model="mock/echo", prompt=TEXT).choices[0].text == TEXT
        assert client.embeddings.create(model="mock/embed?dims=3", input=TEXT).data


@pytest.mark.parametrize("path", ["", "/anthropic"])
def test_anthropic_is_served_under_each_of_its_addresses(clients: Clients, path: str) -> None:
    with clients.ant(base_url=clients.running.anthropic + path) as client:
        assert client.models.retrieve("mock/echo").type == "model"
        assert client.messages.create(model="demo", **MESSAGE).content[0].text == TEXT
        with client.messages.stream(model="demo", **MESSAGE) as stream:
            assert stream.get_final_text() == TEXT
        assert client.messages.count_tokens(model="demo", messages=USER).input_tokens > 1


@pytest.mark.parametrize("header", ["Authorization", "x-api-key", "api-key", "x-goog-api-key"])
def test_the_key_is_taken_from_each_of_the_four_headers(
    clients: Clients, oai: openai.OpenAI, header: str
) -> None:
    def ask(key: str) -> str:
        value = f"Bearer {key}" if header == "Authorization" else key
        credential = {"Authorization": openai.Omit(), header: value}
        raw = oai.chat.completions.with_raw_response.create(
            model="demo", messages=USER, extra_headers=credential
        )
        sent = raw.http_request.headers
        assert [name for name in sent if "key" in name or name == "authorization"] == [
            header.lower()
        ]
        return raw.parse().choices[0].message.content

    assert ask(clients.key) == TEXT
    with pytest.raises(openai.AuthenticationError):
        ask("sk-edge-wrong")


@pytest.mark.parametrize("header", ["x-api-key", "Authorization"])
def test_anthropic_may_send_its_key_in_either_header(clients: Clients, header: str) -> None:
    value = f"Bearer {clients.key}" if header == "Authorization" else clients.key
    credential = {"Authorization": anthropic.Omit(), header: value}
    sent: list[httpx2.Headers] = []
    hooks = {"request": [lambda request: sent.append(request.headers)]}
    with clients.ant(http_client=httpx2.Client(event_hooks=hooks)) as client:
        message = client.messages.create(model="demo", **MESSAGE, extra_headers=credential)
    assert message.content[0].text == TEXT
    assert [{"x-api-key", "authorization"} & set(headers) for headers in sent] == [{header.lower()}]


def test_each_reply_has_an_id_of_its_own_and_names_its_provider(
    oai: openai.OpenAI, ant: anthropic.Anthropic
) -> None:
    raws = [
        oai.chat.completions.with_raw_response.create(model="mock/echo", messages=USER),
        oai.responses.with_raw_response.create(model="mock/echo", input=TEXT),
        ant.messages.with_raw_response.create(model="mock/echo", **MESSAGE),
    ]
    for raw in raws:
        assert raw.headers["x-request-id"] == raw.headers["request-id"]
        assert raw.headers["x-llm-edge-provider"] == "mock"
        # The provider's own id is kept under another name.
        assert raw.headers["x-llm-edge-upstream-request-id"] != raw.headers["x-request-id"]
    assert len({raw.headers["x-request-id"] for raw in raws}) == len(raws)
    whole = oai.chat.completions.create(model="mock/echo", messages=USER)
    message = ant.messages.create(model="mock/echo", **MESSAGE)
    assert whole._request_id.startswith("req_")
    assert message._request_id.startswith("req_")


@pytest.mark.parametrize("model", ["mock/echo", "mock/error?status=400", "dmo"])
def test_the_callers_own_request_id_comes_back(
    oai: openai.OpenAI, ant: anthropic.Anthropic, model: str
) -> None:
    mine = f"trace-{uuid.uuid4()}"
    more = {"messages": USER, "model": model, "extra_headers": {"x-request-id": mine}}
    for create, bound in (
        (oai.chat.completions.with_raw_response.create, {}),
        (ant.messages.with_raw_response.create, {"max_tokens": 9}),
    ):
        try:
            headers = create(**more, **bound).headers
        except Exception as error:  # noqa: BLE001 -- of two SDKs; only the reply's head matters
            headers = error.response.headers
        assert (headers["x-request-id"], headers["request-id"]) == (mine, mine)


def test_a_stored_reply_says_so_and_is_the_same(
    oai: openai.OpenAI, ant: anthropic.Anthropic
) -> None:
    ask = {"model": "demo", "messages": [{"role": "user", "content": f"{uuid.uuid4()}"}]}
    for create, bound in (
        (oai.chat.completions.with_raw_response.create, {}),
        (ant.messages.with_raw_response.create, {"max_tokens": 99}),
    ):
        first, second = (create(**ask, **bound) for _ in range(2))
        assert [raw.headers["x-llm-edge-cache"] for raw in (first, second)] == ["miss", "hit"]
        assert second.headers["cache-status"].startswith("llm-edge; hit")
        assert first.http_response.content == second.http_response.content
        assert first.headers["x-request-id"] != second.headers["x-request-id"]


def test_a_stored_stream_is_replayed_as_it_came(oai: openai.OpenAI) -> None:
    ask = {"model": "demo", "messages": [{"role": "user", "content": f"{uuid.uuid4()}"}]}
    seen = []
    for _ in range(2):
        with oai.chat.completions.with_streaming_response.create(**ask, stream=True) as raw:
            seen.append((raw.headers["x-llm-edge-cache"], b"".join(raw.iter_bytes())))
    assert [word for word, _ in seen] == ["miss", "hit"]
    assert seen[0][1] == seen[1][1]
    assert seen[1][1].endswith(b"data: [DONE]\n\n")


def test_a_caller_can_decline_the_cache(oai: openai.OpenAI) -> None:
    ask = {"model": "demo", "messages": [{"role": "user", "content": f"{uuid.uuid4()}"}]}
    create = oai.chat.completions.with_raw_response.create
    words = [
        create(**ask, extra_headers=headers).headers["x-llm-edge-cache"]
        for headers in (
            {"Cache-Control": "no-store"},
            {},
            {"Cache-Control": "no-cache"},
            {"Cache-Control": "no-store"},
            {},
        )
    ]
    assert words[0] == "bypass"
    assert words[1] == "miss"
    assert "hit" not in words[2:4]
    assert words[4] == "hit"
