"""Verbs that start or ask a process, through the real program."""

import signal
import statistics
import subprocess
from pathlib import Path

import httpx2
import msgspec
import pytest

from tests.behaviour.process.programs import python, run
from tests.conftest import Serve
from tests.support.gateway import (
    FREE_PORTS,
    Running,
    clean_environment,
    interpreter,
    program,
    start,
)

MOCK = "version: 1\nmock: true\n"


def test_demo_once_streams_an_answer_and_ends_with_0(tmp_path: Path) -> None:
    ended = run(tmp_path, "demo", "--once", *FREE_PORTS)
    assert ended.returncode == 0, ended.stderr
    question, answer, *to_paste = ended.stdout.splitlines()
    assert question.startswith("> ")
    assert answer.removeprefix("< ").strip() == question.removeprefix("> ").strip()
    assert any(line.strip().startswith("curl http://127.0.0.1:") for line in to_paste)


def test_demo_once_keeps_standard_output_for_its_first_line(tmp_path: Path) -> None:
    ended = run(tmp_path, "demo", "--once", "--json", *FREE_PORTS)
    assert ended.returncode == 0, ended.stderr
    (line,) = ended.stdout.splitlines()
    assert set(msgspec.json.decode(line)) == {
        "api",
        "anthropic",
        "admin",
        "admin_token",
        "socket",
        "metrics",
        "key",
    }
    assert "< Hello!" in ended.stderr


def test_demo_prints_lines_to_paste_that_name_its_address_and_key(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [*program(), "demo", *FREE_PORTS],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        cwd=tmp_path,
        env=clean_environment(tmp_path) | {"PYTHONUNBUFFERED": "1"},
    )
    try:
        assert process.stdout is not None
        text = ""
        while "Admin API:" not in text:
            line = process.stdout.readline()
            assert line, text
            text += line
        address = text.split("curl ")[1].split("/chat/completions")[0]
        key = text.split("Bearer ")[1].split('"')[0]
        assert f'base_url="{address}", api_key="{key}"' in text
        assert f'base_url="{address.removesuffix("/v1")}", api_key="{key}"' in text
        with httpx2.Client(trust_env=False) as client:
            models = client.get(f"{address}/models", headers={"authorization": f"Bearer {key}"})
        assert "demo" in [model["id"] for model in models.json()["data"]]
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=20)
    assert process.returncode == 0


def test_demo_needs_no_home_no_file_and_no_state(tmp_path: Path) -> None:
    tmp_path.joinpath("llm-edge.yaml").write_text("nonsense: [")
    assert run(tmp_path, "demo", "--once", *FREE_PORTS).returncode == 0
    assert [entry.name for entry in tmp_path.iterdir()] == ["llm-edge.yaml"]


def test_demo_says_how_to_go_on_when_its_port_is_taken(tmp_path: Path, gateway: Running) -> None:
    number = str(gateway.address[1])
    ended = run(tmp_path, "demo", "--once", *FREE_PORTS, "--port", number)
    assert ended.returncode == 1
    assert f"127.0.0.1:{number}" in ended.stderr
    assert "--port" in ended.stderr


def test_mock_serves_alone(tmp_path: Path) -> None:
    with subprocess.Popen(
        [*program(), "mock", "--port", "0", "--json"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        cwd=tmp_path,
        env=clean_environment(tmp_path),
    ) as process:
        try:
            assert process.stdout is not None
            at = msgspec.json.decode(process.stdout.readline())
            body = {"model": "echo", "messages": [{"role": "user", "content": "Hi"}]}
            with httpx2.Client(trust_env=False) as client:
                answer = client.post(f"{at['api']}/chat/completions", json=body)
            assert answer.json()["choices"][0]["message"]["content"] == "Hi"
        finally:
            process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0


def test_mock_on_a_taken_port_ends_with_1(tmp_path: Path, gateway: Running) -> None:
    ended = run(tmp_path, "mock", "--port", str(gateway.address[1]))
    assert ended.returncode == 1
    assert "error: " in ended.stderr
    assert "Traceback" not in ended.stderr


def test_healthcheck_follows_a_gateway_up_and_down(serve: Serve) -> None:
    running = serve(MOCK)
    folder, number = running.log_path.parent, str(running.address[1])
    asked = ("healthcheck", "--config", "llm-edge.yaml", "--port", number)
    assert run(folder, *asked).returncode == 0
    assert run(folder, *asked, "--live").returncode == 0
    running.stop()
    ended = run(folder, *asked)
    assert ended.returncode == 1
    assert "Traceback" not in ended.stderr


def test_healthcheck_works_over_tls(tmp_path: Path) -> None:
    cert, key = _certificate(tmp_path)
    config = tmp_path / "llm-edge.yaml"
    config.write_text(f'{MOCK}tls: {{cert_file: "{cert}", key_file: "{key}"}}\n')
    running = start(["serve", "--config", str(config)], tmp_path)
    try:
        assert running.api.startswith("https://")
        number = str(running.address[1])
        ended = run(tmp_path, "healthcheck", "--port", number)
        assert ended.returncode == 0, ended.stderr
    finally:
        running.stop()


def _certificate(folder: Path) -> tuple[Path, Path]:
    cert, key = folder / "cert.pem", folder / "key.pem"
    request = (
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2"
        " -subj /CN=localhost -addext subjectAltName=DNS:localhost"
    )
    files = ["-keyout", str(key), "-out", str(cert)]
    subprocess.run([*request.split(), *files], check=True, capture_output=True)
    return cert, key


def test_the_package_runs_as_a_module(tmp_path: Path) -> None:
    ended = subprocess.run(
        [interpreter(), "-m", "llm_edge_agent", "version", "--json"],
        check=True,
        capture_output=True,
        cwd=tmp_path,
        env=clean_environment(tmp_path),
    )
    assert msgspec.json.decode(ended.stdout)["version"]


def test_importing_the_package_starts_no_thread_and_takes_no_time(tmp_path: Path) -> None:
    code = (
        "import time, threading, os; began = time.perf_counter(); import llm_edge_agent;"
        " took = time.perf_counter() - began;"
        " print(took * 1000, threading.active_count(), len(os.listdir('/proc/self/task')))"
    )
    rows = [python(tmp_path, code).split() for _ in range(7)]
    assert {(row[1], row[2]) for row in rows} == {("1", "1")}
    assert statistics.median(float(row[0]) for row in rows) <= 60


@pytest.mark.parametrize("name", ["llm_edge_agent", "llm_edge_agent.cli"])
def test_importing_does_not_load_the_engine(tmp_path: Path, name: str) -> None:
    code = f"import sys, {name}; print('llm_edge_agent._engine' in sys.modules)"
    assert python(tmp_path, code).strip() == "False"


def test_help_loads_no_server(tmp_path: Path) -> None:
    code = (
        "import sys\nfrom llm_edge_agent.cli import main\n"
        "main(['--help'], standalone_mode=False)\n"
        "print([m for m in ('granian', 'starlette', 'uvloop', 'yaml') if m in sys.modules])"
    )
    assert python(tmp_path, code).splitlines()[-1] == "[]"
