"""Files out of the warehouse again, each in one transaction; the ledger keeps that they were there."""

import hashlib
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from rig.errors import BadRequest, NotFound, Raced
from rigclient.imports import ledger
from rigclient.imports.loaded_files import LoadedFile
from rigclient.imports.races import RIG_ID
from rigclient.warehouse import loading, schema, tables
from rigclient.warehouse.destination import Destination
from rigclient.warehouse.spool import Spool

_LEAST: Final = 8
"""Characters of a checksum, or of a session's name, that may stand for it."""


def unload(destination: Destination, what: str) -> Iterator[LoadedFile]:
    """Take back the files that `what` names: a file, by its content or by where it lay, a checksum, or a
    session with all its files. Each as soon as it is gone. Raises NotFound, BadRequest.
    """
    schema.prepare(destination)
    wanted = _named(destination, what)
    if not wanted:
        raise NotFound(f"nothing in the warehouse came from {what}", hint="a file, a checksum or a session")
    if len({one.name for one in wanted}) > 1:
        few = ", ".join(sorted({one.name for one in wanted})[:3])
        raise BadRequest(f"{what!r} may be {few}", hint="give the whole name")
    for one in wanted:
        if _taken_back(destination, one):
            yield one


def _named(destination: Destination, what: str) -> list[LoadedFile]:
    """Return the loaded files, by the first way in which `what` names any."""
    path = Path(what)
    ways = [("F.PATH IN (?, ?)", [what, str(path.absolute())])]
    if path.is_file():
        with path.open("rb") as file:
            ways.insert(0, ("F.SHA256 = ?", [hashlib.file_digest(file, "sha256").hexdigest()]))
    if len(what) >= _LEAST:
        ways += [("F.SHA256 LIKE ?", [f"{what.lower()}%"])] if what.isalnum() else []
        ways += [("CONTAINS(F.SESSION, ?)", [what])]
    return next((found for where, values in ways if (found := _files(destination, where, values))), [])


def _files(destination: Destination, where: str, values: list[str]) -> list[LoadedFile]:
    sql = f"SELECT F.SESSION, F.SHA256, F.PATH, F.LOAD_ID FROM FILES F WHERE F.RIG_ID = ? AND {where}"  # noqa: S608
    return [LoadedFile(*row) for row in destination.rows(f"{sql} ORDER BY F.LOAD_ID", [RIG_ID, *values])]


def _taken_back(destination: Destination, gone: LoadedFile) -> bool:
    """Take a file back; return whether it was still there."""
    for attempt in range(1, ledger.ATTEMPTS + 1):
        number = loading.next_n(destination, RIG_ID, ledger.STREAM)
        if not _files(destination, "F.LOAD_ID = ?", [gone.load]):
            return False
        with tempfile.TemporaryDirectory(prefix="rig-unload-") as folder:
            try:
                loading.load(destination, _load(destination, gone, number, Path(folder)))
                return True
            except Raced:
                if attempt == ledger.ATTEMPTS:
                    raise
    raise AssertionError("the last attempt returns or raises")


def _load(destination: Destination, gone: LoadedFile, number: int, folder: Path) -> loading.Load:
    """Return the load that takes a file back. It brings the row of the session anew where other files are of
    it.
    """
    spool = Spool(folder)
    others = "F.SESSION = ? AND F.LOAD_ID <> ?"
    if _files(destination, others, [gone.name, gone.load]):
        spool.put(tables.SESSIONS, _session(destination, gone.name))
    note = ledger.taken_back(gone)
    return loading.Load(
        spool.id, RIG_ID, ledger.STREAM, number, number + 1, spool.parts(), (gone.load,), note
    )


def _session(destination: Destination, name: str) -> list[dict[str, object]]:
    names = [column.name for column in tables.SESSIONS.columns if column.name != "LOAD_ID"]
    sql = f"SELECT {', '.join(names)} FROM SESSIONS WHERE RIG_ID = ? AND SESSION = ?"  # noqa: S608
    return [dict(zip(names, row, strict=True)) for row in destination.rows(sql, [RIG_ID, name])]
