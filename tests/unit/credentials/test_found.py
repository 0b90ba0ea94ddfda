"""A file that a credential is made of, and that cannot be read, is named with what led there."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from llm_edge_agent.credentials import NotFound, fault_of
from llm_edge_agent.credentials.found import see_file, unreadable_file
from tests.unit.credentials.test_renewer import Chain

NOBODY = 65534


@contextmanager
def without_privileges() -> Iterator[None]:
    """Who reads is nobody: the owner of everything may read what is closed to all."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


def seen(name: Path, variables: tuple[str, ...] = ()) -> NotFound:
    with pytest.raises(NotFound) as caught:
        see_file(str(name), variables)
    return caught.value


def test_a_file_that_is_not_there_is_named_with_its_variable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = tmp_path / "token"
    monkeypatch.setenv("ONE_FILE", "/elsewhere")
    monkeypatch.setenv("TOKEN_FILE", str(name))
    told = seen(name, ("ONE_FILE", "TOKEN_FILE", "NOT_SET"))
    says = f"TOKEN_FILE: the file `{name}` cannot be read: No such file or directory"
    assert told.reason == says
    assert told.hint == "create it, or mend its name"
    # It may come yet, as files of a volume do.
    assert not told.absent


def test_a_folder_and_what_lies_below_a_file_are_no_files(tmp_path: Path) -> None:
    assert seen(tmp_path).hint == "name a file in it"
    (tmp_path / "file").touch()
    told = seen(tmp_path / "file/token")
    assert told.reason.endswith("cannot be read: Not a directory")
    assert told.hint == "name a file that can be read"


def test_a_file_that_is_closed_to_us_is_named(tmp_path: Path) -> None:
    name = tmp_path / "token"
    name.touch(mode=0)
    with without_privileges():
        told = seen(name)
    assert told.reason == f"the file `{name}` cannot be read: Permission denied"
    assert told.hint == "let the user read it whom the gateway runs as"


def test_a_file_that_can_be_read_may_be_empty(tmp_path: Path) -> None:
    (tmp_path / "token").touch()
    see_file(str(tmp_path / "token"))


def test_a_failure_that_comes_of_a_file_tells_which() -> None:
    try:
        try:
            Path("/nonexistent/key.pem").read_bytes()
        except OSError as cause:
            raise RuntimeError("holds-a-secret") from cause
    except RuntimeError as error:
        told = unreadable_file(error)
    assert told is not None
    assert told.reason == (
        "the file `/nonexistent/key.pem` cannot be read: No such file or directory"
    )
    assert unreadable_file(ConnectionRefusedError(111, "refused")) is None
    assert unreadable_file(None) is None


def test_a_fault_stands_at_the_option_that_is_to_be_mended() -> None:
    source = Chain(NotFound("x"))
    fault = fault_of(source, NotFound("no such profile", option="profile", hint="name another"))
    assert str(fault) == "providers.b.aws.profile: no such profile. hint: name another"
    fault = fault_of(source, NotFound("no key"))
    assert str(fault) == "providers.b.aws: no key. hint: give the key"
