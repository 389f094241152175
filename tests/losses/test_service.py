"""What is missing and what is wrong, asked through the server and told by the commands."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

import rigclient
from rig.errors import BadRequest, NotFound
from rig.v1 import event_pb2
from rigclient.cli.main import rig as command
from rigd import ring as rings
from tests.archive.tape import Tape, drained
from tests.stage import Stage, free_port

LOST = 7


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """A server over an archived race that has lost some frames, and an unknown number of updates."""
    folder = tmp_path_factory.mktemp("served")
    tape = Tape(folder / "data")
    tape.drive(20)
    for _ in range(LOST):
        tape.frame(lost=True)
    tape.drive(20)
    tape.numbers.lose(rings.SCORING, 0, event_pb2.GAP_REASON_RECORDER_DOWN, "nobody knows")
    tape.drive(5)
    tape.finish()
    drained(tape.archiver()).close()
    stage = Stage(folder / "buffers", tape.data, f"127.0.0.1:{free_port()}")
    server = stage.serve()
    yield stage
    server.terminate()
    server.wait(20)


def ask(here: Stage, *words: str) -> tuple[int, str]:
    done = CliRunner().invoke(command, ["--rig", here.address, *words], env={"COLUMNS": "160"})
    return done.exit_code, done.output


def test_received_and_missing_are_what_was_expected(here: Stage) -> None:
    with rigclient.connect(here.address) as rig:
        losses = rig.losses()
    assert [stream.stream for stream in losses.streams] == [1, 2, 3]
    for stream in losses.streams:
        assert stream.expected == stream.last_seq - stream.first_seq + 1
        assert stream.received + stream.missing == stream.expected
        assert stream.missing == sum(reason.missing for reason in stream.reasons)
    physics, scoring, _ = losses.streams
    assert (physics.missing, physics.reasons[0].reason) == (LOST, event_pb2.GAP_REASON_MISSED)
    assert (scoring.missing, scoring.reasons[0].uncounted) == (0, 1)
    (gap,) = (gap for gap in losses.gaps if gap.stream == event_pb2.STREAM_PHYSICS)
    assert (gap.last_seq - gap.first_seq + 1, gap.count) == (LOST, LOST)


async def test_the_asynchronous_client_is_answered_alike(here: Stage) -> None:
    with rigclient.connect(here.address) as rig:
        expected = rig.losses(stream="physics")
    async with rigclient.aio.connect(here.address) as other:
        assert await other.losses(stream="physics") == expected


def test_an_unknown_session_or_stream_is_refused(here: Stage) -> None:
    with rigclient.connect(here.address) as rig:
        with pytest.raises(NotFound, match="no session"):
            rig.losses("sessions/never")
        with pytest.raises(BadRequest):
            rig.losses(stream="smell")


def test_the_command_tells_counts_reasons_and_ranges(here: Stage) -> None:
    code, text = ask(here, "gaps")
    assert code == 0
    assert str(LOST) in text
    assert "faster than the recorder" in text
    code, text = ask(here, "gaps", "--json", "--stream", "physics")
    words = json.loads(text)
    assert [stream["missing"] for stream in words["streams"]] == [LOST]


def test_a_sound_rig_is_checked_and_a_spoiled_one_told_of(here: Stage) -> None:
    code, text = ask(here, "verify", "--deep")
    assert code == 0, text
    assert "nothing is wrong" in text
    note: Path = next(here.data.glob("laps/*/session.json")).with_name("notes.txt")
    note.write_text("mine")
    code, text = ask(here, "verify", "--json")
    note.unlink()
    assert code == 1
    assert [finding["kind"] for finding in json.loads(text)] == ["file-foreign"]
