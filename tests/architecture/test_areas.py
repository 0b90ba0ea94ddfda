"""A configuration area has one name, wherever it is handled."""

from tests.support.tree import ROOT

PACKAGE = ROOT / "python" / "llm_edge_agent"
# In Python the plural of what the configuration lists, in core the noun.
CORE_NOUN = {
    "facts": "fact",
    "limits": "limit",
    "names": "name",
    "providers": "provider",
    "routes": "route",
}


def stems(folder: str) -> set[str]:
    """Names of the Python modules in a folder of the package."""
    return {path.stem for path in (PACKAGE / folder).glob("*.py")}


def test_what_is_compiled_into_the_snapshot_is_named_as_in_core() -> None:
    core = {path.stem for path in (ROOT / "rust/core/src/snapshot").glob("*.rs")} - {"mod"}
    assert {CORE_NOUN[area] for area in stems("compiler") & set(CORE_NOUN)} == core


def test_a_compiled_area_that_operators_write_has_a_schema_of_its_name() -> None:
    written = (stems("compiler") & set(CORE_NOUN)) - {"facts", "names"}
    assert written <= stems("config/schema")
