"""Distributions that bring something to the gateway by an entry point."""

import tomllib
from pathlib import Path


def install(folder: Path, project: str, module: str) -> None:
    """Put a distribution that is one module onto a path: what pip writes is written here.

    Args:
        folder: To be named in `PYTHONPATH`.
        project: Its `pyproject.toml`.
        module: Its source.
    """
    told = tomllib.loads(project)
    name, version = told["project"]["name"], told["project"]["version"]
    (modules,) = told["tool"]["setuptools"]["py-modules"]
    info = folder / f"{name.replace('-', '_')}-{version}.dist-info"
    info.mkdir(parents=True)
    (folder / f"{modules}.py").write_text(module)
    (info / "METADATA").write_text(f"Metadata-Version: 2.4\nName: {name}\nVersion: {version}\n")
    lines = [
        f"[{group}]\n" + "".join(f"{key} = {value}\n" for key, value in points.items())
        for group, points in told["project"]["entry-points"].items()
    ]
    (info / "entry_points.txt").write_text("\n".join(lines))
