"""Access tokens of Google Cloud, for a credential that is given or for the one of the environment.

What a credential is, and how a token is got for it, is google-auth's affair: service accounts,
workload identity federation, impersonation, the gcloud CLI's own login, and the metadata server of
a machine or pod. A credential is read anew each time, which is what finds a rotated file; when and
how often is the renewer's affair.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

from llm_edge_agent.config.google import CredentialFault, read_credential
from llm_edge_agent.config.schema import Google
from llm_edge_agent.credentials.found import NotFound, found_token, see_file, unreadable_file
from llm_edge_agent.credentials.quiet import quiet

if TYPE_CHECKING:
    from collections.abc import Iterator

    from llm_edge_agent.credentials.found import Found

__all__ = ["GoogleTokens"]

# For one answer; google-auth asks again by itself where that helps.
_ANSWER_S = 10.0

_LOUD = (
    "google.auth._default",
    "google.auth.compute_engine._metadata",
    "google.auth.compute_engine.credentials",
    "google.auth.external_account",
    "google.auth.impersonated_credentials",
    "google.oauth2._client",
    "google.oauth2.credentials",
    "google.oauth2.service_account",
)

_MISTAKES = frozenset({"DefaultCredentialsError", "ValueError"})
"""Errors, or what they are kinds of, that time does not mend: a credential is not as it must be."""

_CODES = frozenset(
    {
        "access_denied",
        "invalid_client",
        "invalid_grant",
        "invalid_request",
        "invalid_scope",
        "invalid_target",
        "unauthorized_client",
        "unsupported_grant_type",
    }
)
"""What an authorisation server may say that is safe to repeat (RFC 6749 §5.2, RFC 8693 §2.2.2)."""


@dataclass(frozen=True)
class GoogleTokens:
    """Access tokens for one provider.

    Attributes:
        provider: Its name.
        scope: What they are for.
        google: Its credential, as configured.
    """

    provider: str
    scope: str
    google: Google

    option: ClassVar[str] = "google"
    hint: ClassVar[str] = (
        "give a `credentials_file`, run `gcloud auth application-default login`, or run where there"
        " is a metadata server"
    )

    def check(self) -> str:
        """Read the credential, and the keys and files that it is made of.

        Raises:
            NotFound: There is none, or it cannot be used.
        """
        with self._told():
            google = self.google if self._is_given() else self._of_login()
            if google is None:
                if os.environ.get("NO_GCE_CHECK") == "true":
                    raise NotFound("no credential was found", absent=True)
                return "the metadata server of a machine or pod"
            info = read_credential(google) or {}
            try:
                _of(info, [self.scope])
            except (ValueError, TypeError, KeyError, AttributeError) as error:
                raise self._unusable(google, info, error) from None
            source = info.get("credential_source")
            if isinstance(source, dict) and isinstance(source.get("file"), str):
                see_file(source["file"])
        return ""

    def find(self) -> Found:
        """Get a token.

        Raises:
            NotFound: There is no credential, or no token was got for it.
        """
        self.check()
        with self._told():
            from google.auth.transport.requests import Request  # noqa: PLC0415

            credentials = self._credentials()
            credentials.refresh(partial(Request(), timeout=_ANSWER_S))
        # It tells UTC without saying so.
        expiry = credentials.expiry.replace(tzinfo=UTC).timestamp() if credentials.expiry else None
        return found_token(credentials.token, expiry)

    @contextmanager
    def _told(self) -> Iterator[None]:
        """What fails here is told in our words."""
        try:
            with quiet(*_LOUD):
                # An extra of the package, and slow to import.
                import google.auth.transport.requests  # noqa: F401, PLC0415

                yield
        except NotFound:
            raise
        except CredentialFault as error:
            raise NotFound(str(error), absent=True, hint=error.hint) from None
        except ImportError:
            raise NotFound("google-auth is not installed", absent=True) from None
        except Exception as error:  # noqa: BLE001 -- files, processes and networks fail in all ways
            if (unreadable := unreadable_file(error)) is not None:
                raise unreadable from None
            # The name and a known word alone: the text may repeat what the other side has said.
            names = {kind.__name__ for kind in type(error).__mro__}
            reason = f"getting an access token failed ({type(error).__name__}{_code(error)})"
            raise NotFound(reason, absent=not names.isdisjoint(_MISTAKES)) from None

    def _is_given(self) -> bool:
        return self.google.credentials is not None or self.google.credentials_file is not None

    def _of_login(self) -> Google | None:
        """The login of the gcloud CLI, where there is one."""
        from google.auth import _cloud_sdk  # noqa: PLC0415

        path = _cloud_sdk.get_application_default_credentials_path()
        return Google(credentials_file=path) if os.path.isfile(path) else None  # noqa: PTH113

    def _unusable(self, google: Google, info: dict[str, Any], error: Exception) -> NotFound:
        """A credential that is whole, and yet none: nothing of what it holds is repeated."""
        option = "credentials" if google.credentials is not None else "credentials_file"
        what = f"the file `{google.credentials_file}`" if google.credentials is None else "it"
        if info["type"] == "service_account":
            reason = f"{what} is no credential: its `private_key` is no private key in PEM form"
            hint = "`gcloud iam service-accounts keys create` writes a whole one"
        else:
            reason = f"{what} holds no credential that can be used ({type(error).__name__})"
            hint = "`gcloud` and the console write such files"
        if not self._is_given():
            option, hint = "", "`gcloud auth application-default login` writes it anew"
        return NotFound(reason, absent=True, hint=hint, option=option)

    def _credentials(self) -> Any:  # noqa: ANN401 -- whichever class of the library it is
        info = read_credential(self.google)
        if info is None:
            import google.auth  # noqa: PLC0415

            return google.auth.default(scopes=[self.scope])[0]
        return _of(info, [self.scope])


def _of(info: dict[str, Any], scopes: list[str]) -> Any:  # noqa: ANN401
    """The credential that `info` describes.

    google-auth has a function for all of them, and warns whoever calls it of files that others
    have written; an operator's own file is what is read here.
    """
    match info["type"]:
        case "service_account":
            from google.oauth2 import service_account  # noqa: PLC0415

            return service_account.Credentials.from_service_account_info(info, scopes=scopes)
        case "authorized_user":
            from google.oauth2.credentials import Credentials  # noqa: PLC0415

            return Credentials.from_authorized_user_info(info)
        case "impersonated_service_account":
            from google.auth import impersonated_credentials  # noqa: PLC0415

            kind = impersonated_credentials.Credentials
            return kind.from_impersonated_service_account_info(info, scopes=scopes)
        case "external_account_authorized_user":
            from google.auth import external_account_authorized_user  # noqa: PLC0415

            return external_account_authorized_user.Credentials.from_info(info)
        case _:
            return _external(info, scopes)


def _external(info: dict[str, Any], scopes: list[str]) -> Any:  # noqa: ANN401
    """Workload identity: a token of another identity provider, exchanged for Google's."""
    source = info.get("credential_source")
    if info.get("subject_token_type") == "urn:ietf:params:aws:token-type:aws4_request":
        from google.auth import aws  # noqa: PLC0415

        return aws.Credentials.from_info(info, scopes=scopes)
    if isinstance(source, dict) and source.get("executable") is not None:
        from google.auth import pluggable  # noqa: PLC0415

        return pluggable.Credentials.from_info(info, scopes=scopes)
    from google.auth import identity_pool  # noqa: PLC0415

    return identity_pool.Credentials.from_info(info, scopes=scopes)


def _code(error: Exception) -> str:
    said = next((part for part in error.args if isinstance(part, dict)), {})
    code = said.get("error")
    return f": {code}" if isinstance(code, str) and code in _CODES else ""
