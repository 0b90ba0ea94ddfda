"""Which crate may be built from what (ARCHITECTURE.md draws the arrows)."""

import re
from pathlib import Path

import pytest

from tests.support.tree import OURS, crate, linked_into, packages

# Direction of the arrows between our own crates.
MAY_USE = {
    "llm-edge-core": set(),
    "llm-edge-engine": {"llm-edge-core"},
    "llm-edge-mock": set(),
    "llm-edge-python": {"llm-edge-core", "llm-edge-engine", "llm-edge-mock"},
}

# Everything core is built from. It shall compile for wasm32 and do no I/O: what is added here must
# hold to both, build scripts and macros included.
CORE_IS_BUILT_FROM = set(Path(__file__).with_name("core-is-built-from.txt").read_text().split())

PERMISSIVE = {
    "0BSD",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "CC0-1.0",
    "ISC",
    "MIT",
    "MIT-0",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
}

ONE_CRYPTO_PROVIDER = {"openssl-sys", "native-tls", "ring"}


@pytest.mark.parametrize("name", sorted(MAY_USE))
def test_a_crate_uses_only_the_crates_below_it(name: str) -> None:
    # Tests may use more: the engine's run against the mock provider.
    built_from = (d.name for d in crate(name).dependencies if d.kind != "dev")
    assert {one for one in built_from if one in OURS} <= MAY_USE[name]


def test_core_is_built_from_the_allowed_crates_alone() -> None:
    extra = linked_into("llm-edge-core") - CORE_IS_BUILT_FROM
    assert not extra, f"not on core's allow-list: {sorted(extra)}"


def test_core_s_allow_list_names_nothing_that_is_gone() -> None:
    gone = CORE_IS_BUILT_FROM - linked_into("llm-edge-core")
    assert not gone, f"take these off the allow-list: {sorted(gone)}"


def test_only_the_python_crate_sees_pyo3() -> None:
    seen = [
        name
        for name in sorted(OURS - {"llm-edge-python"})
        if any(part.startswith("pyo3") for part in linked_into(name))
    ]
    assert seen == []


def test_the_python_crate_sees_no_runtime_of_its_own() -> None:
    direct = {d.name for d in crate("llm-edge-python").dependencies}
    assert not direct & {"tokio", "hyper", "rustls"}, (
        "conversions only: the engine owns its threads"
    )


def test_one_crypto_provider_is_linked() -> None:
    linked = set().union(*(linked_into(name) for name in OURS))
    assert not linked & ONE_CRYPTO_PROVIDER


def test_every_crate_comes_from_the_one_registry_or_from_here() -> None:
    elsewhere = {
        f"{p.name} from {p.source}"
        for p in packages()
        if p.source is not None and not p.source.endswith("crates.io-index")
    }
    assert not elsewhere


def test_every_licence_lets_users_ship_what_they_build() -> None:
    refused = {f"{p.name}: {p.license}" for p in packages() if not permissive(p.license or "")}
    assert not refused


def permissive(expression: str) -> bool:
    """Whether permissive licences meet an SPDX expression whose brackets enclose choices."""

    def any_of(choices: str) -> bool:
        return any(part.strip() in PERMISSIVE for part in re.split(r" OR |/", choices))

    flat = re.sub(r"\(([^()]*)\)", lambda m: "MIT" if any_of(m[1]) else "refused", expression)
    # AND binds closer than OR, and the old slash means OR.
    return any(
        all(any_of(part) for part in choice.split(" AND ")) for choice in re.split(r" OR |/", flat)
    )


@pytest.mark.parametrize(
    ("expression", "fine"),
    [
        ("MIT OR Apache-2.0", True),
        ("Apache-2.0 / MIT", True),
        ("GPL-3.0 OR MIT", True),
        ("(MIT OR GPL-3.0) AND Unicode-3.0", True),
        ("GPL-3.0", False),
        ("MIT AND GPL-3.0", False),
        ("(GPL-3.0 OR AGPL-3.0) AND MIT", False),
        ("", False),
    ],
)
def test_a_licence_expression_is_read_as_spdx_means_it(expression: str, *, fine: bool) -> None:
    assert permissive(expression) is fine
