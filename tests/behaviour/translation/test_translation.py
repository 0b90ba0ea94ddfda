"""A client of one API reaches a model of the other, or is told what could not be said there."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest

from tests.behaviour.failure.several import metric
from tests.support.hop import KEY, UPSTREAM_KEY, Hop, post, start_hop
from tests.support.streams import EVENTS, TEXT
from tests.support.upstream import (
    Action,
    Close,
    Read,
    Received,
    Send,
    Upstream,
    Wait,
    chunk,
    reply,
    stream_head,
)
from tests.support.wire import Answer

CHAT, MESSAGES = "/v1/chat/completions", "/v1/messages"
HELLO = [{"role": "user", "content": "Grüße, 世界!"}]
ROUTE = """
routes:
  both:
    models: [both]
    strategy: ordered
    retry: {{attempts_max: 2, backoff_ms: 10}}
    targets: [{{provider: claude, model: m}}, {{provider: up, model: n}}]
    {more}
  alone:
    models: [alone]
    targets: [{{provider: claude, model: m}}]
    {more}
"""
USAGE = {"input_tokens": 3, "output_tokens": 5, "cache_read_input_tokens": 4}
MESSAGE = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "m-1",
    "content": [
        {"type": "thinking", "thinking": "hm", "signature": "c2ln"},
        {"type": "text", "text": "你好"},
        {"type": "tool_use", "id": "t1", "name": "look", "input": {"at": "世界", "n": 1.0}},
    ],
    "stop_reason": "tool_use",
    "stop_sequence": None,
    "usage": USAGE,
}
COMPLETION = {
    "id": "c1",
    "object": "chat.completion",
    "created": 1,
    "model": "m-1",
    "choices": [
        {
            "index": 0,
            "message": {"role": "assistant", "content": "你好", "refusal": None},
            "finish_reason": "stop",
            "logprobs": None,
        }
    ],
    "usage": {
        "prompt_tokens": 7,
        "completion_tokens": 5,
        "total_tokens": 12,
        "prompt_tokens_details": {"cached_tokens": 4},
    },
}
LAST = b"data: [DONE]\n\n"


@contextmanager
def hop(folder: Path, more: str = "") -> Iterator[Hop]:
    """A gateway with one upstream that speaks both APIs, as `up` and as `claude`."""
    with Upstream() as upstream:
        running = start_hop(folder / "gateway", upstream, more, "--workers", "1")
        try:
            yield running
        finally:
            running.running.stop()


def ask(gateway: Hop, path: str, *headers: str, **fields: object) -> Answer:
    """One request on a connection of its own."""
    model = "claude/m" if path.startswith(CHAT) else "up/m"
    messages = {"model": model, "messages": HELLO, "max_tokens": 16}
    return gateway.ask(post(path, msgspec.json.encode(messages | fields), *headers))


def answers(gateway: Hop, document: object, status: str = "200 OK", *fields: str) -> None:
    """What the upstream says from now on."""
    gateway.upstream.always(Read(), Send(reply(msgspec.json.encode(document), status, *fields)))


def streams(gateway: Hop, events: list[bytes], piece: int = 0) -> None:
    """What the upstream streams from now on."""
    whole = stream_head() + b"".join(map(chunk, events)) + chunk(b"")
    gateway.upstream.always(Read(), Send(whole, piece))


def line_of(seen: Received) -> str:
    """The request line."""
    return seen.head.split(b"\r\n", 1)[0].decode()


def told(stream: bytes) -> list[dict[str, object]]:
    """The data of a stream's events, without the marker of its end."""
    events = [e for e in stream.decode().split("\n\n") if e and not e.startswith(":")]
    found = [e.split("data: ", 1)[1] for e in events]
    return [msgspec.json.decode(data) for data in found if data != "[DONE]"]


def test_a_chat_request_reaches_a_claude_model_and_its_answer_comes_back(tmp_path: Path) -> None:
    with hop(tmp_path) as gateway:
        answers(gateway, MESSAGE)
        more = ("X-Stainless-Lang: python", "OpenAI-Organization: o", "X-Own: kept")
        answer = ask(gateway, f"{CHAT}?beta=1", *more, seed=7, temperature=0)
        assert answer.status == 200
        assert answer.headers["x-llm-edge-dropped"] == "seed"
        assert answer.headers["x-llm-edge-provider"] == "claude"
        assert answer.headers["content-type"] == "application/json"
        [seen] = gateway.upstream.requests
        assert line_of(seen) == "POST /v1/messages HTTP/1.1"
        assert seen.headers["x-api-key"] == UPSTREAM_KEY
        assert seen.headers["anthropic-version"] == "2023-06-01"
        assert seen.headers["x-own"] == "kept"
        assert not {"x-stainless-lang", "openai-organization", "authorization"} & set(seen.headers)
        assert KEY.encode() not in seen.head + seen.body
        body = msgspec.json.decode(seen.body)
        assert (body["model"], body["max_tokens"], body["temperature"]) == ("m", 16, 0)
        [turn] = body["messages"]
        assert turn["content"][0]["text"] == HELLO[0]["content"]
        said = msgspec.json.decode(answer.body)
        message = said["choices"][0]["message"]
        assert (said["id"], said["model"], said["object"]) == ("msg_1", "m-1", "chat.completion")
        assert (message["content"], message["reasoning_content"]) == ("你好", "hm")
        assert message["thinking_blocks"][0]["signature"] == "c2ln"
        [call] = message["tool_calls"]
        assert call["function"] == {"name": "look", "arguments": '{"at":"世界","n":1.0}'}
        assert said["choices"][0]["finish_reason"] == "tool_calls"
        assert said["usage"]["prompt_tokens"] == 7
        assert said["usage"]["prompt_tokens_details"]["cached_tokens"] == 4
        assert metric(gateway.running, "llm_edge_tokens_total", type="output") == 5
        counted = "llm_edge_translations_total"
        assert metric(gateway.running, counted, part="request", result="lossy") == 1
        assert metric(gateway.running, counted, part="reply", result="whole") == 1


def test_a_messages_request_reaches_an_openai_model_and_its_answer_comes_back(
    tmp_path: Path,
) -> None:
    with hop(tmp_path) as gateway:
        answers(gateway, COMPLETION)
        more = ("anthropic-version: 2023-06-01", "anthropic-beta: x-1")
        answer = ask(gateway, f"{MESSAGES}?beta=true", *more, system="be kind", top_k=3)
        assert answer.status == 200
        assert answer.headers["x-llm-edge-dropped"] == "top_k,anthropic-beta"
        [seen] = gateway.upstream.requests
        assert line_of(seen) == "POST /v1/chat/completions HTTP/1.1"
        assert not [name for name in seen.headers if name.startswith("anthropic-")]
        body = msgspec.json.decode(seen.body)
        assert [message["role"] for message in body["messages"]] == ["system", "user"]
        assert body["max_tokens"] == 16
        said = msgspec.json.decode(answer.body)
        assert (said["type"], said["stop_reason"]) == ("message", "end_turn")
        assert said["content"][0]["text"] == "你好"
        assert (said["usage"]["input_tokens"], said["usage"]["cache_read_input_tokens"]) == (3, 4)
        assert metric(gateway.running, "llm_edge_tokens_total", type="input") == 7


@pytest.mark.parametrize("piece", [0, 1, 7], ids=["at once", "byte by byte", "in sevens"])
def test_a_claude_stream_comes_as_chat_chunks(tmp_path: Path, piece: int) -> None:
    with hop(tmp_path) as gateway:
        streams(gateway, EVENTS["messages"], piece)
        options = {"include_usage": True}
        answer = ask(gateway, CHAT, stream=True, stream_options=options)
        assert answer.complete
        assert answer.headers["content-type"].startswith("text/event-stream")
        assert answer.body.endswith(LAST)
        events = told(answer.body)
        deltas = [event["choices"][0]["delta"] for event in events if event["choices"]]  # type: ignore[index]
        assert "".join(delta.get("content") or "" for delta in deltas) == "".join(TEXT.split())
        assert events[-1]["choices"] == []
        assert events[-1]["usage"]["prompt_tokens"] == 3  # type: ignore[index]
        plain = ask(gateway, CHAT, stream=True)
        assert len(told(plain.body)) == len(events) - 1
        assert not any("usage" in event for event in told(plain.body))


@pytest.mark.parametrize("piece", [0, 1, 7], ids=["at once", "byte by byte", "in sevens"])
def test_a_chat_stream_comes_as_events_of_a_message(tmp_path: Path, piece: int) -> None:
    with hop(tmp_path) as gateway:
        streams(gateway, EVENTS["chat"], piece)
        answer = ask(gateway, MESSAGES, stream=True)
        assert answer.complete
        body = msgspec.json.decode(gateway.upstream.requests[0].body)
        assert body["stream_options"] == {"include_usage": True}
        events = told(answer.body)
        names = [event["type"] for event in events]
        assert (names[0], names[-1]) == ("message_start", "message_stop")
        texts = [e["delta"]["text"] for e in events if e["type"] == "content_block_delta"]  # type: ignore[index]
        assert "".join(texts) == "".join(TEXT.split())
        assert b"event: message_stop\n" in answer.body


@pytest.mark.parametrize(("path", "dialect"), [(CHAT, "messages"), (MESSAGES, "chat")])
def test_a_stream_that_breaks_off_is_never_ended(tmp_path: Path, path: str, dialect: str) -> None:
    with hop(tmp_path) as gateway:
        events = EVENTS[dialect]
        for until in range(1, len(events)):
            streams(gateway, events[:until])
            answer = ask(gateway, path, stream=True)
            assert (answer.status, LAST in answer.body) == (200, False)
            assert b"message_stop" not in answer.body
            error = told(answer.body)[-1]["error"]
            wanted = "api_error" if path == MESSAGES else "server_error"
            assert error["type"] == wanted  # type: ignore[index]


def test_a_stream_of_responses_that_breaks_off_ends_in_its_own_error_event(tmp_path: Path) -> None:
    with hop(tmp_path) as gateway:
        asked = msgspec.json.encode({"model": "claude/m", "input": "Hi", "stream": True})
        for until in range(1, len(EVENTS["messages"])):
            streams(gateway, EVENTS["messages"][:until])
            answer = gateway.ask(post("/v1/responses", asked))
            *before, last = told(answer.body)
            assert answer.body.rstrip().split(b"\n\n")[-1].startswith(b"event: error\n")
            assert (last["type"], last["code"]) == ("error", "upstream_closed")
            numbers = [event["sequence_number"] for event in [*before, last]]
            assert numbers == list(range(len(numbers)))


@pytest.mark.parametrize(
    ("path", "dialect", "damaged"),
    [
        (CHAT, "messages", b'event: content_block_delta\ndata: {"type":"content_blo\n\n'),
        (MESSAGES, "chat", b'data: {"choices":[{"delta":\n\n'),
        (MESSAGES, "chat", b"data: [DONE]\n\n"),
    ],
    ids=["half an event", "half a chunk", "an end without a reason"],
)
def test_a_damaged_event_after_words_is_an_error_and_no_end(
    tmp_path: Path, path: str, dialect: str, damaged: bytes
) -> None:
    with hop(tmp_path) as gateway:
        events = EVENTS[dialect]
        word = TEXT.split()[0].encode()
        said = next(at for at, event in enumerate(events) if word in event) + 1
        streams(gateway, [*events[:said], damaged, *events[said:]])
        answer = ask(gateway, path, stream=True)
        assert answer.status == 200
        assert word in answer.body
        assert LAST not in answer.body
        assert b"message_stop" not in answer.body
        error = told(answer.body)[-1]["error"]
        wanted = "api_error" if path == MESSAGES else "server_error"
        assert error["type"] == wanted  # type: ignore[index]


@pytest.mark.parametrize(("path", "dialect"), [(CHAT, "messages"), (MESSAGES, "chat")])
def test_each_event_is_passed_on_before_the_next_one_comes(
    tmp_path: Path, path: str, dialect: str
) -> None:
    words = TEXT.split()
    events = EVENTS[dialect]
    go_on = [threading.Event() for _ in events]
    script: list[Action] = [Send(stream_head())]
    for event, gate in zip(events, go_on, strict=True):
        script += [Wait(gate), Send(chunk(event))]
    with hop(tmp_path) as gateway, gateway.connect() as wire:
        gateway.upstream.once(Read(), *script, Send(chunk(b"")))
        model = "claude/m" if path == CHAT else "up/m"
        tree = {"model": model, "messages": HELLO, "max_tokens": 16, "stream": True}
        wire.send(post(path, msgspec.json.encode(tree)))
        left = list(words)
        for event, gate in zip(events, go_on, strict=True):
            gate.set()
            # The upstream says nothing more until the client has this word.
            if left and left[0].encode() in event:
                wire.read_until(left.pop(0).encode())
        assert not left


UNTIL_CLOSE = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"


def test_a_stream_that_ends_with_its_connection_ends_whole(tmp_path: Path) -> None:
    """Some servers leave out the empty line behind their last event, too."""
    with hop(tmp_path) as gateway:
        for path, dialect, end in (
            (CHAT, "messages", LAST),
            (MESSAGES, "chat", b"message_stop"),
            # Untranslated.
            (MESSAGES, "messages", b"message_stop"),
            (CHAT, "chat", b"[DONE]"),
        ):
            same = (path == CHAT) == (dialect == "chat")
            more = {"model": "up/m" if path == CHAT else "claude/m"} if same else {}
            for cut in (0, 1):
                sent = b"".join(EVENTS[dialect])
                sent = sent[: len(sent) - cut]
                gateway.upstream.once(Read(), Send(UNTIL_CLOSE + sent), Close())
                answer = ask(gateway, path, stream=True, **more)
                assert answer.complete
                assert end in answer.body.split(b"\n\n: ")[0][-400:]
                if same:
                    assert answer.body == sent


def test_a_breaker_hears_of_whole_replies_that_were_none(tmp_path: Path) -> None:
    route = ROUTE.format(more="breaker: {failures: 3, open_ms: 60000}")
    with hop(tmp_path, route) as gateway:
        gateway.upstream.always(Read(), Send(reply(msgspec.json.encode(MESSAGE))[:-10]), Close())
        for _ in range(3):
            assert ask(gateway, CHAT, model="alone").status == 502
        answer = ask(gateway, CHAT, model="alone")
        assert msgspec.json.decode(answer.body)["error"]["code"] == "circuit_open"
        assert gateway.seen == 3


def test_an_error_inside_a_stream_is_told_in_the_clients_words(tmp_path: Path) -> None:
    with hop(tmp_path) as gateway:
        overloaded = {"type": "error", "error": {"type": "overloaded_error", "message": "busy"}}
        event = b"event: error\ndata: %s\n\n" % msgspec.json.encode(overloaded)
        streams(gateway, [*EVENTS["messages"][:3], event])
        answer = ask(gateway, CHAT, stream=True)
        assert told(answer.body)[-1]["error"]["message"] == "busy"  # type: ignore[index]
        assert LAST not in answer.body
        streams(gateway, [*EVENTS["chat"][:2], b'data: {"error":{"message":"full"}}\n\n'])
        answer = ask(gateway, MESSAGES, stream=True)
        last = told(answer.body)[-1]
        assert (last["type"], last["error"]["message"]) == ("error", "full")  # type: ignore[index]


def test_errors_of_the_upstream_keep_their_status_and_their_words(tmp_path: Path) -> None:
    with hop(tmp_path) as gateway:
        error = {"type": "invalid_request_error", "message": "max_tokens: too high"}
        answers(gateway, {"type": "error", "error": error}, "400 Bad Request")
        answer = ask(gateway, CHAT)
        assert answer.status == 400
        said = msgspec.json.decode(answer.body)["error"]
        assert (said["message"], said["type"]) == (error["message"], error["type"])
        assert said["code"] == error["type"]
        gateway.upstream.always(Read(), Send(reply(b"<html>", "404 Not Found")))
        answer = ask(gateway, MESSAGES, stream=True)
        assert answer.status == 404
        said = msgspec.json.decode(answer.body)
        assert (said["type"], said["error"]["type"]) == ("error", "not_found_error")
        assert said["request_id"] == answer.headers["request-id"]


@pytest.mark.parametrize(
    "document", [{"type": "message"}, {"object": "list"}, [], MESSAGE | {"content": 1}]
)
def test_a_reply_that_is_none_is_an_explicit_error(tmp_path: Path, document: object) -> None:
    with hop(tmp_path) as gateway:
        answers(gateway, document)
        answer = ask(gateway, CHAT)
        assert answer.status == 502
        assert msgspec.json.decode(answer.body)["error"]["code"] == "upstream_invalid"


def test_a_reply_that_is_cut_or_compressed_is_an_explicit_error(tmp_path: Path) -> None:
    with hop(tmp_path) as gateway:
        whole = reply(msgspec.json.encode(MESSAGE))
        gateway.upstream.always(Read(), Send(whole[:-10]), Close())
        answer = ask(gateway, CHAT)
        assert (answer.status, msgspec.json.decode(answer.body)["error"]["code"]) == (
            502,
            "upstream_closed",
        )
        answers(gateway, MESSAGE, "200 OK", "Content-Encoding: gzip")
        assert b"compressed" in ask(gateway, CHAT).body


def test_what_cannot_be_said_is_refused_by_its_path(tmp_path: Path) -> None:
    with hop(tmp_path) as gateway:
        part = {"type": "input_audio", "input_audio": {"data": "AA==", "format": "wav"}}
        answer = ask(gateway, CHAT, messages=[{"role": "user", "content": [part]}])
        assert answer.status == 400
        error = msgspec.json.decode(answer.body)["error"]
        assert error["code"] == "untranslatable"
        assert error["param"] == "messages[0].content[0].type"
        source = {"type": "file", "file_id": "f"}
        part = {"type": "document", "source": source}
        answer = ask(gateway, MESSAGES, messages=[{"role": "user", "content": [part]}])
        error = msgspec.json.decode(answer.body)["error"]
        assert (answer.status, error["type"]) == (400, "invalid_request_error")
        assert "messages[0].content[0].source" in error["message"]
        assert gateway.seen == 0
        answers(gateway, MESSAGE)
        assert ask(gateway, CHAT).status == 200


def test_a_strict_route_refuses_the_loss_or_takes_a_target_without_it(tmp_path: Path) -> None:
    with hop(tmp_path, ROUTE.format(more="translation: {strict: true}")) as gateway:
        answer = ask(gateway, CHAT, model="alone", seed=1)
        error = msgspec.json.decode(answer.body)["error"]
        assert (answer.status, error["code"], error["param"]) == (400, "untranslatable", "seed")
        assert gateway.seen == 0
        answers(gateway, COMPLETION)
        answer = ask(gateway, CHAT, model="both", seed=1)
        assert (answer.status, answer.headers["x-llm-edge-provider"]) == (200, "up")
        assert line_of(gateway.upstream.requests[0]) == "POST /v1/chat/completions HTTP/1.1"
        assert msgspec.json.decode(answer.body) == COMPLETION


def test_a_refusal_in_one_dialect_is_answered_by_a_target_of_the_other(tmp_path: Path) -> None:
    with hop(tmp_path, ROUTE.format(more="")) as gateway:
        error = {"type": "error", "error": {"type": "overloaded_error", "message": "no"}}
        gateway.upstream.once(Read(), Send(reply(msgspec.json.encode(error), "529 Overloaded")))
        answers(gateway, COMPLETION)
        answer = ask(gateway, CHAT, model="both")
        assert msgspec.json.decode(answer.body) == COMPLETION
        assert [line_of(seen).split()[1] for seen in gateway.upstream.requests] == [MESSAGES, CHAT]
        assert answer.headers["x-llm-edge-attempts"] == "2"


def test_stored_replies_are_those_of_the_clients_dialect(tmp_path: Path) -> None:
    with hop(tmp_path, ROUTE.format(more="cache: {ttl_s: 60}")) as gateway:
        answers(gateway, MESSAGE)
        first = ask(gateway, CHAT, model="alone")
        again = ask(gateway, CHAT, model="alone")
        assert again.headers["x-llm-edge-cache"] == "hit"
        assert again.body == first.body
        assert again.headers["content-type"] == "application/json"
        streams(gateway, EVENTS["messages"], 5)
        first = ask(gateway, CHAT, model="alone", stream=True)
        again = ask(gateway, CHAT, model="alone", stream=True)
        assert again.headers["x-llm-edge-cache"] == "hit"
        assert first.body == again.body
        assert first.body.endswith(LAST)
        assert gateway.seen == 2


def test_losses_of_a_streamed_reply_are_said_behind_its_end(tmp_path: Path) -> None:
    with hop(tmp_path) as gateway:
        citation = {"type": "citations_delta", "citation": {"type": "char_location"}}
        event = {"type": "content_block_delta", "index": 0, "delta": citation}
        line = b"event: content_block_delta\ndata: %s\n\n" % msgspec.json.encode(event)
        events = EVENTS["messages"]
        streams(gateway, [*events[:3], line, *events[3:]])
        answer = ask(gateway, CHAT, stream=True)
        end = answer.body.split(LAST)[1]
        assert end.startswith(b": x-llm-edge-dropped: ")
        assert b"citations" in end
        counted = "llm_edge_translations_total"
        assert metric(gateway.running, counted, part="reply", result="lossy") == 1


def test_a_connection_is_used_again_after_a_translated_reply(tmp_path: Path) -> None:
    with hop(tmp_path) as gateway:
        answers(gateway, MESSAGE)
        for _ in range(3):
            assert ask(gateway, CHAT).status == 200
        streams(gateway, EVENTS["messages"])
        assert ask(gateway, CHAT, stream=True).complete
        assert metric(gateway.running, "llm_edge_upstream_connections_total") == 1
