"""Whatever is done to the files of an archive: nothing that is not so is served, nothing else is touched, and
archiver and server go on.
"""

import os
import random
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from rig.v1 import session_pb2
from rigd.store.index import Index
from tests.faults.archived import Archive, archive
from tests.faults.campaign import SEED, campaign, tries
from tests.faults.spoil import spoiled

TRIES = tries(6, 200)
"""Of each kind of file."""


@pytest.fixture(scope="module")
def archived() -> Iterator[Archive]:
    """An archive in memory: it is laid out again for every try."""
    with (
        tempfile.TemporaryDirectory(prefix="rigd-test-", dir="/dev/shm") as folder,
        archive(Path(folder) / "data") as found,
    ):
        yield found


@pytest.fixture
def chance() -> random.Random:
    return random.Random(SEED)


def test_a_spoiled_lap_is_set_aside_and_listed(archived: Archive, chance: random.Random) -> None:
    name = "lap files: flipped bits, ends cut off, zero pages, swapped blocks, other bytes"
    with campaign(name, TRIES, "laps") as running:
        for _ in running.rounds():
            archived.lay_out()
            lap = chance.choice(sorted(archived.laps))
            path = archived.store.path(lap)
            harm, content = spoiled(path.read_bytes(), chance)
            path.write_bytes(content)
            assert not archived.tells_truth_or_refuses(lap), harm
            tally = archived.goes_on()
            assert (tally.damaged, tally.foreign, tally.aside) == (1, [], []), harm
            assert not archived.tells_truth_or_refuses(lap), harm
            assert [found.name for found in archived.listed() if found.damage] == [lap]
            assert path.with_name(f"{path.name}.damaged").read_bytes() == content
            archived.others_are_untouched(f"{path.parent.name}/{path.name}")
            assert len(archived.listed()) == len(archived.laps)
            running.lose(1, 1)


def test_a_spoiled_session_is_set_aside_and_made_of_its_laps(
    archived: Archive, chance: random.Random
) -> None:
    with campaign("session.json: the same", TRIES, "laps") as running:
        for _ in running.rounds():
            name, content = spoil_beside(archived, "session.json", chance)
            assert archived.tells_truth_or_refuses(min(archived.laps))
            tally = archived.goes_on()
            assert (tally.damaged, tally.foreign) == (0, [])
            assert tally.aside or list(archived.store.sessions()) == [archived.recorded]
            assert archived.kept(content)
            assert archived.tells_truth_or_refuses(max(archived.laps))
            assert len(archived.sessions()) == 1
            archived.others_are_untouched(name)


def test_a_spoiled_list_of_the_gone_buries_nobody(archived: Archive, chance: random.Random) -> None:
    with campaign("gone.jsonl: the same", TRIES, "laps") as running:
        for _ in running.rounds():
            name, content = spoil_beside(archived, "gone.jsonl", chance)
            tally = archived.goes_on()
            assert (tally.damaged, tally.foreign) == (0, [])
            gone = archived.store.tombstones(archived.session.name)
            assert gone == archived.gone or tally.aside or not content.strip()
            assert gone.items() <= archived.gone.items()
            assert archived.kept(content)
            assert archived.tells_truth_or_refuses(max(archived.laps))
            archived.others_are_untouched(name)


def spoil_beside(archived: Archive, own: str, chance: random.Random) -> tuple[str, bytes]:
    """Lay all out, and spoil a file of the session; its name and what it holds now."""
    archived.lay_out()
    (path,) = archived.data.glob(f"laps/*/{own}")
    _, content = spoiled(path.read_bytes(), chance)
    path.write_bytes(content)
    return f"{path.parent.name}/{own}", content


def test_a_spoiled_index_is_made_anew(archived: Archive, chance: random.Random) -> None:
    path = archived.data / "index.sqlite"
    with campaign("index.sqlite: the same", TRIES, "laps") as running:
        for _ in running.rounds():
            archived.lay_out()
            harm, content = spoiled(path.read_bytes(), chance)
            path.write_bytes(content)
            archived.tells_truth_or_refuses(min(archived.laps))
            archived.lives()
            assert archived.tells_truth_or_refuses(max(archived.laps)), harm
            assert len(archived.listed()) == len(archived.laps), harm
            archived.others_are_untouched()


Stranger = Callable[[Archive, Path], Path]


def a_copy(archived: Archive, folder: Path) -> Path:
    return Path(shutil.copy(archived.store.path(min(archived.laps)), folder / "copy of it.lap"))


def a_lap_of_another_name(archived: Archive, folder: Path) -> Path:
    return Path(shutil.copy(archived.store.path(min(archived.laps)), folder / "car077-0001.lap"))


def a_folder_like_a_lap(_: Archive, folder: Path) -> Path:
    (folder / "car078-0001.lap").mkdir()
    return folder / "car078-0001.lap"


def a_link_to_nothing(_: Archive, folder: Path) -> Path:
    (folder / "car079-0001.lap").symlink_to("nowhere")
    return folder / "car079-0001.lap"


def a_pin_without_a_lap(_: Archive, folder: Path) -> Path:
    (folder / "car080-0001.lap.pin").touch()
    return folder / "car080-0001.lap.pin"


def a_name_that_is_no_text(_: Archive, folder: Path) -> Path:
    path = Path(os.fsdecode(os.fsencode(folder) + b"/car\xff-0001.lap"))
    path.write_bytes(b"?")
    return path


def a_session_in_a_folder_of_another_name(_: Archive, folder: Path) -> Path:
    return Path(shutil.copytree(folder, folder.with_name("Copy of it")))


def a_session_under_another_name(_: Archive, folder: Path) -> Path:
    return Path(shutil.copytree(folder, folder.with_name("backup")))


def an_empty_folder(_: Archive, folder: Path) -> Path:
    (folder.parent / "nothing").mkdir()
    return folder.parent / "nothing"


def a_note(_: Archive, folder: Path) -> Path:
    (folder.parent / "read me.txt").write_text("backed up on Sunday")
    return folder.parent / "read me.txt"


def a_journal_of_another_index(archived: Archive, _: Path) -> Path:
    with tempfile.TemporaryDirectory() as other:
        index = Index(Path(other) / "index.sqlite")
        index.put_session(session_pb2.Session(name="sessions/another"))
        path = shutil.copy(Path(other) / "index.sqlite-wal", archived.data)
        index.close()
    return Path(path)


def noise_for_a_journal(archived: Archive, _: Path) -> Path:
    path = archived.data / "index.sqlite-wal"
    path.write_bytes(random.Random(1).randbytes(40_000))
    return path


def noise_for_a_rollback(archived: Archive, _: Path) -> Path:
    path = archived.data / "index.sqlite-journal"
    path.write_bytes(random.Random(2).randbytes(40_000))
    return path


STRANGERS: tuple[Stranger, ...] = (
    a_copy,
    a_lap_of_another_name,
    a_folder_like_a_lap,
    a_link_to_nothing,
    a_pin_without_a_lap,
    a_name_that_is_no_text,
    a_session_in_a_folder_of_another_name,
    a_session_under_another_name,
    an_empty_folder,
    a_note,
    a_journal_of_another_index,
    noise_for_a_journal,
    noise_for_a_rollback,
)


def test_strangers_among_the_laps_are_told_and_touch_nothing(archived: Archive) -> None:
    with campaign("foreign files among the laps and beside the index", len(STRANGERS), "laps") as running:
        for number in running.rounds():
            archived.lay_out()
            path = STRANGERS[number](archived, archived.store.path(min(archived.laps)).parent)
            tally = archived.goes_on()
            assert path.suffix != ".lap" or tally.foreign or tally.damaged, STRANGERS[number].__name__
            assert archived.tells_truth_or_refuses(max(archived.laps)), STRANGERS[number].__name__
            archived.others_are_untouched()
