"""The configuration file: found, refused where others could write it, and read with the line of every key."""

import os
import re
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from rig.errors import BadRequest, Corrupt, Denied, FileMissing
from rig.regular import open_regular, shown

VARIABLE: Final = "RIGD_CONFIG"
_NAME: Final = "rigd.toml"
_MOST_BYTES: Final = 1 << 20
_MOST_DOTS: Final = 200
"""Of a line. A key of 32,000 words takes half a minute to read, and the time grows with the square."""
_HEAD: Final = re.compile(r"\[([^\[\]]+)\] *(?:#.*)?")
_KEY: Final = re.compile(r"""[A-Za-z0-9_."' -]+""")


def usual_path() -> Path:
    """Return where the file is looked for when nobody says: /etc/rigd for the system's service, else the
    user's folder of configuration.
    """
    if folders := os.environ.get("CONFIGURATION_DIRECTORY"):  # systemd's, for either
        return Path(folders.split(":")[0]) / _NAME
    if os.environ.get("STATE_DIRECTORY", "").startswith("/var/lib/"):
        return Path("/etc/rigd") / _NAME
    return Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "rigd" / _NAME


@dataclass(frozen=True)
class ConfigFile:
    """What a file says, by key with dots: `archive.keep`."""

    path: Path
    values: Mapping[str, Any] = field(default_factory=dict)
    """Of sections too that nobody knows; the tables below `users` as they are."""
    lines: Mapping[str, int] = field(default_factory=dict)

    def place(self, key: str) -> str:
        """Return where a key stands, FILE:LINE; the file alone where that cannot be told."""
        line = self.lines.get(key)
        return f"{shown(self.path)}:{line}" if line else shown(self.path)


def find(chosen: str | None) -> Path | None:
    """Return the file to read: `chosen` by the command line, else by RIGD_CONFIG, else the usual one if it is
    there. None: none; so do empty words on the command line. Raises FileMissing for one that was named.
    """
    if chosen == "":
        return None
    named = chosen or os.environ.get(VARIABLE)
    path = Path(named).expanduser() if named else usual_path()
    if not os.path.lexists(path):
        if named:
            raise FileMissing(
                f"there is no configuration file {shown(path)}", hint="`rigd config --default` prints one"
            )
        return None
    return path


def read(path: Path) -> ConfigFile:
    """Return what a file says. Raises Denied for one that somebody else could have written, BadRequest for
    what is no file of TOML, OSError.
    """
    import tomllib

    try:
        text = _text(path)
    except Corrupt as error:
        raise BadRequest(error.message, hint="`rigd config --default` prints one") from None
    try:
        if any(line.count(".") > _MOST_DOTS for line in text.splitlines()):
            raise RecursionError
        values = dict(_flat(tomllib.loads(text)))
    except (ValueError, RecursionError) as error:
        why = "it is nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise BadRequest(
            f"{shown(path)} is no TOML: {why}", hint="`rigd config --default` prints one that is"
        ) from None
    return ConfigFile(path, values, _lines(text))


def _text(path: Path) -> str:
    with open(open_regular(path), "rb") as file:
        found = os.fstat(file.fileno())
        _check_owner(path, found)
        data = file.read(_MOST_BYTES + 1)
    if len(data) > _MOST_BYTES:
        raise Corrupt(f"{shown(path)} has more than {_MOST_BYTES} bytes, which is the limit")
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise BadRequest(
            f"{shown(path)} is no UTF-8 text: byte {error.start} is {data[error.start]}"
        ) from None


def _check_owner(path: Path, found: os.stat_result) -> None:
    """Raise Denied where others than we and root decide what stands in the file."""
    if found.st_uid not in (0, os.geteuid()):
        raise Denied(
            f"{shown(path)} belongs to user {found.st_uid}, not to {os.geteuid()} or root",
            hint="let the user of the daemon own it, or root",
        )
    if found.st_mode & stat.S_IWOTH:
        mode = stat.S_IMODE(found.st_mode)
        raise Denied(f"{shown(path)} can be written by everybody (mode {mode:04o})", hint="chmod o-w it")


def _flat(table: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    """Return the values with their keys. A user's name may have dots, so those tables stay."""
    for name, value in table.items():
        key = f"{above}.{name}" if above else name
        if isinstance(value, dict) and key != "users" and value:
            yield from _flat(value, key)
        else:
            yield key, value


def _lines(text: str) -> dict[str, int]:
    """Return the lines of the keys, as far as one can tell from how they are usually written."""
    found: dict[str, int] = {}
    section = ""
    for number, line in enumerate(text.splitlines(), 1):
        key, equals, _ = line.strip().partition("=")
        if head := _HEAD.fullmatch(line.strip()):
            section = _plain(head[1])
            found.setdefault(section, number)
        elif equals and _KEY.fullmatch(key):
            found.setdefault(f"{section}.{_plain(key)}".removeprefix("."), number)
    return found


def _plain(key: str) -> str:
    """Return a key without quotes and spaces."""
    return re.sub(r"[\"' ]", "", key)
