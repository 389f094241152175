"""The catalog's file: of another version, damaged, copied, and after `kill -9`."""

import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from rig.errors import Corrupt, Newer, RigError
from rigd.store.catalog import file, schema, transfer
from rigd.store.catalog.catalog import Catalog
from rigd.store.catalog.file import catalog_path
from rigd.store.catalog.limits import MAX_BACKUPS
from rigd.store.catalog.problems import problems
from tests.stage import until
from tests.store.catalog.entries import (
    ANN,
    add,
    listed,
    names,
    note,
    there,
)


def test_an_older_version_is_brought_up_with_a_backup(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = Catalog(catalog_path(tmp_path))
    add(old, "notes", "n", note("Kept."))
    old.close()
    monkeypatch.setattr(schema, "STEPS", (*schema.STEPS, "ALTER TABLE note ADD COLUMN extra TEXT;"))
    new = Catalog(old.path)
    assert new.get("notes/n", ANN).note.text == "Kept."
    new.close()
    (backup,) = tmp_path.glob("catalog-before-upgrade-*.sqlite")
    assert (file.version_of(old.path), file.version_of(backup)) == (2, 1)


def test_a_step_that_fails_leaves_the_older_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old = Catalog(catalog_path(tmp_path))
    add(old, "notes", "n", note("Kept."))
    old.close()
    with monkeypatch.context() as broken:
        broken.setattr(
            schema, "STEPS", (*schema.STEPS, "CREATE TABLE x (y TEXT); CREATE TABLE note (z TEXT);")
        )
        with pytest.raises(RigError):
            Catalog(old.path)
    assert file.version_of(old.path) == 1
    again = Catalog(old.path)
    assert again.get("notes/n", ANN).note.text == "Kept."
    again.close()


def test_a_newer_version_is_refused_and_kept(catalog: Catalog) -> None:
    catalog.db.execute("PRAGMA user_version = 99")
    catalog.close()
    with pytest.raises(Newer, match="99"):
        Catalog(catalog.path)
    assert file.version_of(catalog.path) == 99


def test_what_is_no_catalog_is_refused(tmp_path: Path) -> None:
    path = catalog_path(tmp_path)
    for data in (b"no database" * 100, b"SQLite format 3\0" + bytes(5000)):
        path.write_bytes(data)
        with pytest.raises(Corrupt):
            Catalog(path)
        assert path.read_bytes() == data
    path.unlink()
    with sqlite3.connect(path) as other:
        other.execute("CREATE TABLE x (y)")
    with pytest.raises(Corrupt, match="no catalog"):
        Catalog(path)
    path.unlink()
    path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(Corrupt, match="no regular file"):
        Catalog(path)


def test_a_damaged_page_is_found_when_it_is_opened(catalog: Catalog) -> None:
    for number in range(50):
        add(catalog, "notes", f"n{number}", note("x" * 2000))
    catalog.close()
    data = bytearray(catalog.path.read_bytes())
    data[len(data) // 2 : len(data) // 2 + 4096] = b"\xff" * 4096
    catalog.path.write_bytes(data)
    with pytest.raises(Corrupt, match="damaged"):
        Catalog(catalog.path)


def test_rows_that_belong_to_nothing_are_told(full: Catalog) -> None:
    full.db.execute("PRAGMA foreign_keys = OFF")
    full.db.execute("DELETE FROM note")
    full.db.execute("DELETE FROM resource WHERE name = 'vehicles/v/configurations/short'")
    full.db.execute("UPDATE channel SET expression = '1 +'")
    found = {(one.resource, one.what) for one in problems(full, there, {}).problems}
    assert ("notes/n", "the catalog has lost what notes/n says") in found
    assert any(
        name == "vehicles/v/configurations/short" and "configuration refers to a resource" in what
        for name, what in found
    )
    assert any(name == "channels/kmh" for name, _ in found)


def test_a_few_backups_are_kept(full: Catalog) -> None:
    kept = [transfer.reset(full, ()).backup for _ in range(MAX_BACKUPS + 2)]
    there = sorted(str(one) for one in full.path.parent.glob("catalog-before-*.sqlite"))
    assert len(set(kept)) == len(kept)
    assert there == sorted(kept[-MAX_BACKUPS:])


_WRITER: Final = """
import sys
from pathlib import Path
from rig.v1 import catalog_pb2
from rigd.store.catalog.catalog import Catalog
from tests.store.catalog.entries import Resource, add
catalog = Catalog(Path(sys.argv[1]))
body = catalog_pb2.Setup(title="s", parameters=[catalog_pb2.Parameter(key=str(n)) for n in range(50)])
add(catalog, "vehicles", "v", Resource(vehicle=catalog_pb2.Vehicle(title="v")))
while True:
    print(add(catalog, "vehicles/v/setups", "", Resource(setup=body)).name, flush=True)
"""


def test_what_was_answered_is_there_after_kill_9(tmp_path: Path) -> None:
    path, told = catalog_path(tmp_path), tmp_path / "told"
    with told.open("w") as output:
        writer = subprocess.Popen([sys.executable, "-c", _WRITER, str(path)], stdout=output)
        try:
            until(lambda: told.read_text().count("\n") >= 20)
        finally:
            os.kill(writer.pid, signal.SIGKILL)
            writer.wait()
    answered = told.read_text().splitlines()
    catalog = Catalog(path)
    found = listed(catalog, "vehicles/v/setups", page_size=1000)
    assert set(answered) <= set(names(found))
    assert {len(one.setup.parameters) for one in found} == {50}
    assert problems(catalog, there, {}).problems == []
    catalog.close()
