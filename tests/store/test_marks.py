"""Marks: what may be marked, that a mark is durable at once, and how they are listed."""

import contextlib
import json
import math
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rig.v1 import laps_pb2, rig_pb2
from rigd.store.heartbeat import Heartbeat
from rigd.store.marks import Marks, mark_id
from rigd.wake import Listener
from tests.serve.scripted_recorder import START_NS, RemoteRecorder
from tests.store.test_finding import refused

MINUTE_NS = 60_000_000_000


def moment(number: int, **fields: Any) -> laps_pb2.Moment:
    usual: dict[str, Any] = {"name": f"marks/{mark_id(START_NS + number)}", "time_ns": START_NS, "status": 1}
    return laps_pb2.Moment(**usual | fields)


async def test_a_mark_is_kept_at_once_and_the_archiver_is_rung(
    recorder: RemoteRecorder, stub: Any, tmp_path: Path
) -> None:
    recorder.ticks(100)
    listener = Listener(tmp_path / "wake")
    request = laps_pb2.MarkRequest(
        time_ns=START_NS + 1_000_000_000, before_s=20, after_s=5, cars=[7, 3, 7], note="contact in turn 3"
    )
    mark = (await stub.Mark(request)).mark
    assert mark.name.startswith("marks/2")
    assert (mark.time_ns, mark.before_s, mark.after_s) == (START_NS + 1_000_000_000, 20, 5)
    assert (list(mark.cars), mark.note, mark.status) == (
        [3, 7],
        "contact in turn 3",
        laps_pb2.MOMENT_STATUS_PENDING,
    )
    assert Marks(tmp_path).pending() == [mark]
    assert b"" in listener.take()
    listener.close()
    assert list((await stub.ListMarks(laps_pb2.ListMarksRequest())).marks) == [mark]


async def test_without_a_time_it_is_now_and_the_near_future_may_be_marked(
    recorder: RemoteRecorder, stub: Any
) -> None:
    recorder.ticks(1)
    before = time.time_ns()
    now = (await stub.Mark(laps_pb2.MarkRequest(before_s=1))).mark.time_ns
    assert before <= now <= time.time_ns()
    ahead = time.time_ns() + MINUTE_NS
    assert (await stub.Mark(laps_pb2.MarkRequest(time_ns=ahead, after_s=120))).mark.time_ns == ahead


async def test_marks_of_the_same_moment_are_two(
    recorder: RemoteRecorder, stub: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorder.ticks(1)
    monkeypatch.setattr("rigd.serve.laps.marking.time.time_ns", lambda: START_NS + MINUTE_NS)
    names = [(await stub.Mark(laps_pb2.MarkRequest())).mark.name for _ in range(3)]
    assert len(set(names)) == 3
    assert names == sorted(names)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"before_s": math.nan}, "before_s is nan"),
        ({"after_s": math.nan}, "after_s is nan"),
        ({"before_s": -1.0}, "before_s is -1.0 .0 to 600"),
        ({"after_s": 600.5}, "after_s is 600.5"),
        ({"before_s": math.inf}, "before_s is inf"),
        ({"cars": range(129)}, "129 cars, the limit is 128"),
        ({"note": "x" * 1001}, "1001 characters, the limit is 1000"),
        ({"time_ns": 2**64 - 1, "after_s": 600.0}, "s ahead"),
    ],
)
async def test_what_cannot_be_marked_is_refused(
    recorder: RemoteRecorder, stub: Any, fields: dict[str, Any], words: str
) -> None:
    recorder.ticks(1)
    error = await refused(stub.Mark(laps_pb2.MarkRequest(**fields)))
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert words.replace(" .", " (") in str(error.details())


async def test_a_moment_that_the_ring_has_let_go_of_is_out_of_range(
    recorder: RemoteRecorder, stub: Any, tmp_path: Path
) -> None:
    recorder.ticks(1)
    error = await refused(stub.Mark(laps_pb2.MarkRequest(time_ns=START_NS, before_s=1)))
    assert error.code() is grpc.StatusCode.OUT_OF_RANGE
    assert "the ring begins 0.0 s after the moment" in str(error.details())
    assert not Marks(tmp_path).all()
    first = START_NS + 20_000_000
    assert (await stub.Mark(laps_pb2.MarkRequest(time_ns=first, before_s=1))).mark.time_ns == first


async def test_without_a_ring_nothing_can_be_marked(stub: Any) -> None:
    error = await refused(stub.Mark(laps_pb2.MarkRequest()))
    assert error.code() is grpc.StatusCode.UNAVAILABLE


async def test_no_more_marks_wait_than_the_limit(
    recorder: RemoteRecorder, stub: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rigd.serve.laps.marking.MAX_PENDING_MARKS", 2)
    recorder.ticks(1)
    marks = Marks(tmp_path)
    marks.put(moment(0, status=laps_pb2.MOMENT_STATUS_KEPT))
    for _ in range(2):
        await stub.Mark(laps_pb2.MarkRequest())
    error = await refused(stub.Mark(laps_pb2.MarkRequest()))
    assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    settled = marks.pending()[0]
    settled.status = laps_pb2.MOMENT_STATUS_KEPT
    marks.put(settled)
    await stub.Mark(laps_pb2.MarkRequest())
    assert len(marks.all()) == 4


def test_another_process_sees_what_a_mark_became(tmp_path: Path) -> None:
    server, archiver = Marks(tmp_path), Marks(tmp_path)
    server.put(moment(1))
    (mark,) = archiver.pending()
    assert server.pending() == [mark]
    mark.status = laps_pb2.MOMENT_STATUS_KEPT
    mark.laps.append("sessions/x/laps/mark-1-car003")
    assert archiver.pending()  # nothing is changed before it is put
    archiver.put(mark)
    assert server.get(mark.name.removeprefix("marks/")) == mark
    assert server.pending() == []
    assert server.get("another") is None


def test_a_file_that_is_no_mark_is_set_aside_and_keeps_no_other_waiting(tmp_path: Path) -> None:
    marks = Marks(tmp_path)
    marks.put(moment(1))
    (path,) = (tmp_path / "marks").iterdir()
    path.write_text('{"name": 3')
    marks.put(moment(2))
    assert len(marks.all()) == 1
    assert path.with_suffix(".damaged").exists()


@pytest.mark.parametrize(
    "changed",
    [
        {"name": "marks/../../elsewhere"},
        {"name": ""},
        {"before_s": "Infinity"},
        {"after_s": 1e30},
        {"before_s": -1},
        {"before_s": "NaN"},
    ],
)
def test_a_mark_that_nobody_can_keep_is_set_aside(tmp_path: Path, changed: dict[str, Any]) -> None:
    """One of another name was written to that place; one without an end stopped the archiver."""
    marks = Marks(tmp_path)
    marks.put(moment(1))
    (path,) = (tmp_path / "marks").iterdir()
    path.write_text(json.dumps(json.loads(path.read_text()) | changed))
    assert Marks(tmp_path).pending() == []
    assert path.with_suffix(".damaged").exists()


@pytest.mark.parametrize("data", [b"\xff\xfe", b'{"cars": ' + b"[" * 30_000, b""])
def test_a_mark_that_is_no_text_is_set_aside(tmp_path: Path, data: bytes) -> None:
    Marks(tmp_path).put(moment(1))
    (path,) = (tmp_path / "marks").iterdir()
    path.write_bytes(data)
    assert Marks(tmp_path).all() == []
    assert path.with_suffix(".damaged").exists()


@given(count=st.integers(0, 12), size=st.integers(1, 5), later=st.integers(0, 3))
def test_pages_of_marks_joined_are_all_newest_first(
    tmp_path_factory: pytest.TempPathFactory, count: int, size: int, later: int
) -> None:
    marks = Marks(tmp_path_factory.mktemp("marks"))
    for number in range(count):
        marks.put(moment(number, note=str(number)))
    request, found = laps_pb2.ListMarksRequest(page_size=size), []
    while True:
        answer = marks.page(request)
        found += [int(mark.note) for mark in answer.marks]
        for number in range(later):
            marks.put(moment(1000 + number, note="1000"))
        if not answer.next_page_token:
            break
        request.page_token = answer.next_page_token
    assert found == list(reversed(range(count)))


@given(st.integers(0, 2**61), st.integers(0, 2**61))
def test_ids_sort_as_their_times(one: int, other: int) -> None:
    assert (mark_id(one) < mark_id(other)) == (one < other)


async def test_marks_beyond_their_bytes_are_refused_with_limit_and_hint(
    recorder: RemoteRecorder, stub: Any, tmp_path: Path
) -> None:
    recorder.ticks(100)
    status = rig_pb2.ArchiverStatus(marks_limit_bytes=50_000_000, marks_room_bytes=30_000_000)
    with said(tmp_path, status):
        asked = laps_pb2.MarkRequest(before_s=60, cars=[1])
        await stub.Mark(asked)
        error = await refused(stub.Mark(laps_pb2.MarkRequest(before_s=600, after_s=600, cars=range(20))))
    assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert "marks may take 50000000, and room is left for 30000000" in str(error.details())
    assert "--keep-marks" in str(error.details())
    assert len(Marks(tmp_path).pending()) == 1


async def test_what_waits_takes_room_too(recorder: RemoteRecorder, stub: Any, tmp_path: Path) -> None:
    recorder.ticks(100)
    with said(tmp_path, rig_pb2.ArchiverStatus(marks_limit_bytes=50_000_000, marks_room_bytes=2_000_000)):
        asked = laps_pb2.MarkRequest(before_s=30, cars=[1])
        for _ in range(5):  # of 360 kB each
            await stub.Mark(asked)
        error = await refused(stub.Mark(asked))
    assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert "this mark and 5 that wait need about" in str(error.details())


@contextlib.contextmanager
def said(data: Path, status: rig_pb2.ArchiverStatus) -> Iterator[None]:
    """An archiver that says this again and again."""
    over = threading.Event()

    def say() -> None:
        while not over.wait(0.2):
            Heartbeat(data).beat(status)

    Heartbeat(data).beat(status)
    speaker = threading.Thread(target=say)
    speaker.start()
    try:
        yield
    finally:
        over.set()
        speaker.join()
