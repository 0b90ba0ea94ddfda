"""A connection carries one request after the other, in step, for as long as both sides want."""

import msgspec
import pytest

from tests.support.hop import CHAT, KEY, Hop, body, post
from tests.support.upstream import Close, Read, Send, chunk, reply, stream_head
from tests.support.wire import request


def numbered(number: int) -> bytes:
    return reply(b'{"number":%d}' % number)


def test_pipelined_requests_are_answered_in_order(hop: Hop) -> None:
    for number in range(30):
        hop.upstream.once(Read(), Send(numbered(number)))
    with hop.connect() as wire:
        wire.send(b"".join(post(data=body(text=str(number))) for number in range(30)))
        answers = [msgspec.json.decode(wire.answer().body)["number"] for _ in range(30)]
    assert answers == list(range(30))
    said = [msgspec.json.decode(got.body)["messages"] for got in hop.upstream.requests]
    assert [one[0]["content"] for one in said] == [str(number) for number in range(30)]


def test_a_pipelined_request_waits_until_the_stream_before_it_has_ended(hop: Hop) -> None:
    events = chunk(b"data: {}\n\n") * 3 + chunk(b"data: [DONE]\n\n") + chunk(b"")
    hop.upstream.once(Read(), Send(stream_head() + events, piece=5))
    hop.upstream.once(Read(), Send(numbered(2)))
    with hop.connect() as wire:
        wire.send(post(CHAT, body(stream=True)) + post())
        first, second = wire.answer(), wire.answer()
    assert first.complete
    assert first.body.endswith(b"data: [DONE]\n\n")
    assert second.body == b'{"number":2}'


def test_kept_alive_requests_share_one_connection_upstream(hop: Hop) -> None:
    before = hop.upstream.connections
    with hop.connect() as wire:
        for number in range(200):
            hop.upstream.once(Read(), Send(numbered(number)))
            wire.send(post())
            assert wire.answer().body == b'{"number":%d}' % number
    assert hop.upstream.connections - before <= 1


@pytest.mark.parametrize("where", ["client", "upstream"])
def test_a_side_that_wants_to_close_is_closed_and_only_that_side(hop: Hop, where: str) -> None:
    fields = ["Connection: close"]
    if where == "upstream":
        hop.upstream.once(Read(), Send(reply(b'{"a":1}', "200 OK", *fields)), Close())
    with hop.connect() as wire:
        wire.send(post(CHAT, body(), *(fields if where == "client" else [])))
        answer = wire.answer()
        assert answer.status == 200
        if where == "client":
            assert answer.headers["connection"] == "close"
            assert wire.read_to_end() == b""
        else:
            assert "connection" not in answer.headers
            wire.send(post())
            assert wire.answer().status == 200


def http10(data: bytes, *fields: str) -> bytes:
    return post(CHAT, data, *fields).replace(b" HTTP/1.1\r\n", b" HTTP/1.0\r\n", 1)


def test_an_http10_client_is_answered_and_closed(hop: Hop) -> None:
    with hop.connect() as wire:
        wire.send(http10(body()))
        answer = wire.answer()
        assert (answer.status, answer.body) == (200, b"{}")
        assert answer.headers["connection"] == "close"
        assert wire.read_to_end() == b""


def test_an_http10_client_may_ask_to_be_kept(hop: Hop) -> None:
    with hop.connect() as wire:
        for _ in range(3):
            wire.send(http10(body(), "Connection: keep-alive"))
            answer = wire.answer()
            assert (answer.body, answer.headers["connection"]) == (b"{}", "keep-alive")


def test_an_http10_client_gets_a_stream_without_chunks(hop: Hop) -> None:
    events = b"data: {}\n\ndata: [DONE]\n\n"
    hop.upstream.once(
        Read(), Send(stream_head() + chunk(events[:7]) + chunk(events[7:]) + chunk(b""))
    )
    with hop.connect() as wire:
        wire.send(http10(body(stream=True), "Connection: keep-alive"))
        answer = wire.answer()
    assert "transfer-encoding" not in answer.headers
    assert answer.headers["connection"] == "close"
    assert answer.body == events


def test_probes_need_no_key_and_answer_head_too(hop: Hop) -> None:
    with hop.connect() as wire:
        for path in ("/livez", "/readyz", "/healthz"):
            wire.send(request(path, method="GET"))
            assert wire.answer().status == 200
            wire.send(request(path, method="HEAD"))
            answer = wire.answer(head_only=True)
            assert answer.status == 200
            assert int(answer.headers["content-length"]) > 0


def test_models_are_listed_in_the_shape_that_was_asked_for(gateway_models: Hop) -> None:
    def ask(path: str, *fields: str) -> dict[str, object]:
        data = request(path, b"", f"x-api-key: {KEY}", *fields, method="GET")
        answer = gateway_models.ask(data)
        assert answer.status == 200
        said: dict[str, object] = msgspec.json.decode(answer.body)
        return said

    openai = ask("/v1/models")
    assert openai["object"] == "list"
    anthropic = ask("/v1/models", "anthropic-version: 2023-06-01")
    assert anthropic["has_more"] is False
    assert ask("/models") == openai
    assert ask("/anthropic/v1/models") == anthropic
    assert ask("/v1/models/gpt-small")["id"] == "gpt-small"
    assert ask("/v1/models/gpt%2Dsmall")["object"] == "model"


def test_a_clean_empty_line_between_requests_is_forgiven_once(hop: Hop) -> None:
    with hop.connect() as wire:
        wire.send(post() + b"\r\n" + post())
        assert [wire.answer().status, wire.answer().status] == [200, 200]
        wire.send(b"\r\n\r\n\r\n" + post())
        assert wire.answer().status == 400


@pytest.mark.parametrize(
    ("path", "status"),
    [("/livez", 200), ("/v1/models", 200), ("/v1/nothing", 404), (CHAT, 405)],
)
def test_what_waits_behind_a_get_is_answered_or_the_connection_is_closed(
    hop: Hop, path: str, status: int
) -> None:
    # Without a length there is no body to be read to its end.
    one = request(path, b"", f"x-api-key: {KEY}", method="GET").replace(
        b"Content-Length: 0\r\n", b""
    )
    with hop.connect() as wire:
        wire.send(one + one + post())
        answer = wire.answer()
        assert answer.status == status
        if answer.headers.get("connection") != "close":
            assert wire.answer().status == status
            assert wire.answer().body == b"{}"


@pytest.mark.parametrize("path", ["/livez", "/v1/models", "/v1/nothing"])
def test_an_empty_body_does_not_cost_the_connection(hop: Hop, path: str) -> None:
    with hop.connect() as wire:
        for _ in range(2):
            wire.send(request(path, b"", f"x-api-key: {KEY}", method="GET"))
            assert "connection" not in wire.answer().headers
