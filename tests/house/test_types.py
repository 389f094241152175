"""What an editor knows of the library: pyright finds a type for nearly everything that is public."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LEAST = 0.99
"""What gRPC's own stubs leave open of the generated services, and decorators of commands, are below 1 %."""


@pytest.mark.parametrize("package", ["rig", "riglap", "rigclient"])
def test_what_is_public_has_a_type(package: str) -> None:
    folder = Path(sys.executable).parent
    # It sees the packages of the first Python on the path, and does not follow an editable install.
    paths = {"PATH": f"{folder}{os.pathsep}{os.environ['PATH']}", "PYTHONPATH": f"client{os.pathsep}proto"}
    words = [str(folder / "pyright"), "--verifytypes", package, "--ignoreexternal", "--outputjson"]
    done = subprocess.run(
        words, cwd=ROOT, env={**os.environ, **paths}, capture_output=True, text=True, check=False
    )
    report = json.loads(done.stdout)["typeCompleteness"]
    open_ = [
        symbol["name"] for symbol in report["symbols"] if symbol["isExported"] and not symbol["isTypeKnown"]
    ]
    assert report["completenessScore"] >= LEAST, open_


def test_editors_complete_what_callers_write() -> None:
    """The lines of `tests/rigclient/typed.py` mean the same to pyright; mypy reads them with all others."""
    folder = Path(sys.executable).parent
    words = [str(folder / "pyright"), "--pythonpath", sys.executable, "tests/rigclient/typed.py"]
    paths = {"PYTHONPATH": f"client{os.pathsep}proto"}
    done = subprocess.run(
        words, cwd=ROOT, env={**os.environ, **paths}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout
