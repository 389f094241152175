"""Checksummed JSON: what is read is what was written, or Corrupt."""

import json

import pytest

from rig.errors import Corrupt
from rig.v1 import session_pb2
from rigd.store.checksummed import dump_json, dump_message, load_json, load_message

SESSION = session_pb2.Session(name="sessions/one", track_name="Meander Välley", start_time_ns=1 << 60)


def test_what_is_sealed_comes_back_and_is_plain_json() -> None:
    assert load_message(session_pb2.Session, dump_message(SESSION)) == SESSION
    assert json.loads(dump_message(SESSION))["track_name"] == "Meander Välley"
    assert load_json(dump_json('{"lap": "a, \\"crc32\\": 1}"}')) == {"lap": 'a, "crc32": 1}'}


def test_no_flipped_bit_says_anything_else() -> None:
    data = bytearray(dump_message(SESSION))
    refused = 0
    for place in range(8 * len(data)):
        data[place // 8] ^= 1 << place % 8
        try:
            assert load_message(session_pb2.Session, bytes(data)) == SESSION
        except Corrupt:
            refused += 1
        data[place // 8] ^= 1 << place % 8
    assert refused > 7.5 * len(data)


def test_what_has_no_seal_is_taken_at_its_word() -> None:
    """It was written before there were checksums, or by hand."""
    assert load_json(b'{"lap": "a"}\n') == {"lap": "a"}


@pytest.mark.parametrize(
    "data", [b"", b"\0" * 9, b"[]", b"1", b'"x"', b"{", b"\xff{}", b"[" * 100_000, b'{"name": {}}']
)
def test_what_is_no_session_is_corrupt(data: bytes) -> None:
    with pytest.raises(Corrupt):
        load_message(session_pb2.Session, data)
