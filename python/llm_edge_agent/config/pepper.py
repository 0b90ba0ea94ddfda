"""The secret that key hashes are made with, and the folder it lies in.

It comes from `LLM_EDGE_KEY_PEPPER`, or from the file `pepper` in the state folder, which is made at
the first start and readable by its owner only. Where no folder can be written and no stored hash
depends on it, a pepper that lives as long as the process does.
"""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from llm_edge_agent.config.files import read_secret_file
from llm_edge_agent.errors import StateError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from llm_edge_agent.config.schema import Config

__all__ = ["Pepper", "given_pepper", "load_pepper", "state_dir"]

_VARIABLE = "LLM_EDGE_KEY_PEPPER"
_PROGRAM = "llm-edge-agent"
_FILE_NAME = "pepper"
_CHARS_MIN = 32
_OTHERS_MASK = 0o077


class Pepper(NamedTuple):
    """Secret of the key hashes.

    Attributes:
        value: The secret.
        source: Variable or file it came from; None when it lives in memory only.
        warnings: What an operator should know of it.
    """

    value: bytes
    source: str | None
    warnings: tuple[str, ...] = ()

    def __repr__(self) -> str:
        """Without the value."""
        return f"Pepper(***, source={self.source!r})"


def state_dir(config: Config | None = None, env: Mapping[str, str] | None = None) -> Path:
    """The state folder: as configured, else systemd's, else below the user's home."""
    env = os.environ if env is None else env
    if config is not None and config.state_dir is not None:
        return Path(config.state_dir)
    if env.get("STATE_DIRECTORY"):
        # systemd lists several folders with colons; the first is ours.
        return Path(env["STATE_DIRECTORY"].split(":")[0])
    if env.get("XDG_STATE_HOME"):
        return Path(env["XDG_STATE_HOME"]) / _PROGRAM
    home = env.get("HOME")
    return (Path(home) if home else Path("/")) / ".local" / "state" / _PROGRAM


def given_pepper(env: Mapping[str, str] | None = None) -> Pepper | None:
    """The pepper that the environment gives, if it does; nothing is made.

    Args:
        env: Environment; the process's own when None.

    Raises:
        StateError: It is too short, or its file cannot be read.
    """
    env = os.environ if env is None else env
    if _VARIABLE in env:
        return Pepper(_checked(env[_VARIABLE], _VARIABLE), _VARIABLE)
    name = env.get(f"{_VARIABLE}_FILE")
    if name is None:
        return None
    try:
        return Pepper(_checked(read_secret_file(name), name), name)
    except ValueError as error:
        raise StateError(f"{_VARIABLE}_FILE: {error}") from None


def load_pepper(
    config: Config | None = None, env: Mapping[str, str] | None = None, *, keep: bool = False
) -> Pepper:
    """The pepper of this installation; made at the first call.

    Args:
        config: Says where the state folder is, and whether stored hashes depend on the pepper.
        env: Environment; the process's own when None.
        keep: Whether the pepper must outlive the process, as when a hash is to be stored.

    Raises:
        StateError: It is too short, or the folder cannot be used though hashes depend on it or it
        was
            named by the configuration or by systemd.
    """
    env = os.environ if env is None else env
    given = given_pepper(env)
    if given is not None:
        return given
    folder = state_dir(config, env)
    hashed = config is not None and any(key.hash for key in config.keys)
    named = (config is not None and config.state_dir is not None) or "STATE_DIRECTORY" in env
    path = folder / _FILE_NAME
    try:
        made = _make(folder, path)
        pepper = _read(path)
    except OSError as error:
        if not (keep or hashed or named):
            return Pepper(secrets.token_hex(32).encode(), None)
        message = (
            f"the state folder `{folder}` cannot be used: {error.strerror}. hint: make it "
            f"writable, name another one with `state_dir`, or set {_VARIABLE}"
        )
        raise StateError(message) from None
    if made and hashed:
        doubt = f"{path}: made now; key hashes made with another pepper do not match any key"
        return pepper._replace(warnings=(*pepper.warnings, doubt))
    return pepper


def _checked(text: str, source: str) -> bytes:
    text = text.strip()
    if len(text) < _CHARS_MIN:
        message = f"{source}: the pepper has fewer than {_CHARS_MIN} characters"
        raise StateError(message)
    return text.encode()


def _read(path: Path) -> Pepper:
    warnings: tuple[str, ...] = ()
    if path.stat().st_mode & _OTHERS_MASK:
        warnings = (f"{path}: other users may read the pepper. hint: chmod 600 {path}",)
    return Pepper(_checked(path.read_text(errors="replace"), str(path)), str(path), warnings)


def _make(folder: Path, path: Path) -> bool:
    """Make the file unless it is there; it never exists without its content."""
    if path.exists():
        return False
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = folder / f".{_FILE_NAME}.{secrets.token_hex(8)}"
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(handle, "w") as file:
            file.write(secrets.token_hex(32) + "\n")
            file.flush()
            os.fsync(file.fileno())
        # A link, unlike a rename, does not replace what another process made meanwhile.
        os.link(draft, path)
    except FileExistsError:
        return False
    finally:
        draft.unlink()
    return True
