"""Where Steam keeps games: its own folder, however it was installed, and libraries on other drives."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from rig.errors import Corrupt
from rig.regular import shown
from rigd.check import Check, ok, warning, wrong
from rigd.sources.rf2.keyvalues import Values, block, read_values, text

FLATPAK: Final = ".var/app/com.valvesoftware.Steam"
ROOTS: Final = (
    ".local/share/Steam",
    ".steam/steam",
    ".steam/root",
    ".steam/debian-installation",
    f"{FLATPAK}/.local/share/Steam",
    f"{FLATPAK}/data/Steam",
    f"{FLATPAK}/.steam/steam",
    "snap/steam/common/.local/share/Steam",
)
"""Below the home folder; several of them are often the same."""

MAX_LIBRARIES: Final = 64


@dataclass(frozen=True)
class Library:
    """A folder in which Steam keeps games."""

    folder: Path
    flatpak: bool
    """Steam lives in a sandbox."""

    @property
    def apps(self) -> Path:
        """Return the folder of games and of what is known of them."""
        return self.folder / "steamapps"


class Steam:
    """What there is of Steam below a home folder."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.libraries: list[Library] = []
        self.checks: list[Check] = []
        self._seen: set[Path] = set()
        for root in ROOTS:
            if found := _real(home / root):
                self._add_root(found, flatpak=FLATPAK in root)
        self.checks.insert(0, self._verdict())

    def _verdict(self) -> Check:
        if not self.libraries:
            return warning(
                "steam",
                f"no Steam library below {shown(self.home)}",
                "install Steam and the game as this user, or run the doctor as the user who plays; "
                "`rigd run --demo` needs neither",
            )
        folders = ", ".join(shown(library.folder) for library in self.libraries)
        return ok("steam", f"libraries: {folders}", {"libraries": len(self.libraries)})

    def _add_root(self, root: Path, *, flatpak: bool) -> None:
        if not self._add(root, flatpak=flatpak):
            return
        for name in ("steamapps/libraryfolders.vdf", "config/libraryfolders.vdf"):
            try:
                values = read_values(root / name)
            except FileNotFoundError:
                continue
            except (OSError, Corrupt) as error:
                self._refused(root / name, error)
            else:
                self._add_listed(values, flatpak=flatpak)
            return

    def _add(self, folder: Path, *, flatpak: bool) -> bool:
        """Take in a library, once. False when there is none, or one too many."""
        if folder in self._seen:
            return False
        self._seen.add(folder)
        if _real(folder / "steamapps") is None or len(self.libraries) >= MAX_LIBRARIES:
            return False
        self.libraries.append(Library(folder, flatpak))
        return True

    def _add_listed(self, values: Values, *, flatpak: bool) -> None:
        for listed in _listed(block(values, "libraryfolders")):
            folder = _real(Path(listed))
            if folder is not None:
                self._add(folder, flatpak=flatpak)
            elif not flatpak:  # there a path may be one inside the sandbox
                self.checks.append(
                    warning(
                        "steam library",
                        f"{shown(listed)} is listed and not there",
                        "mount that drive, or remove it in Steam under Settings, Storage",
                    )
                )

    def _refused(self, path: Path, error: Exception) -> None:
        why = error.strerror if isinstance(error, OSError) else error
        self.checks.append(
            wrong(
                "steam library",
                f"the list of libraries cannot be read: {shown(path)}: {why}",
                "start Steam: it writes the list anew; run the doctor as the user who plays",
            )
        )


def _listed(values: Values) -> Iterator[str]:
    """Return the paths of a list; early versions of Steam had no block around them."""
    for key in list(values)[:MAX_LIBRARIES]:
        path = text(block(values, key), "path") or (text(values, key) if key.isdigit() else "")
        if path.startswith("/") and "\0" not in path:
            yield path


def _real(path: Path) -> Path | None:
    """Return where a path leads to; None for nowhere, and for links that lead in a circle."""
    with contextlib.suppress(OSError, RuntimeError, ValueError):
        found = path.resolve(strict=True)
        return found if found.is_dir() else None
    return None
