"""Embeddings and rankings of an upstream that others wrote, in each API that it speaks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx2
import openai
import pytest

from tests.sdk.python.access import CONFIGURED_KEY, Clients
from tests.support.aimock import aimock
from tests.support.gateway import start

if TYPE_CHECKING:
    from collections.abc import Iterator

CONFIG = """
version: 1
keys: [{{name: sdk, key: {key}}}]
providers:
  openai: {{type: openai, base_url: "{url}/v1", api_key: none}}
  azure: {{type: azure_openai, base_url: "{url}", api_key: none}}
  deployed:
    type: azure_openai
    base_url: "{url}"
    api_key: none
    api_version: 2025-04-01-preview
  google: {{type: gemini, base_url: "{url}/v1beta", api_key: none}}
  cohere: {{type: cohere, base_url: "{url}", api_key: none}}
  ollama: {{type: ollama, base_url: "{url}"}}
"""
VECTOR = [0.25, -1.5, 0.10000000149011612]
FIXTURES: list[dict[str, object]] = [
    {"match": {"inputText": "Brno"}, "response": {"embedding": VECTOR}},
    *(
        {
            "match": {"inputText": f"fail {status}"},
            "response": {
                "error": {"message": f"it failed with {status}", "type": "some_error"},
                "status": status,
            },
        }
        for status in (400, 429)
    ),
]
RANKS = [{"index": 1, "relevance_score": 0.75}, {"index": 0, "relevance_score": 0.5}]
BY_OPENAI_S = ["openai", "azure", "deployed", "google", "cohere", "ollama"]
# At `/api/embed` it answers as Ollama's older `/api/embeddings` does.
BY_GOOGLE_S = ["openai", "azure", "deployed", "google", "cohere"]


@pytest.fixture(scope="module")
def clients(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Clients]:
    folder = tmp_path_factory.mktemp("aimock")
    rankings = [{"query": "Moravia", "results": RANKS}]
    with aimock(folder, FIXTURES, rankings) as url:
        config = folder / "llm-edge.yaml"
        config.write_text(CONFIG.format(url=url, key=CONFIGURED_KEY))
        running = start(["serve", "--config", str(config), "--workers", "1"], folder)
        yield Clients(running, CONFIGURED_KEY)
        running.stop()


def post(clients: Clients, path: str, tree: dict[str, object]) -> httpx2.Response:
    headers = {"authorization": f"Bearer {CONFIGURED_KEY}"}
    return httpx2.post(clients.running.anthropic + path, json=tree, headers=headers, timeout=20)


def embed_content(clients: Clients, provider: str, text: str) -> httpx2.Response:
    path = f"/v1beta/models/{provider}/m:embedContent"
    return post(clients, path, {"content": {"parts": [{"text": text}]}})


@pytest.mark.parametrize("provider", BY_OPENAI_S)
@pytest.mark.parametrize("form", [{}, {"encoding_format": "float"}], ids=["packed", "floats"])
def test_openai_s_sdk_gets_the_vectors(
    clients: Clients, provider: str, form: dict[str, str]
) -> None:
    with clients.oai() as client:
        said = client.embeddings.create(model=f"{provider}/m", input=["Brno", "in Brno"], **form)
    assert [one.embedding for one in said.data] == [VECTOR, VECTOR]
    assert [one.index for one in said.data] == [0, 1]


@pytest.mark.parametrize("provider", BY_GOOGLE_S)
def test_clients_of_google_s_api_get_the_vector(clients: Clients, provider: str) -> None:
    assert embed_content(clients, provider, "Brno").json()["embedding"] == {"values": VECTOR}


@pytest.mark.parametrize("status", [400, 429])
@pytest.mark.parametrize("provider", BY_OPENAI_S)
def test_an_error_raises_the_class_of_its_status(
    clients: Clients, provider: str, status: int
) -> None:
    with clients.oai() as client, pytest.raises(openai.APIStatusError) as found:
        client.embeddings.create(model=f"{provider}/m", input=f"fail {status}")
    assert found.value.status_code == status
    assert f"it failed with {status}" in str(found.value)


@pytest.mark.parametrize("status", [400, 429])
@pytest.mark.parametrize("provider", BY_GOOGLE_S)
def test_an_error_has_its_status_in_google_s_api(
    clients: Clients, provider: str, status: int
) -> None:
    reply = embed_content(clients, provider, f"fail {status}")
    error = reply.json()["error"]
    assert (reply.status_code, error["code"]) == (status, status)
    assert f"it failed with {status}" in error["message"]


@pytest.mark.parametrize("path", ["/v1/rerank", "/v2/rerank"])
def test_documents_are_ranked(clients: Clients, path: str) -> None:
    asked = {"model": "cohere/m", "query": "Moravia", "documents": ["Praha", "Brno"]}
    reply = post(clients, path, asked)
    assert (reply.status_code, reply.json()["results"]) == (200, RANKS)
