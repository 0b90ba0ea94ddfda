"""Files that a configuration names: what they hold, or why they cannot be read and what helps."""

from __future__ import annotations

from pathlib import Path

__all__ = ["Unreadable", "read_secret_file", "unreadable"]

_FILE_BYTES_MAX = 1024 * 1024


class Unreadable(ValueError):  # noqa: N818 -- says what is the matter
    """A file cannot be read.

    Attributes:
        hint: What helps, where that can be known.
    """

    def __init__(self, message: str, hint: str = "") -> None:
        """Keep the parts."""
        super().__init__(message)
        self.hint = hint


def read_secret_file(name: str) -> str:
    """The text of a secret's file, without the line break at its end.

    Raises:
        Unreadable: It cannot be read, is no UTF-8 text, or is larger than 1 MiB.
    """
    try:
        with Path(name).open("rb") as file:
            content = file.read(_FILE_BYTES_MAX + 1)
    except (OSError, ValueError) as error:
        raise unreadable(name, error) from None
    if len(content) > _FILE_BYTES_MAX:
        raise Unreadable(f"the file `{name}` is larger than 1 MiB")
    try:
        return content.decode().rstrip("\r\n")
    except UnicodeDecodeError:
        raise Unreadable(f"the file `{name}` is not UTF-8 text") from None


def unreadable(name: str, error: OSError | ValueError) -> Unreadable:
    """Why opening the file failed."""
    if not isinstance(error, OSError):  # a NUL in the name
        return Unreadable(f"the file `{name!r}` cannot be read: no such name")
    reason, hint = error.strerror, ""
    if isinstance(error, FileNotFoundError):
        hint = "create it, or mend its name"
        # The file that is missing is another one than the one that is named.
        if Path(name).is_symlink():
            reason = f"it is a link to `{Path(name).readlink()}`, which is not there"
            hint = "mend the link, or name another file"
    elif isinstance(error, IsADirectoryError):
        hint = "name a file in it"
    elif isinstance(error, PermissionError):
        hint = "let the user read it whom the gateway runs as"
    return Unreadable(f"the file `{name}` cannot be read: {reason}", hint)
