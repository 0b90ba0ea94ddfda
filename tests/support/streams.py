"""A small whole stream of every surface, event by event, as its vendor sends it."""

import msgspec

from tests.support.upstream import chunk, stream_head

TEXT = "Grüße, 世界! 👩‍👩‍👧 é"


def _named(name: str, **fields: object) -> bytes:
    data = msgspec.json.encode({"type": name, **fields})
    return b"event: %s\ndata: %s\n\n" % (name.encode(), data)


def _data(fields: object) -> bytes:
    return b"data: %s\n\n" % msgspec.json.encode(fields)


def _chat() -> list[bytes]:
    def one(delta: dict[str, str], finish: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "finish_reason": finish}
        base = {"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "m"}
        return _data(base | {"choices": [choice]})

    words = [one({"content": word}) for word in TEXT.split()]
    return [one({"role": "assistant"}), *words, one({}, "stop"), b"data: [DONE]\n\n"]


def _completions() -> list[bytes]:
    def one(text: str, finish: str | None = None) -> bytes:
        choice = {"index": 0, "text": text, "finish_reason": finish, "logprobs": None}
        base = {"id": "t1", "object": "text_completion", "created": 1, "model": "m"}
        return _data(base | {"choices": [choice]})

    words = [one(word) for word in TEXT.split()]
    return [*words, one("", "stop"), b"data: [DONE]\n\n"]


def _responses() -> list[bytes]:
    response = {
        "id": "r1",
        "object": "response",
        "created_at": 1,
        "model": "m",
        "status": "in_progress",
        "output": [],
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
    }
    place = {"item_id": "i1", "output_index": 0, "content_index": 0, "logprobs": []}
    events = [_named("response.created", sequence_number=0, response=response)]
    for number, word in enumerate(TEXT.split(), start=1):
        name = "response.output_text.delta"
        events.append(_named(name, sequence_number=number, delta=word, **place))
    done = response | {"status": "completed"}
    events.append(_named("response.completed", sequence_number=len(events), response=done))
    return events


def _messages() -> list[bytes]:
    message: dict[str, object] = {
        "id": "m1",
        "type": "message",
        "role": "assistant",
        "model": "m",
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": {"input_tokens": 3, "output_tokens": 1},
    }
    ended = {"stop_reason": "end_turn", "stop_sequence": None}
    words = [
        _named("content_block_delta", index=0, delta={"type": "text_delta", "text": word})
        for word in TEXT.split()
    ]
    block = {"type": "text", "text": ""}
    return [
        _named("message_start", message=message),
        _named("content_block_start", index=0, content_block=block),
        _named("ping"),
        *words,
        _named("content_block_stop", index=0),
        _named("message_delta", delta=ended, usage={"output_tokens": 5}),
        _named("message_stop"),
    ]


EVENTS = {
    "chat": _chat(),
    "completions": _completions(),
    "responses": _responses(),
    "messages": _messages(),
}
"""Surface → its events; the last one is the terminal event."""

SURFACES = list(EVENTS)


def whole(surface: str) -> bytes:
    """The payload of a whole stream."""
    return b"".join(EVENTS[surface])


def chunked(events: list[bytes]) -> bytes:
    """A whole reply with one chunk for each event, and the last chunk."""
    return stream_head() + b"".join(chunk(event) for event in events) + chunk(b"")
