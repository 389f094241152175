"""Cursors: what was packed comes back, and nothing else is taken for a cursor."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rig.errors import BadRequest, MalformedCursor
from rigd.serve.cursor import CURSOR_BYTES, Cursor, read_cursor

cursors = st.builds(
    Cursor,
    ring=st.binary(min_size=8, max_size=8),
    stream=st.integers(1, 3),
    seq=st.integers(0, 2**64 - 1),
)
CURSOR = Cursor(b"8 bytes!", 1, 123_456)


@given(cursors)
def test_a_cursor_comes_back(cursor: Cursor) -> None:
    packed = cursor.pack()
    assert len(packed) == CURSOR_BYTES
    assert read_cursor(packed) == cursor


@given(cursors)
def test_its_text_holds_the_same_bytes(cursor: Cursor) -> None:
    assert read_cursor(base64.urlsafe_b64decode(cursor.text())) == cursor


@pytest.mark.parametrize("bit", range(8 * CURSOR_BYTES))
def test_every_flipped_bit_is_noticed(bit: int) -> None:
    damaged = bytearray(CURSOR.pack())
    damaged[bit // 8] ^= 1 << bit % 8
    with pytest.raises(MalformedCursor):
        read_cursor(bytes(damaged))


@pytest.mark.parametrize("size", [*range(CURSOR_BYTES), CURSOR_BYTES + 1, 1000])
def test_every_other_length_is_noticed(size: int) -> None:
    with pytest.raises(MalformedCursor, match=f"{CURSOR_BYTES} bytes, this one has {size}"):
        read_cursor((CURSOR.pack() * 50)[:size])


@given(st.binary(min_size=CURSOR_BYTES, max_size=CURSOR_BYTES))
def test_chance_bytes_are_no_cursor(data: bytes) -> None:
    with pytest.raises(MalformedCursor):
        read_cursor(data)


def test_a_cursor_of_a_later_version_is_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as later:
        later.setattr("rigd.serve.cursor._VERSION", 2)
        packed = CURSOR.pack()
    with pytest.raises(MalformedCursor, match="version 2, this program reads 1"):
        read_cursor(packed)


def test_it_is_the_callers_mistake() -> None:
    assert issubclass(MalformedCursor, BadRequest)
