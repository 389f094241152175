"""Generates the Python code of the contract beside its `.proto` files.

    python proto/generate.py            write
    python proto/generate.py --check    compare, list what differs, exit 1 if anything does

The output is committed: a rig installs without a compiler, and editors and reviewers see the types. It is
made by the exact versions pinned in the `proto` dependency group and checked by a test.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

PROTO = Path(__file__).resolve().parent
SOURCES = sorted(path.relative_to(PROTO).as_posix() for path in PROTO.glob("rig/v1/*.proto"))
OUTPUTS = ("*_pb2.py", "*_pb2.pyi", "*_pb2_grpc.py", "*_pb2_grpc.pyi")


def generate(target: Path) -> None:
    """Write every generated file below `target`."""
    out = [f"--{kind}_out={target}" for kind in ("python", "grpc_python")]
    typed = [f"--{kind}_out=quiet:{target}" for kind in ("mypy", "mypy_grpc")]
    # protoc finds its plugins on PATH; they are installed beside this interpreter.
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    subprocess.run(
        [sys.executable, "-m", "grpc_tools.protoc", f"-I{PROTO}", *out, *typed, *SOURCES],
        check=True,
        cwd=PROTO,
        env={**os.environ, "PATH": path},
    )


def generated(folder: Path) -> dict[str, bytes]:
    """Every generated file below `folder`: relative path and bytes."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for pattern in OUTPUTS
        for path in (folder / "rig/v1").glob(pattern)
    }


def drift() -> list[str]:
    """Names of generated files that differ from what the sources give, in either direction."""
    with tempfile.TemporaryDirectory() as folder:
        generate(Path(folder))
        fresh, kept = generated(Path(folder)), generated(PROTO)
    return sorted(name for name in fresh.keys() | kept.keys() if fresh.get(name) != kept.get(name))


def main() -> int:
    """Entry of the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--check", action="store_true", help="compare only")
    if not parser.parse_args().check:
        generate(PROTO)
        return 0
    stale = drift()
    print("\n".join(f"stale: {name}" for name in stale) or "generated code is fresh")
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
