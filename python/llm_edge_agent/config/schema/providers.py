"""Upstream systems, by name."""

from typing import Annotated, Literal

from msgspec import Meta, field
from msgspec.structs import replace

from llm_edge_agent.config.schema.base import U32_MAX, Area
from llm_edge_agent.config.secret import Secret, SecretText
from llm_edge_agent.providers.spec import TOOL_ID_LENGTHS, AuthSpec, ProviderSpec

__all__ = ["Auth", "Aws", "Azure", "Google", "Health", "Provider"]


_Version = Annotated[str, Meta(pattern=r"^[A-Za-z0-9.-]{1,40}$")]
_FileName = Annotated[str, Meta(min_length=1)]
_Range = Annotated[str, Meta(min_length=1, examples=["127.0.0.0/8"])]
_Secrets = Annotated[list[Secret], Meta(min_length=1)]
_IdLength = Annotated[int, Meta(ge=TOOL_ID_LENGTHS[0], le=TOOL_ID_LENGTHS[1])]
_Weight = Annotated[int, Meta(ge=1, le=1_000_000)]
_Member = Annotated[str, Meta(pattern=r"^[a-z_]+$", extra={"hint": "write a member's name"})]


_Path = Annotated[
    str,
    Meta(pattern=r"^/[!-~]*$", extra={"hint": "a path begins with `/` and holds no space"}),
]


_Region = Annotated[
    str,
    Meta(pattern=r"^[a-z0-9-]{1,40}$", extra={"hint": "a region is called like `eu-central-1`"}),
]


_Directory = Annotated[
    str,
    Meta(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9.-]{0,99}$",
        extra={"hint": "an id such as `72f988bf-86f1-41af-91ab-2d7cd011db47`"},
    ),
]


_HeaderName = Annotated[
    str,
    Meta(
        pattern=r"^[A-Za-z0-9._-]{1,128}$",
        extra={"hint": "a header name holds letters, digits, `-`, `_` and `.`"},
    ),
]


class Auth(Area, frozen=True, kw_only=True):
    """The header field that carries the credential."""

    header: Annotated[_HeaderName, Meta(examples=["x-api-key"])]
    prefix: Annotated[
        str,
        Meta(
            pattern=r"^[ -~]*$",
            description="What stands before the credential there.",
            examples=["Bearer "],
            extra={"hint": "printable ASCII only"},
        ),
    ] = ""

    def spec(self) -> AuthSpec:
        """The same, as a provider's specification has it."""
        return AuthSpec(header=self.header.lower(), prefix=self.prefix)


class Aws(Area, frozen=True, kw_only=True):
    """An Amazon account that signs requests (SigV4), in place of an `api_key`.

    Without a key here or in the environment, botocore looks for one where it usually is: profile,
    web identity, container, instance. What it finds is renewed in the background.
    """

    region: Annotated[
        _Region | None,
        Meta(description="When absent, `AWS_REGION` or `AWS_DEFAULT_REGION`; gives the address."),
    ] = None
    profile: Annotated[
        Annotated[str, Meta(min_length=1)] | None,
        Meta(description="Of the shared configuration and credentials files."),
    ] = None
    access_key_id: Annotated[Secret | None, Meta(description="When absent, looked for.")] = None
    secret_access_key: Annotated[Secret | None, Meta(description="Its secret.")] = None
    session_token: Annotated[
        Secret | None, Meta(description="Where the key is a temporary one.")
    ] = None


class Azure(Area, frozen=True, kw_only=True):
    """An identity of Microsoft Entra ID, whose access tokens are used in place of an `api_key`.

    Without a secret here, it is looked for where Azure's own libraries look: `AZURE_CLIENT_ID` and
    its kin, the workload identity of a pod, a managed identity, the login of the Azure CLI. Tokens
    are renewed in the background.
    """

    tenant_id: Annotated[_Directory | None, Meta(description="The directory of the identity.")] = (
        None
    )
    client_id: Annotated[
        _Directory | None,
        Meta(description="Of the application, or of the managed identity where there are several."),
    ] = None
    client_secret: Annotated[
        Secret | None, Meta(description="The application's; best as `${VAR}`.")
    ] = None
    scope: Annotated[
        Annotated[
            str,
            Meta(
                pattern=r"^https://[a-z0-9.-]+/\.default$",
                extra={"hint": "a scope is an address that ends in `/.default`"},
            ),
        ]
        | None,
        Meta(
            description="What the tokens are for; another one in Azure's national clouds.",
            examples=["https://cognitiveservices.azure.us/.default"],
        ),
    ] = None


class Google(Area, frozen=True, kw_only=True):
    """A Google Cloud account, whose access tokens are used in place of an `api_key`.

    Without a credential here or in the environment, it is looked for where Google's own libraries
    look: the gcloud CLI's login, the metadata server. Tokens are renewed in the background.
    """

    project: Annotated[
        Annotated[
            str,
            Meta(
                pattern=r"^[a-z0-9][a-z0-9.:-]{0,99}$",
                extra={"hint": "a project's id, such as `my-project-1`, or its number"},
            ),
        ]
        | None,
        Meta(
            description="When absent, `GOOGLE_CLOUD_PROJECT`, or the one that the credential "
            "belongs to."
        ),
    ] = None
    location: Annotated[
        Annotated[
            str,
            Meta(
                pattern=r"^[a-z0-9-]{1,40}$",
                extra={"hint": "a location is called like `europe-west1`, or `global`"},
            ),
        ]
        | None,
        Meta(
            description="When absent, `GOOGLE_CLOUD_LOCATION` or `CLOUD_ML_REGION`; gives the "
            "address.",
            examples=["global", "europe-west1", "eu"],
        ),
    ] = None
    credentials_file: Annotated[
        _FileName | None,
        Meta(
            description="A service account's key, or another credential in JSON; when absent, "
            "`GOOGLE_APPLICATION_CREDENTIALS`, or looked for."
        ),
    ] = None
    credentials: Annotated[
        SecretText | None, Meta(description="The same, written out; best as `${VAR}`.")
    ] = None


class Health(Area, frozen=True, kw_only=True):
    """A question asked again and again; any reply below 500 is a good one. Costs no tokens."""

    path: Annotated[
        _Path | None,
        Meta(description="Path below the base URL; when absent, the list of models."),
    ] = None
    interval_ms: Annotated[
        int, Meta(ge=100, le=U32_MAX, description="From one question to the next.")
    ] = 10000
    timeout_ms: Annotated[
        int, Meta(ge=10, le=U32_MAX, description="For the answer; `interval_ms` at most.")
    ] = 2000
    failures: Annotated[
        int, Meta(ge=1, le=1000, description="In a row, before others are asked first.")
    ] = 2


class Provider(Area, frozen=True, kw_only=True):
    """One upstream system and the account used there."""

    type: Annotated[str, Meta(description="Kind of provider; decides dialect, paths and header.")]
    base_url: Annotated[
        str | None,
        Meta(description="Where it is; a path prefix is kept.", examples=["http://vllm:8000/v1"]),
    ] = None
    api_key: Annotated[Secret | None, Meta(description="Credential; best as `${VAR}`.")] = None
    api_keys: Annotated[
        _Secrets | None, Meta(description="Several credentials, taken in turn.")
    ] = None
    api_key_weights: Annotated[
        list[_Weight] | None,
        Meta(description="Share of the requests of each of `api_keys`, relative to the others."),
    ] = None
    aws: Annotated[
        Aws | None, Meta(description="Bedrock: an Amazon account in place of a key.")
    ] = None
    google: Annotated[
        Google | None, Meta(description="Vertex AI: a Google Cloud account in place of a key.")
    ] = None
    azure: Annotated[
        Azure | None,
        Meta(description="Azure OpenAI: an identity of Microsoft Entra ID in place of a key."),
    ] = None
    operations: Annotated[
        dict[str, _Path],
        Meta(
            description="Operation → path below the base URL, with `{model}` where the model's "
            "name belongs; in place of all that the type has.",
            examples=[{"messages": "/anthropic/v1/messages"}],
        ),
    ] = field(default_factory=dict)
    auth: Annotated[
        Auth | None, Meta(description="How the credential is presented; as the type has it.")
    ] = None
    operation_auth: Annotated[
        dict[str, Auth], Meta(description="The same, for operations that want it in another way.")
    ] = field(default_factory=dict)
    chat_fields: Annotated[
        Literal["openai", "common"] | None,
        Meta(
            description="Which members of translated chat requests it knows: those of OpenAI's own "
            "API (`max_completion_tokens`), or those that everybody has (`max_tokens`)."
        ),
    ] = None
    chat_members: Annotated[
        dict[str, _Member | None],
        Meta(
            description="Members of translated chat requests that it calls otherwise, or (`null`) "
            "does not know; beside what the type says.",
            examples=[{"seed": "random_seed", "logit_bias": None}],
        ),
    ] = field(default_factory=dict)
    replays_reasoning: Annotated[
        Literal["reasoning_content", "reasoning", "content", "none"] | None,
        Meta(
            description="Where translated chat requests give it back the reasoning of earlier "
            "turns: in the member of this name, as parts of `content`, or nowhere; as the type has "
            "it, when absent."
        ),
    ] = None
    tool_id_length: Annotated[
        _IdLength | None,
        Meta(
            description="Of how many letters and digits ids of tool calls must be; others are "
            "replaced, the same by the same. Any, when absent and the type says nothing.",
        ),
    ] = None
    api_version: Annotated[
        _Version | None,
        Meta(description="Azure: with it deployment URLs are used, without it `/openai/v1/`."),
    ] = None
    ca_file: Annotated[
        _FileName | None, Meta(description="PEM certificates to trust in place of the platform's.")
    ] = None
    cert_file: Annotated[
        _FileName | None,
        Meta(description="PEM certificate that the provider is shown when it asks who we are."),
    ] = None
    key_file: Annotated[
        _FileName | None, Meta(description="PEM private key of `cert_file`, not encrypted.")
    ] = None
    proxy: Annotated[
        Secret | None,
        Meta(
            description=(
                "HTTP proxy on the way there, `http://user:password@host:port`; when absent, what "
                "`HTTPS_PROXY`, `HTTP_PROXY` and `NO_PROXY` say; `null`: none."
            )
        ),
    ] = None
    http2: Annotated[
        Literal["never", "auto", "always"],
        Meta(
            description="`auto`: where TLS finds that both sides speak it; `always`: and nothing "
            "else, without TLS by prior knowledge."
        ),
    ] = "never"
    allow_addresses: Annotated[
        list[_Range],
        Meta(
            description="Loopback, link-local, metadata or other special addresses (or ranges, "
            "`address/bits`) that the host's name may lead to."
        ),
    ] = field(default_factory=list)
    health: Annotated[Health | None, Meta(description="Probes; none when absent.")] = None
    headers: Annotated[
        dict[_HeaderName, Secret],
        Meta(description="Header fields sent always, in place of the client's."),
    ] = field(default_factory=dict)
    models: Annotated[
        list[Annotated[str, Meta(pattern=r"^[^*\s]+$", extra={"hint": "write whole names"})]],
        Meta(description="Models to list, as the provider names them."),
    ] = field(default_factory=list)

    @property
    def credentials(self) -> list[Secret]:
        """The credentials, in order; empty when there is none."""
        if self.api_key is not None:
            return [self.api_key]
        return list(self.api_keys or ())

    @property
    def has_account(self) -> bool:
        """Whether its credential is got for an account of a cloud's."""
        return any(account is not None for account in (self.aws, self.google, self.azure))

    def specified(self, spec: ProviderSpec) -> ProviderSpec:
        """What its type says, with what is said here in its place."""
        if self.operations:
            versioned = self.operations if spec.versioned_operations else {}
            spec = replace(spec, operations=self.operations, versioned_operations=versioned)
        if self.auth is not None:
            spec = replace(spec, auth=self.auth.spec(), operation_auth={})
        if self.operation_auth:
            own = {operation: auth.spec() for operation, auth in self.operation_auth.items()}
            spec = replace(spec, operation_auth=own)
        if self.chat_members:
            spec = replace(spec, chat_members=spec.chat_members | self.chat_members)
        if self.replays_reasoning is not None:
            form = None if self.replays_reasoning == "none" else self.replays_reasoning
            spec = replace(spec, replays_reasoning=form)
        if self.tool_id_length is not None:
            spec = replace(spec, tool_id_length=self.tool_id_length)
        return spec if self.chat_fields is None else replace(spec, chat_fields=self.chat_fields)
