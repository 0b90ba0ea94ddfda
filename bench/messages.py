"""Requests as an SDK writes them, of an exact body size."""

from bench.programs import KEY

PATH = "/v1/chat/completions"
_PROSE = 'He said "The quick brown fox" jumps over the lazy dog.\n Then — five boxing wizards. '
_ESCAPED = _PROSE.replace('"', '\\"').replace("\n", "\\n")


def body(model: str, size: int, *, text: str | None = None, stream: bool | None = None) -> bytes:
    """A chat request of `size` bytes: prose with quotes, line ends and letters beyond ASCII.

    Args:
        model: With its prefix; `sse-…` asks for a stream.
        size: Bytes of the body.
        text: What the prose starts with; makes the request another one for the cache.
        stream: Whether it asks for a stream, where the model's name does not tell.
    """
    asked = "/sse-" in model if stream is None else stream
    before = (
        f'{{"model":"{model}","stream":{str(asked).lower()},"messages":[{{"role":"user","content":"'
    )
    before += f"{text} " if text else ""
    after = '"}],"temperature":0}'
    room = size - len(before.encode()) - len(after)
    prose = _ESCAPED * (room // len(_ESCAPED.encode()))
    prose += "." * (room - len(prose.encode()))
    return (before + prose + after).encode()


def headers() -> dict[str, str]:
    """Header fields of a request, without its length."""
    return {
        "Authorization": f"Bearer {KEY}",
        "Content-Type": "application/json",
        "Accept": "application/json",
        "User-Agent": "OpenAI/Python 3.54.0",
        "X-Stainless-Lang": "python",
        "X-Stainless-Package-Version": "3.54.0",
    }


def request(data: bytes) -> bytes:
    """Head and body, ready for the wire."""
    fields = {"Host": "127.0.0.1", **headers(), "Content-Length": str(len(data))}
    lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    return f"POST {PATH} HTTP/1.1\r\n{lines}\r\n".encode() + data
