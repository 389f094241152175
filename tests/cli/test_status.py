"""`rig status`: a report for people and for machines."""

import io
import json

import pytest
from click.testing import CliRunner

from rig.v1 import access_pb2, event_pb2, rig_pb2
from rigclient.cli.commands.status import report
from rigclient.cli.main import rig
from rigclient.cli.terminal.text import Console
from tests.cli.conftest import Run
from tests.cli.rig_server import Server

PAUSED = "Nothing has moved for 4 s: the game is paused, loading or in a menu."


def test_says_all_there_is(run: Run) -> None:
    result = run("status")
    assert result.exit_code == 0
    for word in (
        *("LIVE", "Telemetry is arriving.", "50.0 Hz", "5.0 Hz", "1000 captured", "998 committed"),
        *("4 missed, 1 torn", "21 ms", "0.50", "1.25", "4.00", "500.0 MB of 1.0 GB", "/data/ring"),
        *("3 min 20 s", "Y3Vyc29y", "ipv4:127.0.0.1:50000", "4711", "6.5 %", "20.0 MB"),
    ):
        assert word in result.output, word


def test_losses_of_scoring_and_leaps_of_a_counter_are_told(run: Run, server: Server) -> None:
    assert "scoring updates" not in run("status").output
    server.status.recorder.missed_updates, server.status.recorder.counter_jumps = 7, 2
    assert "4 missed, 1 torn, 7 scoring updates, 2 jumps of a counter" in run("status").output


def test_a_game_that_pauses_is_no_failure(run: Run, server: Server) -> None:
    server.status.recorder.source_state = "PAUSED"
    server.status.recorder.source_explanation = PAUSED
    result = run("status")
    assert result.exit_code == 0
    assert f"PAUSED  {PAUSED}" in result.output


def test_trouble_of_a_daemon_comes_first(run: Run, server: Server) -> None:
    now = server.status.time_ns = 10**18
    server.status.troubles.add(daemon="archive", what="the disk is full", since_ns=now - 12 * 10**9)
    server.status.archiver.urgency, server.status.archiver.nice = "pressed", 5
    server.status.archiver.behind, server.status.archiver.eviction = 3, 0.42
    result = run("status")
    assert "TROUBLE   archive for 12 s: the disk is full" in result.output
    assert "archiver pressed, nice 5; the next is 42% of its way out of the ring" in result.output


def test_absent_recorder_and_ring_are_said_in_words(run: Run, server: Server) -> None:
    server.status.CopyFrom(rig_pb2.GetStatusResponse(version="1.2.3"))
    result = run("status")
    assert result.exit_code == 0
    assert "NO RECORDER" in result.output
    assert "NO RING" in result.output
    assert "start `rigd record`" in result.output
    assert "nobody reads" in result.output


def test_an_empty_stream_holds_nothing_yet(run: Run, server: Server) -> None:
    server.status.ring.spans.add(stream=event_pb2.STREAM_EVENTS)
    assert "nothing yet" in run("status").output


def test_json_is_the_message_with_the_names_of_the_contract(run: Run) -> None:
    found = json.loads(run("status", "--json").output)
    assert found["recorder"]["physics_rate_hz"] == 50.0
    assert found["ring"]["spans"][0]["last_seq"] == 998


@pytest.mark.parametrize("arguments", [("status",), ("status", "--json"), ("tail",), ("tail", "--json")])
def test_without_a_rig_one_sentence_a_hint_and_a_failure(
    run: Run, nowhere: str, arguments: tuple[str, ...]
) -> None:
    result = run(*arguments, address=nowhere)
    assert result.exit_code == 3
    assert result.stdout == ""
    assert result.stderr.splitlines() == [
        f"error: no rig answers at {nowhere}",
        f"hint: is it running, and with that address? rigd run --address {nowhere}",
    ]


def test_the_address_can_come_from_the_environment(server: Server) -> None:
    result = CliRunner(env={"RIG_ADDRESS": server.address}).invoke(rig, ["status"])
    assert result.exit_code == 0
    assert server.address in result.output


@pytest.mark.parametrize("command", ["status", "channels", "tail", "watch"])
def test_every_command_helps_with_an_example(run: Run, command: str) -> None:
    found = run(command, "--help").output
    assert f"Example:\n    rig {command}" in found
    assert "--json" in found


def test_who_is_in_the_seat(server: Server) -> None:
    seat = access_pb2.GetSeatResponse(user="birch", since_time_ns=10**18, by_driver=True)
    console = Console(width=80, record=True, file=io.StringIO())
    console.print(report("rig", server.status, seat))
    assert "seat      birch, since 09 Sep" in console.export_text()
    console.print(report("rig", server.status, access_pb2.GetSeatResponse()))
    assert "seat      nobody" in console.export_text()


def test_a_rig_that_does_not_tell_of_its_seat_has_none(run: Run) -> None:
    result = run("status")
    assert (result.exit_code, "seat" in result.output) == (0, False)


def test_a_narrow_terminal_cuts_no_figure(server: Server) -> None:
    ring = server.status.ring
    ring.path = "/home/birch/.local/share/rigd/a-folder-with-a-long-name/and-another/ring"
    ring.spans[0].cursor = bytes(44)
    console = Console(width=80, record=True, file=io.StringIO())
    console.print(report("rig", server.status))
    shown = console.export_text()
    for line in (line for line in shown.splitlines() if "…" in line):
        assert line.count("…") == 1
        assert line.startswith(("physics", "scoring", "events", "ipv4:"))
    for whole in (
        "stream",
        "holds",
        "from seq",
        "to seq",
        "behind",
        "skipped",
        "missed",
        "channels",
        "since",
    ):
        assert whole in shown, whole
    assert ring.path in shown.replace("\n", "").replace(" ", "")
