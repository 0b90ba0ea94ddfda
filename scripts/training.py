"""Sets an installed gateway to work at what it does for its users, so that its profile knows it.

usage: python scripts/training.py    (of the environment that holds the wheel)

A gateway with TLS stands behind a plain one, and the mock provider behind both: each surface to
each dialect, whole and streamed, small and large, over HTTP/1.1 and HTTP/2, from the cache, and
what goes wrong. How often each is asked is its weight: what never ran would be laid out as if it
never would.

Runs where a wheel is built, so it needs nothing but Python and `openssl`.
"""

import contextlib
import http.client
import json
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

KEY = "sk-edge-training-of-a-wheel"
THREADS = 4
PROSE = 'The quick brown fox jumps over the lazy dog, "quoted",\nand on: größer, 世界. '
TOOL = {"type": "object", "properties": {"place": {"type": "string"}}, "required": ["place"]}
PATHS = {
    "chat": "/v1/chat/completions",
    "responses": "/v1/responses",
    "messages": "/v1/messages",
    "gemini": "/v1beta/models/{model}:{method}",
}
GEMINI = "/v1beta/models/{model}:"
CONVERSE = "/model/{model}/"
PROVIDERS: dict[str, tuple[str, dict[str, str]]] = {
    "chat": (
        "openai_compatible",
        {"chat_completions": PATHS["chat"], "embeddings": "/v1/embeddings"},
    ),
    "responses": ("openai", {"responses": PATHS["responses"]}),
    "messages": ("anthropic", {"messages": PATHS["messages"]}),
    "gemini": (
        "gemini",
        {
            "generate_content": GEMINI + "generateContent",
            "stream_generate_content": GEMINI + "streamGenerateContent",
        },
    ),
    "bedrock": (
        "bedrock",
        {"converse": CONVERSE + "converse", "converse_stream": CONVERSE + "converse-stream"},
    ),
    "cohere": ("cohere", {"cohere_chat": "/v2/chat"}),
    "ollama": ("ollama", {"ollama_chat": "/api/chat"}),
    "rank": ("openai_compatible", {"rerank": "/v1/rerank"}),
    "bad": ("openai_compatible", {"chat_completions": PATHS["chat"]}),
}
"""Their type, and where the mock has what they are asked for: one dialect each."""
DIALECTS = (*PATHS, "bedrock", "cohere", "ollama")


@dataclass(frozen=True)
class Ask:
    """A request, how often it is made, and the status it must have."""

    times: int
    path: str
    body: bytes
    status: int = 200
    fields: dict[str, str] = field(default_factory=dict)


def ask(
    times: int,
    surface: str,
    model: str,
    *,
    size: int = 200,
    stream: bool = False,
    status: int = 200,
) -> Ask:
    """A request for generated text, with a prompt of about `size` characters."""
    text = (PROSE * (size // len(PROSE) + 1))[:size]
    turns = [{"role": "user", "content": text}]
    tree: dict[str, Any] = {"model": model, "stream": stream}
    path = PATHS[surface]
    if surface == "chat":
        tree |= {"messages": [{"role": "system", "content": "Be brief."}, *turns], "temperature": 0}
        tree["tools"] = [{"type": "function", "function": {"name": "weather", "parameters": TOOL}}]
    elif surface == "messages":
        tree |= {"system": "Be brief.", "messages": turns, "max_tokens": 999}
        tree["tools"] = [{"name": "weather", "input_schema": TOOL}]
    elif surface == "responses":
        tree |= {"instructions": "Be brief.", "input": turns, "store": False}
        tree["tools"] = [{"type": "function", "name": "weather", "parameters": TOOL}]
    else:
        method = "streamGenerateContent?alt=sse" if stream else "generateContent"
        path = path.format(model=model.replace("?", "%3F"), method=method)
        parts = {"parts": [{"text": text}]}
        declared = {"functionDeclarations": [{"name": "weather", "parameters": TOOL}]}
        tree = {
            "systemInstruction": parts,
            "contents": [{"role": "user"} | parts],
            "tools": [declared],
        }
    return Ask(times, path, json.dumps(tree, ensure_ascii=False).encode(), status)


def weighted() -> Iterator[Ask]:
    """What users ask for, most of it most often."""
    for surface in PATHS:
        own = 10 if surface == "chat" else 1
        for size, times in ((800, 1500), (16_000, 300), (64_000, 100)):
            yield ask(own * times, surface, f"{surface}/fixed?bytes=1024", size=size)
        yield ask(own * 300, surface, f"{surface}/lorem?tokens=64", stream=True)
        for dialect in DIALECTS:
            for model in ("echo", "tools", "thinking"):
                for stream in (False, True):
                    yield ask(100, surface, f"{dialect}/{model}", stream=stream)
            yield ask(30, surface, f"{dialect}/echo", size=16_000)
            yield ask(50, surface, f"{dialect}/lorem?tokens=64", stream=True)
        yield ask(20, surface, "bad/error?status=400", status=400)
        yield ask(20, surface, f"{surface}/cut?after=3", stream=True)
        yield ask(20, surface, "careful/echo")
        yield ask(20, surface, "careful/lorem?tokens=64", stream=True)
        yield ask(20, surface, "broken/echo")
    yield ask(2000, "chat", "cached/fixed?bytes=1024", size=800)
    for through in ("secure", "prior"):
        yield ask(1000, "chat", f"{through}/chat/fixed?bytes=1024", size=800)
        yield ask(100, "chat", f"{through}/chat/lorem?tokens=64", stream=True)
    yield ask(100, "chat", "nobody/echo", status=404)
    whole = json.dumps({"model": "chat/embed", "input": PROSE}).encode()
    yield Ask(200, "/v1/embeddings", whole)
    ranked = {"model": "rank/rerank", "query": "fox", "documents": [PROSE, "none"]}
    yield Ask(50, "/v1/rerank", json.dumps(ranked).encode())
    yield Ask(300, PATHS["chat"], whole, 401, {"Authorization": "Bearer sk-none"})
    yield Ask(50, PATHS["chat"], b'{"model":', 400)


def config(folder: Path, mock: int, here: int, secure: int) -> dict[str, Any]:
    """The plain gateway's: the mock in every dialect, the one with TLS, itself by HTTP/2."""
    at = f"http://127.0.0.1:{mock}"
    providers: dict[str, Any] = {
        name: {"type": kind, "base_url": at, "api_key": "none", "operations": operations}
        for name, (kind, operations) in PROVIDERS.items()
    }
    own = {"type": "openai_compatible", "api_key": KEY}
    ours = {"secure": f"https://127.0.0.1:{secure}/v1", "prior": f"http://127.0.0.1:{here}/v1"}
    more = {
        "secure": {"http2": "auto", "ca_file": str(folder / "cert.pem")},
        "prior": {"http2": "always"},
    }
    for name, url in ours.items():
        providers[name] = own | {"base_url": url} | more[name]
    through = {"provider": "chat", "model": "*"}
    careful = [through, {"provider": "messages", "model": "*"}]
    failing = {"provider": "bad", "model": "error?status=503"}
    routes: dict[str, Any] = {
        "cached": {"models": ["cached/*"], "targets": [through], "cache": {"ttl_s": 3600}},
        "careful": {
            "models": ["careful/*"],
            "targets": careful,
            "commit_point": True,
            "hedge": {"delay_ms": 1000},
        },
        "broken": {"models": ["broken/*"], "targets": [failing], "fallbacks": ["careful"]},
    }
    keys = [{"name": "training", "key": KEY}]
    return {"version": 1, "keys": keys, "providers": providers, "routes": routes}


@contextlib.contextmanager
def running(log: Path, *arguments: str) -> Iterator[dict[str, str]]:
    """The program of this environment, until what is inside is over; what it said at its start."""
    program = str(Path(sys.executable).parent / "llm-edge-agent")
    command = [program, *arguments, "--json"]
    with log.open("wb") as err:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=err, text=True)
    try:
        assert process.stdout is not None  # noqa: S101 -- it was asked for just above
        line = process.stdout.readline()
        if not line:
            sys.exit(f"training: {' '.join(command)} did not start:\n{log.read_text()[-2000:]}")
        yield json.loads(line)
    finally:
        # It writes what it counted when it ends by itself.
        process.send_signal(signal.SIGTERM)
        process.wait(60)


def free_port() -> int:
    """A port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def certificate(folder: Path) -> None:
    """A certificate for localhost, and its key."""
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2"
    names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
    names += ["-addext", "basicConstraints=critical,CA:FALSE"]
    files = ["-keyout", str(folder / "key.pem"), "-out", str(folder / "cert.pem")]
    subprocess.run([*command.split(), *names, *files], check=True, capture_output=True)


def work(connect: Callable[[], http.client.HTTPConnection], asks: list[Ask]) -> Counter[str]:
    """Makes the requests, a few at a time; what went wrong."""

    def run() -> Counter[str]:
        wrong: Counter[str] = Counter()
        connection = connect()
        for one in asks:
            fields = {"Authorization": f"Bearer {KEY}", "Content-Type": "application/json"}
            for _ in range(one.times // THREADS):
                said: object
                try:
                    connection.request("POST", one.path, one.body, fields | one.fields)
                    reply = connection.getresponse()
                    said = reply.status
                    reply.read()
                except http.client.IncompleteRead:
                    connection.close()
                except (http.client.HTTPException, OSError) as error:
                    said = repr(error)
                    connection.close()
                if said != one.status:
                    wrong[f"{said} for {one.path} {one.body[:80]!r}"] += 1
        connection.close()
        return wrong

    with ThreadPoolExecutor(THREADS) as threads:
        done = [threads.submit(run) for _ in range(THREADS)]
        return sum((one.result() for one in done), Counter[str]())


def main() -> int:
    """Runs it; 1 where a reply had not the status it must have."""
    with tempfile.TemporaryDirectory() as name, contextlib.ExitStack() as stack:
        folder = Path(name)
        certificate(folder)
        mock = stack.enter_context(running(folder / "mock.log", "mock", "--port", "0"))
        port = int(mock["api"].split(":")[2].split("/")[0])
        plain, secure = free_port(), free_port()
        tree = config(folder, port, plain, secure)
        tls = {"cert_file": str(folder / "cert.pem"), "key_file": str(folder / "key.pem")}
        for at, more in ((plain, {}), (secure, {"tls": tls})):
            file = folder / f"{at}.json"
            file.write_text(json.dumps(tree | more | {"state_dir": str(folder / f"state-{at}")}))
            ports = ["--port", str(at), "--admin-port", "0", "--metrics-port", "0"]
            serve = ["serve", "--config", str(file), "--workers", "1", *ports]
            stack.enter_context(running(folder / f"{at}.log", *serve))
        context = ssl.create_default_context(cafile=str(folder / "cert.pem"))
        wrong = work(lambda: http.client.HTTPConnection("127.0.0.1", plain), list(weighted()))
        over_tls = [ask(2000, "chat", "chat/fixed?bytes=1024", size=800)]
        over_tls += [ask(200, "chat", "chat/lorem?tokens=64", stream=True)]
        wrong += work(
            lambda: http.client.HTTPSConnection("localhost", secure, context=context), over_tls
        )
    for what, times in wrong.most_common(10):
        sys.stderr.write(f"training: {times} times {what}\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
