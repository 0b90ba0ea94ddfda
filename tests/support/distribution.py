"""Distributions that bring something to the gateway by an entry point."""

import subprocess
import sys
import tomllib
from pathlib import Path

_BUILD_S = 20.0


def build(folder: Path, project: str, module: str) -> None:
    """Have a distribution that is one module built and installed onto a path by its own backend.

    What `pip install .` does, but for the wheel in between: the setuptools that come with Python
    3.11 make one only with the package `wheel`, which is not among what is locked here.

    Args:
        folder: To be named in `PYTHONPATH`.
        project: Its `pyproject.toml`.
        module: Its source.
    """
    told = tomllib.loads(project)
    assert told["build-system"]["build-backend"] == "setuptools.build_meta"
    source = folder.with_name(f"{folder.name}-source")
    source.mkdir()
    (source / "pyproject.toml").write_text(project)
    (source / f"{told['tool']['setuptools']['py-modules'][0]}.py").write_text(module)
    done = subprocess.run(
        [
            *(sys.executable, "-c", "import setuptools; setuptools.setup()", "-q", "install"),
            *("--single-version-externally-managed", "--record", "installed"),
            *("--install-lib", str(folder)),
        ],
        cwd=source,
        check=False,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=_BUILD_S,
    )
    assert done.returncode == 0, done.stderr


def install(folder: Path, project: str, module: str) -> None:
    """Put a distribution that is one module onto a path, where its making is not what is tested.

    What an installer writes is written here, for quickness.

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
