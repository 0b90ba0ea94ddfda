"""Amazon access keys from the usual chain: environment, profile, web identity, container, instance.

The chain is botocore's own, so that what works for the AWS CLI works here: the same files,
variables and order. It is walked anew each time, which is what finds a rotated file; when and how
often is the renewer's affair.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from llm_edge_agent.config.secret import Secret
from llm_edge_agent.credentials.found import Found, NotFound, is_word
from llm_edge_agent.credentials.quiet import quiet

__all__ = ["AwsChain", "access_key"]

_MISTAKES = frozenset(
    {"ConfigNotFound", "ConfigParseError", "PartialCredentialsError", "ProfileNotFound"}
)
"""Errors of botocore's that time does not mend: a file or its content is not as it must be."""


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

    def find(self) -> Found:
        """Walk the chain.

        Raises:
            NotFound: It holds no key, or a link of it failed.
        """
        try:
            with quiet("botocore.credentials", "botocore.utils"):
                # An extra of the package, and slow to import.
                from botocore.session import Session  # noqa: PLC0415

                session = Session(profile=self.profile)
                session.set_config_variable("region", self.region)
                credentials = session.get_credentials()
                key = credentials.get_frozen_credentials() if credentials else None
        except ImportError:
            raise NotFound("botocore is not installed", absent=True) from None
        except Exception as error:  # noqa: BLE001 -- files, processes and networks fail in all ways
            # The name alone: the text may repeat what a process or an endpoint has said.
            name = type(error).__name__
            reason = f"looking for an access key failed ({name})"
            raise NotFound(reason, absent=name in _MISTAKES) from None
        if key is None:
            raise NotFound("no access key was found", absent=True)
        parts = (key.access_key, key.secret_key, key.token)
        if not all(is_word(part) for part in parts if part) or not all(parts[:2]):
            raise NotFound("the access key found holds a space or non-ASCII text")
        # Not public, and read by the AWS CLI (`configure export-credentials`) in the same way.
        expires = getattr(credentials, "_expiry_time", None)
        return Found(access_key(*parts), expires.timestamp() if expires else None)
