"""The class that OpenAI's SDK has for Azure: a deployment in the path, `api-key`, a version."""

from __future__ import annotations

from typing import TYPE_CHECKING

import openai
import pytest
from langchain_openai import AzureChatOpenAI

from tests.mock.asks import TEXT, USER
from tests.sdk.python.access import PLAIN, all_of

if TYPE_CHECKING:
    from tests.sdk.python.access import Clients


def azure(clients: Clients, **more: object) -> openai.AzureOpenAI:
    at = {"azure_endpoint": clients.running.anthropic, "api_version": "2024-10-21"}
    return openai.AzureOpenAI(**(PLAIN | at | {"api_key": clients.key} | more))


def test_models_are_deployments(clients: Clients) -> None:
    with azure(clients) as client:
        chat = client.chat.completions.create(model="mock/echo", messages=USER)
        assert chat.choices[0].message.content == TEXT
        stream = client.chat.completions.create(model="demo", messages=USER, stream=True)
        said = [chunk.choices[0].delta.content or "" for chunk in all_of(stream) if chunk.choices]
        assert "".join(said) == TEXT
        assert client.completions.create(model="mock/echo", prompt=TEXT).choices[0].text == TEXT
        assert len(client.embeddings.create(model="mock/embed?dims=3", input=TEXT).data) == 1
        assert client.responses.create(model="mock/echo", input=TEXT).output_text == TEXT
        assert "mock/echo" in {model.id for model in client.models.list()}


def test_the_clients_deployment_wins_over_the_model(clients: Clients) -> None:
    with azure(clients, azure_deployment="mock/echo") as client:
        chat = client.chat.completions.create(model="gpt-4o", messages=USER)
    assert chat.choices[0].message.content == TEXT


def test_langchain_s_class_says_no_model_of_its_own(clients: Clients) -> None:
    # One of its own would never be closed.
    with openai.DefaultHttpxClient() as http:
        model = AzureChatOpenAI(
            **PLAIN,
            http_client=http,
            azure_endpoint=clients.running.anthropic,
            azure_deployment="demo",
            api_version="2024-10-21",
            api_key=clients.key,
        )
        assert model.invoke(TEXT).content == TEXT
        assert "".join(str(chunk.content) for chunk in model.stream(TEXT)) == TEXT


def test_errors_are_the_classes_that_they_are_at_azure(clients: Clients) -> None:
    with azure(clients) as client, pytest.raises(openai.NotFoundError) as raised:
        client.chat.completions.create(model="nobody/has-it", messages=USER)
    assert raised.value.code == "model_not_found"
    with azure(clients, api_key="sk-wrong") as client, pytest.raises(openai.AuthenticationError):
        client.chat.completions.create(model="mock/echo", messages=USER)
    with azure(clients) as client, pytest.raises(openai.NotFoundError, match="/openai/v1"):
        client.images.generate(model="mock/echo", prompt=TEXT)
