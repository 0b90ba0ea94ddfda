"""`/metrics` in both forms, held against the official parsers."""

from collections.abc import Callable, Iterable
from pathlib import Path

import pytest
from prometheus_client import Metric
from prometheus_client.openmetrics.parser import text_string_to_metric_families as read_openmetrics
from prometheus_client.parser import text_string_to_metric_families as read_text

from llm_edge_agent.config.secret import Secret
from llm_edge_agent.control.exposition import Exposition, openmetrics
from llm_edge_agent.credentials import AwsChain, Found, Renewal
from llm_edge_agent.reload import ReloadCounters

ENGINE_TEXT = b"""\
# HELP llm_edge_requests_total Requests, "by" how they ended.
# TYPE llm_edge_requests_total counter
llm_edge_requests_total{route="a",status="2xx"} 12
llm_edge_requests_total{route="b \\"x\\"",status="5xx"} 1
# HELP llm_edge_overhead_seconds Time in the gateway.
# TYPE llm_edge_overhead_seconds histogram
llm_edge_overhead_seconds_bucket{le="0.00005"} 3
llm_edge_overhead_seconds_bucket{le="1"} 4
llm_edge_overhead_seconds_bucket{le="+Inf"} 4
llm_edge_overhead_seconds_sum 0.5
llm_edge_overhead_seconds_count 4
# HELP llm_edge_request_duration_seconds From head to last byte.
# TYPE llm_edge_request_duration_seconds histogram
llm_edge_request_duration_seconds_bucket{route="a",le="10"} 4
llm_edge_request_duration_seconds_bucket{route="a",le="+Inf"} 4
llm_edge_request_duration_seconds_sum{route="a"} 0.5
llm_edge_request_duration_seconds_count{route="a"} 4
# HELP llm_edge_inflight_requests In hand.
# TYPE llm_edge_inflight_requests gauge
llm_edge_inflight_requests 2
# HELP llm_edge_cache_total Total bytes of a gauge whose name ends like a counter's.
# TYPE llm_edge_cache_total gauge
llm_edge_cache_total 9
# TYPE llm_edge_odd untyped
llm_edge_odd 1
"""
OPENMETRICS = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5"


def exposition(text: bytes = ENGINE_TEXT) -> Exposition:
    return Exposition(
        lambda: text,
        ReloadCounters(True, 1_790_000_000.5, 3, 1),
        {"version": "1.2.3", "engine": "1.2.3"},
    )


def test_credentials_that_are_renewed_are_counted() -> None:
    source = AwsChain(provider="aws", region="eu-central-1")
    renewal = Renewal("slot", source, Found(Secret("id secret"), 1_790_000_000.0), None, 3, 1)
    shown = Exposition(lambda: b"", ReloadCounters(), {}, renewals=lambda: [renewal])
    body, _ = shown.render("")
    text = body.decode()
    total = "llm_edge_credential_renewals_total"
    assert f'{total}{{provider="aws",result="found"}} 3.0\n' in text
    assert f'{total}{{provider="aws",result="failed"}} 1.0\n' in text
    ends = "llm_edge_credential_expiry_timestamp_seconds"
    assert f'{ends}{{provider="aws"}} 1.79e+09\n' in text
    assert "secret" not in text
    assert total not in exposition().render("")[0].decode()


Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def samples(read: Callable[[str], Iterable[Metric]], body: bytes) -> Samples:
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in read(body.decode())
        for sample in family.samples
    }


def test_plain_text_holds_the_engines_bytes_unchanged() -> None:
    body, content_type = exposition().render("")
    assert body.startswith(ENGINE_TEXT)
    assert content_type.startswith("text/plain; version=0.0.4")


def test_a_scraper_that_asks_for_openmetrics_gets_valid_openmetrics() -> None:
    body, content_type = exposition().render(OPENMETRICS)
    assert content_type.startswith("application/openmetrics-text; version=1.0.0")
    assert body.endswith(b"# EOF\n")
    assert body.count(b"# EOF") == 1
    read = samples(read_openmetrics, body)
    assert read["llm_edge_requests_total", (("route", "a"), ("status", "2xx"))] == 12
    assert read["llm_edge_requests_total", (("route", 'b "x"'), ("status", "5xx"))] == 1


def test_both_forms_carry_the_same_samples() -> None:
    plain = samples(read_text, exposition().render("")[0])
    other = samples(read_openmetrics, exposition().render(OPENMETRICS)[0])

    def comparable(read: Samples) -> Samples:
        return {
            (name, tuple((k, str(float(v)) if k == "le" else v) for k, v in labels)): value
            for (name, labels), value in read.items()
            if not name.startswith("process_")
        }

    assert comparable(plain) == comparable(other)
    assert len(plain) > 12


def test_a_whole_number_as_bucket_bound_becomes_canonical() -> None:
    text = openmetrics(ENGINE_TEXT)
    assert b'{le="1.0"} 4' in text
    assert b'{route="a",le="10.0"} 4' in text
    assert b'{le="+Inf"}' in text


def test_a_gauge_whose_name_ends_in_total_keeps_its_name() -> None:
    assert b"# TYPE llm_edge_cache_total gauge" in openmetrics(ENGINE_TEXT)


@pytest.mark.parametrize("accept", ["", OPENMETRICS])
def test_the_control_plane_tells_of_build_reloads_and_process(accept: str) -> None:
    body = exposition(b"").render(accept)[0]
    read = samples(read_openmetrics if accept else read_text, body)
    assert read["llm_edge_build_info", (("engine", "1.2.3"), ("version", "1.2.3"))] == 1
    assert read["llm_edge_config_reload_success", ()] == 1
    assert read["llm_edge_config_last_reload_timestamp_seconds", ()] == 1_790_000_000.5
    assert read["llm_edge_config_reloads_total", (("result", "applied"),)] == 3
    assert read["llm_edge_config_reloads_total", (("result", "refused"),)] == 1
    if Path("/proc/self/stat").exists():
        assert read["process_resident_memory_bytes", ()] > 1_000_000


def test_no_family_appears_twice() -> None:
    for accept in ("", OPENMETRICS):
        lines = exposition().render(accept)[0].decode().splitlines()
        types = [line.split()[2] for line in lines if line.startswith("# TYPE ")]
        assert len(types) == len(set(types))
