"""What the set-up says where it may not install: everything to give by hand, in one run."""

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support.tree import ROOT

SCRIPT = ROOT / "scripts" / "system-packages.sh"
BUILD = "gcc make python3.11 python3.11-venv"
CARGO = "cargo is missing: install Rust "


class Machine:
    """Programs of a folder that is all of PATH. Who asks there is not root."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        self.has("id", "echo 1000")

    def has(self, name: str, does: str = "exit 0") -> None:
        """Put a program there."""
        path = self.folder / name
        path.write_text(f"#!/bin/sh\n{does}\n")
        path.chmod(0o755)

    def asked_for(self, group: str) -> subprocess.CompletedProcess[str]:
        """Run the script."""
        return subprocess.run(
            [str(shutil.which("bash")), str(SCRIPT), group],
            check=False,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            env={"PATH": str(self.folder)},
            timeout=10,
        )


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path / "bin")


@pytest.mark.parametrize("lacks", ["apt", "root"])
@pytest.mark.parametrize(
    ("group", "packages"),
    [("build", BUILD), ("test", "g++ nodejs npm curl valgrind slowhttptest prometheus")],
)
def test_packages_that_cannot_be_installed_from_here_are_named(
    machine: Machine, tmp_path: Path, lacks: str, group: str, packages: str
) -> None:
    called = tmp_path / "called"
    machine.has("cargo")
    if lacks == "root":
        machine.has("apt-get", f'echo "$@" >>{called}')
    else:
        machine.has("id", "echo 0")
    ended = machine.asked_for(group)
    assert ended.returncode == 1
    assert f"  sudo apt-get install {packages}\n" in ended.stderr
    assert "cargo" not in ended.stderr
    assert not called.exists()


def test_only_what_is_missing_is_named(machine: Machine) -> None:
    for name in ("cargo", "cc", "python3.11"):
        machine.has(name)
    ended = machine.asked_for("build")
    assert ended.returncode == 1
    assert ended.stderr.endswith("  sudo apt-get install make\n")


def test_that_cargo_is_missing_is_said_together_with_the_packages(machine: Machine) -> None:
    ended = machine.asked_for("build")
    assert ended.returncode == 1
    assert ended.stderr.startswith(CARGO)
    assert ended.stderr.endswith(f"  sudo apt-get install {BUILD}\n")


def test_cargo_alone_is_enough_to_stop(machine: Machine) -> None:
    for name in ("cc", "make", "python3.11"):
        machine.has(name)
    ended = machine.asked_for("build")
    assert ended.returncode == 1
    assert ended.stderr.startswith(CARGO)
    assert "apt-get" not in ended.stderr


def test_where_nothing_is_missing_nothing_is_said(machine: Machine) -> None:
    for name in ("cargo", "cc", "make", "python3.11"):
        machine.has(name)
    ended = machine.asked_for("build")
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", "")
