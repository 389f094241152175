"""Installing rigd as services, and taking exactly that back: file by file, each said."""

import contextlib
import dataclasses
import grp
import hashlib
import importlib
import os
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final

from rig.errors import BadRequest, NotFound, Unavailable
from rigd.durable import make_folder, make_private, replace
from rigd.install import manifest
from rigd.install.manager import absent, ask, control, lingers
from rigd.install.manifest import Written
from rigd.install.place import InstallFolders, check_player
from rigd.install.units import DAEMONS, GATEWAY, SYNC, TARGET, Wanted, files
from rigd.ring.lock import laps_lock, ring_lock

Say = Callable[[str], None]

_BEFORE: Final = ".before-rigd"
"""Behind the name of a file that was there and is not ours."""
_GROUP: Final = "rigd"
_DONE: Final = 11
"""Characters of the first column of what is said: what was done."""
_WOULD: Final = {
    "made": "make",
    "wrote": "write",
    "updated": "update",
    "moved": "move",
    "removed": "remove",
    "put back": "put back",
    "ran": "run",
}
"""The same of a dry run, which has done nothing."""
_EXAMPLE: Final = "# rigd reads this file. Nothing is set: everything has its default.\n"


class Installation:
    """One installation, in one place. `say` gets a line for all that is done, or with `dry` would be."""

    def __init__(self, place: InstallFolders, say: Say, *, dry: bool = False) -> None:
        self._say, self._dry = say, dry
        self._record = manifest.read(place.real(place.manifest))
        player = place.player or self._record.player or os.environ.get("SUDO_USER", "")
        self._place = dataclasses.replace(place, player=player)

    # Installing.

    def install(self) -> None:
        """Write what is not there as it should be, and have systemd start it. Raises Unavailable where none
        runs, BadRequest where the program cannot be found.
        """
        place = self._place
        if place.system:
            check_player(place)
        if place.here and not self._dry and (why := absent(place)):
            raise Unavailable(
                f"no systemd answers here: {why}",
                hint="`rigd run` does without one; --root DIR writes the files alone",
            )
        data = Path(self._record.data or _data(place))
        wanted = files(place, data, _config())
        self._record.data, self._record.player = str(data), place.player
        self._folders(data)
        changed = [file for file in wanted if self._put(file)]
        self._forget(wanted)
        self._note()
        if place.here:
            self._start(changed)
        else:
            self._say("nothing is started: that is for the machine whose root it is")

    def _folders(self, data: Path) -> None:
        """Make the folders that are not there; that of the system's data systemd makes itself."""
        system = self._place.system
        for folder in (self._place.config,) if system else (self._place.config, data):
            if not self._place.real(folder).is_dir():
                self._made(folder)
                whose = "" if system else ", yours alone"
                make = make_folder if system else make_private
                self._do(f"made       {folder}{whose}", make, self._place.real(folder))

    def _made(self, folder: Path) -> None:
        """Note a folder and those above it that are not there."""
        missing = [one for one in (folder, *folder.parents) if not self._place.real(one).exists()]
        self._record.folders += [
            str(one) for one in reversed(missing) if str(one) not in self._record.folders
        ]

    def _put(self, file: Wanted) -> bool:
        """Write a file unless it stands there, or somebody has changed it; True when it is another than was
        there.
        """
        path, known = self._place.real(file.path), self._record.files.get(str(file.path))
        found, written = _digest(path), Written(_sha256(file.text.encode()), known.before if known else "")
        if found == written.sha256:
            self._say(f"unchanged  {file.path}")
        elif found and (known or file.example) and found != (known.sha256 if known else ""):
            self._say(f"kept       {file.path}: it is not as it was installed")
            return False
        else:
            if found and not known:
                written.before = f"{file.path}{_BEFORE}"
                self._do(f"moved      {file.path} to {written.before}", os.replace, path, f"{path}{_BEFORE}")
            self._made(file.path.parent)
            self._do(f"{'updated' if known and found else 'wrote':<10} {file.path}", _write, path, file)
        self._record.files[str(file.path)] = written
        self._note()
        return found not in ("", written.sha256)

    def _forget(self, wanted: Iterable[Wanted]) -> None:
        """Remove what an earlier version has written and this one does not."""
        for name in self._record.files.keys() - {str(file.path) for file in wanted}:
            self._take_back(name)

    def _note(self) -> None:
        """Keep the record of what was done so far: whoever kills us finds it."""
        if not self._dry:
            self._record.write(self._place.real(self._place.manifest))

    def _start(self, changed: list[Wanted]) -> None:
        place = self._place
        if place.system:
            self._make_group()
        self._ask(*control(place, "daemon-reload"))
        running = not self._dry and ask(*control(place, "is-active", "--quiet", TARGET)).well
        started = self._ask(*control(place, "enable", "--now", "--no-block", TARGET, *DAEMONS))
        if started and running and changed:
            self._say(f"to use the new files: {' '.join(control(place, 'restart', *DAEMONS))}")
        self._say(f"how they are: {' '.join(control(place, 'status'))} 'rigd-*'")
        if not place.system:
            self._linger()
        self._say(f"for a warehouse: {' '.join(control(place, 'enable', '--now', SYNC[1]))}")
        self._say(f"for browsers: {' '.join(control(place, 'enable', '--now', GATEWAY))}")

    def _make_group(self) -> None:
        there = _group_exists()
        if self._ask("systemd-sysusers", "/etc/sysusers.d/rigd.conf"):
            self._record.group |= not there and not self._dry
            self._note()
        self._ask("systemd-tmpfiles", "--create", "/etc/tmpfiles.d/rigd.conf")

    def _linger(self) -> None:
        """Have the units start with the machine."""
        player = self._place.player
        if lingers(player):
            return
        if self._ask("loginctl", "enable-linger", player):
            self._record.linger |= not self._dry
            self._note()
        else:
            self._say(f"until then it starts when {player} logs in: sudo loginctl enable-linger {player}")

    # Taking it back.

    def uninstall(self, *, data: bool = False) -> None:
        """Stop it and remove what was written, but for what was changed since; with `data` all that was
        recorded as well. Raises NotFound where nothing was installed, Busy while a daemon runs.
        """
        place, record = self._place, self._record
        if not record.files:
            raise NotFound(f"nothing is installed: there is no {place.manifest}", path=place.manifest)
        folder = self.data
        if place.here and not absent(place):
            units = (SYNC[1], GATEWAY, *reversed(DAEMONS), TARGET)
            self._ask(*control(place, "disable", "--now", *units))
        if data:
            self._do(f"removed    {folder} and all in it", _remove_data, place.real(folder))
        else:
            self._say(f"kept       {folder}: what was recorded (--data removes it)")
        try:
            for name in list(record.files):
                self._take_back(name)
            self._leave_machine()
        finally:
            self._note()
        self._do(f"removed    {place.manifest}", _unlink, place.real(place.manifest))
        for name in reversed(record.folders):
            self._take_back_folder(Path(name))

    @property
    def data(self) -> Path:
        """Where what is recorded lies."""
        return Path(self._record.data or self._place.data)

    def _take_back(self, name: str) -> None:
        path, written = self._place.real(Path(name)), self._record.files[name]
        found = _digest(path)
        if found and found != written.sha256:
            self._say(f"kept       {name}: it is not as it was installed")
        elif found:
            self._do(f"removed    {name}", path.unlink)
            if written.before and self._place.real(Path(written.before)).exists():
                before = self._place.real(Path(written.before))
                self._do(f"put back   {name}, as it was before", os.replace, before, path)
        if not self._dry:
            del self._record.files[name]

    def _take_back_folder(self, folder: Path) -> None:
        """Remove a folder that we made, once nothing is in it."""
        real = self._place.real(folder)
        if self._dry or not real.is_dir():
            return
        with contextlib.suppress(OSError):  # something is in it
            real.rmdir()
            self._say(f"removed    {folder}")

    def _leave_machine(self) -> None:
        place, record = self._place, self._record
        if not place.here:
            return
        if not absent(place):
            self._ask(*control(place, "daemon-reload"))
        if record.linger and self._ask("loginctl", "disable-linger", place.player):
            record.linger = False
        if record.group and self._ask("groupdel", _GROUP):
            record.group = False

    # How anything is done.

    def _do(self, line: str, act: Callable[..., object], *args: object) -> None:
        if not self._dry:
            act(*args)
        self._say(self._told(line))

    def _ask(self, *words: str) -> bool:
        """Run a program of the machine; what it refuses is said, and does not end us."""
        answer = (True, "") if self._dry else ask(*words)
        failed = "" if answer[0] else f": it failed: {answer[1]}"
        self._say(self._told(f"ran        {' '.join(words)}{failed}"))
        return answer[0]

    def _told(self, line: str) -> str:
        """Return what is said of something done; of a dry run, what would be."""
        done, rest = line[:_DONE], line[_DONE:]
        return f"{_WOULD[done.rstrip()]:<{_DONE}}{rest}" if self._dry else line


def _data(place: InstallFolders) -> Path:
    """Return the folder of what is recorded: where units of version 0.1 had it, if there is something."""
    earlier = (place.data.parents[1] / "state/rigd", place.config)
    for folder in () if place.system else earlier:
        if (place.real(folder) / "ring").is_dir() and not (place.real(place.data) / "ring").is_dir():
            return folder
    return place.data


def _config() -> str:
    """Return the example of a configuration, every setting with its default, as far as there are settings."""
    try:
        return str(importlib.import_module("rigd.config.annotated").default_file())
    except ImportError:
        return _EXAMPLE


def _write(path: Path, file: Wanted) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    replace(path, file.text.encode())
    path.chmod(file.mode)


def _unlink(path: Path) -> None:
    path.unlink(missing_ok=True)


def _remove_data(folder: Path) -> None:
    """Raises Busy while a daemon works on it, BadRequest for a folder that we did not name."""
    if folder.name != "rigd":
        raise BadRequest(f"{folder} is not removed: it has another name than rigd", hint="remove it yourself")
    if not folder.is_dir():
        return
    for lock in (ring_lock, laps_lock):
        lock(folder).release()
    shutil.rmtree(folder)


def _group_exists() -> bool:
    try:
        grp.getgrnam(_GROUP)
    except KeyError:
        return False
    return True


def _digest(path: Path) -> str:
    """Return the digest of a file; empty where there is none."""
    try:
        return _sha256(path.read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        return ""


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
