"""Who runs this, and whose the data are."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from rig.regular import shown
from rigd.check import Check, Fix, in_shell, ok, warning, wrong
from rigd.doctor.storage import standing
from rigd.process import user_name

_PRIVATE: Final = 0o700


def check_permissions(data: Path) -> Iterator[Check]:
    """Look at the user and at the data directory, or at where it would be made."""
    yield _check_user(os.geteuid())
    yield _check_folder(data)


def _check_user(uid: int) -> Check:
    if uid == 0:
        return warning(
            "user",
            "this is root; the buffers are those of the user who plays, and so should rigd be",
            "run it as that user: as a service with User=",
        )
    return ok("user", user_name(uid), {"uid": uid})


def _check_folder(data: Path) -> Check:
    if not data.exists():
        folder = standing(data)
        if os.access(folder, os.W_OK | os.X_OK):
            return ok("data", f"{shown(data)} will be made by the first daemon")
        return wrong("data", f"{shown(data)} is not there, and {shown(folder)} takes no new folder", _OTHER)
    if not data.is_dir():
        return wrong("data", f"{shown(data)} is no folder", "move it away, or name another with --data")
    found = data.stat()
    if found.st_uid != os.geteuid():
        way_out = f"run as {user_name(found.st_uid)}, or name another folder with --data"
        return wrong("data", f"{shown(data)} belongs to {user_name(found.st_uid)}", way_out)
    return _check_mode(data, found)


_OTHER: Final = "name a folder of yours with --data"


def _check_mode(data: Path, found: os.stat_result) -> Check:
    mode = stat.S_IMODE(found.st_mode)
    if mode & _PRIVATE != _PRIVATE:
        return wrong(
            "data", f"{shown(data)} has mode {mode:04o}", f"chmod 700 {in_shell(data)}", fix=_close(data)
        )
    if mode & 0o077:
        what = f"{shown(data)} is open to other users (mode {mode:04o})"
        return warning("data", what, f"chmod 700 {in_shell(data)}", fix=_close(data))
    return ok("data", f"{shown(data)} is yours alone")


def _close(data: Path) -> Fix:
    def make() -> str:
        data.chmod(_PRIVATE)
        return f"{shown(data)} has mode 0700"

    return Fix(f"let only its owner into {shown(data)}", make)
