"""Each "no" is clear, in the shape of the API that was called, and carries the request's id."""

import msgspec
import pytest

from tests.support.hop import CHAT, KEY, Hop, body, post
from tests.support.upstream import Read, Send, reply
from tests.support.wire import Answer, request

KEY_FIELDS = [
    f"Authorization: Bearer {KEY}",
    f"authorization: bearer {KEY}",
    f"x-api-key: {KEY}",
    f"api-key: {KEY}",
    f"x-goog-api-key: {KEY}",
]
PATHS = {"chat": CHAT, "messages": "/v1/messages"}


def check_shape(answer: Answer, surface: str) -> dict[str, str]:
    """The error object, after what every error must have was checked."""
    assert answer.complete
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["x-request-id"] == answer.headers["request-id"] != ""
    assert "date" in answer.headers
    said = msgspec.json.decode(answer.body)
    error: dict[str, str] = said["error"]
    assert error["message"]
    assert error["type"]
    if surface == "messages":
        assert said["type"] == "error"
        assert said["request_id"] == answer.headers["request-id"]
        assert set(error) == {"type", "message"}
    else:
        assert set(said) == {"error"}
        assert set(error) == {"message", "type", "param", "code"}
        assert error["code"]
    return error


@pytest.mark.parametrize("field", KEY_FIELDS)
@pytest.mark.parametrize("surface", PATHS)
def test_the_key_is_taken_from_each_of_the_four_fields(hop: Hop, surface: str, field: str) -> None:
    assert hop.ask(request(PATHS[surface], body(surface), field)).status == 200


@pytest.mark.parametrize("surface", PATHS)
@pytest.mark.parametrize(
    "fields",
    [
        [],
        ["Authorization: Bearer "],
        ["Authorization: Bearer sk-edge-other"],
        [f"Authorization: Basic {KEY}"],
        [f"Authorization: {KEY}"],
        [f"Authorization: Bearer {KEY}x"],
        [f"Authorization: Bearer {KEY[:-1]}"],
        [f"Authorization: Bearer {KEY.upper()}"],
        [f"x-api-key: Bearer {KEY}"],
        [f"Cookie: {KEY}"],
    ],
)
def test_without_a_known_key_nothing_goes_upstream(
    hop: Hop, surface: str, fields: list[str]
) -> None:
    answer = hop.ask(request(PATHS[surface], body(surface), *fields))
    assert answer.status == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    error = check_shape(answer, surface)
    kind = "authentication_error" if surface == "messages" else "invalid_request_error"
    assert error["type"] == kind
    assert KEY not in answer.body.decode()
    assert hop.upstream.begun == 0


def test_a_good_key_does_not_stay_with_the_connection(hop: Hop) -> None:
    with hop.connect() as wire:
        wire.send(post())
        assert wire.answer().status == 200
        wire.send(post(key=None))
        assert wire.answer().status == 401
    assert hop.seen == 1


@pytest.mark.parametrize("surface", PATHS)
def test_an_unknown_model_is_a_404_with_the_nearest_names(
    gateway_models: Hop, surface: str
) -> None:
    data = body(surface).replace(b"up/m", b"gpt-smal").replace(b"claude/m", b"elsewhere/haikuu")
    answer = gateway_models.ask(post(PATHS[surface], data))
    assert answer.status == 404
    error = check_shape(answer, surface)
    if surface == "chat":
        assert "did you mean `gpt-small`" in error["message"]
        assert error["code"] == "model_not_found"
    else:
        assert error["type"] == "not_found_error"
    assert gateway_models.upstream.begun == 0


def test_a_provider_that_is_written_wrongly_is_named_with_the_model(hop: Hop) -> None:
    answer = hop.ask(post(CHAT, body().replace(b"up/m", b"clade/some-model-that-is-not-listed")))
    assert answer.status == 404
    message = check_shape(answer, "chat")["message"]
    assert "did you mean `claude/some-model-that-is-not-listed`?" in message
    assert hop.upstream.begun == 0


def test_a_model_that_the_key_may_not_use_looks_like_one_that_is_not_there(
    gateway_models: Hop,
) -> None:
    secret = gateway_models.ask(post(CHAT, body().replace(b"up/m", b"hidden-one")))
    absent = gateway_models.ask(post(CHAT, body().replace(b"up/m", b"absent-one")))
    assert secret.status == absent.status == 404
    assert secret.body.replace(b"hidden", b"absent") == absent.body
    listed = gateway_models.ask(post("/v1/models", b"").replace(b"POST", b"GET", 1))
    assert b"hidden" not in listed.body
    assert b"gpt-small" in listed.body


@pytest.mark.parametrize(
    ("path", "surface"),
    [
        ("/", "chat"),
        ("/v1", "chat"),
        ("/v1/nothing", "chat"),
        ("/v2/chat/completions", "chat"),
        ("/metrics", "chat"),
        ("/api/v1/status", "chat"),
        ("/v1/messages/nothing", "messages"),
        ("/anthropic/v1/nothing", "messages"),
    ],
)
def test_an_unknown_path_is_a_404(hop: Hop, path: str, surface: str) -> None:
    answer = hop.ask(post(path, b"{}"))
    assert answer.status == 404
    assert path in check_shape(answer, surface)["message"]


@pytest.mark.parametrize(
    ("method", "path", "allow", "surface"),
    [
        ("GET", CHAT, "POST", "chat"),
        ("DELETE", "/v1/responses", "POST", "chat"),
        ("PUT", "/v1/messages", "POST", "messages"),
        ("post", CHAT, "POST", "chat"),
        ("POST", "/v1/models", "GET", "chat"),
        ("POST", "/readyz", "GET", "chat"),
    ],
)
def test_another_method_is_a_405_that_names_the_right_one(
    hop: Hop, method: str, path: str, allow: str, surface: str
) -> None:
    answer = hop.ask(post(path, b"{}").replace(b"POST ", f"{method} ".encode(), 1))
    assert (answer.status, answer.headers["allow"]) == (405, allow)
    check_shape(answer, surface)


@pytest.mark.parametrize(
    "field",
    [
        "Content-Type: text/plain",
        "Content-Type: application/x-www-form-urlencoded",
        "Content-Type: application/jsonx",
        "Content-Encoding: gzip",
    ],
)
@pytest.mark.parametrize("surface", PATHS)
def test_a_body_of_another_type_is_a_415(hop: Hop, surface: str, field: str) -> None:
    answer = hop.ask(request(PATHS[surface], body(surface), f"Authorization: Bearer {KEY}", field))
    assert answer.status == 415
    check_shape(answer, surface)
    assert hop.upstream.begun == 0


@pytest.mark.parametrize(
    "field",
    [
        "Content-Type: application/json; charset=utf-8",
        "Content-Type: Application/JSON",
        "X-None: 1",
    ],
)
def test_json_may_be_spelled_or_left_out(hop: Hop, field: str) -> None:
    assert hop.ask(request(CHAT, body(), f"Authorization: Bearer {KEY}", field)).status == 200


BAD_BODIES = [
    b"",
    b" ",
    b"{",
    b"not json",
    b"null",
    b"true",
    b"3",
    b'"up/m"',
    b"[]",
    b'[{"model":"up/m"}]',
    b'{"model":"up/m"',
    b'{"model":"up/m"}}',
    b'{"model":"up/m"}{}',
    b'{"model":"up/m",}',
    b'{"model" "up/m"}',
    b"{'model':'up/m'}",
    b'{model:"up/m"}',
    b'{"model":"up/m"} trailing',
    b'{"model":"up/m","x":NaN}',
    b'{"model":"up/m","x":"\\ud800"',
    b"{}",
    b'{"model":null}',
    b'{"model":3}',
    b'{"model":["up/m"]}',
    b'{"model":{"a":1}}',
    b'{"Model":"up/m"}',
    b'{"x":{"model":"up/m"}}',
    b'{"model":"up/m","stream":"true"}',
    b'{"model":"up/m","stream":1}',
    b'{"model":"up/m","model":"up/m"}',
    b'{"model":"up/m","model":"up/other"}',
    b'{"model":"up/m","mod\\u0065l":"up/other"}',
    b'{"mod\\u0065l":"up/m","\\u006dodel":"up/other"}',
    b'{"model":"up/m","stream":true,"stream":false}',
    b'{"model":"up/m","stream":true,"\\u0073tream":false}',
    b'\xef\xbb\xbf{"model":"up/m","model":"x"}',
    '{"model":"up/m"}'.encode("utf-16"),
]


@pytest.mark.parametrize("surface", PATHS)
@pytest.mark.parametrize("data", BAD_BODIES, ids=lambda data: data.decode("latin-1")[:40])
def test_a_body_that_cannot_be_acted_on_is_a_400(hop: Hop, surface: str, data: bytes) -> None:
    model = b"up/m" if surface == "chat" else b"claude/m"
    answer = hop.ask(post(PATHS[surface], data.replace(b"up/m", model)))
    assert answer.status == 400
    check_shape(answer, surface)
    assert hop.upstream.begun == 0


@pytest.mark.parametrize(
    ("data", "sent"),
    [
        (b'{"mod\\u0065l":"up/m","x":1}', b'{"mod\\u0065l":"m","x":1}'),
        (b'{"model":"up\\/m"}', b'{"model":"m"}'),
        (b'{"model":"\\u0075p/m\\n"}', b'{"model":"m\\n"}'),
        (b' {\t"a" : {"model":"x","model":"y"} ,\r\n"model" : "up/m" } \n', None),
        (b'{"model":"up/up/m"}', b'{"model":"up/m"}'),
        (b'{"x":"\\"model\\":\\"no/no\\"","model":"up/m"}', None),
    ],
)
def test_the_model_is_replaced_where_a_parser_would_see_it_and_nothing_else_is(
    hop: Hop, data: bytes, sent: bytes | None
) -> None:
    assert hop.ask(post(CHAT, data)).status == 200
    (got,) = hop.upstream.requests
    if sent is None:
        cut = data.rindex(b"up/m")
        sent = data[:cut] + data[cut + 3 :]
    assert msgspec.json.decode(got.body)["model"] == msgspec.json.decode(sent)["model"]
    assert got.body.replace(b"\\u006d", b"m") == sent


def test_what_is_not_translated_is_a_400_that_names_both_dialects(hop: Hop) -> None:
    answer = hop.ask(post("/v1/completions", body("completions").replace(b"up/m", b"claude/m")))
    assert answer.status == 400
    message = check_shape(answer, "chat")["message"]
    assert "`openai_completions`" in message
    assert "`anthropic_messages`" in message
    assert hop.upstream.begun == 0


@pytest.mark.parametrize(
    "value", [b"01", b'"a\nb"', b'"\xff"', b'"\\x"', b"nul", b"1e999999"], ids=repr
)
def test_a_fault_inside_a_value_that_no_rule_reads_is_the_providers_to_refuse(
    hop: Hop, value: bytes
) -> None:
    # Such a value cannot move a field or hide one; to look into it would cost every request.
    refusal = reply(b'{"error":{"message":"bad"}}', "400 Bad Request")
    hop.upstream.once(Read(), Send(refusal))
    data = b'{"model":"up/m","messages":[{"role":"user","content":%s}]}' % value
    answer = hop.ask(post(CHAT, data))
    assert (answer.status, answer.body) == (400, b'{"error":{"message":"bad"}}')
    assert hop.upstream.requests[0].body == data.replace(b"up/m", b"m")
