"""Each type of provider is sent what its golden folder holds, byte for byte but for white space."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.golden.provider_cases import FOLDER, TYPES, asked, gateway
from tests.support.hop import Hop


@pytest.fixture(scope="module")
def hop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hop]:
    with gateway(tmp_path_factory.mktemp("golden")) as hop:
        yield hop


@pytest.mark.parametrize("name", TYPES)
def test_it_is_sent_what_is_written_down(hop: Hop, name: str) -> None:
    files = {path.name: path.read_text() for path in (FOLDER / name).iterdir()}
    assert asked(hop, name) == files, "python -m tests.golden.regenerate, then read the diff"


def test_every_folder_is_of_a_type() -> None:
    assert {path.name for path in Path(FOLDER).iterdir()} == set(TYPES)
