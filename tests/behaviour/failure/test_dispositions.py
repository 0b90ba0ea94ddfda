"""A refusal in each provider's own words leads to what docs/operate/resilience.md promises."""

import time
from collections.abc import Iterator
from dataclasses import dataclass

import msgspec
import pytest

from llm_edge_agent.providers import SPECS
from tests.behaviour.failure.refusals import LATER, REFUSALS, RELAYED
from tests.behaviour.failure.several import good, metric
from tests.behaviour.providers.test_every_type import CONTENTS, HELLO, MORE
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
    type_of_provider: good("up") for type_of_provider in {row.type for row in REFUSALS.values()}
}
GOOD |= {
    "anthropic": anthropic(READS),
    "gemini": reply(msgspec.json.encode(WHOLE["google"])),
    "vertex": reply(msgspec.json.encode(WHOLE["google"])),
    "vertex_anthropic": anthropic(READS),
    "bedrock": reply(msgspec.json.encode(CONVERSE)),
    "cohere": reply(msgspec.json.encode(WHOLE["cohere"])),
    "ollama": reply(msgspec.json.encode(WHOLE["ollama"])),
    "perplexity": reply(msgspec.json.encode(WHOLE["perplexity"])),
}
"""Type of provider → what it says when it does not refuse."""


def config(url: str, spare: str) -> str:
    """For each refusal: a provider with one key, alone and with a spare, and one with two keys.

    A key that rests would be missing elsewhere, so nobody shares one.
    """
    providers: dict[str, object] = {
        f"spare-{kind}": {
            "type": kind,
            "base_url": spare,
            "api_key": "spare",
            **MORE.get(kind, {}),
        }
        for kind in GOOD
    }
    routes: dict[str, object] = {}
    for name, refusal in REFUSALS.items():
        for kind, keys in (("alone", 1), ("spared", 1), ("keys", 2)):
            at = f"{name}-{kind}"
            keyed = [f"{key}-{at}" for key in ("first", "second")[:keys]]
            providers[at] = {
                "type": refusal.type,
                "base_url": url,
                "api_keys": keyed,
                **MORE.get(refusal.type, {}),
            }
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
        if type_of_provider in {"gemini", "vertex"}:
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


def test_every_type_of_provider_has_its_own_words() -> None:
    # One has no refusals, the other nobody's words.
    assert {row.type for row in REFUSALS.values()} == SPECS.keys() - {"mock", "openai_compatible"}


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


def test_googles_error_says_when_to_come_back_and_how_long_a_key_rests(site: Site) -> None:
    site.hop.upstream.always(Read(), Send(GOOD["gemini"]))
    site.hop.upstream.once(Read(), Send(REFUSALS["gemini-soon"].reply))
    began = time.monotonic()
    assert site.ask("gemini", "gemini-soon-alone").status == 200
    assert time.monotonic() - began >= 0.9
    site.hop.upstream.once(Read(), Send(REFUSALS["gemini-wait"].reply))
    answer = site.ask("gemini", "gemini-wait-alone")
    # In whole seconds, and not too soon.
    assert (answer.status, answer.headers["retry-after"]) == (429, "40")
    # The log is written ten times a second.
    site.hop.upstream.pause(0.3)
    resting = '"state":"resting","provider":"gemini-wait-alone","credential":0,"status":429,'
    assert f'{resting}"rest_ms":39500' in site.hop.running.log()


def test_who_does_not_speak_googles_dialect_hears_of_it_too(site: Site) -> None:
    site.hop.upstream.once(Read(), Send(REFUSALS["vertex-wait"].reply))
    data = msgspec.json.encode({"model": "vertex-wait-alone", "messages": HELLO})
    answer = site.hop.ask(post(data=data))
    assert (answer.status, answer.headers["retry-after"]) == (429, "39")
    assert b"retryDelay" not in answer.body
