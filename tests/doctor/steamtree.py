"""A Steam folder as Steam, Proton and the game leave it, made by hand."""

import json
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

RF2, LMU = 365960, 2399420
NAMES = {RF2: "rFactor 2", LMU: "Le Mans Ultimate"}
PLUGINS = {RF2: "Bin64/Plugins", LMU: "Plugins"}
DLL = "rFactor2SharedMemoryMapPlugin64.dll"
SETTINGS = "CustomPluginVariables.JSON"


def library_list(*folders: Path, early: bool = False) -> str:
    """The list of libraries, as Steam writes it now, or wrote it before 2021."""
    if early:
        lines = "".join(f'\t"{number}"\t\t"{folder}"\n' for number, folder in enumerate(folders, 1))
        return f'"LibraryFolders"\n{{\n\t"TimeNextStatsReport"\t\t"1600000000"\n{lines}}}\n'
    blocks = "".join(
        f'\t"{number}"\n\t{{\n\t\t"path"\t\t"{folder}"\n\t\t"label"\t\t""\n'
        f'\t\t"apps"\n\t\t{{\n\t\t\t"{RF2}"\t\t"38654705664"\n\t\t}}\n\t}}\n'
        for number, folder in enumerate(folders)
    )
    return f'"libraryfolders"\n{{\n{blocks}}}\n'


def manifest(number: int, folder: str, flags: int = 4) -> str:
    """What Steam knows of a game."""
    return (
        f'"AppState"\n{{\n\t"appid"\t\t"{number}"\n\t"name"\t\t"{NAMES.get(number, "?")}"\n'
        f'\t"StateFlags"\t\t"{flags}"\n\t"installdir"\t\t"{folder}"\n'
        f'\t"UserConfig"\n\t{{\n\t\t"language"\t\t"english"\n\t}}\n}}\n'
    )


def library_file(*, wine: bool = True, machine: int = 0x8664, name: bytes = b"/dev/shm/%s") -> bytes:
    """A program library for Windows, as far as anybody looks."""
    head = bytearray(256)
    head[:2] = b"MZ"
    struct.pack_into("<I", head, 60, 128)
    head[128:132] = b"PE\0\0"
    struct.pack_into("<H", head, 132, machine)
    return bytes(head) + b"$rFactor2SMMP_Telemetry$\0" + (name if wine else b"Global\\%s") + b"\0" * 100


@dataclass
class Library:
    """A folder of games."""

    folder: Path
    games: dict[int, Path] = field(default_factory=dict)

    def __post_init__(self) -> None:
        (self.folder / "steamapps/common").mkdir(parents=True, exist_ok=True)

    def list(self, *others: Path, early: bool = False) -> "Library":
        """Write the list of libraries."""
        path = self.folder / "steamapps/libraryfolders.vdf"
        path.write_text(library_list(*((*others,) if early else (self.folder, *others)), early=early))
        return self

    def game(self, number: int = RF2, *, flags: int = 4) -> Path:
        """Install a game: its folder, empty."""
        path = self.folder / "steamapps/common" / NAMES[number]
        (path / "UserData/player").mkdir(parents=True)
        (self.folder / f"steamapps/appmanifest_{number}.acf").write_text(manifest(number, path.name, flags))
        self.games[number] = path
        return path

    def prefix(self, number: int = RF2) -> Path:
        """What Proton makes at the first start."""
        path = self.folder / "steamapps/compatdata" / str(number)
        windows = path / "pfx/drive_c/windows/system32"
        windows.mkdir(parents=True)
        (windows / "msvcr120.dll").touch()
        (path / "version").write_text("9.0-4\n")
        return path / "pfx"

    def plugin(self, number: int = RF2, data: bytes | None = None) -> Path:
        """Put the plugin in its folder."""
        path = self.games[number] / PLUGINS[number] / DLL
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(library_file() if data is None else data)
        return path

    def settings(self, values: Mapping[str, object] | None = None, number: int = RF2) -> Path:
        """Write the plugin's settings; a plugin that is on, unless told otherwise."""
        path = self.games[number] / "UserData/player" / SETTINGS
        usual = {" Enabled": 1, "DebugOutputLevel": 0, "UnsubscribedBuffersMask": 160}
        path.write_text(json.dumps({"Other.dll": {" Enabled": 0}, DLL: usual | dict(values or {})}, indent=2))
        return path

    def whole(self, number: int = RF2) -> "Library":
        """Everything as it should be."""
        self.game(number)
        self.prefix(number)
        self.plugin(number)
        self.settings(number=number)
        return self
