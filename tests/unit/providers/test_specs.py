"""A provider specification is data that fits what the engine knows."""

import re
import warnings
from datetime import UTC, datetime
from typing import Any, cast

import pytest
from msgspec.structs import replace

from llm_edge_agent.compiler.names import DIALECTS
from llm_edge_agent.config.address import parse_base_url
from llm_edge_agent.config.schema import NAME_PATTERN
from llm_edge_agent.config.schema.routes import Strategy
from llm_edge_agent.providers import OPERATIONS, SPECS, ProviderSpec
from llm_edge_agent.providers.check import fault_of
from llm_edge_agent.providers.spec import CHAT_MEMBERS
from tests.support.tree import ROOT

# The others follow somebody else.
VENDORS = [spec for spec in SPECS.values() if spec.type not in {"mock", "openai_compatible"}]


@pytest.mark.parametrize("spec", SPECS.values(), ids=lambda spec: spec.type)
def test_a_specification_is_complete(spec: ProviderSpec) -> None:
    assert re.match(NAME_PATTERN, spec.type)
    assert fault_of(spec) is None
    assert spec.operations
    for operations in (spec.operations, spec.versioned_operations):
        assert set(operations) <= set(OPERATIONS)
        for path in operations.values():
            assert path.startswith("/")
            assert path.count("{model}") <= 1
    assert not any("{api_version}" in path for path in spec.operations.values())
    if spec.base_url is not None:
        url = parse_base_url(spec.base_url)
        assert url.scheme == "https" or url.host == "127.0.0.1"
    if spec.auth is not None:
        assert spec.auth.header == spec.auth.header.lower()
    assert all(name == name.lower() for name in spec.default_headers)


# Verified from time to time; not by whoever happens to run the tests.
@pytest.mark.filterwarnings("default::UserWarning")
@pytest.mark.parametrize("spec", VENDORS, ids=lambda spec: spec.type)
def test_a_specification_was_compared_with_its_vendor_s_documents(spec: ProviderSpec) -> None:
    assert spec.verified is not None
    age = datetime.now(UTC).date() - spec.verified
    assert age.days >= -1
    if age.days > 60:
        message = f"`{spec.type}` was last verified on {spec.verified}: compare it, and say so"
        warnings.warn(message, UserWarning, stacklevel=1)


def names_in(file: str, enum: str) -> list[str]:
    """The snake-case words that a table in core gives for an enum."""
    source = (ROOT / "rust/core/src" / file).read_text()
    found = re.search(rf"impl {enum} \{{.*?fn name.*?\{{(.*?)\n    \}}", source, re.DOTALL)
    assert found is not None
    return re.findall(r'"([a-z_]+)"', found[1])


def test_operations_and_dialects_are_those_of_the_engine() -> None:
    operations = names_in("surface.rs", "Operation")
    assert [name for name in operations if name not in {"list_models", "show_model"}] == list(
        OPERATIONS
    )
    assert names_in("surface.rs", "Dialect") == list(DIALECTS)


def test_members_that_may_be_called_otherwise_are_those_of_the_engine() -> None:
    source = (ROOT / "rust/core/src/dialect/mod.rs").read_text()
    found = re.search(r"const KNOWN: [^=]*= \[(.*?)\];", source, re.DOTALL)
    assert found is not None
    assert re.findall(r'"([a-z_]+)"', found[1]) == list(CHAT_MEMBERS)


@pytest.mark.parametrize(
    ("members", "says"),
    [
        ({"sead": None}, "`chat_members` holds `sead`; it may hold temperature, "),
        ({"seed": 'a"b'}, '`chat_members`: `a"b` is not a word'),
    ],
)
def test_a_member_that_is_none_is_refused(members: dict[str, str | None], says: str) -> None:
    fault = fault_of(replace(SPECS["groq"], chat_members=members))
    assert fault is not None
    assert fault.startswith(says)


def test_reasoning_goes_back_to_those_who_take_it_and_in_their_way() -> None:
    forms = {name: spec.replays_reasoning for name, spec in SPECS.items() if spec.replays_reasoning}
    assert forms == {
        "deepseek": "reasoning_content",
        "fireworks": "reasoning_content",
        "groq": "reasoning",
        "mistral": "content",
        "openrouter": "reasoning",
        "together": "reasoning_content",
        "vllm": "reasoning",
    }
    fault = fault_of(replace(SPECS["groq"], replays_reasoning=cast("Any", "thoughts")))
    assert fault == "Invalid enum value 'thoughts' - at `$.replays_reasoning`"
    source = (ROOT / "rust/core/src/dialect/mod.rs").read_text()
    found = re.search(r"pub enum ReplayedReasoning \{(.*?)^\}", source, re.DOTALL | re.MULTILINE)
    assert found is not None
    words = re.findall(r"^    (\w+),", found[1], re.MULTILINE)
    assert {re.sub(r"(?<=[a-z])(?=[A-Z])", "_", word).lower() for word in words} == set(
        forms.values()
    )


def test_ids_of_tools_have_a_length_that_tells_them_apart() -> None:
    assert fault_of(replace(SPECS["groq"], tool_id_length=32)) is None
    for length in (7, 33):
        fault = fault_of(replace(SPECS["groq"], tool_id_length=length))
        assert fault == "`tool_id_length` is not from 8 to 32"


def test_the_catalogs_providers_are_words() -> None:
    assert fault_of(replace(SPECS["groq"], catalog=("x-ai", "groq"))) is None
    fault = fault_of(replace(SPECS["groq"], catalog=("Groq!",)))
    assert fault == "`catalog`: `Groq!` is not a word of `a-z`, `0-9`, `_` and `-`"


def test_each_operation_that_is_read_is_of_exactly_one_dialect() -> None:
    found = [operation for operations in DIALECTS.values() for operation in operations]
    unread = {name for name in OPERATIONS if name.endswith("_pass_through")} | {"stored_response"}
    assert sorted(found) == sorted(set(OPERATIONS) - unread)


def test_strategies_are_those_of_the_engine() -> None:
    source = (ROOT / "rust/core/src/snapshot/route.rs").read_text()
    body = re.search(r"pub enum Strategy \{(.*?)\n\}", source, re.DOTALL)
    assert body is not None
    variants = re.findall(r"^    ([A-Z]\w+),", body[1], re.MULTILINE)
    snake = [re.sub(r"(?<!^)([A-Z])", r"_\1", name).lower() for name in variants]
    assert sorted(snake) == sorted(Strategy.__args__)
