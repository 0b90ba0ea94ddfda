"""The token of the admin API: `LLM_EDGE_ADMIN_TOKEN`, or the file that `…_FILE` names."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from llm_edge_agent.config.files import Unreadable, read_secret_file
from llm_edge_agent.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["admin_token"]

_VARIABLE = "LLM_EDGE_ADMIN_TOKEN"


def admin_token(env: Mapping[str, str] | None = None) -> str | None:
    """The operator's token of the admin API, if there is one.

    Args:
        env: Environment; the process's own when None.

    Raises:
        ConfigError: It is empty, cannot be sent in a header field, or its file cannot be read.
    """
    env = os.environ if env is None else env
    token, file = env.get(_VARIABLE), env.get(f"{_VARIABLE}_FILE")
    if token is None and file is not None:
        try:
            token = read_secret_file(file).strip()
        except Unreadable as error:
            raise ConfigError(str(error), file=f"{_VARIABLE}_FILE", hint=error.hint) from None
    if token is None:
        return None
    if not token or not token.isascii() or not token.isprintable() or " " in token:
        message = "must be printable ASCII without spaces, and not empty"
        raise ConfigError(message, file=_VARIABLE, hint="unset it to have one made")
    return token
