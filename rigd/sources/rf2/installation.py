"""A game as Steam has installed it: folder, Proton's prefix, plugin and its settings, one check each."""

import contextlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final, NamedTuple

from rig.errors import Corrupt
from rig.regular import read_regular, shown
from rigd.check import Check, ok, warning, wrong
from rigd.sources.rf2.gameprocess import find_game
from rigd.sources.rf2.keyvalues import block, read_values, text
from rigd.sources.rf2.layout import BUFFERS
from rigd.sources.rf2.pluginfile import check_plugin
from rigd.sources.rf2.pluginsettings import FILE, check_settings
from rigd.sources.rf2.steam import FLATPAK, Library, Steam


class KnownGame(NamedTuple):
    """A game that writes these buffers."""

    number: int
    """Steam's."""
    name: str
    plugins: tuple[str, ...]
    """Folders in which it looks for plugins, the usual one first."""


GAMES: Final = (
    KnownGame(365960, "rFactor 2", ("Bin64/Plugins",)),
    KnownGame(2399420, "Le Mans Ultimate", ("Plugins", "Bin64/Plugins")),
)

_INSTALLED: Final = 4
"""The bit of StateFlags that says so."""
_RUNTIMES: Final = ("msvcr120.dll", "vcruntime140.dll")
_MOST_NAMES: Final = 10_000
"""Names of a folder that are compared."""


@dataclass(frozen=True)
class InstalledGame:
    """Where a game is."""

    game: KnownGame
    library: Library
    folder: Path

    @property
    def prefix(self) -> Path:
        """Return the folder that is a Windows to the game."""
        return self.library.apps / "compatdata" / str(self.game.number) / "pfx"


def check_installations(
    home: Path, buffers: Path, game: Callable[[], object | None] = find_game
) -> Iterator[Check]:
    """Look for Steam and the games below a home folder, and at every step until a game writes `buffers`."""
    steam = Steam(home)
    yield from steam.checks
    found = False
    for one in GAMES:
        for library in steam.libraries:
            for check in _allowed("game", partial(_check_game, one, library, buffers, game)):
                found = True
                yield check
    if steam.libraries and not found:
        names = " nor ".join(one.name for one in GAMES)
        yield warning(
            "game",
            f"neither {names} is installed in Steam",
            "install one: steam steam://install/" + str(GAMES[0].number),
        )


def _allowed(subject: str, look: Callable[[], Iterable[Check]]) -> Iterator[Check]:
    """Look as far as one may."""
    try:
        yield from look()
    except OSError as error:
        yield wrong(
            subject,
            f"one may not look at {shown(error.filename or '')}: {error.strerror}",
            "run the doctor as the user who plays",
        )


def _check_game(
    game: KnownGame, library: Library, buffers: Path, runs: Callable[[], object | None]
) -> Iterator[Check]:
    """Look at one game in one library, whether it is there at all first."""
    manifest = library.apps / f"appmanifest_{game.number}.acf"
    try:
        state = block(read_values(manifest), "appstate")
    except FileNotFoundError:
        return
    except (Corrupt, OSError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        yield wrong(
            "game",
            f"{shown(manifest)} cannot be read: {why}",
            "Steam: Properties, Installed Files, Verify",
        )
        return
    folder = _folder(library, text(state, "installdir"))
    if folder is None:
        yield wrong(
            "game",
            f"{game.name} is listed in {shown(library.folder)}, and its folder is not there",
            f"steam steam://install/{game.number}",
        )
        return
    yield _check_state(game, folder, text(state, "stateflags"))
    yield from _check_steps(InstalledGame(game, library, folder), buffers, runs)


def _folder(library: Library, name: str) -> Path | None:
    """Return the game's folder; a name that leads elsewhere is none."""
    if not name or name in (".", "..") or "/" in name or "\0" in name:
        return None
    folder = library.apps / "common" / name
    with contextlib.suppress(OSError):
        return folder if folder.is_dir() else None
    return None


def _check_state(game: KnownGame, folder: Path, flags: str) -> Check:
    whole = flags.isascii() and flags.isdigit() and len(flags) < 10 and int(flags) & _INSTALLED
    if whole:
        return ok("game", f"{game.name} is in {shown(folder)}", {"appid": game.number})
    return warning("game", f"{game.name} in {shown(folder)} is not whole yet", "let Steam finish its update")


def _check_steps(here: InstalledGame, buffers: Path, runs: Callable[[], object | None]) -> Iterator[Check]:
    yield from _allowed("proton", lambda: _check_prefix(here))
    yield from _allowed("plugin file", lambda: [_check_plugin(here)])
    yield from _allowed("plugin settings", lambda: [_check_settings(here, runs)])
    if here.library.flatpak:
        yield _check_sandbox(here, buffers)


def _check_plugin(here: InstalledGame) -> Check:
    return check_plugin(tuple(_cased(here.folder, name) for name in here.game.plugins))


def _check_settings(here: InstalledGame, runs: Callable[[], object | None]) -> Check:
    return check_settings(_cased(here.folder, f"UserData/player/{FILE}"), runs)


def _check_prefix(here: InstalledGame) -> Iterator[Check]:
    windows = here.prefix / "drive_c/windows"
    if not windows.is_dir():
        yield wrong(
            "proton",
            f"{here.game.name} has no prefix of Proton: {shown(here.prefix)} is not there",
            f"start the game once: steam steam://rungameid/{here.game.number}",
        )
        return
    yield ok("proton", f"prefix {shown(here.prefix)}, {_version(here.prefix.parent / 'version')}")
    if not any((windows / "system32" / name).is_file() for name in _RUNTIMES):
        yield warning(
            "runtime",
            f"the prefix has none of {', '.join(_RUNTIMES)}, which the plugin needs",
            f"protontricks {here.game.number} vcrun2013 vcrun2022",
        )


def _version(path: Path) -> str:
    with contextlib.suppress(OSError, Corrupt):
        return "Proton " + read_regular(path, 200).decode(errors="replace").strip()
    return "of an unknown Proton"


def _check_sandbox(here: InstalledGame, buffers: Path) -> Check:
    """A Flatpak has a /dev/shm of its own unless it is given ours."""
    override = here.library.folder
    for parent in here.library.folder.parents:
        if (parent / FLATPAK).is_dir():
            override = parent / ".local/share/flatpak/overrides/com.valvesoftware.Steam"
            break
    shared = False
    with contextlib.suppress(OSError, Corrupt):
        shared = b"shm" in read_regular(override, 64 << 10)
    if shared or any((buffers / one.file_name).exists() for one in BUFFERS):
        return ok("sandbox", f"Steam is a Flatpak that shares {buffers}")
    return warning(
        "sandbox",
        f"Steam is a Flatpak: its {buffers} may be its own",
        "flatpak override --user --device=shm com.valvesoftware.Steam, and restart Steam",
    )


def _cased(folder: Path, name: str) -> Path:
    """Return a path below a folder as it is written there: the game does not mind the case of letters."""
    for part in name.split("/"):
        exact = folder / part
        if not exact.exists():
            with contextlib.suppress(OSError):
                exact = _alike(folder, part) or exact
        folder = exact
    return folder


def _alike(folder: Path, name: str) -> Path | None:
    for count, entry in enumerate(folder.iterdir()):
        if entry.name.lower() == name.lower():
            return entry
        if count > _MOST_NAMES:
            break
    return None
