"""Pins and deletions go through the queue to whoever carries them out, and come back with an answer."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import pytest

from rig.errors import BadRequest, Corrupt, Exhausted, NotFound, Pinned
from rig.v1 import laps_pb2
from rigd.store import commands as queues
from rigd.store.commands import Command, CommandQueue, process
from rigd.wake import Listener
from tests.store.lap_store import CommandThread, LapStore, lap
from tests.store.test_finding import refused

NAME = lap().name


@pytest.fixture
def queue(tmp_path: Path) -> Iterator[CommandQueue]:
    made = CommandQueue(tmp_path)
    yield made
    made.close()


@pytest.fixture
def archiver(tmp_path: Path) -> Iterator[CommandQueue]:
    """The other end."""
    made = CommandQueue(tmp_path)
    yield made
    made.close()


async def test_a_pinned_lap_stays_pinned_and_cannot_be_deleted(
    lap_store: LapStore, command_thread: CommandThread, stub: Any
) -> None:
    lap_store.put(lap())
    assert (await stub.PinLap(laps_pb2.PinLapRequest(name=NAME))).lap.pinned
    assert (await stub.GetLap(laps_pb2.GetLapRequest(name=NAME))).lap.pinned
    error = await refused(stub.DeleteLap(laps_pb2.DeleteLapRequest(name=NAME)))
    assert error.code() is grpc.StatusCode.FAILED_PRECONDITION
    assert "is pinned" in str(error.details())
    assert lap_store.path(lap()).exists()
    assert not (await stub.UnpinLap(laps_pb2.UnpinLapRequest(name=NAME))).lap.pinned
    await stub.DeleteLap(laps_pb2.DeleteLapRequest(name=NAME))
    assert not lap_store.path(lap()).exists()
    assert (await refused(stub.GetLap(laps_pb2.GetLapRequest(name=NAME)))).code() is grpc.StatusCode.NOT_FOUND
    assert not os.listdir(lap_store.data / "inbox")


async def test_without_an_archiver_commands_are_taken_back(
    lap_store: LapStore, stub: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rigd.serve.laps.commands._ANSWER_WITHIN_S", 0.02)
    lap_store.put(lap())
    for call in (
        stub.PinLap(laps_pb2.PinLapRequest(name=NAME)),
        stub.UnpinLap(laps_pb2.UnpinLapRequest(name=NAME)),
        stub.DeleteLap(laps_pb2.DeleteLapRequest(name=NAME)),
    ):
        error = await refused(call)
        assert error.code() is grpc.StatusCode.UNAVAILABLE
        assert "start `rigd archive`" in str(error.details())
    assert not os.listdir(lap_store.data / "inbox")
    assert lap_store.path(lap()).exists()


async def test_an_archiver_that_has_begun_is_not_taken_for_absent(
    lap_store: LapStore, archiver: CommandQueue, stub: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rigd.serve.laps.commands._ANSWER_WITHIN_S", 0.02)
    post = CommandQueue.post

    def taken(self: CommandQueue, kind: str, name: str, *, user: str) -> str:
        command = post(self, kind, name, user=user)
        assert len(archiver.take()) == 1
        return command

    monkeypatch.setattr(CommandQueue, "post", taken)
    lap_store.put(lap())
    error = await refused(stub.PinLap(laps_pb2.PinLapRequest(name=NAME)))
    assert error.code() is grpc.StatusCode.UNAVAILABLE
    assert "has begun" in str(error.details())


def test_a_command_is_open_until_it_is_done(queue: CommandQueue, archiver: CommandQueue) -> None:
    first, second = queue.post("pin", "a"), queue.post("delete", "b")
    assert not queue.settled(first)
    commands = archiver.take()
    assert [(command.id, command.kind, command.name) for command in commands] == [
        (first, "pin", "a"),
        (second, "delete", "b"),
    ]
    assert not queue.settled(first)
    archiver.done(commands[0])
    assert queue.settled(first)
    assert not queue.settled(second)


def test_a_refusal_brings_the_error_once(queue: CommandQueue, archiver: CommandQueue) -> None:
    command = queue.post("delete", "a")
    archiver.refuse(archiver.take()[0], Pinned("a is pinned", hint="unpin it", name="a"))
    with pytest.raises(Pinned) as caught:
        queue.settled(command)
    assert (caught.value.message, caught.value.hint, caught.value.facts) == (
        "a is pinned",
        "unpin it",
        {"name": "a"},
    )
    assert not archiver.take()


def test_what_is_withdrawn_is_not_seen_and_what_is_taken_stays(
    queue: CommandQueue, archiver: CommandQueue
) -> None:
    assert queue.withdraw(queue.post("pin", "a"))
    assert archiver.take() == []
    command = queue.post("pin", "b")
    assert len(archiver.take()) == 1
    assert not queue.withdraw(command)


def test_what_a_killed_archiver_had_taken_is_taken_again(
    queue: CommandQueue, archiver: CommandQueue, tmp_path: Path
) -> None:
    command = queue.post("pin", "a")
    archiver.take()
    again = CommandQueue(tmp_path)
    assert [one.id for one in again.take()] == [command]
    again.close()


def test_a_command_rings_the_bell(queue: CommandQueue, tmp_path: Path) -> None:
    listener = Listener(tmp_path / "wake")
    queue.post("pin", "a")
    assert listener.take() == [b""]
    listener.close()


def test_half_written_commands_are_not_seen(
    queue: CommandQueue, archiver: CommandQueue, tmp_path: Path
) -> None:
    command = queue.post("pin", "a")
    path = tmp_path / "inbox" / f"{command}.order"
    path.rename(path.with_name(f".writing-{path.name}"))
    assert archiver.take() == []


def test_a_command_that_is_none_is_refused_and_keeps_no_other_waiting(
    archiver: CommandQueue, queue: CommandQueue, tmp_path: Path
) -> None:
    broken = queue.post("pin", "b")
    (tmp_path / f"inbox/{broken}.order").write_text("{}")
    queue.post("pin", "a")
    assert [command.name for command in archiver.take()] == ["a"]
    with pytest.raises(Corrupt, match="cannot be read"):
        queue.settled(broken)


def test_more_commands_than_the_limit_are_refused(
    queue: CommandQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queues, "MAX_COMMANDS", 2)
    queue.post("pin", "a")
    queue.post("pin", "b")
    with pytest.raises(Exhausted, match="2 commands wait"):
        queue.post("pin", "c")


def test_answers_that_nobody_came_for_are_forgotten_after_a_minute(
    queue: CommandQueue, archiver: CommandQueue, tmp_path: Path
) -> None:
    queue.post("pin", "a")
    (command,) = archiver.take()
    archiver.refuse(command._replace(id="0000000000000000001-1-0"), NotFound("long ago"))
    archiver.refuse(command, NotFound("there is no lap"))
    assert os.listdir(tmp_path / "inbox") == [f"{command.id}.refused"]


@pytest.mark.parametrize(
    "command",
    [
        b'{"kind": "pin", "name": ["a"]}',
        b'{"kind": 3, "name": "a"}',
        b'{"kind": "pin", "name": null}',
        b'{"kind": "pin", "name": "\\ud800"}',
        b"[]",
        b"\xff",
        b"[" * 30_000,
    ],
)
def test_a_command_of_other_things_than_words_is_refused_for_good(
    lap_store: LapStore, queue: CommandQueue, command: bytes
) -> None:
    """It stopped the archiver, and the next one, and the one after."""
    asked = queue.post("pin", "a")
    (lap_store.data / f"inbox/{asked}.order").write_bytes(command)
    process(queue, lap_store.store)
    with pytest.raises(Corrupt, match="cannot be read"):
        queue.settled(asked)
    assert not os.listdir(lap_store.data / "inbox")


def test_a_command_that_nobody_knows_is_refused(lap_store: LapStore, queue: CommandQueue) -> None:
    lap_store.put(lap())
    asked = queue.post("polish", NAME)
    process(queue, lap_store.store)
    with pytest.raises(BadRequest, match="there is no command 'polish'"):
        queue.settled(asked)


def test_files_that_are_named_otherwise_are_no_commands(archiver: CommandQueue, tmp_path: Path) -> None:
    for name in ("x.order", "notes.txt", "1-2.taken", "later.refused"):
        (tmp_path / "inbox" / name).write_text("{}")
    assert archiver.take() == []
    archiver.refuse(Command("1-2-3", "pin", "a", {}), NotFound("there is no lap"))
    assert len(os.listdir(tmp_path / "inbox")) == 4, "theirs, and ours is old enough to be forgotten"


@pytest.mark.parametrize("answer", [b"", b"\xff", b"3", b'{"reason": "PINNED"}', b"[" * 30_000])
def test_an_answer_that_cannot_be_read_is_a_refusal(
    queue: CommandQueue, tmp_path: Path, answer: bytes
) -> None:
    (tmp_path / "inbox/1-2-3.refused").write_bytes(answer)
    with pytest.raises(Corrupt, match="the answer cannot be read"):
        queue.settled("1-2-3")
    assert queue.settled("1-2-3")


def test_facts_of_an_answer_may_have_any_name(queue: CommandQueue, archiver: CommandQueue) -> None:
    asked = queue.post("pin", "a")
    (command,) = archiver.take()
    error = Pinned("it is pinned")
    error.facts = {"message": "one", "hint": "two"}
    archiver.refuse(command, error)
    with pytest.raises(Pinned) as caught:
        queue.settled(asked)
    assert caught.value.facts == error.facts
