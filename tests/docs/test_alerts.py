"""The alerting rules name metrics and labels that there are."""

import re

import yaml

from tests.support.tree import ROOT

REFERENCE = (ROOT / "docs/reference/metrics.md").read_text()
ROW = re.compile(r"^\| `(llm_edge_\w+)` \|[^|]*\|([^|]*)\|", re.MULTILINE)
RULES = yaml.safe_load((ROOT / "deployments/prometheus/alerts.yaml").read_text())


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
