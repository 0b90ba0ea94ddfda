"""Configurations with one fault each, and the message it must cause.

`@` in the expected text stands for the file's name. Lines are counted from the configuration as
written here, without its first line break.
"""

from typing import NamedTuple

ENV = {"OPENAI_API_KEY": "sk-test", "EMPTY": "", "PORT_WORD": "eighty"}
HASH = "hmac-sha256:" + "0" * 64
OPENAI = 'providers: {openai: {type: openai, api_key: "sk-x"}}\n'


AZURE = "providers:\n  a:\n    type: azure_openai\n    base_url: 'https://a'\n    azure: {{{}}}\n"
AWS = "providers:\n  b:\n    type: bedrock\n    aws: {{region: eu-central-1, {}}}\n"
DESCRIBED = (
    "providers:\n  b:\n    type: openai_compatible\n    base_url: http://127.0.0.1:1\n    {}\n"
)
CHAT = "    models: [chat]\n    targets: [{provider: openai}]\n"


class Broken(NamedTuple):
    """`says` is the beginning of the message, `hint` a part of its hint."""

    name: str
    text: str
    says: str
    hint: str = ""
    format: str = "yaml"


def route(body: str) -> str:
    """A configuration with OpenAI and one route."""
    return OPENAI + "routes:\n  chat:\n" + body


def model(body: str) -> str:
    """A configuration with OpenAI, and what it says of a model there."""
    return OPENAI + f"catalog: {{models: {{openai/gpt-x: {body}}}}}\n"


RULE = "    rules: [{{when: {}, route: o}}]\n"
OTHER = "  o: {targets: [{provider: openai}]}\n"

BROKEN = [
    # The text itself.
    Broken("yaml_syntax", "listen: {api: [\n", "@:2: not valid YAML: "),
    Broken("yaml_tab", "listen:\n\tapi: x\n", "@:2: not valid YAML: "),
    Broken("yaml_tag", "a: !!python/name:os.system x\n", "@:1: a: the tag `"),
    Broken("yaml_control_character", "a: \x07\n", "@: not valid YAML: unacceptable character"),
    Broken("yaml_list", "- listen\n", "@:1: a configuration is a mapping of options"),
    Broken("yaml_two_documents", "version: 1\n---\nversion: 1\n", "@:2: not valid YAML: "),
    Broken(
        "yaml_key_twice",
        "version: 1\nlisten: {}\nversion: 1\n",
        "@:3: `version` is written twice; the first is in line 1",
    ),
    Broken("yaml_alias_loop", "a: &a {b: *a}\n", "@:1: a.b: an alias stands inside what it names"),
    Broken(
        "yaml_alias_bomb",
        "a: &a [x, x, x, x, x, x, x, x, x, x]\n"
        + "".join(
            f"{b}: &{b} [{', '.join([f'*{a}'] * 10)}]\n"
            for a, b in zip("abcdef", "bcdefg", strict=True)
        ),
        "@:1: ",
        "",
    ),
    Broken("json_syntax", '{\n"version": 1,\n"x": }\n', "@:3: not valid JSON: ", format="json"),
    Broken("json_cut", '{"version": 1,\n', "@:2: not valid JSON: ", format="json"),
    Broken(
        "json_key_twice",
        '{"version": 1,\n\t"version": 1}\n',
        "@:2: `version` is written twice",
        format="json",
    ),
    Broken("json_list", "[]", "@:1: a configuration is a mapping", format="json"),
    Broken("toml_syntax", "version = 1\nlisten =\n", "@:2: not valid TOML: ", format="toml"),
    Broken("toml_key_twice", "version = 1\nversion = 1\n", "@:2: not valid TOML: ", format="toml"),
    Broken(
        "toml_place",
        '[providers.openai]\ntype = "openai"\napi_key = "sk-x"\n[[keys]]\nname = "a"\nhash = "x"\n',
        "@:6: keys[0].hash: `x` is not valid here",
        "keys create",
        format="toml",
    ),
    # Options and their types.
    Broken(
        "unknown_option",
        "lisen: {}\n" + OPENAI,
        "@:1: lisen: unknown option `lisen`",
        "did you mean `listen`?",
    ),
    Broken(
        "unknown_option_below",
        OPENAI + "listen:\n  adress: x\n",
        "@:3: listen.adress: unknown option `adress`",
        "known here: `api`, `admin`, `metrics`",
    ),
    Broken(
        "unknown_option_in_a_list",
        route("    models: [m]\n    targets:\n      - {provider: openai, wieght: 2}\n"),
        "@:6: routes.chat.targets[0].wieght: unknown option `wieght`",
        "did you mean `weight`?",
    ),
    Broken("version", "version: 2\n" + OPENAI, "@:1: version: `2` is not one of `1`"),
    Broken(
        "workers_text",
        OPENAI + "workers: many\n",
        "@:2: workers: expected a whole number, found `many`",
    ),
    Broken("workers_negative", OPENAI + "workers: -1\n", "@:2: workers: `-1` is below 0"),
    Broken("workers_fraction", OPENAI + "workers: 1.5\n", "@:2: workers: expected a whole number"),
    Broken("workers_switch", OPENAI + "workers: true\n", "@:2: workers: expected a whole number"),
    Broken(
        "switch_word",
        OPENAI + "insecure: yes\n",
        "@:2: insecure: expected true or false, found `yes`",
    ),
    Broken("listen_text", OPENAI + "listen: x\n", "@:2: listen: expected a mapping, found `x`"),
    Broken("routes_list", OPENAI + "routes: []\n", "@:2: routes: expected a mapping, found a list"),
    Broken("drain_infinite", OPENAI + "drain_s: .inf\n", "@:2: drain_s: expected a number"),
    Broken(
        "log_mode",
        OPENAI + "request_log: {mode: sample}\n",
        "@:2: request_log.mode: `sample` is not one of `all`, `off`, `sampled`",
        "did you mean `sampled`?",
    ),
    Broken(
        "body_limit_too_large",
        OPENAI + "limits:\n  body_bytes_max: 4294967296\n",
        "@:3: limits.body_bytes_max: `4294967296` is above 2147483647",
    ),
    Broken("limit_zero", OPENAI + "limits: {head_ms: 0}\n", "@:2: limits.head_ms: `0` is below 1"),
    # References.
    Broken(
        "yaml_entries_below_an_empty_list",
        "keys: []   # nobody\n# said below\n  - {name: a}\n",
        "@:3: not valid YAML: ",
        "take `[]` away in line 1",
    ),
    Broken(
        "yaml_entries_below_an_empty_mapping",
        "routes: {}\n  chat: {models: [chat]}\n",
        "@:2: not valid YAML: ",
        "take `{}` away in line 1",
    ),
    Broken(
        "yaml_columns",
        "keys:\n  - {name: a}\n - {name: b}\n",
        "@:3: not valid YAML: ",
        "in the same column",
    ),
    Broken(
        "tls_file_of_no_name",
        OPENAI + 'tls: {cert_file: "a\\0b", key_file: /dev/null}\n',
        "@:2: tls.cert_file: the file `'a\\x00b'` cannot be read: no such name",
    ),
    Broken(
        "operation_unknown",
        DESCRIBED.format("operations: {chat: /chat}"),
        "@:5: providers.b.operations.chat: unknown operation `chat`",
        "known here: `chat_completions`, ",
    ),
    Broken(
        "operation_path_relative",
        DESCRIBED.format("operations: {messages: v1/messages}"),
        "@:5: providers.b.operations.messages: `v1/messages` is not valid here",
        "begins with `/`",
    ),
    Broken(
        "operation_path_placeholder",
        DESCRIBED.format('operations: {messages: "/{name}/messages"}'),
        "@:5: providers.b.operations.messages: `/{name}/messages`: `{name}` stands for nothing",
    ),
    Broken(
        "operation_path_model_twice",
        DESCRIBED.format('operations: {messages: "/{model}/{model}"}'),
        "@:5: providers.b.operations.messages: `/{model}/{model}`: `{model}` stands in it twice",
    ),
    Broken(
        "operation_path_brace",
        DESCRIBED.format('operations: {messages: "/{model/messages"}'),
        "@:5: providers.b.operations.messages: `/{model/messages`: a brace is not closed",
    ),
    Broken(
        "operation_path_version",
        DESCRIBED.format('operations: {messages: "/m?v={api_version}"}'),
        "@:5: providers.b.operations.messages: `/m?v={api_version}`: `{api_version}` stands for",
    ),
    Broken(
        "operation_auth_for_nothing",
        DESCRIBED.format("operation_auth: {messages: {header: x-api-key}}"),
        "@:5: providers.b.operation_auth.messages: the operation `messages` is not served",
    ),
    Broken(
        "auth_header_not_theirs",
        DESCRIBED.format("auth: {header: Host}"),
        "@:5: providers.b.auth.header: the field `host` is the gateway's own affair",
    ),
    Broken(
        "auth_header_no_word",
        DESCRIBED.format('auth: {header: "x key"}'),
        "@:5: providers.b.auth.header: `x key` is not valid here",
    ),
    Broken(
        "auth_header_twice",
        DESCRIBED.format("auth: {header: x-key}\n    headers: {X-Key: a}"),
        "@:6: providers.b.headers.X-Key: carries the credential",
    ),
    Broken(
        "chat_member_unknown",
        DESCRIBED.format("chat_members: {sed: random_seed}"),
        "@:5: providers.b.chat_members.sed: no member `sed` may be given",
        "did you mean `seed`",
    ),
    Broken(
        "chat_member_no_word",
        DESCRIBED.format('chat_members: {seed: "a b"}'),
        "@:5: providers.b.chat_members.seed: `a b` is not valid here",
    ),
    Broken(
        "tool_id_length_too_short",
        DESCRIBED.format("tool_id_length: 4"),
        "@:5: providers.b.tool_id_length: `4` is below 8",
    ),
    Broken(
        "replayed_reasoning_in_another_member",
        DESCRIBED.format("replays_reasoning: thoughts"),
        "@:5: providers.b.replays_reasoning: `thoughts` is not one of `content`, `none`, ",
    ),
    Broken(
        "mock_described",
        "providers:\n  mock:\n    type: mock\n    chat_fields: openai\n",
        "@:4: providers.mock.chat_fields: the mock is what it is",
    ),
    Broken(
        "variable_not_set",
        'providers:\n  openai:\n    type: openai\n    api_key: "${NOT_SET}"\n',
        "@:4: providers.openai.api_key: the environment variable `NOT_SET` is not set",
        "`${NOT_SET:-default}`",
    ),
    Broken(
        "variable_empty",
        'providers: {openai: {type: openai, api_key: "${EMPTY}"}}\n',
        "@:1: providers.openai.api_key: is empty",
        "may be empty",
    ),
    Broken(
        "variable_of_another_type",
        OPENAI + "workers: ${PORT_WORD}\n",
        "@:2: workers: expected a whole number, found text",
    ),
    Broken(
        "reference_not_closed",
        'providers: {openai: {type: openai, api_key: "${OPENAI"}}\n',
        "@:1: providers.openai.api_key: `${` is not closed",
        "`$$`",
    ),
    Broken(
        "reference_of_another_kind",
        'providers: {openai: {type: openai, api_key: "${env.KEY}"}}\n',
        "@:1: providers.openai.api_key: `${env.KEY}` is not a reference",
        "`${file:/path}`",
    ),
    Broken(
        "secret_file_missing",
        'providers: {openai: {type: openai, api_key: "${file:/nonexistent/key}"}}\n',
        "@:1: providers.openai.api_key: the file `/nonexistent/key` cannot be read: No such file",
        "mend its name",
    ),
    Broken(
        "secret_file_is_a_folder",
        'providers:\n  openai:\n    type: openai\n    api_key: "${file:/etc}"\n',
        "@:4: providers.openai.api_key: the file `/etc` cannot be read: Is a directory",
        "name a file in it",
    ),
    # Listening.
    Broken(
        "listen_no_port",
        OPENAI + "listen: {api: localhost}\n",
        "@:2: listen.api: `localhost` is not",
    ),
    Broken(
        "listen_port",
        OPENAI + "listen: {api: '127.0.0.1:70000'}\n",
        "@:2: listen.api: port 70000 is",
    ),
    Broken(
        "listen_v6",
        OPENAI + "listen: {api: '::1:80'}\n",
        "@:2: listen.api: `::1:80` needs brackets",
    ),
    Broken(
        "listen_no_host", OPENAI + "listen: {api: ':80'}\n", "@:2: listen.api: `:80` names no host"
    ),
    Broken(
        "listen_same",
        OPENAI + "listen:\n  api: 127.0.0.1:9464\n",
        "@:2: listen.metrics: `127.0.0.1:9464` is also `listen.api`",
    ),
    Broken(
        "listen_unix_relative",
        OPENAI + "listen: {api: 'unix:api.sock'}\n",
        "@:2: listen.api: `unix:api.sock` names no socket by an absolute path",
    ),
    Broken(
        "listen_unix_long",
        OPENAI + f"listen: {{api: 'unix:/{'x' * 100}'}}\n",
        "@:2: listen.api: the path of `unix:/xxx",
    ),
    Broken(
        "listen_unix_admin",
        OPENAI + "listen: {admin: 'unix:/run/admin.sock'}\n",
        "@:2: listen.admin: `unix:/run/admin.sock`: only `listen.api` may be a Unix socket",
    ),
    Broken(
        "listen_unix_mode",
        OPENAI + "listen: {api: 'unix:/run/a.sock', api_mode: '888'}\n",
        "@:2: listen.api_mode: ",
        "in quotes",
    ),
    Broken(
        "listen_unix_tls",
        OPENAI + "listen: {api: 'unix:/run/a.sock'}\ntls: {cert_file: /a, key_file: /b}\n",
        "@:3: tls: TLS is not spoken on a Unix socket",
    ),
    Broken(
        "http2_word",
        "providers: {openai: {type: openai, api_key: x, http2: yes}}\n",
        "@:1: providers.openai.http2: ",
    ),
    Broken(
        "allow_addresses_name",
        "providers: {openai: {type: openai, api_key: x, allow_addresses: [localhost]}}\n",
        "@:1: providers.openai.allow_addresses[0]: `localhost` is not an address",
        "127.0.0.0/8",
    ),
    Broken(
        "allow_addresses_bits",
        "providers: {openai: {type: openai, api_key: x, allow_addresses: [127.0.0.0/33]}}\n",
        "@:1: providers.openai.allow_addresses[0]: `127.0.0.0/33` has more than 32 bits",
    ),
    Broken(
        "dns_ttl",
        OPENAI + "limits: {dns_ttl_ms: 0}\n",
        "@:2: limits.dns_ttl_ms: ",
    ),
    Broken(
        "open_without_keys",
        OPENAI + "listen:\n  api: 0.0.0.0:8080\n",
        "@:3: listen.api: `0.0.0.0:8080` lets other machines in, but there are no keys",
        "`insecure: true`",
    ),
    Broken(
        "open_name_without_keys",
        OPENAI + "listen: {api: 'gateway.example:8080'}\n",
        "@:2: listen.api: `gateway.example:8080` lets other machines in",
    ),
    Broken(
        "open_admin",
        OPENAI + f"keys: [{{name: a, hash: '{HASH}'}}]\nlisten: {{admin: '0.0.0.0:8081'}}\n",
        "@:3: listen.admin: `0.0.0.0:8081` opens the admin API to other machines",
        "`insecure: true`",
    ),
    Broken(
        "tls_half",
        OPENAI + "tls:\n  cert_file: /c.pem\n",
        "@:2: tls.key_file: is missing",
    ),
    Broken(
        "tls_files_missing",
        OPENAI + "tls:\n  cert_file: /nonexistent.pem\n  key_file: /nonexistent.pem\n",
        "@:3: tls.cert_file: the file `/nonexistent.pem` cannot be read",
        "mend its name",
    ),
    Broken(
        "tls_not_pem",
        OPENAI + "tls: {cert_file: /dev/null, key_file: /dev/null}\n",
        "@:2: tls.cert_file: the file `/dev/null` holds no certificate in PEM form",
    ),
    # Keys.
    Broken(
        "key_without_name",
        OPENAI + f"keys:\n  - hash: {HASH}\n",
        "@:3: keys[0].name: is missing",
    ),
    Broken(
        "key_hash_format",
        OPENAI + "keys:\n  - name: a\n    hash: sha256:abc\n",
        "@:4: keys[0].hash: `sha256:abc` is not valid here",
        "keys create",
    ),
    Broken("key_nothing", OPENAI + "keys:\n  - name: a\n", "@:3: keys[0]: needs `hash` or `key`"),
    Broken(
        "key_both",
        OPENAI + f"keys:\n  - {{name: a, hash: '{HASH}', key: sk-0123456789012345678901}}\n",
        "@:3: keys[0]: has both `hash` and `key`",
    ),
    Broken(
        "key_names_twice",
        OPENAI + f"keys:\n  - {{name: a, hash: '{HASH}'}}\n  - {{name: a, hash: '{HASH[:-1]}1'}}\n",
        "@:4: keys[1].name: `a` is also the name of keys[0]",
    ),
    Broken(
        "keys_twice",
        OPENAI + f"keys:\n  - {{name: a, hash: '{HASH}'}}\n  - {{name: b, hash: '{HASH}'}}\n",
        "@:4: keys[1]: is the same key as keys[0]",
    ),
    Broken(
        "key_number",
        OPENAI + "keys: [{name: a, key: 12345}]\n",
        "@:2: keys[0].key: expected text",
        "quotes",
    ),
    Broken(
        "key_with_space",
        OPENAI + "keys: [{name: a, key: 'a b'}]\n",
        "@:2: keys[0].key: a key holds no",
    ),
    Broken(
        "key_without_models",
        OPENAI + f"keys: [{{name: a, hash: '{HASH}', models: []}}]\n",
        "@:2: keys[0].models: is empty",
    ),
    Broken(
        "key_models_star_inside",
        OPENAI + f"keys: [{{name: a, hash: '{HASH}', models: ['a*b']}}]\n",
        "@:2: keys[0].models[0]: `a*b` is not valid here",
        "ends in its only `*`",
    ),
    # Providers.
    Broken(
        "no_providers",
        "version: 1\n",
        "@:1: providers: no provider is configured",
        "OPENAI_API_KEY",
    ),
    Broken(
        "provider_type",
        "providers:\n  openai:\n    type: opnai\n",
        "@:3: providers.openai.type: unknown provider type `opnai`",
        "did you mean `openai`?",
    ),
    Broken(
        "provider_no_type", "providers:\n  openai: {}\n", "@:2: providers.openai.type: is missing"
    ),
    Broken(
        "provider_name",
        "providers:\n  Open AI: {type: openai}\n",
        '@:2: providers["Open AI"]: `Open AI` is not a valid name',
        "`a-z`, `0-9`",
    ),
    Broken(
        "provider_named_mock",
        "providers:\n  mock: {type: openai, api_key: sk-x}\n",
        "@:2: providers.mock: the name `mock` is kept for providers of type `mock`",
    ),
    Broken(
        "provider_without_key",
        "providers:\n  anthropic: {type: anthropic}\n",
        "@:2: providers.anthropic.api_key: a provider of type `anthropic` needs a key",
        '`api_key: "${ANTHROPIC_API_KEY}"`',
    ),
    Broken(
        "environment_key_to_another_address",
        "providers:\n  openai: {type: openai, base_url: 'https://elsewhere.example/v1'}\n",
        "@:2: providers.openai.api_key: a provider of type `openai` needs a key",
    ),
    Broken(
        "provider_both_keys",
        "providers:\n  openai: {type: openai, api_key: a, api_keys: [b]}\n",
        "@:2: providers.openai: has both `api_key` and `api_keys`",
    ),
    Broken(
        "provider_weights_without_their_keys",
        "providers:\n  openai:\n    type: openai\n    api_keys: [a, b]\n    api_key_weights: [1]\n",
        "@:5: providers.openai.api_key_weights: has 1 weights for 2 keys of `api_keys`",
        "one for each",
    ),
    Broken(
        "provider_weight_of_nothing",
        "providers:\n  openai:\n    type: openai\n    api_keys: [a]\n    api_key_weights: [0]\n",
        "@:5: providers.openai.api_key_weights[0]: `0` is below 1",
    ),
    Broken(
        "provider_key_with_line_break",
        'providers:\n  openai: {type: openai, api_key: "a\\nb"}\n',
        "@:2: providers.openai.api_key: holds a character that a header field cannot carry",
    ),
    Broken(
        "aws_for_another_type",
        "providers:\n  openai:\n    type: openai\n    aws: {region: eu-central-1}\n",
        "@:4: providers.openai.aws: a provider of type `openai` takes no signed requests",
    ),
    Broken(
        "aws_without_region",
        "providers:\n  b:\n    type: bedrock\n    aws: {access_key_id: a, secret_access_key: b}\n",
        "@:4: providers.b.aws.region: is not known",
        "AWS_REGION",
    ),
    Broken(
        "aws_region_that_is_no_word",
        "providers:\n  b: {type: bedrock, aws: {region: evil.example/x}}\n",
        "@:2: providers.b.aws.region: `evil.example/x` is not valid here",
        "eu-central-1",
    ),
    Broken(
        "aws_beside_a_key",
        AWS.format("access_key_id: a, secret_access_key: b") + "    api_key: sk-x\n",
        "@:4: providers.b.aws: stands beside an `api_key`",
    ),
    Broken(
        "aws_half_a_key",
        AWS.format("access_key_id: a"),
        "@:4: providers.b.aws: a key has an `access_key_id` and a `secret_access_key`",
    ),
    Broken(
        "aws_token_without_a_key",
        AWS.format("session_token: a"),
        "@:4: providers.b.aws: a key has an `access_key_id` and a `secret_access_key`",
    ),
    Broken(
        "aws_key_with_a_space",
        AWS.format('access_key_id: a, secret_access_key: "b c"'),
        "@:4: providers.b.aws: a part of the key holds a space",
    ),
    Broken(
        "aws_profile_beside_a_key",
        AWS.format("access_key_id: a, secret_access_key: b, profile: p"),
        "@:4: providers.b.aws.profile: stands beside a key",
    ),
    Broken(
        "aws_header_of_the_signature",
        AWS.format("access_key_id: a, secret_access_key: b") + "    headers: {X-Amz-Date: x}\n",
        "@:5: providers.b.headers.X-Amz-Date: is part of the signature",
    ),
    Broken(
        "azure_for_another_type",
        "providers:\n  o: {type: openai, api_key: x, azure: {}}\n",
        "@:2: providers.o.azure: a provider of type `openai` takes no tokens of Microsoft Entra ID",
    ),
    Broken(
        "azure_beside_a_key",
        AZURE.format("") + "    api_key: x\n",
        "@:5: providers.a.azure: stands beside an `api_key`",
    ),
    Broken(
        "azure_secret_of_nobody",
        AZURE.format("client_id: c, client_secret: s"),
        "@:5: providers.a.azure.client_secret: a secret belongs to a `client_id` in a `tenant_id`",
    ),
    Broken(
        "azure_tenant_alone",
        AZURE.format("tenant_id: t"),
        "@:5: providers.a.azure.tenant_id: says nothing without a `client_id`",
    ),
    Broken(
        "azure_id_that_is_no_word",
        AZURE.format("client_id: 'a/../b'"),
        "@:5: providers.a.azure.client_id: `a/../b` is not valid here",
        "72f988bf-86f1-41af-91ab-2d7cd011db47",
    ),
    Broken(
        "azure_scope_that_is_none",
        AZURE.format("scope: cognitive"),
        "@:5: providers.a.azure.scope: `cognitive` is not valid here",
        "`/.default`",
    ),
    Broken(
        "azure_header_of_the_token",
        AZURE.format("") + "    headers: {Authorization: x}\n",
        "@:6: providers.a.headers.Authorization: carries the credential",
    ),
    Broken(
        "azure_beside_auth",
        AZURE.format("") + "    auth: {header: x-key}\n",
        "@:6: providers.a.auth: stands beside `azure`",
    ),
    Broken(
        "azure_beside_operation_auth",
        AZURE.format("") + "    operation_auth: {responses: {header: x-key}}\n",
        "@:6: providers.a.operation_auth: stands beside `azure`",
    ),
    Broken(
        "azure_and_weights_of_keys",
        AZURE.format("") + "    api_key_weights: [1, 2]\n",
        "@:6: providers.a.api_key_weights: has 2 weights for 0 keys of `api_keys`",
    ),
    Broken(
        "azure_header_of_the_key",
        AZURE.format("") + "    headers: {api-key: x}\n",
        "@:6: providers.a.headers.api-key: carries the credential",
        "leave it out",
    ),
    Broken(
        "azure_without_a_key",
        "providers:\n  a: {type: azure_openai, base_url: 'https://a.example'}\n",
        "@:2: providers.a.api_key: a provider of type `azure_openai` needs a key",
        "`azure: {}`",
    ),
    Broken(
        "azure_token_and_the_callers_own",
        AZURE.format("")
        + "routes:\n  r: {models: [m], targets: [{provider: a}], caller_credential: a}\n",
        "@:7: routes.r.caller_credential: requests to provider `a` show the tokens of its `azure`",
    ),
    Broken(
        "google_for_another_type",
        "providers:\n  o: {type: openai, api_key: x, google: {project: p, location: global}}\n",
        "@:2: providers.o.google: a provider of type `openai` takes no Google Cloud account",
    ),
    Broken(
        "google_credentials_file_is_a_folder",
        "providers:\n  v:\n    type: vertex\n    google:\n      project: p\n"
        "      location: global\n      credentials_file: /etc\n",
        "@:7: providers.v.google.credentials_file: the file `/etc` cannot be read: Is a directory",
        "name a file in it",
    ),
    Broken(
        "google_credentials_file_missing",
        "providers:\n  v:\n    type: vertex\n    google: {project: p, location: global,\n"
        "      credentials_file: /nonexistent/account.json}\n",
        "@:5: providers.v.google.credentials_file: the file `/nonexistent/account.json` cannot be",
        "mend its name",
    ),
    Broken(
        "google_location_that_is_no_word",
        "providers:\n  v: {type: vertex, google: {project: p, location: evil.example/x}}\n",
        "@:2: providers.v.google.location: `evil.example/x` is not valid here",
        "europe-west1",
    ),
    Broken(
        "bedrock_without_a_key",
        "providers:\n  b: {type: bedrock, base_url: 'https://b.example'}\n",
        "@:2: providers.b.api_key: a provider of type `bedrock` needs a key",
        "`aws: {}`",
    ),
    Broken(
        "mock_with_key",
        "providers: {mock: {type: mock, api_key: x}}\n",
        "@:1: providers.mock: a provider of type `mock` takes no key",
    ),
    Broken(
        "azure_without_address",
        "providers:\n  azure: {type: azure_openai, api_key: x}\n",
        "@:2: providers.azure.base_url: a provider of type `azure_openai` needs its address",
        "AZURE_OPENAI_ENDPOINT",
    ),
    Broken(
        "azure_address_with_path",
        "providers:\n  azure: {type: azure_openai, api_key: x, base_url: 'https://r.example/openai/v1/'}\n",
        "@:2: providers.azure.base_url: ends in `/openai/v1`, which is added by itself",
    ),
    Broken(
        "version_of_another_type",
        "providers: {openai: {type: openai, api_key: x, api_version: '2024-10-21'}}\n",
        "@:1: providers.openai.api_version: a provider of type `openai` has no `api_version`",
    ),
    *(
        Broken(
            f"base_url_{name}",
            f"providers:\n  local:\n    type: openai_compatible\n    base_url: '{url}'\n",
            f"@:4: providers.local.base_url: {says}",
        )
        for name, url, says in (
            ("scheme", "ftp://host/v1", "a URL starts with `http://` or `https://`"),
            ("no_scheme", "host:8000/v1", "a URL starts with `http://` or `https://`"),
            ("no_host", "http:///v1", "the URL's host `` is not a host name or address"),
            ("userinfo", "http://me:secret@host/v1", "a URL must not hold a user name or password"),
            ("port_zero", "http://host:0/v1", "the URL's port must be between 1 and 65535"),
            ("port_large", "http://host:99999/v1", "the URL's host or port cannot be read"),
            ("query", "http://host/v1?key=1", "a base URL must not hold a query or fragment"),
            ("fragment", "http://host/v1#x", "a base URL must not hold a query or fragment"),
            ("space", "http://ho st/v1", "a URL holds printable ASCII only"),
            ("unicode", "http://höst/v1", "a URL holds printable ASCII only"),
            ("braces", "http://host/{model}", "the URL's path cannot be extended"),
            ("dots", "http://host/a/../b", "the URL's path cannot be extended"),
        )
    ),
    Broken(
        "header_of_the_gateway",
        "providers:\n  o:\n    type: openai\n    api_key: x\n    headers:\n      Host: other\n",
        "@:6: providers.o.headers.Host: the field `host` is the gateway's own affair",
    ),
    Broken(
        "header_of_the_credential",
        "providers: {openai: {type: openai, api_key: x, headers: {Authorization: y}}}\n",
        "@:1: providers.openai.headers.Authorization: carries the credential",
        "use `api_key`",
    ),
    Broken(
        "header_name",
        "providers: {openai: {type: openai, api_key: x, headers: {'a b': y}}}\n",
        '@:1: providers.openai.headers["a b"]: `a b` is not a valid name',
    ),
    Broken(
        "header_twice",
        "providers: {openai: {type: openai, api_key: x, headers: {x-a: y, X-A: z}}}\n",
        "@:1: providers.openai.headers.X-A: the field `x-a` is given twice",
    ),
    Broken(
        "ca_file",
        "providers: {openai: {type: openai, api_key: x, ca_file: /nonexistent.pem}}\n",
        "@:1: providers.openai.ca_file: the file `/nonexistent.pem` cannot be read",
    ),
    Broken(
        "cert_file_alone",
        "providers: {openai: {type: openai, api_key: x, cert_file: /own.pem}}\n",
        "@:1: providers.openai.cert_file: goes together with `key_file`, which is missing",
    ),
    Broken(
        "key_file_alone",
        "providers: {openai: {type: openai, api_key: x, key_file: /own.key}}\n",
        "@:1: providers.openai.key_file: goes together with `cert_file`, which is missing",
    ),
    Broken(
        "client_certificate_missing",
        "providers:\n  openai:\n    type: openai\n    api_key: x\n"
        "    cert_file: /nonexistent.pem\n    key_file: /dev/null\n",
        "@:5: providers.openai.cert_file: the file `/nonexistent.pem` cannot be read",
    ),
    Broken(
        "client_certificate_not_pem",
        "providers:\n  openai:\n    type: openai\n    api_key: x\n"
        "    cert_file: /dev/null\n    key_file: /nonexistent.key\n",
        "@:6: providers.openai.key_file: the file `/nonexistent.key` cannot be read",
    ),
    Broken(
        "health_switch",
        DESCRIBED.format("health: true"),
        "@:5: providers.b.health: expected a mapping, found `true`",
    ),
    Broken(
        "health_path_relative",
        DESCRIBED.format("health: {path: models}"),
        "@:5: providers.b.health.path: `models` is not valid here",
        "begins with `/`",
    ),
    Broken(
        "health_interval_too_short",
        DESCRIBED.format("health: {interval_ms: 99}"),
        "@:5: providers.b.health.interval_ms: `99` is below 100",
    ),
    Broken(
        "health_timeout_zero",
        DESCRIBED.format("health: {timeout_ms: 0}"),
        "@:5: providers.b.health.timeout_ms: `0` is below 10",
    ),
    Broken(
        "health_timeout_longer_than_interval",
        DESCRIBED.format("health:\n      interval_ms: 500\n      timeout_ms: 501"),
        "@:7: providers.b.health.timeout_ms: 501 ms is more than `interval_ms`, 500",
        "ask less often",
    ),
    Broken(
        "health_timeout_longer_than_the_usual_interval",
        DESCRIBED.format("health: {timeout_ms: 10001}"),
        "@:5: providers.b.health.timeout_ms: 10001 ms is more than `interval_ms`, 10000",
        "ask less often",
    ),
    Broken(
        "health_failures_zero",
        DESCRIBED.format("health: {failures: 0}"),
        "@:5: providers.b.health.failures: `0` is below 1",
    ),
    Broken(
        "health_unknown_option",
        DESCRIBED.format("health: {every_s: 1}"),
        "@:5: providers.b.health.every_s: unknown option `every_s`",
        "known here: `path`, `interval_ms`, `timeout_ms`, `failures`",
    ),
    # What is counted, what is kept.
    Broken(
        "metrics_switch",
        OPENAI + "metrics: true\n",
        "@:2: metrics: expected a mapping, found `true`",
    ),
    Broken(
        "metrics_by_key_word",
        OPENAI + "metrics: {by_key: all}\n",
        "@:2: metrics.by_key: expected true or false, found `all`",
    ),
    Broken(
        "metrics_unknown_option",
        OPENAI + "metrics: {by_keys: true}\n",
        "@:2: metrics.by_keys: unknown option `by_keys`",
        "did you mean `by_key`?",
    ),
    Broken(
        "cache_negative",
        OPENAI + "cache: {bytes_max: -1}\n",
        "@:2: cache.bytes_max: `-1` is below 0",
    ),
    Broken(
        "cache_too_large",
        OPENAI + f"cache: {{bytes_max: {2**63}}}\n",
        f"@:2: cache.bytes_max: `{2**63}` is above {2**63 - 1}",
    ),
    Broken(
        "cache_with_a_unit",
        OPENAI + "cache: {bytes_max: 1GiB}\n",
        "@:2: cache.bytes_max: expected a whole number, found `1GiB`",
    ),
    Broken(
        "cache_option_of_a_route",
        OPENAI + "cache: {ttl_s: 60}\n",
        "@:2: cache.ttl_s: unknown option `ttl_s`",
        "known here: `bytes_max`",
    ),
    # The catalog.
    Broken(
        "catalog_file_empty",
        OPENAI + "catalog: {file: ''}\n",
        "@:2: catalog.file: is empty",
    ),
    Broken(
        "catalog_model_of_nobody",
        OPENAI + "catalog: {models: {gpt-x: {}}}\n",
        "@:2: catalog.models.gpt-x: `gpt-x` is not a valid name",
        "write `<provider>/<model>`",
    ),
    Broken(
        "catalog_window",
        model("{context_window: 0}"),
        '@:2: catalog.models["openai/gpt-x"].context_window: `0` is below 1',
    ),
    Broken(
        "catalog_capability",
        model("{capabilities: {smell: true}}"),
        '@:2: catalog.models["openai/gpt-x"].capabilities.smell: unknown option `smell`',
        "known here: `tools`, ",
    ),
    Broken(
        "catalog_price_negative",
        model("{price: {input: -1}}"),
        '@:2: catalog.models["openai/gpt-x"].price.input: `-1` is negative',
        "USD per million tokens",
    ),
    Broken(
        "catalog_tier_of_every_request",
        model("{price: {tiers: [{above_input_tokens: 0, input: 1}]}}"),
        '@:2: catalog.models["openai/gpt-x"].price.tiers[0].above_input_tokens: `0` is below 1',
    ),
    # Routes.
    Broken(
        "target_provider",
        route(
            "    models: [m]\n    targets:\n      - {provider: openai}\n      - {provider: opnai}\n"
        ),
        "@:7: routes.chat.targets[1].provider: unknown provider `opnai`",
        "did you mean `openai`?",
    ),
    Broken(
        "route_without_targets",
        route("    models: [m]\n    targets: []\n"),
        "@:5: routes.chat.targets: is empty",
    ),
    Broken(
        "route_without_models",
        route("    targets: [{provider: openai}]\n"),
        "@:3: routes.chat: no model and no path leads here",
        "list `models`",
    ),
    Broken(
        "pass_through_star_inside",
        route("    targets: [{provider: openai}]\n    pass_through: ['images/*/x']\n"),
        "@:5: routes.chat.pass_through[0]: `images/*/x` is not valid here",
        "write it as it follows `/v1/`: `files`, `images/*`",
    ),
    Broken(
        "pass_through_slash",
        route("    targets: [{provider: openai}]\n    pass_through: [/v1/files]\n"),
        "@:5: routes.chat.pass_through[0]: `/v1/files` is not valid here",
        "write it as it follows `/v1/`: `files`, `images/*`",
    ),
    Broken(
        "pass_through_nowhere",
        "providers:\n  d: {type: deepseek, api_key: x}\n"
        "routes:\n  rest:\n    targets: [{provider: d}]\n    pass_through: [files]\n",
        "@:6: routes.rest.pass_through: none of the targets' providers is one to which paths",
        "see the list in the guide on providers",
    ),
    Broken(
        "strategy",
        route("    models: [m]\n    targets: [{provider: openai}]\n    strategy: fastest\n"),
        "@:6: routes.chat.strategy: `fastest` is not one of `affinity`, `cost`, `latency`, ",
    ),
    Broken(
        "weight_zero",
        route("    models: [m]\n    targets: [{provider: openai, weight: 0}]\n"),
        "@:5: routes.chat.targets[0].weight: `0` is below 1",
    ),
    Broken(
        "weight_of_no_effect",
        route(
            "    models: [m]\n    strategy: ordered\n    targets:\n"
            "      - {provider: openai, weight: 1}\n      - {provider: openai, weight: 2}\n"
        ),
        "@:8: routes.chat.targets[1].weight: has no effect with `strategy: ordered`",
        "leave it out, or write `strategy: weighted`",
    ),
    Broken(
        "ttl_zero",
        route("    models: [m]\n    targets: [{provider: openai}]\n    cache: {ttl_s: 0}\n"),
        "@:6: routes.chat.cache.ttl_s: `0` is not above 0",
    ),
    Broken(
        "deadline_negative",
        route(
            "    models: [m]\n    targets: [{provider: openai}]\n    deadlines: {total_ms: -1}\n"
        ),
        "@:6: routes.chat.deadlines.total_ms: `-1` is below 0",
    ),
    Broken(
        "model_star_inside",
        route("    models: ['team/*/x']\n    targets: [{provider: openai}]\n"),
        "@:4: routes.chat.models[0]: `team/*/x` is not valid here",
        "ends in its only `*`",
    ),
    Broken(
        "model_twice",
        route("    models: [m]\n    targets: [{provider: openai}]\n")
        + "  other:\n    models: [n, m]\n    targets: [{provider: openai}]\n",
        "@:7: routes.other.models[1]: `m` already leads to route `chat`",
    ),
    Broken(
        "caller_credential_provider",
        route("    models: [m]\n    targets: [{provider: openai}]\n    caller_credential: opnai\n"),
        "@:6: routes.chat.caller_credential: unknown provider `opnai`",
        "did you mean `openai`?",
    ),
    Broken(
        "caller_credential_nowhere",
        "providers: {openai: {type: openai, api_key: x}, other: {type: openai, api_key: x}}\n"
        "routes:\n  chat:\n    models: [m]\n    targets: [{provider: openai}]\n"
        "    caller_credential: other\n",
        "@:6: routes.chat.caller_credential: no target of the route or of its fallbacks is at "
        "provider `other`",
    ),
    Broken(
        "caller_credential_of_a_mock",
        route("    models: [m]\n    targets: [{provider: mock}]\n    caller_credential: mock\n")
        + "mock: true\n",
        "@:6: routes.chat.caller_credential: a provider of type `mock` takes no key",
    ),
    Broken(
        "caller_credential_and_a_signature",
        "providers:\n  b: {type: bedrock, aws: {region: r, access_key_id: a, "
        "secret_access_key: b}}\n"
        "routes:\n  r:\n    models: [m]\n    targets: [{provider: b}]\n    caller_credential: b\n",
        "@:7: routes.r.caller_credential: requests to provider `b` are signed",
    ),
    Broken(
        "caller_credential_and_a_header",
        "providers: {c: {type: anthropic, headers: {Authorization: x}}}\n"
        "routes: {r: {models: [m], targets: [{provider: c}], caller_credential: c}}\n",
        "@:1: providers.c.headers.Authorization: stands beside the caller's credential, which "
        "route `r` passes on",
    ),
    Broken(
        "rest_without_prefix",
        route("    models: [m]\n    targets: [{provider: openai, model: '*'}]\n"),
        "@:5: routes.chat.targets[0].model: `*` is what follows the first `/`, but `m` is not",
    ),
    Broken(
        "fallback_unknown",
        route(
            CHAT
            + "    fallbacks: [spar]\n"
            + "  spare: {models: [m], targets: [{provider: openai}]}\n"
        ),
        "@:6: routes.chat.fallbacks[0]: unknown route `spar`",
        "did you mean `spare`?",
    ),
    Broken(
        "fallback_itself",
        route(CHAT + "    fallbacks: [chat]\n"),
        "@:6: routes.chat.fallbacks[0]: route `chat` cannot be its own fallback",
    ),
    Broken(
        "retry_budget",
        route(CHAT + "    retry: {budget_percent: 101}\n"),
        "@:6: routes.chat.retry.budget_percent: `101` is above 100",
    ),
    Broken(
        "retry_attempts",
        route(CHAT + "    retry: {attempts_max: 0}\n"),
        "@:6: routes.chat.retry.attempts_max: `0` is below 1",
    ),
    Broken(
        "retry_pauses",
        route(CHAT + "    retry: {backoff_ms: 500, backoff_max_ms: 100}\n"),
        "@:6: routes.chat.retry.backoff_max_ms: the first pause (500 ms) is longer than the",
    ),
    Broken(
        "retry_long_first_pause",
        route(CHAT + "    retry: {backoff_ms: 5000}\n"),
        "@:6: routes.chat.retry.backoff_ms: the first pause (5000 ms) is longer",
    ),
    *(
        Broken(
            f"{option}_longer_than_all",
            route(CHAT + f"    deadlines:\n      total_ms: 1000\n      {option}: 1001\n"),
            f"@:8: routes.chat.deadlines.{option}: 1001 ms is more than `total_ms`, 1000",
            "lengthen the whole",
        )
        for option in ("connect_ms", "first_byte_ms", "progress_ms")
    ),
    *(
        Broken(
            f"{area}_{option}_longer_than_all",
            route(
                CHAT + f"    deadlines: {{total_ms: 1000}}\n    {area}: {{{more}{option}: 1001}}\n"
            ),
            f"@:7: routes.chat.{area}.{option}: 1001 ms is more than `deadlines.total_ms`, 1000",
            hint,
        )
        for area, more, option, hint in (
            ("retry", "", "backoff_ms", "lengthen the whole"),
            ("retry", "", "retry_after_max_ms", "lengthen the whole"),
            ("policy", "name: a, ", "deadline_ms", "lengthen the whole"),
            ("hedge", "", "delay_ms", "sooner"),
        )
    ),
    Broken(
        "hedge_after_the_first_attempt",
        route(CHAT + "    deadlines: {first_byte_ms: 700}\n    hedge: {delay_ms: 800}\n"),
        "@:7: routes.chat.hedge.delay_ms: 800 ms is more than `deadlines.first_byte_ms`, 700",
        "sooner",
    ),
    Broken(
        "breaker_share",
        route(CHAT + "    breaker: {failure_percent: 0}\n"),
        "@:6: routes.chat.breaker.failure_percent: `0` is below 1",
    ),
    Broken(
        "breaker_type",
        route(CHAT + "    breaker: off\n"),
        "@:6: routes.chat.breaker: expected a mapping",
    ),
    Broken(
        "hedge_spend",
        route(CHAT + "    hedge: {spend_percent: 200}\n"),
        "@:6: routes.chat.hedge.spend_percent: `200` is above 100",
    ),
    Broken(
        "ask_usage_type",
        route(CHAT + "    ask_usage: always\n"),
        "@:6: routes.chat.ask_usage: expected",
    ),
    Broken(
        "translation_tokens",
        route(CHAT + "    translation: {max_tokens: 0}\n"),
        "@:6: routes.chat.translation.max_tokens: `0` is below 1",
    ),
    Broken(
        "translation_strict",
        route(CHAT + "    translation: {strict: please}\n"),
        "@:6: routes.chat.translation.strict: expected",
    ),
    Broken(
        "commit_point_type",
        route(CHAT + "    commit_point: 1\n"),
        "@:6: routes.chat.commit_point: expected",
    ),
    Broken(
        "affinity_without_strategy",
        route(CHAT + "    affinity: {by: key}\n"),
        "@:6: routes.chat.affinity: has no effect with `strategy: round_robin`",
        "write `strategy: affinity`, or leave it out",
    ),
    Broken(
        "affinity_by",
        route(CHAT + "    strategy: affinity\n    affinity: {by: user}\n"),
        "@:7: routes.chat.affinity.by: `user` is not one of `conversation`, `header`, `key`",
    ),
    Broken(
        "affinity_header_missing",
        route(CHAT + "    strategy: affinity\n    affinity: {by: header}\n"),
        "@:7: routes.chat.affinity: `by: header` and `header` go together",
        "write `by: header` and `header: x-session-id`",
    ),
    Broken(
        "rule_to_nowhere",
        route(CHAT + "    rules: [{when: {stream: true}, route: chta}]\n"),
        "@:6: routes.chat.rules[0].route: unknown route `chta`",
        "did you mean `chat`?",
    ),
    Broken(
        "rule_to_itself",
        route(CHAT + "    rules: [{when: {stream: true}, route: chat}]\n"),
        "@:6: routes.chat.rules[0].route: leads to the route itself",
        "leave the rule out",
    ),
    Broken(
        "rule_says_nothing",
        route(CHAT + RULE.format("{}") + OTHER),
        "@:6: routes.chat.rules[0].when: says nothing",
        "say which requests it is for",
    ),
    Broken(
        "rule_tokens_contradict",
        route(CHAT + RULE.format("{input_tokens: {min: 9, max: 8}}") + OTHER),
        "@:6: routes.chat.rules[0].when.input_tokens: can never hold: `min` 9 is above",
        "exchange them",
    ),
    Broken(
        "rule_tokens_negative",
        route(CHAT + RULE.format("{input_tokens: {min: -1}}") + OTHER),
        "@:6: routes.chat.rules[0].when.input_tokens.min: `-1` is below 0",
    ),
    Broken(
        "rule_whole_day",
        route(CHAT + RULE.format("{hours: {from: '08:00', to: '08:00'}}") + OTHER),
        "@:6: routes.chat.rules[0].when.hours: is the whole day: it ends when it begins",
        "leave it out, or say when it ends",
    ),
    Broken(
        "rule_time",
        route(CHAT + RULE.format("{hours: {from: '25:00', to: '08:00'}}") + OTHER),
        "@:6: routes.chat.rules[0].when.hours.from: `25:00` is not valid here",
        'write `"22:30"`',
    ),
    Broken(
        "rule_of_no_key",
        route(CHAT + RULE.format("{keys: [ap]}") + OTHER),
        "@:6: routes.chat.rules[0].when.keys[0]: can never hold: `ap` fits no key",
    ),
    Broken(
        "rule_of_no_model",
        route(CHAT + RULE.format("{models: [other]}") + OTHER),
        "@:6: routes.chat.rules[0].when.models[0]: can never hold: `other` fits no ",
    ),
    Broken(
        "rule_after_its_like",
        route(
            CHAT
            + "    rules:\n    - {when: {stream: true}, route: o}\n"
            + "    - {when: {stream: true, tags: [a]}, route: o}\n"
            + OTHER
        ),
        "@:8: routes.chat.rules[1]: can never hold: a rule before it already takes all of these",
        "put it before that one, or leave it out",
    ),
    Broken(
        "rule_after_a_wider_one",
        route(
            CHAT
            + "    rules:\n    - {when: {input_tokens: {min: 100}}, route: o}\n"
            + "    - {when: {input_tokens: {min: 200}, stream: true}, route: o}\n"
            + OTHER
        ),
        "@:8: routes.chat.rules[1]: can never hold: a rule before it already takes all of these",
        "put it before that one, or leave it out",
    ),
    Broken(
        "rule_need",
        route(CHAT + RULE.format("{needs: [smell]}") + OTHER),
        "@:6: routes.chat.rules[0].when.needs[0]: `smell` is not one of `audio`, ",
    ),
    Broken(
        "policy_name",
        route(CHAT + "    policy: {name: 'a b'}\n"),
        "@:6: routes.chat.policy.name: `a b` is not valid here",
    ),
    Broken(
        "policy_deadline",
        route(CHAT + "    policy: {name: a, deadline_ms: 0}\n"),
        "@:6: routes.chat.policy.deadline_ms: `0` is below 1",
    ),
]
