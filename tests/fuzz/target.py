"""A decoder under fuzzing: what it is fed with, and what must hold whatever the bytes are."""

import atexit
import os
import resource
import shutil
import tempfile
import tracemalloc
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Final, NamedTuple

from rig.errors import RigError

MOST_BYTES: Final = 64 << 20
"""What decoding may take, unless a target says otherwise: the largest head of a lap file is 16 MiB, and it is
there as bytes, as a message and once more as a copy.
"""

ADDRESS_SPACE: Final = 4 << 30
"""Of a process that decodes unknown bytes: libraries, rings and a fuzzer's tables take one."""

PLACE: Final = "RIGD_FUZZ_PLACE"
"""Variable that says where files go; a fuzzer that has enough ends without tidying up."""


class Target(NamedTuple):
    """One decoder."""

    name: str
    seeds: Callable[[], Sequence[bytes]]
    """Valid samples, made by the product's own encoders; the same ones every time."""
    decode: Callable[[bytes], object]
    """Decodes, and asserts what must hold of the value. Raises errors of the tree, and nothing else."""
    weight: int = 1
    """Divides the number of inputs in `make test`; most decoders take less than a millisecond for one."""
    most_bytes: int = MOST_BYTES
    """Memory that one input may take, however long the lengths in it are."""


def feed(target: Target, data: bytes) -> bool:
    """Decode one input; whether it gave a value. An error has to be one of the tree and say something."""
    try:
        target.decode(data)
    except RigError as error:
        if not error.message:
            raise AssertionError(f"{type(error).__name__} says nothing") from error
        return False
    return True


def feed_measured(target: Target, data: bytes) -> bool:
    """The same with its memory counted, which takes twice the time."""
    tracemalloc.start()
    try:
        value = feed(target, data)
        taken = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert taken <= target.most_bytes, f"{len(data)} bytes took {taken}, the bound is {target.most_bytes}"
    return value


@cache
def folder() -> Path:
    """A folder in memory for decoders that read files; it goes with the process."""
    made = Path(tempfile.mkdtemp(prefix="rigd-fuzz-", dir=os.environ.get(PLACE, "/dev/shm")))
    atexit.register(shutil.rmtree, made, ignore_errors=True)
    return made


def file_of(name: str, data: bytes) -> Path:
    """A file of that name in there with these bytes."""
    path = folder() / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def limit_memory() -> None:
    """No more address space for this process than it may have, so that a length that asks for more fails at
    once instead of filling the machine.
    """
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE, ADDRESS_SPACE))
