"""The file of the index: connected to, known by its version, removed."""

import sqlite3
from pathlib import Path
from typing import Final

from rig.disk import sync_folder
from rig.errors import Corrupt, Newer, RigError, Unavailable
from rig.regular import is_regular
from rigd.store.index.schema import VERSION

_LOCKED_S: Final = 2.0
"""Wait for somebody who has locked the file; longer is trouble, which is told."""
NEWER: Final = ".newer"
"""Added to the name of an index that a newer version wrote, when it has to give way."""


def connect(path: Path, mode: str) -> sqlite3.Connection:
    """Return an open index, or an empty file for one. Raises Corrupt for anything else, and for another
    version: Newer for one to come.
    """
    for file in (path, path.with_name(f"{path.name}-wal"), path.with_name(f"{path.name}-shm")):
        if file.exists() and not is_regular(file):
            raise Corrupt(f"{file} is no regular file", hint="rigd reindex", path=path)
    try:
        # The archiver's turns are taken by several threads, one after the other.
        db = sqlite3.connect(
            f"{path.absolute().as_uri()}?mode={mode}",
            uri=True,
            isolation_level=None,
            check_same_thread=False,
            timeout=_LOCKED_S,
        )
        version = version_of(db)
    except sqlite3.DatabaseError as error:
        raise meaning(path, error) from error
    if version not in (VERSION, None):
        db.close()
        what = f"version {version}, this program uses {VERSION}"
        if version > VERSION:
            raise Newer(f"{path} was written by a newer version and is kept: {what}", hint="rigd reindex")
        raise Corrupt(f"{path} is an index of {what}", hint="rigd reindex")
    return db


def refuse_newer(path: Path) -> None:
    """Raise Newer where the index at `path` was written by a newer version; whatever else is wrong with it is
    for whoever opens it.
    """
    try:
        if path.exists():
            connect(path, "ro").close()
    except Newer:
        raise
    except (RigError, OSError):
        return


def version_of(db: sqlite3.Connection) -> int | None:
    """Return the version of the tables, None when there are none yet."""
    empty = not db.execute("SELECT 1 FROM sqlite_master").fetchone()
    return None if empty else int(db.execute("PRAGMA user_version").fetchone()[0])


def knows(db: sqlite3.Connection, column: str) -> bool:
    """Return whether an index has a column of `schema.ADDED`: an archiver that knows of it has opened it."""
    return bool(db.execute("SELECT 1 FROM pragma_table_info('lap') WHERE name = ?", (column,)).fetchone())


def meaning(path: Path, error: sqlite3.DatabaseError) -> RigError:
    """Return the error of the tree: of the bytes themselves when the database names no narrower kind."""
    if type(error) is sqlite3.DatabaseError:
        return Corrupt(f"{path} is no sound index: {error}", hint="rigd reindex", path=path)
    return Unavailable(f"the index {path} cannot be read: {error}", path=path)


def remove_index(path: Path) -> None:
    """Remove the file, readable or not, with its journal; the next Index begins an empty one."""
    for suffix in ("", "-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
    # Else a power cut might leave the old journal beside a new file, which would take it for its own.
    sync_folder(path.parent)
