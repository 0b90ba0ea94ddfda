"""One document judged by one schema, and what is wrong with it said so that a person finds it."""

import copy
from collections.abc import Iterator

from jsonschema_rs import Draft202012Validator, ValidationError

from tests.schemas.amendments import AMENDMENTS, Amendment
from tests.schemas.vendors import VENDORS, published

# Members by which the kinds of a union differ.
KINDS = frozenset({"type", "role", "object"})


class Judge:
    """All schemas of one vendor, with our amendments, all but one."""

    def __init__(self, vendor: str, *, without: Amendment | None = None) -> None:
        schemas = dict(published(vendor))
        for amendment in AMENDMENTS:
            ours = amendment.vendor in (vendor, VENDORS[vendor].like)
            if ours and amendment is not without:
                schemas[amendment.schema] = copy.deepcopy(schemas[amendment.schema])
                amendment.apply(schemas)
        self.document = VENDORS[vendor].convert(schemas)
        self.validators: dict[str, Draft202012Validator] = {}

    def faults(self, schema: str, document: object) -> set[str]:
        """What is wrong with a document; nothing, if it is one of this schema."""
        if schema not in self.validators:
            name = schema.replace("/", "~1")
            root = {"$ref": f"#/closed/{name}"} | self.document
            self.validators[schema] = Draft202012Validator(root)
        return set(_reasons(list(self.validators[schema].iter_errors(document))))


def _reasons(errors: list[ValidationError]) -> Iterator[str]:
    # A fault inside makes all that stands beside it unevaluated.
    unevaluated = [error for error in errors if error.kind.name == "unevaluatedProperties"]
    others = [error for error in errors if error not in unevaluated]
    for error in others or unevaluated:
        if error.kind.name == "anyOf":
            yield from _reasons(min(error.kind.context, key=_distance))
        else:
            path = "".join("[]" if isinstance(p, int) else f".{p}" for p in error.instance_path)
            yield f"`{path or '.'}`: {error.message}"


def _distance(errors: list[ValidationError]) -> tuple[bool, int]:
    """How far a value is from one kind of a union: another kind altogether, or one with faults."""
    nearest = min(len(error.instance_path) for error in errors)
    other_kind = any(
        (error.kind.name in ("const", "enum") and KINDS & set(error.instance_path[-1:]))
        or (error.kind.name == "type" and len(error.instance_path) == nearest)
        for error in errors
    )
    return (other_kind, len(errors))
