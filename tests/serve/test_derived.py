"""Deltas, gaps and formulas of a stream, over a race that goes on while a real server streams it."""

import subprocess
import sys
import threading
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final, NamedTuple, cast

import grpc
import numpy as np
import pytest

import rigclient
from rig.channels import PHYSICS
from rig.columns import field, read_head
from rig.errors import BadRequest, Mismatch, MissingChannel, NotFound
from rig.v1 import event_pb2, session_pb2, telemetry_pb2
from rigclient.frames import PhysicsFrame
from rigd import ring as rings
from rigd.serve.derived.gaps import ClassOrder, gaps
from rigd.serve.derived.references import SessionReferences
from rigd.serve.derived.walk import Walk
from rigd.serve.recent import Tick
from rigd.store.store import StoreReader
from rigd.store.viewer import EVERYTHING, Viewer
from rigd.wake import Bell
from riglap.circuits.circuit import Circuit, read
from riglap.circuits.shelf import Shelf
from riglap.lap import Lap
from riglap.live import LiveDelta
from tests.archive.race_frames import Frame, RaceFrames
from tests.archive.tape import Tape
from tests.riglap.raced import Raced
from tests.serve.scripted_recorder import Handover
from tests.stage import Stage, stage, until

DERIVED: Final = list(PHYSICS.derived)
_LIVE_S: Final = (8, 16)
"""Seconds that are driven while somebody follows, before and after the archiver's turn."""

_UNCOMMITTED: Final = 75
"""Ticks that are followed before they are committed: 1.5 s."""

_RECORDED: Final = """
import sys; from pathlib import Path; from rigd import ring
for _, data in ring.RingReader(Path(sys.argv[1])).read(ring.PHYSICS, 0, 20, 1 << 24): print(bytes(data).hex())
"""
"""Prints the first records of a ring, which a process opens but once."""

Array = np.ndarray[Any, np.dtype[Any]]


class Followed(NamedTuple):
    """A race, what was sent of its end while it was driven, and where every car truly was."""

    here: Stage
    lap: Lap
    live: dict[int, dict[str, Array]]
    metres: Array
    """By frame and car."""
    tape: Tape


def columns(frame: PhysicsFrame) -> dict[str, Array]:
    return {name: values.copy() for name, values in frame.columns().items()}


def drive(tape: Tape, seconds: float, metres: list[Array]) -> None:
    with np.errstate(all="ignore"):
        for _ in range(round(seconds * tape.race.rate)):
            tape.frame()
            metres.append(tape.race.motion.s.copy())
    tape.commit()


def archive(tape: Tape) -> None:
    archiver = tape.archiver()
    try:
        while archiver.turn():
            pass
    finally:
        archiver.close()
    tape.resume()


@pytest.fixture(scope="module")
def followed() -> Iterator[Followed]:
    with stage() as here:
        tape = Tape(here.data, 4, shown=RaceFrames(4, True, real=True, seed=4), limit_bytes=1 << 30)
        metres: list[Array] = []
        drive(tape, 150, metres)
        archive(tape)
        laps = [lap for lap in Raced(here.data).laps() if lap.info.valid and lap.info.number]
        lap = min(laps, key=lambda one: one.info.lap_time or np.inf)
        here.serve()
        live: dict[int, dict[str, Array]] = {}
        with rigclient.connect(here.address) as rig:
            frames = rig.physics([*DERIVED, "kmh = speed [km/h]"], delta_reference=lap.info.name)
            count = sum(_LIVE_S) * tape.race.rate

            def follow() -> None:
                live.update((frame.seq, columns(frame)) for frame in islice(frames, count))

            following = threading.Thread(target=follow)
            following.start()
            until(lambda: bool(rig.status().followers))
            drive(tape, _LIVE_S[0], metres)
            archive(tape)
            drive(tape, _LIVE_S[1], metres)
            following.join(120)
        yield Followed(here, lap, live, np.array(metres), tape)
        tape.close()


def past(followed: Followed, count: int, **options: Any) -> dict[int, dict[str, Array]]:
    with rigclient.connect(followed.here.address) as rig:
        frames = rig.physics(
            [*DERIVED, "kmh = speed [km/h]"], delta_reference=followed.lap.info.name, **options
        )
        return {frame.seq: columns(frame) for frame in islice(frames, count)}


def same(found: dict[int, dict[str, Array]], live: dict[int, dict[str, Array]]) -> None:
    for seq in found.keys() & live.keys():
        for name, values in live[seq].items():
            assert np.allclose(found[seq][name], values, rtol=0, atol=1e-4, equal_nan=True), (seq, name)


def test_a_followed_tick_has_numbers(followed: Followed) -> None:
    assert len(followed.live) == sum(_LIVE_S) * followed.tape.race.rate
    for name in DERIVED:
        values = np.array([tick[name] for tick in followed.live.values()])
        assert values.dtype == np.float32
        assert np.isfinite(values).mean() > 0.3, name


def test_the_past_gives_what_was_sent_live_also_after_a_restart(followed: Followed) -> None:
    live, here = followed.live, followed.here
    first = min(live)
    began_ns = followed.tape.taken_ns - (max(live) - first) * round(1e9 / followed.tape.race.rate)
    again = past(followed, 300, start=began_ns / 1e9)
    assert len(again.keys() & live.keys()) > 200
    same(again, live)
    server = next(one for one in here.running if "serve" in one.args)  # type: ignore[operator]
    here.stop(server)
    here.serve()
    later = past(followed, 200, start=began_ns / 1e9 + sum(_LIVE_S) - 5)
    assert len(later.keys() & live.keys()) > 150
    same(later, live)


def test_the_reference_against_itself_loses_nothing(followed: Followed) -> None:
    info = followed.lap.info
    start = info.start_time_ns / 1e9
    ticks = past(followed, 400, start=start + 1)
    for tick in ticks.values():
        row = int(np.flatnonzero(tick["id"] == info.car)[0])
        assert abs(tick["delta_reference"][row]) < 0.005


def test_gaps_are_those_of_the_game(followed: Followed) -> None:
    """Since when the car ahead in class was where this one is, by where the simulated cars truly were: it has
    two classes of two.
    """
    classes = dict(zip(followed.tape.race.field.ids, followed.tape.race.field.class_of, strict=True))
    rate, length = followed.tape.race.rate, followed.tape.race.circuit.length
    ids = list(followed.tape.race.field.ids)
    behind = 0
    for seq, tick in list(followed.live.items())[::50]:
        now = {car: followed.metres[seq - 1, ids.index(car)] for car in tick["id"].tolist()}
        for row, car in enumerate(tick["id"].tolist()):
            told = float(tick["gap_ahead"][row])
            if not 0.2 < told < 60:
                continue
            gaps = [
                abs(_since(followed.metres[:seq, ids.index(other)], now[car], length, rate) - told)
                for other in ids
                if other != car and classes[other] == classes[car]
            ]
            assert len(gaps) == 1
            assert min(gaps) < 0.02, (seq, car, told, gaps)
            behind += 1
    assert behind > 20


def _since(metres: Array, place: float, length: float, rate: int) -> float:
    """Seconds since a car was at a place."""
    off = (metres - place + length / 2) % length - length / 2
    passed = np.flatnonzero((off[:-1] <= 0) & (off[1:] > 0) & (off[1:] - off[:-1] < 20))
    if not len(passed):
        return np.inf
    at = passed[-1]
    return float((len(metres) - 1 - (at + -off[at] / (off[at + 1] - off[at]))) / rate)


def test_a_formula_is_a_column_by_its_name(followed: Followed) -> None:
    with rigclient.connect(followed.here.address) as rig:
        names = ["speed", "kmh = speed [km/h]", "hard = tyre_pressure[fl] > 20 && kmh > 10"]
        for frame in islice(rig.physics(names, cars=[1], start="earliest"), 3):
            assert frame.channels == ["speed", "id", "kmh", "hard"]
            assert np.allclose(frame.kmh, frame.speed * 3.6, rtol=1e-6)
            assert len(frame) == 1
            assert frame.kmh.dtype == np.float32


@pytest.mark.parametrize(
    ("names", "error", "match"),
    [
        (["x = derivative(speed)"], BadRequest, "looks at other ticks"),
        (["x = speed + nonsense"], MissingChannel, "column 9: there is no channel 'nonsense'"),
        (["x = speed +"], BadRequest, "column"),
        (["speed = gear"], BadRequest, "no formula can be called 'speed'"),
        (["x = speed + rpm = 3"], BadRequest, "column"),
        (["x y = speed"], BadRequest, "no formula can be called"),
        ([f"x{at} = speed" for at in range(17)], BadRequest, "more than 16"),
        (["delta_reference"], BadRequest, "needs a lap"),
    ],
)
def test_odd_channels_are_refused(
    followed: Followed, names: list[str], error: type[Exception], match: str
) -> None:
    with (
        rigclient.connect(followed.here.address) as rig,
        pytest.raises(error, match=match),
    ):
        next(iter(rig.physics(names, start="earliest", reconnect=False)))


def test_a_lap_that_is_not_there_is_no_reference(followed: Followed) -> None:
    with rigclient.connect(followed.here.address) as rig, pytest.raises(NotFound, match="there is no lap"):
        next(iter(rig.physics(["delta_reference"], delta_reference="sessions/x/laps/y", reconnect=False)))


def test_a_lap_that_a_viewer_does_not_see_or_of_another_circuit_is_refused(followed: Followed) -> None:
    data = followed.here.data
    references = SessionReferences(StoreReader(data), Shelf(data / "circuits"), Viewer("someone"), "", 1)
    with pytest.raises(NotFound, match="there is no lap"):
        references.chosen(followed.lap.info.name, None)
    references = SessionReferences(StoreReader(data), Shelf(data / "circuits"), EVERYTHING, "", 1)
    elsewhere = session_pb2.SessionState(track_name="Elsewhere", track_length=4000)
    with pytest.raises(Mismatch, match="this session is on Elsewhere, 4000 m"):
        references.chosen(followed.lap.info.name, elsewhere)


def test_who_asks_for_none_of_this_gets_what_is_recorded(followed: Followed) -> None:
    """Byte for byte the record of the ring, whoever else follows."""
    with rigclient.connect(followed.here.address) as rig:
        (frame,) = islice(rig.physics(start="earliest"), 1)
        assert frame.channels == [name for name in frame.channels if name in PHYSICS.by_name]
        assert len(frame.channels) == len(PHYSICS.channels)
        (plain,) = islice(rig.physics(["speed"], start="earliest"), 1)
        (more,) = islice(rig.physics(["speed", "gap_ahead"], start="earliest"), 1)
        assert plain.channels == ["speed", "id"]
        assert more.channels == ["speed", "id", "gap_ahead"]
        assert np.array_equal(plain.speed, more.speed)
        assert np.isnan(more.gap_ahead).all()  # nobody has been anywhere before the first tick
        listed = {one.name for one in rig.channels() if one.derived}
    assert listed == set(DERIVED)


def test_messages_without_derived_channels_have_the_bytes_of_the_ring(followed: Followed) -> None:
    command = [sys.executable, "-c", _RECORDED, str(followed.here.data / "ring")]
    said = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout
    recorded = [bytes.fromhex(line) for line in said.split()]
    assert len(recorded) == 20
    request = telemetry_pb2.StreamPhysicsRequest(start=telemetry_pb2.Start(earliest=True))
    with grpc.insecure_channel(followed.here.address) as channel:
        stream: Any = channel.unary_stream(
            "/rig.v1.TelemetryService/StreamPhysics", request_serializer=lambda one: one.SerializeToString()
        )
        call = stream(request)
        sent = b"".join(islice(call, 21))
        call.cancel()
    for data in recorded:
        assert field(2, data) in sent


def test_a_car_without_a_reference_has_no_numbers(followed: Followed) -> None:
    """Before anybody has driven a lap."""
    first = past(followed, 3, start="earliest")
    for tick in first.values():
        for name in ("delta_personal_best", "delta_session", "predicted_lap"):
            assert np.isnan(tick[name]).all(), name


def test_without_a_circuit_there_are_no_numbers(followed: Followed) -> None:
    away = followed.here.data / "circuits.away"
    (followed.here.data / "circuits").rename(away)
    try:
        with rigclient.connect(followed.here.address) as rig:
            (frame,) = islice(rig.physics(["delta_personal_best", "gap_leader"], start="running_lap"), 1)
            assert np.isnan(frame.delta_personal_best).all()
            assert np.isnan(frame.gap_leader).all()
    finally:
        away.rename(followed.here.data / "circuits")


def surveyed(followed: Followed) -> Circuit:
    (path,) = (followed.here.data / "circuits").glob("*/v*.json")
    return read(path)


def test_a_leader_off_the_line_has_no_gap(followed: Followed) -> None:
    """Neither has who is behind: the leader was nowhere when that place was passed."""
    circuit = surveyed(followed)
    order = ClassOrder(np.array([0, 1]), np.array([-1, 0]), np.array([0, 0]))
    live = LiveDelta(circuit, 2)
    places = np.zeros((2, 3))
    places[:] = circuit.line.x[10], circuit.line.y[10], circuit.line.z[10]
    told = gaps(live, order, live.place(np.zeros(2), places))["gap_leader"]
    assert told[0] == 0
    places[0] += 500.0
    told = gaps(live, order, live.place(np.ones(2), places))["gap_leader"]
    assert np.isnan(told[0])


class Recorded:
    """The records of a tape, as a ring that a walk reads: the ring itself is open already."""

    def __init__(self, tape: Tape) -> None:
        self._records = {
            stream: list(enumerate(tape.values(stream), 1)) for stream in (rings.PHYSICS, rings.SCORING)
        }

    def ticks(self) -> list[Tick]:
        return [Tick(seq, read_head(data), data) for seq, data in self._records[rings.PHYSICS]]

    def read(self, stream: bytes, after: int, count: int, _most: int) -> list[tuple[int, bytes]]:
        return self._records[stream][after : after + count]

    def bisect(self, stream: bytes, before: Any) -> int:
        return sum(bool(before(data)) for _, data in self._records[stream])


def test_files_of_a_driver_who_joins_are_read_in_the_thread(
    followed: Followed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A swap in the pits: the entry list of the next scoring update names another driver."""
    tape = Tape(tmp_path, 2, shown=RaceFrames(2, True, real=True, seed=4))
    tape.drive(10)
    show = tape._screen.show

    def swapped(frame: Frame) -> None:
        show(frame)
        tape._screen.vehicles["mDriverName"][1] = b"N. Newcomer"

    monkeypatch.setattr(tape._screen, "show", swapped)
    tape.drive(2)
    recorded = Recorded(tape)
    tape.close()
    references = SessionReferences(
        StoreReader(followed.here.data), Shelf(followed.here.data / "circuits"), EVERYTHING, "", 1
    )
    references.circuit = surveyed(followed)
    references._session = session_pb2.Session(name="sessions/now", start_time_ns=1 << 62)
    pool = SimpleNamespace(references=lambda _: references, lap="")
    walk = Walk(cast("Any", recorded), cast("Any", pool), frozenset({"delta_personal_best"}))
    first, *ticks = recorded.ticks()
    walk.begin(first)
    walk.advance([first])
    heavy = []
    for tick in ticks:
        light, asked = walk.light([tick]), set(references._asked)
        walk.advance([tick])
        if references._asked != asked:
            heavy.append(tick.seq)
            assert not light, tick.seq
    assert any(who.driver == "N. Newcomer" for who in references._asked)
    assert 1 <= len(heavy) <= 3


def test_what_is_not_committed_has_the_numbers_that_it_keeps(followed: Followed) -> None:
    """Ticks, and the scoring updates and entry lists that count for them, come out of the live tail."""
    tape, here = followed.tape, followed.here
    handover, bell = Handover(tape.ring, here.data), Bell(here.data / "wake")

    def numbers() -> dict[bytes, int]:
        return {stream: seq - 1 for stream, seq in zip(rings.STREAMS, tape.numbers.following(), strict=True)}

    handover.commit(0, numbers())
    with rigclient.connect(here.address) as rig:
        until(lambda: not rig.status().why_not_live)
        frames = rig.physics([*DERIVED, "kmh = speed [km/h]"], delta_reference=followed.lap.info.name)
        following = threading.Thread(target=lambda: live.extend(islice(frames, _UNCOMMITTED)))
        live: list[PhysicsFrame] = []
        following.start()
        until(lambda: bool(rig.status().followers))
        for _ in range(_UNCOMMITTED):
            with np.errstate(all="ignore"):
                tape.frame()
            handover.append(tape.pending, numbers())
            tape.pending = []
            bell.ring()
        following.join(20)
        (physics,) = (span for span in rig.status().ring.spans if span.stream == event_pb2.STREAM_PHYSICS)
        assert physics.last_seq < live[0].seq, "nothing of it is committed"
        handover.end(numbers())
        found = past(followed, _UNCOMMITTED, start=live[0].head.capture_time_ns / 1e9 - 0.001)
    bell.close()
    assert found.keys() == {frame.seq for frame in live}
    same(found, {frame.seq: columns(frame) for frame in live})
    assert np.isfinite(live[-1].gap_leader).any()
