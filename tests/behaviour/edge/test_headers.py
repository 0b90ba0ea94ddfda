"""What concerns one connection stays on it, who the caller is stays with us, the rest travels."""

import pytest

from tests.support.hop import CHAT, KEY, UPSTREAM_KEY, Hop, body, post
from tests.support.upstream import Read, Send, chunk, reply, stream_head
from tests.support.wire import request

pytestmark = pytest.mark.behaviour("B13")

MARK = "m4rk-of-the-caller"
SECRET_FIELDS = [
    "Authorization: Bearer {}",
    "authorization: Basic {}",
    "x-api-key: {}",
    "X-API-KEY: {}",
    "api-key: {}",
    "x-goog-api-key: {}",
    "x-litellm-api-key: {}",
    "x-portkey-api-key: {}",
    "X-BF-VK: {}",
    "Helicone-Auth: Bearer {}",
    "Cookie: session={}",
    "Proxy-Authorization: Basic {}",
    "Proxy-Authenticate: {}",
    "Proxy-Connection: {}",
    "Keep-Alive: timeout={}",
    "TE: {}",
    "Trailer: {}",
    "Upgrade: {}",
    "X_Underscore: {}",
    "x-llm-edge-route: {}",
    "baggage: user={}",
    "Accept-Encoding: {}",
    "Connection: {}",
]


@pytest.mark.parametrize("field", SECRET_FIELDS)
@pytest.mark.parametrize("surface", ["chat", "messages"])
def test_a_mark_in_a_field_of_ours_reaches_no_byte_upstream(
    hop: Hop, surface: str, field: str
) -> None:
    path = CHAT if surface == "chat" else "/v1/messages"
    # The good key comes in a field of its own, so that the marked one may say anything.
    key = "x-goog-api-key" if not field.startswith("x-goog") else "api-key"
    data = request(
        path,
        body(surface),
        f"{key}: {KEY}",
        "Content-Type: application/json",
        field.format(MARK),
    )
    assert hop.ask(data).status == 200
    (got,) = hop.upstream.requests
    assert MARK.encode() not in got.head + got.body
    assert KEY.encode() not in got.head + got.body


@pytest.mark.parametrize(
    "connection", ["close, X-Mark", "X-Mark", "x-mark,keep-alive", "a, b ,\tX-MARK\t, c"]
)
def test_a_field_that_connection_names_stays_here(hop: Hop, connection: str) -> None:
    data = post(CHAT, body(), f"X-Mark: {MARK}", f"Connection: {connection}")
    assert hop.ask(data).status == 200
    (got,) = hop.upstream.requests
    assert MARK.encode() not in got.head
    assert "x-mark" not in got.headers


def test_connection_cannot_take_away_what_delimits_a_request(hop: Hop) -> None:
    with hop.connect() as wire:
        wire.send(post(CHAT, body(), "Connection: Host, Content-Length, Content-Type") + post())
        assert [wire.answer().status, wire.answer().status] == [200, 200]
    for got in hop.upstream.requests:
        assert got.headers["host"] == "{}:{}".format(*hop.upstream.address)
        assert got.headers["authorization"] == f"Bearer {UPSTREAM_KEY}"
        assert got.body == body().replace(b"up/m", b"m")


def test_a_key_that_connection_names_is_no_key(hop: Hop) -> None:
    assert hop.ask(post(CHAT, body(), "Connection: Authorization")).status == 401
    assert hop.upstream.begun == 0


def test_trailers_and_chunk_extensions_of_a_request_stay_here(hop: Hop) -> None:
    data = body()
    chunks = b"%x;ext=%s\r\n%s\r\n0\r\nX-Trailer: %s\r\n\r\n" % (
        len(data),
        MARK.encode(),
        data,
        MARK.encode(),
    )
    head = (
        f"POST {CHAT} HTTP/1.1\r\nHost: edge\r\nAuthorization: Bearer {KEY}\r\n"
        "Transfer-Encoding: chunked\r\n\r\n"
    )
    assert hop.ask(head.encode() + chunks).status == 200
    (got,) = hop.upstream.requests
    assert MARK.encode() not in got.head + got.body
    assert got.body == data.replace(b"up/m", b"m")
    assert int(got.headers["content-length"]) == len(got.body)


def test_each_provider_gets_its_own_credential_and_only_that(hop: Hop) -> None:
    hop.ask(post())
    hop.ask(post("/v1/messages", body("messages")))
    openai, anthropic = (got.headers for got in hop.upstream.requests)
    assert openai["authorization"] == f"Bearer {UPSTREAM_KEY}"
    assert "x-api-key" not in openai
    assert anthropic["x-api-key"] == UPSTREAM_KEY
    assert "authorization" not in anthropic
    assert anthropic["anthropic-version"] == "2023-06-01"


def test_what_the_client_says_to_the_provider_travels(hop: Hop) -> None:
    said = {
        "OpenAI-Organization": "org-1",
        "OpenAI-Beta": "assistants=v2",
        "User-Agent": "client/1",
        "X-Stainless-Lang": "python",
        "Idempotency-Key": "abc",
        "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    }
    assert hop.ask(post(CHAT, body(), *(f"{k}: {v}" for k, v in said.items()))).status == 200
    (got,) = hop.upstream.requests
    assert {name: got.headers[name.lower()] for name in said} == said
    assert got.headers["accept-encoding"] == "identity"


REPLY_FIELDS = [
    "X-Ratelimit-Remaining-Requests: 5",
    "openai-processing-ms: 12",
    "Vary: Origin",
    "Vary: Accept",
    "Retry-After: 3",
    "X-Should-Retry: false",
    'ETag: "a"',
    "Content-Language: en",
    "Server: upstream/1",
]
HIDDEN_FIELDS = [
    f"Set-Cookie: a={MARK}",
    "Connection: keep-alive, X-Private",
    f"X-Private: {MARK}",
    f"Keep-Alive: timeout=5, {MARK}",
    f"Proxy-Authenticate: {MARK}",
    f"Upgrade: {MARK}",
    f"Trailer: {MARK}",
    'Alt-Svc: h3=":443"',
]


@pytest.mark.parametrize("kind", ["unary", "stream", "error"])
def test_all_reply_fields_come_back_but_those_of_the_upstream_connection(
    hop: Hop, kind: str
) -> None:
    fields = (*REPLY_FIELDS, *HIDDEN_FIELDS)
    match kind:
        case "unary":
            hop.upstream.once(Read(), Send(reply(b"{}", "200 OK", *fields)))
        case "stream":
            data = chunk(b"data: [DONE]\n\n") + chunk(b"")
            hop.upstream.once(Read(), Send(stream_head(*fields) + data))
        case _:
            hop.upstream.once(Read(), Send(reply(b"{}", "500 Internal Server Error", *fields)))
    answer = hop.ask(post(CHAT, body(stream=kind == "stream")))
    assert answer.complete
    for field in REPLY_FIELDS:
        name, value = field.split(": ", 1)
        assert value in answer.values(name.lower()), field
    assert answer.values("vary") == ["Origin", "Accept"]
    assert MARK not in "\n".join(answer.lines)
    assert not answer.values("alt-svc")
    assert answer.values("x-llm-edge-provider") == ["up"]


def test_the_ids_are_ours_and_the_upstreams_comes_under_another_name(hop: Hop) -> None:
    hop.upstream.always(Read(), Send(reply(b"{}", "200 OK", "x-request-id: theirs")))
    answer = hop.ask(post(CHAT, body(), "x-request-id: mine-1"))
    assert answer.values("x-request-id") == answer.values("request-id") == ["mine-1"]
    assert answer.values("x-llm-edge-upstream-request-id") == ["theirs"]
    assert hop.upstream.requests[-1].headers["x-request-id"] == "mine-1"
    made = hop.ask(post(CHAT, body(), "x-request-id: not sane at all"))
    assert made.headers["x-request-id"].startswith("req_")
