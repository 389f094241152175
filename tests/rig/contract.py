"""The contract as the tests of it see it: where it lies, and the tools that read it."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SNAPSHOT = Path(__file__).with_name("rig_v1.binpb")
"""What the contract was when `proto/generate.py --snapshot` was last run."""


def buf(*words: str, cwd: Path = ROOT) -> str:
    """What buf has to say; empty when it finds nothing."""
    done = subprocess.run(
        [Path(sys.executable).parent / "buf", *words], cwd=cwd, capture_output=True, text=True, check=False
    )
    output = done.stdout + done.stderr
    assert output or done.returncode == 0
    return output
