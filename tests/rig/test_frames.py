"""The client's side: responses become frames without a copy, and streams go on after any break."""

import copy
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rig.channels import PHYSICS, SCORING
from rig.columns import Cut, Head, Layout, field, read_head
from rig.errors import (
    BadRequest,
    Corrupt,
    CursorExpired,
    ForeignCursor,
    MalformedCursor,
    RigError,
    RingMissing,
    Unavailable,
    UnknownChannel,
)
from rig.v1 import event_pb2, scoring_pb2, session_pb2, telemetry_pb2
from rigclient import requests
from rigclient.frames import Decoder, Envelope, Frame, PhysicsFrame, ScoringFrame
from rigclient.resume import Reception, framed, unpack_events
from tests.rig.samples import TAIL, head, record, same, template

GAP = event_pb2.Gap(first_seq=3, last_seq=6, count=4, reason=event_pb2.GAP_REASON_MISSED)


def tick(seq: int, rows: int = 3, **changes: Any) -> bytes:
    """A telemetry record whose first car has slot 10, the second 11, ..."""
    made = template(PHYSICS, rows, seed=seq)
    made.columns["id"][:] = range(10, 10 + rows)
    return made.pack(head(rows, seq=seq, **changes))


def update(seq: int, tail: bytes = TAIL) -> bytes:
    """A scoring record."""
    return template(SCORING, 2, seed=seq).pack(head(2, seq=seq, schema=SCORING.schema), tail)


def response(*records: bytes, cursor: bytes = b"c", gaps: tuple[event_pb2.Gap, ...] = ()) -> bytes:
    """A response in the order in which the server writes it: cursor, records, what leads them."""
    lead = b"".join(field(3, gap.SerializeToString()) for gap in gaps)
    return field(1, cursor) + b"".join(field(2, data) for data in records) + lead


def frames(data: bytes) -> list[PhysicsFrame]:
    return Decoder(PhysicsFrame).frames(data, Envelope(data))


def frame(data: bytes) -> PhysicsFrame:
    found = frames(response(data))
    assert len(found) == 1
    return found[0]


class TestEnvelope:
    def test_it_takes_a_response_apart(self) -> None:
        message = telemetry_pb2.StreamPhysicsResponse(
            cursor=b"where",
            gaps=[GAP, GAP],
            progress=telemetry_pb2.Progress(head_seq=9, time_ns=1),
            skipped=300,
        )
        envelope = Envelope(message.SerializeToString() + field(2, tick(7)))
        assert envelope.cursor == b"where"
        assert envelope.gaps == [GAP, GAP]
        assert envelope.progress == message.progress
        assert envelope.skipped == 300
        assert len(envelope.records) == 1

    @given(st.lists(st.integers(1, 4), max_size=6), st.booleans())
    def test_responses_joined_are_a_response(self, sizes: list[int], last: bool) -> None:
        """Each cursor is that of the last record before the next one."""
        parts, wanted = [], []
        for number, size in enumerate(sizes):
            parts.append(field(1, cursor := b"cursor %d" % number) + field(2, tick(7)) * size)
            wanted += [b""] * (size - 1) + [cursor]
        if last:  # one that stands after its records, as other servers may write it
            parts.append(field(1, b"the last"))
            wanted[-1:] = [b"the last"] * bool(wanted)
        envelope = Envelope(b"".join(parts))
        assert envelope.cursors() == wanted
        assert envelope.cursor == telemetry_pb2.StreamPhysicsResponse.FromString(b"".join(parts)).cursor

    def test_nothing_is_a_response_too(self) -> None:
        envelope = Envelope(b"")
        assert (envelope.cursor, envelope.records, envelope.gaps, envelope.progress) == (b"", [], [], None)

    @pytest.mark.parametrize(
        "later",
        [
            field(6, b"new"),
            field(16, b"new"),
            b"\x30\x05",
            b"\x31" + b"8 bytes!",
            b"\x35" + b"four",
            b"\x80\x01\x07",
        ],
        ids=["bytes", "bytes, high number", "varint", "fixed64", "fixed32", "varint, high number"],
    )
    def test_fields_of_the_future_are_passed_over(self, later: bytes) -> None:
        data = later + response(tick(7), gaps=(GAP,)) + later
        envelope = Envelope(data)
        assert (envelope.cursor, envelope.gaps) == (b"c", [GAP])
        assert [found.seq for found in frames(data)] == [7]

    @given(st.binary(max_size=100))
    def test_garbage_is_corrupt_or_harmless(self, garbage: bytes) -> None:
        read(garbage)

    @given(st.data())
    def test_a_damaged_response_is_corrupt_or_harmless(self, data: st.DataObject) -> None:
        damaged = bytearray(response(tick(1, rows=1), tick(2, rows=1), gaps=(GAP, GAP)))
        for _ in range(data.draw(st.integers(1, 4))):
            damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
        read(bytes(damaged[: data.draw(st.integers(0, len(damaged)))]))

    @given(st.data())
    def test_a_response_cut_off_is_corrupt_or_shorter(self, data: st.DataObject) -> None:
        whole = response(tick(1, rows=1), gaps=(GAP,))
        read(whole[: data.draw(st.integers(0, len(whole)))])

    @pytest.mark.parametrize(
        "wrong",
        [
            b"\x0a",
            b"\x0a\x05abc",
            b"\x12\xff\xff\xff\xff\x0f",
            b"\x28" + b"\xff" * 20,
            b"\x28" + b"\x80" * 20,
            b"\x0b\x00",
            b"\x31abc",
            field(3, b"\xff\xff"),
            field(4, b"\x09ab"),
        ],
    )
    def test_what_cannot_be_read_is_corrupt(self, wrong: bytes) -> None:
        with pytest.raises(Corrupt):
            Envelope(response(tick(1)) + wrong)


def read(data: bytes) -> None:
    """All that a client does with a response. Corrupt is allowed, any other error is not."""
    try:
        for found in frames(data):
            for column in found.columns().values():
                column.tolist()
            assert repr(found)
    except Corrupt:
        pass


class TestFrames:
    def test_every_channel_is_an_attribute(self) -> None:
        found, made = frame(tick(7)), template(PHYSICS, 3, seed=7)
        made.columns["id"][:] = [10, 11, 12]
        for channel in PHYSICS.channels:
            assert same(getattr(found, channel.name), made.columns[channel.name]), channel.name
        assert found.channels == [c.name for c in made.order]
        assert found.columns().keys() == PHYSICS.by_name.keys()

    def test_the_head_is_at_hand(self) -> None:
        found = frame(tick(7, session_time=61.25))
        assert (found.seq, found.session_time, len(found)) == (7, 61.25, 3)
        assert found.head == head(3, seq=7, session_time=61.25)
        assert (
            repr(found)
            == f"<PhysicsFrame 7: 3 cars, session 1 at 61.250 s, {len(PHYSICS.channels)} channels>"
        )

    def test_columns_are_the_received_bytes(self) -> None:
        data = response(tick(7), tick(8))
        received = np.frombuffer(data, np.uint8)
        for found in frames(data):
            for name, column in found.columns().items():
                assert np.shares_memory(column, received), name
                assert not column.flags.writeable, name

    def test_a_response_of_the_reference_implementation_is_read(self) -> None:
        """Protobuf leaves out what is zero, so the head is made of other numbers."""
        message = telemetry_pb2.StreamPhysicsResponse(cursor=b"here", gaps=[GAP])
        for seq in (7, 8):
            message.ticks.add().MergeFromString(tick(seq, after_gap=True, whole=True))
        data = message.SerializeToString()
        found = frames(data)
        assert [read.seq for read in found] == [7, 8]
        for got, seq in zip(found, (7, 8), strict=True):
            made = template(PHYSICS, 3, seed=seq)
            assert same(got.tyre_temp, made.columns["tyre_temp"])
            assert same(got.overheating, made.columns["overheating"])
            assert got.id.tolist() == [10, 11, 12]

    def test_a_channel_that_was_not_asked_for_is_no_attribute(self) -> None:
        whole = tick(7)
        cut = Cut(Layout(PHYSICS, whole, 0, len(whole)), PHYSICS.pick(["speed"]), None)
        found = frame(b"".join(cut(whole)))
        assert found.channels == ["speed", "id"]
        with pytest.raises(AttributeError, match="PhysicsFrame has no channel 'gear'; there are id, speed"):
            found.gear  # noqa: B018
        assert not hasattr(found, "nonsense")
        assert "speed" in dir(found)
        assert "gear" not in found.columns()

    def test_a_record_without_columns_has_a_head(self) -> None:
        found = frame(head(0, seq=7).pack())
        assert (found.seq, found.channels, found.columns()) == (7, [], {})
        with pytest.raises(AttributeError, match="no channel 'id'"):
            found.id  # noqa: B018

    def test_cars_are_rows(self) -> None:
        found = frame(tick(7, player=11))
        assert [car.id for car in found] == [10, 11, 12]
        car = found.car(12)
        assert car is not None
        assert car.id == 12
        assert same(car.tyre_temp, found.tyre_temp[2])
        assert np.array_equal(car.speed, found.speed[2], equal_nan=True)
        assert found.car(99) is None
        assert "speed" in dir(car)
        assert repr(car).startswith("<car 12 of <PhysicsFrame 7")
        with pytest.raises(AttributeError, match="no channel 'sped'; did you mean 'speed'"):
            _ = car.sped
        with pytest.raises(AttributeError, match="no channel 'nonsense'"):
            car.nonsense  # noqa: B018

    @pytest.mark.parametrize(("player", "wanted"), [(11, 11), (-1, None), (99, None)])
    def test_the_player_is_found_by_slot(self, player: int, wanted: int | None) -> None:
        car = frame(tick(7, player=player)).player
        assert (None if car is None else car.id) == wanted

    def test_a_tick_without_the_chosen_cars_is_empty(self) -> None:
        whole = tick(7)
        cut = Cut(Layout(PHYSICS, whole, 0, len(whole)), PHYSICS.channels, ())
        found = frame(b"".join(cut(whole)))
        assert (len(found), list(found), found.player, found.speed.tolist()) == (0, [], None, [])

    def test_a_frame_can_be_copied_and_sent_elsewhere(self) -> None:
        found = frame(tick(7))
        for other in (copy.copy(found), copy.deepcopy(found), pickle.loads(pickle.dumps(found))):
            assert isinstance(other, PhysicsFrame)
            assert other.head == found.head
            assert same(other.tyre_temp, found.tyre_temp)
        assert copy.copy(next(iter(found))).id == 10

    def test_frames_of_different_width_follow_one_another(self) -> None:
        decoder = Decoder(PhysicsFrame)
        for rows in (3, 5, 0, 3, 5):
            data = response(tick(rows, rows), tick(rows + 1, rows))
            for found in decoder.frames(data, Envelope(data)):
                made = template(PHYSICS, rows, seed=found.seq)
                assert same(found.position, made.columns["position"])

    def test_scoring_brings_the_session_and_sometimes_the_entries(self) -> None:
        entries = session_pb2.EntryList(entries=[session_pb2.Entry(id=3, driver_name="Jo")])
        number = scoring_pb2.Scoring.ENTRY_LIST_FIELD_NUMBER
        data = response(update(1, TAIL + field(number, entries.SerializeToString())), update(2))
        first, second = Decoder(ScoringFrame).frames(data, Envelope(data))
        assert first.entry_list == entries
        assert second.entry_list is None
        assert [found.session_state.track_name for found in (first, second)] == ["Sebring", "Sebring"]

    def test_a_damaged_session_is_corrupt(self) -> None:
        data = response(update(1, field(11, b"\xff\xff\xff")))
        found = Decoder(ScoringFrame).frames(data, Envelope(data))[0]
        with pytest.raises(Corrupt):
            found.session_state  # noqa: B018


def physics_reception(reconnect: bool = True, **options: Any) -> Reception[PhysicsFrame]:
    return Reception(requests.physics(**options), framed(Decoder(PhysicsFrame)), reconnect)


def received(**options: Any) -> Reception[PhysicsFrame]:
    """A reception that is under way: records up to 7 have come."""
    reception = physics_reception(**options)
    reception.take(response(tick(7), cursor=b"after 7"))
    return reception


def expired(seq: int, first: int) -> CursorExpired:
    return CursorExpired("gone", earliest="x", first_seq=first, seq=seq)


def spans(found: Frame) -> list[tuple[int, int, int]]:
    return [(gap.first_seq, gap.last_seq, gap.count) for gap in found.gaps]


@pytest.fixture
def steady(monkeypatch: pytest.MonkeyPatch) -> None:
    """Delays without their chance part."""
    monkeypatch.setattr("rigclient.resume.random.uniform", lambda low, high: high)


class TestReceiving:
    def test_gaps_and_skips_go_to_the_first_frame_and_the_cursor_to_the_last(self) -> None:
        reception = physics_reception()
        data = response(tick(7), tick(8), tick(9), gaps=(GAP,), cursor=b"after 9") + b"\x28\x05"
        first, middle, last = reception.take(data)
        assert (first.gaps, middle.gaps, last.gaps) == ((GAP,), (), ())
        assert (first.skipped, middle.skipped, last.skipped) == (5, 0, 0)
        assert (first.cursor, middle.cursor, last.cursor) == (b"", b"", b"after 9")
        assert reception.cursor == b"after 9"

    def test_it_asks_for_what_comes_next(self) -> None:
        reception = physics_reception(start="earliest", channels=["speed"])
        assert reception.next_request().start.earliest
        reception.take(response(tick(7), cursor=b"after 7"))
        assert reception.next_request().start.WhichOneof("at") == "cursor"
        assert reception.next_request().start.cursor == b"after 7"
        assert list(reception.request.channels) == ["speed"]  # type: ignore[attr-defined]

    def test_a_stream_that_began_at_a_cursor_has_it(self) -> None:
        assert physics_reception(start=b"before").cursor == b"before"

    def test_progress_brings_no_frames_but_a_position(self) -> None:
        reception = physics_reception()
        progress = telemetry_pb2.Progress(head_seq=41).SerializeToString()
        assert reception.take(field(1, b"after 41") + field(4, progress)) == []
        assert (reception.head_seq, reception.cursor) == (41, b"after 41")

    def test_what_progress_says_was_skipped_stands_before_the_next_frame(self) -> None:
        reception = received()
        progress = field(4, telemetry_pb2.Progress(head_seq=41).SerializeToString())
        for skipped in (b"\x28\x05", b"\x28\x03"):
            assert reception.take(progress + skipped) == []
        assert [found.skipped for found in reception.take(response(tick(17)) + b"\x28\x01")] == [9]
        assert [found.skipped for found in reception.take(response(tick(18)))] == [0]

    def test_a_message_without_a_cursor_leaves_the_position(self) -> None:
        reception = received()
        reception.take(field(2, tick(8)))
        assert reception.next_request().start.cursor == b"after 7"

    def test_a_gap_that_comes_alone_waits_for_the_next_frame(self) -> None:
        reception = received()
        assert reception.take(response(gaps=(GAP,))) == []
        first = reception.take(response(tick(12)))[0]
        assert first.gaps == (GAP,)
        assert reception.take(response(tick(13)))[0].gaps == ()

    def test_events_come_with_what_is_missing_before_them(self) -> None:
        reception = Reception(requests.events(), unpack_events, reconnect=True)
        event = event_pb2.Event(seq=8, recorder_started=event_pb2.RecorderStarted(version="5"))
        items = reception.take(response(event.SerializeToString(), gaps=(GAP,)))
        assert items == [event_pb2.Event(gap=GAP), event]

    def test_a_damaged_event_is_corrupt(self) -> None:
        reception = Reception(requests.events(), unpack_events, reconnect=True)
        with pytest.raises(Corrupt):
            reception.take(response(b"\xff\xff\xff"))


class TestRecovering:
    @pytest.mark.parametrize(
        "error", [Unavailable("down"), RingMissing("none"), expired(7, 20), ForeignCursor("other")]
    )
    def test_what_never_worked_is_not_repeated(self, error: RigError) -> None:
        with pytest.raises(type(error)):
            physics_reception().recover(error)

    def test_who_does_not_want_to_reconnect_gets_the_error(self) -> None:
        with pytest.raises(Unavailable):
            received(reconnect=False).recover(Unavailable("down"))

    @pytest.mark.parametrize(
        "error",
        [BadRequest("no"), UnknownChannel("no"), MalformedCursor("no"), Corrupt("no"), RigError("no")],
    )
    def test_what_asking_again_cannot_help_is_raised(self, error: RigError) -> None:
        with pytest.raises(type(error)):
            received().recover(error)

    @pytest.mark.usefixtures("steady")
    def test_a_server_that_is_away_is_asked_less_and_less_often(self) -> None:
        reception = received()
        delays = [reception.recover(Unavailable("down")) for _ in range(9)]
        assert delays == pytest.approx([0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 2.0, 2.0, 2.0])
        reception.take(response(tick(8)))
        assert reception.recover(Unavailable("down")) == pytest.approx(0.05)

    def test_delays_differ_so_that_clients_do_not_come_at_once(self) -> None:
        delays = [received().recover(Unavailable("down")) for _ in range(50)]
        assert len(set(delays)) > 1
        assert all(0.025 <= delay <= 0.05 for delay in delays)

    @pytest.mark.usefixtures("steady")
    def test_after_being_away_it_goes_on_at_its_position(self) -> None:
        reception = received()
        reception.recover(RingMissing("none"))
        assert reception.next_request().start.cursor == b"after 7"
        assert reception.reconnects == 0
        assert [found.seq for found in reception.take(response(tick(8)))] == [8]
        assert reception.reconnects == 1

    def test_an_expired_position_is_a_gap_and_a_start_at_the_oldest(self) -> None:
        reception = received()
        assert reception.recover(expired(seq=7, first=20)) == 0.0
        assert reception.next_request().start.WhichOneof("at") == "earliest"
        first = reception.take(response(tick(20)))[0]
        assert spans(first) == [(8, 19, 12)]
        assert first.gaps[0].reason == event_pb2.GAP_REASON_EVICTED

    def test_what_goes_while_asking_again_is_in_the_gap(self) -> None:
        reception = received()
        reception.recover(expired(seq=7, first=20))
        first = reception.take(response(tick(25)))[0]
        assert spans(first) == [(8, 24, 17)]

    def test_what_the_server_declares_itself_is_not_counted_twice(self) -> None:
        reception = received()
        reception.recover(expired(seq=7, first=20))
        declared = event_pb2.Gap(first_seq=23, last_seq=24, count=2, reason=event_pb2.GAP_REASON_MISSED)
        first = reception.take(response(tick(30), gaps=(declared,)) + b"\x28\x04")[0]
        # 25 is the oldest but for 2 declared missing and 4 skipped: 20 to 23 went meanwhile.
        assert sum(gap.count for gap in first.gaps) + first.skipped == 30 - 8
        assert spans(first)[1] == (23, 24, 2)

    @pytest.mark.parametrize(
        "facts", [{}, {"seq": "7"}, {"seq": "7", "first_seq": "many"}, {"seq": "9" * 5000, "first_seq": "1"}]
    )
    def test_an_expiry_that_is_not_told_in_numbers_is_a_gap_that_nobody_can_count(
        self, facts: dict[str, str]
    ) -> None:
        reception = received()
        assert reception.recover(CursorExpired("gone", **facts)) == 0.0
        (gap,) = reception.take(response(tick(20)))[0].gaps
        assert (gap.reason, gap.HasField("count")) == (event_pb2.GAP_REASON_EVICTED, False)

    def test_gaps_that_end_before_they_begin_are_corrupt(self) -> None:
        reception = received()
        reception.recover(expired(seq=7, first=20))
        backwards = event_pb2.Gap(first_seq=2**64 - 1, last_seq=0)
        with pytest.raises(Corrupt, match="its first number"):
            reception.take(response(tick(30), gaps=(backwards,)))

    def test_expiry_while_away_is_still_told(self) -> None:
        reception = received()
        reception.recover(expired(seq=7, first=20))
        reception.recover(Unavailable("down"))
        assert spans(reception.take(response(tick(20)))[0]) == [(8, 19, 12)]

    def test_another_ring_is_a_gap_that_nobody_can_count(self) -> None:
        reception = received()
        assert reception.recover(ForeignCursor("another ring")) == 0.0
        assert reception.next_request().start.earliest
        gap = reception.take(response(tick(1)))[0].gaps[0]
        assert gap.reason == event_pb2.GAP_REASON_RING_REPLACED
        assert not gap.HasField("count")
        assert gap.detail == "another ring"

    def test_events_know_their_numbers_too(self) -> None:
        reception = Reception(requests.events(), unpack_events, reconnect=True)
        reception.take(response(event_pb2.Event(seq=7).SerializeToString()))
        reception.recover(expired(seq=7, first=20))
        lost, event = reception.take(response(event_pb2.Event(seq=22).SerializeToString()))
        assert (lost.gap.first_seq, lost.gap.last_seq, lost.gap.count) == (8, 21, 14)
        assert event.seq == 22

    @given(
        st.lists(
            st.tuples(st.sampled_from(["message", "away", "expired"]), st.integers(1, 3), st.integers(0, 5)),
            max_size=20,
        )
    )
    def test_received_and_missing_is_all(self, story: list[tuple[str, int, int]]) -> None:
        """A server that keeps few records: whatever breaks, every number arrives or is declared."""
        reception = received()
        at = 7
        shown = {7}
        for what, count, lost in [*story, ("message", 1, 0)]:
            if what == "away":
                reception.recover(Unavailable("down"))
                continue
            if what == "expired" and lost:
                if reception.next_request().start.WhichOneof("at") == "cursor":
                    reception.recover(expired(seq=at, first=at + lost + 1))
                at += lost
            found = reception.take(response(*(tick(at + i, 1) for i in range(1, count + 1))))
            shown |= {read.seq for read in found}
            shown |= {seq for gap in found[0].gaps for seq in range(gap.first_seq, gap.last_seq + 1)}
            assert all(gap.count == gap.last_seq - gap.first_seq + 1 for gap in found[0].gaps)
            at += count
        assert shown == set(range(7, at + 1))


class TestRequests:
    @pytest.mark.parametrize(
        ("start", "wanted"),
        [
            ("now", {}),
            ("earliest", {"earliest": True}),
            ("running_lap", {"running_lap": True}),
            (b"cursor", {"cursor": b"cursor"}),
            (1_700_000_000.5, {"time_ns": 1_700_000_000_500_000_000}),
            (12, {"time_ns": 12_000_000_000}),
        ],
    )
    def test_a_start_is_said_in_one_way(self, start: Any, wanted: dict[str, Any]) -> None:
        assert requests.position(start) == telemetry_pb2.Start(**wanted)

    @pytest.mark.parametrize("make", [requests.physics, requests.scoring])
    def test_wishes_are_passed_on(self, make: Callable[..., Any]) -> None:
        request = make(["speed"], [3, 4], max_rate_hz=10.0, delivery="latest", ticks_per_message=8, gzip=True)
        assert (list(request.channels), list(request.cars.ids)) == (["speed"], [3, 4])
        assert (request.max_rate_hz, request.ticks_per_message) == (10.0, 8)
        assert request.delivery == telemetry_pb2.DELIVERY_LATEST
        assert request.compression == telemetry_pb2.COMPRESSION_GZIP
        assert make(cars="player").cars == telemetry_pb2.Cars(player=True)
        assert make() == type(request)(
            cars=telemetry_pb2.Cars(),
            start=telemetry_pb2.Start(),
            delivery=telemetry_pb2.DELIVERY_COMPLETE,
            ticks_per_message=1,
        )


def test_what_the_server_cuts_is_what_the_client_reads() -> None:
    """One record, all the way: cut on the server, framed in a response, read as a frame."""
    whole = record(PHYSICS, 4)
    wanted = PHYSICS.pick(["throttle", "tyre_temp"])
    cut = b"".join(Cut(Layout(PHYSICS, whole, 0, len(whole)), wanted, (3, 1))(whole))
    found = frame(cut)
    made = template(PHYSICS, 4)
    assert found.head == read_head(whole)._replace(rows=2)
    assert isinstance(found.head, Head)
    assert same(found.throttle, made.columns["throttle"][[3, 1]])
    assert same(found.tyre_temp, made.columns["tyre_temp"][[3, 1]])
