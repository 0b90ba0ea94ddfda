"""JSONTestSuite over the wire: forwarded as it came, or refused; never seen differently.

A body that a full parser takes is forwarded. One that no parser takes, or that parsers differ on,
may go either way; forwarded means the same bytes but for the model's name.
"""

from pathlib import Path

import msgspec
import pytest

from tests.support.hop import CHAT, Hop, post

FOLDER = Path(__file__).parents[2] / "data" / "json-test-suite" / "test_parsing"
FILES = sorted(FOLDER.glob("*.json"))


def test_the_suite_is_all_there() -> None:
    assert len(FILES) == 318


@pytest.mark.parametrize("kind", ["y", "n", "i"])
def test_each_value_inside_a_request_is_forwarded_whole_or_refused(hop: Hop, kind: str) -> None:
    files = [file for file in FILES if file.name.startswith(kind)]
    refused = 0
    with hop.connect() as wire:
        for file in files:
            data = b'{"a":[],"x":' + file.read_bytes() + b',"model":"up/m"}'
            hop.upstream.requests.clear()
            wire.send(post(CHAT, data))
            status = wire.answer().status
            sent = [got.body for got in hop.upstream.requests]
            if status == 200:
                cut = len(data) - len(b'up/m"}')
                assert sent == [data[:cut] + b'm"}'], file.name
            else:
                refused += 1
                assert (status, sent) == (400, []), file.name
    if kind == "y":
        assert refused == 0
    if kind == "n":
        # What breaks the structure is always seen; the inside of a value is the upstream's affair.
        assert refused > 60


def test_no_file_is_taken_for_a_request_of_its_own(hop: Hop) -> None:
    with hop.connect() as wire:
        for file in FILES:
            wire.send(post(CHAT, file.read_bytes()))
            answer = wire.answer()
            assert answer.status == 400, file.name
            assert msgspec.json.decode(answer.body)["error"]["message"]
    assert hop.upstream.begun == 0
