"""A policy of the operator's own says who comes first, and a bad one costs its deadline at most."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.behaviour.failure.several import Several, several
from tests.behaviour.process.programs import run, wait_until
from tests.support.distribution import install

MODULE = """
import os
import time
from pathlib import Path

def waits(question):
    while not Path(os.environ["GO"]).exists():
        time.sleep(0.01)
    return ["b/m"]

def last_first(question):
    assert question.route == "chat" and question.model == "chat" and question.key == "app"
    return [target.target for target in reversed(question.targets)]

def only_b(question):
    return ["b/m"]

def hangs(question):
    time.sleep(3600)

def raises(question):
    raise RuntimeError("secret of the policy")

def unknown(question):
    return ["nobody/m"]

def nothing(question):
    return []

def wrong(question):
    return 7

value = 7
"""


PROJECT = """
[project]
name = "our-policies"
version = "1.0"

[project.entry-points."llm_edge_agent.policies"]
backwards = "own_policies:last_first"

[tool.setuptools]
py-modules = ["own_policies"]
"""


@contextmanager
def with_policy(folder: Path, name: str, count: int = 3) -> Iterator[Several]:
    (folder / "own_policies.py").write_text(MODULE)
    route = f"policy: {{name: 'own_policies:{name}', deadline_ms: 100}}"
    env = {"PYTHONPATH": str(folder), "GO": str(folder / "go")}
    with several(folder, route, count=count, env=env) as found:
        yield found


def results(found: Several) -> dict[str, float]:
    names = ("ranked", "late", "failed", "busy", "unknown_target")
    name = "llm_edge_routing_policy_total"
    return {n: count for n in names if (count := found.metric(name, route="chat", result=n))}


def test_it_says_who_comes_first_and_who_next(tmp_path: Path) -> None:
    with with_policy(tmp_path, "last_first") as three:
        assert three.ask().status == 200
        assert three.seen() == [0, 0, 1]
        three.upstreams["c"].__exit__()
        assert three.ask().status == 200
        assert three.seen() == [0, 1, 1]
        assert results(three) == {"ranked": 2}


def test_whom_it_does_not_name_follows(tmp_path: Path) -> None:
    with with_policy(tmp_path, "only_b") as three:
        three.upstreams["b"].__exit__()
        assert three.ask().status == 200
        assert three.seen() == [1, 0, 0]
        attempts = "llm_edge_upstream_attempts_total"
        assert three.metric(attempts, provider="b", result="unreachable") == 1


def test_a_distribution_brings_one(tmp_path: Path) -> None:
    site = tmp_path / "site"
    install(site, PROJECT, MODULE)
    env = {"PYTHONPATH": str(site)}
    with several(
        tmp_path, "policy: {name: backwards, deadline_ms: 100}", count=3, env=env
    ) as three:
        assert three.ask().status == 200
        assert three.seen() == [0, 0, 1]


def test_two_distributions_with_one_name_are_refused(tmp_path: Path) -> None:
    install(tmp_path / "site", PROJECT, MODULE)
    other = PROJECT.replace("our-", "their-").replace("own_policies", "their_policies")
    install(tmp_path / "other", other, MODULE)
    said = check(tmp_path, "backwards", f"{tmp_path / 'site'}:{tmp_path / 'other'}")
    assert "several distributions bring a policy `backwards`" in said


@pytest.mark.parametrize(
    ("name", "result"),
    [
        ("hangs", "late"),
        ("raises", "failed"),
        ("unknown", "unknown_target"),
        ("nothing", "unknown_target"),
        ("wrong", "failed"),
    ],
)
def test_a_bad_one_is_passed_over_in_time_and_counted(
    tmp_path: Path, name: str, result: str
) -> None:
    with with_policy(tmp_path, name) as three:
        for at in range(3):
            begun = time.monotonic()
            assert three.ask().status == 200
            assert time.monotonic() - begun < 1.0
            assert three.seen() == [at + 1, 0, 0]
        assert results(three) == {result: 3}
        if name == "raises":
            log = three.running.log()
            assert "policy `own_policies:raises` failed: RuntimeError" in log
            assert "secret of the policy" not in log


WAITING_MAX = 256
"""Questions that wait for a policy at most, beside the one that it has before it."""


def test_one_that_hangs_holds_up_a_bounded_number_and_goes_on_when_it_can(tmp_path: Path) -> None:
    asked = WAITING_MAX + 1 + 40

    def ask(_: int) -> float:
        begun = time.monotonic()
        assert three.ask().status == 200
        return time.monotonic() - begun

    with with_policy(tmp_path, "waits") as three, ThreadPoolExecutor(32) as clients:
        took = sorted(clients.map(ask, range(asked)))
        # Whom it will not hear any more is not kept waiting.
        assert results(three) == {"late": WAITING_MAX + 1, "busy": 40}
        assert took[0] < 0.1 <= took[-1] < 3.0
        assert three.seen() == [asked, 0, 0]
        (tmp_path / "go").touch()
        wait_until(lambda: three.ask().status == 200 and three.seen()[1] > 0)
        # Nobody waits any more for what was asked before.
        assert results(three)["ranked"] == three.seen()[1] == 1


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("no_such_module:rank", "cannot be imported (ModuleNotFoundError)"),
        ("json:no_such_function", "cannot be imported (AttributeError)"),
        ("json:decoder", "is nothing that can be called"),
        ("own_policies:last_first", "cannot be imported (SystemExit)"),
        ("nobody", "no distribution brings a policy `nobody`"),
    ],
)
def test_one_that_is_not_there_is_refused(tmp_path: Path, name: str, expected: str) -> None:
    (tmp_path / "own_policies.py").write_text("raise SystemExit(0)")
    assert expected in check(tmp_path, name, str(tmp_path))


def check(folder: Path, name: str, python_path: str) -> str:
    """What is said of a configuration with that policy, which is not taken."""
    path = folder / "llm-edge.yaml"
    path.write_text(
        "version: 1\nproviders: {up: {type: openai_compatible, base_url: 'http://127.0.0.1:1/v1'}}\n"
        "routes:\n  r:\n    models: [m]\n    targets: [{provider: up, model: a}]\n"
        f"    policy: {{name: '{name}'}}\n"
    )
    done = run(folder, "check", "--config", str(path), env={"PYTHONPATH": python_path})
    assert done.returncode == 78
    assert f"{path}:7: routes.r.policy.name: " in done.stderr
    return done.stderr
