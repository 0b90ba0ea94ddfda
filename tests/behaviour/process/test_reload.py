"""A configuration is read again on SIGHUP, on a change of its file, and when the admin asks."""

import signal
from pathlib import Path

import httpx2
import pytest

from tests.behaviour.process.programs import wait_until
from tests.conftest import Serve
from tests.support.gateway import Running

BEFORE = "version: 1\nmock: true\ndrain_s: 5\n"
AFTER = BEFORE + "routes: {chat: {models: [chat], targets: [{provider: mock, model: echo}]}}\n"
BROKEN = AFTER.replace("provider: mock", "provider: mok")


def config_of(running: Running) -> Path:
    return running.log_path.with_name("llm-edge.yaml")


def replace(running: Running, text: str) -> None:
    """Swap the file in one step, as editors and deployments do."""
    draft = config_of(running).with_suffix(".new")
    draft.write_text(text)
    draft.rename(config_of(running))


def epoch(running: Running) -> int:
    return int(admin(running, "GET", "status").json()["epoch"])


def admin(running: Running, method: str, noun: str) -> httpx2.Response:
    headers = {"authorization": f"Bearer {running.admin_token}"}
    with httpx2.Client(trust_env=False) as client:
        return client.request(method, f"{running.admin}/api/v1/{noun}", headers=headers)


def metric(running: Running, name: str) -> float:
    with httpx2.Client(trust_env=False) as client:
        text = client.get(f"{running.metrics}/metrics").text
    (line,) = [line for line in text.splitlines() if line.startswith(f"{name} ")]
    return float(line.split()[1])


def test_sighup_applies_the_new_configuration(serve: Serve) -> None:
    running = serve(BEFORE)
    replace(running, AFTER)
    running.signal(signal.SIGHUP)
    wait_until(lambda: epoch(running) > 1)
    assert list(admin(running, "GET", "config").json()["routes"]) == ["chat"]
    assert metric(running, "llm_edge_config_reload_success") == 1
    assert '"event":"reloaded"' in running.log()


def test_a_changed_file_is_applied_without_a_signal(serve: Serve) -> None:
    running = serve(BEFORE)
    replace(running, AFTER)
    wait_until(lambda: epoch(running) == 2)
    assert list(admin(running, "GET", "config").json()["routes"]) == ["chat"]


def test_a_changed_secret_file_is_applied_as_well(serve: Serve, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("sk-before")
    provider = f'providers: {{openai: {{type: openai, api_key: "${{file:{secret}}}"}}}}\n'
    running = serve(BEFORE + provider)
    secret.write_text("sk-after-and-longer")
    wait_until(lambda: epoch(running) == 2)


def test_a_bad_file_changes_nothing_and_says_why(serve: Serve) -> None:
    running = serve(AFTER)
    replace(running, BROKEN)
    wait_until(lambda: metric(running, "llm_edge_config_reload_success") == 0)
    assert epoch(running) == 1
    assert list(admin(running, "GET", "config").json()["routes"]) == ["chat"]
    (line,) = [x for x in running.log().splitlines() if '"event":"reload_refused"' in x]
    assert f"{config_of(running)}:4: routes.chat.targets[0].provider" in line
    with httpx2.Client(trust_env=False) as client:
        assert client.get(f"{running.anthropic}/readyz").status_code == 200
    replace(running, AFTER + "# mended\n")
    wait_until(lambda: metric(running, "llm_edge_config_reload_success") == 1)
    assert epoch(running) == 2


def test_mending_a_file_that_only_the_refused_configuration_names_is_enough(
    serve: Serve, tmp_path: Path
) -> None:
    running = serve(BEFORE)
    secret = tmp_path / "secret"
    provider = f'providers: {{openai: {{type: openai, api_key: "${{file:{secret}}}"}}}}\n'
    replace(running, BEFORE + provider)
    wait_until(lambda: metric(running, "llm_edge_config_reload_success") == 0)
    secret.write_text("sk-x")
    wait_until(lambda: metric(running, "llm_edge_config_reload_success") == 1)
    assert epoch(running) == 2


@pytest.mark.parametrize("text", ["", "\x00", "a: [", "version: 2\n", "- a\n", "a: 1\na: 2\n"])
def test_no_content_of_the_file_stops_the_gateway(serve: Serve, text: str) -> None:
    running = serve(AFTER)
    replace(running, text)
    wait_until(lambda: metric(running, "llm_edge_config_reload_success") == 0)
    assert epoch(running) == 1


def test_a_file_that_vanished_changes_nothing(serve: Serve) -> None:
    running = serve(AFTER)
    config_of(running).unlink()
    running.signal(signal.SIGHUP)
    wait_until(lambda: metric(running, "llm_edge_config_reload_success") == 0)
    assert epoch(running) == 1


def test_the_admin_reload_tells_how_it_went(serve: Serve) -> None:
    running = serve(BEFORE)
    replace(running, AFTER)
    good = admin(running, "POST", "reload")
    assert good.status_code == 200
    assert good.json()["epoch"] >= 2
    replace(running, BROKEN)
    bad = admin(running, "POST", "reload")
    assert bad.status_code == 422
    assert "did you mean `mock`?" in bad.json()["detail"]


def test_what_needs_a_restart_is_said(serve: Serve) -> None:
    running = serve(BEFORE)
    replace(running, BEFORE + "reuse_port: true\n")
    answer = admin(running, "POST", "reload")
    assert answer.json()["warnings"] == ["reuse_port: the change takes effect with the next start"]
    wait_until(lambda: "takes effect with the next start" in running.log())


def test_many_reloads_leave_the_last_configuration(serve: Serve) -> None:
    running = serve(BEFORE)
    for _ in range(20):
        running.signal(signal.SIGHUP)
    replace(running, AFTER)
    running.signal(signal.SIGHUP)
    wait_until(lambda: list(admin(running, "GET", "config").json()["routes"]) == ["chat"])
    assert metric(running, "llm_edge_config_reload_success") == 1
