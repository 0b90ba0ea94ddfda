"""What must hold, what is aimed at, and how it came out."""

import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass

_PROXY = "\N{MULTIPLICATION SIGN} nginx proxy"
_STATIC = "\N{MULTIPLICATION SIGN} nginx return 200"
_OWN = "\N{MULTIPLICATION SIGN} same dialect"
_TIMES = "\N{MULTIPLICATION SIGN}"


@dataclass(frozen=True)
class Figure:
    """What is printed and what is demanded of it; without `must` it is only printed."""

    what: str
    unit: str = ""
    must: float | None = None
    aim: float | None = None
    higher_is_better: bool = False

    def reaches(self, value: float, limit: float) -> bool:
        """Whether the value is on the good side of the limit."""
        return value >= limit if self.higher_is_better else value <= limit

    def shown(self, limit: float | None) -> str:
        """The limit as text."""
        if limit is None:
            return ""
        return f"{'≥' if self.higher_is_better else '≤'} {limit:g}"


FIGURES = {
    "cpu_unary_1k": Figure("CPU per request, 1 KB body", _PROXY, 0.85, 0.70),
    "cpu_unary_16k": Figure("CPU per request, 16 KB body", _PROXY, 0.95, 0.78),
    "cpu_unary_64k": Figure("CPU per request, 64 KB body", _PROXY, 1.10, 0.90),
    "cpu_unary_400k": Figure("CPU per request, 400 KB body", _PROXY),
    "cpu_unary_1k_1conn": Figure("CPU per request, 1 KB, 1 connection", _PROXY),
    "cpu_unary_1k_256conn": Figure("CPU per request, 1 KB, 256 connections", _PROXY),
    "cpu_unary_1k_http2": Figure("CPU per request, 1 KB, HTTP/2 client", _PROXY),
    "cpu_stream_64x200": Figure("CPU per stream, 64 frames of 200 B", _PROXY, 1.05, 0.95),
    "cpu_stream_1000x200": Figure("CPU per stream, 1,000 frames of 200 B", _PROXY, 1.05, 0.95),
    "added_p50": Figure("added p50, one connection", _PROXY, 1.10, 1.00),
    "added_p99": Figure("added p99, one connection", _PROXY, 1.10, 1.00),
    "added_first_byte": Figure("added time to first byte of a stream", _PROXY, 1.10, 1.00),
    "commit_first_byte": Figure(
        "what a commit point adds to the first byte of a stream, p99", "ms", 1.0, 0.1
    ),
    "cpu_translated_1k": Figure(
        "CPU per request translated to Anthropic's dialect and back, 1 KB", _OWN, 2.0, 1.5
    ),
    "cpu_translated_stream": Figure("CPU per translated stream, 64 events", _OWN, 2.0, 1.5),
    "cpu_cache_hit": Figure("CPU per cache hit, 1 KB", _STATIC, 1.10, 0.85),
    "cpu_two_workers": Figure("CPU per request, two workers ÷ one", _TIMES, 1.10, 1.00),
    "cache_hits_zipf": Figure(
        "cache hits, Zipf over 1,000 prompts", "%", 50.0, 80.0, higher_is_better=True
    ),
    "syscalls_unary_1k": Figure("system calls per request, 1 KB, 32 connections", "", 4.3, 4.1),
    "syscalls_unary_16k": Figure("system calls per request, 16 KB", "", 4.3, 4.1),
    "syscalls_cache_hit": Figure("system calls per cache hit", "", 2.1, 2.05),
    "idle_connection": Figure("memory per idle keep-alive connection", "KB", 4.0, 2.0),
    "routing_decision": Figure(
        "routing decision among 100 targets, slowest strategy", "µs", 2.0, 1.0
    ),
    "allocations": Figure("heap allocations per request, 1 KB", "", 8.0, 2.0),
    "rss_idle": Figure("resident memory, idle", "MiB", 60.0, 40.0),
    "rss_streams": Figure("resident memory, 1,000 streams open", "MiB", 110.0, 70.0),
    "rss_after": Figure("resident memory, a minute later ÷ idle", _TIMES, 1.10, 1.00),
    "cold_start": Figure("cold start to ready, p95 of the starts", "s", 1.0, 0.4),
    "savings": Figure(
        "spend saved on Azure's traces by the cheapest model of a class",
        "%",
        30.0,
        50.0,
        higher_is_better=True,
    ),
    "k6_failed": Figure("failures at 1,667 requests/s", "", 0.0, 0.0),
    "k6_added_p99": Figure("added p99 at 1,667 requests/s", "ms", 20.0, 2.0),
}


@dataclass(frozen=True)
class Row:
    """One figure of a run."""

    key: str
    value: float
    note: str = ""

    @property
    def verdict(self) -> str:
        """`aim`, `must` or `FAIL`; empty where nothing is demanded."""
        figure = FIGURES[self.key]
        if figure.must is None or figure.aim is None:
            return ""
        if figure.reaches(self.value, figure.aim):
            return "aim"
        return "must" if figure.reaches(self.value, figure.must) else "FAIL"

    @property
    def gated(self) -> bool:
        """Whether a failure fails the run; of percentile ratios too much is noise."""
        return not self.key.startswith("added_")

    def as_json(self) -> dict[str, object]:
        """For a result file: everything the page needs."""
        figure = FIGURES[self.key]
        return {
            **asdict(self),
            "value": None if math.isnan(self.value) else self.value,
            "what": figure.what,
            "unit": figure.unit,
            "must": figure.shown(figure.must),
            "aim": figure.shown(figure.aim),
            "verdict": self.verdict,
        }


HEADINGS = ("", "value", "unit", "must", "aim", "verdict", "")


def cells(row: dict[str, object]) -> tuple[str, ...]:
    """A row of a result file as the cells of a table."""
    names = ("unit", "must", "aim", "verdict", "note")
    return (str(row["what"]), _shown(row["value"]), *(str(row[name]) for name in names))


def _shown(value: object) -> str:
    if not isinstance(value, float | int):
        return "-"
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"


def table(rows: Iterable[dict[str, object]]) -> str:
    """Aligned text for a terminal."""
    lines = [HEADINGS, *(cells(row) for row in rows)]
    widths = [max(len(line[at]) for line in lines) for at in range(len(HEADINGS))]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if at == 1 else cell.ljust(width)
            for at, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    )
