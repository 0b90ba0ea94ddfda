"""Each status is raised as its class, says what was wrong, and carries the request id."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anthropic
import openai
import pytest

from tests.mock.asks import USER

if TYPE_CHECKING:
    from tests.sdk.python.access import Clients

MESSAGE = {"messages": USER, "max_tokens": 9}


def asks_of(client: openai.OpenAI) -> dict[str, object]:
    """Every call of OpenAI's that takes a model, by name."""
    return {
        "chat": lambda model: client.chat.completions.create(model=model, messages=USER),
        "chat stream": lambda model: client.chat.completions.create(
            model=model, messages=USER, stream=True
        ),
        "completions": lambda model: client.completions.create(model=model, prompt="x"),
        "responses": lambda model: client.responses.create(model=model, input="x"),
        "responses stream": lambda model: client.responses.create(
            model=model, input="x", stream=True
        ),
        "embeddings": lambda model: client.embeddings.create(model=model, input="x"),
    }


@pytest.mark.parametrize(
    ("status", "of_openai", "of_anthropic"),
    [
        (400, "BadRequestError", "BadRequestError"),
        (401, "AuthenticationError", "AuthenticationError"),
        (403, "PermissionDeniedError", "PermissionDeniedError"),
        (404, "NotFoundError", "NotFoundError"),
        (409, "ConflictError", "ConflictError"),
        (413, "APIStatusError", "ContentTooLargeError"),
        (422, "UnprocessableEntityError", "UnprocessableEntityError"),
        (429, "RateLimitError", "RateLimitError"),
        (500, "InternalServerError", "InternalServerError"),
        (503, "InternalServerError", "ServiceUnavailableError"),
        (529, "InternalServerError", "OverloadedError"),
    ],
)
def test_an_error_of_the_provider_is_raised_as_its_kind(
    oai: openai.OpenAI, ant: anthropic.Anthropic, status: int, of_openai: str, of_anthropic: str
) -> None:
    model = f"mock/error?status={status}&retry_after=3"
    raised: list[openai.APIStatusError | anthropic.APIStatusError] = []
    for ask in asks_of(oai).values():
        with pytest.raises(openai.APIStatusError) as of_oai:
            ask(model)
        assert type(of_oai.value) is getattr(openai, of_openai)
        raised.append(of_oai.value)
    for stream in (False, True):
        with pytest.raises(anthropic.APIStatusError) as of_ant:
            ant.messages.create(model=model, **MESSAGE, stream=stream)
        kind = getattr(anthropic, of_anthropic, None) or getattr(
            anthropic._exceptions, of_anthropic
        )
        assert type(of_ant.value) is kind
        raised.append(of_ant.value)
    for error in raised:
        assert error.status_code == status
        assert f"status {status}" in str(error)
        assert error.response.headers["retry-after"] == "3"
        assert error.response.headers["x-llm-edge-provider"] == "mock"
        assert error.request_id == error.response.headers["x-request-id"]
    assert len({error.request_id for error in raised}) == len(raised)


def test_a_wrong_key_and_no_key_are_not_let_in(clients: Clients) -> None:
    with (
        clients.oai(api_key="sk-edge-wrong") as oai,
        clients.ant(api_key="sk-edge-wrong") as ant,
    ):
        with pytest.raises(openai.AuthenticationError, match="keys create") as of_oai:
            oai.chat.completions.create(model="demo", messages=USER)
        assert (of_oai.value.code, of_oai.value.type) == (
            "invalid_api_key",
            "invalid_request_error",
        )
        with pytest.raises(anthropic.AuthenticationError, match="keys create") as of_ant:
            ant.messages.create(model="demo", **MESSAGE)
        assert of_ant.value.type == "authentication_error"
        with pytest.raises(openai.AuthenticationError, match="key"):
            oai.chat.completions.create(
                model="demo", messages=USER, extra_headers={"Authorization": openai.Omit()}
            )
        with pytest.raises(openai.AuthenticationError):
            oai.models.list()


def test_an_unknown_model_is_not_found_and_the_nearest_named(
    oai: openai.OpenAI, ant: anthropic.Anthropic
) -> None:
    for ask in asks_of(oai).values():
        with pytest.raises(openai.NotFoundError, match="did you mean `demo`") as of_oai:
            ask("dmo")
        assert (of_oai.value.code, of_oai.value.param) == ("model_not_found", "model")
    with pytest.raises(anthropic.NotFoundError, match="did you mean `demo`") as of_ant:
        ant.messages.create(model="dmo", **MESSAGE)
    assert of_ant.value.type == "not_found_error"
    with pytest.raises(anthropic.NotFoundError, match="did you mean `demo`"):
        ant.messages.count_tokens(model="dmo", messages=USER)


def test_a_bare_name_never_goes_to_the_mock(oai: openai.OpenAI, ant: anthropic.Anthropic) -> None:
    for ask in asks_of(oai).values():
        with pytest.raises(openai.NotFoundError, match="`echo` does not exist"):
            ask("echo")
    with pytest.raises(anthropic.NotFoundError, match="`echo` does not exist"):
        ant.messages.create(model="echo", **MESSAGE)


def test_what_is_not_translated_is_refused_and_both_dialects_named(
    configured_clients: Clients,
) -> None:
    dialects = {
        "completions": "openai_completions",
        "embeddings": "openai_embeddings",
    }
    with configured_clients.oai() as client:
        for model in ("claude/echo", "claude-small"):
            asks = asks_of(client)
            for name, dialect in dialects.items():
                with pytest.raises(openai.BadRequestError) as of_oai:
                    asks[name](model)
                assert of_oai.value.code == "dialect_mismatch"
                assert dialect in str(of_oai.value)
                assert "anthropic_messages" in str(of_oai.value)


def test_a_path_that_is_not_there_is_not_found_in_the_shape_of_its_api(
    oai: openai.OpenAI, ant: anthropic.Anthropic
) -> None:
    with pytest.raises(openai.NotFoundError) as of_oai:
        oai.images.generate(model="demo", prompt="x")
    assert of_oai.value.code == "unknown_path"
    with pytest.raises(anthropic.NotFoundError) as of_ant:
        ant.messages.batches.list()
    assert of_ant.value.type == "not_found_error"


def test_a_parameter_the_mock_does_not_know_is_refused_with_those_it_does(
    oai: openai.OpenAI,
) -> None:
    with pytest.raises(openai.BadRequestError, match="`tokens`"):
        oai.chat.completions.create(model="mock/lorem?words=1", messages=USER)


def test_a_provider_that_cannot_be_reached_is_a_502_that_may_be_tried_again(
    configured_clients: Clients,
) -> None:
    with configured_clients.oai() as client, pytest.raises(openai.InternalServerError) as error:
        client.chat.completions.create(model="nobody/x", messages=USER)
    assert (error.value.status_code, error.value.code) == (502, "upstream_unreachable")
    assert error.value.response.headers["x-should-retry"] == "true"
    assert error.value.request_id


def test_a_provider_that_says_nothing_in_time_is_a_504(configured_clients: Clients) -> None:
    with configured_clients.oai() as client, pytest.raises(openai.InternalServerError) as error:
        client.chat.completions.create(model="silent-one", messages=USER)
    assert (error.value.status_code, error.value.code) == (504, "upstream_timeout")
    # The request was sent: nobody knows whether it was executed.
    assert "x-should-retry" not in error.value.response.headers
