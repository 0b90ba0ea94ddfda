"""Paths that no operation names: passed on as they are, where a route lets them through."""

from collections.abc import Iterator

import httpx2
import msgspec
import openai
import pytest

from tests.support.gateway import Running, start
from tests.support.hop import KEY, UPSTREAM_KEY, Hop
from tests.support.upstream import Close, Read, Send, Upstream, chunk, reply, stream_head
from tests.support.wire import Answer, request

IMAGES_KEY = "sk-test-only-images-000000"
FILES_KEY = "sk-test-only-everything-00"
OTHER_KEY = "sk-upstream-second-account"
CONFIG = """
version: 1
keys:
  - {{name: app, key: {key}, models: [painter, "chat*", claude]}}
  - {{name: images, key: {images_key}, models: [painter]}}
  - {{name: all, key: {files_key}, models: ["*"]}}
providers:
  o: {{type: openai, base_url: "{url}/base/v1", api_keys: [{upstream_key}, {other_key}]}}
  a: {{type: anthropic, base_url: "{url}", api_key: {upstream_key}}}
  g: {{type: gemini, base_url: "{url}/v1beta", api_key: {upstream_key}}}
routes:
  chat: {{models: ["chat*"], targets: [{{provider: o}}], cache: {{ttl_s: 60}}}}
  images:
    models: [painter, scribe]
    targets: [{{provider: o, model: real-1}}]
    pass_through: ["images/*", audio/speech, audio/transcriptions]
    cache: {{ttl_s: 60}}
  batches: {{models: [claude], targets: [{{provider: a}}], pass_through: ["messages/batches*"]}}
  rest:
    targets: [{{provider: o}}, {{provider: g}}]
    pass_through: ["files*", "fine_tuning/*", "cachedContents*"]
"""


@pytest.fixture(scope="module")
def hop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hop]:
    folder = tmp_path_factory.mktemp("pass-through")
    with Upstream() as upstream:
        path = folder / "llm-edge.yaml"
        path.write_text(
            CONFIG.format(
                key=KEY,
                images_key=IMAGES_KEY,
                files_key=FILES_KEY,
                url=upstream.url,
                upstream_key=UPSTREAM_KEY,
                other_key=OTHER_KEY,
            )
        )
        running = start(["serve", "--config", str(path), "--workers", "1"], folder)
        try:
            yield Hop(running, upstream)
        finally:
            running.stop()


def ask(
    hop: Hop, method: str, path: str, body: bytes = b"", *fields: str, key: str = FILES_KEY
) -> Answer:
    return hop.ask(request(path, body, f"authorization: Bearer {key}", *fields, method=method))


def form(*parts: tuple[str, bytes], boundary: str = "b0") -> tuple[bytes, str]:
    """A form and its media type; a part's name may bring further parameters."""
    body = b"".join(
        f"--{boundary}\r\nContent-Disposition: form-data; name={name}\r\n\r\n".encode()
        + value
        + b"\r\n"
        for name, value in parts
    )
    media = f"content-type: multipart/form-data; boundary={boundary}"
    return body + f"--{boundary}--\r\n".encode(), media


def error(answer: Answer) -> tuple[int, str, str]:
    told = msgspec.json.decode(answer.body)["error"]
    return answer.status, told["code"], told["message"]


def test_a_model_in_json_leads_to_its_route_and_is_asked_for_by_its_own_name(hop: Hop) -> None:
    picture = bytes(range(256)) * 300
    hop.upstream.always(Read(), Send(reply(picture, content_type="image/png"), piece=1000))
    body = b'{ "prompt": "a \\u0022model\\u0022", "model": "painter", "n":1 }'
    for path in ("/v1/images/generations", "/openai/v1/images/generations", "/images/generations"):
        answer = ask(hop, "POST", path, body, "content-type: application/json", key=IMAGES_KEY)
        assert (answer.status, answer.body) == (200, picture)
        assert answer.headers["content-type"] == "image/png"
        got = hop.upstream.requests[-1]
        assert got.request_line == "POST /base/v1/images/generations HTTP/1.1"
        assert got.body == body.replace(b"painter", b"real-1")
        assert got.headers["authorization"] in (
            f"Bearer {UPSTREAM_KEY}",
            f"Bearer {OTHER_KEY}",
        )
        assert IMAGES_KEY not in str(got.headers)


def test_a_model_in_a_form_leads_there_too_and_the_file_stays_as_it_was(hop: Hop) -> None:
    hop.upstream.always(Read(), Send(reply(b'{"text":"hi"}')))
    sound = bytes(range(256)) * 3 + b'\r\n--b\r\nname="model"\r\n\r\npainter\r\n'
    body, media = form(('"file"; filename="model"', sound), ('"model"', b"scribe"), ("n", b"1"))
    answer = ask(hop, "POST", "/v1/audio/transcriptions?x=%20y", body, media)
    assert answer.status == 200
    got = hop.upstream.requests[-1]
    assert got.request_line == "POST /base/v1/audio/transcriptions?x=%20y HTTP/1.1"
    assert got.body == body.replace(b"\r\nscribe\r\n", b"\r\nreal-1\r\n")
    assert got.headers["content-type"] == media.removeprefix("content-type: ")
    assert int(got.headers["content-length"]) == len(got.body)


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE"])
def test_what_names_no_model_always_goes_to_the_same_account(hop: Hop, method: str) -> None:
    hop.upstream.always(Read(), Send(reply(b"[1]")))
    body = b"" if method in ("GET", "DELETE") else b"\x00 not json"
    for _ in range(3):
        answer = ask(
            hop, method, "/v1/files/file-1?after=a", body, "content-type: application/octet-stream"
        )
        assert (answer.status, answer.body) == (200, b"[1]")
        got = hop.upstream.requests[-1]
        assert got.request_line == f"{method} /base/v1/files/file-1?after=a HTTP/1.1"
        assert got.headers["authorization"] == f"Bearer {UPSTREAM_KEY}"
        assert got.body == body
        assert ("content-length" in got.headers) == (method != "GET")


def test_other_apis_are_passed_on_with_their_own_headers(hop: Hop) -> None:
    hop.upstream.always(Read(), Send(reply(b"{}")))
    body = b'{"requests":[{"custom_id":"1","params":{"model":"claude"}}]}'
    assert ask(hop, "POST", "/v1/messages/batches", body, "anthropic-beta: x").status == 200
    got = hop.upstream.requests[-1]
    assert got.request_line == "POST /v1/messages/batches HTTP/1.1"
    assert (got.headers["x-api-key"], got.headers["anthropic-beta"]) == (UPSTREAM_KEY, "x")
    assert got.headers["anthropic-version"] == "2023-06-01"
    path = f"/v1beta/cachedContents/c-1?key={FILES_KEY}&pageSize=2"
    answer = hop.ask(request(path, method="GET"))
    assert answer.status == 200
    got = hop.upstream.requests[-1]
    assert got.request_line == "GET /v1beta/cachedContents/c-1?pageSize=2 HTTP/1.1"
    assert got.headers["x-goog-api-key"] == UPSTREAM_KEY


def test_a_key_reaches_what_its_models_reach(hop: Hop) -> None:
    hop.upstream.always(Read(), Send(reply(b"{}")))
    painter = b'{"model":"painter"}'
    assert ask(hop, "POST", "/v1/images/edits", painter, key=IMAGES_KEY).status == 200
    before = hop.seen
    # Not this model, not the whole of that route, not everything.
    other = ask(hop, "POST", "/v1/images/edits", b'{"model":"scribe"}', key=IMAGES_KEY)
    assert error(other)[:2] == (404, "model_not_found")
    unnamed = ask(hop, "POST", "/v1/images/edits", b"{}", key=IMAGES_KEY)
    assert error(unnamed)[:2] == (404, "unknown_path")
    assert error(ask(hop, "GET", "/v1/files", key=KEY))[:2] == (404, "unknown_path")
    assert ask(hop, "GET", "/v1/files", key="sk-test-only-nobody-0000000").status == 401
    assert hop.seen == before


def test_what_no_route_lets_through_stays_unknown(hop: Hop) -> None:
    before = hop.seen
    for path in (
        "/v1/moderations",
        "/v1/audio/translations",
        "/v1/images",
        "/v1/audio/speech/x",
    ):
        status, code, message = error(ask(hop, "POST", path, b"{}"))
        assert (status, code) == (404, "unknown_path"), path
        assert "pass_through" in message
    # A model's own route must let it through, and one with models takes no others.
    for model in ("chat-1", "nobody"):
        body = msgspec.json.encode({"model": model})
        status, code, message = error(ask(hop, "POST", "/v1/images/edits", body))
        assert (status, code) == (404, "unknown_path")
        assert f"`{model}`" in message
    answer = ask(hop, "OPTIONS", "/v1/files")
    assert (answer.status, answer.headers["allow"]) == (405, "GET, POST, PUT, PATCH, DELETE")
    assert hop.seen == before


@pytest.mark.parametrize(
    "path",
    [
        "/v1/files/../chat/completions",
        "/v1/files/%2e%2e/models",
        "/v1/files/a%2Fb",
        "/v1/files//x",
        "/v1/files/",
        "/v1/files/./x",
        "/v1/files/a;b",
    ],
)
def test_a_path_that_could_be_read_in_two_ways_goes_nowhere(hop: Hop, path: str) -> None:
    before = hop.seen
    assert ask(hop, "GET", path).status == 404
    assert hop.seen == before


def test_a_model_that_could_be_read_in_two_ways_is_refused(hop: Hop) -> None:
    before = hop.seen
    json = "content-type: application/json"
    bodies: list[tuple[bytes, str]] = [
        (b'{"model":"painter","model":"scribe"}', json),
        (b'{"Model":"painter"}', json),
        (b'{"model":["painter"]}', json),
        (b'{"model":"painter"', json),
        (b'{"model":"painter"', "x-none: 1"),
        (b'{"model":"painter"', "content-type: application/vnd.x+json"),
        form(('"model"', b"painter"), ('"model"', b"scribe")),
        form(("x; name*=utf-8''model", b"painter")),
        (form(('"model"', b"painter"))[0][:-9], form()[1]),
        (form(('"model"', b"painter"))[0], "content-type: multipart/form-data"),
    ]
    for body, media in bodies:
        answer = ask(hop, "POST", "/v1/images/edits", body, media)
        assert error(answer)[0] == 400, (body, media, answer.body)
    zipped = ask(hop, "POST", "/v1/images/edits", b"x", json, "content-encoding: gzip")
    assert zipped.status == 415
    assert hop.seen == before


def test_a_refusal_comes_back_as_it_is_and_nothing_is_kept_or_asked_twice(hop: Hop) -> None:
    refused = b'{"error":{"message":"slow down","type":"tokens","code":"rate_limit_exceeded"}}'
    hop.upstream.always(Read(), Send(reply(refused, "429 Too Many Requests", "retry-after: 7")))
    before = hop.seen
    for _ in range(2):
        answer = ask(hop, "POST", "/v1/images/edits", b'{"model":"painter"}')
        assert (answer.status, answer.body) == (429, refused)
        assert answer.headers["retry-after"] == "7"
    assert hop.seen == before + 2


def test_a_stream_of_events_passes_whatever_its_end_and_is_cut_where_its_upstream_is(
    hop: Hop,
) -> None:
    events = [b"event: speech.audio.delta\ndata: {}\n\n", b"data: x\n\n"]
    sent = b"".join(map(chunk, events))
    hop.upstream.always(Read(), Send(stream_head() + sent + chunk(b"")))
    answer = ask(hop, "POST", "/v1/audio/speech", b'{"model":"scribe","stream":true}')
    assert (answer.status, answer.body) == (200, b"".join(events))
    hop.upstream.always(Read(), Send(stream_head() + sent), Close())
    cut = ask(hop, "POST", "/v1/audio/speech", b'{"model":"scribe","stream":true}')
    assert not cut.complete


def test_openais_sdk_reaches_images_audio_files_and_batches(hop: Hop) -> None:
    with openai.OpenAI(base_url=hop.running.api, api_key=FILES_KEY, max_retries=0) as client:
        hop.upstream.always(Read(), Send(reply(b'{"created":1,"data":[{"b64_json":"AAAA"}]}')))
        image = client.images.generate(model="painter", prompt="x")
        assert image.data is not None
        assert image.data[0].b64_json == "AAAA"
        hop.upstream.always(Read(), Send(reply(b'{"text":"hello"}')))
        told = client.audio.transcriptions.create(model="scribe", file=("a.wav", b"RIFF"))
        assert told.text == "hello"
        assert b"real-1" in hop.upstream.requests[-1].body
        hop.upstream.always(Read(), Send(reply(b"ID3\x00\xff", content_type="audio/mpeg")))
        speech = client.audio.speech.create(model="scribe", voice="alloy", input="x")
        assert speech.content == b"ID3\x00\xff"
        file = (
            b'{"id":"file-1","object":"file","bytes":3,"created_at":1,"filename":"a",'
            b'"purpose":"batch","status":"processed"}'
        )
        hop.upstream.always(Read(), Send(reply(file)))
        assert client.files.create(file=("a", b"abc"), purpose="batch").id == "file-1"
        assert client.files.retrieve("file-1").bytes == 3
        with pytest.raises(openai.NotFoundError, match="pass_through"):
            client.moderations.create(input="x", model="painter")


def test_without_a_route_for_it_nothing_is_passed_on(gateway: Running) -> None:
    answer = httpx2.get(f"{gateway.api}/files")
    assert answer.status_code == 404
    message = answer.json()["error"]["message"]
    assert "there is nothing at" in message
    assert "where a route lists it (`pass_through`)" in message
