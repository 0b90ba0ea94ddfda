"""Whether what an extra of the package brings is there, without importing it."""

from __future__ import annotations

from importlib.util import find_spec

__all__ = ["are_installed"]


def are_installed(*modules: str) -> bool:
    """Whether all of these modules can be imported."""
    try:
        return all(find_spec(module) is not None for module in modules)
    except ModuleNotFoundError:  # a package that one of them would be in
        return False
