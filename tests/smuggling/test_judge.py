"""The comparison finds every way in which an origin could see something else."""

import pytest

from tests.smuggling.run import LogLine, Outcome, judge
from tests.smuggling.vectors import BASE_COUNT, all_vectors, base
from tests.smuggling.wire import NotARequestError, Record, Request, take


def request(ident: str, body: bytes = b"{}") -> Request:
    return Request.of("POST", "/v1/chat/completions", ident, body)


def line(ident: str, status: int = 200) -> LogLine:
    return LogLine("request", ident, "origin", status, 1)


def judged(
    log: list[LogLine],
    sent: list[Request],
    seen: list[Request],
    *,
    replies: int | None = None,
    leftovers: list[bytes] | None = None,
) -> list[str]:
    outcome = Outcome(1)
    record = Record(sent, leftovers or [], len(sent) if replies is None else replies, 1)
    judge(outcome, record, [(one.ident, one.digest) for one in seen], log)
    return outcome.mismatches


def test_what_agrees_is_no_mismatch() -> None:
    two = [request("a"), request("b")]
    assert judged([line("a"), line("b")], two, two) == []


def test_an_origin_may_refuse() -> None:
    assert judged([line("a", 400)], [request("a")], []) == []


@pytest.mark.parametrize(
    ("case", "found"),
    [
        (
            "seen, not sent",
            lambda: judged([line("a")], [request("a")], [request("a"), request("x")]),
        ),
        ("seen twice", lambda: judged([line("a")], [request("a")], [request("a")] * 2)),
        ("other body", lambda: judged([line("a")], [request("a")], [request("a", b"!")])),
        ("sent, not logged", lambda: judged([], [request("a")], [request("a")])),
        ("logged, not sent", lambda: judged([line("a")], [], [])),
        ("not seen, but answered well", lambda: judged([line("a")], [request("a")], [])),
        (
            "one reply too many",
            lambda: judged([line("a")], [request("a")], [request("a")], replies=2),
        ),
        ("bytes left over", lambda: judged([], [], [], leftovers=[b"GET /admin"])),
    ],
)
def test_what_does_not_agree_is_one(case: str, found: object) -> None:
    assert callable(found)
    assert found(), case


@pytest.mark.parametrize(
    "data",
    [
        b"POST / HTTP/1.1\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\nabc",
        b"POST / HTTP/1.1\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\nabc",
        b"POST / HTTP/1.1\r\nContent-Length: +3\r\n\r\nabc",
        b"POST / HTTP/1.1\r\nX : y\r\n\r\n",
        b"POST / HTTP/1.1\r\nX: a\nb\r\n\r\n",
        b"POST / HTTP/1.0\r\nX: a\r\n\r\n",
        b"post / HTTP/1.1\r\n\r\n",
    ],
)
def test_the_parser_on_the_wire_takes_nothing_that_has_two_meanings(data: bytes) -> None:
    with pytest.raises(NotARequestError):
        take(bytearray(data))


def test_the_parser_on_the_wire_takes_what_is_plain() -> None:
    data = bytearray(
        b"POST /a?b HTTP/1.1\r\nX-Request-Id: 7\r\nContent-Length: 2\r\n\r\n{}"
        b"GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{\r\n1\r\n}\r\n0\r\n\r\n"
    )
    first, second = take(data), take(data)
    assert first == Request.of("POST", "/a", "7", b"{}")
    assert second == Request.of("GET", "/", "-", b"{}")
    assert take(data) is None
    assert not data


def test_there_are_as_many_vectors_as_promised() -> None:
    assert len(list(base())) == BASE_COUNT
    assert len(all_vectors()) >= 300
