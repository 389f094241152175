"""What an editor knows of the library: pyright finds a type for nearly everything that is public."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LEAST = 0.99
"""What decorators of commands leave open is below 1 %."""
GENERATED = "_pb2_grpc."
"""In names of generated services: gRPC's own stubs leave their contexts open."""


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
    written = [one for one in report["symbols"] if one["isExported"] and GENERATED not in one["name"]]
    open_ = [symbol["name"] for symbol in written if not symbol["isTypeKnown"]]
    assert len(open_) <= (1 - LEAST) * len(written), open_


def test_editors_complete_what_callers_write() -> None:
    """The lines of `tests/rigclient/typed.py` mean the same to pyright; mypy reads them with all others."""
    folder = Path(sys.executable).parent
    words = [str(folder / "pyright"), "--pythonpath", sys.executable, "tests/rigclient/typed.py"]
    paths = {"PYTHONPATH": f"client{os.pathsep}proto"}
    done = subprocess.run(
        words, cwd=ROOT, env={**os.environ, **paths}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout
