"""A stream that an upstream breaks off never ends as if it were whole, and is never begun again."""

import anthropic
import httpx2
import msgspec
import openai
import pytest

from tests.support.hop import KEY, PATHS, Hop, body, post
from tests.support.streams import EVENTS, SURFACES, chunked, whole
from tests.support.upstream import (
    Action,
    Close,
    Pause,
    Read,
    Reset,
    Send,
    Upstream,
    chunk,
    stream_head,
)
from tests.support.wire import Answer

pytestmark = pytest.mark.behaviour("B04")


def with_length(length: int) -> bytes:
    lines = ["HTTP/1.1 200 OK", "Content-Type: text/event-stream", f"Content-Length: {length}"]
    return "\r\n".join(lines).encode() + b"\r\n\r\n"


UNTIL_CLOSE = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"
INSIDE_AN_EVENT = {"fin inside a chunk", "half a terminal event"}


def scripts(surface: str, upto: int) -> dict[str, tuple[Action, ...]]:
    """Rules to break → an upstream that sends `upto` events and then breaks it."""
    events = EVENTS[surface]
    some = stream_head() + b"".join(chunk(event) for event in events[:upto])
    plain = b"".join(events[:upto])
    half = events[-1][: len(events[-1]) // 2]
    with_own_length = with_length(len(plain)) + plain
    return {
        "fin": (Read(), Send(some), Close()),
        "rst": (Read(), Send(some), Pause(0.05), Reset()),
        "fin inside a chunk": (Read(), Send(some + chunk(events[upto])[:-7]), Close()),
        "fin inside a size line": (Read(), Send(some + b"1"), Close()),
        "missing last line": (Read(), Send(some + b"0\r\n"), Close()),
        "no terminal event": (Read(), Send(some + chunk(b""))),
        "half a terminal event": (Read(), Send(some + chunk(half) + chunk(b""))),
        "short length": (Read(), Send(with_length(len(whole(surface))) + plain), Close()),
        # The bytes come apart, so that the reply has begun when the end is seen.
        "length without terminal event": (
            Read(),
            Send(with_own_length[:-20]),
            Pause(0.05),
            Send(with_own_length[-20:]),
        ),
        "close without terminal event": (Read(), Send(UNTIL_CLOSE + plain), Close()),
        "not a chunk": (Read(), Send(some + b"zz\r\n"), Close()),
    }


KINDS = list(scripts("chat", 1))


def sent_payload(surface: str, kind: str, upto: int) -> bytes:
    """The payload up to where it breaks off inside an event."""
    events = EVENTS[surface]
    plain = b"".join(events[:upto])
    if kind == "half a terminal event":
        return plain + events[-1][: len(events[-1]) // 2]
    return plain + events[upto][:-5]


def is_told(answer: Answer, surface: str) -> bool:
    """Whether the last event is an error in the surface's shape, behind a whole empty line."""
    *_, last = answer.body.rstrip(b"\n").split(b"\n\n")
    if surface in {"messages", "responses"}:
        name, _, last = last.partition(b"\n")
        if name != b"event: error":
            return False
    if not last.startswith(b"data: "):
        return False
    error = msgspec.json.decode(last[6:])
    if surface == "responses" and not (
        error["type"] == "error" and error["code"].startswith("upstream_")
    ):
        return False
    return bool(error["error"]["message"])


@pytest.mark.parametrize("upto", [1, 3])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("surface", SURFACES)
def test_the_client_can_tell_that_the_stream_broke_off(
    hop: Hop, surface: str, kind: str, upto: int
) -> None:
    hop.upstream.always(*scripts(surface, upto)[kind])
    answer = hop.ask(post(PATHS[surface], body(surface, stream=True)))
    if answer.status == 200:
        assert not answer.complete
        assert EVENTS[surface][-1] not in answer.body
        assert whole(surface).startswith(answer.body.split(b"\n\n")[0])
        if kind in INSIDE_AN_EVENT:
            # Any byte behind half an event would make a parser take that half for a whole one: it
            # is the last thing that comes, or does not come at all.
            plain = b"".join(EVENTS[surface][:upto])
            withheld = answer.body.startswith(plain) and answer.body.count(b"\n\n") == upto + 1
            told = withheld and is_told(answer, surface)
            assert told or answer.body == sent_payload(surface, kind, upto)
        elif "content-length" not in answer.headers:
            assert is_told(answer, surface)
    else:
        assert answer.status == 502
        assert "x-should-retry" not in answer.headers
        assert msgspec.json.decode(answer.body)["error"]["message"]
    assert hop.seen == 1


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("surface", ["chat", "completions", "responses"])
def test_the_openai_sdk_raises(hop: Hop, surface: str, kind: str) -> None:
    hop.upstream.always(*scripts(surface, 2)[kind])
    client = openai.OpenAI(base_url=hop.running.api, api_key=KEY, max_retries=0, timeout=10)

    def consume() -> None:
        match surface:
            case "chat":
                said = [{"role": "user", "content": "x"}]
                stream = client.chat.completions.create(model="up/m", messages=said, stream=True)
            case "completions":
                stream = client.completions.create(model="up/m", prompt="x", stream=True)
            case _:
                stream = client.responses.create(model="up/m", input="x", stream=True)
        for _ in stream:
            pass

    with client, pytest.raises((openai.OpenAIError, httpx2.HTTPError)):
        consume()


@pytest.mark.parametrize("kind", KINDS)
def test_the_anthropic_sdk_raises(hop: Hop, kind: str) -> None:
    hop.upstream.always(*scripts("messages", 2)[kind])
    client = anthropic.Anthropic(
        base_url=hop.running.anthropic, api_key=KEY, max_retries=0, timeout=10
    )
    said = [{"role": "user", "content": "x"}]

    def consume() -> None:
        stream = client.messages.create(model="claude/m", max_tokens=9, messages=said, stream=True)
        for _ in stream:
            pass

    with client, pytest.raises((anthropic.AnthropicError, httpx2.HTTPError)):
        consume()


@pytest.mark.parametrize("surface", SURFACES)
def test_a_whole_stream_ends_whole(hop: Hop, surface: str) -> None:
    hop.upstream.always(Read(), Send(chunked(EVENTS[surface])))
    answer = hop.ask(post(PATHS[surface], body(surface, stream=True)))
    assert answer.complete
    assert answer.body == whole(surface)


@pytest.mark.behaviour("B02")
@pytest.mark.parametrize("fault", ["fin", "rst"])
def test_a_fault_at_any_byte_of_the_reply_is_not_followed_by_a_second_attempt(
    two_targets: tuple[Hop, Upstream], fault: str
) -> None:
    hop, second = two_targets
    data = stream_head() + b"".join(chunk(event) for event in EVENTS["chat"][:3])
    end = {"fin": Close(), "rst": Reset()}[fault]
    request = post(data=body(stream=True).replace(b"up/m", b"both"))
    for offset in range(0, len(data), 3):
        hop.upstream.reset()
        hop.upstream.always(Read(), Send(data[:offset]), end)
        answer = hop.ask(request)
        assert hop.seen == hop.upstream.begun == 1, offset
        assert second.begun == 0, offset
        if answer.status == 200:
            assert not answer.complete, offset
            assert answer.body.count(b'"role":"assistant"') <= 1
        else:
            assert answer.status == 502, offset
            assert "x-should-retry" not in answer.headers


@pytest.mark.behaviour("B05")
@pytest.mark.parametrize(
    ("surface", "event"),
    [
        (
            "messages",
            b'event: error\ndata: {"type":"error","error":{"type":"overloaded_error",'
            b'"message":"Overloaded"}}\n\n',
        ),
        ("chat", b'data: {"error":{"message":"boom","type":"server_error","code":null}}\n\n'),
        (
            "responses",
            b'event: response.failed\ndata: {"type":"response.failed","sequence_number":2,'
            b'"response":{"id":"r1","status":"failed"}}\n\n',
        ),
        (
            "responses",
            b'event: error\ndata: {"type":"error","sequence_number":2,"message":"boom"}\n\n',
        ),
    ],
)
def test_an_error_event_of_the_upstream_comes_through_as_it_is(
    hop: Hop, surface: str, event: bytes
) -> None:
    events = [*EVENTS[surface][:2], event]
    hop.upstream.always(Read(), Send(chunked(events)))
    answer = hop.ask(post(PATHS[surface], body(surface, stream=True)))
    assert answer.complete
    assert answer.body == b"".join(events)


UNARY = b'{"id":"c1","choices":[{"message":{"content":"%s"}}]}' % (b"x" * 40_000)


@pytest.mark.parametrize("end", [Close(), Reset()], ids=["fin", "rst"])
@pytest.mark.parametrize("framing", ["length", "chunks", "close"])
@pytest.mark.parametrize("upto", [0, 1, 20_000, len(UNARY) - 1])
@pytest.mark.parametrize("http", ["HTTP/1.1", "HTTP/1.0"])
def test_a_document_that_breaks_off_is_an_error_or_visibly_unfinished(
    hop: Hop, http: str, upto: int, framing: str, end: Close | Reset
) -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
    match framing:
        case "length":
            sent = b"Content-Length: %d\r\n\r\n" % len(UNARY) + UNARY[:upto]
        case "chunks":
            pieces = [UNARY[at : at + 5000] for at in range(0, upto, 5000)]
            cut = b"".join(chunk(one) for one in pieces)[: upto + 40]
            sent = b"Transfer-Encoding: chunked\r\n\r\n" + cut
        case _:
            sent = b"\r\n" + UNARY[:upto]
    hop.upstream.always(Read(), Send(head + sent), Pause(0.02), end)
    with hop.connect() as wire:
        wire.send(post().replace(b" HTTP/1.1\r\n", f" {http}\r\n".encode(), 1))
        answer = wire.answer()
        if answer.status == 200:
            # Without a length and without chunks only a reset can say that more was to come.
            framed = {"content-length", "transfer-encoding"} & set(answer.headers)
            assert not answer.complete if framed else wire.was_reset
        else:
            assert answer.status == 502
    assert hop.seen == 1


@pytest.mark.parametrize("surface", ["chat", "messages"])
def test_behind_an_event_too_large_to_hold_a_cut_one_swallows_no_error(
    hop: Hop, surface: str
) -> None:
    """What is larger than 256 KiB passes as it comes, and so do half events behind it."""
    events = EVENTS[surface]
    huge = events[4].replace(b'": "', b'":"').replace(b'"m"', b'"m","x":"%b"' % (b"x" * 300_000), 1)
    if huge == events[4]:
        huge = events[4].replace(b'{"type"', b'{"x":"%b","type"' % (b"x" * 300_000), 1)
    assert len(huge) > 300_000
    start = b"".join(events[:4]) + huge
    for until in range(1, len(events[5])):
        sent = start + events[5][:until]
        hop.upstream.once(Read(), Send(UNTIL_CLOSE + sent), Close())
        answer = hop.ask(post(PATHS[surface], body(surface, stream=True)))
        assert answer.body.startswith(sent)
        # By the rules of WHATWG HTML §9.2: the last block is the error's alone.
        *_, last, end = answer.body.split(b"\n\n")
        assert end == b""
        name, _, data = last.lstrip(b"\n").rpartition(b"data: ")
        assert name == (b"event: error\n" if surface == "messages" else b"")
        assert msgspec.json.decode(data)["error"]["message"]
