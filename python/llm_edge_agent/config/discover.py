"""What goes without saying: providers whose keys lie in the environment, proxies, and the mock.

A key from the environment goes to the address that belongs to it and to no other: as soon as a
provider is given a base URL of its own, its key must be said there too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from llm_edge_agent.config.address import parse_base_url
from llm_edge_agent.config.marks import Mark
from llm_edge_agent.config.proxies import proxy_from_environment

if TYPE_CHECKING:
    from collections.abc import Mapping

    from llm_edge_agent.config.marks import Marks
    from llm_edge_agent.providers.spec import ProviderSpec

__all__ = ["MOCK_NAME", "Discovery"]

MOCK_NAME = "mock"

_GOOGLE = {
    "project": ("GOOGLE_CLOUD_PROJECT",),
    "location": ("GOOGLE_CLOUD_LOCATION", "CLOUD_ML_REGION"),
}

_AWS_KEY = {
    "access_key_id": "AWS_ACCESS_KEY_ID",
    "secret_access_key": "AWS_SECRET_ACCESS_KEY",
    "session_token": "AWS_SESSION_TOKEN",
}


class Discovery:
    """Completes a tree from the environment; keeps the variables it used."""

    def __init__(
        self, env: Mapping[str, str], specs: Mapping[str, ProviderSpec], marks: Marks
    ) -> None:
        """Take keys from `env`, and their names from `specs`."""
        self._env = env
        self._specs = specs
        self._marks = marks
        self.used: list[str] = []

    def add_providers(self, tree: dict[str, Any]) -> None:
        """Add a provider for each kind whose key, and address where needed, is there."""
        if tree.get("providers"):
            return
        found: dict[str, Any] = {}
        for spec in self._specs.values():
            placed = spec.base_url or (spec.base_url_env and self._env.get(spec.base_url_env))
            if spec.key_env and self._env.get(spec.key_env) and placed:
                found[spec.type] = {"type": spec.type}
                self._marks.put(("providers", spec.type), Mark(spec.key_env))
        if found:
            tree["providers"] = found

    def complete(self, tree: dict[str, Any]) -> None:
        """Fill in base URLs and keys that were left to the environment, and the mock."""
        providers = tree.get("providers")
        if providers is not None and not isinstance(providers, dict):
            return
        if tree.get("mock") in (True, "true") and MOCK_NAME not in (providers or {}):
            # At the end: configured providers come first wherever order counts.
            providers = tree["providers"] = {**(providers or {}), MOCK_NAME: {"type": "mock"}}
        for name, provider in (providers or {}).items():
            if isinstance(provider, dict):
                self._complete_one(tree, name, provider)
                self._complete_proxy(name, provider)

    def _complete_one(self, tree: dict[str, Any], name: str, provider: dict[str, Any]) -> None:
        kind = provider.get("type")
        spec = self._specs.get(kind) if isinstance(kind, str) else None
        if spec is None:
            return
        aws = provider.get("aws") if spec.signing_name else None
        if isinstance(aws, dict):
            self._complete_aws(name, aws)
        google = self._complete_google(name, provider) if spec.oauth_scope else None
        if provider.get("base_url") is not None:
            return
        if spec.type == "mock":
            tree["mock"] = True
            return
        if spec.base_url is not None:
            provider["base_url"] = spec.base_url
        elif spec.base_url_env and self._env.get(spec.base_url_env):
            self._take(provider, name, "base_url", spec.base_url_env)
        elif spec.region_url and isinstance(aws, dict) and isinstance(aws.get("region"), str):
            provider["base_url"] = spec.region_url.replace("{region}", aws["region"])
        elif spec.location_url and google is not None and isinstance(google.get("location"), str):
            provider["base_url"] = spec.address(google["location"])
        else:
            return
        keyless = (
            aws is None
            and provider.get("azure") is None
            and provider.get("api_key") is None
            and provider.get("api_keys") is None
        )
        if keyless and spec.key_env and self._env.get(spec.key_env):
            self._take(provider, name, "api_key", spec.key_env)

    def _complete_google(self, name: str, provider: dict[str, Any]) -> dict[str, Any] | None:
        """Fill in project, location and credential; None where no account is meant.

        A token goes to an address of the configuration's own only where it says `google` too.
        """
        google = provider.get("google")
        if google is None and provider.get("base_url") is None:
            google = provider["google"] = {}
        if not isinstance(google, dict):
            return None
        for option, variables in _GOOGLE.items():
            set_ones = [variable for variable in variables if self._env.get(variable)]
            if google.get(option) is None and set_ones:
                self._take(google, name, option, set_ones[0], "google")
        given = [google.get("credentials"), google.get("credentials_file")]
        given += [provider.get("api_key"), provider.get("api_keys")]
        variable = "GOOGLE_APPLICATION_CREDENTIALS"
        if self._env.get(variable) and not any(part is not None for part in given):
            self._take(google, name, "credentials_file", variable, "google")
        return google

    def _complete_proxy(self, name: str, provider: dict[str, Any]) -> None:
        """Fill in the proxy of the environment; `null` stands for none."""
        url = provider.get("base_url")
        if "proxy" in provider or not isinstance(url, str):
            return
        try:
            variable = proxy_from_environment(parse_base_url(url), self._env)
        except ValueError:
            return  # said where the options are checked
        if variable is not None:
            self._take(provider, name, "proxy", variable)

    def _complete_aws(self, name: str, aws: dict[str, Any]) -> None:
        """Fill in region and key. They may go to any address: the secret signs, and stays here."""
        if aws.get("region") is None:
            for variable in ("AWS_REGION", "AWS_DEFAULT_REGION"):
                if self._env.get(variable):
                    self._take(aws, name, "region", variable, "aws")
                    break
        if any(aws.get(option) is not None for option in ("profile", *_AWS_KEY)):
            return
        if self._env.get("AWS_ACCESS_KEY_ID") and self._env.get("AWS_SECRET_ACCESS_KEY"):
            for option, variable in _AWS_KEY.items():
                if self._env.get(variable):
                    self._take(aws, name, option, variable, "aws")

    def _take(
        self, options: dict[str, Any], name: str, option: str, variable: str, *below: str
    ) -> None:
        options[option] = self._env[variable]
        self._marks.put(("providers", name, *below, option), Mark(variable, is_text=True))
        self.used.append(variable)
