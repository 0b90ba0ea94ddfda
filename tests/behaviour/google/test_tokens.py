"""Access tokens are renewed before they expire, and what is wrong with that is told."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from tests.behaviour.amazon.test_renewed import wait_until
from tests.behaviour.failure.several import metric
from tests.behaviour.process.programs import run
from tests.conftest import Serve
from tests.support.gateway import FREE_PORTS, Running, start
from tests.support.google import EMAIL, Tokens, key_pair
from tests.support.hop import CHAT, KEY, Hop, post
from tests.support.upstream import Read, Send, Upstream, reply

CONFIG = """
version: 1
keys: [{{name: app, key: {key}}}]
providers:
  open:
    type: vertex_openai
    base_url: "{url}"
    google: {{{google}}}
"""
PLACE = "project: p-1, location: global"
QUESTION = b'{"model":"open/m","messages":[]}'


@pytest.fixture
def tokens() -> Iterator[Tokens]:
    with Tokens() as tokens:
        yield tokens


Launch = Callable[..., Hop]


@pytest.fixture
def launch(tmp_path: Path, upstream: Upstream) -> Iterator[Launch]:
    started: list[Running] = []
    upstream.always(Read(), Send(reply(b"{}")))

    def launch(google: str, env: dict[str, str] | None = None) -> Hop:
        path = tmp_path / "llm-edge.yaml"
        path.write_text(CONFIG.format(key=KEY, url=upstream.url, google=google))
        started.append(start(["serve", "--config", str(path), "--workers", "1"], tmp_path, env))
        return Hop(started[-1], upstream)

    yield launch
    for running in started:
        running.stop()


def with_account(tokens: Tokens, folder: Path) -> str:
    return f"{PLACE}, credentials_file: {tokens.write_account(folder)}"


def ask(hop: Hop) -> tuple[int, bytes]:
    answer = hop.ask(post(CHAT, QUESTION))
    return answer.status, answer.body


def sent(hop: Hop) -> str:
    """The token of the latest request."""
    return hop.upstream.requests[-1].headers["authorization"].removeprefix("Bearer ")


def test_a_token_is_renewed_without_a_failed_request(
    launch: Launch, tokens: Tokens, tmp_path: Path
) -> None:
    tokens.lives_s = 6.0
    hop = launch(with_account(tokens, tmp_path))
    seen = set()
    end = time.monotonic() + 7.0
    while time.monotonic() < end or len(seen) < 3:
        assert ask(hop) == (200, b"{}")
        assert sent(hop) in tokens.given
        seen.add(sent(hop))
        assert time.monotonic() < end + 20
    name = "llm_edge_credential_renewals_total"
    assert metric(hop.running, name, provider="open", result="found") >= 3
    assert metric(hop.running, name, provider="open", result="failed") == 0
    ends = metric(hop.running, "llm_edge_credential_expiry_timestamp_seconds", provider="open")
    assert abs(ends - time.time()) < 10
    assert tokens.faults == []


def test_no_request_waits_for_a_token(launch: Launch, tokens: Tokens, tmp_path: Path) -> None:
    hop = launch(with_account(tokens, tmp_path))
    asked = tokens.asked
    for _ in range(20):
        assert ask(hop)[0] == 200
    assert tokens.asked == asked


def test_a_renewal_that_fails_keeps_the_last_good_until_it_expires_and_then_says_so(
    launch: Launch, tokens: Tokens, tmp_path: Path
) -> None:
    tokens.lives_s = 5.0
    hop = launch(with_account(tokens, tmp_path))
    good = tokens.given[-1]
    expires = time.monotonic() + 4.0
    tokens.refuses = True
    while time.monotonic() < expires:
        assert ask(hop)[0] == 200
        assert sent(hop) == good
        hop.upstream.pause(0.1)
    wait_until(lambda: ask(hop)[0] == 502, "an expired token is still used")
    wait_until(lambda: b"(RefreshError: invalid_grant)" in ask(hop)[1], "the reason is not told")
    status, body = ask(hop)
    error = msgspec.json.decode(body)["error"]
    assert (status, error["code"]) == (502, "upstream_credential")
    assert error["message"].startswith("provider `open`: its credential expired at 20")
    assert "was not renewed: getting an access token failed (" in error["message"]
    seen = hop.seen
    assert ask(hop)[0] == 502
    assert hop.seen == seen
    # It comes back by itself.
    tokens.refuses, tokens.lives_s = False, 3600.0
    wait_until(lambda: ask(hop)[0] == 200, "a renewed token is not used", 30.0)
    log = hop.running.stop()
    assert "its credential was not renewed" in log
    assert_silent(log, tokens)


def test_a_start_without_an_answer_yet_serves_the_others_and_fills_it_in(
    launch: Launch, tokens: Tokens, tmp_path: Path
) -> None:
    tokens.refuses = True
    hop = launch(with_account(tokens, tmp_path))
    status, body = ask(hop)
    assert status == 502
    assert b"its credential is not there: getting an access token failed (RefreshError" in body
    tokens.refuses = False
    wait_until(lambda: ask(hop)[0] == 200, "a token that came later is not used", 30.0)


def test_secrets_are_nowhere(launch: Launch, tokens: Tokens, tmp_path: Path) -> None:
    hop = launch(with_account(tokens, tmp_path))
    assert ask(hop)[0] == 200
    shown = msgspec.json.encode(hop.running.ask_admin("config")).decode()
    shown += msgspec.json.encode(hop.running.ask_admin("status")).decode()
    shown += "".join(hop.running.scrape())
    shown += run(tmp_path, "config", "show", "--config", str(tmp_path / "llm-edge.yaml")).stdout
    assert_silent(shown + hop.running.stop(), tokens)


def assert_silent(text: str, tokens: Tokens) -> None:
    assert not [token for token in tokens.given if token in text]
    for secret in ("refused-with-a-secret", "PRIVATE KEY", key_pair()[0].splitlines()[1]):
        assert secret not in text


def test_a_file_that_is_replaced_is_read_again(
    launch: Launch, tokens: Tokens, tmp_path: Path
) -> None:
    hop = launch(with_account(tokens, tmp_path))
    assert ask(hop)[0] == 200
    file = tmp_path / "account.json"
    with Tokens() as others:
        file.write_bytes(msgspec.json.encode(others.account))
        wait_until(lambda: ask(hop)[0] == 200 and sent(hop) in others.given, "is not read again")
        # One that is no good any more does not take the good one along.
        name = "llm_edge_config_reloads_total"
        before = metric(hop.running, name, result="refused")
        file.write_text("{}")
        wait_until(
            lambda: metric(hop.running, name, result="refused") > before, "is taken for good"
        )
        assert ask(hop)[0] == 200
        assert sent(hop) in others.given


def test_the_file_of_the_environment_is_found_and_its_project(
    launch: Launch, tokens: Tokens, tmp_path: Path
) -> None:
    path = str(tokens.write_account(tmp_path))
    env = {"GOOGLE_APPLICATION_CREDENTIALS": path, "GOOGLE_CLOUD_LOCATION": "eu"}
    hop = launch("", env)
    assert ask(hop)[0] == 200
    where = "/v1/projects/p-of-the-file/locations/eu/endpoints/openapi/chat/completions"
    assert hop.upstream.requests[-1].request_line == f"POST {where} HTTP/1.1"
    assert sent(hop) in tokens.given


def test_a_machine_s_own_account_is_found(launch: Launch, tokens: Tokens) -> None:
    hop = launch(PLACE, tokens.machine)
    assert ask(hop)[0] == 200
    assert sent(hop) in tokens.given


def test_what_lies_where_the_gcloud_program_puts_its_login_is_found(
    launch: Launch, tokens: Tokens, tmp_path: Path
) -> None:
    folder = tmp_path / "gcloud"
    folder.mkdir()
    # A person's login is exchanged at Google alone; any other kind may lie there too.
    tokens.write_account(folder).rename(folder / "application_default_credentials.json")
    hop = launch(PLACE, {"CLOUDSDK_CONFIG": str(folder), "NO_GCE_CHECK": "true"})
    assert ask(hop)[0] == 200
    assert sent(hop) in tokens.given


def test_a_workload_s_identity_is_exchanged(launch: Launch, tokens: Tokens, tmp_path: Path) -> None:
    (tmp_path / "subject").write_text("a-token-of-the-cluster")
    pool = "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/providers/k"
    identity = {
        "type": "external_account",
        "audience": pool,
        "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
        "token_url": f"http://{tokens.address}/sts",
        "credential_source": {"file": str(tmp_path / "subject")},
    }
    file = tmp_path / "identity.json"
    file.write_bytes(msgspec.json.encode(identity))
    hop = launch(f"{PLACE}, credentials_file: {file}")
    assert ask(hop)[0] == 200
    assert sent(hop) in tokens.given


def test_a_token_that_is_given_is_used_as_it_is(serve: Serve, upstream: Upstream) -> None:
    config = CONFIG.format(key=KEY, url=upstream.url, google=PLACE) + "    api_key: ya29.given\n"
    hop = Hop(serve(config), upstream)
    assert ask(hop)[0] == 200
    assert sent(hop) == "ya29.given"


def test_credentials_that_cannot_be_used_end_the_start_with_their_place(
    tmp_path: Path, upstream: Upstream, tokens: Tokens
) -> None:
    good = tokens.account
    for content, says in (
        (None, "the file `{}` cannot be read: No such file or directory"),
        ("not json", "the file `{}` is no JSON object, and so no credential"),
        ("[]", "the file `{}` is no JSON object, and so no credential"),
        ({"type": "api_key"}, "the file `{}` is no credential: its `type` is none of `service_a"),
        (
            {"type": "service_account", "client_email": EMAIL},
            "the file `{}` is no whole credential: it lacks `private_key`, `token_uri`",
        ),
    ):
        file = tmp_path / "account.json"
        file.unlink(missing_ok=True)
        if content is not None:
            text = content if isinstance(content, str) else msgspec.json.encode(content).decode()
            file.write_text(text)
        error = refused(tmp_path, upstream, f"{PLACE}, credentials_file: {file}")
        assert f"llm-edge.yaml:8: providers.open.google.credentials_file: {says.format(file)}" in (
            error
        )
    # That the key is none is seen when it is used.
    (tmp_path / "account.json").write_bytes(msgspec.json.encode(good | {"private_key": "x"}))
    error = refused(tmp_path, upstream, f"{PLACE}, credentials_file: {tmp_path}/account.json")
    assert "llm-edge.yaml:8: providers.open.google.credentials_file: the file `" in error
    assert "is no credential: its `private_key` is no private key in PEM form. hint: " in error


@pytest.mark.parametrize(
    ("google", "says"),
    [
        ("location: eu", "google.project: is not known, and no credential says it. hint: write it"),
        ("project: p", "google.location: is not known. hint: write it (`global`, `europe-west1`)"),
        ("project: A B, location: eu", "google.project: `A B` is not valid here"),
        (
            PLACE,
            "providers.open.google: no credential was found. "
            "hint: give a `credentials_file`, run `gcloud auth application-default login`",
        ),
    ],
)
def test_what_cannot_be_found_is_said_at_the_start(
    tmp_path: Path, upstream: Upstream, google: str, says: str
) -> None:
    assert says in refused(tmp_path, upstream, google)


def refused(folder: Path, upstream: Upstream, google: str) -> str:
    path = folder / "llm-edge.yaml"
    path.write_text(CONFIG.format(key=KEY, url=upstream.url, google=google))
    env = {"NO_GCE_CHECK": "true"}
    ended = run(folder, "serve", "--config", str(path), *FREE_PORTS, env=env)
    assert ended.returncode == 78, ended.stderr
    assert "Traceback" not in ended.stderr
    return ended.stderr


def test_a_change_that_is_being_read_is_not_read_again(
    launch: Launch, tokens: Tokens, tmp_path: Path
) -> None:
    hop = launch(with_account(tokens, tmp_path))
    # Once, and longer than the watch needs to see a change.
    pauses = iter([2.0])
    tokens.before = lambda: time.sleep(next(pauses, 0.0))
    with (tmp_path / "llm-edge.yaml").open("a") as file:
        file.write("debug_headers: true\n")
    hop.running.reload()
    time.sleep(1.5)
    assert hop.ask(post(CHAT, QUESTION, "X-LLM-Edge-Debug: 1")).headers["x-llm-edge-epoch"] == "2"
