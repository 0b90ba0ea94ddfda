"""What a provider refuses of a chat request is not sent there unasked."""

import re

import msgspec

from tests.conftest import Serve
from tests.support.hop import CHAT, KEY, Hop, post
from tests.support.upstream import Read, Send, Upstream, reply

CONFIG = """
version: 1
keys: [{{name: app, key: {key}}}]
providers:
  mistral: {{type: mistral, base_url: "{url}/v1", api_key: sk-x}}
  groq: {{type: groq, base_url: "{url}/v1", api_key: sk-x}}
routes:
  counted: {{models: [counted], ask_usage: true, targets: [{{provider: mistral, model: m}}]}}
"""
CONTENTS = [{"parts": [{"text": "Hi"}]}]


def start(serve: Serve, upstream: Upstream) -> Hop:
    return Hop(serve(CONFIG.format(key=KEY, url=upstream.url)), upstream)


def generate(hop: Hop, model: str, method: str, **settings: object) -> dict[str, object]:
    """What becomes of a Gemini client's request."""
    tree = {"contents": CONTENTS, "generationConfig": settings}
    hop.ask(post(f"/v1beta/models/{model}:{method}", msgspec.json.encode(tree)))
    return msgspec.json.decode(hop.upstream.requests[-1].body, type=dict[str, object])


def test_mistral_is_not_asked_for_what_it_tells_anyway(serve: Serve, upstream: Upstream) -> None:
    hop = start(serve, upstream)
    sent = generate(hop, "mistral%2Fm", "streamGenerateContent?alt=sse", seed=7)
    assert sent["stream"] is True
    assert "stream_options" not in sent
    assert (sent["random_seed"], "seed" in sent) == (7, False)


def test_ids_of_tools_are_such_as_mistral_takes(serve: Serve, upstream: Upstream) -> None:
    hop = start(serve, upstream)
    call = {"type": "tool_use", "id": "toolu_01A09q90qw90lq917835lq9", "name": "f", "input": {}}
    result = {"type": "tool_result", "tool_use_id": call["id"], "content": "ok"}
    turns = [("user", "x"), ("assistant", [call]), ("user", [result])]
    messages = [{"role": role, "content": content} for role, content in turns]

    def sent(model: str) -> tuple[str, str]:
        tree = {"model": model, "max_tokens": 9, "messages": messages}
        hop.ask(post("/v1/messages", msgspec.json.encode(tree)))
        told = msgspec.json.decode(upstream.requests[-1].body)["messages"]
        return told[1]["tool_calls"][0]["id"], told[2]["tool_call_id"]

    called, answered = sent("mistral/m")
    assert called == answered
    assert re.fullmatch("[A-Za-z0-9]{9}", called)
    # Others take them as they are.
    assert sent("groq/m") == (call["id"], call["id"])


def test_nor_where_a_route_asks_for_its_clients(serve: Serve, upstream: Upstream) -> None:
    hop = start(serve, upstream)
    hop.ask(post(CHAT, b'{"model":"counted","stream":true,"messages":[]}'))
    assert upstream.requests[0].body == b'{"model":"m","stream":true,"messages":[]}'


def test_what_groq_refuses_is_left_out_and_named(serve: Serve, upstream: Upstream) -> None:
    hop = start(serve, upstream)
    message = {"role": "assistant", "content": "Hi"}
    choice = {"index": 0, "finish_reason": "stop", "message": message}
    chat = {"id": "c", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice]}
    upstream.always(Read(), Send(reply(msgspec.json.encode(chat))))
    settings = {"candidateCount": 2, "responseLogprobs": True}
    tree = {"contents": CONTENTS, "generationConfig": settings}
    answer = hop.ask(post("/v1beta/models/groq%2Fm:generateContent", msgspec.json.encode(tree)))
    assert answer.status == 200, answer.body
    assert not {"n", "logprobs"} & set(msgspec.json.decode(upstream.requests[0].body))
    lost = answer.headers["x-llm-edge-dropped"].split(",")
    assert sorted(lost) == [f"generationConfig.{name}" for name in sorted(settings)]
    # What the client writes in Groq's own words is its own affair.
    own = b'{"model":"groq/m","n":2,"messages":[]}'
    hop.ask(post(CHAT, own))
    assert upstream.requests[-1].body == own.replace(b"groq/m", b"m")
