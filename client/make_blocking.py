"""Makes the blocking client, `rigclient/blocking.py` and `rigclient/catalog.py`, from the one for asyncio.

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
MADE: Final = {
    CLIENT / "rigclient/aio.py": CLIENT / "rigclient/blocking.py",
    CLIENT / "rigclient/asynccatalog.py": CLIENT / "rigclient/catalog.py",
}
"""What is made, by what it is made from."""
_HEAD: Final = (
    '"""The blocking client. Generated from `rigclient.{}` by `client/make_blocking.py`; do not edit."""'
)
_NAMES: Final = {
    "AsyncCatalog": "Catalog",
    "AsyncConnection": "Connection",
    "AsyncLapList": "LapList",
    "AsyncLaps": "Laps",
    "AsyncRig": "Rig",
    "AsyncStream": "Stream",
    "asynccatalog": "catalog",
    "asynchronous": "connection",
}


def blocking(path: Path) -> str:
    """Return the blocking form of a module for asyncio."""
    rule = unasync.Rule("/", "/", _NAMES)
    tokens = rule._unasync_tokens(tokenize_rt.src_to_tokens(path.read_text()))
    _, _, body = tokenize_rt.tokens_to_src(tokens).partition('"""\n')
    return _formatted(f"{_HEAD.format(path.stem)}\n{body}")


def _formatted(source: str) -> str:
    """Return the source with imports in their order and lines as long as everywhere, by ruff."""
    ruff = str(Path(sys.executable).parent / "ruff")
    for words in (["check", "--select", "I,RUF100,UP028", "--fix", "--unsafe-fixes", "--quiet"], ["format"]):
        command = [ruff, *words, "--stdin-filename", str(CLIENT / "rigclient/aio.py"), "-"]
        source = subprocess.run(command, input=source, capture_output=True, text=True, check=True).stdout
    return source


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--check", action="store_true", help="compare only")
    fresh = {target: blocking(source) for source, target in MADE.items()}
    if parser.parse_args().check:
        return int(any(target.read_text() != text for target, text in fresh.items()))
    for target, text in fresh.items():
        target.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
