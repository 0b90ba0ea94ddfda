"""A newer catalog is judged before it takes the place of another."""

import hashlib
import os
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from llm_edge_agent.catalog import Catalog, Price, Tier
from llm_edge_agent.catalog.document import BYTES_MAX, Record, encode
from llm_edge_agent.catalog.update import UpdateRefused, doubts, fetch, install, verify
from llm_edge_agent.errors import StateError

GOOD = encode("2026-01-01", {}, {"x": [Record(model="m")]})


def catalog(version: str = "2026-01-01", **prices: Price | None) -> Catalog:
    models = [Record(model=model, price=price) for model, price in prices.items()]
    return Catalog.parse(encode(version, {}, {"x": models}))


OLD = catalog(a=Price(input=100, output=1000), b=Price(input=7), c=None)


def test_the_same_and_small_changes_are_taken() -> None:
    assert doubts(OLD, OLD) == []
    new = catalog("2026-02-02", a=Price(input=999, output=101), b=Price(input=7), c=Price(input=1))
    assert doubts(OLD, new) == []


@pytest.mark.parametrize(
    ("price", "says"),
    [
        (
            Price(input=1000, output=1000),
            "`x/a`: `input` was 0.0001 and would be 0.001 USD per million tokens",
        ),
        (
            Price(input=100, output=100),
            "`x/a`: `output` was 0.001 and would be 0.0001 USD per million tokens",
        ),
        (
            Price(input=0, output=1000),
            "`x/a`: `input` was 0.0001 and would be 0 USD per million tokens",
        ),
        (
            Price(input=100, output=1000, tiers=(Tier(above_input_tokens=5000, input=1000),)),
            "`x/a`: `input` above 5,000 input tokens was 0.0001 and would be 0.001 USD per million"
            " tokens",
        ),
    ],
)
def test_a_tenfold_price_is_doubted_with_both_prices(price: Price, says: str) -> None:
    assert doubts(OLD, catalog(a=price, b=Price(input=7), c=None)) == [says]


def test_an_older_one_is_doubted() -> None:
    assert doubts(catalog("2026-01-02"), catalog("2026-01-01")) == [
        "it is of 2026-01-01, and the one in use of 2026-01-02"
    ]


def test_more_than_a_third_of_models_gone_is_doubted() -> None:
    four = {name: Price(input=1) for name in "abcd"}
    assert doubts(catalog(**four), catalog(a=four["a"], b=four["b"], c=four["c"])) == []
    (doubt,) = doubts(catalog(**four), catalog(a=four["a"], b=four["b"]))
    assert doubt.startswith("of 4 models 2 are gone or lost their price: `x/c`, `x/d`")


def test_prices_that_became_unknown_count_as_gone() -> None:
    four = {name: Price(input=1) for name in "abcd"}
    assert doubts(catalog(**four), catalog(a=four["a"], b=four["b"], c=None, d=None))


def test_a_hash_is_minded() -> None:
    verify(GOOD, hashlib.sha256(GOOD).hexdigest().upper())
    with pytest.raises(UpdateRefused, match="the SHA-256 is"):
        verify(GOOD, "0" * 64)


def test_a_new_one_takes_the_place_and_the_old_one_is_kept(tmp_path: Path) -> None:
    place = tmp_path / "made" / "catalog.json"
    later = encode("2026-02-02", {}, {"x": [Record(model="m")]})
    install(GOOD, place)
    assert os.listdir(place.parent) == ["catalog.json"]  # noqa: PTH208 -- hidden ones too
    install(later, place)
    assert place.read_bytes() == later
    assert place.with_name("catalog.json.previous").read_bytes() == GOOD
    assert len(list(place.parent.iterdir())) == 2


def test_a_broken_one_is_not_what_is_kept(tmp_path: Path) -> None:
    place = tmp_path / "catalog.json"
    install(GOOD, place)
    install(GOOD, place)
    place.write_bytes(b"{")
    install(GOOD, place)
    assert place.with_name("catalog.json.previous").read_bytes() == GOOD


def test_a_folder_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StateError, match=r"the state folder .* cannot be written"):
        install(GOOD, tmp_path / "file" / "catalog.json")


class Replies(BaseHTTPRequestHandler):
    """Answers by path; a request in absolute form came to it as to a proxy."""

    def do_GET(self) -> None:
        if self.path == "/elsewhere":
            self.send_response(302)
            self.send_header("location", "file:///etc/hostname")
            self.end_headers()
        elif self.path == "/moved":
            self.send_response(302)
            self.send_header("location", "/catalog")
            self.end_headers()
        elif self.path == "/missing":
            self.send_error(404)
        else:
            body = {"/large": b" " * (BYTES_MAX + 1)}.get(self.path, GOOD)
            if self.path.startswith("http://"):
                body = self.path.encode()
            self.send_response(200)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def origin(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Replies)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_an_address_and_a_file_are_read(origin: str, tmp_path: Path) -> None:
    assert fetch(f"{origin}/catalog") == GOOD
    assert fetch(f"{origin}/moved") == GOOD
    (tmp_path / "c.json").write_bytes(GOOD)
    assert fetch(str(tmp_path / "c.json")) == GOOD


def test_proxies_of_the_environment_are_minded(
    origin: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", origin)
    assert fetch("http://catalog.invalid/c") == b"http://catalog.invalid/c"


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("/missing", "was answered with 404"),
        ("/large", "is larger than 16 MiB"),
        ("/elsewhere", "file:///etc/hostname"),
    ],
)
def test_what_cannot_be_had_is_said(origin: str, path: str, says: str) -> None:
    with pytest.raises(UpdateRefused, match=says):
        fetch(origin + path)


@pytest.mark.parametrize("source", ["ftp://x/c", "file:///etc/hostname"])
def test_other_schemes_are_not_fetched(source: str) -> None:
    with pytest.raises(UpdateRefused, match="is not fetched"):
        fetch(source)


def test_a_file_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(UpdateRefused, match="cannot be read: No such file"):
        fetch(str(tmp_path / "none"))
