"""Makes the blocking client, `rigclient/blocking.py`, from the one for asyncio.

    python client/make_blocking.py            write
    python client/make_blocking.py --check    compare, exit 1 if they differ

The output is committed, made by the exact version of unasync that is pinned, and checked by a test.
"""

import argparse
import subprocess
import sys
from pathlib import Path
from typing import Final

import tokenize_rt
import unasync

CLIENT: Final = Path(__file__).resolve().parent
SOURCE: Final = CLIENT / "rigclient/aio.py"
TARGET: Final = CLIENT / "rigclient/blocking.py"
_HEAD: Final = (
    '"""The blocking client. Generated from `rigclient.aio` by `client/make_blocking.py`; do not edit."""'
)
_NAMES: Final = {
    "AsyncConnection": "Connection",
    "AsyncLapList": "LapList",
    "AsyncLaps": "Laps",
    "AsyncRig": "Rig",
    "AsyncStream": "Stream",
    "asynchronous": "connection",
}


def blocking(source: str) -> str:
    """Return the blocking form of a module for asyncio."""
    rule = unasync.Rule("/", "/", _NAMES)
    tokens = rule._unasync_tokens(tokenize_rt.src_to_tokens(source))
    _, _, body = tokenize_rt.tokens_to_src(tokens).partition('"""\n')
    return _formatted(f"{_HEAD}\n{body}")


def _formatted(source: str) -> str:
    """Return the source with imports in their order and lines as long as everywhere, by ruff."""
    ruff = str(Path(sys.executable).parent / "ruff")
    for words in (["check", "--select", "I,RUF100,UP028", "--fix", "--unsafe-fixes", "--quiet"], ["format"]):
        command = [ruff, *words, "--stdin-filename", str(TARGET.with_name("aio.py")), "-"]
        source = subprocess.run(command, input=source, capture_output=True, text=True, check=True).stdout
    return source


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--check", action="store_true", help="compare only")
    fresh = blocking(SOURCE.read_text())
    if not parser.parse_args().check:
        TARGET.write_text(fresh)
        return 0
    return int(fresh != TARGET.read_text())


if __name__ == "__main__":
    sys.exit(main())
