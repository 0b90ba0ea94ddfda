"""Where the operator asks for it, tokens and costs are counted for each key."""

from collections.abc import Callable

import msgspec
import pytest

from tests.behaviour.failure.several import metric, question
from tests.conftest import Serve
from tests.support.hop import UPSTREAM_KEY, Hop, post
from tests.support.upstream import Read, Send, Upstream, reply

KEYS = {"shop": "sk-edge-shop-0123456789", 'a"b': "sk-edge-other-0123456789"}
CONFIG = """
version: 1
providers:
  up: {{type: openai_compatible, base_url: "{url}/v1", api_key: {secret}}}
routes:
  chat: {{models: [chat], targets: [{{provider: up, model: m}}]}}
catalog:
  models:
    up/m: {{price: {{input: 2, output: 8, cached_input: 0.5}}}}
keys:
- {{name: shop, key: {shop}}}
- {{name: 'a"b', key: {other}}}
"""
USAGE = {
    "prompt_tokens": 1000,
    "completion_tokens": 10,
    "prompt_tokens_details": {"cached_tokens": 600},
}
COST = (400 * 2 + 600 * 0.5 + 10 * 8) / 1e6
SAVED = 600 * 1.5 / 1e6

Started = Callable[[str], Hop]


@pytest.fixture
def started(serve: Serve, upstream: Upstream) -> Started:
    document = {"id": "x", "object": "chat.completion", "choices": [], "usage": USAGE}
    upstream.always(Read(), Send(reply(msgspec.json.encode(document))))
    shop, other = KEYS.values()
    text = CONFIG.format(url=upstream.url, secret=UPSTREAM_KEY, shop=shop, other=other)
    # The last of an option counts: a worker's counters are not another's.
    return lambda more: Hop(serve(text + more, "--workers", "2"), upstream)


def ask(hop: Hop, name: str, model: str = "chat") -> int:
    return hop.ask(post(data=question(model=model), key=KEYS[name])).status


def test_each_key_has_its_tokens_its_cost_and_what_caches_saved(started: Started) -> None:
    hop = started("metrics: {by_key: true}\n")
    assert [ask(hop, name) for name in ("shop", "shop", 'a"b', "shop")] == [200] * 4
    assert ask(hop, "shop", "nobody/m") == 404
    for key, count in (("shop", 3), (r"a\"b", 1)):

        def of(name: str, key: str = key, **labels: str) -> float:
            return metric(
                hop.running, f"llm_edge_key_{name}_total", route="chat", key=key, **labels
            )

        assert of("requests", status="2xx") == of("requests") == count
        assert of("tokens", type="input") == 1000 * count
        assert of("tokens", type="cached_input") == 600 * count
        assert of("tokens", type="output") == 10 * count
        assert of("cost_usd") == pytest.approx(COST * count)
        assert of("prompt_cache_savings_usd") == pytest.approx(SAVED * count)


def test_no_key_is_a_label_where_nobody_asks_for_it(started: Started) -> None:
    hop = started("")
    assert ask(hop, "shop") == 200
    assert metric(hop.running, "llm_edge_tokens_total", type="input") == 1000
    assert metric(hop.running, "llm_edge_key_tokens_total") == 0
    assert not any("shop" in sample for sample in hop.running.scrape())
