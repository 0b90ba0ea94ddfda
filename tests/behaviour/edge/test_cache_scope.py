"""What was answered to one key of the gateway is in no reply to another."""

import msgspec

from tests.conftest import Serve
from tests.support.hop import UPSTREAM_KEY, Hop, post
from tests.support.upstream import Read, Send, Upstream, reply

KEYS = ("sk-edge-shop-0123456789", "sk-edge-other-0123456789")
CONFIG = """
version: 1
providers:
  up: {{type: openai_compatible, base_url: "{url}/v1", api_key: {secret}}}
routes:
  chat: {{models: [chat], targets: [{{provider: up, model: m}}], cache: {{ttl_s: 60}}}}
keys:
- {{name: shop, key: {keys[0]}}}
- {{name: other, key: {keys[1]}}}
"""
ASK = b'{"model":"chat","temperature":0,"messages":[{"role":"user","content":"my balance?"}]}'


def test_a_stored_reply_is_for_the_same_key_only(serve: Serve, upstream: Upstream) -> None:
    config = CONFIG.format(url=upstream.url, secret=UPSTREAM_KEY, keys=KEYS)
    hop = Hop(serve(config), upstream)
    for name in ("for shop", "for other", "for nobody"):
        document: dict[str, object] = {"id": name, "object": "chat.completion", "choices": []}
        upstream.once(Read(), Send(reply(msgspec.json.encode(document))))

    def ask(key: str, *fields: str) -> tuple[str, str]:
        answer = hop.ask(post("/v1/chat/completions", ASK, *fields, key=key))
        assert answer.status == 200
        return answer.headers["x-llm-edge-cache"], msgspec.json.decode(answer.body)["id"]

    shop, other = KEYS
    assert [ask(shop), ask(shop)] == [("miss", "for shop"), ("hit", "for shop")]
    assert [ask(other), ask(other)] == [("miss", "for other"), ("hit", "for other")]
    # Neither a name nor an end user that the client gives makes it somebody else.
    assert ask(shop, "X-Forwarded-User: other") == ("hit", "for shop")
    assert hop.seen == 2
