"""Admin and metrics port over real sockets."""

import socket

import httpx2
import pytest

from llm_edge_agent.control.port import Port, PortTaken
from llm_edge_agent.errors import ConfigError
from llm_edge_agent.reload import ReloadResult
from tests.unit.control.conftest import TOKEN, Control

AUTHORIZED = {"authorization": f"Bearer {TOKEN}"}


async def get(url: str, **options: object) -> httpx2.Response:
    return await request("GET", url, **options)


async def request(method: str, url: str, **options: object) -> httpx2.Response:
    async with httpx2.AsyncClient(trust_env=False) as client:
        return await client.request(method, url, **options)  # type: ignore[arg-type]


async def test_status_says_what_the_engine_does(control: Control) -> None:
    control.readiness.reason = ""
    answer = await get(f"{control.admin}/api/v1/status", headers=AUTHORIZED)
    assert answer.status_code == 200
    said = answer.json()
    assert said["epoch"] == 7
    assert said["workers"] == 2
    assert said["in_flight"] == 3
    assert said["version"] == "1.2.3"
    assert said["uptime_s"] == 1.5
    assert said["ready"] is True
    assert said["targets"] == []


async def test_the_configuration_is_shown_masked(control: Control) -> None:
    answer = await get(f"{control.admin}/api/v1/config", headers=AUTHORIZED)
    assert answer.json()["providers"]["openai"]["api_key"] == "***"
    assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    "authorization",
    [None, "", TOKEN, f"Basic {TOKEN}", "Bearer", "Bearer wrong", f"Bearer {TOKEN}x"],
)
@pytest.mark.parametrize("path", ["/api/v1/status", "/api/v1/config", "/nothing"])
async def test_without_the_admin_token_nothing_is_told(
    control: Control, authorization: str | None, path: str
) -> None:
    headers = {} if authorization is None else {"authorization": authorization}
    answer = await get(control.admin + path, headers=headers)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith("Bearer ")
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["title"] == "Unauthorized"


async def test_two_authorizations_are_refused(control: Control) -> None:
    fields = [("authorization", f"Bearer {TOKEN}"), ("authorization", f"Bearer {TOKEN}")]
    assert (await get(f"{control.admin}/api/v1/status", headers=fields)).status_code == 401


async def test_a_rebound_name_is_refused_even_with_the_token(control: Control) -> None:
    headers = AUTHORIZED | {"host": "evil.example:8081"}
    answer = await get(f"{control.admin}/api/v1/status", headers=headers)
    assert answer.status_code == 421
    assert answer.json()["status"] == 421


async def test_reload_tells_the_new_epoch(control: Control) -> None:
    answer = await request("POST", f"{control.admin}/api/v1/reload", headers=AUTHORIZED)
    assert answer.json() == {"ok": True, "epoch": 8, "warnings": ["one"]}
    assert control.reloads == 1


async def test_a_refused_reload_says_why_and_which_epoch_stays(control: Control) -> None:
    error = ConfigError("is wrong", path="routes", file="llm-edge.yaml", line=3)
    control.outcome = ReloadResult(ok=False, epoch=7, error=error)
    answer = await request("POST", f"{control.admin}/api/v1/reload", headers=AUTHORIZED)
    assert answer.status_code == 422
    assert answer.json()["detail"] == "llm-edge.yaml:3: routes: is wrong"
    assert answer.json()["epoch"] == 7


async def test_a_reload_takes_post_only(control: Control) -> None:
    answer = await get(f"{control.admin}/api/v1/reload", headers=AUTHORIZED)
    assert answer.status_code == 405
    assert answer.headers["allow"] == "POST"
    assert control.reloads == 0


async def test_a_failure_of_ours_is_a_problem_without_its_text(control: Control) -> None:
    control.outcome = RuntimeError("holds a secret")
    answer = await request("POST", f"{control.admin}/api/v1/reload", headers=AUTHORIZED)
    assert answer.status_code == 500
    assert answer.headers["content-type"] == "application/problem+json"
    assert "secret" not in answer.text


async def test_an_unknown_path_is_a_problem(control: Control) -> None:
    for url in (f"{control.admin}/api/v2", f"{control.metrics}/api/v1/status"):
        answer = await get(url, headers=AUTHORIZED)
        assert answer.status_code == 404
        assert answer.headers["content-type"] == "application/problem+json"


async def test_readyz_follows_readiness_and_livez_does_not(control: Control) -> None:
    for reason, status in (("starting", 503), ("", 200), ("draining", 503)):
        control.readiness.reason = reason
        ready = await get(f"{control.metrics}/readyz")
        assert ready.status_code == status
        assert reason in ready.text
        assert (await get(f"{control.metrics}/livez")).status_code == 200
        assert (await get(f"{control.metrics}/healthz")).status_code == 200


async def test_readyz_says_more_when_asked(control: Control) -> None:
    control.readiness.reason = ""
    assert "epoch 7" in (await get(f"{control.metrics}/readyz?verbose")).text


async def test_metrics_are_given_in_the_form_that_is_asked_for(control: Control) -> None:
    for path in ("/metrics", "/"):
        answer = await get(control.metrics + path, headers={"accept": "text/plain"})
        assert answer.text == "asked for text/plain"
        assert answer.headers["content-type"] == "text/plain; version=0.0.4"


async def test_a_closed_port_is_free_again(control: Control) -> None:
    port = Port("metrics", "127.0.0.1", 0)
    number = port.address.port
    await port.close()
    again = Port("metrics", "127.0.0.1", number)
    await again.close()


def test_a_taken_port_is_an_error_that_names_it_and_the_way_out() -> None:
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        other.bind(("127.0.0.1", 0))
        other.listen()
        number = other.getsockname()[1]
        with pytest.raises(PortTaken, match=rf"admin port.*127\.0\.0\.1:{number}.*--admin-port 0"):
            Port("admin", "127.0.0.1", number)


def test_an_address_of_another_machine_is_an_error() -> None:
    with pytest.raises(PortTaken, match=r"192\.0\.2\.1:9464"):
        Port("metrics", "192.0.2.1", 9464)
