"""The caller's own credential reaches the provider that its route names, and nobody else."""

import time
from collections.abc import Iterator

import anthropic
import msgspec
import openai
import pytest

from tests.behaviour.failure.several import metric, refusal
from tests.conftest import Serve
from tests.support.hop import CHAT, KEY, body
from tests.support.upstream import AwaitClose, Close, Read, Received, Send, Upstream, reply
from tests.support.wire import Answer, Wire, request

OAUTH = "sk-ant-oat01-of-the-caller"
OTHER = "sk-ant-oat01-of-another"
OURS = "sk-ours-for-claude"
SPARE = "sk-ours-for-the-spare"
BETA = "oauth-2025-04-20,claude-code-20250219"
MESSAGES = "/v1/messages"
EDGE = f"x-llm-edge-key: {KEY}"

CONFIG = """
version: 1
keys: [{{name: app, key: {key}}}, {{name: second, key: {key}-2}}]
request_log: {{mode: all}}
providers:
  theirs: {{type: anthropic, base_url: "{claude}"}}
  claude: {{type: anthropic, base_url: "{claude}", api_key: {ours}}}
  spare: {{type: anthropic, base_url: "{spare}", api_key: {spare_key}}}
  google: {{type: gemini, base_url: "{claude}/v1beta", api_key: {ours}}}
  open: {{type: openai_compatible, base_url: "{claude}/v1", api_key: {ours}}}
routes:
  only: {{models: ["claude-*"], targets: [{{provider: theirs}}], caller_credential: theirs}}
  both:
    models: [both]
    targets: [{{provider: claude, model: m}}]
    caller_credential: claude
    fallbacks: [spare]
    retry: {{backoff_ms: 20}}
    breaker: {{enabled: false}}
  spare: {{models: [spare], targets: [{{provider: spare, model: m}}]}}
  ours: {{models: [ours], targets: [{{provider: claude, model: m}}], retry: {{attempts_max: 1}}}}
  cached:
    models: [cached]
    targets: [{{provider: claude, model: m}}]
    caller_credential: claude
    cache: {{ttl_s: 300}}
  google: {{models: [gem], targets: [{{provider: google}}], caller_credential: google}}
  open: {{models: [gpt], targets: [{{provider: open}}], caller_credential: open}}
  hedged:
    models: [hedged]
    strategy: ordered
    targets: [{{provider: claude, model: m}}, {{provider: spare, model: m}}]
    caller_credential: claude
    hedge: {{delay_ms: 50, spend_percent: 100}}
  twice:
    models: [twice]
    targets: [{{provider: claude, model: m}}]
    caller_credential: claude
    hedge: {{delay_ms: 50, spend_percent: 100}}
"""


class Site:
    """A gateway that passes credentials on, the provider, and the provider of a fallback."""

    def __init__(self, serve: Serve, claude: Upstream, spare: Upstream) -> None:
        text = CONFIG.format(
            key=KEY, claude=claude.url, spare=spare.url, ours=OURS, spare_key=SPARE
        )
        self.running = serve(text)
        self.claude, self.spare = claude, spare

    def ask(self, *fields: str, model: str = "claude-x", path: str = MESSAGES) -> Answer:
        """One request on a connection of its own, with these fields."""
        with Wire(self.running.address) as wire:
            wire.send(asking(*fields, model=model, path=path))
            return wire.answer()

    @property
    def last(self) -> Received:
        """What the provider saw last."""
        return self.claude.requests[-1]


def asking(*fields: str, model: str, path: str = MESSAGES) -> bytes:
    surface = "messages" if path == MESSAGES else "chat"
    data = msgspec.json.decode(body(surface)) | {"model": model}
    return request(path, msgspec.json.encode(data), "Content-Type: application/json", *fields)


def bearer(credential: str) -> str:
    return f"Authorization: Bearer {credential}"


@pytest.fixture
def site(serve: Serve, upstream: Upstream) -> Iterator[Site]:
    with Upstream() as spare:
        yield Site(serve, upstream, spare)


def test_an_oauth_token_passes_as_it_came_beside_the_gateways_key(site: Site) -> None:
    answer = site.ask(EDGE, bearer(OAUTH), f"anthropic-beta: {BETA}")
    assert (answer.status, answer.body) == (200, b"{}")
    seen = site.last.headers
    assert seen["authorization"] == f"Bearer {OAUTH}"
    assert seen["anthropic-beta"] == BETA
    assert "x-api-key" not in seen
    assert KEY.encode() not in site.last.head


@pytest.mark.parametrize(
    ("fields", "seen"),
    [
        ((f"X-Api-Key: {OAUTH}",), {"x-api-key": OAUTH}),
        # The gateway's key may come in whichever field is free.
        ((f"x-api-key: {OAUTH}", bearer(KEY)), {"x-api-key": OAUTH}),
        ((bearer(OAUTH), f"x-api-key: {KEY}"), {"authorization": f"Bearer {OAUTH}"}),
        # A provider that is sent two is asked what it makes of them.
        (
            (bearer(OAUTH), f"x-api-key: {OTHER}"),
            {"authorization": f"Bearer {OAUTH}", "x-api-key": OTHER},
        ),
        # What means nothing to the provider stays here.
        (
            (bearer(OAUTH), f"x-goog-api-key: {OTHER}", "Cookie: a=b"),
            {"authorization": f"Bearer {OAUTH}"},
        ),
        # A field that is another's is not the provider's: what it holds is shown in the right one.
        ((f"api-key: {OAUTH}",), {"x-api-key": OAUTH}),
        (("Authorization: Basic dTpw",), {"authorization": "Basic dTpw"}),
    ],
)
def test_the_fields_of_the_provider_pass_and_no_others(
    site: Site, fields: tuple[str, ...], seen: dict[str, str]
) -> None:
    assert site.ask(EDGE, *fields).status == 200
    secret = {"authorization", "x-api-key", "api-key", "x-goog-api-key", "cookie"}
    assert {name: value for name, value in site.last.headers.items() if name in secret} == seen
    assert KEY.encode() not in site.last.head
    assert b"x-llm-edge" not in site.last.head


@pytest.mark.parametrize(
    "fields",
    [
        (),
        (bearer(KEY),),
        # The same key twice, another caller's key, one that is known no more: none is a credential.
        (bearer(KEY), f"x-api-key: {KEY}"),
        (f"x-api-key: {KEY}-2",),
        ("x-api-key: sk-edge-of-another-gateway",),
        (f"Authorization: {KEY}",),
        (f"x-api-key: {KEY}", f"x-api-key: {OAUTH}"),
        ("x-api-key:",),
        ("Authorization: Bearer",),
        (f"Authorization: Bearer\t{KEY}",),
        (f"Authorization: Token {KEY}",),
        # What a connection keeps for itself is nobody's credential.
        (bearer(OAUTH), "Connection: authorization"),
    ],
)
def test_without_a_credential_the_caller_is_told_and_nobody_is_asked(
    site: Site, fields: tuple[str, ...]
) -> None:
    answer = site.ask(EDGE, *fields)
    assert answer.status == 401
    error = msgspec.json.decode(answer.body)
    assert error["error"]["type"] == "authentication_error"
    for said in ("`only`", "`theirs`", "`x-api-key: …`", "Authorization", "x-llm-edge-key"):
        assert said in error["error"]["message"]
    assert KEY.encode() not in answer.body
    assert site.claude.begun == 0


def test_it_is_told_in_the_shape_of_the_surface(site: Site) -> None:
    said = msgspec.json.decode(site.ask(EDGE, model="gpt", path=CHAT).body)["error"]
    assert (said["code"], said["param"]) == ("invalid_api_key", None)
    data = b'{"contents":[]}'
    with Wire(site.running.address) as wire:
        wire.send(request("/v1beta/models/gem:generateContent", data, EDGE))
        answer = wire.answer()
    assert (answer.status, msgspec.json.decode(answer.body)["error"]["status"]) == (
        401,
        "UNAUTHENTICATED",
    )


def test_a_credential_is_no_key_of_the_gateway(site: Site) -> None:
    answer = site.ask(bearer(OAUTH))
    assert answer.status == 401
    assert b"x-llm-edge-key" in answer.body
    assert site.ask("x-llm-edge-key: sk-wrong", bearer(OAUTH)).status == 401
    assert site.claude.begun == 0


def test_other_routes_to_the_same_provider_use_the_operators(site: Site) -> None:
    assert site.ask(EDGE, bearer(OAUTH), model="ours").status == 200
    assert site.last.headers["x-api-key"] == OURS
    assert OAUTH.encode() not in site.last.head


def test_a_provider_without_a_credential_is_reached_by_no_other_name(site: Site) -> None:
    assert site.ask(EDGE, bearer(OAUTH), model="theirs/m").status == 404
    # A bare name goes to the first provider that has one.
    assert site.ask(EDGE, bearer(OAUTH), model="another").status == 200
    assert site.last.headers["x-api-key"] == OURS


def test_a_fallback_of_another_provider_never_sees_it(site: Site) -> None:
    site.claude.always(Read(), Send(refusal("529 Overloaded")))
    answer = site.ask(EDGE, bearer(OAUTH), model="both")
    assert (answer.status, answer.headers["x-llm-edge-provider"]) == (200, "spare")
    assert site.last.headers["authorization"] == f"Bearer {OAUTH}"
    (seen,) = site.spare.requests
    assert seen.headers["x-api-key"] == SPARE
    assert OAUTH.encode() not in seen.head + seen.body


@pytest.mark.parametrize("status", ["401 No", "402 Pay", "403 Never"])
def test_a_refused_credential_is_the_callers_affair(site: Site, status: str) -> None:
    site.claude.once(Read(), Send(refusal(status, "Retry-After: 60")))
    answer = site.ask(EDGE, bearer(OAUTH), model="both")
    assert (answer.status, answer.headers["x-llm-edge-attempts"]) == (int(status[:3]), "1")
    assert site.spare.begun == 0
    # Neither another caller's nor the operator's own rests for it.
    assert site.ask(EDGE, bearer(OTHER), model="both").status == 200
    assert site.last.headers["authorization"] == f"Bearer {OTHER}"
    assert site.ask(EDGE, model="ours").status == 200
    assert metric(site.running, "llm_edge_credential_cooldowns_total") == 0


def test_one_that_is_used_up_goes_where_the_route_leads_then(site: Site) -> None:
    site.claude.once(Read(), Send(refusal("429 Slow", "Retry-After: 60")))
    answer = site.ask(EDGE, bearer(OAUTH), model="both")
    assert (answer.status, answer.headers["x-llm-edge-provider"]) == (200, "spare")
    assert metric(site.running, "llm_edge_credential_cooldowns_total") == 0
    assert site.ask(EDGE, bearer(OTHER), model="both").headers["x-llm-edge-provider"] == "claude"


def test_a_resting_credential_of_ours_does_not_stand_in_its_way(site: Site) -> None:
    site.claude.once(Read(), Send(refusal("401 No", "Retry-After: 60")))
    assert site.ask(EDGE, model="ours").status == 401
    assert metric(site.running, "llm_edge_credential_cooldowns_total") == 1
    answer = site.ask(EDGE, bearer(OAUTH), model="both")
    assert answer.headers["x-llm-edge-provider"] == "claude"


def test_a_stored_reply_is_for_the_same_credential_only(site: Site) -> None:
    def cached(*fields: str) -> str:
        answer = site.ask(EDGE, *fields, model="cached")
        assert answer.status == 200
        return answer.headers["x-llm-edge-cache"]

    assert [cached(bearer(OAUTH)), cached(bearer(OAUTH))] == ["miss", "hit"]
    assert [cached(bearer(OTHER)), cached(bearer(OTHER))] == ["miss", "hit"]
    # The same words in another field may be another account.
    assert cached(f"x-api-key: {OAUTH}") == "miss"
    assert cached(bearer(OAUTH)) == "hit"
    assert len(site.claude.requests) == 3


def test_another_dialects_client_has_it_shown_as_the_provider_wants_it(site: Site) -> None:
    site.claude.always(
        Read(),
        Send(
            reply(
                msgspec.json.encode(
                    {
                        "id": "msg_1",
                        "type": "message",
                        "role": "assistant",
                        "model": "m",
                        "content": [{"type": "text", "text": "hi"}],
                        "stop_reason": "end_turn",
                        "stop_sequence": None,
                        "usage": {"input_tokens": 1, "output_tokens": 1},
                    }
                )
            )
        ),
    )
    assert site.ask(EDGE, bearer("sk-ant-api03-x"), path=CHAT).status == 200
    assert site.last.headers["x-api-key"] == "sk-ant-api03-x"
    assert "authorization" not in site.last.headers


@pytest.mark.parametrize(
    ("query", "fields", "seen"),
    [
        ("?key=AIza%2Dof-the-caller", (), {"x-goog-api-key": "AIza-of-the-caller"}),
        ("", ("x-goog-api-key: AIza-1",), {"x-goog-api-key": "AIza-1"}),
        ("", (bearer("ya29.token"),), {"authorization": "Bearer ya29.token"}),
        (f"?key={KEY}", ("x-goog-api-key: AIza-1",), {"x-goog-api-key": "AIza-1"}),
    ],
)
def test_googles_clients_pass_theirs_too(
    site: Site, query: str, fields: tuple[str, ...], seen: dict[str, str]
) -> None:
    with Wire(site.running.address) as wire:
        path = f"/v1beta/models/gem:generateContent{query}"
        wire.send(request(path, b'{"contents":[]}', EDGE, *fields))
        assert wire.answer().status == 200
    secret = {"authorization", "x-goog-api-key"}
    assert {k: v for k, v in site.last.headers.items() if k in secret} == seen
    assert "key=" not in site.last.request_line


@pytest.mark.parametrize("key", ["a%0D%0Ax-evil: 1", "a%20b", "%FF", "%zz"])
def test_a_query_that_no_field_can_hold_is_no_credential(site: Site, key: str) -> None:
    with Wire(site.running.address) as wire:
        path = f"/v1beta/models/gem:generateContent?key={key.replace(' ', '%20')}"
        wire.send(request(path, b'{"contents":[]}', EDGE))
        assert wire.answer().status == 401
    assert site.claude.begun == 0


def test_it_is_in_no_log_error_or_metric(site: Site) -> None:
    site.claude.once(Read(), Close())
    answers = [
        site.ask(EDGE, bearer(OAUTH)),
        site.ask(EDGE, bearer(OAUTH)),
        site.ask(EDGE, bearer(OAUTH), model="unknown-model", path="/v1/nowhere"),
        site.ask(EDGE, bearer(OAUTH), model="cached"),
        site.ask(bearer(OAUTH)),
    ]
    assert [answer.status for answer in answers] == [502, 200, 404, 200, 401]
    shown = b"".join(answer.body + "".join(answer.lines).encode() for answer in answers)
    shown += "".join(site.running.scrape()).encode()
    shown += msgspec.json.encode(site.running.ask_admin("status"))
    shown += msgspec.json.encode(site.running.ask_admin("config"))
    shown += site.running.stop().encode()
    for part in (OAUTH, OAUTH[:14], OAUTH[-12:]):
        assert part.encode() not in shown


def test_a_gateway_without_keys_passes_it_on(serve: Serve, upstream: Upstream) -> None:
    running = serve(
        f"""
version: 1
providers: {{claude: {{type: anthropic, base_url: "{upstream.url}"}}}}
routes:
  claude: {{models: ["claude-*"], targets: [{{provider: claude}}], caller_credential: claude}}
"""
    )
    with Wire(running.address) as wire:
        wire.send(asking(bearer(OAUTH), model="claude-x"))
        assert wire.answer().status == 200
        wire.send(asking(model="claude-x"))
        answer = wire.answer()
    assert answer.status == 401
    assert b"x-llm-edge-key" not in answer.body
    assert upstream.requests[-1].headers["authorization"] == f"Bearer {OAUTH}"
    # A key that was meant for a gateway is not for a provider.
    with Wire(running.address) as wire:
        wire.send(asking(bearer(KEY), model="claude-x"))
        assert wire.answer().status == 401


def test_callers_side_by_side_keep_theirs_apart(site: Site) -> None:
    with Wire(site.running.address) as wire:
        for turn in range(20):
            wire.send(asking(EDGE, bearer(f"token-{turn}"), model="claude-x"))
            assert wire.answer().status == 200
    # One connection to the provider carried all of them.
    assert site.claude.connections == 1
    said = [got.headers["authorization"] for got in site.claude.requests]
    assert said == [f"Bearer token-{turn}" for turn in range(20)]


def test_the_sdks_work_with_their_own_credentials(site: Site) -> None:
    message = {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "claude-x",
        "content": [{"type": "text", "text": "hi"}],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": {"input_tokens": 1, "output_tokens": 1},
    }
    site.claude.once(Read(), Send(reply(msgspec.json.encode(message))))
    with anthropic.Anthropic(
        base_url=site.running.anthropic,
        auth_token=OAUTH,
        max_retries=0,
        default_headers={"x-llm-edge-key": KEY, "anthropic-beta": BETA},
    ) as claude:
        said = claude.messages.create(
            model="claude-x", max_tokens=16, messages=[{"role": "user", "content": "hello"}]
        )
    assert said.content[0].type == "text"
    assert site.last.headers["authorization"] == f"Bearer {OAUTH}"
    assert site.last.headers["anthropic-beta"] == BETA
    with openai.OpenAI(
        base_url=site.running.api,
        api_key="sk-proj-of-the-caller",
        max_retries=0,
        default_headers={"x-llm-edge-key": KEY},
    ) as client:
        client.chat.completions.create(model="gpt", messages=[{"role": "user", "content": "x"}])
    assert site.last.headers["authorization"] == "Bearer sk-proj-of-the-caller"
    # Without one the SDK raises what it raises where its key is wrong.
    with (
        anthropic.Anthropic(base_url=site.running.anthropic, api_key=KEY, max_retries=0) as claude,
        pytest.raises(anthropic.AuthenticationError, match="caller's own credential"),
    ):
        claude.messages.create(
            model="claude-x", max_tokens=16, messages=[{"role": "user", "content": "hello"}]
        )


def test_a_second_attempt_beside_a_slow_one_shows_it_to_its_provider_only(site: Site) -> None:
    site.claude.once(Read(), AwaitClose())
    answer = site.ask(EDGE, bearer(OAUTH), model="hedged")
    assert (answer.status, answer.headers["x-llm-edge-attempts"]) == (200, "2")
    assert site.last.headers["authorization"] == f"Bearer {OAUTH}"
    [seen] = site.spare.requests
    assert seen.headers["x-api-key"] == SPARE
    assert OAUTH.encode() not in seen.head + seen.body


def test_a_second_attempt_at_the_same_provider_shows_the_same(site: Site) -> None:
    site.claude.once(Read(), AwaitClose())
    answer = site.ask(EDGE, bearer(OAUTH), model="twice")
    assert (answer.status, answer.headers["x-llm-edge-attempts"]) == (200, "2")
    shown = [seen.headers["authorization"] for seen in site.claude.requests]
    assert shown == [f"Bearer {OAUTH}"] * 2
    assert all("x-api-key" not in seen.headers for seen in site.claude.requests)


def test_a_kept_response_is_asked_for_with_the_callers_own(site: Site) -> None:
    def get(*fields: str) -> Answer:
        with Wire(site.running.address) as wire:
            wire.send(request("/v1/responses/resp_1", b"", *fields, method="GET"))
            return wire.answer()

    assert get(EDGE).status == 401
    assert not site.claude.requests
    assert get(EDGE, bearer(OAUTH)).status == 200
    assert site.last.request_line == "GET /v1/responses/resp_1 HTTP/1.1"
    assert site.last.headers["authorization"] == f"Bearer {OAUTH}"
    assert OURS.encode() not in site.last.head


def test_a_wrong_credential_is_not_waited_for(site: Site) -> None:
    site.claude.always(Read(), Send(refusal("401 No", "Retry-After: 5")))
    started = time.monotonic()
    assert site.ask(EDGE, bearer(OAUTH), model="both").status == 401
    assert time.monotonic() - started < 1
