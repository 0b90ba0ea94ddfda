"""Keys that expire are renewed in the background, and what is wrong with that is told."""

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from tests.behaviour.amazon.test_signed import STATIC, WHOLE, config, launched, question
from tests.behaviour.failure.several import metric
from tests.behaviour.process.programs import run
from tests.conftest import Serve
from tests.support.amazon import KEY_ID, REGION, SECRET, Vendor, signature
from tests.support.gateway import FREE_PORTS, Running
from tests.support.hop import CHAT, Hop, post
from tests.support.upstream import Read, Received, Send, Upstream, reply

CHAIN = f"region: {REGION}"


@pytest.fixture
def vendor() -> Iterator[Vendor]:
    with Vendor() as vendor:
        yield vendor


@pytest.fixture
def launch(tmp_path: Path, upstream: Upstream) -> Iterator[Callable[[dict[str, str]], Hop]]:
    started: list[Running] = []
    upstream.always(Read(), Send(reply(WHOLE)))

    def launch(env: dict[str, str], aws: str = CHAIN) -> Hop:
        started.append(launched(upstream.url, tmp_path, env, aws=aws))
        return Hop(started[-1], upstream)

    yield launch
    for running in started:
        running.stop()


def ask(hop: Hop) -> tuple[int, bytes]:
    answer = hop.ask(post(CHAT, question()))
    return answer.status, answer.body


def is_signed_with(hop: Hop, seen: Received, key: tuple[str, str, str | None]) -> bool:
    url = hop.upstream.url + seen.request_line.split(" ")[1]
    return seen.headers["authorization"] == signature("POST", url, seen.body, seen.headers, key)


def wait_until(true: Callable[[], bool], what: str, seconds: float = 15.0) -> None:
    end = time.monotonic() + seconds
    pause = threading.Event()
    while not true():
        assert time.monotonic() < end, what
        pause.wait(0.05)


def test_a_container_s_key_is_found_and_renewed_without_a_failed_request(
    launch: Callable[..., Hop], vendor: Vendor
) -> None:
    vendor.lives_s = 3.0
    hop = launch(vendor.env)
    ids = set()
    end = time.monotonic() + 5.0
    while time.monotonic() < end or len(ids) < 3:
        assert ask(hop)[0] == 200
        seen = hop.upstream.requests[-1]
        known = [key for key in vendor.given if f"={key[0]}/" in seen.headers["authorization"]]
        assert len(known) == 1
        assert is_signed_with(hop, seen, known[0])
        assert seen.headers["x-amz-security-token"] == known[0][2]
        ids.add(known[0][0])
        assert time.monotonic() < end + 10
    name = "llm_edge_credential_renewals_total"
    assert metric(hop.running, name, provider="aws", result="found") >= 3
    assert metric(hop.running, name, provider="aws", result="failed") == 0
    ends = metric(hop.running, "llm_edge_credential_expiry_timestamp_seconds", provider="aws")
    assert abs(ends - time.time()) < 10


def test_a_workload_s_token_is_exchanged_and_the_key_renewed(
    launch: Callable[..., Hop], vendor: Vendor, tmp_path: Path
) -> None:
    vendor.lives_s = 3.0
    token = tmp_path / "token"
    token.write_text("first-token-of-the-workload")
    hop = launch(vendor.workload_env(token))
    assert asks_with_newest(hop, vendor)
    # A cluster puts a new one in its place from time to time.
    token.write_text("second-token-of-the-workload")
    wait_until(lambda: "second-token-of-the-workload" in vendor.showed, "it is not renewed")
    wait_until(lambda: asks_with_newest(hop, vendor), "the renewed key is not used")
    assert vendor.showed[0] == "first-token-of-the-workload"
    log = hop.running.stop()
    assert_silent(log, vendor)
    assert "token-of-the-workload" not in log


def test_the_role_of_a_machine_is_found(
    launch: Callable[..., Hop], vendor: Vendor, tmp_path: Path
) -> None:
    hop = launch(vendor.machine_env)
    assert asks_with_newest(hop, vendor)
    given = len(vendor.given)
    reload(hop, tmp_path)
    assert len(vendor.given) > given
    assert asks_with_newest(hop, vendor)
    assert_silent(hop.running.stop(), vendor)


def asks_with_newest(hop: Hop, vendor: Vendor) -> bool:
    """Ask; whether it was signed with the key that was given last."""
    assert ask(hop)[0] == 200
    return is_signed_with(hop, hop.upstream.requests[-1], vendor.given[-1])


def test_no_request_waits_for_a_key(launch: Callable[..., Hop], vendor: Vendor) -> None:
    hop = launch(vendor.env)
    asked = vendor.asked
    for _ in range(20):
        assert ask(hop)[0] == 200
    assert vendor.asked == asked


def test_a_renewal_that_fails_keeps_the_last_good_until_it_expires_and_then_says_so(
    launch: Callable[..., Hop], vendor: Vendor
) -> None:
    vendor.lives_s = 6.0
    hop = launch(vendor.env)
    good = vendor.given[-1]
    expires = time.monotonic() + 5.5
    vendor.refuses = True
    while time.monotonic() < expires:
        assert ask(hop)[0] == 200
        assert is_signed_with(hop, hop.upstream.requests[-1], good)
        hop.upstream.pause(0.1)
    wait_until(lambda: ask(hop)[0] == 502, "an expired key is still used")
    # The first look that fails may last longer than the key.
    wait_until(lambda: b"(CredentialRetrievalError)" in ask(hop)[1], "the reason is not told")
    status, body = ask(hop)
    error = msgspec.json.decode(body)["error"]
    assert (status, error["code"]) == (502, "upstream_credential")
    assert error["message"].startswith("provider `aws`: its credential expired at 20")
    assert "was not renewed: looking for an access key failed (" in error["message"], error
    seen = hop.seen
    assert ask(hop)[0] == 502
    assert hop.seen == seen
    failed = "llm_edge_credential_renewals_total"
    assert metric(hop.running, failed, provider="aws", result="failed") >= 1
    # It comes back by itself.
    vendor.refuses, vendor.lives_s = False, 3600.0
    wait_until(lambda: ask(hop)[0] == 200, "a renewed key is not used", 30.0)
    log = hop.running.stop()
    assert "its credential was not renewed" in log
    assert "its credential expired at" in log
    assert_silent(log, vendor)


def test_a_start_without_a_key_yet_serves_the_others_and_fills_it_in(
    launch: Callable[..., Hop], vendor: Vendor
) -> None:
    vendor.refuses = True
    hop = launch(vendor.env)
    status, body = ask(hop)
    assert status == 502
    assert b"its credential is not there: looking for an access key failed (" in body
    vendor.refuses = False
    wait_until(lambda: ask(hop)[0] == 200, "a key that came later is not used", 30.0)


def test_without_a_key_the_next_target_is_asked(
    serve: Serve, upstream: Upstream, vendor: Vendor
) -> None:
    vendor.refuses = True
    targets = "targets: [{provider: aws, model: m}, {provider: other, model: m}]"
    more = f"  other: {{type: openai_compatible, base_url: {upstream.url}/v1}}\n"
    more += f"routes: {{both: {{models: [both], strategy: ordered, {targets}}}}}\n"
    running = serve(config(upstream.url, CHAIN) + more, env=vendor.env)
    answer = Hop(running, upstream).ask(post(CHAT, b'{"model":"both","messages":[]}'))
    assert answer.status == 200
    assert [seen.request_line for seen in upstream.requests] == [f"POST {CHAT} HTTP/1.1"]


def test_secrets_are_nowhere(launch: Callable[..., Hop], vendor: Vendor, tmp_path: Path) -> None:
    hop = launch(vendor.env)
    assert ask(hop)[0] == 200
    shown = msgspec.json.encode(hop.running.ask_admin("config")).decode()
    shown += msgspec.json.encode(hop.running.ask_admin("status")).decode()
    shown += "".join(hop.running.scrape())
    assert_silent(shown + hop.running.stop(), vendor)


def assert_silent(text: str, vendor: Vendor) -> None:
    for key in vendor.given:
        for part in key[1:]:
            assert part not in text
    assert "refused-with-a-secret" not in text


def test_a_static_key_is_not_shown(
    launch: Callable[..., Hop], tmp_path: Path, upstream: Upstream
) -> None:
    hop = launch({}, f"{STATIC}, session_token: a-token")
    assert ask(hop)[0] == 200
    shown = msgspec.json.encode(hop.running.ask_admin("config")).decode()
    assert '"secret_access_key":"***"' in shown
    file = str(tmp_path / "llm-edge.yaml")
    shown += run(tmp_path, "config", "show", "--config", file).stdout
    shown += hop.running.stop()
    for part in (SECRET, "a-token", KEY_ID):
        assert part not in shown


def test_keys_of_a_profile_and_a_file_that_is_rotated(
    launch: Callable[..., Hop], tmp_path: Path
) -> None:
    file = tmp_path / "credentials"

    def write(key_id: str) -> None:
        lines = f"aws_access_key_id = {key_id}\naws_secret_access_key = s{key_id}\n"
        file.write_text(f"[default]\naws_access_key_id = no\n[team]\n{lines}")

    write("FIRST")
    env = {"AWS_SHARED_CREDENTIALS_FILE": str(file), "AWS_EC2_METADATA_DISABLED": "true"}
    # A profile that is named comes before what the environment holds.
    env |= {"AWS_ACCESS_KEY_ID": "env", "AWS_SECRET_ACCESS_KEY": "env"}
    hop = launch(env, f"{CHAIN}, profile: team")
    assert ask(hop)[0] == 200
    assert is_signed_with(hop, hop.upstream.requests[-1], ("FIRST", "sFIRST", None))
    write("SECOND")
    reload(hop, tmp_path)
    assert ask(hop)[0] == 200
    assert is_signed_with(hop, hop.upstream.requests[-1], ("SECOND", "sSECOND", None))
    # One that is gone does not take the good one along.
    file.unlink()
    reload(hop, tmp_path)
    assert ask(hop)[0] == 200
    assert is_signed_with(hop, hop.upstream.requests[-1], ("SECOND", "sSECOND", None))


def reload(hop: Hop, folder: Path) -> None:
    """Touch the configuration, and wait until it is read again."""
    name = "llm_edge_config_reloads_total"
    before = metric(hop.running, name, result="applied")
    path = folder / "llm-edge.yaml"
    path.write_text(path.read_text() + "\n")
    wait_until(lambda: metric(hop.running, name, result="applied") > before, "not reloaded")


@pytest.mark.parametrize(
    ("aws", "env", "says"),
    [
        (CHAIN, {}, "providers.aws.aws: no access key was found. hint: give the key"),
        (
            f"{CHAIN}, profile: none-such",
            {},
            "providers.aws.aws.profile: there is no profile `none-such` in the files",
        ),
        (
            CHAIN,
            {"AWS_SHARED_CREDENTIALS_FILE": "/nonexistent/credentials"},
            "providers.aws.aws: no access key was found",
        ),
        (f'{STATIC}, session_token: "${{file:/nonexistent}}"', {}, "cannot be read: No such file"),
        ("", {}, "providers.aws.aws.region: is not known. hint: write it, or set AWS_REGION"),
    ],
)
def test_what_cannot_be_found_is_said_at_the_start(
    tmp_path: Path, upstream: Upstream, aws: str, env: dict[str, str], says: str
) -> None:
    path = tmp_path / "llm-edge.yaml"
    path.write_text(config(upstream.url, aws))
    env = {"AWS_EC2_METADATA_DISABLED": "true", **env}
    ended = run(tmp_path, "serve", "--config", str(path), *FREE_PORTS, env=env)
    assert ended.returncode != 0
    assert says in ended.stderr
    assert "Traceback" not in ended.stderr
