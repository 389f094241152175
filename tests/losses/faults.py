"""Faults for a sound data directory: each is planted with care, so that nothing but itself is wrong."""

import contextlib
import json
import sqlite3
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import lmdb
import numpy as np

from rig.channels import PHYSICS
from rig.columns import Layout, read_head
from rig.lapfile import SAMPLES, SCORINGS, LapFile, pack
from rig.v1 import event_pb2, lap_pb2
from rigd import ring as rings
from rigd.losses.account import GAP, AccountEntry
from rigd.losses.journal import LossJournal, read_journal
from rigd.ring import gap_key, key
from rigd.ring.tables import CHECKS, check_key
from rigd.store.checksummed import dump_json, load_json
from rigd.store.index import Index
from rigd.store.index.rows import pack_message, unpack_message

Plant = Callable[[Path], None]
TICK = 450
"""A tick that is in laps."""


class Ring:
    """A ring that is written behind its back."""

    def __init__(self, data: Path) -> None:
        self._env = lmdb.open(str(data / "ring"), max_dbs=8, map_size=1 << 30)
        names = (*rings.STREAMS, rings.GAPS, CHECKS, rings.META)
        self.dbs = {name: self._env.open_db(name) for name in names}
        self.txn = self._env.begin(write=True)

    def __enter__(self) -> "Ring":
        return self

    def __exit__(self, *_: object) -> None:
        self.txn.commit()
        self._env.close()

    def get(self, stream: bytes, seq: int) -> bytes:
        value = self.txn.get(key(seq), db=self.dbs[stream])
        assert value is not None
        return bytes(value)

    def put(self, table: bytes, at: bytes, value: bytes) -> None:
        self.txn.put(at, value, db=self.dbs[table])

    def forge(self, stream: bytes, seq: int, value: bytes) -> None:
        """A record with the checksum that belongs to it."""
        self.put(stream, key(seq), value)
        self.put(CHECKS, check_key(stream, key(seq)), zlib.crc32(value).to_bytes(4, "big"))

    def drop(self, stream: bytes, seq: int) -> None:
        """A record and its checksum."""
        self.txn.delete(key(seq), db=self.dbs[stream])
        self.txn.delete(check_key(stream, key(seq)), db=self.dbs[CHECKS])

    def gaps(self) -> list[tuple[bytes, event_pb2.Gap]]:
        """Rows of the table of gaps."""
        rows = self.txn.cursor(self.dbs[rings.GAPS])
        return [(bytes(at), event_pb2.Gap.FromString(value)) for at, value in rows]

    def events(self) -> list[event_pb2.Event]:
        return [event_pb2.Event.FromString(value) for _, value in self.txn.cursor(self.dbs[rings.EVENTS])]


def lap(data: Path, number: int = 0) -> Path:
    """The file of a lap."""
    return sorted(data.glob("laps/*/[!.]*.lap"))[number]


def folder(data: Path) -> Path:
    """The folder of the session."""
    return lap(data).parent


def flipped(value: bytes, at: int) -> bytes:
    return value[:at] + bytes([value[at] ^ 4]) + value[at + 1 :]


def with_head(value: bytes, **changed: Any) -> bytes:
    head = read_head(value)._replace(**changed).pack()
    return head + value[len(head) :]


def with_speed(value: bytes) -> bytes:
    """A tick in which a car is a little faster."""
    copy = bytearray(value)
    Layout(PHYSICS, copy, 0, len(copy)).view(copy, 0)["speed"][0] += np.float32(0.25)
    return bytes(copy)


# The ring.


def ring(change: Callable[[Ring], None]) -> Plant:
    def plant(data: Path) -> None:
        with Ring(data) as found:
            change(found)

    return plant


def tick(change: Callable[[bytes], bytes], *, forged: bool = True, stream: bytes = rings.PHYSICS) -> Plant:
    """A changed record, with or without the checksum that belongs to it."""

    def plant(found: Ring) -> None:
        value = change(found.get(stream, TICK if stream == rings.PHYSICS else 2))
        if forged:
            found.forge(stream, TICK if stream == rings.PHYSICS else 2, value)
        else:
            found.put(stream, key(TICK), value)

    return ring(plant)


def fill_gap(found: Ring) -> None:
    gap = next(gap for _, gap in found.gaps() if gap.count)
    found.forge(rings.PHYSICS, gap.first_seq, with_head(found.get(rings.PHYSICS, TICK), seq=gap.first_seq))


def drop_gap_event(found: Ring) -> None:
    found.drop(rings.EVENTS, next(event.seq for event in found.events() if event.HasField("gap")))


def drop_gap_row(found: Ring) -> None:
    found.txn.delete(found.gaps()[0][0], db=found.dbs[rings.GAPS])


def change_gap_row(found: Ring) -> None:
    at, gap = found.gaps()[0]
    gap.detail = "nobody was to blame"
    found.put(rings.GAPS, at, gap.SerializeToString())


def invent_gap(found: Ring) -> None:
    gap = event_pb2.Gap(stream=event_pb2.STREAM_SCORING, first_seq=2, last_seq=1)
    found.put(rings.GAPS, gap_key(rings.SCORING, 2, 3), gap.SerializeToString())


def invent_checksum(found: Ring) -> None:
    found.put(CHECKS, check_key(rings.PHYSICS, key(1 << 40)), b"none")


def drop_checksum(found: Ring) -> None:
    found.txn.delete(check_key(rings.PHYSICS, key(TICK)), db=found.dbs[CHECKS])


def truncate_ring(data: Path) -> None:
    path = data / "ring/data.mdb"
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


# Laps.


def file(change: Callable[[bytes], bytes]) -> Plant:
    def plant(data: Path) -> None:
        lap(data).write_bytes(change(lap(data).read_bytes()))

    return plant


def repacked(change: Callable[[Any, dict[str, Any]], None]) -> Plant:
    """A lap file that is sound in itself, and lies."""

    def plant(data: Path) -> None:
        source = LapFile(lap(data).read_bytes())
        samples = {name: values.copy() for name, values in source.columns((), SAMPLES).items()}
        change(source.header, samples)
        lap(data).write_bytes(pack(source.header, samples, source.columns((), SCORINGS)))
        with index(data) as db:
            list_again(db, data)

    return plant


def list_again(db: sqlite3.Connection, data: Path) -> None:
    """The row of a lap whose file has another size by now."""
    file, size = LapFile(lap(data).read_bytes()), lap(data).stat().st_size
    name = file.header.lap.name
    found = "SELECT id, seat, bytes, lap_message FROM lap JOIN message ON message.lap = lap.id WHERE name = ?"
    row, seat, old, message = db.execute(found, (name,)).fetchone()
    known = unpack_message(lap_pb2.Lap, message)
    known.bytes, known.digest = size, file.digest
    if not file.header.lap.HasField("green"):
        known.ClearField("green")
    db.execute("UPDATE lap SET bytes = ? WHERE id = ?", (size, row))
    db.execute("UPDATE message SET lap_message = ? WHERE lap = ?", (pack_message(known), row))
    db.execute("UPDATE seat SET bytes = bytes + ? WHERE id = ?", (size - old, seat))


def faster(_: Any, samples: dict[str, Any]) -> None:
    samples["speed"][7] += np.float32(0.25)


def without_gaps(header: Any, _: dict[str, Any]) -> None:
    del header.gaps[:]


def without_events(header: Any, _: dict[str, Any]) -> None:
    del header.events[:]


def without_green(header: Any, _: dict[str, Any]) -> None:
    header.lap.ClearField("green")


def add_tombstone(data: Path) -> None:
    name = LapFile(lap(data).read_bytes()).header.lap.name
    (folder(data) / "gone.jsonl").write_text(json.dumps({"lap": name, "why": "it was in the way"}) + "\n")


# The index.


@contextlib.contextmanager
def index(data: Path) -> Iterator[sqlite3.Connection]:
    db = sqlite3.connect(data / "index.sqlite", isolation_level=None)
    try:
        yield db
    finally:
        db.close()


def sql(statement: str) -> Plant:
    def plant(data: Path) -> None:
        with index(data) as db:
            assert db.execute(statement).rowcount

    return plant


def list_too_much(data: Path) -> None:
    """A lap and a session that are nowhere else."""
    found = Index(data / "index.sqlite")
    listed = LapFile(lap(data).read_bytes()).header
    listed.lap.name += "9"
    found.put_lap(listed.lap)
    listed.session.name += "9"
    found.put_session(listed.session)
    found.close()


def garble_index(data: Path) -> None:
    with index(data) as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    path = data / "index.sqlite"
    path.write_bytes(path.read_bytes()[:5000] + b"\x55" * (path.stat().st_size - 5000))


# Sessions and their journals.


def rename_session(data: Path) -> None:
    folder(data).rename(data / "laps/20261126-000000-elsewhere-race-0000-1")


def flip_journal(data: Path) -> None:
    path = folder(data) / "losses.log"
    path.write_bytes(flipped(path.read_bytes(), 50))


def journal(change: Callable[[list[AccountEntry]], list[AccountEntry]]) -> Plant:
    """A journal that is sound in itself, and lies."""

    def plant(data: Path) -> None:
        path, session = folder(data) / "losses.log", f"sessions/{folder(data).name}"
        entries = change(read_journal(path, session))
        path.unlink()
        LossJournal(path, session).append(entries)

    return plant


def first_gap(entries: list[AccountEntry]) -> AccountEntry:
    return next(entry for entry in entries if entry.kind == GAP and entry.gap and entry.gap.count)


def forget_gap(entries: list[AccountEntry]) -> list[AccountEntry]:
    return [entry for entry in entries if entry != first_gap(entries)]


def another_reason(entries: list[AccountEntry]) -> list[AccountEntry]:
    gap = first_gap(entries).gap
    assert gap is not None
    gap.reason = event_pb2.GAP_REASON_TORN
    return entries


def change_session(data: Path) -> None:
    """session.json says something that the index does not."""
    path = folder(data) / "session.json"
    words = load_json(path.read_bytes())
    words["track_name"] = "Elsewhere"
    path.write_bytes(dump_json(json.dumps(words)))


def archiver_ahead(data: Path) -> None:
    """The index says that the archiver has seen events that there are not."""
    index = Index(data / "index.sqlite")
    index.set_meta("position", f"{index.meta('position')}999")
    index.close()


def anothers_journal(data: Path) -> None:
    """That of a session of another name."""
    path = folder(data) / "losses.log"
    entries = read_journal(path, f"sessions/{folder(data).name}")
    path.unlink()
    LossJournal(path, "sessions/another").append(entries)


def write(name: str, content: bytes = b"?") -> Plant:
    def plant(data: Path) -> None:
        (folder(data) / name).write_bytes(content)

    return plant


def corners(content: bytes) -> Plant:
    """The file of corners beside a lap."""

    def plant(data: Path) -> None:
        lap(data).with_name(f"{lap(data).name}.corners").write_bytes(content)

    return plant


def pin_behind_the_index(data: Path) -> None:
    lap(data).with_name(lap(data).name + ".pin").touch()


def rename_lap(data: Path) -> None:
    lap(data).rename(lap(data).with_name("car099-0001.lap"))


def set_lap_aside(data: Path) -> None:
    lap(data).rename(lap(data).with_name(lap(data).name + ".damaged"))


def foreign_folder(data: Path) -> None:
    (data / "laps/My laps").mkdir()


def remove(pattern: str) -> Plant:
    def plant(data: Path) -> None:
        for path in sorted(data.glob(pattern))[:1]:
            path.unlink()

    return plant
