"""Which rules take everything that a later one is for."""

import msgspec
import pytest

from llm_edge_agent.config.schema import When
from llm_edge_agent.config.when import is_within

NIGHT = {"from": "22:00", "to": "06:00"}
WITHIN = [
    ({"stream": True}, {"stream": True}),
    ({"stream": True, "tags": ["a"]}, {"stream": True}),
    ({"tags": ["a"]}, {"tags": ["a", "b"]}),
    ({"tags": ["batch-1"]}, {"tags": ["batch-*"]}),
    ({"models": ["gpt-4o"]}, {"models": ["gpt-*"]}),
    ({"models": ["gpt-4*"]}, {"models": ["o1", "gpt-*"]}),
    ({"keys": ["app"]}, {"keys": ["app", "web"]}),
    ({"headers": {"x-tier": ["gold"], "x-b": ["c"]}}, {"headers": {"x-tier": ["g*"]}}),
    ({"input_tokens": {"min": 200}}, {"input_tokens": {"min": 100}}),
    ({"input_tokens": {"min": 5, "max": 9}}, {"input_tokens": {"max": 9}}),
    ({"needs": ["tools", "vision"]}, {"needs": ["vision"]}),
    ({"hours": {"from": "23:00", "to": "05:30"}}, {"hours": NIGHT}),
    ({"hours": {**NIGHT, "days": ["fri"]}}, {"hours": NIGHT}),
    # A Sunday night ends on Monday.
    (
        {"hours": {"from": "00:00", "to": "06:00", "days": ["mon"]}},
        {"hours": {**NIGHT, "days": ["sun"]}},
    ),
]
BESIDE = [
    ({"stream": True}, {"stream": False}),
    ({"tags": ["a"]}, {"keys": ["a"]}),
    ({"tags": ["a", "c"]}, {"tags": ["a", "b"]}),
    ({"headers": {"x-b": ["c"]}}, {"headers": {"x-tier": ["g*"]}}),
    ({"input_tokens": {"max": 200}}, {"input_tokens": {"min": 100}}),
    ({"input_tokens": {"min": 100}}, {"input_tokens": {"min": 100, "max": 900}}),
    (
        {"hours": {"from": "00:00", "to": "06:00", "days": ["tue"]}},
        {"hours": {**NIGHT, "days": ["sun"]}},
    ),
]


def when(said: dict[str, object]) -> When:
    return msgspec.convert(said, When)


@pytest.mark.parametrize(("said", "other"), WITHIN)
def test_what_never_has_its_turn(said: dict[str, object], other: dict[str, object]) -> None:
    assert is_within(when(said), when(other))
    assert said == other or not is_within(when(other), when(said))


@pytest.mark.parametrize(("said", "other"), BESIDE)
def test_what_has_requests_of_its_own(said: dict[str, object], other: dict[str, object]) -> None:
    assert not is_within(when(said), when(other))
