"""The metrics tell what requests cost, and when their tokens came."""

import re

import pytest

from tests.behaviour.failure.several import delta, good, metric, streamed
from tests.conftest import Serve
from tests.support.hop import Hop, body, config, post
from tests.support.upstream import Pause, Read, Send, Upstream, chunk, reply, stream_head

EDGES_US = [10, 25, 50, 75, 100, 150, 250, 500, 1000, 2500, 5000, 10_000, 20_000, 50_000]
"""Of `llm_edge_overhead_seconds`: the promise of less than 20 ms is among them."""
WAIT_S = 0.3
SLACK_S = 0.15
USED = b'{"id":"r","choices":[],"usage":{"prompt_tokens":3,"completion_tokens":2}}'


@pytest.fixture
def hop(serve: Serve, upstream: Upstream) -> Hop:
    """A gateway that has counted nothing yet."""
    return Hop(serve(config(upstream.url)), upstream)


def buckets(hop: Hop, name: str) -> dict[float, float]:
    """Upper bound in seconds and cumulative count of a histogram."""
    pattern = re.compile(re.escape(name) + r'_bucket\{le="(.+)"\}')
    found = ((pattern.fullmatch(line), value) for line, value in hop.running.scrape().items())
    return {float(line[1]): value for line, value in found if line}


def about(seconds: float) -> object:
    """As long as the upstream took, as far as a busy machine lets it."""
    return pytest.approx(seconds, abs=SLACK_S)


def test_overhead_is_what_the_gateway_adds_and_not_the_upstream(
    hop: Hop, upstream: Upstream
) -> None:
    upstream.always(Read(), Pause(WAIT_S), Send(good("up")))
    for _ in range(2):
        assert hop.ask(post()).status == 200
    found = buckets(hop, "llm_edge_overhead_seconds")
    assert list(found) == [*(edge / 1e6 for edge in EDGES_US), float("inf")]
    assert list(found.values()) == sorted(found.values())
    assert found[float("inf")] == metric(hop.running, "llm_edge_overhead_seconds_count") == 2
    assert 0 < metric(hop.running, "llm_edge_overhead_seconds_sum") < WAIT_S


def test_the_first_token_is_waited_for_and_the_next_ones_are_paced(
    hop: Hop, upstream: Upstream
) -> None:
    first, second, third = (chunk(delta(content=text)) for text in ("a", "b", "c"))
    rest = chunk(b"data: [DONE]\n\n") + chunk(b"")
    script = (Send(stream_head() + first), Pause(WAIT_S), Send(second), Pause(WAIT_S))
    upstream.once(Read(), Pause(WAIT_S), *script, Send(third + rest))
    assert hop.ask(post(data=body(stream=True))).status == 200

    first_token = "llm_edge_time_to_first_token_seconds"
    assert metric(hop.running, f"{first_token}_count") == 1
    assert metric(hop.running, f"{first_token}_sum") == about(WAIT_S)
    between = "llm_edge_inter_chunk_seconds"
    assert metric(hop.running, f"{between}_count", provider="up") == 2
    assert metric(hop.running, f"{between}_sum", provider="up") == about(2 * WAIT_S)
    assert metric(hop.running, "llm_edge_request_duration_seconds_sum") == about(3 * WAIT_S)


def test_a_reply_that_is_no_stream_has_no_pace(hop: Hop, upstream: Upstream) -> None:
    whole = good("up")
    upstream.once(Read(), Send(whole[:-2]), Pause(WAIT_S), Send(whole[-2:]))
    assert hop.ask(post()).status == 200
    assert metric(hop.running, "llm_edge_inter_chunk_seconds_count") == 0


@pytest.mark.parametrize(
    ("answer", "stream", "without"),
    [
        (reply(USED), False, 0),
        (good("up"), False, 1),
        (streamed(delta(content="a")), True, 1),
        (reply(b"{}", "400 Bad Request"), False, 0),
    ],
    ids=["usage", "none", "streamed", "an error"],
)
def test_good_replies_without_usage_are_counted(
    hop: Hop, upstream: Upstream, answer: bytes, stream: bool, without: int
) -> None:
    upstream.once(Read(), Send(answer))
    hop.ask(post(data=body(stream=stream)))
    name = "llm_edge_replies_without_usage_total"
    assert metric(hop.running, name, provider="up") == without
    tokens = 3 if answer == reply(USED) else 0
    assert metric(hop.running, "llm_edge_tokens_total", type="input") == tokens
