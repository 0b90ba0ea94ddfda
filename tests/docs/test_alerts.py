"""The alerting rules name metrics and labels that there are, and fire when they should."""

import re
import shutil
import subprocess

import pytest
import yaml

from tests.support.tree import ROOT

REFERENCE = (ROOT / "docs/reference/metrics.md").read_text()
ROW = re.compile(r"^\| `(llm_edge_\w+)` \|[^|]*\|([^|]*)\|", re.MULTILINE)
FOLDER = ROOT / "deployments/prometheus"
RULES = yaml.safe_load((FOLDER / "alerts.yaml").read_text())
PLAYED = yaml.safe_load((FOLDER / "alerts_test.yaml").read_text())


def test_every_metric_of_a_rule_is_there_with_its_labels() -> None:
    known = {
        name: set(re.findall(r"`(\w+)`", labels))
        for name, labels in re.findall(
            r"^\| `(llm_edge_\w+)` \|[^|]*\|([^|]*)\|", REFERENCE, re.MULTILINE
        )
    }
    rules = [rule for group in RULES["groups"] for rule in group["rules"]]
    named = [
        found for rule in rules for found in re.findall(r"(llm_edge_\w+)\{(\w+)", rule["expr"])
    ]
    assert len(named) >= 5
    for name, label in named:
        assert label in known[name]
    for rule in rules:
        for labels in re.findall(r"by \(([^)]*)\)", rule["expr"]):
            assert set(labels.split(", ")) <= known["llm_edge_tokens_total"]


@pytest.mark.skipif(not shutil.which("promtool"), reason="promtool is not installed")
def test_the_rules_fire_and_keep_still_as_prometheus_plays_them() -> None:
    done = subprocess.run(
        ["promtool", "test", "rules", "alerts_test.yaml"],
        cwd=FOLDER,
        capture_output=True,
        check=False,
        timeout=30,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_rule_is_played_where_it_fires_and_where_it_does_not() -> None:
    told = [
        (case["alertname"], bool(case["exp_alerts"]))
        for test in PLAYED["tests"]
        for case in test["alert_rule_test"]
    ]
    names = [rule["alert"] for group in RULES["groups"] for rule in group["rules"]]
    assert set(told) == {(name, fires) for name in names for fires in (True, False)}
