"""`rig tail`: every record, every gap, and where to go on."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from rig.errors import UnknownChannel
from rig.v1 import event_pb2
from rigclient.cli.commands.bookmark import Bookmark, cursor_text
from rigclient.cli.commands.gaps import gap_text
from tests.cli import race
from tests.cli.conftest import Run
from tests.cli.rig_server import Server, cursor


def objects(text: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in text.splitlines()]


def test_json_numbers_are_numbers_and_missing_is_null(run: Run, server: Server) -> None:
    tick = race.physics(1, speed=[0.1, np.nan, 50.0], tyre_temp=np.nan, wheel_flat=[True, False, True, False])
    server.physics.messages = race.singles(tick)
    result = run("tail", "--json", "--count", "1", "--channels", "speed,gear,wheel_flat,tyre_temp")
    first, second, _ = objects(result.output)
    assert first["seq"] == 1
    assert first["capture_time_ns"] == race.START_NS + 20_000_000
    assert (first["car"], first["speed"], first["gear"]) == (7, 0.1, 4)
    assert first["wheel_flat"] == [True, False, True, False]
    assert first["tyre_temp"] == [None] * 12
    assert second["speed"] is None


def test_channels_stand_in_the_order_asked_for(run: Run, server: Server) -> None:
    server.physics.messages = race.singles(race.physics(1))
    text = run("tail", "--count", "1", "--channels", "speed,gear").output
    assert text.splitlines()[0].split() == ["seq", "clock", "car", "speed", "m/s", "gear"]
    assert text.splitlines()[1].split() == ["1", "0.020", "7", "50.000", "4"]


def test_all_channels_can_be_asked_for(run: Run, server: Server) -> None:
    server.physics.messages = race.singles(race.physics(1))
    (first, *_) = objects(run("tail", "--json", "--count", "1", "--channels", "all").output)
    assert {"speed", "orientation", "tyre_inner_temp"} <= first.keys()


def test_lines_are_aligned(run: Run, server: Server) -> None:
    server.physics.messages = race.singles(
        *(race.physics(seq, speed=[9.0, 99.0, 0.0]) for seq in range(98, 102))
    )
    lines = run("tail", "--count", "4").output.splitlines()
    assert len({len(line) for line in lines}) == 1


@pytest.mark.parametrize("extra", [(), ("--json",)])
def test_gaps_are_lines_of_their_own_where_they_are(run: Run, server: Server, extra: tuple[str, ...]) -> None:
    server.physics.messages = race.singles(race.physics(1), race.physics(5))
    server.physics.gaps[5] = race.gap(2, 4)
    lines = run("tail", "--count", "2", *extra).output.splitlines()
    said = lines[3 + (not extra)]
    if extra:
        found = json.loads(said)["gap"]
        assert (found["first_seq"], found["last_seq"], found["count"]) == (2, 4, 3)
        assert found["reason"] == "GAP_REASON_MISSED"
    else:
        assert said == "-- 3 records missing (2 to 4): the game was faster than the recorder"


def test_a_gap_nobody_can_count() -> None:
    gap = event_pb2.Gap(reason=event_pb2.GAP_REASON_RING_REPLACED, detail="another id")
    assert gap_text(gap) == "an unknown number of records missing: another ring began (another id)"


def test_scoring_has_channels_of_its_own(run: Run, server: Server) -> None:
    server.scoring.messages = race.singles(race.scoring(1, in_pits=[True, False, False]))
    lines = run("tail", "--stream", "scoring", "--cars", "all", "--count", "1").output.splitlines()
    assert "best_lap_time s" in lines[0]
    assert lines[1].split()[-1] == "yes"
    assert server.requests[0].cars.player is False


def test_events_in_words_and_as_objects(run: Run, server: Server) -> None:
    started = event_pb2.Event(seq=1, session=1)
    started.session_started.session_state.CopyFrom(race.session())
    lost = event_pb2.Event(seq=2, gap=race.gap(7, 7))
    flag = event_pb2.Event(seq=3, session_time=12.5)
    flag.flag_changed.game_phase = 6
    server.events.messages = [[(event.seq, event.SerializeToString())] for event in (started, lost, flag)]
    first, second, third = run("tail", "--stream", "events", "--count", "3").output.splitlines()
    assert "session started" in first
    assert "Hollow Pass" in first
    assert second == "-- 1 record missing (7 to 7): the game was faster than the recorder"
    assert "12.500 flag changed" in third
    assert third.endswith("full-course yellow")
    found = objects(run("tail", "--stream", "events", "--count", "3", "--json").output)
    assert found[1]["gap"] == {
        "stream": "STREAM_PHYSICS",
        "first_seq": 7,
        "last_seq": 7,
        "count": 1,
        "reason": "GAP_REASON_MISSED",
        "begin_time_ns": 0,
        "end_time_ns": 0,
        "detail": "",
        "session": 0,
    }


def test_nobody_in_the_session_is_said_once(run: Run, server: Server) -> None:
    server.physics.messages = race.singles(*(race.physics(seq, slots=()) for seq in (1, 2, 3)))
    lines = run("tail", "--count", "3").output.splitlines()
    assert lines == ["-- no such car in this session; --cars all shows everyone"]


def test_wishes_reach_the_rig(run: Run, server: Server) -> None:
    server.physics.messages = race.singles(race.physics(1), race.physics(2))
    text = cursor_text(cursor(1))
    run("tail", "--count", "1", "--cars", "3,7", "--rate", "10", "--start", text, "--channels", "gear")
    (request,) = server.requests
    assert list(request.cars.ids) == [3, 7]
    assert request.max_rate_hz == 10.0
    assert request.start.cursor == cursor(1)
    assert set(request.channels) == {"id", "gear"} or list(request.channels) == ["gear"]


@pytest.mark.parametrize("word", ["earliest", "running_lap"])
def test_starts_have_names(run: Run, server: Server, word: str) -> None:
    server.physics.messages = race.singles(race.physics(1))
    run("tail", "--count", "1", "--start", word)
    assert getattr(server.requests[0].start, word) is True


def test_a_cursor_file_goes_on_without_a_gap_or_a_repeat(run: Run, server: Server, tmp_path: Path) -> None:
    server.physics.messages = race.singles(*(race.physics(seq) for seq in range(1, 8)))
    file = tmp_path / "seen.cursor"
    seen = []
    for count in ("3", "2", "2"):
        result = run("tail", "--json", "--count", count, "--cursor-file", str(file), "--channels", "gear")
        seen += [found["seq"] for found in objects(result.output) if found["car"] == race.PLAYER]
    assert seen == [1, 2, 3, 4, 5, 6, 7]
    assert Bookmark(file).read() == cursor(7)
    assert os.listdir(tmp_path) == ["seen.cursor"]


def test_a_message_is_only_done_when_all_of_it_was_shown(run: Run, server: Server, tmp_path: Path) -> None:
    events = [(seq, event_pb2.Event(seq=seq).SerializeToString()) for seq in (1, 2, 3, 4)]
    server.events.messages = [events[:1], events[1:]]
    file = tmp_path / "seen.cursor"
    follow = ("tail", "--stream", "events", "--json", "--cursor-file", str(file), "--count")
    assert [found["seq"] for found in objects(run(*follow, "2").output)] == [1, 2]
    assert Bookmark(file).read() == cursor(1)
    assert [found["seq"] for found in objects(run(*follow, "3").output)] == [2, 3, 4]
    assert Bookmark(file).read() == cursor(4)


def test_goes_on_after_the_rig_was_away(run: Run, server: Server) -> None:
    server.physics.messages = race.singles(*(race.physics(seq, slots=(7,)) for seq in range(1, 6)))
    server.physics.breaks = {2: [None], 4: [None]}
    found = objects(run("tail", "--json", "--count", "5", "--channels", "gear").output)
    assert [one["seq"] for one in found] == [1, 2, 3, 4, 5]


def test_errors_of_the_rig_are_sentences(run: Run, server: Server) -> None:
    server.physics.refusal = UnknownChannel("Physics has no channel 'x'", hint="did you mean 'y'?")
    result = run("tail")
    assert result.exit_code == 2
    assert result.stderr.splitlines() == ["error: Physics has no channel 'x'", "hint: did you mean 'y'?"]


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("--channels", "sped"), 2, ("no channel 'sped'", "did you mean 'speed'?")),
        (("--start", "yesterday!"), 2, ("'yesterday!' is no cursor",)),
        (("--cars", "x"), 2, ("slot ids such as 3,7",)),
    ],
)
def test_wrong_words_are_refused(
    run: Run, arguments: tuple[str, ...], code: int, words: tuple[str, ...]
) -> None:
    result = run("tail", *arguments)
    assert result.exit_code == code
    assert all(word in result.stderr for word in words)


def test_a_cursor_file_that_is_none_is_refused(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "seen.cursor"
    file.write_bytes(b"\xff\xfe")
    result = run("tail", "--cursor-file", str(file))
    assert result.exit_code == 2
    assert "holds no cursor" in result.stderr
    assert "delete it" in result.stderr


IGNORED = ("sh", "-c", 'trap "" INT; exec "$@"', "sh")
"""What starts a command with Ctrl-C ignored."""


@pytest.mark.parametrize("ignored", [(), IGNORED], ids=["shell", "background"])
def test_ctrl_c_ends_without_a_word(server: Server, ignored: tuple[str, ...]) -> None:
    """Also where it was inherited ignored, as from a shell without job control. A shell does that here: a
    `preexec_fn` would fork this process, whose gRPC then writes to the child's standard error.
    """
    server.physics.messages = race.singles(race.physics(1))
    command = [*ignored, sys.executable, "-m", "rigclient", "--rig", server.address, "tail", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline()
        process.send_signal(signal.SIGINT)
        try:
            _, said = process.communicate(timeout=240)
        finally:
            process.kill()
    assert process.returncode == 130
    assert said == b""
