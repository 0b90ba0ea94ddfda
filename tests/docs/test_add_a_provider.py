"""The guide for those who add a provider is walked through as it stands.

Only the address is another one: a server on loopback, which is asked where and how the page says.
"""

import contextlib
import io
import re
import subprocess
from pathlib import Path

import msgspec
import pytest

from llm_edge_agent.providers import OPERATIONS
from tests.behaviour.process.programs import run
from tests.conftest import Serve
from tests.support.distribution import build, install
from tests.support.gateway import FREE_PORTS, Running
from tests.support.hop import KEY, UPSTREAM_KEY, Hop, post
from tests.support.pages import FENCE
from tests.support.tree import ROOT
from tests.support.upstream import Read, Received, Send, Upstream, reply

PAGE = (ROOT / "docs/guide/add-a-provider.md").read_text()
ADDRESS = "https://api.acme.example"
ENV = {"MY_APP_KEY": KEY, "ACME_API_KEY": UPSTREAM_KEY}
CHAT_ANSWER = {
    "id": "c-1",
    "object": "chat.completion",
    "created": 1,
    "model": "acme-large",
    "choices": [
        {
            "index": 0,
            "finish_reason": "stop",
            "message": {"role": "assistant", "content": "Hello!"},
        }
    ],
}


def section(title: str) -> str:
    """What stands below a heading."""
    return re.split(r"^## ", PAGE.partition(f"## {title}\n")[2], flags=re.MULTILINE)[0]


def block(text: str, language: str) -> str:
    """The one block in that language."""
    (found,) = [body for name, body in FENCE.findall(text) if name == language]
    return str(found)


def test_the_page_names_every_operation() -> None:
    assert [name for name in OPERATIONS if f"`{name}`" not in PAGE] == []


BY_CONFIGURATION = section("By configuration")
BY_DISTRIBUTION = section("By a distribution")


@pytest.fixture
def acme(upstream: Upstream) -> Upstream:
    upstream.always(Read(), Send(reply(msgspec.json.encode(CHAT_ANSWER))))
    return upstream


@pytest.fixture
def distribution(tmp_path: Path, acme: Upstream) -> Path:
    """The page's two files, built and installed by the backend that they name."""
    folder = tmp_path / "site"
    module = block(BY_DISTRIBUTION, "python").replace(ADDRESS, acme.url)
    build(folder, block(BY_DISTRIBUTION, "toml"), module)
    return folder


def client_says(running: Running) -> str:
    """What the page's client prints."""
    text = block(BY_CONFIGURATION, "python").replace("http://127.0.0.1:8080", running.anthropic)
    names: dict[str, object] = {"MY_APP_KEY": KEY}
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(text, "add-a-provider.md", "exec"), names)  # the page is ours
    names["client"].close()  # type: ignore[attr-defined]
    return printed.getvalue()


def assert_asked_as_the_page_says(hop: Hop) -> None:
    assert client_says(hop.running) == "Hello!\n"
    (chat,) = hop.upstream.requests
    assert chat.request_line == "POST /inference/acme-large/chat HTTP/1.1"
    assert chat.headers["x-acme-key"] == UPSTREAM_KEY
    assert "authorization" not in chat.headers
    asked = {
        "model": "acme/acme-large",
        "max_tokens": 9,
        "messages": [{"role": "user", "content": "Hi"}],
    }
    hop.ask(post("/v1/messages", msgspec.json.encode(asked)))
    messages = hop.upstream.requests[-1]
    assert messages.request_line == "POST /anthropic/v1/messages HTTP/1.1"
    assert messages.headers["authorization"] == f"Bearer {UPSTREAM_KEY}"
    assert "x-acme-key" not in messages.headers
    assert_no_key_of_the_caller(hop.upstream.requests)


def assert_no_key_of_the_caller(requests: list[Received]) -> None:
    assert not [seen for seen in requests if KEY.encode() in seen.head]


def test_a_provider_by_configuration_alone(serve: Serve, acme: Upstream) -> None:
    config = block(BY_CONFIGURATION, "yaml").replace(ADDRESS, acme.url)
    # Probes come when they like.
    config = config.replace("    health: {path: /status}\n", "")
    hop = Hop(serve(config, env=ENV), acme)
    assert_asked_as_the_page_says(hop)
    assert acme.requests[0].headers["x-acme-project"] == "research"


def test_its_probe_goes_where_the_page_says(serve: Serve, acme: Upstream) -> None:
    config = block(BY_CONFIGURATION, "yaml").replace(ADDRESS, acme.url)
    serve(config.replace("{path: /status}", "{path: /status, interval_ms: 100}"), env=ENV)
    acme.wait_for(requests=1)
    assert acme.requests[0].request_line == "GET /status HTTP/1.1"


def test_a_response_asked_for_is_put_into_the_fields_it_knows(serve: Serve, acme: Upstream) -> None:
    config = block(BY_CONFIGURATION, "yaml").replace(ADDRESS, acme.url)
    config = re.sub(r"    health: .*\n|      messages: .*\n|    operation_auth:\n", "", config)
    hop = Hop(serve(config, env=ENV), acme)
    asked = {"model": "acme/m", "input": "Hi", "max_output_tokens": 7}
    assert hop.ask(post("/v1/responses", msgspec.json.encode(asked))).status == 200
    assert msgspec.json.decode(acme.requests[0].body)["max_completion_tokens"] == 7


def test_members_go_by_the_names_it_has_and_without_those_it_has_not(
    serve: Serve, acme: Upstream
) -> None:
    config = block(BY_CONFIGURATION, "yaml").replace(ADDRESS, acme.url)
    # Google's API is one that can say a seed, and another than the provider's.
    config = re.sub(r"    health: .*\n|      messages: .*\n|    operation_auth:\n", "", config)
    hop = Hop(serve(config, env=ENV), acme)
    asked = {
        "contents": [{"role": "user", "parts": [{"text": "Hi"}]}],
        "generationConfig": {"seed": 7},
    }
    path = "/v1beta/models/acme%2Fm:generateContent"
    assert hop.ask(post(path, msgspec.json.encode(asked))).status == 200
    sent = msgspec.json.decode(acme.requests[0].body)
    assert (sent["random_seed"], "seed" in sent) == (7, False)


def test_a_provider_by_a_distribution(serve: Serve, acme: Upstream, distribution: Path) -> None:
    config = block(BY_DISTRIBUTION, "yaml")
    hop = Hop(serve(config, env={**ENV, "PYTHONPATH": str(distribution)}), acme)
    assert_asked_as_the_page_says(hop)


def test_it_is_listed_with_where_it_comes_from(distribution: Path, tmp_path: Path) -> None:
    env = {"PYTHONPATH": str(distribution)}
    assert "llm-edge-agent providers" in block(BY_DISTRIBUTION, "bash")
    said = run(tmp_path, "providers", env=env)
    assert said.returncode == 0
    (line,) = [line for line in said.stdout.splitlines() if line.startswith("acme ")]
    assert line.endswith("  (from llm-edge-acme 1.0)")
    rows = msgspec.json.decode(run(tmp_path, "providers", "--json", env=env).stdout)
    (row,) = [row for row in rows if row["type"] == "acme"]
    assert row["operations"] == ["chat_completions", "messages"]
    assert row["from"] == "llm-edge-acme 1.0"


def test_without_the_distribution_the_type_is_unknown(tmp_path: Path) -> None:
    said = check(tmp_path, block(BY_DISTRIBUTION, "yaml"), {})
    assert "llm-edge.yaml:5: providers.acme.type: unknown provider type `acme`" in said.stderr


def test_a_type_that_is_nearly_named_is_suggested(distribution: Path, tmp_path: Path) -> None:
    config = block(BY_DISTRIBUTION, "yaml").replace("type: acme", "type: acmee")
    said = check(tmp_path, config, {"PYTHONPATH": str(distribution)})
    assert "unknown provider type `acmee`. hint: did you mean `acme`?" in said.stderr


def check(folder: Path, config: str, env: dict[str, str]) -> subprocess.CompletedProcess[str]:
    path = folder / "llm-edge.yaml"
    path.write_text(config)
    said = run(folder, "check", "--config", str(path), env={**ENV, **env})
    assert said.returncode == 78, said.stdout
    assert "Traceback" not in said.stderr
    return said


SPEC = "from llm_edge_agent.providers import BEARER, ProviderSpec\n"
GOOD = 'type="acme", title="Acme", base_url="https://a.example", auth=BEARER'
BROUGHT = "providers.acme.type: `llm-edge-acme 1.0`, which brings `acme`, cannot be used: "


@pytest.mark.parametrize(
    ("module", "says"),
    [
        (
            "import nothing_of_that_name\n",
            "importing `llm_edge_acme:ACME` failed "
            "(ModuleNotFoundError: No module named 'nothing_of_that_name')",
        ),
        ("raise SystemExit(3)\n", "importing `llm_edge_acme:ACME` failed (SystemExit: 3)"),
        ("def of(:\n", "importing `llm_edge_acme:ACME` failed (SyntaxError: "),
        ("OTHER = 1\n", "importing `llm_edge_acme:ACME` failed (AttributeError: "),
        ("ACME = {}\n", "`llm_edge_acme:ACME` is a `dict`, not a `ProviderSpec`"),
        (
            f"{SPEC}ACME = ProviderSpec({GOOD}, operations={{}}, key_name='x')\n",
            "importing `llm_edge_acme:ACME` failed (TypeError: Unexpected keyword argument",
        ),
        (
            f"{SPEC}ACME = ProviderSpec({GOOD}, operations={{'chat': '/chat'}})\n",
            "there is no operation `chat`; there are chat_completions, ",
        ),
        (
            f"{SPEC}ACME = ProviderSpec({GOOD}, operations={{'messages': '/a b'}})\n",
            "the path of `messages`, `/a b`: a path begins with `/` and holds no space",
        ),
        (
            f"{SPEC}ACME = ProviderSpec({GOOD}, operations={{'messages': '/{{project}}/m'}})\n",
            "the path of `messages`, `/{project}/m`: `{project}` stands for nothing",
        ),
        (
            f"{SPEC}ACME = ProviderSpec({GOOD}, operations={{'messages': 7}})\n",
            "Expected `str`, got `int` - at `$.operations[...]`",
        ),
        (
            f"{SPEC}ACME = ProviderSpec({GOOD.replace('acme', 'other')}, "
            "operations={'messages': '/m'})\n",
            "its `type` is `other`, and the entry point is called `acme`",
        ),
    ],
)
def test_one_that_cannot_be_used_is_told_with_its_cause(
    tmp_path: Path, module: str, says: str
) -> None:
    install(tmp_path / "site", block(BY_DISTRIBUTION, "toml"), module)
    said = check(tmp_path, block(BY_DISTRIBUTION, "yaml"), {"PYTHONPATH": str(tmp_path / "site")})
    assert BROUGHT + says in said.stderr
    assert "hint: mend, update or uninstall `llm-edge-acme 1.0`" in said.stderr
    shown = block(BY_DISTRIBUTION, "text").partition("there is")[0]
    assert shown in said.stderr


def test_one_that_is_not_named_is_not_imported(tmp_path: Path) -> None:
    install(tmp_path / "site", block(BY_DISTRIBUTION, "toml"), "raise SystemExit(3)\n")
    path = tmp_path / "llm-edge.yaml"
    path.write_text("version: 1\nmock: true\n")
    env = {"PYTHONPATH": str(tmp_path / "site")}
    assert run(tmp_path, "check", "--config", str(path), env=env).returncode == 0
    listed = run(tmp_path, "providers", env=env)
    assert listed.returncode == 0
    assert "openai" in listed.stdout
    assert listed.stderr.startswith("warning: `llm-edge-acme 1.0`, which brings `acme`, cannot be")


def test_the_name_of_a_built_in_type_cannot_be_taken(tmp_path: Path) -> None:
    project = block(BY_DISTRIBUTION, "toml").replace('acme = "', 'openai = "')
    install(tmp_path / "site", project, "ACME = 1\n")
    config = 'version: 1\nproviders:\n  mine: {type: openai, api_key: "sk-x"}\n'
    said = check(tmp_path, config, {"PYTHONPATH": str(tmp_path / "site")})
    says = "providers.mine.type: `openai` is built in, and `llm-edge-acme 1.0` brings a kind of"
    assert f"llm-edge.yaml:3: {says}" in said.stderr


def test_a_name_that_two_distributions_bring_is_nobody_s(tmp_path: Path) -> None:
    module = block(BY_DISTRIBUTION, "python")
    install(tmp_path / "site", block(BY_DISTRIBUTION, "toml"), module)
    project = block(BY_DISTRIBUTION, "toml").replace("llm-edge-acme", "acme-for-llm-edge")
    install(tmp_path / "other", project, module)
    env = {"PYTHONPATH": f"{tmp_path / 'site'}:{tmp_path / 'other'}"}
    said = check(tmp_path, block(BY_DISTRIBUTION, "yaml"), env)
    assert "`acme` is brought by more than one distribution: `" in said.stderr


def test_a_gateway_that_cannot_use_it_does_not_start(tmp_path: Path) -> None:
    install(tmp_path / "site", block(BY_DISTRIBUTION, "toml"), "raise RuntimeError('no')\n")
    path = tmp_path / "llm-edge.yaml"
    path.write_text(block(BY_DISTRIBUTION, "yaml"))
    env = {**ENV, "PYTHONPATH": str(tmp_path / "site")}
    ended = run(tmp_path, "serve", "--config", str(path), *FREE_PORTS, env=env)
    assert ended.returncode == 78
    assert "(RuntimeError: no)" in ended.stderr
    assert "Traceback" not in ended.stderr
