"""The catalog: whether this version can use its file. It is opened to be read, and nothing is made of it."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from rig.errors import RigError
from rig.regular import shown
from rigd.check import Check, ok, wrong
from rigd.store.catalog.file import catalog_path, check, connect, refuse_newer, version_of


def check_catalog(data: Path) -> Iterator[Check]:
    """Look at the catalog of a data directory."""
    path = catalog_path(data)
    try:
        version = version_of(path)
        refuse_newer(path, version)
        with contextlib.closing(connect(path, "ro")) as db:
            check(db, "quick_check")
    except FileNotFoundError:
        yield ok("catalog", "none yet: the server makes it when it first starts")
    except RigError as error:
        yield wrong("catalog", error.message, error.hint or "`rig status` says when it can be used again")
    else:
        yield ok("catalog", f"{shown(path)} can be read, version {version}", {"version": version})
