"""Valid bytes, changed: what a disk, a stranger or another version may have made of them."""

from collections.abc import Sequence
from typing import Final

from hypothesis import strategies as st

WORDS: Final = (
    *(value.to_bytes(size, "little") for size in (1, 2, 4, 8) for value in (0, 1, 2 ** (8 * size) - 1)),
    *((1 << (8 * size - 1)).to_bytes(size, "little") for size in (2, 4, 8)),
    b"\xff" * 9 + b"\x01",
    b"\x80" * 10,
    *(
        b"%s" % word
        for word in (b"null", b"true", b"-1", b"1e999", b"NaN", b"[]", b"{}", b'""', b'"\\ud800"')
    ),
    b"[" * 200,
    b"9" * 400,
    b"..%2f",
    b"\n",
)
"""What decoders stumble over: ends of ranges, numbers without an end, other kinds of JSON, deep nesting."""

_REACH: Final = 1 << 16
_Change = tuple[str, int, int, bytes]


def _changed(data: bytes, change: _Change) -> bytes:
    """`at` and `until` are anywhere; `word` is what comes there."""
    kind, at, size, word = change
    at %= len(data) + 1
    match kind:
        case "flip":
            return data[:at] + bytes(each ^ (1 << size % 8) for each in data[at : at + 1]) + data[at + 1 :]
        case "put":
            return data[:at] + word + data[at + len(word) :]
        case "insert":
            return data[:at] + word + data[at:]
        case "drop":
            return data[:at] + data[at + 1 + size % 40 :]
        case "repeat":
            return data[: at + size % 400] + data[at:]
    return data[:at]


def mutants(seeds: Sequence[bytes]) -> st.SearchStrategy[bytes]:
    """A seed with up to four changes, or the beginning of one and the end of another."""
    place = st.integers(0, _REACH)
    kinds = st.sampled_from(("flip", "put", "insert", "drop", "repeat", "cut"))
    words = st.sampled_from(WORDS) | st.binary(min_size=1, max_size=8)
    changes = st.lists(st.tuples(kinds, place, place, words), min_size=1, max_size=4)
    return st.builds(_made, st.sampled_from(seeds), changes) | st.builds(
        _spliced, st.sampled_from(seeds), st.sampled_from(seeds), place, place
    )


def _made(data: bytes, changes: list[_Change]) -> bytes:
    for change in changes:
        data = _changed(data, change)
    return data


def _spliced(one: bytes, other: bytes, at: int, since: int) -> bytes:
    return one[: at % (len(one) + 1)] + other[since % (len(other) + 1) :]
