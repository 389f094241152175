"""Ways to spoil a file."""

import random
from collections.abc import Callable
from typing import Final

_PAGE: Final = 4096
_BLOCK: Final = 512

Harm = Callable[[bytes, random.Random], bytes]


def flipped(data: bytes, chance: random.Random) -> bytes:
    """One bit, or some."""
    out = bytearray(data)
    for _ in range(chance.choice((1, 1, 8, 64))):
        out[chance.randrange(len(out))] ^= 1 << chance.randrange(8)
    return bytes(out)


def cut(data: bytes, chance: random.Random) -> bytes:
    """The end is missing."""
    return data[: chance.randrange(len(data))]


def longer(data: bytes, chance: random.Random) -> bytes:
    """Something stands behind."""
    return data + chance.choice((bytes(_BLOCK), chance.randbytes(100), data[-_BLOCK:]))


def zeros(data: bytes, chance: random.Random) -> bytes:
    """A page was never written."""
    at = chance.randrange(-(-len(data) // _PAGE)) * _PAGE
    return data[:at] + bytes(len(data[at : at + _PAGE])) + data[at + _PAGE :]


def swapped(data: bytes, chance: random.Random) -> bytes:
    """Two blocks stand in each other's place."""
    size = min(_BLOCK, max(len(data) // 4, 1))
    one, other = sorted(chance.sample(range(len(data) // size), 2))
    blocks = [data[at : at + size] for at in range(0, len(data), size)]
    blocks[one], blocks[other] = blocks[other], blocks[one]
    return b"".join(blocks)


def noise(data: bytes, chance: random.Random) -> bytes:
    """It is something else altogether."""
    words = (b"", b"\n", b'{"name": 1}', b"[]", b'"x"', b"\xff\xfe{}", bytes(len(data)))
    return chance.choice((*words, chance.randbytes(len(data))))


HARMS: Final[tuple[Harm, ...]] = (flipped, cut, longer, zeros, swapped, noise)


def spoiled(data: bytes, chance: random.Random) -> tuple[str, bytes]:
    """Bytes that differ, and what was done to them."""
    while True:
        harm = chance.choice(HARMS)
        if (found := harm(data, chance)) != data:
            return harm.__name__, found
