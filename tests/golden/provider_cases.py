"""What each type of provider is sent for the same requests: a folder for each, a file per surface.

A file has the request as it arrived upstream, whole and as a stream: where, with which fields (the
key and the address made anonymous), its JSON laid out to be read; and what of the client's request
was told as not carried over.
"""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec

from llm_edge_agent.providers import SPECS
from tests.support.gateway import start
from tests.support.hop import KEY, UPSTREAM_KEY, Hop, post
from tests.support.upstream import Read, Received, Send, Upstream, reply

__all__ = ["FOLDER", "TYPES", "asked", "gateway"]

FOLDER = Path(__file__).parent / "providers"
TYPES = sorted(set(SPECS) - {"mock"})
GOOGLE = {"google": {"project": "project", "location": "place"}}
"""What Vertex needs to know, so that no account is asked."""
OWN_URL = dict.fromkeys(("openai_compatible", "vllm"), "https://server/v1")
"""What operators write where a type has no address of its own."""
PIXEL = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAQAAAC1HAwCAAAAC0lEQVR42mNk+A8AAQUBAScY42YAAAAASUVORK5CYII="
)
PLACE = {
    "type": "object",
    "properties": {"place": {"type": "string"}},
    "required": ["place"],
    "additionalProperties": False,
}
WEATHER = {"name": "weather", "description": "The weather there.", "parameters": PLACE}
CHAT: dict[str, Any] = {
    "messages": [
        {"role": "system", "content": "Be brief."},
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "Grüße, 世界! Where is this?"},
                {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PIXEL}"}},
            ],
        },
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [
                {
                    "id": "call_0123456789abcdef",
                    "type": "function",
                    "function": {"name": "weather", "arguments": '{"place":"世界"}'},
                }
            ],
        },
        {"role": "tool", "tool_call_id": "call_0123456789abcdef", "content": "sunny"},
        {"role": "user", "content": "And tomorrow?"},
    ],
    "tools": [{"type": "function", "function": WEATHER | {"strict": True}}],
    "tool_choice": "auto",
    "max_completion_tokens": 256,
    "temperature": 0.2,
    "top_p": 0.9,
    "seed": 7,
    "stop": ["END"],
    "user": "u-1",
}
MESSAGES: dict[str, Any] = {
    "system": [{"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}}],
    "messages": [
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "Grüße, 世界! Where is this?"},
                {
                    "type": "image",
                    "source": {"type": "base64", "media_type": "image/png", "data": PIXEL},
                },
            ],
        },
        {
            "role": "assistant",
            "content": [
                {
                    "type": "tool_use",
                    "id": "toolu_01",
                    "name": "weather",
                    "input": {"place": "世界"},
                }
            ],
        },
        {
            "role": "user",
            "content": [
                {"type": "tool_result", "tool_use_id": "toolu_01", "content": "sunny"},
                {"type": "text", "text": "And tomorrow?"},
            ],
        },
    ],
    "tools": [
        {"name": "weather", "description": "The weather there.", "input_schema": PLACE},
    ],
    "tool_choice": {"type": "auto"},
    "max_tokens": 256,
    "temperature": 0.2,
    "top_k": 40,
    "stop_sequences": ["END"],
    "metadata": {"user_id": "u-1"},
}
RESPONSES: dict[str, Any] = {
    "instructions": "Be brief.",
    "input": [
        {
            "role": "user",
            "content": [
                {"type": "input_text", "text": "Grüße, 世界! Where is this?"},
                {"type": "input_image", "image_url": f"data:image/png;base64,{PIXEL}"},
            ],
        },
        {
            "type": "function_call",
            "call_id": "call_0123456789abcdef",
            "name": "weather",
            "arguments": '{"place":"世界"}',
        },
        {
            "type": "function_call_output",
            "call_id": "call_0123456789abcdef",
            "output": "sunny",
        },
        {"role": "user", "content": "And tomorrow?"},
    ],
    "tools": [{"type": "function", "strict": True, **WEATHER}],
    "tool_choice": "auto",
    "max_output_tokens": 256,
    "temperature": 0.2,
    "store": False,
}
GENERATE: dict[str, Any] = {
    "systemInstruction": {"parts": [{"text": "Be brief."}]},
    "contents": [
        {
            "role": "user",
            "parts": [
                {"text": "Grüße, 世界! Where is this?"},
                {"inlineData": {"mimeType": "image/png", "data": PIXEL}},
            ],
        },
        {
            "role": "model",
            "parts": [{"functionCall": {"name": "weather", "args": {"place": "世界"}}}],
        },
        {
            "role": "user",
            "parts": [
                {"functionResponse": {"name": "weather", "response": {"result": "sunny"}}},
                {"text": "And tomorrow?"},
            ],
        },
    ],
    "tools": [{"functionDeclarations": [WEATHER]}],
    "generationConfig": {"maxOutputTokens": 256, "temperature": 0.2, "stopSequences": ["END"]},
}
SURFACES = {
    "chat_completions": ("/v1/chat/completions", CHAT),
    "messages": ("/v1/messages", MESSAGES),
    "responses": ("/v1/responses", RESPONSES),
    "generate_content": ("/v1beta/models/{model}:{method}", GENERATE),
}


@contextlib.contextmanager
def gateway(folder: Path) -> Iterator[Hop]:
    """A gateway with a provider of each type, all at one upstream that refuses what it is asked."""
    with Upstream() as upstream:
        upstream.always(Read(), Send(reply(b'{"error":{"message":"no"}}', "400 Bad Request")))
        providers = {}
        for name in TYPES:
            official = urlsplit(SPECS[name].base_url or OWN_URL.get(name, ""))
            more = GOOGLE if name.startswith("vertex") else {}
            told = {"type": name, "base_url": upstream.url + official.path, "api_key": UPSTREAM_KEY}
            providers[name] = told | more
        tree = {"version": 1, "keys": [{"name": "app", "key": KEY}], "providers": providers}
        config = folder / "llm-edge.json"
        config.write_bytes(msgspec.json.encode(tree))
        running = start(["serve", "--config", str(config), "--workers", "1"], folder)
        try:
            yield Hop(running, upstream)
        finally:
            running.stop()


def asked(hop: Hop, name: str) -> dict[str, str]:
    """What a provider of that type was sent: the text of each surface's file."""
    return {
        f"{surface}.txt": "\n".join(_asked(hop, name, surface, stream=s) for s in (False, True))
        for surface in SURFACES
    }


def _asked(hop: Hop, name: str, surface: str, *, stream: bool) -> str:
    path, fields = SURFACES[surface]
    model = f"{name}/m"
    if surface == "generate_content":
        method = "streamGenerateContent?alt=sse" if stream else "generateContent"
        path = path.format(model=model, method=method)
    else:
        fields = {"model": model, **fields, "stream": stream}
    before = len(hop.upstream.requests)
    answer = hop.ask(post(path, msgspec.json.encode(fields), "X-Request-Id: golden"))
    seen = hop.upstream.requests[before:]
    lines = [f"## {'a stream' if stream else 'a whole reply'}", ""]
    if not seen:
        lines += [f"refused with {answer.status}: {answer.body.decode()}"]
    for request in seen:
        lines += [_text(request, hop.upstream)]
    if dropped := answer.headers.get("x-llm-edge-dropped"):
        lines += [f"not carried over: {dropped}"]
    return "\n".join(lines) + "\n"


def _text(request: Received, upstream: Upstream) -> str:
    host = upstream.url.removeprefix("http://")
    head = request.head.decode().replace(UPSTREAM_KEY, "<key>").replace(host, "<host>")
    body = msgspec.json.format(request.body, indent=1).decode()
    head = head.replace("\r\n", "\n").strip()
    return f"{head}\n\n{body}\n"
