"""`llm-edge-agent check` finds what a start would refuse, credentials in other places included."""

from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner, Result

from llm_edge_agent.cli import main

ACCOUNT = {
    "type": "service_account",
    "project_id": "p-1",
    "client_email": "e",
    "private_key": "not-a-key",
    "token_uri": "http://127.0.0.1:1/token",
}
AMAZON = """\
version: 1
providers:
  aws:
    type: bedrock
    aws: {region: eu-west-1}
"""
GOOGLE = """\
version: 1
providers:
  v:
    type: vertex
    google:
      location: eu
      project: p-1
"""


@pytest.fixture(autouse=True)
def _nobody(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(home / "credentials"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(home / "config"))
    for name in ("AWS_ACCESS_KEY_ID", "AWS_PROFILE", "GOOGLE_APPLICATION_CREDENTIALS"):
        monkeypatch.delenv(name, raising=False)


def check(text: str, *options: str) -> Result:
    Path("llm-edge.yaml").write_text(text)
    return CliRunner().invoke(main, ["check", *options])


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (AMAZON, "llm-edge.yaml:5: providers.aws.aws: no access key was found. hint: give the key"),
        (
            AMAZON.replace("}", ", profile: nosuch}"),
            "llm-edge.yaml:5: providers.aws.aws.profile: there is no profile `nosuch` in",
        ),
        (
            GOOGLE + "      credentials_file: account.json\n",
            "llm-edge.yaml:8: providers.v.google.credentials_file: the file `account.json` is no"
            " credential: its `private_key` is no private key in PEM form. hint: `gcloud iam",
        ),
    ],
)
def test_a_credential_that_a_start_would_refuse_is_refused(text: str, says: str) -> None:
    Path("account.json").write_bytes(msgspec.json.encode(ACCOUNT))
    checked = check(text)
    assert checked.exit_code == 78
    assert checked.stderr.startswith(f"error: {says}")
    assert "not-a-key" not in checked.output


def test_a_malformed_file_is_refused_with_its_name() -> None:
    Path("credentials").write_text("neither a section nor a setting\n")
    checked = check(AMAZON)
    assert checked.exit_code == 78
    assert "/credentials` is no AWS configuration: line 1 cannot be read. hint: " in checked.stderr
    assert "neither a section" not in checked.output


def test_all_of_them_are_told() -> None:
    Path("account.json").write_bytes(msgspec.json.encode(ACCOUNT))
    google = GOOGLE.partition("providers:\n")[2] + "      credentials_file: account.json\n"
    checked = check(AMAZON + google, "--format", "json")
    assert checked.exit_code == 78
    told = [error["path"] for error in msgspec.json.decode(checked.stdout)["errors"]]
    assert told == ["providers.aws.aws", "providers.v.google.credentials_file"]


def test_what_would_only_be_waited_for_is_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ROLE_ARN", "arn:aws:iam::1:role/x")
    monkeypatch.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", "/nonexistent/token")
    checked = check(AMAZON)
    assert checked.exit_code == 0
    assert checked.stderr == (
        "warning: llm-edge.yaml:5: providers.aws.aws: AWS_WEB_IDENTITY_TOKEN_FILE: the file"
        " `/nonexistent/token` cannot be read: No such file or directory."
        " hint: create it, or mend its name\n"
    )


def test_what_cannot_be_seen_without_a_network_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_EC2_METADATA_DISABLED")
    checked = check(AMAZON, "--format", "json")
    assert checked.exit_code == 0
    assert msgspec.json.decode(checked.stdout)["warnings"] == [
        "llm-edge.yaml:5: providers.aws.aws: only the machine's metadata service could have a"
        " credential, and is not asked here"
    ]


@pytest.mark.parametrize(
    ("variable", "value", "says"),
    [
        ("LLM_EDGE_ADMIN_TOKEN", "", "LLM_EDGE_ADMIN_TOKEN: must be printable ASCII without"),
        ("LLM_EDGE_ADMIN_TOKEN_FILE", "/nonexistent", "LLM_EDGE_ADMIN_TOKEN_FILE: the file `/non"),
        ("LLM_EDGE_KEY_PEPPER", "short", "LLM_EDGE_KEY_PEPPER: the pepper has fewer than 32"),
        ("LLM_EDGE_KEY_PEPPER_FILE", "/nonexistent", "LLM_EDGE_KEY_PEPPER_FILE: the file `/nonex"),
    ],
)
def test_what_a_start_takes_from_the_environment_is_seen(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str, says: str
) -> None:
    text = "version: 1\nmock: true\n"
    monkeypatch.delenv("LLM_EDGE_AGENT", raising=False)
    monkeypatch.setenv(variable, value)
    checked = check(text)
    assert checked.exit_code == 78
    assert checked.stderr.startswith(f"error: {says}")
    monkeypatch.delenv(variable)
    assert check(text).exit_code == 0
