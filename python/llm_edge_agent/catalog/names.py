r"""The spellings of one model's name.

A name as a provider takes it says more than which model it is: a place (`us.`, an ARN), a release
(`-2026-01-01`, `@20260101`, `-v1:0`) or, behind a version, that any release of it will do
(`gpt-5-latest`; but `gemini-pro-latest` is no release of `gemini-pro`). Where the catalog has no
entry for the whole of it, the entry without that says the same of it.
Nothing else is ever left out: what is called otherwise is another model.

Sources: Amazon Bedrock user guide, "Cross-Region inference" and "Supported foundation models";
Vertex AI, "Model versions"; the rules (`match`) of genai-prices, of which it takes the endings that
name a release and leaves the open beginnings, which would price a model that it lacks as its
predecessor.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["spellings"]

# Not `global.`, whose prices are others.
_PLACE = re.compile(r"(?:us|us-gov|eu|apac|au|jp|ca|in|sa|me|af)\.(?=[a-z0-9]+\.)")
_FOLDERS = re.compile(
    r"(?:arn:aws[a-z-]*:bedrock:.*:(?:foundation-model|inference-profile)/"
    r"|(?:projects/[^/]+/locations/[^/]+/)?publishers/[^/]+/models/|models/)"
)
_RELEASE = re.compile(
    r"@[a-z0-9.-]+|-v1:\d+|(?<=-20\d{6})-v\d+:\d+|(?<=-\d)-v1|:\d+|-20\d{2}-?[01]\d-?[0-3]\d"
    r"|(?<=-flash)-00\d|(?<=-lite)-00\d|(?<=-pro)-00\d"
)
_LATEST = "-latest"
_VERSION = re.compile(r"\d")
_COMPACT = re.compile(r"-(20\d{2})([01]\d)([0-3]\d)$")
_RELEASES_MAX = 3


def spellings(name: str) -> Iterator[str]:
    """The names under which a model may stand, the most exact first, all in lower case.

    >>> list(spellings("us.anthropic.claude-x-20260101-v1:0"))[-1]
    'anthropic.claude-x'
    """
    seen = set()
    for spelling in _all(name.lower()):
        if spelling not in seen:
            seen.add(spelling)
            yield spelling


def _all(name: str) -> Iterator[str]:
    if name.startswith("ft:"):
        # `ft:<model>:<organisation>:<name>:<id>`: tuned models of one kind have one price.
        name = ":".join(name.split(":")[:2])
    for anywhere in _without_place(name):
        yield anywhere
        yield _COMPACT.sub(r"-\1-\2-\3", anywhere)
    for anywhere in _without_place(name):
        for _ in range(_RELEASES_MAX):
            anywhere, changed = _without_release(anywhere)  # noqa: PLW2901 -- shorter each time
            if not changed:
                break
            yield anywhere
        if _VERSION.search(anywhere):
            yield f"{anywhere}{_LATEST}"


def _without_place(name: str) -> Iterator[str]:
    yield name
    folder = _FOLDERS.match(name)
    if folder:
        name = name[folder.end() :]
        yield name
    place = _PLACE.match(name)
    if place:
        yield name[place.end() :]


def _without_release(name: str) -> tuple[str, bool]:
    if name.endswith(_LATEST) and _VERSION.search(name):
        return name.removesuffix(_LATEST), True
    for found in _RELEASE.finditer(name):
        if found.end() == len(name) and found.start():
            return name[: found.start()], True
    return name, False
