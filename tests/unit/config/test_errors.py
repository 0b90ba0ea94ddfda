"""What is wrong is said in its place, with the way out."""

import errno
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization

from llm_edge_agent.config import load
from llm_edge_agent.config.files import unreadable
from llm_edge_agent.errors import ConfigError
from tests.support.certificates import Authority
from tests.unit.config.broken import BROKEN, ENV, HASH, OPENAI, Broken


def faults(
    text: str, tmp_path: Path, form: str = "yaml", env: dict[str, str] | None = None
) -> list[ConfigError]:
    file = tmp_path / f"llm-edge.{form}"
    file.write_text(text)
    with pytest.raises(ConfigError) as caught:
        load(file, env=ENV if env is None else env)
    return list(caught.value.errors)


@pytest.mark.parametrize("broken", BROKEN, ids=lambda broken: broken.name)
def test_a_fault_is_named_with_file_line_path_and_hint(broken: Broken, tmp_path: Path) -> None:
    found = faults(broken.text, tmp_path, broken.format)
    expected = broken.says.replace("@", str(tmp_path / f"llm-edge.{broken.format}"))
    first = next((f for f in found if str(f).startswith(expected)), None)
    assert first is not None, [str(fault) for fault in found]
    assert broken.hint in first.hint


@pytest.mark.parametrize("broken", BROKEN, ids=lambda broken: broken.name)
def test_one_fault_is_told_once(broken: Broken, tmp_path: Path) -> None:
    several = {
        "tls_files_missing",
        "tls_not_pem",
        "tls_file_of_no_name",
        "client_certificate_missing",
        "client_certificate_not_pem",
    }
    assert len(faults(broken.text, tmp_path, broken.format)) == (2 if broken.name in several else 1)


def test_all_faults_of_a_file_are_told_at_once_in_its_order(tmp_path: Path) -> None:
    text = OPENAI + "workers: -1\nlimits: {head_ms: 0, x: 1}\nlisen: {}\nroutes: {a: {models: 1}}\n"
    found = faults(text, tmp_path)
    assert [(fault.line, fault.path) for fault in found] == [
        (2, "workers"),
        (3, "limits.x"),
        (3, "limits.head_ms"),
        (4, "lisen"),
        (5, "routes.a.models"),
        (5, "routes.a.targets"),
    ]


def test_rules_between_options_are_all_told_at_once(tmp_path: Path) -> None:
    text = (
        "listen: {api: '0.0.0.0:80', admin: '0.0.0.0:81'}\n"
        "providers: {openai: {type: opnai}, local: {type: openai_compatible}}\n"
        "routes: {a: {models: [m], targets: [{provider: x}]}}\n"
    )
    assert [fault.path for fault in faults(text, tmp_path)] == [
        "listen.api",
        "listen.admin",
        "providers.openai.type",
        "providers.local.base_url",
        "routes.a.targets[0].provider",
    ]


@pytest.mark.parametrize("option", ["workers", "routes", "request_log"])
def test_a_secret_in_the_wrong_place_is_not_repeated(option: str, tmp_path: Path) -> None:
    env = {"OPENAI_API_KEY": "sk-very-secret"}
    found = faults(OPENAI + f"{option}: ${{OPENAI_API_KEY}}\n", tmp_path, env=env)
    assert all("very-secret" not in str(fault) for fault in found)


def test_a_secret_of_the_wrong_type_is_not_repeated(tmp_path: Path) -> None:
    found = faults("providers: {openai: {type: openai, api_key: 987654321}}\n", tmp_path)
    assert "987654321" not in str(found[0])


def test_a_password_in_a_url_is_not_repeated(tmp_path: Path) -> None:
    text = "providers: {a: {type: openai_compatible, base_url: 'http://u:passw0rd@h/v1'}}\n"
    assert all("passw0rd" not in str(fault) for fault in faults(text, tmp_path))


def test_a_fault_in_a_variable_names_the_variable(tmp_path: Path) -> None:
    found = faults(OPENAI, tmp_path, env={"LLM_EDGE_LISTEN__API": "nowhere"})
    assert str(found[0]).startswith(
        "LLM_EDGE_LISTEN__API: listen.api: `nowhere` is not `host:port`"
    )


def test_a_variable_that_spells_no_option_below_a_known_one_is_a_fault(tmp_path: Path) -> None:
    found = faults(OPENAI, tmp_path, env={"LLM_EDGE_LISTEN__ADMN": "127.0.0.1:1"})
    assert found[0].file == "LLM_EDGE_LISTEN__ADMN"
    assert found[0].hint == "did you mean `admin`?"


def test_a_file_that_is_named_but_missing_is_a_fault() -> None:
    with pytest.raises(
        ConfigError, match=r"^/nonexistent/x.yaml: cannot be read: No such file"
    ) as caught:
        load("/nonexistent/x.yaml", env={})
    assert "init" in caught.value.hint


def test_a_file_that_is_not_utf8_is_a_fault_with_its_line(tmp_path: Path) -> None:
    file = tmp_path / "x.yaml"
    file.write_bytes(b"version: 1\nlisten: \xff\n")
    with pytest.raises(ConfigError, match=r"x.yaml:2: is not UTF-8 text"):
        load(file, env={})


@pytest.mark.parametrize(
    ("text", "at"),
    [
        (
            'providers:\n  openai:\n    type: openai\n    api_key: "${{file:{}}}"\n',
            "4: providers.openai.api_key",
        ),
        (
            "providers:\n  v:\n    type: vertex\n    google:\n      project: p\n"
            "      location: global\n      credentials_file: {}\n",
            "7: providers.v.google.credentials_file",
        ),
        (
            "providers:\n  openai:\n    type: openai\n    api_key: x\n    ca_file: {}\n",
            "5: providers.openai.ca_file",
        ),
    ],
    ids=["secret", "google", "ca"],
)
def test_a_link_to_nowhere_is_not_taken_for_a_file_that_is_missing(
    tmp_path: Path, text: str, at: str
) -> None:
    link = tmp_path / "token"
    link.symlink_to("..data/token")
    [fault] = faults(text.format(link), tmp_path)
    assert str(fault).startswith(
        f"{tmp_path}/llm-edge.yaml:{at}: the file `{link}` cannot be read: "
        "it is a link to `..data/token`, which is not there"
    )
    assert "mend the link" in fault.hint


def test_a_file_that_its_owner_keeps_to_himself_is_told_with_who_must_read_it() -> None:
    # Whoever runs the tests may be one whom no permission keeps out.
    fault = unreadable("/etc/key", PermissionError(errno.EACCES, "Permission denied"))
    assert str(fault) == "the file `/etc/key` cannot be read: Permission denied"
    assert fault.hint == "let the user read it whom the gateway runs as"


def test_a_folder_that_a_variable_names_as_a_secrets_file_is_a_fault(tmp_path: Path) -> None:
    env = {"LLM_EDGE_PROVIDERS__OPENAI__API_KEY_FILE": str(tmp_path)}
    [fault] = faults("providers: {openai: {type: openai}}\n", tmp_path, env=env)
    assert str(fault).startswith(
        f"LLM_EDGE_PROVIDERS__OPENAI__API_KEY_FILE: the file `{tmp_path}` cannot be read: "
        "Is a directory"
    )
    assert fault.hint == "name a file in it"


def test_nothing_configured_at_all_says_what_to_do() -> None:
    with pytest.raises(ConfigError, match="no provider is configured") as caught:
        load(env={}, search=())
    assert "demo" in caught.value.hint


def test_a_short_key_is_a_warning_and_not_an_error(tmp_path: Path) -> None:
    file = tmp_path / "x.yaml"
    file.write_text(OPENAI + "keys: [{name: a, key: short}]\n")
    assert "x.yaml:2: keys[0].key: has fewer than 20 characters" in load(file, env={}).warnings[0]


def test_keys_let_other_machines_in(tmp_path: Path) -> None:
    file = tmp_path / "x.yaml"
    file.write_text(
        OPENAI + f"keys: [{{name: a, hash: '{HASH}'}}]\nlisten: {{api: '0.0.0.0:80'}}\n"
    )
    assert load(file, env={}).config.listen.api_address == ("0.0.0.0", 80)


def test_a_client_certificate_and_a_key_that_is_not_its_own_are_refused(tmp_path: Path) -> None:
    authority = Authority(tmp_path / "authority")
    one, two = authority.issue("gateway.test"), authority.issue("gateway.test")
    encrypted = tmp_path / "encrypted.key"
    key = serialization.load_pem_private_key(one.key_file.read_bytes(), None)
    encrypted.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"secret"),
        )
    )
    text = "providers:\n  p:\n    type: openai\n    api_key: x\n"
    for key_file, says in (
        (two.key_file, f"is not the key of the certificate in `{one.cert_file}`"),
        (encrypted, "one of them is broken, or encrypted"),
    ):
        more = f"    cert_file: {one.cert_file}\n    key_file: {key_file}\n"
        (fault,) = faults(text + more, tmp_path)
        assert (fault.line, fault.path) == (6, "providers.p.key_file")
        assert says in fault.message
    file = tmp_path / "good.yaml"
    file.write_text(text + f"    cert_file: {one.cert_file}\n    key_file: {one.key_file}\n")
    loaded = load(file, env={})
    assert {str(one.cert_file), str(one.key_file)} <= set(loaded.source.files)


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("listen_same", "give each of them a port of its own"),
        ("tls_not_pem", "-----BEGIN CERTIFICATE-----"),
        ("client_certificate_not_pem", "-----BEGIN CERTIFICATE-----"),
        ("cert_file_alone", "write both, or neither"),
        ("key_names_twice", "give each key a name of its own"),
        ("keys_twice", "take one of them out"),
        ("key_with_space", "keys create"),
        ("auth_header_not_theirs", "name the field that the provider takes its key in"),
    ],
)
def test_where_a_fix_can_be_named_it_is(name: str, hint: str, tmp_path: Path) -> None:
    (broken,) = [broken for broken in BROKEN if broken.name == name]
    found = faults(broken.text, tmp_path, broken.format)
    assert hint in found[0].hint


@pytest.mark.parametrize(
    ("line", "says", "hint"),
    [
        ('version: "1"', "version: is `1`, but not as a number", "write it without quotes"),
        ('workers: "2"', "workers: expected a whole number, found `2`", "write it without quotes"),
        ('drain_s: "2.5"', "drain_s: expected a number, found `2.5`", "write it without quotes"),
        ('insecure: "true"', "insecure: expected true or false, found", "write it without quotes"),
        ("workers: two", "workers: expected a whole number, found `two`", ""),
        ("version: true", "version: `true` is not one of `1`", ""),
        ("request_log: {mode: 1}", "request_log.mode: `1` is not one of `all`, `off`", ""),
    ],
)
def test_a_right_value_in_a_wrong_type_is_told_as_such(
    line: str, says: str, hint: str, tmp_path: Path
) -> None:
    (fault,) = faults(f"{line}\n{OPENAI}", tmp_path)
    assert str(fault).startswith(f"{tmp_path}/llm-edge.yaml:1: {says}")
    assert fault.hint == hint


def test_a_variable_as_shells_have_it_is_told_with_the_right_form(tmp_path: Path) -> None:
    text = 'providers:\n  o:\n    type: openai\n    api_key: "{}"\n'
    (fault,) = faults(text.format("$S3_NOPE_2"), tmp_path)
    assert (fault.line, fault.path) == (4, "providers.o.api_key")
    assert fault.message == "`$S3_NOPE_2` is taken as it stands, and is no reference"
    assert fault.hint == "write `${S3_NOPE_2}` for the variable, or `$$S3_NOPE_2` for this text"
    file = tmp_path / "literal.yaml"
    for written, meant in (("$$NOPE", "$NOPE"), ("a$NOPE", "a$NOPE"), ("$nope", "$nope")):
        file.write_text(text.format(written))
        (secret,) = load(file, env={}).config.providers["o"].credentials
        assert secret.reveal() == meant
