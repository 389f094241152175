"""The registry: every column says what it is, and nothing of the game's records is forgotten."""

import math
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from google.protobuf import descriptor_pb2, descriptor_pool
from google.protobuf.descriptor import Descriptor, FieldDescriptor

from rig import tables
from rig.channels import FIRST_COLUMN, PHYSICS, SCORING, Channel, Table
from rig.errors import BadRequest, UnknownChannel
from rig.v1 import channel_pb2, physics_pb2, scoring_pb2
from rigd.sources.rf2.layout import VEHICLE_SCORING, VEHICLE_TELEMETRY

TABLES = [PHYSICS, SCORING]
MESSAGES = {PHYSICS.name: physics_pb2.Physics.DESCRIPTOR, SCORING.name: scoring_pb2.Scoring.DESCRIPTOR}
RECORDS = {PHYSICS.name: VEHICLE_TELEMETRY, SCORING.name: VEHICLE_SCORING}

EVERY_CHANNEL = [
    pytest.param(table, channel, id=f"{table.name}.{channel.name}")
    for table in TABLES
    for channel in table.channels
]

NO_COLUMN = {
    PHYSICS.name: {
        "mVehicleName": "a name: in the entry list",
        "mTrackName": "a name: in the session state",
        "mFrontTireCompoundName": "a name: in the entry list",
        "mRearTireCompoundName": "a name: in the entry list",
    },
    SCORING.name: {
        "mDriverName": "a name: in the entry list",
        "mVehicleName": "a name: in the entry list",
        "mVehicleClass": "a name: in the entry list",
        "mPitGroup": "a name: in the entry list",
        "mVehFilename": "a name: in the entry list",
        "mUpgradePack": "bytes without a documented meaning: in the entry list",
        "mSteamID": "a person, not a signal: in the entry list",
    },
}

KELVIN = {
    "mWheels.mBrakeTemp",
    "mWheels.mTemperature",
    "mWheels.mTireCarcassTemperature",
    "mWheels.mTireInnerLayerTemperature",
}

UNITS = {"", "s", "m", "m/s", "m/s²", "rad", "rad/s", "rad/s²", "rpm", "°C", "N", "Nm", "l", "kPa"}


def columns(message: Descriptor) -> list[FieldDescriptor]:
    return [field for field in message.fields if field.number >= FIRST_COLUMN]


def options(field: FieldDescriptor) -> channel_pb2.Channel:
    found: channel_pb2.Channel = field.GetOptions().Extensions[channel_pb2.channel]
    return found


def leaves(dtype: np.dtype[Any], prefix: str = "") -> set[str]:
    """Dotted names of the fields of a record, those of its wheels included."""
    found: set[str] = set()
    for name in dtype.names or ():
        inner = dtype[name].base
        found |= leaves(inner, f"{prefix}{name}.") if inner.names else {prefix + name}
    return found


def source_values(table: Table, channel: Channel) -> int:
    """How many numbers the game's record holds for a channel."""
    dtype, count = RECORDS[table.name], 1
    for name in channel.source.split("."):
        field = dtype[name]
        dtype, count = field.base, count * math.prod(field.shape)
    return count


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
class TestTheContract:
    def test_every_column_is_described(self, table: Table) -> None:
        for field in columns(MESSAGES[table.name]):
            assert field.GetOptions().HasExtension(channel_pb2.channel), field.name
            assert options(field).source or field.name in table.derived, field.name
            assert options(field).description.endswith("."), field.name

    def test_nothing_below_the_columns_is_a_channel(self, table: Table) -> None:
        for field in MESSAGES[table.name].fields:
            if field.number < FIRST_COLUMN:
                assert not field.GetOptions().HasExtension(channel_pb2.channel), field.name

    def test_numbers_follow_one_another(self, table: Table) -> None:
        numbers = [channel.number for channel in table.channels]
        assert numbers == list(range(FIRST_COLUMN, FIRST_COLUMN + len(numbers)))

    def test_what_is_made_is_not_recorded(self, table: Table) -> None:
        numbers = [channel.number for channel in table.derived.values()]
        assert numbers == list(range(1000, 1000 + len(numbers)))
        assert not table.derived.keys() & table.by_name.keys()
        assert table.columns.keys() == {*numbers, *table.by_number}

    def test_numbers_fit_a_tag_of_two_bytes(self, table: Table) -> None:
        assert max(channel.number for channel in table.channels) <= 2047

    def test_every_column_is_a_packed_array_of_fixed_width(self, table: Table) -> None:
        fixed = {
            FieldDescriptor.TYPE_DOUBLE: np.float64,
            FieldDescriptor.TYPE_FLOAT: np.float32,
            FieldDescriptor.TYPE_SFIXED32: np.int32,
            FieldDescriptor.TYPE_FIXED32: np.uint32,
            FieldDescriptor.TYPE_BOOL: np.bool_,
        }
        for field in columns(MESSAGES[table.name]):
            assert field.is_repeated, field.name
            assert field.is_packed, field.name
            assert table.columns[field.number].dtype == fixed[field.type], field.name

    def test_every_field_of_the_game_has_a_column_or_a_reason(self, table: Table) -> None:
        own = [channel for channel in table.channels if channel.derivation != channel_pb2.DERIVATION_SCORING]
        sources = {channel.source for channel in own}
        reasons = NO_COLUMN[table.name].keys()
        assert sources | reasons == leaves(RECORDS[table.name])
        assert not sources & reasons

    def test_the_typed_columns_are_the_channels(self, table: Table) -> None:
        typed = getattr(tables, f"{table.name}Columns")
        assert list(typed.__annotations__) == [channel.name for channel in table.columns.values()]

    def test_id_leads_back_to_the_car(self, table: Table) -> None:
        channel = table.by_name["id"]
        assert (channel.source, channel.dtype.str, channel.width) == ("mID", "<i4", 1)


@pytest.mark.parametrize(("table", "channel"), EVERY_CHANNEL)
class TestEveryChannel:
    def test_it_has_a_unit_of_the_house(self, table: Table, channel: Channel) -> None:
        assert channel.unit in UNITS

    def test_it_is_as_wide_as_its_source(self, table: Table, channel: Channel) -> None:
        single = (channel_pb2.DERIVATION_NORM, channel_pb2.DERIVATION_SCORING)
        assert channel.width == (1 if channel.derivation in single else source_values(table, channel))

    def test_kelvin_becomes_celsius_and_zero_is_missing(self, table: Table, channel: Channel) -> None:
        if channel.source in KELVIN:
            assert (channel.unit, channel.scale, channel.offset) == ("°C", 1.0, -273.15)
            assert channel.missing_non_positive
        else:
            assert channel.offset == 0.0

    def test_only_floats_can_be_missing_or_converted(self, table: Table, channel: Channel) -> None:
        converted = channel.missing_non_positive or channel.offset or channel.scale != 1.0
        assert channel.dtype.kind == "f" or not converted

    def test_session_clocks_keep_their_precision(self, table: Table, channel: Channel) -> None:
        """A clock of a day in float32 would step by 8 ms."""
        if channel.source.endswith(("ET", "mElapsedTime")):
            assert channel.dtype == np.float64

    def test_it_is_found_by_name_and_by_number(self, table: Table, channel: Channel) -> None:
        assert table.by_name[channel.name] is channel
        assert table.by_number[channel.number] is channel
        assert channel.row_bytes == channel.width * channel.dtype.itemsize


class TestPicking:
    def test_no_names_pick_all(self) -> None:
        assert PHYSICS.pick([]) == PHYSICS.channels

    def test_id_is_always_picked(self) -> None:
        assert [channel.name for channel in PHYSICS.pick(["speed"])] == ["speed", "id"]

    def test_the_order_is_the_tables_and_repetition_is_nothing(self) -> None:
        picked = PHYSICS.pick(["speed", "throttle", "id", "speed"])
        assert [channel.name for channel in picked] == ["throttle", "speed", "id"]
        assert all(before.number < after.number for before, after in pairwise(picked))

    @pytest.mark.parametrize(
        ("table", "wrong", "meant"),
        [
            (PHYSICS, "engine_rmp", "engine_rpm"),
            (PHYSICS, "tire_temp", "tyre_temp"),
            (SCORING, "lapdistance", "lap_distance"),
        ],
    )
    def test_an_unknown_name_is_told_its_neighbour(self, table: Table, wrong: str, meant: str) -> None:
        with pytest.raises(
            UnknownChannel, match=f"{table.name} has no channel '{wrong}'.*'{meant}'"
        ) as caught:
            table.pick([wrong])
        assert caught.value.facts == {"channel": wrong}
        assert isinstance(caught.value, BadRequest)

    def test_a_name_without_a_neighbour_is_told_where_the_list_is(self) -> None:
        with pytest.raises(UnknownChannel, match="rig channels"):
            PHYSICS.pick(["xyzzy"])

    def test_one_wrong_name_among_right_ones_is_refused(self) -> None:
        with pytest.raises(UnknownChannel, match="nonsense"):
            PHYSICS.pick(["speed", "nonsense", "throttle"])


class TestTheFingerprint:
    def changed(self, **changes: Any) -> Table:
        """The physics table with its first column changed."""
        file = descriptor_pb2.FileDescriptorProto()
        MESSAGES[PHYSICS.name].file.CopyToProto(file)
        file.name, file.package = "changed.proto", "changed"
        field = next(field for field in file.message_type[0].field if field.number == FIRST_COLUMN)
        for name, value in changes.items():
            if name == "width":
                field.options.Extensions[channel_pb2.channel].width = value
            else:
                setattr(field, name, value)
        return Table(_pool_with(file).FindMessageTypeByName("changed.Physics"))

    def test_it_is_the_same_for_the_same_columns(self) -> None:
        assert self.changed().schema == PHYSICS.schema

    def test_a_name_does_not_change_it(self) -> None:
        assert self.changed(name="clock").schema == PHYSICS.schema

    @pytest.mark.parametrize(
        "changes",
        [{"number": 1999}, {"type": descriptor_pb2.FieldDescriptorProto.TYPE_FLOAT}, {"width": 2}],
        ids=["number", "type", "width"],
    )
    def test_what_moves_bytes_changes_it(self, changes: dict[str, int]) -> None:
        assert self.changed(**changes).schema != PHYSICS.schema

    def test_the_tables_differ(self) -> None:
        assert PHYSICS.schema != SCORING.schema


def _pool_with(file: descriptor_pb2.FileDescriptorProto) -> Any:
    """A pool of its own that holds the contract's options and `file`."""
    pool = descriptor_pool.DescriptorPool()
    for known in (descriptor_pb2.DESCRIPTOR, channel_pb2.DESCRIPTOR):
        copied = descriptor_pb2.FileDescriptorProto()
        known.CopyToProto(copied)
        pool.Add(copied)
    pool.Add(file)
    return pool
