"""How the process starts, and how it says that it cannot."""

import os
import socket
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx2
import pytest

from bench import quota
from bench.programs import BenchError
from llm_edge_agent.config import hash_key
from tests.behaviour.process.programs import run, wait_until
from tests.conftest import Serve
from tests.support.gateway import FREE_PORTS, Running, clean_environment, program, start

MOCK = "version: 1\nmock: true\n"
KEY = "a-key-that-somebody-made-up"


def get(url: str, **headers: str) -> httpx2.Response:
    with httpx2.Client(trust_env=False) as client:
        return client.get(url, headers=headers)


def write(folder: Path, text: str) -> str:
    file = folder / "llm-edge.yaml"
    file.write_text(text)
    return str(file)


@contextmanager
def taken_port(*, shared: bool = False) -> Iterator[int]:
    with socket.socket() as other:
        if shared:
            other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        other.bind(("127.0.0.1", 0))
        other.listen()
        yield other.getsockname()[1]


def test_the_first_line_leads_to_ports_that_accept(serve: Serve) -> None:
    running = serve(MOCK)
    assert running.api == f"{running.anthropic}/v1"
    assert running.key is None
    for url in (running.anthropic, running.metrics):
        assert get(f"{url}/livez").status_code == 200
        assert get(f"{url}/readyz").status_code == 200
    status = get(f"{running.admin}/api/v1/status", authorization=f"Bearer {running.admin_token}")
    assert status.json()["epoch"] == 1
    assert status.json()["workers"] == 1


def test_status_names_the_targets_of_each_route(serve: Serve) -> None:
    running = serve(
        MOCK
        + "routes:\n"
        + "  chat:\n"
        + "    models: [chat]\n"
        + "    targets: [{provider: mock, model: echo}, {provider: local}]\n"
        + "  team: {models: [team/*], targets: [{provider: local, model: '*'}]}\n"
        + "providers: {local: {type: openai_compatible, base_url: 'http://127.0.0.1:9/v1'}}\n"
    )
    targets = running.ask_admin("status")["targets"]
    assert [one for one in targets if one["route"] in {"chat", "team"}] == [
        {"route": "chat", "provider": "mock", "model": "echo"},
        {"route": "chat", "provider": "local", "model": "*"},
        {"route": "team", "provider": "local", "model": "*"},
    ]


TWO_CORES = pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="one core is all there is")


@TWO_CORES
def test_there_is_a_worker_for_each_core_it_may_use(tmp_path: Path) -> None:
    cores = sorted(os.sched_getaffinity(0))
    config = write(tmp_path, MOCK)
    for some in (cores, cores[:1]):
        within = ("taskset", "-c", ",".join(map(str, some)))
        folder = tmp_path / str(len(some))
        running = start(["serve", "--config", config], folder, launcher=within)
        try:
            assert running.ask_admin("status")["workers"] == len(some)
        finally:
            running.stop()


@TWO_CORES
def test_a_quota_of_processor_time_leaves_fewer_workers(tmp_path: Path) -> None:
    with ExitStack() as stack:
        try:
            one_core = stack.enter_context(quota.limited(100_000, 100_000))
        except BenchError as error:
            pytest.skip(str(error))
        config = write(tmp_path, MOCK)
        running = start(["serve", "--config", config], tmp_path, launcher=one_core)
        # Before the group goes, which it cannot with a program in it.
        stack.callback(running.stop)
        assert running.ask_admin("status")["workers"] == 1


def test_the_log_says_what_was_started_and_never_a_secret(serve: Serve) -> None:
    running = serve(
        MOCK
        + 'keys: [{name: app, key: "${APP_KEY}"}]\n'
        + 'providers: {openai: {type: openai, api_key: "sk-very-secret"}}\n',
        env={"APP_KEY": KEY},
    )
    shown = get(f"{running.admin}/api/v1/config", authorization=f"Bearer {running.admin_token}")
    metrics = get(f"{running.metrics}/metrics").text
    log = running.stop()
    (started,) = [line for line in log.splitlines() if '"event":"started"' in line]
    assert '"providers":["openai","mock"]' in started
    assert '"keys":1' in started
    assert "llm-edge.yaml" in started
    for text in (log, shown.text, metrics):
        assert "very-secret" not in text
        assert KEY not in text
        assert running.admin_token not in text
    assert shown.json()["providers"]["openai"]["api_key"] == "***"


def test_the_admin_token_may_be_chosen(serve: Serve) -> None:
    running = serve(MOCK, env={"LLM_EDGE_ADMIN_TOKEN": "chosen-by-me"})
    assert running.admin_token == "chosen-by-me"
    url = f"{running.admin}/api/v1/status"
    assert get(url, authorization="Bearer chosen-by-me").status_code == 200
    assert get(url, authorization="Bearer chosen-by-you").status_code == 401


@pytest.mark.parametrize("token", ["", "with space", "tab\t", "ümlaut"])
def test_an_admin_token_that_cannot_be_sent_is_refused(tmp_path: Path, token: str) -> None:
    config = write(tmp_path, MOCK)
    ended = run(
        tmp_path, "serve", "--config", config, *FREE_PORTS, env={"LLM_EDGE_ADMIN_TOKEN": token}
    )
    assert ended.returncode == 78
    assert "LLM_EDGE_ADMIN_TOKEN" in ended.stderr


def test_the_admin_port_refuses_a_rebound_name(serve: Serve) -> None:
    running = serve(MOCK)
    answer = get(
        f"{running.admin}/api/v1/status",
        authorization=f"Bearer {running.admin_token}",
        host="evil.example",
    )
    assert answer.status_code == 421


def test_flags_go_before_the_environment_and_that_before_the_file(serve: Serve) -> None:
    running = serve(
        MOCK + "drain_s: 1\nworkers: 2\nlimits: {headers_max: 7}\n",
        env={"LLM_EDGE_LIMITS__HEADERS_MAX": "9", "LLM_EDGE_WORKERS": "3"},
    )
    config = get(f"{running.admin}/api/v1/config", authorization=f"Bearer {running.admin_token}")
    assert config.json()["drain_s"] == 1
    assert config.json()["limits"]["headers_max"] == 9
    assert config.json()["workers"] == 1  # the fixture says --workers 1


def test_metrics_tell_of_the_data_path_and_of_the_process(serve: Serve) -> None:
    running = serve(MOCK)
    for accept in ("text/plain", "application/openmetrics-text; version=1.0.0"):
        answer = get(f"{running.metrics}/metrics", accept=accept)
        assert answer.headers["content-type"].startswith(accept.split(";")[0])
        for name in ("llm_edge_inflight_requests", "process_cpu_seconds_total"):
            assert f"\n{name} " in answer.text
        assert "llm_edge_config_reload_success 1" in answer.text
        assert 'llm_edge_build_info{python="' in answer.text


def test_providers_are_found_by_their_keys_when_there_is_no_file(tmp_path: Path) -> None:
    running = start(["serve"], tmp_path, {"OPENAI_API_KEY": "sk-1", "ANTHROPIC_API_KEY": "sk-2"})
    try:
        config = get(
            f"{running.admin}/api/v1/config", authorization=f"Bearer {running.admin_token}"
        )
        assert list(config.json()["providers"]) == ["openai", "anthropic"]
    finally:
        log = running.stop()
    assert "no file" in log


@pytest.mark.parametrize("shared", [False, True], ids=["alone", "with SO_REUSEPORT"])
@pytest.mark.parametrize("option", ["--port", "--admin-port", "--metrics-port"])
def test_a_taken_port_ends_the_start_with_1_and_the_way_out(
    tmp_path: Path, option: str, *, shared: bool
) -> None:
    config = write(tmp_path, MOCK)
    with taken_port(shared=shared) as number:
        ended = run(tmp_path, "serve", "--config", config, *FREE_PORTS, option, str(number))
    assert ended.returncode == 1
    assert ended.stdout == ""
    assert f"127.0.0.1:{number}" in ended.stderr
    assert f"{option}" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_of_several_taken_ports_the_one_of_the_api_is_named(tmp_path: Path) -> None:
    config = write(tmp_path, MOCK)
    with taken_port() as api, taken_port() as admin, taken_port() as metrics:
        numbers = [str(number) for number in (api, admin, metrics)]
        ports = ("--port", numbers[0], "--admin-port", numbers[1], "--metrics-port", numbers[2])
        ended = run(tmp_path, "serve", "--config", config, *ports)
    assert ended.returncode == 1
    assert ended.stderr.startswith(f"error: the API port cannot listen on 127.0.0.1:{api}: ")
    assert "`--port 0`" in ended.stderr


def test_without_a_terminal_the_log_tells_how_to_choose_the_admin_token(tmp_path: Path) -> None:
    log = tmp_path / "out"
    for env, said in (({}, True), ({"LLM_EDGE_ADMIN_TOKEN": "chosen"}, False)):
        with log.open("wb") as out:
            process = subprocess.Popen(
                [*program(), "serve", "--config", write(tmp_path, MOCK), *FREE_PORTS],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                env=clean_environment(tmp_path, env),
            )
            try:
                wait_until(lambda: '"event":"started"' in log.read_text())
            finally:
                process.terminate()
                assert process.wait(10) == 0
        assert ("set LLM_EDGE_ADMIN_TOKEN" in log.read_text()) is said


def test_a_configuration_error_ends_the_start_with_78_and_its_place(tmp_path: Path) -> None:
    config = write(tmp_path, MOCK + "routes:\n  a: {models: [a], targets: [{provider: mok}]}\n")
    ended = run(tmp_path, "serve", "--config", config, *FREE_PORTS, "--json")
    assert ended.returncode == 78
    assert ended.stdout == ""
    assert f"error: {config}:4: routes.a.targets[0].provider: " in ended.stderr
    assert "did you mean `mock`?" in ended.stderr


def test_check_and_serve_refuse_with_the_same_words(tmp_path: Path) -> None:
    config = write(tmp_path, MOCK + "limits: {headers_max: many}\nrouts: {}\n")
    served = run(tmp_path, "serve", "--config", config, *FREE_PORTS)
    checked = run(tmp_path, "check", "--config", config)
    assert served.returncode == checked.returncode == 78
    assert served.stderr == checked.stderr
    assert len(checked.stderr.splitlines()) == 2


def test_other_machines_are_let_in_with_keys_or_insecure_only(tmp_path: Path) -> None:
    config = write(tmp_path, MOCK)
    arguments = ("serve", "--config", config, *FREE_PORTS, "--host", "0.0.0.0")
    ended = run(tmp_path, *arguments)
    assert ended.returncode == 78
    assert "keys" in ended.stderr
    assert "insecure" in ended.stderr
    running = start(["serve", "--config", config, "--host", "0.0.0.0", "--insecure"], tmp_path)
    try:
        assert running.api.startswith("http://127.0.0.1:")
        assert get(f"{running.anthropic}/readyz").status_code == 200
    finally:
        running.stop()


def test_a_flag_may_mend_an_address_that_the_file_has_wrong(tmp_path: Path) -> None:
    config = write(tmp_path, MOCK + 'listen: {api: "0.0.0.0:8080"}\n')
    running = start(["serve", "--config", config, "--host", "127.0.0.1"], tmp_path)
    running.stop()


def test_a_state_folder_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    (tmp_path / "in-the-way").write_text("")
    folder = tmp_path / "in-the-way" / "state"
    config = write(
        tmp_path,
        f'{MOCK}state_dir: "{folder}"\nkeys: [{{name: app, hash: "{hash_key(b"x" * 32, KEY)}"}}]\n',
    )
    ended = run(tmp_path, "serve", "--config", config, *FREE_PORTS)
    assert ended.returncode == 1
    assert str(folder) in ended.stderr
    assert "LLM_EDGE_KEY_PEPPER" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_no_state_folder_is_needed_where_nothing_depends_on_it(tmp_path: Path) -> None:
    (tmp_path / ".local").write_text("in the way")
    running = start(["serve", "--config", write(tmp_path, MOCK)], tmp_path)
    running.stop()


def test_a_key_made_by_the_program_opens_the_gateway(serve: Serve, tmp_path: Path) -> None:
    state = {"XDG_STATE_HOME": str(tmp_path / "state")}
    key, line = run(tmp_path, "keys", "create", "--name", "app", env=state).stdout.splitlines()
    running = serve(f"{MOCK}keys:\n{line}\n", env=state)
    models = f"{running.api}/models"
    assert get(models, authorization=f"Bearer {key}").status_code == 200
    assert get(models, authorization=f"Bearer {key}x").status_code == 401
    assert get(models).status_code == 401


def test_a_start_that_fails_late_leaves_nothing_behind(serve: Serve, tmp_path: Path) -> None:
    """The API port is bound last; a gateway that failed there must have freed the others."""
    config = write(tmp_path, MOCK)
    with taken_port() as number:
        ended = run(tmp_path, "serve", "--config", config, *FREE_PORTS, "--port", str(number))
        assert ended.returncode == 1
    running: Running = serve(MOCK)
    assert get(f"{running.metrics}/readyz").status_code == 200
