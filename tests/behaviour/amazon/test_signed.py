"""Requests to Bedrock are signed as botocore signs them, whatever is in them."""

import random
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import msgspec
import pytest

from tests.behaviour.upstream_http2.conftest import Http2Hop
from tests.conftest import Serve
from tests.support.amazon import KEY_ID, REGION, SECRET, TOKEN, signature
from tests.support.gateway import Running, start
from tests.support.hop import CHAT, KEY, Hop, post
from tests.support.http2_upstream import Http2Upstream
from tests.support.upstream import Read, Received, Send, Upstream, reply
from tests.support.wire import Answer

CONFIG = """
version: 1
keys: [{{name: app, key: {key}}}]
providers:
  aws: {{type: bedrock, base_url: "{url}", {more} aws: {{{aws}}}}}
"""
STATIC = f"region: {REGION}, access_key_id: {KEY_ID}, secret_access_key: {SECRET}"
WHOLE = msgspec.json.encode(
    {
        "output": {"message": {"role": "assistant", "content": [{"text": "hi"}]}},
        "stopReason": "end_turn",
        "usage": {"inputTokens": 1, "outputTokens": 1, "totalTokens": 2},
    }
)


def config(url: str, aws: str = STATIC, more: str = "") -> str:
    return CONFIG.format(key=KEY, url=url, aws=aws, more=more)


def launched(url: str, folder: Path, env: dict[str, str] | None = None, **how: str) -> Running:
    path = folder / "llm-edge.yaml"
    path.write_text(config(url, **how))
    return start(["serve", "--config", str(path), "--workers", "1"], folder, env)


def question(text: str = "hello", model: str = "m") -> bytes:
    asked = {"model": f"aws/{model}", "messages": [{"role": "user", "content": text}]}
    return msgspec.json.encode(asked)


def ask(hop: Hop, text: str = "hello", model: str = "m", *fields: str) -> Answer:
    return hop.ask(post(CHAT, question(text, model), *fields))


def expected(
    upstream: Upstream, seen: Received, key: tuple[str, str, str | None] = (KEY_ID, SECRET, None)
) -> str:
    method, target, _ = seen.request_line.split(" ")
    return signature(method, upstream.url + target, seen.body, seen.headers, key)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hop]:
    with Upstream() as upstream:
        hop = Hop(launched(upstream.url, tmp_path_factory.mktemp("hop")), upstream)
        yield hop
        hop.running.stop()


@pytest.fixture
def hop(shared: Hop) -> Hop:
    shared.upstream.reset()
    shared.upstream.always(Read(), Send(reply(WHOLE)))
    return shared


def test_a_request_is_signed(hop: Hop) -> None:
    assert ask(hop).status == 200
    (seen,) = hop.upstream.requests
    given = seen.headers["authorization"]
    assert given.startswith(f"AWS4-HMAC-SHA256 Credential={KEY_ID}/")
    assert f"/{REGION}/bedrock/aws4_request, SignedHeaders=content-type;host;x-amz-date" in given
    assert given == expected(hop.upstream, seen)
    assert SECRET not in seen.head.decode()
    assert "x-amz-security-token" not in seen.headers


def test_a_request_for_a_stream_is_signed(hop: Hop) -> None:
    hop.ask(post(CHAT, question().replace(b"{", b'{"stream":true,', 1)))
    (seen,) = hop.upstream.requests
    assert seen.request_line == "POST /model/m/converse-stream HTTP/1.1"
    assert seen.headers["authorization"] == expected(hop.upstream, seen)


ARN = "arn:aws:bedrock:eu-central-1:123456789012:inference-profile/eu.anthropic.claude-5"


@pytest.mark.parametrize(
    "model", ["anthropic.claude-5-v1:0", ARN, "größe ü/世界", "a+b=c&d?e#f%20", "x//y", "~.-_'()!*"]
)
def test_a_model_s_name_in_the_path_is_signed_as_it_is_sent(hop: Hop, model: str) -> None:
    assert ask(hop, model=model).status == 200
    (seen,) = hop.upstream.requests
    assert seen.request_line == f"POST /model/{quote(model, safe='')}/converse HTTP/1.1"
    assert seen.headers["authorization"] == expected(hop.upstream, seen)


def test_bodies_of_every_size_are_signed(hop: Hop) -> None:
    dice = random.Random(7)
    for size in (0, 1, 100, 1000, 20_000, 300_000):
        text = "".join(
            chr(dice.choice((*range(32, 127), 0xE9, 0x4E16, 0x1F600))) for _ in range(size)
        )
        assert ask(hop, text or "x").status == 200
        seen = hop.upstream.requests[-1]
        assert seen.headers["authorization"] == expected(hop.upstream, seen)


def test_the_caller_s_fields_are_signed_where_amazon_wants_it_and_never_stand_for_ours(
    hop: Hop,
) -> None:
    own = ("X-Amz-Date: 20200101T000000Z", "x-amz-security-token: theirs", "X-Amz-Meta: a  b")
    assert ask(hop, "hello", "m", *own, "X-Amz-Content-Sha256: 00", "X-Amz-Meta: c").status == 200
    (seen,) = hop.upstream.requests
    assert seen.headers["x-amz-date"] > "20260101T000000Z"
    assert not {"x-amz-security-token", "x-amz-content-sha256"} & set(seen.headers)
    assert seen.headers["x-amz-meta"] == "a  b, c"
    given = seen.headers["authorization"]
    assert "SignedHeaders=content-type;host;x-amz-date;x-amz-meta," in given
    # The two fields of one name are one value to the signer, without a space.
    joined = {**seen.headers, "x-amz-meta": "a b,c"}
    url = hop.upstream.url + seen.request_line.split(" ")[1]
    assert given == signature("POST", url, seen.body, joined)


def test_a_retry_is_signed_anew(hop: Hop) -> None:
    hop.upstream.once(Read(), Send(reply(b'{"message":"slow"}', "503 Busy", "Retry-After: 1")))
    assert ask(hop).status == 200
    first, second = hop.upstream.requests
    assert second.headers["x-amz-date"] > first.headers["x-amz-date"]
    for seen in (first, second):
        assert seen.headers["authorization"] == expected(hop.upstream, seen)


def test_a_session_token_is_sent_and_signed(serve: Serve, upstream: Upstream) -> None:
    running = serve(config(upstream.url, f"{STATIC}, session_token: {TOKEN}"))
    upstream.always(Read(), Send(reply(WHOLE)))
    assert ask(Hop(running, upstream)).status == 200
    (seen,) = upstream.requests
    assert seen.headers["x-amz-security-token"] == TOKEN
    assert ";x-amz-security-token," in seen.headers["authorization"]
    assert seen.headers["authorization"] == expected(upstream, seen, (KEY_ID, SECRET, TOKEN))


def test_key_and_region_of_the_environment(tmp_path: Path, upstream: Upstream) -> None:
    env = {
        "AWS_REGION": REGION,
        "AWS_ACCESS_KEY_ID": KEY_ID,
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "AWS_SESSION_TOKEN": TOKEN,
        # Not used: the file asks for signatures.
        "AWS_BEARER_TOKEN_BEDROCK": "bearer",
    }
    running = launched(upstream.url, tmp_path, env, aws="")
    try:
        upstream.always(Read(), Send(reply(WHOLE)))
        assert ask(Hop(running, upstream)).status == 200
    finally:
        running.stop()
    (seen,) = upstream.requests
    assert seen.headers["x-amz-security-token"] == TOKEN
    assert seen.headers["authorization"] == expected(upstream, seen, (KEY_ID, SECRET, TOKEN))


def test_a_base_path_is_signed(serve: Serve, upstream: Upstream) -> None:
    running = serve(config(f"{upstream.url}/proxy/a%20b"))
    upstream.always(Read(), Send(reply(WHOLE)))
    assert ask(Hop(running, upstream)).status == 200
    (seen,) = upstream.requests
    assert seen.request_line.startswith("POST /proxy/a%20b/model/m/converse ")
    assert seen.headers["authorization"] == expected(upstream, seen)


def test_over_http2_the_authority_is_what_was_signed(tmp_path: Path) -> None:
    with Http2Upstream() as upstream:
        running = launched(upstream.url, tmp_path, more="http2: always,")
        try:
            Http2Hop(running, upstream).ask(post(CHAT, question("hello", ARN)))
        finally:
            running.stop()
        (seen,) = upstream.requests
        headers = dict(seen.headers)
    url = f"http://{headers[':authority']}{headers[':path']}"
    again = signature("POST", url, seen.body, headers | {"host": headers[":authority"]})
    assert headers["authorization"] == again


def test_a_probe_is_signed(serve: Serve, upstream: Upstream) -> None:
    more = "health: {interval_ms: 500, timeout_ms: 500},"
    serve(config(upstream.url, more=more))
    upstream.wait_for(requests=2)
    seen = upstream.requests[0]
    assert seen.request_line == "GET / HTTP/1.1"
    assert seen.headers["authorization"] == expected(upstream, seen)
