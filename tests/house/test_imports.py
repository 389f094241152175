"""Who may import whom, and what the client shows to the world."""

import json
import os
import subprocess
import sys
from pathlib import Path

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


PLANTED = {
    "rig/errors.py": "import riglap.lap",
    "rigclient/connection.py": "import rigclient.cli.main",
    "rigclient/cli/terminal/line.py": "import rigclient.cli.watch.view",
    "rigclient/imports/text/sheet.py": "import rigclient.imports.dialects.vbo",
    "rigclient/assistant/exchange.py": "import rigclient.aio",
    "rigclient/gateway/page.py": "import rigclient.cli.main",
    "rigd/ring/reader.py": "import rigd.store.index",
    "rigd/serve/laps/service.py": "import rigd.archive.archiver, rigd.record.recorder",
    "rigd/record/recorder.py": "import rigd.store.marks",
    "rigd/archive/archiver.py": "import grpc",
    "rigd/losses/account.py": "import tomllib",
    "rigd/archive/retention.py": "import rigd.metrics",
    "rigd/auth/tokens.py": "import rigd.ring",
    "riglap/circuits/line.py": "import riglap.compare",
    "riglap/findings/rules/coasts.py": "import riglap.findings.rules.lifts",
    "riglap/lap.py": "import click",
    "rigclient/frames.py": "import lmdb, duckdb",
    "rigd/record/laps.py": "import sqlite3",
}
"""What somebody in a hurry might write: each breaks a contract."""


def test_every_contract_is_broken_by_what_it_forbids(tmp_path: Path) -> None:
    """The same contracts over the same modules, empty but for what is planted."""
    for package in (ROOT / "proto/rig", ROOT / "client/riglap", ROOT / "client/rigclient", ROOT / "rigd"):
        for module in package.rglob("*.py"):
            copy = tmp_path / module.relative_to(package.parent)
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_text(PLANTED.get(str(copy.relative_to(tmp_path)), ""))
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


def test_a_ring_is_inspected_with_little_more_than_lmdb() -> None:
    """It runs at every start of the recorder, which waits for it, in a process of its own."""
    found = loaded("import rigd.ring")
    assert not {"numpy", "google", "logging", "dataclasses", "rigd.config.settings"} & found


def test_a_recorder_starts_with_what_it_needs() -> None:
    """Loading is most of its start. A file of settings, JSON of messages, sockets come when asked for."""
    found = loaded("import rigd.__main__, rigd.commands.daemons, rigd.record.recorder")
    assert not {"tomllib", "tempfile", "google.protobuf.json_format", "rigd.supervisor", "rich"} & found


@pytest.mark.parametrize("module", ["rigd.record.recorder", "rigd.demo.race", "rigclient.cli.watch.view"])
def test_no_thread_spins_for_matrices_that_nobody_has(module: str) -> None:
    code = f"import {module}, numpy, os; print(len(os.listdir('/proc/self/task')))"
    bare = {name: value for name, value in os.environ.items() if name != "OPENBLAS_NUM_THREADS"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, cwd=ROOT, env=bare)
    assert done.stdout == b"1\n"


def test_the_client_never_loads_the_daemons_stores() -> None:
    assert not packages("import rigclient; rigclient.connect") & {
        "lmdb",
        "zstandard",
        "rigd",
        "uvloop",
        "rich",
        "click",
    }


def test_the_contract_needs_protobuf_and_numpy_alone() -> None:
    everything = "import rig.channels, rig.columns, rig.errors, rig.tables"
    foreign = packages(everything) - set(sys.stdlib_module_names) - {"__main__"}
    assert {name for name in foreign if not name.startswith("_")} == {"rig", "google", "numpy"}


def test_what_the_client_exports_is_what_it_says() -> None:
    assert sorted(rigclient.__all__) == rigclient.__all__ == dir(rigclient)
    for name in rigclient.__all__:
        assert getattr(rigclient, name).__name__ in (name, f"rigclient.{name}")
    with pytest.raises(AttributeError, match="conect"):
        rigclient.conect  # noqa: B018


def test_the_client_loads_what_is_asked_for() -> None:
    """GRPC and numpy take a third of a second, which `rig --help` does without."""
    assert not packages("import rigclient") & {"grpc", "numpy", "google"}
    assert "grpc" in packages("import rigclient; rigclient.connect")


def test_every_error_of_the_tree_is_at_hand() -> None:
    from rig.errors import by_reason

    exported = {kind.__name__ for kind in by_reason().values() if kind.__module__ == "rig.errors"}
    assert exported <= set(rigclient.__all__)
