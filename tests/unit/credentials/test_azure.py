"""What can be seen of an identity of Microsoft's without asking for it."""

from pathlib import Path

import pytest

from llm_edge_agent.config.schema import Azure
from llm_edge_agent.config.secret import SecretText
from llm_edge_agent.credentials import AzureTokens, NotFound
from tests.support.microsoft import CLIENT, SCOPE, TENANT

OF_OTHERS = (
    "AZURE_AUTHORITY_HOST",
    "AZURE_CLIENT_CERTIFICATE_PATH",
    "AZURE_CLIENT_SECRET",
    "AZURE_FEDERATED_TOKEN_FILE",
    "AZURE_USERNAME",
    "IDENTITY_ENDPOINT",
    "MSI_ENDPOINT",
)
TOKENS = AzureTokens("az", SCOPE, Azure())


@pytest.fixture(autouse=True)
def _application(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in OF_OTHERS:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AZURE_TENANT_ID", TENANT)
    monkeypatch.setenv("AZURE_CLIENT_ID", CLIENT)


def refused() -> NotFound:
    """What a look at the machine says; a search says the same."""
    with pytest.raises(NotFound) as seen:
        TOKENS.check()
    with pytest.raises(NotFound) as found:
        TOKENS.find()
    assert vars(found.value) == vars(seen.value)
    return seen.value


@pytest.mark.parametrize(
    "variable", ["AZURE_CLIENT_CERTIFICATE_PATH", "AZURE_FEDERATED_TOKEN_FILE"]
)
def test_a_file_that_cannot_be_read_is_named_with_its_variable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    monkeypatch.setenv(variable, str(tmp_path / "absent"))
    told = refused()
    says = f"{variable}: the file `{tmp_path}/absent` cannot be read: No such file or directory"
    assert told.reason == says
    assert told.hint == "create it, or mend its name"
    assert not told.absent
    monkeypatch.setenv(variable, str(tmp_path))
    assert refused().hint == "name a file in it"


def test_a_token_that_nobody_would_show_need_not_be_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AZURE_CLIENT_SECRET", "x")
    monkeypatch.setenv("AZURE_FEDERATED_TOKEN_FILE", str(tmp_path / "absent"))
    assert TOKENS.check() == ""


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("AZURE_CLIENT_CERTIFICATE_PATH", __file__),
        ("AZURE_AUTHORITY_HOST", "http://127.0.0.1:1"),
    ],
)
def test_a_setting_that_is_none_is_told_with_its_variable(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    monkeypatch.setenv(variable, value)
    told = refused()
    assert told.reason == "getting an access token failed (ValueError)"
    assert told.hint == f"mend {variable}, or what it leads to"
    assert told.absent


def test_where_nothing_lies_at_hand_it_is_said_who_is_left() -> None:
    assert TOKENS.check() == "the login of the Azure CLI or the identity of the machine"
    secret = SecretText("s")
    given = Azure(tenant_id=TENANT, client_id=CLIENT, client_secret=secret)
    assert AzureTokens("az", SCOPE, given).check() == ""
