"""Page tokens: bound to their question, and whatever else a caller may send is refused cleanly."""

import base64
import json
import zlib
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rig.errors import MalformedToken
from rig.v1 import laps_pb2
from rigd.store.index import Index, IndexReader
from tests.store.lap_store import SESSION, lap

ASKED = laps_pb2.ListLapsRequest(parent="sessions/-", page_size=5, order_by="lap_time desc, driver")


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[IndexReader]:
    path = tmp_path_factory.mktemp("index") / "index.sqlite"
    index = Index(path)
    with index.transaction():
        for number in range(20):
            index.put_lap(lap(index=number))
    yield IndexReader(path)
    index.close()


def token_of(reader: IndexReader, request: laps_pb2.ListLapsRequest) -> str:
    return reader.list_laps(request).next_page_token


def with_token(token: str, **fields: Any) -> laps_pb2.ListLapsRequest:
    asked = laps_pb2.ListLapsRequest(page_token=token)
    asked.MergeFrom(ASKED)
    asked.MergeFrom(laps_pb2.ListLapsRequest(**fields))
    return asked


def test_a_token_fits_no_other_question_but_another_page_size(
    reader: IndexReader,
) -> None:
    token = token_of(reader, ASKED)
    assert len(reader.list_laps(with_token(token, page_size=7)).laps) == 7
    others: list[dict[str, Any]] = [
        {"parent": SESSION},
        {"order_by": "lap_time desc"},
        {"best_of": 1},
        {"filter": {"valid": False}},
    ]
    for other in others:
        with pytest.raises(MalformedToken, match="belongs to another question"):
            reader.list_laps(with_token(token, **other))
    with pytest.raises(MalformedToken, match="belongs to another question"):
        reader.list_sessions(laps_pb2.ListSessionsRequest(page_token=token))


@given(
    st.text(max_size=60) | st.binary(max_size=60).map(lambda data: base64.urlsafe_b64encode(data).decode())
)
def test_what_is_no_token_is_refused(reader: IndexReader, token: str) -> None:
    if token:
        with pytest.raises(MalformedToken):
            reader.list_laps(with_token(token))


@given(st.integers(0), st.integers(1, 255))
def test_a_token_with_one_byte_changed_is_refused(reader: IndexReader, at: int, change: int) -> None:
    token = token_of(reader, ASKED)
    data = bytearray(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
    data[at % len(data)] ^= change
    with pytest.raises(MalformedToken):
        reader.list_laps(with_token(base64.urlsafe_b64encode(data).decode()))


def forged(token: str, body: bytes, version: int = 1) -> str:
    """A token with a right check and anything inside."""
    data = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
    made = data[:2] + bytes([version]) + data[3:11] + body
    return base64.urlsafe_b64encode(made + zlib.crc32(made).to_bytes(4, "little")).decode()


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b"[1.0]",
        b'["a", "b", "c"]',
        b'[1.0, "b", 3]',
        b'[true, "b", "c"]',
        b'[NaN, "b", "c"]',
        b'[1.0, "\\ud800", "c"]',
        b'[1.0, {"a": 1}, "c"]',
        b"[" * 30_000,
        b"\xff\xfe",
    ],
)
def test_a_forged_position_is_refused(reader: IndexReader, body: bytes) -> None:
    with pytest.raises(MalformedToken):
        reader.list_laps(with_token(forged(token_of(reader, ASKED), body)))


def test_a_forged_number_that_no_database_holds_is_refused(
    reader: IndexReader,
) -> None:
    asked = laps_pb2.ListLapsRequest(parent="sessions/-", page_size=1)
    token = token_of(reader, asked)
    for number in (2**63, -(2**63) - 1):
        asked.page_token = forged(token, json.dumps([number, "x"]).encode())
        with pytest.raises(MalformedToken):
            reader.list_laps(asked)


def test_a_token_of_another_version_is_refused(reader: IndexReader) -> None:
    with pytest.raises(MalformedToken, match="version 2, this program reads 1"):
        reader.list_laps(with_token(forged(token_of(reader, ASKED), b'[1.0, "b", "c"]', version=2)))
