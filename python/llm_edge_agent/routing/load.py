"""Finds a policy by its name: an entry point of a distribution, or `module:function`."""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, cast

from llm_edge_agent.errors import ConfigError

if TYPE_CHECKING:
    from llm_edge_agent.routing.policy import Policy

__all__ = ["GROUP", "load_policy"]

GROUP = "llm_edge_agent.policies"


def load_policy(name: str, path: str) -> Policy:
    """The policy of that name.

    Args:
        name: An entry point's name in the group `llm_edge_agent.policies`, or `module:function`.
        path: Where it is named in the configuration, for messages.

    Raises:
        ConfigError: There is none, several, or what there is cannot be imported or called.
    """
    try:
        found = _found(name, path)
    except ConfigError:
        raise
    except (Exception, SystemExit) as error:  # noqa: BLE001 -- somebody else's module does as it likes
        message = f"the policy `{name}` cannot be imported ({type(error).__name__})"
        hint = "import it with the gateway's own Python to see why"
        raise ConfigError(message, path=path, hint=hint) from None
    if not callable(found):
        raise ConfigError(f"the policy `{name}` is nothing that can be called", path=path)
    return cast("Policy", found)


def _found(name: str, path: str) -> object:
    module, colon, attribute = name.partition(":")
    if colon:
        found: object = import_module(module)
        for part in attribute.split("."):
            found = getattr(found, part)
        return found
    points = entry_points(group=GROUP, name=name)
    if not points:
        message = f"no distribution brings a policy `{name}`"
        hint = f"install one with an entry point of the group `{GROUP}`, or write `module:function`"
        raise ConfigError(message, path=path, hint=hint)
    if len(points) > 1:
        raise ConfigError(f"several distributions bring a policy `{name}`", path=path)
    (point,) = points
    return point.load()
