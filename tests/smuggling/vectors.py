"""The vectors: bytes that one server takes for one request and another for two, or for another one.

Each is a template over a request that would be served; `all_vectors` names them. What could be
smuggled is itself a good request with the same key, so that an origin that finds it serves it.
Sources: RFC 9112 §2.2, §5, §6, §7, §11; the request smuggling literature (CL.TE, TE.CL, TE.TE,
CL.0, TE.0, chunk extensions, trailers, h2c); the 36 base vectors come first.
"""

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

KEY = "sk-smuggling-key-000000000"
PATH = "/v1/chat/completions"
BASE_COUNT = 36


@dataclass(frozen=True)
class Shape:
    """What a vector is written with: a request's identity and where it is meant to go."""

    ident: str
    model: str

    @property
    def body(self) -> bytes:
        """The body of the good request."""
        return b'{"model":"%s","messages":[],"user":"%s"}' % (
            self.model.encode(),
            self.ident.encode(),
        )

    @property
    def other(self) -> "Shape":
        """Another request, the one that would be smuggled."""
        return Shape(f"{self.ident}.x", self.model)

    def head(
        self, *lines: bytes, first: bytes = b"POST " + PATH.encode() + b" HTTP/1.1"
    ) -> list[bytes]:
        """Lines of a head that would be served, with `lines` added."""
        return [
            first,
            b"Host: edge",
            b"Authorization: Bearer " + KEY.encode(),
            b"Content-Type: application/json",
            b"X-Request-Id: " + self.ident.encode(),
            *lines,
        ]

    @property
    def whole(self) -> bytes:
        """The good request."""
        return joined(self.head(length(self.body))) + self.body


def joined(lines: Sequence[bytes], end: bytes = b"\r\n") -> bytes:
    """A head of these lines."""
    return end.join([*lines, b"", b""])


def length(body: bytes) -> bytes:
    """The field line that tells the length of `body`."""
    return b"Content-Length: %d" % len(body)


def chunked(body: bytes) -> bytes:
    """The body in two chunks."""
    half = len(body) // 2
    return chunk(body[:half]) + chunk(body[half:]) + b"0\r\n\r\n"


def chunk(data: bytes) -> bytes:
    """One chunk."""
    return b"%x\r\n%s\r\n" % (len(data), data)


TE = b"Transfer-Encoding: chunked"
Template = Callable[[Shape], bytes]


def fields(*lines: bytes) -> Template:
    """With a length and these lines."""
    return lambda s: joined(s.head(length(s.body), *lines)) + s.body + s.other.whole


def coded(*lines: bytes) -> Template:
    """With a chunked body under these lines."""
    return lambda s: joined(s.head(*lines)) + chunked(s.body) + s.other.whole


def base() -> Iterator[tuple[str, Template]]:
    """The 36 that every edge has to get right."""
    yield (
        "length then coding",
        lambda s: joined(s.head(length(s.body), TE)) + chunked(s.body) + s.other.whole,
    )
    yield (
        "coding then length",
        lambda s: joined(s.head(TE, length(s.body))) + chunked(s.body) + s.other.whole,
    )
    yield "equal lengths", lambda s: fields(length(s.body))(s)
    yield "different lengths", lambda s: fields(b"Content-Length: %d" % (len(s.body) + 1))(s)
    for name, make in {
        "list of lengths": lambda n: b"%d, %d" % (n, n),
        "length with plus": lambda n: b"+%d" % n,
        "negative length": lambda n: b"-%d" % n,
        "hexadecimal length": lambda n: b"0x%x" % n,
        "length of 2^64 and more": lambda n: b"%d" % (2**64 + n),
    }.items():
        yield name, with_length(make)
    for name, value in {
        "unknown coding": b"xchunked",
        "chunked not last": b"chunked, identity",
        "identity first": b"identity, chunked",
    }.items():
        yield name, coded(b"Transfer-Encoding: " + value)
    yield "coding twice", coded(TE, TE)
    yield "space before colon", coded(b"Transfer-Encoding : chunked")
    yield "vertical tab before value", coded(b"Transfer-Encoding: \x0bchunked")
    yield "folded coding", coded(b"Transfer-Encoding:\r\n chunked")
    yield "bare line feeds", lambda s: joined(s.head(length(s.body)), b"\n") + s.body
    yield "bare carriage return", fields(b"X-A: b\rX-C: d")
    yield "NUL in a value", fields(b"X-A: b\0c")
    for name, make in BASE_CHUNKS.items():
        yield name, in_chunks(make)
    yield (
        "coding in HTTP/1.0",
        lambda s: (
            joined(s.head(TE, first=b"POST " + PATH.encode() + b" HTTP/1.0")) + chunked(s.body)
        ),
    )
    yield "no host", lambda s: without(s, b"Host") + s.body
    yield "two hosts", fields(b"Host: edge")
    yield "path in host", lambda s: instead(s, b"Host", b"Host: x/admin?") + s.body
    yield (
        "absolute URI with other host",
        lambda s: (
            joined(s.head(length(s.body), first=b"POST http://evil" + PATH.encode() + b" HTTP/1.1"))
            + s.body
        ),
    )
    yield "upgrade and a request behind it", fields(b"Connection: Upgrade", b"Upgrade: websocket")
    yield (
        "h2c upgrade",
        fields(
            b"Connection: Upgrade, HTTP2-Settings", b"Upgrade: h2c", b"HTTP2-Settings: AAMAAABk"
        ),
    )
    yield (
        "GET with a body",
        lambda s: (
            joined(s.head(length(s.other.whole), first=b"GET /v1/models HTTP/1.1")) + s.other.whole
        ),
    )
    yield "expectation", fields(b"Expect: 100-continue")
    yield "underscore in a name", fields(b"content_length: 0", b"transfer_encoding: chunked")


def with_length(make: Callable[[int], bytes]) -> Template:
    """With a length written otherwise, alone in the head."""
    return lambda s: (
        joined(s.head(b"Content-Length: " + make(len(s.body)))) + s.body + s.other.whole
    )


def in_chunks(make: Callable[[bytes], bytes]) -> Template:
    """With a chunked body written by `make`."""
    return lambda s: joined(s.head(TE)) + make(s.body) + s.other.whole


def instead(s: Shape, name: bytes, *lines: bytes) -> bytes:
    """The good head with other lines in the place of a field."""
    kept = [line for line in s.head(length(s.body)) if not line.startswith(name + b":")]
    return joined([kept[0], *lines, *kept[1:]])


def without(s: Shape, name: bytes) -> bytes:
    """The good head without a field."""
    return instead(s, name)


BASE_CHUNKS: dict[str, Callable[[bytes], bytes]] = {
    "chunk size ended by LF": lambda b: b"%x\n%s\r\n0\r\n\r\n" % (len(b), b),
    "last chunk ended by LF": lambda b: chunk(b) + b"0\n\r\n",
    "chunk size with 0x": lambda b: b"0x" + chunk(b) + b"0\r\n\r\n",
    "chunk size of 17 digits": lambda b: b"%017x\r\n%s\r\n0\r\n\r\n" % (len(b), b),
    "space after chunk size": lambda b: b"%x \r\n%s\r\n0\r\n\r\n" % (len(b), b),
    "LF in an extension": lambda b: b"%x;a\nb\r\n%s\r\n0\r\n\r\n" % (len(b), b),
    "wrong end of a chunk": lambda b: b"%x\r\n%sXY0\r\n\r\n" % (len(b), b),
}


def codings() -> Iterator[tuple[str, Template]]:
    """Spellings of Transfer-Encoding, with and without a length beside it."""
    values = [
        b"chunked ", b"\tchunked", b"chunked\t", b" chunked", b"CHUNKED", b"Chunked", b"cHuNkEd",
        b'"chunked"', b"'chunked'", b"chunked;q=1", b"chunked; foo", b"chunked,", b",chunked",
        b", chunked", b"chunked, chunked", b"chunked,identity", b"identity", b"gzip, chunked",
        b"gzip", b"deflate, chunked", b"x, chunked", b"chunk", b"chunkedx", b"chu nked", b"",
        b"\x00chunked", b"chunked\x00", b"\xa0chunked", b"chunked\x0c", b"\x0cchunked",
        b"chunked\x7f", b"ch\xc5\xabnked", b"(comment) chunked", b"chunked=1", b"none",
        b"chunked\x0b",
    ]  # fmt: skip
    for value in values:
        yield f"coding {value!r}", coded(b"Transfer-Encoding: " + value)
        yield f"length and coding {value!r}", both(b"Transfer-Encoding: " + value)
    lines = [
        b"Transfer-Encoding:chunked", b"transfer-encoding: chunked", b"TRANSFER-ENCODING: chunked",
        b"Transfer_Encoding: chunked", b"Transfer-Encoding\t: chunked",
        b" Transfer-Encoding: chunked",
        b"Transfer-Encoding\x00: chunked", b"\x00Transfer-Encoding: chunked",
        b"X: y\nTransfer-Encoding: chunked",
        b"X: y\rTransfer-Encoding: chunked", b"X: y\r\n Transfer-Encoding: chunked",
        b"Transfer-Encoding",
        b"Transfer-Encoding:\nchunked", b"Transfer-Encoding:\r\n\tchunked",
        b"Transfer-Encoding: chunked\r\n ,x",
        b"Transfer.Encoding: chunked", b"Transfer-Encoding=chunked",
        b"Transfer-Encod\xc4\xb1ng: chunked",
        b"Transfer-Encoding\xa0: chunked", b"Transfer Encoding: chunked",
        b"Content-Encoding: chunked",
        b"TE: chunked", b"Proxy-Transfer-Encoding: chunked",
    ]  # fmt: skip
    for line in lines:
        yield f"line {line!r}", coded(line)
        yield f"length and line {line!r}", both(line)


def both(*lines: bytes) -> Template:
    """A length for all that follows, and a coding that ends before the smuggled request."""

    def made(s: Shape) -> bytes:
        inside = b"0\r\n\r\n" + s.other.whole
        return joined(s.head(length(inside), *lines)) + inside

    return made


def lengths() -> Iterator[tuple[str, Template]]:
    """Spellings of Content-Length."""
    spelled: dict[str, Callable[[int], bytes]] = {
        "leading zero": lambda n: b"0%d" % n,
        "many zeros": lambda n: b"0" * 30 + b"%d" % n,
        "trailing space": lambda n: b"%d " % n,
        "trailing tab": lambda n: b"%d\t" % n,
        "space inside": lambda n: b"%d %d" % (n // 10, n % 10),
        "leading tab": lambda n: b"\t%d" % n,
        "comma": lambda n: b"%d," % n,
        "comma first": lambda n: b",%d" % n,
        "list without space": lambda n: b"%d,%d" % (n, n),
        "list of two values": lambda n: b"0,%d" % n,
        "dot": lambda n: b"%d.0" % n,
        "exponent": lambda n: b"%de0" % n,
        "underscore": lambda n: b"%d_%d" % (n // 10, n % 10),
        "apostrophe": lambda n: b"'%d'" % n,
        "quoted": lambda n: b'"%d"' % n,
        "semicolon": lambda n: b"%d;q=1" % n,
        "letter": lambda n: b"%da" % n,
        "hexadecimal": lambda n: b"%x" % n,
        "octal": lambda n: b"0o%o" % n,
        "full-width digits": lambda n: "".join(chr(0xFF10 + int(d)) for d in str(n)).encode(),
        "NUL behind": lambda n: b"%d\0" % n,
        "vertical tab": lambda n: b"\x0b%d" % n,
        "form feed": lambda n: b"%d\x0c" % n,
        "empty": lambda _: b"",
        "blank": lambda _: b"   ",
        "minus zero": lambda _: b"-0",
        "plus zero": lambda _: b"+0",
        "zero": lambda _: b"0",
        "too short": lambda n: b"%d" % (n - 1),
        "too long": lambda n: b"%d" % (n + 1),
        "2^32 more": lambda n: b"%d" % (2**32 + n),
        "2^63": lambda n: b"%d" % (2**63 + n),
        "400 digits": lambda n: b"1" * 400,
        "folded": lambda n: b"\r\n %d" % n,
        "LF inside": lambda n: b"%d\n" % n,
        "second line by CR": lambda n: b"%d\rContent-Length: 0" % n,
        "no-break space": lambda n: b"\xa0%d" % n,
    }
    for name, make in spelled.items():
        yield f"length: {name}", with_length(make)
    for line in [
        b"Content-Length : 0", b"Content_Length: 0", b"content-length: 0", b"Content-Length\t: 0",
        b" Content-Length: 0", b"Content-Length\0: 0", b"Content-Length:", b"Content-Length",
        b"X-Content-Length: 0", b"Content Length: 0", b"Content-Lengt\xe2\x84\x8e: 0",
    ]:  # fmt: skip
        yield f"second length {line!r}", fields(line)


def chunks() -> Iterator[tuple[str, Template]]:
    """Forms of the chunked coding."""
    sizes: dict[str, Callable[[int], bytes]] = {
        "upper case": lambda n: b"%X" % n,
        "leading zeros": lambda n: b"0000%x" % n,
        "leading space": lambda n: b" %x" % n,
        "leading tab": lambda n: b"\t%x" % n,
        "plus": lambda n: b"+%x" % n,
        "minus": lambda n: b"-%x" % n,
        "underscore": lambda n: b"%x_" % n,
        "tab behind": lambda n: b"%x\t" % n,
        "extension": lambda n: b"%x;a=b" % n,
        "extension without name": lambda n: b"%x;" % n,
        "quoted extension": lambda n: b'%x;a="b\\"c"' % n,
        "CR in extension": lambda n: b"%x;a\rb" % n,
        "NUL in extension": lambda n: b"%x;a\0b" % n,
        "space before extension": lambda n: b"%x ;a" % n,
        "long extension": lambda n: b"%x;" % n + b"a" * 5000,
        "0X": lambda n: b"0X%x" % n,
        "letter g": lambda n: b"%xg" % n,
        "dot": lambda n: b"%x.0" % n,
        "2^64 more": lambda n: b"%x" % (2**64 + n),
        "2^32 more": lambda n: b"%x" % (2**32 + n),
        "empty": lambda _: b"",
        "comma": lambda n: b"%x,%x" % (n, n),
        "CR before the end": lambda n: b"%x\r" % n,
        "NUL": lambda n: b"%x\0" % n,
    }
    for name, make in sizes.items():
        yield (
            f"chunk size: {name}",
            in_chunks(
                lambda b, make=make: make(len(b)) + b"\r\n" + b + b"\r\n0\r\n\r\n"  # type: ignore[misc]
            ),
        )
    ends: dict[str, bytes] = {
        "CR": b"\r", "LF": b"\n", "LF CR": b"\n\r", "two CR": b"\r\r\n", "nothing": b"",
        "space": b" \r\n",
        "more data": b"more\r\n", "one LF more": b"\r\n\n", "NUL": b"\0\r\n",
    }  # fmt: skip
    for name, end in ends.items():
        yield (
            f"chunk end: {name}",
            in_chunks(
                lambda b, end=end: b"%x\r\n%s%s0\r\n\r\n" % (len(b), b, end)  # type: ignore[misc]
            ),
        )
    lasts: dict[str, bytes] = {
        "zeros": b"000\r\n\r\n", "CR": b"0\r\r\n", "LF LF": b"0\n\n", "no second line": b"0\r\n",
        "LF at the end": b"0\r\n\n", "CR at the end": b"0\r\n\r", "space": b"0 \r\n\r\n",
        "extension": b"0;a=b\r\n\r\n", "LF in extension": b"0;a\nb\r\n\r\n", "minus": b"-0\r\n\r\n",
        "trailer": b"0\r\nX-T: 1\r\n\r\n", "trailer with length": b"0\r\nContent-Length: 5\r\n\r\n",
        "trailer with coding": b"0\r\nTransfer-Encoding: chunked\r\n\r\n",
        "trailer with host": b"0\r\nHost: evil\r\n\r\n",
        "trailer with authorization": b"0\r\nAuthorization: Bearer x\r\n\r\n",
        "trailer ended by LF": b"0\r\nX-T: 1\n\r\n", "trailer with NUL": b"0\r\nX-T: \0\r\n\r\n",
        "trailer without colon": b"0\r\nGET / HTTP/1.1\r\n\r\n",
        "folded trailer": b"0\r\nX: 1\r\n y\r\n\r\n",
        "space first": b"0\r\n X-T: 1\r\n\r\n",
        "many trailers": b"0\r\n" + b"X-T: 1\r\n" * 500 + b"\r\n",
    }  # fmt: skip
    for name, last in lasts.items():
        yield f"last chunk: {name}", in_chunks(lambda b, last=last: chunk(b) + last)  # type: ignore[misc]


def lines() -> Iterator[tuple[str, Template]]:
    """Line ends, white space and bytes that some servers mend and others do not."""
    for name, end in {"LF": b"\n", "CR": b"\r", "CR CR LF": b"\r\r\n", "LF CR": b"\n\r"}.items():
        for at in range(6):
            yield f"line {at} ended by {name}", broken_line(at, end)
    for name, front in {
        "CRLF": b"\r\n", "two CRLF": b"\r\n\r\n", "LF": b"\n", "CR": b"\r", "space": b" ",
        "tab": b"\t",
        "NUL": b"\0", "BOM": b"\xef\xbb\xbf", "colon": b": x\r\n", "field": b"X: y\r\n",
    }.items():  # fmt: skip
        yield f"{name} before the request", lambda s, front=front: front + s.whole + s.other.whole  # type: ignore[misc]
    for line in [
        b"X: y\r\n z", b"X: y\r\n\tz", b"X: y\n z", b" X: y", b"\tX: y", b": y", b"X", b"X y",
        b"X\x01: y",
        b"X: \x01", b"X: \x7f", b"X: \x1f", b"X: \xff", b"X: \r", b"X\r: y", b"X\n: y", b"X(: y",
        b"X/: y",
        b"X\xff: y", b"X:y:z", b"X:", b'X": y', b"X[]: y", b"X@: y", b"\x7fX: y", b"X : y",
        b"X\x0b: y",
    ]:  # fmt: skip
        yield f"field line {line!r}", fields(line)


def broken_line(at: int, end: bytes) -> Template:
    """The good request with one line that ends otherwise."""

    def made(s: Shape) -> bytes:
        out = b""
        for number, line in enumerate([*s.head(length(s.body)), b""]):
            out += line + (end if number == at else b"\r\n")
        return out + s.body + s.other.whole

    return made


def requests() -> Iterator[tuple[str, Template]]:
    """Methods, targets, versions."""
    path = PATH.encode()
    for first in [
        b"POST " + path + b" HTTP/1.0", b"POST " + path + b" HTTP/1.2",
        b"POST " + path + b" HTTP/2.0",
        b"POST " + path + b" HTTP/0.9", b"POST " + path + b" HTTP/1", b"POST " + path,
        b"POST " + path + b" ",
        b"POST " + path + b" http/1.1", b"POST " + path + b" HTTP/01.1",
        b"POST " + path + b" HTTP/1.01",
        b"POST " + path + b" HTTP/1.1 ", b"POST " + path + b" HTTP/1.1\0",
        b"POST " + path + b"  HTTP/1.1",
        b"POST  " + path + b" HTTP/1.1", b"POST\t" + path + b"\tHTTP/1.1",
        b" POST " + path + b" HTTP/1.1",
        b"post " + path + b" HTTP/1.1", b"POST\0 " + path + b" HTTP/1.1",
        b"P\xd6ST " + path + b" HTTP/1.1",
        b"GET " + path + b" HTTP/1.1", b"PUT " + path + b" HTTP/1.1",
        b"HEAD " + path + b" HTTP/1.1",
        b"OPTIONS " + path + b" HTTP/1.1", b"OPTIONS * HTTP/1.1", b"CONNECT edge:80 HTTP/1.1",
        b"CONNECT " + path + b" HTTP/1.1", b"TRACE " + path + b" HTTP/1.1", b"PRI * HTTP/2.0",
        b"POST http://edge" + path + b" HTTP/1.1", b"POST HTTP://EDGE" + path + b" HTTP/1.1",
        b"POST https://edge" + path + b" HTTP/1.1", b"POST http://a@edge" + path + b" HTTP/1.1",
        b"POST http:/" + path + b" HTTP/1.1", b"POST //edge" + path + b" HTTP/1.1",
        b"POST /" + path + b" HTTP/1.1",
        b"POST v1/chat/completions HTTP/1.1", b"POST ?x HTTP/1.1", b"POST " + path + b"? HTTP/1.1",
        b"POST " + path + b"?a=b HTTP/1.1", b"POST " + path + b"?a b HTTP/1.1",
        b"POST " + path + b"#f HTTP/1.1",
        b"POST " + path + b"/ HTTP/1.1", b"POST " + path + b";x HTTP/1.1",
        b"POST /v1/./chat/completions HTTP/1.1",
        b"POST /x/../v1/chat/completions HTTP/1.1", b"POST /v1%2fchat/completions HTTP/1.1",
        b"POST " + path + b"%0d%0aX:%20y HTTP/1.1", b"POST " + path + b"%00 HTTP/1.1",
        b"POST " + path + b"?x=\xff HTTP/1.1", b"POST " + path + b"?\x01 HTTP/1.1",
        b"POST " + path + b"?q=%20HTTP/1.1%0d%0a HTTP/1.1", b"POST " + path + b" HTTP/1.1 HTTP/1.1",
        b"POST " + path + b"\r HTTP/1.1", b"POST /V1/CHAT/COMPLETIONS HTTP/1.1",
    ]:  # fmt: skip
        yield (
            f"request line {first!r}",
            lambda s, first=first: (  # type: ignore[misc]
                joined(s.head(length(s.body), first=first)) + s.body + s.other.whole
            ),
        )


def hosts() -> Iterator[tuple[str, Template]]:
    """Host, and what else may name one."""
    for value in [
        b"", b" ", b"edge:80", b"edge:", b"edge:x", b"edge:99999", b"edge, evil", b"edge evil",
        b"a@edge",
        b"edge\\evil", b"edge#", b"edge?", b"[::1]", b"[::1", b"::1", b"edge.", b".edge", b"ed\0ge",
        b"\xff",
        b"http://edge", b"edge\tevil", b"%65dge", b"edge\r\n evil", b"*", b"-", b"e" * 300,
    ]:  # fmt: skip
        yield (
            f"host {value!r}",
            lambda s, value=value: (  # type: ignore[misc]
                instead(s, b"Host", b"Host: " + value) + s.body + s.other.whole
            ),
        )
    for line in [
        b"host: evil", b"Host : edge", b"X-Forwarded-Host: evil", b"Forwarded: host=evil",
        b"X-Host: evil",
        b"X-Original-URL: /admin", b"X-Rewrite-URL: /admin", b":authority: evil", b":path: /admin",
        b"X-HTTP-Method-Override: DELETE", b"\0Host: evil", b"Ho\xc5\xbft: evil",
    ]:  # fmt: skip
        yield f"beside the host {line!r}", fields(line)


def hops() -> Iterator[tuple[str, Template]]:
    """Connection, Upgrade, Expect: what is meant for one hop."""
    for value in [
        b"close", b"keep-alive", b"Keep-Alive, close", b"content-length", b"Content-Length, close",
        b"transfer-encoding", b"host", b"authorization", b"content-type", b"x-request-id",
        b"close, te",
        b"upgrade", b"", b",", b"\0", b"proxy-connection", b"connection", b"keep-alive, x y",
    ]:  # fmt: skip
        yield f"connection {value!r}", fields(b"Connection: " + value)
    for value in [
        b"websocket",
        b"h2c",
        b"TLS/1.0",
        b"HTTP/2.0",
        b"h2c, websocket",
        b"",
        b"x y",
        b"HTTP/1.1",
    ]:
        yield f"upgrade {value!r}", fields(b"Connection: Upgrade", b"Upgrade: " + value)
        yield f"upgrade unannounced {value!r}", fields(b"Upgrade: " + value)
    for value in [
        b"100-continue", b"100-Continue", b" 100-continue ", b"100-continue, x", b"x", b"", b"100",
        b"y 100-continue",
    ]:  # fmt: skip
        yield f"expect {value!r}", fields(b"Expect: " + value)
        yield f"expect and coding {value!r}", coded(TE, b"Expect: " + value)
    for line in [
        b"Keep-Alive: timeout=5", b"Proxy-Connection: keep-alive", b"TE: trailers", b"TE: gzip",
        b"Trailer: X-T",
        b"Proxy-Authorization: Basic eDp5", b"Content-Encoding: gzip", b"Max-Forwards: 0",
        b"Via: 1.1 x",
        b"Early-Data: 1", b"Range: bytes=0-1", b"If-Match: *", b"Content-Range: bytes 0-1/2",
        b"X-Request-Id: two",
    ]:  # fmt: skip
        yield f"field {line!r}", fields(line)


def pipelines() -> Iterator[tuple[str, Template]]:
    """Several requests in one go, and what may stand between them."""
    yield "two requests", lambda s: s.whole + s.other.whole
    yield (
        "ten requests",
        lambda s: b"".join(Shape(f"{s.ident}.{n}", s.model).whole for n in range(10)),
    )
    for name, between in {
        "CRLF": b"\r\n", "LF": b"\n", "NUL": b"\0", "junk": b"junk\r\n", "space": b" ",
        "five CRLF": b"\r\n" * 5,
    }.items():  # fmt: skip
        yield (
            f"{name} between two requests",
            lambda s, between=between: (  # type: ignore[misc]
                s.whole + between + s.other.whole
            ),
        )
    yield "chunked, then a length", lambda s: joined(s.head(TE)) + chunked(s.body) + s.other.whole
    yield (
        "a request in a body",
        lambda s: joined(s.head(length(s.body + s.other.whole))) + s.body + s.other.whole,
    )
    yield "a body cut short", lambda s: joined(s.head(length(s.body))) + s.body[:-3]
    yield "a chunked body cut short", lambda s: joined(s.head(TE)) + chunked(s.body)[:-4]
    yield "no body", lambda s: joined(s.head()) + s.other.whole
    yield "a head cut short", lambda s: joined(s.head(length(s.body)))[:-3]
    yield (
        "one byte chunks",
        in_chunks(lambda b: b"".join(chunk(b[at : at + 1]) for at in range(len(b))) + b"0\r\n\r\n"),
    )
    yield "bytes behind Connection: close", fields(b"Connection: close")


def all_vectors() -> list[tuple[str, Template]]:
    """Every vector; the first `BASE_COUNT` are the base ones."""
    groups = [base, codings, lengths, chunks, lines, requests, hosts, hops, pipelines]
    found = [vector for group in groups for vector in group()]
    assert len({name for name, _ in found}) == len(found), "two vectors of one name"
    return found


def mutations(seed: int, model: str, prefix: str) -> Iterator[tuple[str, bytes]]:
    """Vectors with bytes changed, endless: id of the request and its bytes."""
    dice = random.Random(seed)
    templates = [template for _, template in all_vectors()]
    tokens = [
        b"\r\n", b"\n", b"\r", b"\0", b" ", b"\t", b":", b",", b";", b"0", b"1", b"f", b"0\r\n\r\n",
        b"chunked",
        b"Transfer-Encoding: chunked\r\n", b"Content-Length: 5\r\n", b"Content-Length: 0\r\n",
        b"\x0b", b"\xff",
        b"Connection: close\r\n", b"Host: edge\r\n", b"HTTP/1.1", b"-", b"+", b"_",
    ]  # fmt: skip
    number = 0
    while True:
        number += 1
        ident = f"{prefix}{number}"
        data = bytearray(dice.choice(templates)(Shape(ident, model)))
        # Mostly in the head, where the framing is.
        for _ in range(dice.choice([1, 1, 1, 2, 3, 8])):
            at = dice.randrange(min(len(data), 400) + 1)
            match dice.randrange(6):
                case 0:
                    data[at : at + 1] = b""
                case 1:
                    data[at : at + 1] = bytes([dice.randrange(256)])
                case 2 | 3:
                    data[at:at] = dice.choice(tokens)
                case 4:
                    data[at : at + dice.randrange(1, 30)] = b""
                case _:
                    start = dice.randrange(len(data) + 1)
                    data[at:at] = data[start : start + dice.randrange(1, 60)]
        yield ident, bytes(data)
