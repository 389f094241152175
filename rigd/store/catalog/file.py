"""The catalog's file: opened, brought to this version, copied."""

import contextlib
import os
import sqlite3
import time
from pathlib import Path
from typing import Final

from rig.disk import sync_folder
from rig.errors import Corrupt, Exhausted, Newer, RigError, Unavailable
from rig.regular import is_regular
from rigd.durable import make_folder
from rigd.store.catalog import schema
from rigd.store.catalog.limits import MAX_BACKUPS, MAX_CATALOG_BYTES

_LOCKED_S: Final = 2.0
"""Wait for somebody who has locked the file, such as a program that a person looks into it with."""
_DAMAGED: Final = (
    "move it away and put the newest catalog-*.sqlite beside it in its place, or begin a new one"
)
_PAGES: Final = 256
"""Of one step of a copy: a megabyte."""


def catalog_path(data: Path) -> Path:
    """Return where the catalog is in a data directory."""
    return data / "catalog.sqlite"


def version_of(path: Path) -> int:
    """Return the version of the catalog's file. Raises FileNotFoundError, Corrupt."""
    os.stat(path)
    with contextlib.closing(connect(path, "ro")) as db:
        return _version(path, db)


def connect(path: Path, mode: str) -> sqlite3.Connection:
    """Return a connection to the file, whatever is in it: SQLite's mode ro, rw or rwc. Raises Corrupt for
    what is no regular file, Unavailable.
    """
    for file in (path, path.with_name(f"{path.name}-wal"), path.with_name(f"{path.name}-shm")):
        if os.path.lexists(file) and not is_regular(file):
            raise Corrupt(f"{file.name} is no regular file", hint=_DAMAGED)
    try:
        return sqlite3.connect(
            f"{path.absolute().as_uri()}?mode={mode}",
            uri=True,
            isolation_level=None,
            check_same_thread=False,  # calls take turns in a thread, exports go on in others
            timeout=_LOCKED_S,
        )
    except sqlite3.DatabaseError as error:
        raise meaning(error) from error


def opened(path: Path) -> sqlite3.Connection:
    """Return the catalog, made where there is none, of this version. Raises Newer for a newer version's,
    Corrupt for what is damaged or no catalog, Unavailable, OSError. The file stays as it is then.
    """
    make_folder(path.parent)
    db = connect(path, "rwc")
    try:
        _bring(path, db)
    except sqlite3.DatabaseError as error:
        db.close()
        raise meaning(error) from error
    except BaseException:
        db.close()
        raise
    return db


def _bring(path: Path, db: sqlite3.Connection) -> None:
    version = _version(path, db)
    newest = len(schema.STEPS)
    if version > newest:
        raise Newer(
            f"a newer version wrote {path.name}, which is kept: {version}, this program uses {newest}",
            hint="update rigd",
        )
    check(db, "quick_check")
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("PRAGMA synchronous = FULL")  # nothing else has what people enter
    if version and version < newest:
        backup(db, path, "before-upgrade")
    for number in range(version, newest):
        _step(db, number + 1)
    db.execute("PRAGMA foreign_keys = ON")
    (size,) = db.execute("PRAGMA page_size").fetchone()
    db.execute(f"PRAGMA max_page_count = {MAX_CATALOG_BYTES // size}")


def _step(db: sqlite3.Connection, version: int) -> None:
    """Make the next version, or change nothing."""
    words = f"PRAGMA application_id = {schema.APPLICATION}; PRAGMA user_version = {version};"
    try:
        db.executescript(f"BEGIN IMMEDIATE; {schema.STEPS[version - 1]} {words} COMMIT;")
    except BaseException:
        if db.in_transaction:
            db.rollback()
        raise


def _version(path: Path, db: sqlite3.Connection) -> int:
    """Return the version of the tables, 0 for an empty file. Raises Corrupt for what is no catalog."""
    try:
        empty = not db.execute("SELECT 1 FROM sqlite_master").fetchone()
        (version,) = db.execute("PRAGMA user_version").fetchone()
        (application,) = db.execute("PRAGMA application_id").fetchone()
    except sqlite3.DatabaseError as error:
        raise meaning(error) from error
    if empty:
        return 0
    if application != schema.APPLICATION or version < 1:
        raise Corrupt(f"{path.name} is no catalog", hint=_DAMAGED)
    return int(version)


def check(db: sqlite3.Connection, pragma: str) -> None:
    """Raise Corrupt where SQLite's `quick_check` or `integrity_check` finds something."""
    (found,) = db.execute(f"PRAGMA {pragma}(1)").fetchone()
    if found != "ok":
        raise Corrupt(f"the catalog is damaged: {found}", hint=_DAMAGED)


def backup(db: sqlite3.Connection, path: Path, why: str) -> Path:
    """Copy the catalog, as it is at one moment, beside it, and forget the oldest copies. Returns the copy,
    which is a catalog. Raises OSError, sqlite3.Error; nothing is left then.
    """
    now_ns = time.time_ns()
    stamp = time.strftime("%Y%m%dT%H%M%S", time.gmtime(now_ns // 1_000_000_000))
    target = path.with_name(f"{path.stem}-{why}-{stamp}.{now_ns % 1_000_000_000:09d}Z.sqlite")
    copy(db, target)
    kept = sorted(
        path.parent.glob(f"{path.stem}-before-*.sqlite"), key=lambda one: one.name.rpartition("-")[2]
    )
    for old in kept[:-MAX_BACKUPS]:
        old.unlink(missing_ok=True)
    return target


def copy(db: sqlite3.Connection, target: Path) -> None:
    """Copy a database, as it is at one moment, to a file. Raises OSError, sqlite3.Error; nothing is left
    then.
    """
    beside = target.with_name(f".{target.name}")
    try:
        os.close(os.open(beside, os.O_CREAT | os.O_RDWR | os.O_TRUNC | os.O_NOFOLLOW, 0o600))
        with contextlib.closing(sqlite3.connect(beside)) as copied:
            db.backup(copied, pages=_PAGES, sleep=0)
            copied.execute("PRAGMA journal_mode = DELETE")  # one file, whole by itself
        beside.rename(target)
        sync_folder(target.parent)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise


def meaning(error: sqlite3.Error) -> RigError:
    """Return the error of the tree: of the bytes themselves when the database names no narrower kind."""
    if getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_FULL:
        return Exhausted("the catalog is full, or the disk is", hint="delete what is not needed")
    if type(error) is sqlite3.DatabaseError:
        return Corrupt(f"the catalog is damaged: {error}", hint=_DAMAGED)
    return Unavailable(f"the catalog cannot be read or written: {error}", hint="try again later")
