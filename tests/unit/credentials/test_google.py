"""A Google Cloud account is completed from the environment, and its credential read."""

import sys
from pathlib import Path

import msgspec
import pytest

from llm_edge_agent.config import load_tree
from llm_edge_agent.config.schema import Google, Provider
from llm_edge_agent.config.secret import SecretText
from llm_edge_agent.credentials import GoogleTokens, NotFound
from llm_edge_agent.errors import ConfigError
from tests.support.google import SCOPE, Tokens

ACCOUNT = {
    "type": "service_account",
    "project_id": "p-1",
    "client_email": "e",
    "private_key": "not a key",
    "token_uri": "http://127.0.0.1:1/token",
}


def vertex(env: dict[str, str] | None = None, **options: object) -> Provider:
    tree = {"providers": {"v": {"type": "vertex", **options}}}
    return load_tree(tree, env=env or {}).config.providers["v"]


def written(folder: Path, content: object = ACCOUNT) -> str:
    path = folder / "account.json"
    path.write_bytes(msgspec.json.encode(content))
    return str(path)


@pytest.mark.parametrize(
    ("location", "url"),
    [
        ("europe-west1", "https://europe-west1-aiplatform.googleapis.com"),
        ("global", "https://aiplatform.googleapis.com"),
        ("us", "https://aiplatform.us.rep.googleapis.com"),
        ("eu", "https://aiplatform.eu.rep.googleapis.com"),
    ],
)
def test_the_address_is_the_location_s(location: str, url: str) -> None:
    provider = vertex(google={"project": "p-1", "location": location})
    assert provider.base_url == url


def test_what_is_absent_comes_from_the_environment(tmp_path: Path) -> None:
    env = {
        "GOOGLE_CLOUD_PROJECT": "p-2",
        "GOOGLE_CLOUD_LOCATION": "global",
        "CLOUD_ML_REGION": "us-east5",
        "GOOGLE_APPLICATION_CREDENTIALS": written(tmp_path),
    }
    google = vertex(env).google
    assert google is not None
    assert (google.project, google.location) == ("p-2", "global")
    assert google.credentials_file == env["GOOGLE_APPLICATION_CREDENTIALS"]
    own = vertex(env, google={"credentials": msgspec.json.encode(ACCOUNT).decode()}).google
    assert own is not None
    assert own.credentials_file is None


def test_a_token_goes_to_another_address_only_where_that_is_said(tmp_path: Path) -> None:
    env = {
        "GOOGLE_CLOUD_PROJECT": "p-2",
        "GOOGLE_CLOUD_LOCATION": "global",
        "GOOGLE_APPLICATION_CREDENTIALS": written(tmp_path),
    }
    with pytest.raises(
        ConfigError, match=r"providers\.v\.google: a provider of type `vertex` needs"
    ):
        vertex(env, base_url="https://elsewhere.example")
    assert vertex(env, base_url="https://elsewhere.example", google={}).google is not None


def test_a_fault_of_the_file_of_the_environment_names_the_variable() -> None:
    env = {
        "GOOGLE_CLOUD_LOCATION": "global",
        "GOOGLE_APPLICATION_CREDENTIALS": "/nonexistent/account.json",
    }
    with pytest.raises(ConfigError) as caught:
        vertex(env)
    assert str(caught.value).startswith(
        "GOOGLE_APPLICATION_CREDENTIALS: providers.v.google.credentials_file: the file "
        "`/nonexistent/account.json` cannot be read: No such file or directory"
    )


def test_what_is_given_twice_is_refused(tmp_path: Path) -> None:
    file, place = written(tmp_path), {"project": "p-1", "location": "eu"}
    both = {**place, "credentials": "{}", "credentials_file": file}
    with pytest.raises(ConfigError, match="stands beside a `credentials_file`"):
        vertex(google=both)
    with pytest.raises(ConfigError, match="stands beside an `api_key`"):
        vertex(google={**place, "credentials_file": file}, api_key="ya29.x")


def test_an_account_is_of_no_use_to_others() -> None:
    tree = {"providers": {"o": {"type": "openai", "api_key": "sk-x", "google": {}}}}
    with pytest.raises(ConfigError, match="`openai` takes no Google Cloud account"):
        load_tree(tree, env={})


def test_without_the_library_it_is_said_how_to_get_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "google", None)
    monkeypatch.delitem(sys.modules, "google.auth", raising=False)
    with pytest.raises(ConfigError) as caught:
        vertex(google={"project": "p-1", "location": "eu"})
    (fault,) = caught.value.errors
    assert fault.path == "providers.v.google"
    assert fault.hint == "pip install 'llm-edge-agent[google]'"
    # A token that is given needs none.
    assert vertex(google={"project": "p-1", "location": "eu"}, api_key="ya29.x")


def tokens_for(account: dict[str, str]) -> GoogleTokens:
    secret = SecretText(msgspec.json.encode(account).decode())
    return GoogleTokens("v", SCOPE, Google(credentials=secret))


def test_a_token_comes_with_its_end() -> None:
    with Tokens(lives_s=600) as tokens:
        found = tokens_for(tokens.account).find()
        assert found.secret.reveal() == tokens.given[0]
        assert found.expires_s is not None
        assert tokens.faults == []


def test_what_the_other_side_says_is_not_repeated(caplog: pytest.LogCaptureFixture) -> None:
    with Tokens(refuses=True) as tokens, pytest.raises(NotFound) as caught:
        tokens_for(tokens.account).find()
    assert caught.value.reason == "getting an access token failed (RefreshError: invalid_grant)"
    assert not caught.value.absent
    assert not caplog.records


def refused(tokens: GoogleTokens) -> NotFound:
    """What a look at the machine says; a search says the same."""
    with pytest.raises(NotFound) as seen:
        tokens.check()
    with pytest.raises(NotFound) as found:
        tokens.find()
    assert vars(found.value) == vars(seen.value)
    return seen.value


def test_a_key_that_is_none_is_a_mistake_that_time_does_not_mend(tmp_path: Path) -> None:
    told = refused(tokens_for(ACCOUNT))
    assert told.reason == "it is no credential: its `private_key` is no private key in PEM form"
    assert (told.option, told.absent) == ("credentials", True)
    file = written(tmp_path)
    told = refused(GoogleTokens("v", SCOPE, Google(credentials_file=file)))
    assert told.reason.startswith(f"the file `{file}` is no credential: its `private_key` ")
    assert told.option == "credentials_file"
    # One is given, so that to give one is no advice.
    assert told.hint == "`gcloud iam service-accounts keys create` writes a whole one"
    assert "not a key" not in told.reason


def test_a_workload_s_token_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    identity = {
        "type": "external_account",
        "audience": "a",
        "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
        "token_url": "http://127.0.0.1:1/sts",
        "credential_source": {"file": str(tmp_path / "subject")},
    }
    google = Google(credentials_file=written(tmp_path, identity))
    told = refused(GoogleTokens("v", SCOPE, google))
    says = f"the file `{tmp_path}/subject` cannot be read: No such file or directory"
    assert told.reason == says
    assert told.hint == "create it, or mend its name"
    assert not told.absent
    source = {"credential_source": {"neither": "file nor url"}}
    google = Google(credentials_file=written(tmp_path, identity | source))
    told = refused(GoogleTokens("v", SCOPE, google))
    assert "holds no credential that can be used (MalformedError)" in told.reason
    assert told.absent


def test_without_a_credential_only_a_machine_of_google_s_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tokens = GoogleTokens("v", SCOPE, Google())
    monkeypatch.setenv("CLOUDSDK_CONFIG", str(tmp_path))
    monkeypatch.delenv("NO_GCE_CHECK", raising=False)
    assert tokens.check() == "the metadata server of a machine or pod"
    monkeypatch.setenv("NO_GCE_CHECK", "true")
    told = refused(tokens)
    assert (told.reason, told.absent) == ("no credential was found", True)
    login = tmp_path / "application_default_credentials.json"
    login.write_text('{"type": "x"}')
    told = refused(tokens)
    assert told.reason.startswith(f"the file `{login}` is no credential: its `type` is none of ")
    assert told.absent
    login.write_bytes(msgspec.json.encode(ACCOUNT))
    told = refused(tokens)
    assert told.hint == "`gcloud auth application-default login` writes it anew"
    assert told.option == ""


def test_a_secret_of_several_lines_is_taken_and_not_shown() -> None:
    text = msgspec.json.format(msgspec.json.encode(ACCOUNT), indent=2).decode()
    google = vertex(google={"location": "eu", "credentials": text}).google
    assert google is not None
    assert google.credentials is not None
    assert google.credentials.reveal() == text
    assert "not a key" not in repr(google)
