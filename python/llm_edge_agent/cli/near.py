"""Names that a name may have been meant to be."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from llm_edge_agent.config import Config

__all__ = ["did_you_mean", "hint_for", "near", "near_models"]

_SHOWN = 3


def near(word: str, known: Iterable[str], likeness: float = 0.6) -> list[str]:
    """Up to three of the known words, the nearest first; none that is less like it than that."""
    return difflib.get_close_matches(word, list(dict.fromkeys(known)), _SHOWN, likeness)


def near_models(config: Config, name: str, more: Iterable[str] = ()) -> list[str]:
    """Names near to a model's: those that are listed, of `more`, and it at another provider."""
    from llm_edge_agent.compiler import compile_models

    provider, slash, model = name.partition("/")
    # Names of providers are short: a slip is a large part of them.
    moved = near(provider, config.providers, 0.5) if slash else []
    known = [f"{other}/{model}" for other in moved if other != provider]
    known += [listed.id for listed in compile_models(config)]
    return near(name, [*known, *more])


def did_you_mean(names: Iterable[str]) -> str:
    """The question, or nothing where there is no such name."""
    words = " or ".join(f"`{name}`" for name in names)
    return f"did you mean {words}?" if words else ""


def hint_for(config: Config, name: str, more: Iterable[str] = ()) -> str:
    """What to do about a model's name that leads nowhere."""
    listed = "`llm-edge-agent models` lists the names"
    if question := did_you_mean(near_models(config, name, more)):
        return f"{question} {listed}"
    if "/" not in name:
        return listed
    return f"providers here: {', '.join(f'`{key}`' for key in config.providers)}; {listed}"
