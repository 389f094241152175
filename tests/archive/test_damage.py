"""Files beside and among the laps, damaged, gone or nobody's: what can be known is, and no lap goes."""

import json
import shutil
from pathlib import Path

import pytest

from rig.v1 import session_pb2
from rigd.archive.archiver import Archiver, Settings
from rigd.store.folder import LapFolder
from rigd.store.index import Index
from rigd.store.reindex import reindex
from tests.archive.tape import ROOMY, drained, restarted


@pytest.mark.parametrize("harm", ["cut", "flip", "empty"])
def test_a_damaged_file_is_set_aside_and_listed(archived: Path, harm: str) -> None:
    path = sorted(archived.glob("laps/*/[!.]*.lap"))[0]
    data = bytearray(path.read_bytes())
    if harm == "flip":
        data[len(data) // 2] ^= 4
    path.write_bytes({"cut": bytes(data[:-7]), "flip": bytes(data), "empty": b""}[harm])
    tally = reindex(archived)
    assert tally.damaged == 1
    index = Index(archived / "index.sqlite")
    lap = index.lap(f"sessions/{path.parent.name}/laps/{path.stem}")
    assert lap is not None
    assert lap.damage
    index.close()
    assert not path.exists()
    assert path.with_name(path.name + ".damaged").exists()


@pytest.mark.parametrize("content", [b"", b"{}", b"\xff", b'{"name": "sessions/another"}', None])
def test_a_session_that_cannot_be_read_is_what_its_laps_say(archived: Path, content: bytes | None) -> None:
    (path,) = archived.glob("laps/*/session.json")
    before = next(LapFolder(archived / "laps").sessions())
    path.unlink() if content is None else path.write_bytes(content)
    archiver = restarted(archived)
    (session,) = archiver.store.folder.sessions()
    assert (session.name, session.track_name) == (before.name, before.track_name)
    assert archiver.store.index.session(session.name) is not None
    archiver.close()
    assert [found.read_bytes() for found in reindex(archived).aside] == ([] if content is None else [content])


def test_a_flipped_bit_among_the_gone_deletes_no_other_lap(archived: Path) -> None:
    store = LapFolder(archived / "laps")
    gone, neighbour, *_ = store.laps()
    store.add_tombstone(gone, {"why": "deleted on request"})
    store.delete(gone)
    path = store.path(gone).with_name("gone.jsonl")
    path.write_bytes(path.read_bytes().replace(gone.encode(), neighbour.encode()))
    restarted(archived).close()
    assert store.path(neighbour).exists()
    assert len(reindex(archived).aside) == 1


def test_a_copied_file_under_another_name_is_not_believed(archived: Path) -> None:
    path = sorted(archived.glob("laps/*/[!.]*.lap"))[0]
    shutil.copy(path, path.with_name("car077-0001.lap"))
    assert reindex(archived).damaged == 1


def test_foreign_files_among_the_laps_stop_nobody(archived: Path) -> None:
    path = sorted(archived.glob("laps/*/[!.]*.lap"))[0]
    shutil.copy(path, path.with_name("copy of it.lap"))
    path.with_name("car100-0001.lap").mkdir()
    archiver = drained(Archiver(Settings(archived, ROOMY)))
    listed = archiver.store.index.count()
    archiver.close()
    path.with_name(".writing-car000-0009.lap").touch()  # whoever was at it was killed
    tally = reindex(archived)
    assert sorted(found.name for found in tally.foreign) == ["car100-0001.lap", "copy of it.lap"]
    assert tally.laps == listed


@pytest.mark.parametrize(
    "text", [b"", b"{", b"\xff", b'{"name": "sessions/another"}', b'{"laps": "many"}', None]
)
def test_a_session_that_cannot_be_read_is_made_anew_from_its_laps(archived: Path, text: bytes | None) -> None:
    """It stopped the archiver, and a reindex."""
    (path,) = archived.glob("laps/*/session.json")
    before = path.read_bytes()
    path.unlink() if text is None else path.write_bytes(text)
    archiver = Archiver(Settings(archived, ROOMY))
    (session,) = archiver.store.folder.sessions()
    archiver.close()
    assert session.name == f"sessions/{path.parent.name}"
    assert session.track_name.encode() in before
    assert text is None or path.with_name("session.json.damaged").read_bytes() == text
    assert reindex(archived).damaged == 0


def test_what_is_written_about_laps_of_other_sessions_deletes_nothing(archived: Path) -> None:
    path = sorted(archived.glob("laps/*/[!.]*.lap"))[0]
    other = archived / "laps/another-one"
    other.mkdir()
    lines = [
        json.dumps({"lap": f"sessions/{path.parent.name}/laps/{path.stem}", "why": "?"}).encode(),
        b'{"lap": 3}',
        b'{"why": "nothing"}',
        b"[1, 2]",
        b"\xff\xfe",
        b"[" * 30_000,
        json.dumps({"lap": "sessions/another-one/laps/car001-0001", "forced": True}).encode(),
    ]
    (other / "gone.jsonl").write_bytes(b"\n".join(lines))
    store = LapFolder(archived / "laps")
    assert list(store.tombstones("sessions/another-one")) == ["sessions/another-one/laps/car001-0001"]
    session = session_pb2.Session(name="sessions/another-one")
    store.put_session(session)
    Archiver(Settings(archived, ROOMY)).close()
    assert path.exists()
