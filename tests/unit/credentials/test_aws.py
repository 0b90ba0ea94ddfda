"""An access key is found where botocore finds it, and what fails there is told in our words."""

import logging
import sys
import threading
from pathlib import Path

import pytest

from llm_edge_agent.config import load_tree
from llm_edge_agent.config.schema import Provider
from llm_edge_agent.credentials import AwsChain, NotFound
from llm_edge_agent.errors import ConfigError
from tests.support.amazon import REGION, Vendor

CHAIN = AwsChain(provider="aws", region=REGION)
KEY = {"access_key_id": "id", "secret_access_key": "secret"}


def bedrock(env: dict[str, str], **options: object) -> Provider:
    tree = {"providers": {"b": {"type": "bedrock", **options}}}
    return load_tree(tree, env=env).config.providers["b"]


def lead_to(vendor: Vendor, patch: pytest.MonkeyPatch) -> None:
    for name, value in vendor.env.items():
        patch.setenv(name, value)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        patch.delenv(name, raising=False)
    patch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent")
    patch.setenv("AWS_CONFIG_FILE", "/nonexistent")


def test_a_failure_is_told_once_and_without_what_the_other_side_said(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    # Of a key that lives short, botocore asks for the next one at once, and complains.
    with Vendor(lives_s=60, refuses_after=1) as vendor:
        lead_to(vendor, monkeypatch)
        with pytest.raises(NotFound) as caught:
            CHAIN.find()
    assert caught.value.reason == "looking for an access key failed (CredentialRetrievalError)"
    assert not caught.value.absent
    assert not caplog.records
    # Others in this process who use botocore still hear of their own.
    logging.getLogger("botocore.credentials").warning("theirs")
    assert [record.message for record in caplog.records] == ["theirs"]


def test_others_who_use_botocore_meanwhile_hear_of_their_own(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    theirs = logging.getLogger("botocore.credentials")
    with Vendor() as vendor:
        vendor.before = lambda: theirs.warning("theirs")
        lead_to(vendor, monkeypatch)
        assert CHAIN.find().secret.reveal() == "ASIA1 vended-secret-1 vended-token-1"
    assert [record.message for record in caplog.records] == ["theirs"]
    assert caplog.records[0].thread != threading.get_ident()


def test_the_region_gives_the_address_and_the_environment_the_rest() -> None:
    env = {"AWS_REGION": "eu-west-1", "AWS_DEFAULT_REGION": "no", "AWS_BEARER_TOKEN_BEDROCK": "b"}
    env |= {"AWS_ACCESS_KEY_ID": "env-id", "AWS_SECRET_ACCESS_KEY": "env-secret"}
    provider = bedrock(env, aws={})
    assert provider.base_url == "https://bedrock-runtime.eu-west-1.amazonaws.com"
    assert provider.credentials == []
    assert provider.aws is not None
    assert provider.aws.access_key_id is not None
    assert provider.aws.access_key_id.reveal() == "env-id"
    assert provider.aws.session_token is None


def test_what_is_written_comes_before_the_environment() -> None:
    env = {"AWS_REGION": "eu-west-1", "AWS_ACCESS_KEY_ID": "env", "AWS_SECRET_ACCESS_KEY": "env"}
    env |= {"AWS_SESSION_TOKEN": "env"}
    provider = bedrock(env, aws={"region": "us-east-1", **KEY})
    assert provider.base_url == "https://bedrock-runtime.us-east-1.amazonaws.com"
    assert provider.aws is not None
    assert provider.aws.access_key_id is not None
    assert provider.aws.access_key_id.reveal() == "id"
    # The token belongs to the other key.
    assert provider.aws.session_token is None
    own = bedrock(env, base_url="https://vpce.example", aws={"profile": "team"})
    assert own.base_url == "https://vpce.example"
    assert own.aws is not None
    assert own.aws.access_key_id is None
    endpoint = {"AWS_ENDPOINT_URL_BEDROCK_RUNTIME": "https://endpoint.example"}
    assert bedrock(env | endpoint, aws={}).base_url == "https://endpoint.example"


def test_without_aws_a_key_is_a_bearer_s() -> None:
    env = {"AWS_BEARER_TOKEN_BEDROCK": "b", "AWS_REGION": "eu-west-1"}
    env |= {"AWS_ENDPOINT_URL_BEDROCK_RUNTIME": "https://endpoint.example"}
    provider = bedrock(env)
    assert [key.reveal() for key in provider.credentials] == ["b"]
    assert provider.aws is None


def test_only_looking_for_a_key_needs_botocore(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("botocore", "botocore.session"):
        monkeypatch.setitem(sys.modules, name, None)
    bedrock({}, aws={"region": REGION, **KEY})
    with pytest.raises(ConfigError) as caught:
        bedrock({}, aws={"region": REGION})
    assert caught.value.path == "providers.b.aws"
    assert caught.value.hint == "pip install 'llm-edge-agent[aws]', or give the key"
    with pytest.raises(NotFound, match="botocore is not installed"):
        CHAIN.find()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the chain ends: no file, no variable and no machine of Amazon's."""
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    return tmp_path


def refused(chain: AwsChain = CHAIN) -> NotFound:
    """What a look at the machine says; a search says the same."""
    with pytest.raises(NotFound) as seen:
        chain.check()
    with pytest.raises(NotFound) as found:
        chain.find()
    assert vars(found.value) == vars(seen.value)
    return seen.value


@pytest.mark.usefixtures("folder")
def test_a_chain_that_holds_nothing_is_known_without_a_network() -> None:
    told = refused()
    assert (told.reason, told.absent) == ("no access key was found", True)


def test_only_a_machine_of_amazon_s_is_left_unasked(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_EC2_METADATA_DISABLED")
    assert CHAIN.check() == "the machine's metadata service"
    key = "aws_access_key_id = id\naws_secret_access_key = secret\n"
    (folder / "credentials").write_text(f"[default]\n{key}")
    assert CHAIN.check() == ""


@pytest.mark.parametrize(
    ("file", "variable"),
    [
        ("[default]\nrole_arn = arn:aws:iam::1:role/x\nsource_profile = other\n", None),
        ("[default]\ncredential_process = /bin/echo a-program\n", None),
        ("", "AWS_CONTAINER_CREDENTIALS_FULL_URI"),
    ],
)
def test_a_program_or_a_network_that_is_configured_is_not_asked(
    folder: Path, monkeypatch: pytest.MonkeyPatch, file: str, variable: str | None
) -> None:
    (folder / "config").write_text(file)
    if variable is not None:
        monkeypatch.setenv(variable, "http://127.0.0.1:1/key")
    assert CHAIN.check() == ""


def test_a_profile_that_is_not_there_is_told_with_the_nearest(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "credentials").write_text("[team]\naws_access_key_id = no\n")
    told = refused(AwsChain(provider="aws", region=REGION, profile="taem"))
    assert told.reason == "there is no profile `taem` in the files of the AWS CLI"
    assert (told.hint, told.option, told.absent) == ("did you mean `team`?", "profile", True)
    monkeypatch.setenv("AWS_PROFILE", "taem")
    told = refused()
    assert told.reason == "AWS_PROFILE: there is no profile `taem` in the files of the AWS CLI"
    assert (told.hint, told.option) == ("did you mean `team`?", "")


def test_a_file_that_is_malformed_is_named_with_its_line_and_not_repeated(folder: Path) -> None:
    (folder / "credentials").write_text("[default]\naws_access_key_id = id\nwJalr-a-secret\n")
    told = refused()
    name = folder / "credentials"
    assert told.reason == f"the file `{name}` is no AWS configuration: line 3 cannot be read"
    assert told.hint.startswith("mend it: sections such as `[default]`")
    assert told.absent


def test_half_a_key_is_told_with_what_it_lacks(folder: Path) -> None:
    (folder / "credentials").write_text("[default]\naws_access_key_id = id\n")
    told = refused()
    assert told.reason.endswith("(`shared-credentials-file`) lacks `aws_secret_access_key`")
    assert told.absent


def test_a_workload_s_token_that_cannot_be_read_is_named_with_its_variable(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ROLE_ARN", "arn:aws:iam::1:role/x")
    monkeypatch.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", str(folder / "token"))
    told = refused()
    variable = "AWS_WEB_IDENTITY_TOKEN_FILE"
    says = f"{variable}: the file `{folder}/token` cannot be read: No such file or directory"
    assert told.reason == says
    assert not told.absent
