"""How a test reaches a gateway: clients of the SDKs, and the gateway's own figures."""

import threading
import urllib.request
from dataclasses import dataclass
from typing import Any, TypeVar

import anthropic
import openai
from google import genai
from google.genai import types
from prometheus_client.parser import text_string_to_metric_families

from tests.support.gateway import Running

CONFIGURED_KEY = "sk-edge-sdk-tests"
# The SDKs retry twice and wait ten minutes unless told otherwise; a test that wants that says so.
PLAIN: dict[str, Any] = {"max_retries": 0, "timeout": 20.0}
SETTLED_S = 5.0
T = TypeVar("T")


def all_of(stream: openai.Stream[T] | anthropic.Stream[T]) -> list[T]:
    """Everything in a stream; its connection is given back, also where that raises."""
    with stream:
        return list(stream)


@dataclass(frozen=True)
class Clients:
    """Makers of clients of one gateway; `more` is for the SDK's constructor."""

    running: Running
    key: str

    def oai(self, **more: object) -> openai.OpenAI:
        return openai.OpenAI(**self._openai(more))

    def async_oai(self, **more: object) -> openai.AsyncOpenAI:
        return openai.AsyncOpenAI(**self._openai(more))

    def ant(self, **more: object) -> anthropic.Anthropic:
        return anthropic.Anthropic(**self._anthropic(more))

    def async_ant(self, **more: object) -> anthropic.AsyncAnthropic:
        return anthropic.AsyncAnthropic(**self._anthropic(more))

    def google(self, **more: object) -> genai.Client:
        options = types.HttpOptions(base_url=self.running.anthropic, timeout=20_000)
        return genai.Client(**({"api_key": self.key, "http_options": options} | more))

    def _openai(self, more: dict[str, object]) -> dict[str, Any]:
        return PLAIN | {"base_url": self.running.api, "api_key": self.key} | more

    def _anthropic(self, more: dict[str, object]) -> dict[str, Any]:
        return PLAIN | {"base_url": self.running.anthropic, "api_key": self.key} | more


def figure(running: Running, name: str, **labels: str) -> float:
    """The sum of the samples of that name that have these labels, from `/metrics`."""
    with urllib.request.urlopen(f"{running.metrics}/metrics", timeout=10) as reply:
        families = text_string_to_metric_families(reply.read().decode())
    return sum(
        sample.value
        for family in families
        for sample in family.samples
        if sample.name == name and labels.items() <= sample.labels.items()
    )


def becomes(running: Running, name: str, wanted: float, **labels: str) -> float:
    """The figure once it is `wanted`, or what it still is when there is no more patience."""
    for _ in range(int(SETTLED_S / 0.02)):
        if (now := figure(running, name, **labels)) == wanted:
            return now
        threading.Event().wait(0.02)
    return figure(running, name, **labels)
