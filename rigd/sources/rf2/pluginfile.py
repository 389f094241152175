"""The plugin's file in the game's folder: whether it is there, and which build it is."""

import struct
from pathlib import Path
from typing import Final

from rig.errors import Corrupt
from rig.regular import read_regular, shown
from rigd.check import Check, in_shell, ok, wrong

NAME: Final = "rFactor2SharedMemoryMapPlugin64.dll"
WINE_BUILD: Final = "https://github.com/schlegp/rF2SharedMemoryMapPlugin_Wine"

MAX_BYTES: Final = 64 << 20
_AMD64: Final = 0x8664
_FOLDER: Final = ("/dev/shm", "\\dev\\shm")  # noqa: S108  it is searched for
"""The build for Wine opens files there by name, the other one knows no folder. Text in either encoding."""
_SIGNS: Final = tuple(name.encode(code) for name in _FOLDER for code in ("ascii", "utf-16-le"))


def check_plugin(folders: tuple[Path, ...]) -> Check:
    """Return what is found of the plugin in the folders that the game looks into, the usual one first."""
    place = folders[0]
    found = next((folder / NAME for folder in folders if (folder / NAME).is_file()), None)
    if found is None:
        return wrong(
            "plugin file",
            f"{NAME} is not in {shown(place)}",
            f"get the build for Wine from {WINE_BUILD}, then: mkdir -p {in_shell(place)} && cp {NAME} "
            f"{in_shell(place)}",
        )
    try:
        return _check_build(found, read_regular(found, MAX_BYTES))
    except Corrupt as error:
        return wrong("plugin file", str(error), _replace(found))


def _replace(path: Path) -> str:
    return f"get the build for Wine from {WINE_BUILD}, then: cp {NAME} {in_shell(path)}"


def _check_build(path: Path, data: bytes) -> Check:
    way_out = _replace(path)
    machine = _machine(data)
    if machine is None:
        return wrong("plugin file", f"{shown(path)} is no program library", way_out)
    if machine != _AMD64:
        return wrong("plugin file", f"{shown(path)} is not for 64 bit", way_out, {"machine": machine})
    if not any(sign in data for sign in _SIGNS):
        return wrong(
            "plugin file",
            f"{shown(path)} is the build for Windows: under Proton nobody sees its memory",
            way_out,
            {"wine": False},
        )
    return ok("plugin file", f"{shown(path)}, the build for Wine", {"wine": True})


def _machine(data: bytes) -> int | None:
    """Return the processor that a PE file is for; None for what is none."""
    if data[:2] != b"MZ" or len(data) < 64:
        return None
    at = struct.unpack_from("<I", data, 60)[0]
    if data[at : at + 4] != b"PE\0\0" or len(data) < at + 6:
        return None
    return int(struct.unpack_from("<H", data, at + 4)[0])
