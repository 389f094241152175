"""What a newcomer uses first: the Makefile's list, and the one lock."""

import re
import subprocess
from importlib.metadata import distributions
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
OURS = {"pip", "setuptools", "rigd"}
"""What no lock can hold: the installer, and ourselves."""


def plain(name: str) -> str:
    """A package's name as every tool spells it."""
    return re.sub("[-_.]+", "-", name).lower()


def test_make_lists_every_target() -> None:
    targets = re.findall(r"^\.PHONY: (.+)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    done = subprocess.run(
        ["make", "--no-print-directory"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert {line.split()[0] for line in done.stdout.splitlines()} == set(" ".join(targets).split())


def test_everything_installed_is_pinned() -> None:
    pins = dict(line.split("==") for line in (ROOT / "tests/constraints.txt").read_text().split())
    pinned = {plain(name): version for name, version in pins.items()}
    there = {plain(found.name): found.version for found in distributions()}
    assert {name: version for name, version in there.items() if pinned.get(name) != version}.keys() <= OURS


def test_packages_of_typescript_are_locked_without_an_address() -> None:
    lock = (ROOT / "client/web/package-lock.json").read_text()
    assert '"integrity": "sha512-' in lock
    assert '"resolved"' not in lock
