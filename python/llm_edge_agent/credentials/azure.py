"""Access tokens of Microsoft Entra ID, for an identity that is given or for the one found.

What an identity is, and how a token is got for it, is azure-identity's affair: a service principal
by secret or certificate, the workload identity of a pod, the managed identity of a machine or
function, the login of the Azure CLI. It is looked for anew each time, which is what finds a rotated
file; when and how often is the renewer's affair.
"""

from __future__ import annotations

import os
import re
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from llm_edge_agent.credentials.found import NotFound, found_token, see_file, unreadable_file
from llm_edge_agent.credentials.quiet import quiet

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from llm_edge_agent.config.schema import Azure
    from llm_edge_agent.credentials.found import Found

__all__ = ["AzureTokens"]

# For one answer; azure-core asks again by itself where that helps.
_ANSWER_S = 10

_LOUD = ("azure.identity", "azure.core", "msal")

_CODE = re.compile(r"\bAADSTS\d{4,8}\b")
"""What Entra ID calls an error; the text beside it names tenants and applications."""

_AUTHORITY = "AZURE_AUTHORITY_HOST"
_CERTIFICATE, _WORKLOAD = "AZURE_CLIENT_CERTIFICATE_PATH", "AZURE_FEDERATED_TOKEN_FILE"
_FILES = (_CERTIFICATE, _WORKLOAD)
_APPLICATION = ("AZURE_CLIENT_SECRET", _CERTIFICATE, "AZURE_USERNAME")
"""Variables that make an application of the environment, with those that name it."""
_ENDPOINTS = ("IDENTITY_ENDPOINT", "MSI_ENDPOINT")
"""Variables that lead to the identity of a function or an app."""


@dataclass(frozen=True)
class AzureTokens:
    """Access tokens for one provider.

    Attributes:
        provider: Its name.
        scope: What they are for, where its `azure` says nothing else.
        azure: Its identity, as configured.
        found: Of which kind the identity is that was found.
    """

    provider: str
    scope: str
    azure: Azure
    found: set[str] = field(default_factory=set, compare=False, repr=False)

    option: ClassVar[str] = "azure"
    hint: ClassVar[str] = (
        "give `tenant_id`, `client_id` and `client_secret`, run `az login`, or run where there is a"
        " workload's or a managed identity"
    )

    def check(self) -> str:
        """See that an identity that is given, or lies in the environment, can be used.

        Raises:
            NotFound: It cannot.
        """
        kinds = set()
        with self._told():
            for identity in self._identities():
                kinds.add(type(identity).__name__)
                identity.close()
        if self.azure.client_secret is not None:
            return ""
        if "WorkloadIdentityCredential" in kinds and self._goes_by_token():
            see_file(os.environ[_WORKLOAD], _FILES)
        at_hand = (*_APPLICATION, _WORKLOAD, *_ENDPOINTS)
        if any(os.environ.get(variable) for variable in at_hand):
            return ""
        return "the login of the Azure CLI or the identity of the machine"

    def find(self) -> Found:
        """Get a token.

        Raises:
            NotFound: There is no identity, or no token was got for it.
        """
        with self._told(), ExitStack() as stack:
            token = self._token(stack)
        return found_token(token.token, float(token.expires_on))

    @contextmanager
    def _told(self) -> Iterator[None]:
        """What fails here is told in our words."""
        try:
            # An extra of the package, and slow to import.
            import azure.identity  # noqa: F401, PLC0415
        except ImportError:
            raise NotFound("azure-identity is not installed", absent=True) from None
        try:
            with quiet(*_LOUD):
                yield
        except NotFound:
            raise
        except Exception as error:  # noqa: BLE001 -- files, processes and networks fail in all ways
            if (unreadable := unreadable_file(error, _FILES)) is not None:
                raise unreadable from None
            # The name and a known code alone: the text may repeat what the other side has said.
            reason = f"getting an access token failed ({type(error).__name__}{_code(error)})"
            # A setting that is none, such as an authority without TLS, stays so.
            is_setting = isinstance(error, ValueError)
            hint = self._setting_hint() if is_setting else ""
            raise NotFound(reason, absent=is_setting, hint=hint) from None

    def _setting_hint(self) -> str:
        """What to look at where something that is set is not as it must be."""
        settings = [name for name in (_AUTHORITY, _CERTIFICATE) if os.environ.get(name)]
        return f"mend {' and '.join(settings)}, or what it leads to" if settings else ""

    def _goes_by_token(self) -> bool:
        """Whether nothing comes before the token of a workload."""
        variables = [] if self.azure.client_id is not None else _APPLICATION
        return not any(os.environ.get(variable) for variable in variables)

    def _token(self, stack: ExitStack) -> Any:  # noqa: ANN401 -- of the library
        from azure.identity import CredentialUnavailableError  # noqa: PLC0415

        for identity in self._identities():
            kind = type(identity).__name__
            # A renewal is for whoever was found first, or for nobody.
            if self.found and kind not in self.found:
                continue
            stack.enter_context(identity)
            try:
                token = identity.get_token(self.azure.scope or self.scope)
            except CredentialUnavailableError as error:
                if self._refuses(str(error)):
                    reason = "the managed identity was given no token"
                    if self.azure.client_id is not None:
                        reason += "; is it the one that `client_id` names?"
                    raise NotFound(reason) from None
                continue
            self.found.add(kind)
            return token
        raise NotFound("no identity was found", absent=not self.found)

    def _refuses(self, message: str) -> bool:
        """Whether an identity is there, although the library calls it unavailable."""
        named = self.azure.client_id is not None
        return "Token request error" in message or (named and "has been assigned" in message)

    def _identities(self) -> Iterable[Any]:
        """Those that may be there, in the order in which Azure's own libraries look for them."""
        from azure import identity  # noqa: PLC0415

        azure = self.azure
        options = {
            "connection_timeout": _ANSWER_S,
            "read_timeout": _ANSWER_S,
            # An authority of the operator's own needs nobody to vouch for it.
            "disable_instance_discovery": bool(os.environ.get(_AUTHORITY)),
        }
        if azure.client_secret is not None:
            secret = azure.client_secret.reveal()
            client = identity.ClientSecretCredential
            return [client(azure.tenant_id or "", azure.client_id or "", secret, **options)]
        named = {}
        if azure.client_id is not None:
            named["managed_identity_client_id"] = azure.client_id
        if azure.tenant_id is not None:
            named["workload_identity_tenant_id"] = azure.tenant_id
        # Without what asks a person, or belongs to a desk. One that is named is not another one.
        chain = identity.DefaultAzureCredential(
            exclude_environment_credential=azure.client_id is not None,
            exclude_cli_credential=azure.client_id is not None,
            exclude_shared_token_cache_credential=True,
            exclude_visual_studio_code_credential=True,
            exclude_powershell_credential=True,
            exclude_developer_cli_credential=True,
            exclude_broker_credential=True,
            **named,
            **options,
        )
        return chain.credentials


def _code(error: BaseException | None) -> str:
    """What Entra ID calls what went wrong, if it is said in an error or in what led to it."""
    for _ in range(5):
        if error is None:
            break
        if code := _CODE.search(str(error)):
            return f": {code[0]}"
        error = error.__cause__ or error.__context__
    return ""
