"""A Google Cloud account: the credential that a configuration gives, and the rules for it.

A credential is a JSON document of one of the kinds that `gcloud` and the console write. What must
be in it is checked here, so that a wrong file is a fault of the configuration, with its line; what
it is good for is found out when a token is asked for.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import msgspec

from llm_edge_agent.config.files import Unreadable, read_secret_file
from llm_edge_agent.config.library import are_installed

if TYPE_CHECKING:
    from llm_edge_agent.config.described import Fault
    from llm_edge_agent.config.marks import Path
    from llm_edge_agent.config.schema import Google, Provider
    from llm_edge_agent.providers import ProviderSpec

__all__ = ["CredentialFault", "check_google", "project_of", "read_credential"]

_NEEDED = {
    "service_account": ("client_email", "private_key", "token_uri"),
    "authorized_user": ("client_id", "client_secret", "refresh_token"),
    "external_account": ("audience", "subject_token_type", "token_url", "credential_source"),
    "external_account_authorized_user": ("audience", "refresh_token", "token_url"),
    "impersonated_service_account": ("source_credentials", "service_account_impersonation_url"),
}
"""Kind of credential → what it cannot do without."""

PROJECT_PATTERN = r"^[a-z0-9][a-z0-9.:-]{0,99}$"


class CredentialFault(Exception):  # noqa: N818 -- says what is the matter
    """A credential that is given cannot be read, or is none.

    Attributes:
        hint: What helps.
    """

    def __init__(
        self, message: str, hint: str = "`gcloud` and the console write such files"
    ) -> None:
        """Keep the parts."""
        super().__init__(message)
        self.hint = hint


def read_credential(google: Google) -> dict[str, Any] | None:
    """The credential that is given; None where none is.

    Raises:
        CredentialFault: It cannot be read, or is none; nothing of what it holds is repeated.
    """
    text, what = "", "it"
    if google.credentials is not None:
        text = google.credentials.reveal()
    elif google.credentials_file is not None:
        what = f"the file `{google.credentials_file}`"
        try:
            text = read_secret_file(google.credentials_file)
        except Unreadable as error:
            raise CredentialFault(str(error), error.hint) from None
    else:
        return None
    try:
        info = msgspec.json.decode(text, type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeEncodeError):
        raise CredentialFault(f"{what} is no JSON object, and so no credential") from None
    kind = info.get("type")
    if not isinstance(kind, str) or kind not in _NEEDED:
        known = ", ".join(f"`{name}`" for name in _NEEDED)
        raise CredentialFault(f"{what} is no credential: its `type` is none of {known}")
    missing = [name for name in _NEEDED[kind] if not info.get(name)]
    if missing:
        names = ", ".join(f"`{name}`" for name in missing)
        raise CredentialFault(f"{what} is no whole credential: it lacks {names}")
    return info


def project_of(google: Google) -> str | None:
    """The project: what is configured, or else the one that the credential belongs to.

    Raises:
        CredentialFault: As `read_credential`.
    """
    if google.project is not None:
        return google.project
    info = read_credential(google) or {}
    named = info.get("project_id") or info.get("quota_project_id")
    is_one = isinstance(named, str) and re.search(PROJECT_PATTERN, named) is not None
    return str(named) if is_one else None


def check_google(fault: Fault, path: Path, provider: Provider, spec: ProviderSpec) -> None:
    """See that a provider's account can be used; `path` is the provider's."""
    google = provider.google
    if spec.oauth_scope is None:
        if google is not None:
            message = f"a provider of type `{spec.type}` takes no Google Cloud account"
            fault((*path, "google"), message, "leave it out")
        return
    if google is None:
        hint = "write `google: {project: …, location: …}`"
        fault((*path, "google"), f"a provider of type `{spec.type}` needs an account", hint)
        return
    path = (*path, "google")
    if google.location is None:
        hint = "write it (`global`, `europe-west1`), or set GOOGLE_CLOUD_LOCATION"
        fault((*path, "location"), "is not known", hint)
    option = "credentials" if google.credentials is not None else "credentials_file"
    given = [google.credentials, google.credentials_file]
    if None not in given:
        fault((*path, "credentials"), "stands beside a `credentials_file`", "leave one of them out")
        return
    if any(part is not None for part in given) and provider.credentials:
        fault((*path, option), "stands beside an `api_key`", "leave one of them out")
        return
    try:
        project = project_of(google)
        read_credential(google)
    except CredentialFault as error:
        fault((*path, option), str(error), error.hint)
        return
    if project is None:
        hint = "write it, or set GOOGLE_CLOUD_PROJECT"
        fault((*path, "project"), "is not known, and no credential says it", hint)
    if not provider.credentials and not are_installed("google.auth", "requests"):
        message = "getting access tokens needs google-auth, which is missing"
        fault(path, message, "pip install 'llm-edge-agent[google]'")
