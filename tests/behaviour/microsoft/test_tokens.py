"""Access tokens of Microsoft Entra ID are shown as such, renewed, and what is wrong is told."""

from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from tests.behaviour.amazon.test_renewed import wait_until
from tests.behaviour.process.programs import run
from tests.conftest import Serve
from tests.support.gateway import FREE_PORTS
from tests.support.hop import CHAT, KEY, Hop, post
from tests.support.microsoft import CLIENT, RESOURCE, SCOPE, SECRET, TENANT, Entra
from tests.support.upstream import Read, Send, Upstream, reply

CONFIG = """
version: 1
keys: [{{name: app, key: {key}}}]
providers:
  az:
    type: azure_openai
    base_url: "{url}"
    azure: {{{azure}}}
"""
APPLICATION = f"tenant_id: {TENANT}, client_id: {CLIENT}, client_secret: {SECRET}"
QUESTION = b'{"model":"az/m","messages":[]}'
Launch = Callable[..., Hop]


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Entra]:
    with Entra(tmp_path / "entra") as entra:
        yield entra


@pytest.fixture
def authority(tmp_path: Path) -> Iterator[Entra]:
    with Entra(tmp_path / "entra", is_authority=True) as entra:
        yield entra


@pytest.fixture
def launch(serve: Serve, upstream: Upstream) -> Launch:
    upstream.always(Read(), Send(reply(b"{}")))

    def launch(env: dict[str, str], azure: str = "") -> Hop:
        text = CONFIG.format(key=KEY, url=upstream.url, azure=azure)
        return Hop(serve(text, env=env), upstream)

    return launch


def shown(hop: Hop) -> str:
    """Ask; what stood in `authorization` upstream."""
    answer = hop.ask(post(CHAT, QUESTION, "api-key: of-the-caller"))
    assert answer.status == 200, answer
    seen = hop.upstream.requests[-1]
    assert seen.request_line == "POST /openai/v1/chat/completions HTTP/1.1"
    assert "api-key" not in seen.headers
    return seen.headers["authorization"]


def refusal(hop: Hop) -> str:
    """What a request is told while there is no token."""
    answer = hop.ask(post(CHAT, QUESTION))
    error = msgspec.json.decode(answer.body).get("error", {})
    return str(error.get("message", "")) if answer.status == 502 else ""


def test_the_identity_of_the_machine_is_found_and_its_token_renewed(
    launch: Launch, machine: Entra
) -> None:
    machine.lives_s = 4.0
    hop = launch(machine.machine)
    assert shown(hop) == f"Bearer {machine.given[-1]}"
    before = len(machine.given)
    wait_until(lambda: len(machine.given) > before, "the token is not renewed")
    wait_until(lambda: shown(hop) == f"Bearer {machine.given[-1]}", "the new one is not shown")
    assert machine.asked[-1]["resource"] == RESOURCE
    assert "client_id" not in machine.asked[-1]
    assert_silent(hop, machine)


def test_one_of_several_identities_of_the_machine(launch: Launch, machine: Entra) -> None:
    shown(launch(machine.machine, f"client_id: {CLIENT}"))
    assert machine.asked[-1]["client_id"] == CLIENT


def test_an_application_is_asked_for_with_its_secret(launch: Launch, authority: Entra) -> None:
    hop = launch(authority.authority, APPLICATION)
    assert shown(hop) == f"Bearer {authority.given[-1]}"
    asked = authority.asked[-1]
    assert (asked["grant_type"], asked["scope"]) == ("client_credentials", SCOPE)
    assert (asked["client_id"], asked["client_secret"]) == (CLIENT, SECRET)
    assert_silent(hop, authority)


def test_another_cloud_has_another_scope(launch: Launch, authority: Entra) -> None:
    scope = "https://cognitiveservices.azure.us/.default"
    shown(launch(authority.authority, f'{APPLICATION}, scope: "{scope}"'))
    assert authority.asked[-1]["scope"] == scope


def test_a_workload_s_token_is_exchanged(launch: Launch, authority: Entra, tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("token-of-the-cluster")
    hop = launch(authority.workload(file))
    assert shown(hop) == f"Bearer {authority.given[-1]}"
    assert authority.asked[-1]["client_assertion"] == "token-of-the-cluster"
    assert_silent(hop, authority)


def test_a_refusal_is_told_by_its_code_and_mended_in_the_background(
    launch: Launch, authority: Entra
) -> None:
    authority.refuses = True
    hop = launch(authority.authority, APPLICATION)
    said = refusal(hop)
    assert said.startswith("provider `az`: its credential is not there: getting an access token")
    assert said.endswith("failed (ClientAuthenticationError: AADSTS7000215)")
    assert hop.seen == 0
    authority.refuses = False
    wait_until(lambda: not refusal(hop), "a token that came later is not used", 30.0)
    assert shown(hop) == f"Bearer {authority.given[-1]}"
    assert_silent(hop, authority)


@pytest.mark.parametrize(
    ("azure", "hint"),
    [("", ""), (f"client_id: {CLIENT}", "; is it the one that `client_id` names?")],
)
def test_a_machine_that_is_given_no_token_is_not_one_without_identity(
    launch: Launch, machine: Entra, azure: str, hint: str
) -> None:
    machine.refuses = True
    # What another identity would be shown by: it is not asked instead.
    others = {"AZURE_TENANT_ID": TENANT, "AZURE_CLIENT_ID": CLIENT}
    hop = launch(machine.machine | others, azure)
    assert refusal(hop).endswith(f"the managed identity was given no token{hint}")
    machine.refuses = False
    wait_until(lambda: not refusal(hop), "a token that came later is not used", 30.0)
    assert shown(hop) == f"Bearer {machine.given[-1]}"
    assert_silent(hop, machine)


def test_an_identity_that_is_named_is_no_other(
    launch: Launch, machine: Entra, tmp_path: Path
) -> None:
    of_another = {
        "AZURE_TENANT_ID": TENANT,
        "AZURE_CLIENT_ID": "another",
        "AZURE_CLIENT_SECRET": "of-another",
        # Where nobody is to be asked.
        "AZURE_AUTHORITY_HOST": "https://127.0.0.1:1",
    }
    hop = launch(machine.machine | of_another, f"client_id: {CLIENT}")
    assert shown(hop) == f"Bearer {machine.given[-1]}"
    assert machine.asked[-1]["client_id"] == CLIENT


def test_a_key_of_the_environment_stays_there(launch: Launch, machine: Entra) -> None:
    hop = launch(machine.machine | {"AZURE_OPENAI_API_KEY": "a-key"})
    assert shown(hop) == f"Bearer {machine.given[-1]}"


@pytest.mark.parametrize(
    ("env", "says"),
    [
        ({}, "providers.az.azure: no identity was found. hint: give `tenant_id`"),
        (
            {"AZURE_AUTHORITY_HOST": "http://127.0.0.1:1"},
            "providers.az.azure: getting an access token failed (ValueError)",
        ),
    ],
)
def test_what_cannot_be_found_is_said_at_the_start(
    tmp_path: Path, upstream: Upstream, closed_port: int, env: dict[str, str], says: str
) -> None:
    path = tmp_path / "llm-edge.yaml"
    path.write_text(CONFIG.format(key=KEY, url=upstream.url, azure=""))
    nobody = {"AZURE_POD_IDENTITY_AUTHORITY_HOST": f"http://127.0.0.1:{closed_port}"}
    ended = run(tmp_path, "serve", "--config", str(path), *FREE_PORTS, env=nobody | env)
    assert ended.returncode != 0
    assert says in ended.stderr
    assert "Traceback" not in ended.stderr


def assert_silent(hop: Hop, entra: Entra) -> None:
    """Neither what an operator asks nor the log tells a secret."""
    said = msgspec.json.encode(hop.running.ask_admin("config")).decode()
    said += msgspec.json.encode(hop.running.ask_admin("status")).decode()
    said += "".join(hop.running.scrape()) + hop.running.stop()
    for secret in (*entra.given, SECRET, "token-of-the-cluster", "an-app"):
        assert secret not in said
