"""A file that is no catalog is refused, and the message says why."""

import msgspec
import pytest

from llm_edge_agent.catalog import Catalog, CatalogFault, Price, Source, Tier
from llm_edge_agent.catalog.document import BYTES_MAX, Record, encode

SOURCES = {"a": Source(name="A", date="2026-01-01")}
GOOD = encode("2026-01-01", SOURCES, {"openai": [Record(model="m", facts_from=("a",))]})


def changed(old: bytes, new: bytes) -> bytes:
    assert GOOD.count(old) == 1
    return GOOD.replace(old, new)


def twice() -> bytes:
    record = Record(model="m", facts_from=("a",))
    return encode("2026-01-01", SOURCES, {"openai": [record, record]})


def disordered() -> bytes:
    tiers = (Tier(above_input_tokens=9, input=1), Tier(above_input_tokens=9, input=2))
    record = Record(model="m", price=Price(input=1, tiers=tiers))
    return encode("2026-01-01", SOURCES, {"openai": [record]})


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "is no catalog"),
        (b"<html>", "is no catalog"),
        (b'{"format":2}', "has the format 2; this program knows 1"),
        (b"\xff" * 9, "is no catalog"),
        (GOOD[:-9], "is no catalog"),
        (b" " * (BYTES_MAX + 1), "is larger than 16 MiB"),
        (changed(b'"2026-01-01","sources"', b'"yesterday","sources"'), "is no catalog"),
        (changed(b'"model":"m"', b'"model":""'), "of `openai`"),
        (changed(b'"model":"m"', b'"model":"m","colour":1'), "colour"),
        (changed(b'"model":"m"', b'"model":"m","price":{"input":-1}'), "openai"),
        (changed(b'"model":"m"', b'"model":"m","price":{"input":1.5}'), "openai"),
        (changed(b'"model":"m"', b'"model":"m","price":{"input":10000000001}'), "openai"),
        (changed(b'"facts_from":["a"]', b'"facts_from":["b"]'), "unknown source `b`"),
        (twice(), "`openai/m` is in it twice"),
        (disordered(), "the tiers of `openai/m` are in disorder"),
    ],
)
def test_what_is_no_catalog_is_refused(data: bytes, says: str) -> None:
    with pytest.raises(CatalogFault) as caught:
        Catalog.parse(data)
    assert says in str(caught.value)


def test_one_model_stands_on_one_line() -> None:
    lines = [line for line in GOOD.splitlines() if b'"model"' in line]
    assert [msgspec.json.decode(line)["model"] for line in lines] == ["m"]


def test_the_same_content_gives_the_same_bytes() -> None:
    records = [Record(model="b"), Record(model="a")]
    one = encode("2026-01-01", SOURCES, {"x": records, "a": []})
    other = encode("2026-01-01", dict(SOURCES), {"a": [], "x": records[::-1]})
    assert one == other
    assert [facts.model for facts in Catalog.parse(one)] == ["a", "b"]
