"""A refusal in each provider's own words leads to what docs/operate/resilience.md promises."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

import msgspec
import pytest

from tests.behaviour.failure.several import good, metric
from tests.behaviour.providers.test_every_type import CONTENTS, HELLO
from tests.behaviour.routing.test_costs import READS
from tests.behaviour.routing.test_costs import whole as anthropic
from tests.behaviour.translation.test_upstreams import WHOLE
from tests.support.gateway import start
from tests.support.hop import KEY, Hop, post
from tests.support.upstream import Read, Send, Upstream, reply
from tests.support.wire import Answer

pytestmark = pytest.mark.behaviour("B24")

CONVERSE = {
    "output": {"message": {"role": "assistant", "content": [{"text": "hi"}]}},
    "stopReason": "end_turn",
    "usage": {"inputTokens": 1, "outputTokens": 1, "totalTokens": 2},
}
GOOD = {
    "openai": good("up"),
    "anthropic": anthropic(READS),
    "gemini": reply(msgspec.json.encode(WHOLE["google"])),
    "bedrock": reply(msgspec.json.encode(CONVERSE)),
    "cohere": reply(msgspec.json.encode(WHOLE["cohere"])),
    "ollama": reply(msgspec.json.encode(WHOLE["ollama"])),
}
"""Type of provider → what it says when it does not refuse."""


class Then(StrEnum):
    """What follows."""

    LATER = "the next target at once, the same one after a pause"
    ELSEWHERE = "another key or target, never the same"
    RELAYED = "it is the reply"


@dataclass(frozen=True)
class Refusal:
    """An error, and what is promised for it."""

    type: str
    status: str
    says: object
    then: Then
    rests: bool = False
    fields: tuple[str, ...] = ()

    @property
    def reply(self) -> bytes:
        """As it comes."""
        return reply(msgspec.json.encode(self.says), self.status, *self.fields)


def openai(kind: str, code: str | None, message: str = "no") -> object:
    return {"error": {"message": message, "type": kind, "param": None, "code": code}}


def claude(kind: str, message: str = "no") -> object:
    return {"type": "error", "error": {"type": kind, "message": message}, "request_id": "req_1"}


def google(code: int, status: str, *details: dict[str, object]) -> object:
    return {"error": {"code": code, "message": "no", "status": status, "details": details}}


def quota(per: str) -> dict[str, object]:
    """Which quota of Google's is used up."""
    violation = {
        "quotaMetric": "generativelanguage.googleapis.com/generate_content_requests",
        "quotaId": f"GenerateRequestsPer{per}PerProjectPerModel",
        "quotaValue": "50",
    }
    return {"@type": "type.googleapis.com/google.rpc.QuotaFailure", "violations": [violation]}


def trial(per: str) -> object:
    """What Cohere tells who uses a key for trying out."""
    return {"message": f"You are using a Trial key, which is limited to 1000 API calls / {per}."}


AMAZON = "x-amzn-ErrorType: "
LATER, ELSEWHERE, RELAYED = Then
REFUSALS = {
    "openai-rate": Refusal(
        "openai", "429 No", openai("requests", "rate_limit_exceeded"), LATER, rests=True
    ),
    "openai-quota": Refusal(
        "openai",
        "429 No",
        openai("insufficient_quota", "insufficient_quota"),
        ELSEWHERE,
        rests=True,
    ),
    "openai-key": Refusal(
        "openai",
        "401 No",
        openai("invalid_request_error", "invalid_api_key"),
        ELSEWHERE,
        rests=True,
    ),
    "openai-slow-down": Refusal("openai", "503 No", openai("server_error", "slow_down"), LATER),
    "openai-failed": Refusal("openai", "500 No", openai("server_error", None), RELAYED),
    "anthropic-rate": Refusal("anthropic", "429 No", claude("rate_limit_error"), LATER, rests=True),
    "anthropic-cap": Refusal(
        "anthropic",
        "429 No",
        claude("rate_limit_error", "enforced_spend_limit_reached"),
        ELSEWHERE,
        rests=True,
    ),
    "anthropic-overloaded": Refusal("anthropic", "529 No", claude("overloaded_error"), LATER),
    "anthropic-key": Refusal(
        "anthropic", "401 No", claude("authentication_error"), ELSEWHERE, rests=True
    ),
    "anthropic-billing": Refusal(
        "anthropic", "402 No", claude("billing_error"), ELSEWHERE, rests=True
    ),
    "anthropic-failed": Refusal("anthropic", "500 No", claude("api_error"), RELAYED),
    "gemini-minute": Refusal(
        "gemini", "429 No", google(429, "RESOURCE_EXHAUSTED", quota("Minute")), LATER, rests=True
    ),
    "gemini-day": Refusal(
        "gemini", "429 No", google(429, "RESOURCE_EXHAUSTED", quota("Day")), ELSEWHERE, rests=True
    ),
    "gemini-overloaded": Refusal("gemini", "503 No", google(503, "UNAVAILABLE"), LATER),
    "gemini-denied": Refusal(
        "gemini", "403 No", google(403, "PERMISSION_DENIED"), ELSEWHERE, rests=True
    ),
    "gemini-key": Refusal(
        "gemini",
        "400 No",
        google(
            400,
            "INVALID_ARGUMENT",
            {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "API_KEY_INVALID"},
        ),
        ELSEWHERE,
        rests=True,
    ),
    "gemini-argument": Refusal("gemini", "400 No", google(400, "INVALID_ARGUMENT"), RELAYED),
    "bedrock-throttled": Refusal(
        "bedrock",
        "429 No",
        {"message": "Too many requests, please wait before trying again."},
        LATER,
        rests=True,
        fields=(f"{AMAZON}ThrottlingException",),
    ),
    "bedrock-denied": Refusal(
        "bedrock",
        "403 No",
        {"message": "You don't have access to the model with the specified model ID."},
        ELSEWHERE,
        rests=True,
        fields=(f"{AMAZON}AccessDeniedException",),
    ),
    "bedrock-unavailable": Refusal(
        "bedrock",
        "503 No",
        {"message": "no"},
        LATER,
        fields=(f"{AMAZON}ServiceUnavailableException",),
    ),
    "bedrock-model-failed": Refusal(
        "bedrock", "424 No", {"message": "no"}, RELAYED, fields=(f"{AMAZON}ModelErrorException",)
    ),
    "cohere-minute": Refusal("cohere", "429 No", trial("minute"), LATER, rests=True),
    "cohere-month": Refusal("cohere", "429 No", trial("month"), ELSEWHERE, rests=True),
    "cohere-key": Refusal(
        "cohere", "401 No", {"message": "invalid api token"}, ELSEWHERE, rests=True
    ),
    "cohere-failed": Refusal("cohere", "500 No", {"message": "internal server error"}, RELAYED),
    "ollama-busy": Refusal(
        "ollama",
        "503 No",
        {"error": "server busy, please try again.  maximum pending requests exceeded"},
        LATER,
    ),
    "ollama-key": Refusal("ollama", "401 No", {"error": "unauthorized"}, ELSEWHERE, rests=True),
    "ollama-no-model": Refusal("ollama", "404 No", {"error": "model 'm' not found"}, RELAYED),
}


def config(url: str, spare: str) -> str:
    """For each refusal: a provider with one key, alone and with a spare, and one with two keys.

    A key that rests would be missing elsewhere, so nobody shares one.
    """
    providers: dict[str, object] = {
        f"spare-{kind}": {"type": kind, "base_url": spare, "api_key": "spare"} for kind in GOOD
    }
    routes: dict[str, object] = {}
    for name, refusal in REFUSALS.items():
        for kind, keys in (("alone", 1), ("spared", 1), ("keys", 2)):
            at = f"{name}-{kind}"
            keyed = [f"{key}-{at}" for key in ("first", "second")[:keys]]
            providers[at] = {"type": refusal.type, "base_url": url, "api_keys": keyed}
            targets = [{"provider": at, "model": "m"}]
            if kind == "spared":
                targets.append({"provider": f"spare-{refusal.type}", "model": "m"})
            routes[at] = {
                "models": [at],
                "strategy": "ordered",
                "targets": targets,
                "retry": {"backoff_ms": 200, "cooldown_ms": 60_000},
            }
    keys_of_ours = [{"name": "app", "key": KEY}]
    tree = {"version": 1, "keys": keys_of_ours, "providers": providers, "routes": routes}
    return msgspec.json.encode(tree).decode()


@dataclass
class Site:
    """A gateway before an upstream that refuses, and a spare one."""

    hop: Hop
    spare: Upstream

    def ask(self, type_of_provider: str, model: str) -> Answer:
        """One request to a route, on the surface by which the provider is asked in its own API."""
        if type_of_provider == "gemini":
            path = f"/v1beta/models/{model}:generateContent"
            return self.hop.ask(post(path, msgspec.json.encode(CONTENTS)))
        data = msgspec.json.encode({"model": model, "messages": HELLO, "max_tokens": 9})
        return self.hop.ask(post(data=data))

    def rested(self, provider: str) -> float:
        """How often a key of the provider was laid to rest."""
        name = "llm_edge_credential_cooldowns_total"
        return metric(self.hop.running, name, provider=provider)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("dispositions")
    with Upstream() as upstream, Upstream() as spare:
        path = folder / "llm-edge.yaml"
        path.write_text(config(upstream.url, spare.url))
        running = start(["serve", "--config", str(path), "--workers", "1"], folder)
        yield Site(Hop(running, upstream), spare)
        running.stop()


@pytest.fixture
def site(shared: Site) -> Site:
    shared.hop.upstream.reset()
    shared.spare.reset()
    return shared


@pytest.mark.parametrize("name", REFUSALS)
def test_another_target_is_asked_where_it_was_not_done(site: Site, name: str) -> None:
    refusal = REFUSALS[name]
    site.hop.upstream.always(Read(), Send(refusal.reply))
    site.spare.always(Read(), Send(GOOD[refusal.type]))
    answer = site.ask(refusal.type, f"{name}-spared")
    asked = (site.hop.seen, len(site.spare.requests))
    if refusal.then is RELAYED:
        assert (answer.status, asked) == (int(refusal.status[:3]), (1, 0))
    else:
        assert (answer.status, asked) == (200, (1, 1))
        assert answer.headers["x-llm-edge-provider"] == f"spare-{refusal.type}"
    assert site.rested(f"{name}-spared") == refusal.rests


@pytest.mark.parametrize("name", REFUSALS)
def test_the_same_target_is_asked_again_only_where_that_may_help(site: Site, name: str) -> None:
    refusal = REFUSALS[name]
    site.hop.upstream.always(Read(), Send(GOOD[refusal.type]))
    site.hop.upstream.once(Read(), Send(refusal.reply))
    answer = site.ask(refusal.type, f"{name}-alone")
    if refusal.then is LATER:
        assert (answer.status, site.hop.seen) == (200, 2)
    else:
        assert (answer.status, site.hop.seen) == (int(refusal.status[:3]), 1)
    assert site.rested(f"{name}-alone") == refusal.rests


@pytest.mark.parametrize("name", [name for name in REFUSALS if REFUSALS[name].rests])
def test_another_key_is_asked_at_once_and_the_refused_one_rests(site: Site, name: str) -> None:
    refusal = REFUSALS[name]
    site.hop.upstream.always(Read(), Send(GOOD[refusal.type]))
    site.hop.upstream.once(Read(), Send(refusal.reply))
    assert [site.ask(refusal.type, f"{name}-keys").status for _ in range(4)] == [200] * 4
    keys = [
        b"first-" if b"first-" in seen.head else b"second-" for seen in site.hop.upstream.requests
    ]
    refused, *others = keys
    assert len(others) == 4
    assert refused not in others
    assert site.rested(f"{name}-keys") == 1


@pytest.mark.parametrize(
    "name", [name for name, row in REFUSALS.items() if row.then is LATER and not row.rests]
)
def test_another_key_of_an_upstream_that_is_too_busy_is_not_asked_at_once(
    site: Site, name: str
) -> None:
    refusal = REFUSALS[name]
    site.hop.upstream.always(Read(), Send(GOOD[refusal.type]))
    site.hop.upstream.once(Read(), Send(refusal.reply))
    began = time.monotonic()
    assert site.ask(refusal.type, f"{name}-keys").status == 200
    # At least half of the pause is kept.
    assert time.monotonic() - began >= 0.1
    assert site.hop.seen == 2
    assert site.rested(f"{name}-keys") == 0
