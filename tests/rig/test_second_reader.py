"""The page is enough: what the writer packs, a reader written from the page alone gives back to the bit."""

from collections.abc import Callable, Sequence
from itertools import chain
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rig.channels import LAP, PHYSICS, SCORING, Channel
from rig.lapfile import pack
from rig.v1 import archive_pb2, event_pb2, lap_pb2, session_pb2
from rig.v1.archive_pb2 import Coding, LapHeader
from rigd.gather.gather import gather
from rigd.ring import RingReader
from tests.archive.tape import Tape
from tests.rig.second_reader import Array, read
from tests.rig.test_second_reader_sealed import RAW_FILE, both

Columns = dict[str, Array]
Case = tuple[LapHeader, Columns, Columns]
"""What `pack` takes: head, samples, scoring."""

LAP_S = 60.0
"""The grid, and a lap of the short circuit by the slowest car."""
SAMPLES = {**PHYSICS.by_name, **LAP.by_name}
SCORINGS = {**SCORING.by_name, **LAP.by_name}


# Columns of every kind


def constant(rng: np.random.Generator, dtype: Any, count: int) -> Array:
    return np.repeat(noise(rng, dtype, 1), count)


def steps(rng: np.random.Generator, dtype: Any, count: int) -> Array:
    turns = np.cumsum(rng.random(count) < 0.1)
    return np.asarray(noise(rng, dtype, count + 1)[turns])


def noise(rng: np.random.Generator, dtype: Any, count: int) -> Array:
    """Any bits: among floats NaNs with payloads, and numbers of every size."""
    bits = rng.integers(0, 256, count * dtype.itemsize, np.uint8)
    return np.asarray((bits & 1 if dtype.kind == "b" else bits).view(dtype))


def smooth(rng: np.random.Generator, dtype: Any, count: int) -> Array:
    curve = np.sin(np.arange(count) * rng.uniform(0, 0.2)) * rng.choice([1e-3, 1.0, 1e4]) + 2e4
    return np.asarray(curve.astype(dtype))


def grid(rng: np.random.Generator, dtype: Any, count: int) -> Array:
    return np.asarray((rng.integers(0, 300, count) / rng.choice([1, 10, 50, 1024, 3])).astype(dtype))


def odd(rng: np.random.Generator, dtype: Any, count: int) -> Array:
    """The floats that arithmetic loses; among integers the largest and the least."""
    if dtype.kind != "f":
        return rng.choice(np.array([0, -1, 1]), count).astype(dtype)
    tiny = np.finfo(dtype).smallest_subnormal
    values = np.array([0.0, -0.0, np.inf, -np.inf, np.nan, -np.nan, tiny, -tiny, 1.0], dtype)
    return np.asarray(rng.choice(values, count))


Kind = Callable[[np.random.Generator, Any, int], Array]
KINDS: list[Kind] = [constant, steps, noise, smooth, grid, odd]


def column(rng: np.random.Generator, channel: Channel, rows: int, kinds: list[Kind]) -> Array:
    """A column, each of its components of one of the kinds."""
    with np.errstate(all="ignore"):
        parts = [kinds[rng.integers(len(kinds))](rng, channel.dtype, rows) for _ in range(channel.width)]
    return parts[0] if channel.width == 1 else np.stack(parts, axis=1)


def picked(rng: np.random.Generator, table: dict[str, Channel], rows: int) -> Columns:
    """Columns of about every third channel."""
    return {name: column(rng, table[name], rows, KINDS) for name in table if rng.random() < 0.3}


def random_case(seed: int, rows: int, scorings: int) -> Case:
    rng = np.random.default_rng(seed)
    return LapHeader(version="1"), picked(rng, SAMPLES, rows), picked(rng, SCORINGS, scorings)


def turned(yaw: Array, pitch: Array) -> Array:
    """Rotation matrices, row by row, of shape (rows, 9)."""
    cy, sy, cp, sp, zero = np.cos(yaw), np.sin(yaw), np.cos(pitch), np.sin(pitch), np.zeros(len(yaw))
    return np.stack([cy, sy * sp, sy * cp, zero, cp, -sp, -sy, cy * sp, cy * cp], axis=1)


def related(rng: np.random.Generator, rows: int) -> Columns:
    """Samples that neighbours predict, in units in the last place or exactly."""
    clock = 1000.0 + np.arange(rows) / 50 + rng.normal(0, 1e-4, rows)
    velocity = rng.normal(0, 1, (rows, 3)).cumsum(axis=0).astype("<f4")
    squares = velocity.astype("<f8") ** 2
    pace = np.sqrt((squares[:, 0] + squares[:, 1]) + squares[:, 2])
    wheel = pace * rng.uniform(2, 4) + rng.normal(0, 1e-3, rows)
    alike = (wheel[:, None] * np.array([1.0, 1.0, 1.25, 1.25])).astype("<f4")
    yaw, pitch = rng.normal(0, 0.1, (2, rows)).cumsum(axis=1)
    pedal = rng.integers(0, 256, rows) / 255
    return {
        "elapsed_time": clock,
        "session_time": clock.copy(),
        "lap_time": clock - 990.0,
        "lap_start_time": np.full(rows, 990.0),
        "local_velocity": velocity,
        "speed": pace.astype("<f4"),
        "orientation": turned(yaw, pitch).astype("<f4"),
        "wheel_rotation": alike,
        "tyre_load": alike * np.float32(7),
        "longitudinal_patch_velocity": alike + np.float32(1),
        "throttle": pedal.astype("<f4"),
        "throttle_applied": pedal.astype("<f4"),
        "position": (velocity.cumsum(axis=0) / 50).astype("<f4"),
        "distance": (pace.cumsum() / 50).astype("<f4"),
        "id": np.full(rows, 3, "<i4"),
        "seq": np.arange(rows, dtype="<u8") + np.uint64(2**63),
    }


def spoilt(rng: np.random.Generator, columns: Columns, share: float) -> Columns:
    """The columns with some floats replaced by any bits."""
    for values in columns.values():
        if values.dtype.kind == "f":
            hit = np.flatnonzero(rng.random(values.size) < share)
            values.reshape(-1)[hit] = noise(rng, values.dtype, len(hit))
    return columns


def related_case(seed: int, rows: int, share: float) -> Case:
    rng = np.random.default_rng(seed)
    return LapHeader(), spoilt(rng, related(rng, rows), share), {}


# What the two have to agree on


def agree(case: Case) -> LapHeader:
    """Pack, read, compare every column bit by bit; the head as it was read."""
    header, samples, scoring = case
    found, columns = read(pack(header, samples, scoring))
    sections = ((archive_pb2.SECTION_SAMPLES, samples), (archive_pb2.SECTION_SCORING, scoring))
    wanted = {(section, name): values for section, part in sections for name, values in part.items()}
    assert columns.keys() == wanted.keys()
    for key, values in wanted.items():
        assert columns[key].dtype == values.dtype, key
        assert columns[key].shape == values.shape, key
        assert columns[key].tobytes() == values.tobytes(), key
    return found


@pytest.fixture(scope="module")
def driven(tmp_path_factory: pytest.TempPathFactory) -> Case:
    """One whole lap of the demo's race."""
    tape = Tape(tmp_path_factory.mktemp("second"))
    tape.drive(LAP_S)
    laps = [lap for lap in tape.closed() if lap.complete][:1]
    tape.close()
    ring = RingReader(tape.data / "ring")
    (gathered,) = gather(ring, laps, session_pb2.Session(name="sessions/x"))
    ring.close()
    return gathered.header, gathered.samples, gathered.scoring


def test_a_lap_of_the_race_comes_back_to_the_bit(driven: Case) -> None:
    header, samples, scoring = driven
    found = agree(driven)
    assert found.samples == len(samples["seq"]) > 1000
    assert found.scorings == len(scoring["seq"]) > 10
    assert {*PHYSICS.by_name, *LAP.by_name} == samples.keys()
    assert (found.lap, found.session, found.version) == (header.lap, header.session, header.version)
    assert len(found.events) == len(header.events) > 0


def test_the_head_says_what_a_channel_is(driven: Case) -> None:
    for column in agree(driven).columns:
        table = SAMPLES if column.section == archive_pb2.SECTION_SAMPLES else SCORINGS
        channel = table[column.name]
        assert (column.unit, column.description) == (channel.unit, channel.description)


def test_events_and_gaps_come_back() -> None:
    header, samples, _ = random_case(1, 3, 0)
    header.lap.CopyFrom(lap_pb2.Lap(car=-3, driver="A. Alder", sector1=0.0))
    header.events.add(seq=2**64 - 1, car_left=event_pb2.CarLeft(car=7))
    header.gaps.add(first_seq=9, last_seq=8, reason=event_pb2.GAP_REASON_TORN)
    found = agree((header, samples, {}))
    assert (found.lap, found.events, found.gaps) == (header.lap, header.events, header.gaps)
    assert found.lap.HasField("sector1")
    assert not found.gaps[0].HasField("count")


ROWS = st.sampled_from([0, 1, 2, 7, 8, 9, 200])


@given(seed=st.integers(0, 2**32), rows=ROWS, scorings=ROWS)
def test_columns_of_every_kind_come_back_to_the_bit(seed: int, rows: int, scorings: int) -> None:
    agree(random_case(seed, rows, scorings))


@given(seed=st.integers(0, 2**32), rows=ROWS, share=st.sampled_from([0.0, 0.01, 0.5]))
def test_columns_with_neighbours_come_back_to_the_bit(seed: int, rows: int, share: float) -> None:
    agree(related_case(seed, rows, share))


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("rows", [0, 1, 2, 1000])
def test_every_channel_can_be_of_every_kind(rows: int, kind: Kind) -> None:
    rng = np.random.default_rng(rows)

    def filled(table: dict[str, Channel]) -> Columns:
        return {name: column(rng, channel, rows, [kind]) for name, channel in table.items()}

    agree((LapHeader(), filled(SAMPLES), filled(SCORINGS)))


def codings(headers: Sequence[LapHeader]) -> list[Coding]:
    columns = chain.from_iterable(header.columns for header in headers)
    return list(chain.from_iterable(column.codings for column in columns))


def test_these_files_use_all_that_the_page_names(driven: Case) -> None:
    cases = [driven, *(related_case(seed, 1000, 0.0) for seed in range(3))]
    cases += [random_case(seed, 1000, 200) for seed in range(3)]
    used = codings([*(agree(case) for case in cases), both(RAW_FILE)])
    assert {c.codec for c in used} == set(archive_pb2.Codec.values()) - {archive_pb2.CODEC_UNSPECIFIED}
    assert {c.prediction.formula for c in used} == set(archive_pb2.Formula.values())
    assert {c.held for c in used} == {False, True}
    assert {c.planes for c in used} >= {0, 1, 4, 8}
    assert any(c.grid for c in used)


# Damage on the way


SMALL = pack(*related_case(0, 40, 0.1))


def test_every_flipped_bit_of_the_fixed_part_raises() -> None:
    for bit in range(8 * 20):
        refused(flipped(SMALL, bit))


def flipped(data: bytes, bit: int) -> bytes:
    changed = bytearray(data)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


def refused(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        read(data)


@given(where=st.integers(0, 8 * len(SMALL) - 1))
def test_a_flipped_bit_raises(where: int) -> None:
    refused(flipped(SMALL, where))


@pytest.fixture(scope="module")
def lap_file(driven: Case) -> bytes:
    return pack(*driven)


@given(where=st.floats(0, 1, exclude_max=True))
def test_a_flipped_bit_of_a_whole_lap_raises(lap_file: bytes, where: float) -> None:
    refused(flipped(lap_file, int(where * 8 * len(lap_file))))


@given(where=st.floats(0, 1, exclude_max=True))
def test_a_whole_lap_cut_short_raises(lap_file: bytes, where: float) -> None:
    refused(lap_file[: int(where * len(lap_file))])


def test_every_truncation_raises() -> None:
    for size in range(len(SMALL)):
        refused(SMALL[:size])


def test_a_byte_too_many_raises() -> None:
    refused(SMALL + b"\0")
