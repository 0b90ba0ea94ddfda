"""The mock that this folder's tests talk to."""

from collections.abc import Iterator

import pytest

from tests.mock.alone import mock_alone


@pytest.fixture(scope="session")
def mock_address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of a mock of our own, `http://host:port`."""
    with mock_alone(tmp_path_factory.mktemp("mock")) as address:
        yield address
