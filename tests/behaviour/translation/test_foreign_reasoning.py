"""Reasoning that an API's maker has not signed, in requests that reach it in its own dialect."""

from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from tests.behaviour.failure.several import metric
from tests.support.gateway import start
from tests.support.hop import KEY, Hop, post
from tests.support.upstream import Read, Send, Upstream, reply

CONFIG = """
keys: [{{name: app, key: {key}}}]
providers:
  a: {{type: anthropic, base_url: "{url}", api_key: k}}
  o: {{type: openai, base_url: "{url}/v1", api_key: k}}
  r:
    type: openai
    base_url: "{url}/v1"
    api_key: k
    operations: {{responses: /responses}}
  g: {{type: gemini, base_url: "{url}/v1beta", api_key: k}}
  v: {{type: vllm, base_url: "{url}/v1"}}
  d: {{type: deepseek, base_url: "{url}", api_key: k}}
routes:
  claude:
    models: [claude]
    strategy: ordered
    targets: [{{provider: a, model: m}}, {{provider: r, model: m}}]
  gpt:
    models: [gpt]
    strategy: ordered
    targets: [{{provider: o, model: m}}, {{provider: a, model: m}}]
  flash:
    models: [flash]
    strategy: ordered
    targets: [{{provider: g, model: m}}, {{provider: a, model: m}}]
  strict:
    models: [strict]
    targets: [{{provider: a, model: m}}]
    translation: {{strict: true}}
"""
OVERLOADED = "529 Overloaded"
RESPONSE = {
    "id": "resp_1",
    "object": "response",
    "status": "completed",
    "model": "m",
    "output": [
        {
            "type": "reasoning",
            "id": "rs_1",
            "summary": [{"type": "summary_text", "text": "hm"}],
            "encrypted_content": "gAAAAABo/+=",
        },
        {
            "type": "message",
            "id": "msg_1",
            "role": "assistant",
            "status": "completed",
            "content": [{"type": "output_text", "text": "Hi.", "annotations": []}],
        },
    ],
    "usage": {"input_tokens": 1, "output_tokens": 1, "total_tokens": 2},
}
MESSAGE = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "m",
    "content": [
        {"type": "thinking", "thinking": "hm", "signature": "EqQB"},
        {"type": "text", "text": "Hi."},
    ],
    "stop_reason": "end_turn",
    "stop_sequence": None,
    "usage": {"input_tokens": 1, "output_tokens": 1},
}


@pytest.fixture(scope="module")
def hop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hop]:
    folder = tmp_path_factory.mktemp("foreign")
    with Upstream() as upstream:
        path = folder / "llm-edge.yaml"
        path.write_text(CONFIG.format(key=KEY, url=upstream.url))
        running = start(["serve", "--config", str(path), "--workers", "1"], folder)
        try:
            yield Hop(running, upstream)
        finally:
            running.stop()


def ask(hop: Hop, path: str, **fields: object) -> tuple[dict[str, Any], dict[str, Any], list[str]]:
    """The reply, what the upstream was sent, and what was left out."""
    answer = hop.ask(post(path, msgspec.json.encode(fields)))
    assert answer.status == 200, answer.body
    sent = msgspec.json.decode(hop.upstream.requests[-1].body)
    return msgspec.json.decode(answer.body), sent, answer.values("x-llm-edge-dropped")


def fall_back(hop: Hop, told: object, status: str = OVERLOADED) -> None:
    """The first target is not there for this turn; for the next it is."""
    hop.upstream.once(Read(), Send(reply(b"{}", status)))
    hop.upstream.once(Read(), Send(reply(msgspec.json.encode(told))))


def test_claude_goes_on_where_gpt_stood_in(hop: Hop) -> None:
    question = {"role": "user", "content": "Hello"}
    asked = {"model": "claude", "max_tokens": 4096}
    fall_back(hop, RESPONSE)
    told, _, _ = ask(
        hop, "/v1/messages", **asked, messages=[question], thinking={"type": "adaptive"}
    )
    thought = told["content"][0]
    assert thought["signature"].startswith("openai:")
    hop.upstream.always(Read(), Send(reply(msgspec.json.encode(MESSAGE))))
    before = metric(hop.running, "llm_edge_reasoning_left_out_total")
    turns = [question, {"role": "assistant", "content": told["content"]}, question]
    own = {"role": "assistant", "content": MESSAGE["content"]}
    _, sent, dropped = ask(hop, "/v1/messages", **asked, messages=[*turns, own, question])
    said = {"role": "assistant", "content": told["content"][1:]}
    assert sent == {**asked, "model": "m", "messages": [question, said, question, own, question]}
    assert dropped == ["messages[].content[].thinking"]
    assert metric(hop.running, "llm_edge_reasoning_left_out_total") == before + 1


def test_gpt_goes_on_where_claude_stood_in(hop: Hop) -> None:
    question = {"role": "user", "content": "Hello"}
    fall_back(hop, MESSAGE, "503 Service Unavailable")
    told, _, _ = ask(
        hop, "/v1/responses", model="gpt", input=[question], reasoning={"effort": "high"}
    )
    assert [item["type"] for item in told["output"]] == ["reasoning", "message"]
    hop.upstream.always(Read(), Send(reply(msgspec.json.encode(RESPONSE))))
    _, sent, dropped = ask(
        hop, "/v1/responses", model="gpt", input=[question, *told["output"], question]
    )
    assert sent == {"model": "m", "input": [question, told["output"][1], question]}
    assert dropped == ["input[].reasoning"]
    own = [question, *RESPONSE["output"], question]  # type: ignore[misc]
    _, sent, dropped = ask(hop, "/v1/responses", model="gpt", input=own)
    assert (sent["input"], dropped) == (own, [])


def test_gemini_goes_on_where_claude_stood_in(hop: Hop) -> None:
    question = {"role": "user", "parts": [{"text": "Hello"}]}
    path = "/v1beta/models/flash:generateContent"
    thinking = {"thinkingConfig": {"includeThoughts": True, "thinkingBudget": 2048}}
    fall_back(hop, MESSAGE, "503 Service Unavailable")
    told, _, _ = ask(hop, path, contents=[question], generationConfig=thinking)
    content = told["candidates"][0]["content"]
    assert "thoughtSignature" in str(content)
    candidate = {"content": {"role": "model", "parts": [{"text": "Hi."}]}, "finishReason": "STOP"}
    hop.upstream.always(Read(), Send(reply(msgspec.json.encode({"candidates": [candidate]}))))
    _, sent, dropped = ask(hop, path, contents=[question, content, question])
    assert "thoughtSignature" not in str(sent)
    assert {"text": "Hi."} in sent["contents"][1]["parts"]
    assert dropped == ["contents[].parts[].thoughtSignature"]


def test_chat_models_go_on_where_claude_stood_in(hop: Hop) -> None:
    question = {"role": "user", "content": "Hello"}
    fall_back(hop, MESSAGE, "503 Service Unavailable")
    told, _, _ = ask(
        hop, "/v1/chat/completions", model="gpt", messages=[question], reasoning_effort="high"
    )
    message = told["choices"][0]["message"]
    assert {"reasoning_content", "thinking_blocks"} <= set(message)
    hop.upstream.always(Read(), Send(reply(b'{"choices":[]}')))
    _, sent, dropped = ask(
        hop, "/v1/chat/completions", model="gpt", messages=[question, message, question]
    )
    assert not {"reasoning_content", "thinking_blocks"} & set(sent["messages"][1])
    assert sent["messages"][1]["content"] == "Hi."
    assert dropped == ["messages[].thinking_blocks,messages[].reasoning_content"]


def test_where_a_route_is_strict_it_is_refused(hop: Hop) -> None:
    thought = {"type": "thinking", "thinking": "hm", "signature": "openai:rs_1:gAAA"}
    messages = [{"role": "assistant", "content": [thought, {"type": "text", "text": "Hi."}]}]
    asked = {"model": "strict", "max_tokens": 9, "messages": messages}
    answer = hop.ask(post("/v1/messages", msgspec.json.encode(asked)))
    assert answer.status == 400
    assert b"does not take from another `messages[].content[].thinking`" in answer.body


@pytest.mark.parametrize("model", ["v/m", "d/m"])
def test_claude_codes_billing_line_stays_away_from_other_makers(hop: Hop, model: str) -> None:
    line = {"type": "text", "text": "x-anthropic-billing-header: cc_version=2.1; cch=0f3a1;"}
    rule = {"type": "text", "text": "Be brief."}
    hop.upstream.always(Read(), Send(reply(msgspec.json.encode(MESSAGE))))
    asked = {"max_tokens": 9, "messages": [{"role": "user", "content": "Hello"}]}
    _, sent, dropped = ask(hop, "/v1/messages", model=model, system=[line, rule], **asked)
    assert (sent["system"], dropped) == ([rule], [])
    _, sent, _ = ask(hop, "/v1/messages", model="claude", system=[line, rule], **asked)
    assert sent["system"] == [line, rule]
