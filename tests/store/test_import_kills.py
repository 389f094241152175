"""Imports and the kill -9 of an archiver at any moment: a lap is there whole, with its session and its row,
or not at all.
"""

import os
from pathlib import Path
from typing import Any

import pytest

from rig.lapfile import LapFile
from rigd.store.commands import CommandQueue, process
from rigd.store.store import Store
from tests.store import import_laps
from tests.store.import_laps import SESSION, file
from tests.store.lap_store import samples

SAMPLED = import_laps.lap(2)


def test_uploads_that_nobody_goes_on_with_are_removed(tmp_path: Path) -> None:
    queue = CommandQueue(tmp_path)
    old, fresh, wanted = (queue.new_id() for _ in range(3))
    for command in (old, fresh, wanted):
        queue.upload(command).write_bytes(file(SAMPLED))
    queue.post_import(wanted, SAMPLED.name, import_laps.session(), user="", replaces=False)
    for command in (old, wanted):
        os.utime(queue.upload(command), (0, 0))
    queue.sweep()
    assert [queue.upload(one).exists() for one in (old, fresh, wanted)] == [False, True, True]
    queue.close()


_STEPS = ("put_session", "place", "relist", "done")


class Killed(BaseException):
    """What a kill -9 is to the code: nothing after it runs."""


@pytest.mark.parametrize("replaces", [False, True])
@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("step", _STEPS)
def test_a_kill_between_any_two_steps_loses_nothing(
    tmp_path: Path, step: str, after: bool, replaces: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    queue, store = CommandQueue(tmp_path), Store.open(tmp_path)
    if replaces:
        give(queue, store, file(SAMPLED, samples(100)))
        store.sync(SAMPLED.name)
    data = file(SAMPLED, samples())
    where: Any = CommandQueue if step == "done" else Store
    real = getattr(where, step)

    def killed(*words: Any, **more: Any) -> None:
        if after:
            real(*words, **more)
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(where, step, killed)
        with pytest.raises(Killed):
            give(queue, store, data, replaces=replaces)
    store.close()
    store = Store.open(tmp_path)
    store.folder.sweep()
    store.reconcile()
    process(queue, store)
    lap, session = store.index.lap(SAMPLED.name), store.index.session(SESSION)
    assert lap is not None
    assert session is not None
    assert (lap.digest, lap.synced, session.laps) == (LapFile(data).digest, False, 1)
    assert store.folder.path(SAMPLED.name).read_bytes() == data
    assert queue.take() == []
    store.index.check()
    store.close()
    queue.close()


def give(queue: CommandQueue, store: Store, data: bytes, *, replaces: bool = False) -> None:
    command = queue.new_id()
    queue.upload(command).write_bytes(data)
    queue.post_import(command, SAMPLED.name, import_laps.session(), user="", replaces=replaces)
    process(queue, store)


@pytest.mark.parametrize("kept", [("session.json", "gone.jsonl"), ("session.json",), ()])
def test_a_kill_while_a_session_is_removed_leaves_none(tmp_path: Path, kept: tuple[str, ...]) -> None:
    queue, store = CommandQueue(tmp_path), Store.open(tmp_path)
    give(queue, store, file(SAMPLED))
    folder = store.folder.path(SAMPLED.name).parent
    store.folder.add_tombstone(SAMPLED.name, {"why": "deleted on request"})
    for path in list(folder.iterdir()):
        if path.name not in kept:
            path.unlink()
    store.close()
    store = Store.open(tmp_path)
    store.folder.sweep()
    store.reconcile()
    assert not folder.exists()
    assert store.index.session(SESSION) is None
    store.close()
    queue.close()


def test_what_had_to_go_against_a_wish_stays_told(tmp_path: Path) -> None:
    queue, store = CommandQueue(tmp_path), Store.open(tmp_path)
    give(queue, store, file(SAMPLED))
    store.remove(SAMPLED.name, {"why": "the disk was full", "forced": True})
    store.reconcile()
    assert store.index.session(SESSION) is not None
    assert store.index.losses() == {SAMPLED.name: "the disk was full"}
    store.close()
    queue.close()
