"""Who may import whom, and what the client shows to the world."""

import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

import rigclient

ROOT = Path(__file__).resolve().parents[2]


def loaded(code: str) -> set[str]:
    """Names of all modules that a fresh interpreter holds after `code`."""
    code += "\nimport json, sys; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    return set(json.loads(done.stdout))


def packages(code: str) -> set[str]:
    return {name.split(".")[0] for name in loaded(code)}


def test_the_contracts_hold() -> None:
    lint = Path(sys.executable).parent / "lint-imports"
    done = subprocess.run([lint, "--no-cache"], capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stdout
    assert " 0 broken" in done.stdout


def test_a_broken_contract_is_caught(tmp_path: Path) -> None:
    """The same contracts over a recorder that learned to talk, and lap logic that reads the disk."""
    for package in ("rig", "rigclient", "rigd", "rigd/archive", "rigd/record"):
        (tmp_path / package).mkdir()
        (tmp_path / package / "__init__.py").touch()
    (tmp_path / "rigd/record/__init__.py").write_text("import grpc\n")
    (tmp_path / "rig/__init__.py").write_text("import rigclient\n")
    (tmp_path / "rigclient/__init__.py").write_text("import lmdb\nimport duckdb\n")
    (tmp_path / "rigd/record/laps.py").write_text("import lmdb\n")
    for module in ("record/sessions.py", "ring.py", "wake.py"):
        (tmp_path / "rigd" / module).touch()
    lint = Path(sys.executable).parent / "lint-imports"
    words = [str(lint), "--no-cache", "--config", str(ROOT / "pyproject.toml")]
    done = subprocess.run(words, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode != 0
    assert " 0 kept" in done.stdout, done.stdout


@pytest.mark.parametrize(
    "module", ["rigd.record.recorder", "rigd.archive.archiver", "rigd.ring", "rigd.sources.rf2.reader"]
)
def test_recorder_and_archiver_never_load_the_network(module: str) -> None:
    found = packages(f"import {module}")
    assert not found & {"grpc", "grpc_status", "rigclient", "asyncio", "uvloop"}


def test_a_ring_is_inspected_without_numpy_and_protobuf() -> None:
    """It runs at every start of the recorder, in a process of its own."""
    assert not {"numpy", "google"} & packages("import rigd.ring")


def test_the_client_never_loads_the_daemons_stores() -> None:
    assert not packages("import rigclient") & {"lmdb", "zstandard", "rigd", "uvloop", "rich", "click"}


def test_the_contract_needs_protobuf_and_numpy_alone() -> None:
    everything = "import rig.channels, rig.columns, rig.errors, rig.tables"
    foreign = packages(everything) - set(sys.stdlib_module_names) - {"__main__"}
    assert {name for name in foreign if not name.startswith("_")} == {"rig", "google", "numpy"}


def test_what_the_client_exports_is_what_it_says() -> None:
    names = {name for name in vars(rigclient) if not name.startswith("_")}
    rooms = {name for name in names if isinstance(getattr(rigclient, name), ModuleType)}
    assert rigclient.__all__ == sorted(rigclient.__all__)
    assert set(rigclient.__all__) - rooms == names - rooms
    assert set(rigclient.__all__) & rooms == {"aio"}


def test_every_error_of_the_tree_is_at_hand() -> None:
    from rig.errors import by_reason

    exported = {kind.__name__ for kind in by_reason().values() if kind.__module__ == "rig.errors"}
    assert exported <= set(rigclient.__all__)
