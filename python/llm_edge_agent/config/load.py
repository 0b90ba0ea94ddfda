"""From files, environment and flags to one checked configuration.

Precedence: flags, then `LLM_EDGE_*` variables, then the file, then `LLM_EDGE_DEFAULT_*` variables,
then defaults. Every fault that one
pass can find is reported, each in its place. Nothing here talks to a network or changes anything.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llm_edge_agent.config.catalogued import kept_catalog
from llm_edge_agent.config.discover import Discovery
from llm_edge_agent.config.document import Document, parse_document
from llm_edge_agent.config.interpolate import Interpolator
from llm_edge_agent.config.marks import Marks, dotted
from llm_edge_agent.config.overlay import Overlay
from llm_edge_agent.config.rules import Rules
from llm_edge_agent.config.shape import convert
from llm_edge_agent.errors import ConfigError, ConfigErrors
from llm_edge_agent.providers import SPECS, Unusable, installed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from llm_edge_agent.config.schema import Config
    from llm_edge_agent.providers import ProviderSpec, Registry

__all__ = ["FILE_NAME", "Loaded", "Source", "load", "load_part", "load_tree", "search_path"]

FILE_NAME = "llm-edge.yaml"
_BYTES_MAX = 16 * 1024 * 1024


@dataclass(frozen=True)
class Source:
    """Where a configuration came from.

    Attributes:
        file: The file that was read, if any.
        env: Environment variables that were used, overrides and provider keys.
        flags: Flags that were used, with `--`.
        files: Every file that was read, or is when it appears: the configuration, secrets,
            certificates, the catalog. Watch these.
    """

    file: str | None = None
    env: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()
    files: tuple[str, ...] = ()

    def __str__(self) -> str:
        """For the start-up line."""
        parts = [self.file or "no file"]
        parts += [", ".join(self.env)] if self.env else []
        parts += [", ".join(self.flags)] if self.flags else []
        return " + ".join(parts)


@dataclass(frozen=True)
class Loaded:
    """A checked configuration.

    Attributes:
        config: The configuration; every rule holds.
        source: Where it came from.
        warnings: What is likely not meant, one line each, with its place.
        marks: Where each value stands, for faults found later.
    """

    config: Config
    source: Source = field(default_factory=Source)
    warnings: tuple[str, ...] = ()
    marks: Marks = field(default_factory=Marks, repr=False, compare=False)

    def locate(self, error: ConfigError) -> ConfigError:
        """A fault found after loading, with the place its dotted path stands at."""
        if error.file is not None:
            return error
        spelled = {dotted(path): path for path in self.marks}
        nearest = error.path
        # What was not written stands where that stands which would hold it.
        while nearest and nearest not in spelled:
            nearest = nearest[: max(nearest.rfind("."), nearest.rfind("["), 0)]
        mark = self.marks.find(spelled.get(nearest, ()))
        return ConfigError(
            error.message, path=error.path, file=mark.source, line=mark.line, hint=error.hint
        )


def search_path(env: Mapping[str, str]) -> list[Path]:
    """Files that are looked for when none is named; the first that exists is read."""
    home = env.get("XDG_CONFIG_HOME") or (f"{env['HOME']}/.config" if env.get("HOME") else None)
    places = [Path(FILE_NAME)]
    if home:
        places.append(Path(home) / "llm-edge-agent" / FILE_NAME)
    return [*places, Path("/etc/llm-edge-agent") / FILE_NAME]


def load(
    path: str | os.PathLike[str] | None = None,
    *,
    env: Mapping[str, str] | None = None,
    flags: Mapping[str, object] | None = None,
    search: Sequence[Path] | None = None,
) -> Loaded:
    """Read the configuration.

    Args:
        path: The file (`.yaml`, `.toml` or `.json`); when None, `$LLM_EDGE_CONFIG`, else the first
            of `search` that exists, else none: providers are then found by their keys in the
            environment.
        env: Environment; the process's own when None.
        flags: Dotted option → value, such as `{"listen.api": "127.0.0.1:0"}`; None values are
            skipped.
        search: Places to look; `search_path(env)` when None.

    Raises:
        ConfigError: The configuration cannot be used; `.errors` holds all faults found.
    """
    env = os.environ if env is None else env
    file = _find(path, env, search)
    return _finish(_read(file), file, env, flags or {})


def load_part(
    options: Sequence[str],
    path: str | os.PathLike[str] | None = None,
    *,
    env: Mapping[str, str] | None = None,
) -> Config:
    """Read some options, found as by `load`; all others have their defaults.

    For verbs that run beside a gateway, where not every variable and file of its configuration need
    be at hand. Rules between options are not applied.

    Args:
        options: Names of top-level options.
        path: As for `load`.
        env: Environment; the process's own when None.

    Raises:
        ConfigError: The file cannot be read, or one of these options not be used.
    """
    env = os.environ if env is None else env
    document = _read(_find(path, env, None))
    some = Document({k: v for k, v in document.tree.items() if k in options}, document.marks)
    return _checked(some, {k: v for k, v in env.items() if _is_of(k, options)}, env)


def load_tree(
    tree: Mapping[str, Any],
    *,
    env: Mapping[str, str] | None = None,
    flags: Mapping[str, object] | None = None,
) -> Loaded:
    """Check a configuration that is written in code, with the same meaning as in a file.

    `LLM_EDGE_*` variables do not change it; `env` serves references such as `${VAR}`.

    Raises:
        ConfigError: The configuration cannot be used; `.errors` holds all faults found.
    """
    env = os.environ if env is None else env
    document = Document(dict(tree), Marks())
    return _finish(document, None, env, flags or {}, in_code=True)


def _find(
    path: str | os.PathLike[str] | None, env: Mapping[str, str], search: Sequence[Path] | None
) -> str | None:
    """The file to read, if there is one."""
    named = path if path is not None else env.get("LLM_EDGE_CONFIG") or None
    if named is not None:
        return str(Path(named))
    places = search_path(env) if search is None else search
    return next((str(place) for place in places if place.is_file()), None)


def _read(name: str | None) -> Document:
    if name is None:
        return Document({}, Marks())
    try:
        return _parse(name)
    except ConfigError as error:
        raise ConfigErrors(error.errors, files=(name,)) from None


def _parse(name: str) -> Document:
    try:
        with Path(name).open("rb") as file:
            content = file.read(_BYTES_MAX + 1)
    except OSError as error:
        hint = "`llm-edge-agent init` writes one" if isinstance(error, FileNotFoundError) else ""
        raise ConfigError(f"cannot be read: {error.strerror}", file=name, hint=hint) from None
    if len(content) > _BYTES_MAX:
        raise ConfigError("is larger than 16 MiB", file=name)
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise ConfigError("is not UTF-8 text", file=name, line=line) from None
    return parse_document(text, name)


def _finish(
    document: Document,
    file: str | None,
    env: Mapping[str, str],
    flags: Mapping[str, object],
    *,
    in_code: bool = False,
) -> Loaded:
    marks = document.marks
    interpolator = Interpolator(env, marks)
    tree: dict[str, Any] = interpolator.tree(document.tree)
    environment, given = Overlay(tree, marks), Overlay(tree, marks)
    if not in_code:
        environment.defaults(env)
        environment.environment(env)
    given.flags(flags)
    registry = installed()
    specs, unusable = _specs(tree, registry, marks)
    discovery = Discovery(env, specs, marks)
    if file is None and not in_code:
        discovery.add_providers(tree)
    discovery.complete(tree)
    errors = [*interpolator.errors, *environment.errors, *given.errors, *unusable]
    config, faults = convert(tree, marks)
    # A reference that failed leaves its text behind: no second fault for the same value.
    known = {(error.file, error.path) for error in errors}
    errors += [fault for fault in faults if (fault.file, fault.path) not in known]
    files = _files(file, config, interpolator.files, environment.files)
    if config is None or errors:
        raise ConfigErrors(errors, files=files)
    rules = Rules(config, specs, marks, kinds=registry.names)
    rules.check()
    if rules.errors:
        raise ConfigErrors(rules.errors, files=files)
    source = Source(
        file=file,
        env=tuple(sorted({*environment.used, *discovery.used})),
        flags=tuple(given.used),
        files=(*files, str(kept_catalog(config, env))),
    )
    warnings = (*environment.warnings, *rules.warnings)
    return Loaded(config=config, source=source, warnings=warnings, marks=marks)


def _specs(
    tree: Mapping[str, Any], registry: Registry, marks: Marks
) -> tuple[dict[str, ProviderSpec], list[ConfigError]]:
    """The kinds of provider that are built in, and of all others those that `tree` names."""
    specs, faults = dict(SPECS), []
    providers = tree.get("providers")
    for name, provider in providers.items() if isinstance(providers, dict) else ():
        kind = provider.get("type") if isinstance(provider, dict) else None
        try:
            spec = registry.find(kind) if isinstance(kind, str) else None
        except Unusable as error:
            faults.append(marks.error(("providers", name, "type"), error.message, error.hint))
            continue
        if spec is not None:
            specs[spec.type] = spec
    return specs, faults


def _checked(document: Document, variables: Mapping[str, str], env: Mapping[str, str]) -> Config:
    """The options of a document and of `variables`, without the rules between them."""
    marks = document.marks
    interpolator = Interpolator(env, marks)
    tree: dict[str, Any] = interpolator.tree(document.tree)
    environment = Overlay(tree, marks)
    environment.defaults(variables)
    environment.environment(variables)
    config, faults = convert(tree, marks)
    errors = [*interpolator.errors, *environment.errors]
    if config is None or errors:
        raise ConfigErrors(errors or faults)
    rules = Rules(config, SPECS, marks)
    rules.check_addresses()
    if rules.errors:
        raise ConfigErrors(rules.errors)
    return config


def _is_of(variable: str, options: Sequence[str]) -> bool:
    """Whether an environment variable sets one of the top-level `options`."""
    name = variable.removeprefix("LLM_EDGE_").removeprefix("DEFAULT_").split("__")[0].lower()
    return name in options or name.removesuffix("_file") in options


def _files(file: str | None, config: Config | None, *others: list[str]) -> tuple[str, ...]:
    names = [file] if file else []
    for some in others:
        names += some
    if config is None:
        return tuple(dict.fromkeys(names))
    for provider in config.providers.values():
        of_provider = (provider.ca_file, provider.cert_file, provider.key_file)
        names += [name for name in of_provider if name]
    accounts = [p.google for p in config.providers.values() if p.google]
    names += [google.credentials_file for google in accounts if google.credentials_file]
    if config.catalog.file is not None:
        names.append(config.catalog.file)
    if config.tls is not None:
        names += [config.tls.cert_file, config.tls.key_file]
    return tuple(dict.fromkeys(names))
