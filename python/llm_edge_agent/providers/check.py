"""Whether a specification can be used: those built in are tested, those from elsewhere are not."""

from __future__ import annotations

import re
from itertools import chain
from typing import TYPE_CHECKING

import msgspec

from llm_edge_agent.providers.spec import CHAT_MEMBERS, OPERATIONS, TOOL_ID_LENGTHS, ProviderSpec

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["fault_of", "path_fault"]

_WORD = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")
_PATH = re.compile(r"/[!-~]*")
_FIELD = re.compile(r"[a-z0-9._-]{1,128}")
_VALUE = re.compile(r"[ -~]*")
_MEMBER = re.compile(r"[a-z_]+")
_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")
_EITHER = re.compile(r"\{[^{}|]+\|[^{}|]+\}")
_ACCOUNT = frozenset({"project", "location"})


def path_fault(path: str, *, of_account: bool = False) -> str | None:
    """What is wrong with an operation's path, if anything is.

    Args:
        path: The path.
        of_account: Whether it may hold a Google Cloud account's project and location.
    """
    if _PATH.fullmatch(path) is None:
        return "a path begins with `/` and holds no space"
    before, model, behind = path.partition("{model}")
    plain = before + model + (_EITHER.sub("", behind, count=1) if model else "")
    named = _PLACEHOLDER.findall(plain)
    known = {"model", "api_version"} | (_ACCOUNT if of_account else frozenset())
    unknown = next((name for name in named if name not in known), None)
    if unknown is not None:
        return f"`{{{unknown}}}` stands for nothing; a path may hold `{{model}}`"
    if named.count("model") > 1:
        return "`{model}` stands in it twice"
    if set(_PLACEHOLDER.sub("", plain)) & set("{}"):
        return "a brace is not closed, or not opened"
    return None


def fault_of(spec: ProviderSpec) -> str | None:
    """What of a specification could not be used, if anything."""
    try:
        # Nothing is checked when one is made; what it was made from, is.
        msgspec.convert(msgspec.to_builtins(spec), ProviderSpec)
    except (msgspec.ValidationError, TypeError) as error:
        return str(error)
    if _WORD.fullmatch(spec.type) is None:
        return f"its `type` `{spec.type}` is not a word of `a-z`, `0-9`, `_` and `-`"
    if not spec.operations:
        return "it has no `operations`"
    checks = (_operation_faults, _path_faults, _field_faults, _member_faults, _catalog_faults)
    return next(chain.from_iterable(check(spec) for check in checks), None)


def _operation_faults(spec: ProviderSpec) -> Iterator[str]:
    for operations in (spec.operations, spec.versioned_operations, spec.operation_auth):
        for operation in operations:
            if operation not in OPERATIONS:
                yield f"there is no operation `{operation}`; there are {', '.join(OPERATIONS)}"


def _path_faults(spec: ProviderSpec) -> Iterator[str]:
    paths = {"`health_path`": spec.health_path}
    for operations in (spec.versioned_operations, spec.operations):
        paths |= {f"the path of `{name}`": path for name, path in operations.items()}
    for what, path in paths.items():
        fault = path_fault(path, of_account=spec.oauth_scope is not None)
        if fault is not None:
            yield f"{what}, `{path}`: {fault}"


def _field_faults(spec: ProviderSpec) -> Iterator[str]:
    fields = [(auth.header, auth.prefix) for auth in spec.operation_auth.values()]
    fields += [(spec.auth.header, spec.auth.prefix)] if spec.auth is not None else []
    fields += [*((name, "") for name in spec.withheld_headers), *spec.default_headers.items()]
    for name, value in fields:
        if _FIELD.fullmatch(name) is None:
            yield f"the header field `{name}` is not a word in lower case"
        if _VALUE.fullmatch(value) is None:
            yield f"the header field `{name}` holds a character that it cannot carry"


def _member_faults(spec: ProviderSpec) -> Iterator[str]:
    for name, own in spec.chat_members.items():
        if name not in CHAT_MEMBERS:
            yield f"`chat_members` holds `{name}`; it may hold {', '.join(CHAT_MEMBERS)}"
        if own is not None and _MEMBER.fullmatch(own) is None:
            yield f"`chat_members`: `{own}` is not a word of `a-z` and `_`"
    least, most = TOOL_ID_LENGTHS
    if spec.tool_id_length is not None and not least <= spec.tool_id_length <= most:
        yield f"`tool_id_length` is not from {least} to {most}"


def _catalog_faults(spec: ProviderSpec) -> Iterator[str]:
    for name in spec.catalog:
        if _WORD.fullmatch(name) is None:
            yield f"`catalog`: `{name}` is not a word of `a-z`, `0-9`, `_` and `-`"
