"""Cursors: what was packed comes back, and nothing else is taken for a cursor."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rig.errors import BadRequest, MalformedCursor
from rigd.auth.seal import Seal
from rigd.serve.cursor import CURSOR_BYTES, Cursor, Cursors
from tests.rig.cursors import CURSORS, old

cursors = st.builds(
    Cursor,
    ring=st.binary(min_size=8, max_size=8),
    stream=st.integers(1, 3),
    seq=st.integers(0, 2**64 - 1),
    boot=st.integers(0, 2**64 - 1),
)
CURSOR = Cursor(b"8 bytes!", 1, 123_456)
OLD_BYTES = 24


@given(cursors)
def test_a_cursor_comes_back(cursor: Cursor) -> None:
    packed = CURSORS.pack(cursor)
    assert len(packed) == CURSOR_BYTES
    assert CURSORS.read(packed) == cursor


@given(cursors)
def test_its_text_holds_the_same_bytes(cursor: Cursor) -> None:
    assert CURSORS.read(base64.urlsafe_b64decode(CURSORS.text(cursor))) == cursor


@pytest.mark.parametrize("bit", range(8 * CURSOR_BYTES))
def test_every_flipped_bit_is_noticed(bit: int) -> None:
    damaged = bytearray(CURSORS.pack(CURSOR))
    damaged[bit // 8] ^= 1 << bit % 8
    with pytest.raises(MalformedCursor):
        CURSORS.read(bytes(damaged), old=True)


@pytest.mark.parametrize("size", [*range(CURSOR_BYTES), CURSOR_BYTES + 1, 1000])
def test_every_other_length_is_noticed(size: int) -> None:
    with pytest.raises(MalformedCursor, match=f"{CURSOR_BYTES} bytes, this one has {size}"):
        CURSORS.read((CURSORS.pack(CURSOR) * 50)[:size])


@given(st.binary(min_size=CURSOR_BYTES, max_size=CURSOR_BYTES))
def test_chance_bytes_are_no_cursor(data: bytes) -> None:
    with pytest.raises(MalformedCursor):
        CURSORS.read(data, old=True)


def test_a_cursor_that_another_rig_made_is_none() -> None:
    with pytest.raises(MalformedCursor, match="another rig made it"):
        Cursors(Seal(b"\1" * 32)).read(CURSORS.pack(CURSOR))


def test_a_cursor_of_a_later_version_is_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as later:
        later.setattr("rigd.serve.cursor._VERSION", 3)
        packed = Cursors(Seal(bytes(32))).pack(CURSOR)
    with pytest.raises(MalformedCursor, match="version 3, this program reads 2"):
        CURSORS.read(packed)


@given(cursors)
def test_one_of_release_0_1_is_taken_where_it_is_allowed_and_nowhere_else(cursor: Cursor) -> None:
    assert CURSORS.read(old(cursor), old=True) == cursor._replace(boot=0)
    with pytest.raises(MalformedCursor, match=r"of release 0\.1"):
        CURSORS.read(old(cursor))


@pytest.mark.parametrize("bit", range(8 * OLD_BYTES))
def test_every_flipped_bit_of_one_of_release_0_1_is_noticed(bit: int) -> None:
    damaged = bytearray(old(CURSOR))
    damaged[bit // 8] ^= 1 << bit % 8
    with pytest.raises(MalformedCursor):
        CURSORS.read(bytes(damaged), old=True)


def test_it_is_the_callers_mistake() -> None:
    assert issubclass(MalformedCursor, BadRequest)
