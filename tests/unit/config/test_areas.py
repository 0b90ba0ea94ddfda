"""No area of the configuration is without a case that says what a fault in it looks like."""

import re

import msgspec.inspect as shapes
import pytest

from llm_edge_agent.config import Config
from llm_edge_agent.config.schema import (
    Area,
    Aws,
    CatalogPrice,
    CatalogRates,
    Hours,
    Provider,
    Target,
    Translation,
)
from tests.unit.config.broken import BROKEN

STEP = re.compile(r'\.?([\w-]+)|\[(\d+)\]|\["([^"]*)"\]')
CONFIG = shapes.type_info(Config)
PATH = re.compile(rf"@:\d+: ((?:{STEP.pattern})+):")


def areas_named(says: str) -> set[type]:
    """The area whose option a message is about, and the one that it has the option from."""
    path = PATH.match(says)
    if path is None:
        return set()
    at: shapes.Type | None = CONFIG
    owner, option = Config, ""
    for step in STEP.finditer(path[1]):
        kind = next((one for one in kinds(at) if holds_more(one)), None)
        at = None
        match kind:
            case shapes.StructType(cls=cls, fields=fields):
                owner, option = cls, step[1]
                at = next((one.type for one in fields if one.encode_name == option), None)
            case shapes.DictType(value_type=within) | shapes.ListType(item_type=within):
                at = within
    declare = {base for base in owner.__mro__ if option in getattr(base, "__annotations__", {})}
    return {owner, *declare}


def kinds(at: shapes.Type | None) -> list[shapes.Type]:
    """What a value may be, bounds and descriptions aside."""
    match at:
        case None:
            return []
        case shapes.Metadata(type=within):
            return kinds(within)
        case shapes.UnionType(types=types):
            return [kind for one in types for kind in kinds(one)]
        case _:
            return [at]


def holds_more(kind: shapes.Type) -> bool:
    """Whether a path can go on below it."""
    return isinstance(kind, shapes.StructType | shapes.DictType | shapes.ListType)


def below(area: type) -> set[type]:
    """The classes made from one, and from those."""
    return {one for made in area.__subclasses__() for one in (made, *below(made))}


@pytest.mark.parametrize("area", sorted(below(Area), key=lambda a: a.__name__))
def test_every_area_has_a_case_of_a_broken_configuration(area: type) -> None:
    about_it = [broken.name for broken in BROKEN if area in areas_named(broken.says)]
    assert about_it, f"no case in broken.py is about an option of {area.__name__}"


@pytest.mark.parametrize(
    ("says", "areas"),
    [
        ("@:2: workers: `-1` is below 0", {Config}),
        ("@:2: providers.b.aws: stands beside a key", {Provider}),
        ("@:2: providers.b.aws.region: is not known", {Aws}),
        ('@:1: providers["Open AI"]: is not a valid name', {Config}),
        ("@:6: routes.chat.targets[0].wieght: unknown", {Target}),
        ("@:6: routes.chat.translation.strict: expected", {Translation}),
        ("@:6: routes.chat.rules[0].when.hours.from: `25:00`", {Hours}),
        ('@:2: catalog.models["o/gpt-x"].price.tiers: expected a list', {CatalogPrice}),
        (
            '@:2: catalog.models["o/gpt-x"].price.input: `-1` is negative',
            {CatalogPrice, CatalogRates},
        ),
        ("@:2: not valid YAML: ", set()),
    ],
)
def test_the_place_of_a_fault_leads_to_its_area(says: str, areas: set[type]) -> None:
    assert areas_named(says) == areas
