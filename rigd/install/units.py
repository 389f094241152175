"""The files of an installation, made out of the templates in `systemd/`."""

import os
import shutil
import site
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

import rigd
from rig.errors import BadRequest
from rig.regular import shown
from rigd.install.place import InstallFolders

DAEMONS: Final = ("rigd-record.service", "rigd-archive.service", "rigd-serve.service")
TARGET: Final = "rigd.target"
SYNC: Final = ("rig-sync.service", "rig-sync.timer")
GATEWAY: Final = "rigd-gateway.service"
"""Like the sync it waits to be enabled."""

_HOMES: Final = (Path("/home"), Path("/root"), Path("/run/user"), Path("/var/home"))
"""What ProtectHome closes, and where SteamOS-like systems keep it."""
_REFUSED: Final = frozenset("\"'\\\n\t")
"""In the path of a program."""
_PLAIN: Final = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._-+@")


class Wanted(NamedTuple):
    """A file that is to stand there."""

    path: Path
    text: str
    mode: int = 0o644
    example: bool = False
    """Whether one that is there is left alone, whoever wrote it."""


def templates() -> Path:
    """Return the folder of the templates: within the package, or beside it in a checkout."""
    package = Path(rigd.__file__).parent
    inside = package / "systemd"
    return inside if inside.is_dir() else package.parent / "systemd"


def program(name: str) -> Path | None:
    """Return the path of `rigd` or `rig` as it is installed here, without links; None where it is not."""
    called = Path(shutil.which(sys.argv[0]) or sys.argv[0])
    for folder in (called.parent, called.resolve().parent, Path(sys.executable).parent):
        path = folder / name
        if path.is_file() and os.access(path, os.X_OK):
            return path.resolve()
    return None


def files(place: InstallFolders, data: Path, config: str) -> list[Wanted]:
    """Return what is to be written. `data` is named in the units where it is not the usual folder. Raises
    BadRequest where the program is not installed.
    """
    daemon, client = program("rigd"), program("rig")
    if daemon is None:
        raise BadRequest("rigd is not installed here", hint="install it first: docs/install.md")
    if set(str(daemon)) & _REFUSED:
        hint = "install it in a folder without quotes and backslashes"
        raise BadRequest(f"systemd runs no program at {daemon}", hint=hint, path=daemon)
    if place.system:
        _refuse_private(daemon, place.player)
    names = (*DAEMONS, TARGET, *((*SYNC, GATEWAY) if client else ()))
    made = [Wanted(place.units / name, _filled(name, place, data, daemon, client)) for name in names]
    if place.system:
        for folder in ("sysusers", "tmpfiles"):
            path = Path(f"/etc/{folder}.d/rigd.conf")
            made.append(Wanted(path, _filled(f"{folder}.conf", place, data, daemon, client)))
    mode = 0o644 if place.system else 0o600
    return [*made, Wanted(place.config / "rigd.toml", config, mode, example=True)]


def _filled(name: str, place: InstallFolders, data: Path, daemon: Path, client: Path | None) -> str:
    """Return a template with everything in its place."""
    text = (templates() / name).read_text()
    sandbox = (templates() / ("system.conf" if place.system else "user.conf")).read_text().rstrip()
    values = {
        "@SANDBOX@": sandbox,
        "@HOME@": "\n".join(_home(daemon)),
        "@DATA@": "" if data == place.data else f"Environment={_quoted(f'RIGD_DATA={data}')}",
        "@PROGRAM@": _quoted(daemon),
        "@CLIENT@": _quoted(client or daemon),
        "@PLAYER@": place.player,
    }
    for sign, value in values.items():
        text = text.replace(f"{sign}\n" if not value else sign, value)
    return text


def _home(daemon: Path) -> Iterator[str]:
    """The lines that close the homes, but for what the program needs of them."""
    needed = sorted(path for path in _needed(daemon) if any(map(path.is_relative_to, _HOMES)))
    yield f"ProtectHome={'tmpfs' if needed else 'yes'}"
    for path in needed:
        if not any(path != other and path.is_relative_to(other) for other in needed):
            yield f"BindReadOnlyPaths={_quoted(path)}"


def _needed(daemon: Path) -> set[Path]:
    """Folders that the program is made of."""
    parts = [sys.prefix, sys.base_prefix, *site.getsitepackages(), site.getusersitepackages()]
    found = {daemon.parent, Path(rigd.__file__).parents[1], *map(Path, parts)}
    return {path.resolve() for path in found if path.is_dir()}


def _refuse_private(daemon: Path, player: str) -> None:
    """Raises BadRequest for a program that is its owner's alone, who does not play."""
    mode, owner = daemon.stat().st_mode, daemon.owner()
    if mode & 0o005 != 0o005 and owner != player:
        raise BadRequest(
            f"{daemon} is {owner}'s alone, and {player} is to run it",
            hint="install it where all can read it, such as /opt/rigd",
            path=daemon,
        )


def _quoted(value: object) -> str:
    """Return a path, or an assignment, as a word in a unit. Raises BadRequest for what is more than a line,
    or no text: it would be another setting of the unit.
    """
    if not str(value).isprintable():
        hint = "choose a folder without line breaks and control characters"
        raise BadRequest(f"systemd cannot be told of {shown(str(value))}", hint=hint, path=shown(str(value)))
    text = str(value).replace("%", "%%")
    if set(text) <= _PLAIN | {"="}:
        return text
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
