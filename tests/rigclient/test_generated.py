"""One source for both clients: the blocking one is made from that for asyncio, with the same methods."""

import inspect
import subprocess
import sys
from pathlib import Path

import pytest

from rigclient import aio, blocking

ROOT = Path(__file__).resolve().parents[2]


def methods(kind: type) -> dict[str, list[str]]:
    """Public methods by name, with the names of their parameters."""
    found = inspect.getmembers(kind, inspect.isfunction)
    return {name: list(inspect.signature(method).parameters) for name, method in found if name[0] != "_"}


def test_the_blocking_client_is_what_its_source_gives() -> None:
    """`make client` makes it anew."""
    words = [sys.executable, str(ROOT / "client/make_blocking.py"), "--check"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"blocking.py is not what aio.py gives: make client\n{done.stderr}"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (aio.AsyncRig, blocking.Rig),
        (aio.AsyncLaps, blocking.Laps),
        (aio.AsyncStream, blocking.Stream),
    ],
    ids=lambda kind: kind.__name__,
)
def test_both_have_the_same_methods(one: type, other: type) -> None:
    mine, theirs = methods(one), methods(other)
    # What a sequence has for nothing, and what a list in asyncio needs in its place.
    assert {**theirs, "to_list": ["self"]} == {**mine, "to_list": ["self"], **sequence(theirs)}


def sequence(found: dict[str, list[str]]) -> dict[str, list[str]]:
    """What collections.abc.Sequence gives."""
    return {name: parameters for name, parameters in found.items() if name in ("index", "count")}
