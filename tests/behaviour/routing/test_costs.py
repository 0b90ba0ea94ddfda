"""What a reply costs, whatever its provider counts as input, by the catalog that is there now."""

from pathlib import Path
from typing import Any

import msgspec
import pytest

from llm_edge_agent.catalog import Price
from llm_edge_agent.catalog.document import Record, encode
from tests.behaviour.failure.several import metric
from tests.behaviour.process.programs import wait_until
from tests.conftest import Serve
from tests.support.hop import KEY, UPSTREAM_KEY, Hop, post
from tests.support.upstream import Read, Send, Upstream, chunk, reply, stream_head

CONFIG = """
version: 1
providers:
  up: {{type: anthropic, base_url: "{url}", api_key: {secret}}}
routes:
  claude: {{models: [claude], targets: [{{provider: up, model: m}}]}}
catalog:
  models:
    up/m:
      price: {{input: 3, output: 15, cached_input: 0.3, cache_write: 3.75, cache_write_1h: 6}}
keys: [{{name: app, key: {key}}}]
metrics: {{by_key: true}}
"""
WRITES = {
    "input_tokens": 10,
    "output_tokens": 20,
    "cache_read_input_tokens": 0,
    "cache_creation_input_tokens": 3000,
    "cache_creation": {"ephemeral_5m_input_tokens": 2000, "ephemeral_1h_input_tokens": 1000},
}
READS = {
    "input_tokens": 10,
    "output_tokens": 20,
    "cache_read_input_tokens": 5000,
    "cache_creation_input_tokens": 0,
}
WRITTEN = (10 * 3 + 2000 * 3.75 + 1000 * 6 + 20 * 15) / 1e6
READ = (10 * 3 + 5000 * 0.3 + 20 * 15) / 1e6
MESSAGE = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "m",
    "content": [{"type": "text", "text": "Hi"}],
    "stop_reason": "end_turn",
    "stop_sequence": None,
}
QUESTION = {"model": "claude", "max_tokens": 9, "messages": [{"role": "user", "content": "hello"}]}


def whole(usage: dict[str, Any]) -> bytes:
    return reply(msgspec.json.encode({**MESSAGE, "usage": usage}))


def streamed(usage: dict[str, Any]) -> bytes:
    """What was read is told at the beginning, what was generated at the end."""
    begin = {**usage, "output_tokens": 1}
    events: list[dict[str, Any]] = [
        {"type": "message_start", "message": {**MESSAGE, "content": [], "usage": begin}},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {
            "type": "content_block_delta",
            "index": 0,
            "delta": {"type": "text_delta", "text": "Hi"},
        },
        {"type": "content_block_stop", "index": 0},
        {
            "type": "message_delta",
            "delta": {"stop_reason": "end_turn", "stop_sequence": None},
            "usage": {"output_tokens": usage["output_tokens"]},
        },
        {"type": "message_stop"},
    ]
    lines = [
        b"event: %s\ndata: %s\n\n" % (event["type"].encode(), msgspec.json.encode(event))
        for event in events
    ]
    return stream_head() + b"".join([*map(chunk, lines), chunk(b"")])


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("path", ["/v1/messages", "/v1/chat/completions"])
def test_what_prompt_caches_read_and_write_is_part_of_the_prompt_and_of_the_cost(
    serve: Serve, upstream: Upstream, path: str, *, stream: bool
) -> None:
    config = CONFIG.format(url=upstream.url, secret=UPSTREAM_KEY, key=KEY)
    hop = Hop(serve(config, "--workers", "1"), upstream)
    for usage in (WRITES, READS):
        upstream.once(Read(), Send((streamed if stream else whole)(usage)))
        answer = hop.ask(post(path, msgspec.json.encode({**QUESTION, "stream": stream})))
        assert answer.status == 200
        assert answer.complete
    for prefix, labels in (("", {"provider": "up"}), ("key_", {"key": "app"})):

        def of(name: str, prefix: str = prefix, **more: str) -> float:
            return metric(hop.running, f"llm_edge_{prefix}{name}_total", route="claude", **more)

        assert metric(hop.running, f"llm_edge_{prefix}tokens_total", **labels) > 0
        assert of("tokens", type="input") == 3010 + 5010
        assert of("tokens", type="cached_input") == 5000
        assert of("tokens", type="cache_write") == 3000
        assert of("tokens", type="output") == 40
        assert of("cost_usd") == pytest.approx(WRITTEN + READ)
        # By the turn that reads; the turn that writes has cost more than it would have.
        assert of("prompt_cache_savings_usd") == pytest.approx(5000 * 2.7 / 1e6)
        assert of("prompt_cache_surcharge_usd") == pytest.approx((2000 * 0.75 + 1000 * 3) / 1e6)
    assert metric(hop.running, "llm_edge_unpriced_replies_total") == 0


def test_a_catalog_that_is_replaced_counts_at_once_and_a_broken_one_does_not(
    serve: Serve, upstream: Upstream, tmp_path: Path
) -> None:
    path = tmp_path / "catalog.json"

    def put(text: bytes) -> None:
        draft = path.with_suffix(".new")
        draft.write_bytes(text)
        draft.rename(path)

    def priced(usd: int) -> bytes:
        price = Price(input=usd * 1_000_000, output=0)
        return encode(f"2099-01-0{usd}", {}, {"openai": [Record(model="gpt-4o", price=price)]})

    put(priced(1))
    hop = Hop(
        serve(
            f"version: 1\nproviders: {{openai: {{type: openai, base_url: '{upstream.url}/v1', "
            f"api_key: {UPSTREAM_KEY}}}}}\nkeys: [{{name: app, key: {KEY}}}]\n"
            f"catalog: {{file: '{path}'}}\n",
            "--workers",
            "1",
        ),
        upstream,
    )
    usage = {"prompt_tokens": 1000, "completion_tokens": 1}
    document = {"id": "x", "object": "chat.completion", "choices": [], "usage": usage}
    upstream.always(Read(), Send(reply(msgspec.json.encode(document))))
    body = msgspec.json.encode({**QUESTION, "model": "openai/gpt-4o"})

    def cost() -> float:
        before = metric(hop.running, "llm_edge_cost_usd_total")
        assert hop.ask(post("/v1/chat/completions", body)).status == 200
        return metric(hop.running, "llm_edge_cost_usd_total") - before

    assert cost() == pytest.approx(0.001)
    put(priced(2))
    wait_until(lambda: cost() == pytest.approx(0.002))
    put(priced(3)[:-9])
    wait_until(lambda: metric(hop.running, "llm_edge_config_reload_success") == 0)
    assert cost() == pytest.approx(0.002)
    assert "catalog.json" in str(hop.running.notices("reload_refused"))
