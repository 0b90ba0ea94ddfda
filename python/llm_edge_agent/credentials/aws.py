"""Amazon access keys from the usual chain: environment, profile, web identity, container, instance.

The chain is botocore's own, so that what works for the AWS CLI works here: the same files,
variables and order. It is walked anew each time, which is what finds a rotated file; when and how
often is the renewer's affair.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from llm_edge_agent.config.secret import Secret
from llm_edge_agent.config.shape import nearest
from llm_edge_agent.credentials.found import Found, NotFound, is_word, see_file, unreadable_file
from llm_edge_agent.credentials.quiet import quiet

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["AwsChain", "access_key"]

_MISTAKES = frozenset(
    {"ConfigNotFound", "ConfigParseError", "PartialCredentialsError", "ProfileNotFound"}
)
"""Errors of botocore's that time does not mend: a file or its content is not as it must be."""

_AT_HAND = frozenset(
    {
        "assume-role-with-web-identity",
        "boto-config",
        "config-file",
        "ec2-credentials-file",
        "env",
        "login",
        "shared-credentials-file",
        "sso",
    }
)
"""Links of the chain that read files and variables alone until a key is asked of what they load."""

_IDENTITY_FILE = "AWS_WEB_IDENTITY_TOKEN_FILE"
_FILES = (_IDENTITY_FILE, "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE")
_CONTAINER = ("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_CREDENTIALS_FULL_URI")


def access_key(key_id: str, secret: str, session_token: str | None = None) -> Secret:
    """An access key as the engine takes it, its parts between spaces (`rust/core/src/sigv4.rs`)."""
    return Secret(" ".join(part for part in (key_id, secret, session_token) if part))


@dataclass(frozen=True)
class AwsChain:
    """The chain for one provider.

    Attributes:
        provider: Its name.
        region: Its region, where web identities are exchanged too.
        profile: Of the shared files; None for the one that `AWS_PROFILE` names, or `default`.
    """

    provider: str
    region: str
    profile: str | None = None

    option: ClassVar[str] = "aws"
    hint: ClassVar[str] = "give the key, a profile, or run where the AWS CLI finds one"

    def check(self) -> str:
        """Walk the chain as far as files and variables lead.

        Raises:
            NotFound: It holds no key, or a link of it cannot be used.
        """
        with self._told():
            session = self._session()
            options = session.get_scoped_config()
            for link in session.get_component("credential_provider").providers:
                if link.METHOD in _AT_HAND:
                    if link.load() is not None:
                        if link.METHOD == "assume-role-with-web-identity":
                            self._see_identity(options)
                        return ""
                elif link.METHOD == "iam-role":
                    if os.environ.get("AWS_EC2_METADATA_DISABLED", "").lower() != "true":
                        return "the machine's metadata service"
                elif _leads_on(link.METHOD, options):
                    return ""
        raise NotFound("no access key was found", absent=True)

    def find(self) -> Found:
        """Walk the chain.

        Raises:
            NotFound: It holds no key, or a link of it failed.
        """
        self.check()
        with self._told():
            credentials = self._session().get_credentials()
            key = credentials.get_frozen_credentials() if credentials else None
        if key is None:
            raise NotFound("no access key was found", absent=True)
        parts = (key.access_key, key.secret_key, key.token)
        if not all(is_word(part) for part in parts if part) or not all(parts[:2]):
            raise NotFound("the access key found holds a space or non-ASCII text")
        # Not public, and read by the AWS CLI (`configure export-credentials`) in the same way.
        expires = getattr(credentials, "_expiry_time", None)
        return Found(access_key(*parts), expires.timestamp() if expires else None)

    def _session(self) -> Any:  # noqa: ANN401 -- of a library without types
        # An extra of the package, and slow to import.
        from botocore.session import Session  # noqa: PLC0415

        session = Session(profile=self.profile)
        session.set_config_variable("region", self.region)
        return session

    def _see_identity(self, options: Mapping[str, str]) -> None:
        # A profile that is named comes before what the environment holds.
        named = None if self.profile else os.environ.get(_IDENTITY_FILE)
        see_file(named or options["web_identity_token_file"], _FILES)

    @contextmanager
    def _told(self) -> Iterator[None]:
        """What fails here is told in our words."""
        try:
            with quiet("botocore.credentials", "botocore.utils"):
                yield
        except NotFound:
            raise
        except ImportError:
            raise NotFound("botocore is not installed", absent=True) from None
        except Exception as error:  # noqa: BLE001 -- files, processes and networks fail in all ways
            raise self._fault(error) from None

    def _fault(self, error: Exception) -> NotFound:
        name, told = type(error).__name__, getattr(error, "kwargs", {})
        if name == "ProfileNotFound":
            return self._no_profile(told["profile"])
        if name == "ConfigParseError":
            # Nothing of the line itself, which may be a key's.
            line = _line(told.get("error"))
            reason = f"the file `{told['path']}` is no AWS configuration{line}"
            hint = "mend it: sections such as `[default]`, and lines `name = value` below them"
            return NotFound(reason, absent=True, hint=hint)
        if name == "PartialCredentialsError":
            place, lacks = told["provider"], told["cred_var"]
            reason = f"the access key of the AWS CLI's chain (`{place}`) lacks `{lacks}`"
            return NotFound(reason, absent=True, hint="give both parts of the key")
        if (unreadable := unreadable_file(error, _FILES)) is not None:
            return unreadable
        # The name alone: the text may repeat what a process or an endpoint has said.
        reason = f"looking for an access key failed ({name})"
        return NotFound(reason, absent=name in _MISTAKES)

    def _no_profile(self, profile: str) -> NotFound:
        from botocore.session import Session  # noqa: PLC0415

        reason = f"there is no profile `{profile}` in the files of the AWS CLI"
        if self.profile is None:
            variables = ("AWS_DEFAULT_PROFILE", "AWS_PROFILE")
            led = [name for name in variables if os.environ.get(name) == profile]
            reason = ": ".join([*led[:1], reason])
        hint = nearest(profile, Session().available_profiles) or "`aws configure` writes one"
        option = "profile" if self.profile is not None else ""
        return NotFound(reason, absent=True, hint=hint, option=option)


def _leads_on(method: str, options: Mapping[str, str]) -> bool:
    """Whether a link leads to a key that only a network or a program can tell."""
    match method:
        case "assume-role":
            return "role_arn" in options and "web_identity_token_file" not in options
        case "custom-process":
            return "credential_process" in options
        case "container-role":
            return any(variable in os.environ for variable in _CONTAINER)
        case _:
            # One that is not known here: nothing is said of it.
            return True


def _line(error: Exception | None) -> str:
    """Where a file cannot be read on, as far as `configparser` says so."""
    lines = [line for line, _ in getattr(error, "errors", ())] or [getattr(error, "lineno", None)]
    return f": line {lines[0]} cannot be read" if lines[0] else ""
