"""The commit point looks into streams that are no server-sent events too."""

from collections.abc import Iterator
from dataclasses import dataclass

import msgspec
import pytest

from tests.behaviour.failure.several import data, delta, metric, streamed
from tests.conftest import Serve
from tests.support.event_stream import MEDIA_TYPE, frame
from tests.support.hop import KEY, UPSTREAM_KEY, Hop, post
from tests.support.upstream import Action, Close, Pause, Read, Send, Upstream, chunk, stream_head
from tests.support.wire import Answer

CONFIG = """
version: 1
keys: [{{name: app, key: {key}}}]
providers:
  aws: {{type: bedrock, base_url: "{first}", api_key: {secret}}}
  ollama: {{type: ollama, base_url: "{first}"}}
  other: {{type: openai_compatible, base_url: "{second}/v1", api_key: {secret}}}
routes:
  bedrock: {{models: [bedrock], {more}, targets: [{{provider: aws, model: m}}, {other}]}}
  ollama: {{models: [ollama], {more}, targets: [{{provider: ollama, model: m}}, {other}]}}
"""
MORE = "strategy: ordered, commit_point: true, retry: {backoff_ms: 1, attempts_max: 2}"
OTHER = "{provider: other, model: m}"
FINISH = data({"id": "c", "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
OTHER_SAYS = streamed(delta(role="assistant", content=""), delta(content="from the other"), FINISH)
LAST = b'data: {"type":"message_stop"}\n\n'


def said(text: str, **more: object) -> bytes:
    message = {"role": "assistant", "content": text}
    line = {"model": "m", "created_at": "2026-01-01T00:00:00Z", "message": message, "done": False}
    return msgspec.json.encode(line | more) + b"\n"


@dataclass(frozen=True)
class Form:
    """How an upstream frames its stream."""

    media_type: str
    formality: bytes
    word: bytes
    end: bytes
    error: bytes


FORMS = {
    "bedrock": Form(
        MEDIA_TYPE,
        frame("messageStart", {"role": "assistant"}),
        frame("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"text": "well"}}),
        frame("messageStop", {"stopReason": "end_turn"})
        + frame("metadata", {"usage": {"inputTokens": 3, "outputTokens": 5, "totalTokens": 8}}),
        frame("throttlingException", {"message": "slow down"}, exception=True),
    ),
    "ollama": Form(
        "application/x-ndjson",
        said(""),
        said("well"),
        said("", done=True, done_reason="stop"),
        msgspec.json.encode({"error": "slow down"}) + b"\n",
    ),
}


@dataclass
class Two:
    """A gateway, the upstream it asks first, and another one."""

    hop: Hop
    first: Upstream
    second: Upstream

    def ask(self, form: str) -> Answer:
        messages = [{"role": "user", "content": "hello"}]
        body = {"model": form, "max_tokens": 16, "messages": messages, "stream": True}
        return self.hop.ask(post("/v1/messages", msgspec.json.encode(body)))

    def stream(self, form: str) -> bytes:
        answer = self.ask(form)
        assert (answer.status, answer.headers["content-type"]) == (200, "text/event-stream")
        return answer.body

    def says(self, form: str, *events: bytes, piece: int = 0, end: Action | None = None) -> None:
        head = stream_head("Connection: close")
        head = head.replace(b"text/event-stream", FORMS[form].media_type.encode())
        sent = [Send(head + b"".join(map(chunk, events)), piece)]
        self.first.always(Read(), *sent, *([end] if end else [Send(chunk(b""))]), Close())


@pytest.fixture
def two(serve: Serve) -> Iterator[Two]:
    with Upstream() as first, Upstream() as second:
        second.always(Read(), Send(OTHER_SAYS))
        places = {"first": first.url, "second": second.url}
        config = CONFIG.format(key=KEY, secret=UPSTREAM_KEY, more=MORE, other=OTHER, **places)
        yield Two(Hop(serve(config), first), first, second)


@pytest.mark.behaviour("B05")
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("piece", [0, 1], ids=["at once", "byte by byte"])
def test_an_error_before_the_first_word_is_answered_by_another(
    two: Two, form: str, piece: int
) -> None:
    two.says(form, FORMS[form].formality, FORMS[form].error, piece=piece)
    body = two.stream(form)
    assert b"from the other" in body
    assert b"slow down" not in body
    assert body.endswith(LAST)
    assert (len(two.first.requests), len(two.second.requests)) == (1, 1)
    assert metric(two.hop.running, "llm_edge_retries_total", reason="error_event") == 1


@pytest.mark.behaviour("B02")
@pytest.mark.parametrize("form", FORMS)
def test_an_error_after_the_first_word_goes_to_the_client(two: Two, form: str) -> None:
    two.says(form, FORMS[form].formality, FORMS[form].word, FORMS[form].error)
    body = two.stream(form)
    assert body.index(b"well") < body.index(b"slow down")
    assert not body.endswith(LAST)
    assert not two.second.requests


@pytest.mark.behaviour("B03")
@pytest.mark.parametrize("form", FORMS)
def test_a_stream_that_breaks_off_before_its_first_word_is_not_sent_again(
    two: Two, form: str
) -> None:
    two.says(form, FORMS[form].formality, end=Pause(0.1))
    last = two.stream(form).rstrip().rsplit(b"\n\n", 1)[-1]
    assert last.startswith(b"event: error\n")
    assert not two.second.requests


@pytest.mark.parametrize("form", FORMS)
def test_a_stream_of_another_form_is_the_relay_s_to_refuse(two: Two, form: str) -> None:
    two.says(form, b"\x00\x00\x00\x01garbage\n" * 4)
    answer = two.ask(form)
    assert (answer.status, b"cannot be translated" in answer.body) == (502, True)
    assert not two.second.requests


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("piece", [0, 1], ids=["at once", "byte by byte"])
def test_what_was_held_comes_out_whole(two: Two, form: str, piece: int) -> None:
    with_word = FORMS[form]
    two.says(form, with_word.formality, with_word.word, with_word.end, piece=piece)
    body = two.stream(form)
    assert body.count(b"well") == 1
    assert body.endswith(LAST)
    assert not two.second.requests
