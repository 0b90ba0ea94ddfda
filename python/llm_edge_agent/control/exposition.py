"""What `/metrics` answers: the engine's metrics and the control plane's own, as one exposition.

The engine writes Prometheus text 0.0.4. A scraper that prefers OpenMetrics 1.0 gets the same
samples in that form: the differences are the family name of counters, quotes in help texts, whole
numbers in `le`, and the `# EOF` at the end.
Sources: prometheus.io/docs/instrumenting/exposition_formats, OpenMetrics 1.0.0 §ABNF.
"""

import re
from collections.abc import Callable, Iterable

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from llm_edge_agent.credentials import Renewal
from llm_edge_agent.reload import ReloadCounters

__all__ = ["Exposition", "openmetrics"]

_COUNTER = re.compile(rb"^# TYPE (\S+)_total counter$", re.MULTILINE)
_FAMILY = re.compile(rb"^# (HELP|TYPE) (\S+)_total(?= )", re.MULTILINE)
_UNTYPED = re.compile(rb"^(# TYPE \S+) untyped$", re.MULTILINE)
_HELP = re.compile(rb"^# HELP .*\".*$", re.MULTILINE)
_WHOLE_BOUND = re.compile(rb'([{,]le="[0-9]+)"')


def openmetrics(text: bytes) -> bytes:
    """Turn Prometheus text 0.0.4 into OpenMetrics 1.0, without the closing `# EOF`."""
    counters = set(_COUNTER.findall(text))

    def family(match: re.Match[bytes]) -> bytes:
        kind, name = match.groups()
        return b"# %s %s" % (kind, name) if name in counters else match.group()

    text = _FAMILY.sub(family, text)
    text = _UNTYPED.sub(rb"\1 unknown", text)
    text = _HELP.sub(lambda line: line.group().replace(b'"', rb"\""), text)
    return _WHOLE_BOUND.sub(rb'\1.0"', text)


class Exposition:
    """Renders `/metrics` in the form that a scraper asks for.

    Args:
        engine_text: Gives the engine's metrics in Prometheus text format.
        reloads: Read at each scrape.
        labels: Labels of `llm_edge_build_info`.
        renewals: Credentials that are renewed in the background.
    """

    def __init__(
        self,
        engine_text: Callable[[], bytes],
        reloads: ReloadCounters,
        labels: dict[str, str],
        renewals: Callable[[], list[Renewal]] = list,
    ) -> None:
        self._engine_text = engine_text
        self._registry = CollectorRegistry()
        self._registry.register(_ControlPlane(reloads, labels, renewals))
        ProcessCollector(registry=self._registry)

    def render(self, accept: str) -> tuple[bytes, str]:
        """Return the body and its content type for the value of an `Accept` field."""
        encode, content_type = choose_encoder(accept)
        engine = self._engine_text()
        if content_type.startswith("application/openmetrics-text"):
            engine = openmetrics(engine)
        return engine + encode(self._registry), content_type


class _ControlPlane(Collector):
    def __init__(
        self,
        reloads: ReloadCounters,
        labels: dict[str, str],
        renewals: Callable[[], list[Renewal]],
    ) -> None:
        self._reloads = reloads
        self._renewals = renewals
        self._labels = labels

    def collect(self) -> Iterable[Metric]:
        yield GaugeMetricFamily(
            "llm_edge_config_reload_success",
            "Whether the last configuration offered was applied (1) or refused (0).",
            value=float(self._reloads.last_ok),
        )
        yield GaugeMetricFamily(
            "llm_edge_config_last_reload_timestamp_seconds",
            "When a configuration was last applied.",
            value=self._reloads.last_success_s,
        )
        reloads = CounterMetricFamily(
            "llm_edge_config_reloads", "Configurations offered, by result.", labels=["result"]
        )
        reloads.add_metric(["applied"], self._reloads.successes)
        reloads.add_metric(["refused"], self._reloads.failures)
        yield reloads
        yield from self._credentials()
        build = GaugeMetricFamily(
            "llm_edge_build_info", "What runs; always 1.", labels=list(self._labels)
        )
        build.add_metric(list(self._labels.values()), 1)
        yield build

    def _credentials(self) -> Iterable[Metric]:
        looks = CounterMetricFamily(
            "llm_edge_credential_renewals",
            "Looks for a credential that is not written down, by result.",
            labels=["provider", "result"],
        )
        ends = GaugeMetricFamily(
            "llm_edge_credential_expiry_timestamp_seconds",
            "When the credential in use expires.",
            labels=["provider"],
        )
        for renewal in self._renewals():
            provider = renewal.source.provider
            looks.add_metric([provider, "found"], renewal.successes)
            looks.add_metric([provider, "failed"], renewal.failures)
            if renewal.found is not None and renewal.found.expires_s is not None:
                ends.add_metric([provider], renewal.found.expires_s)
        yield from (looks, ends) if looks.samples else ()
