"""`.svm`: the setup files of rFactor 2, and of the games that are made of it.

    VehicleClassSetting="GT3 Copper_GT3"
    [FRONTLEFT]
    SpringSetting=13//62.0 N/mm
    //PackerSetting=0//0.0 cm

Behind = stands the step of the garage's slider, behind // what the garage shows for it, which is what counts
for people. A setting behind // was left at its default by whoever wrote the file; it holds all the same.
"""

import re
from pathlib import Path
from typing import Final

from rig.errors import BadRequest
from rig.regular import read_regular, shown
from riglap.setups.setup import LeftOut, Parameter, Setup, parsed_value

MOST_BYTES: Final = 64 << 10
"""Those of the game have 5 to 8 KB."""
MOST_PARAMETERS: Final = 2000
_LONGEST: Final = 200
"""Characters of a section, a key or a value."""
_SECTION: Final = re.compile(r"\[([^\[\]]+)\]")
_KEY: Final = re.compile(r"\w[\w .-]*")
_QUOTED: Final = re.compile(r'"([^"]*)"?')
_MARKS: Final = {b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16", b"\xef\xbb\xbf": "utf-8-sig"}


def read_svm(path: str | Path) -> tuple[Setup, str]:
    """Return the setup in a file, and the file's text. Raises BadRequest for what is no setup, Corrupt for
    what is no file of at most `MOST_BYTES`, OSError.
    """
    text = decoded(read_regular(path, MOST_BYTES), shown(path))
    return setup_of(text, shown(path)), text


def decoded(data: bytes, name: str = "this") -> str:
    """Return the text of a file, by its mark of byte order; without one it is UTF-8 if all of it is, else
    Latin-1, as games of Windows wrote it. Raises BadRequest for what is no text.
    """
    encoding = next((told for mark, told in _MARKS.items() if data.startswith(mark)), "utf-8")
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError:
        text = data.decode("latin-1")
    if "\0" in text:
        raise BadRequest(f"{name} is no text", hint="a setup is a .svm file of the game")
    return text


def setup_of(text: str, name: str = "this") -> Setup:
    """Return the setup in the text of a file. Raises BadRequest for what is none, and for more than
    `MOST_PARAMETERS`.
    """
    reading = _Reading()
    for number, line in enumerate(text.splitlines(), start=1):
        reading.take(number, line.strip())
    if not reading.found:
        raise BadRequest(f"{name} is no setup: it has no settings", hint="a setup is a .svm file of the game")
    if len(reading.found) > MOST_PARAMETERS:
        raise BadRequest(f"{name} has {len(reading.found)} settings", hint=f"{MOST_PARAMETERS} at most")
    return Setup(tuple(reading.found.values()), reading.vehicle, reading.notes, tuple(reading.left))


class _Reading:
    """A setup as far as its file was read."""

    def __init__(self) -> None:
        self.found: dict[tuple[str, str], Parameter] = {}
        self.left: list[LeftOut] = []
        self.section = self.vehicle = self.notes = ""

    def take(self, number: int, line: str) -> None:
        """Read a line."""
        if match := _SECTION.fullmatch(line):
            self.section = match[1].strip()
            return
        key, is_setting, told = line.removeprefix("//").partition("=")
        if is_setting and _KEY.fullmatch(key.strip()):
            self._setting(number, line.startswith("//"), key.strip(), told.strip())
        elif line and not line.startswith(("//", ";", "#")):
            self.left.append(LeftOut(number, "neither [SECTION] nor KEY=VALUE"))

    def _setting(self, number: int, default: bool, key: str, told: str) -> None:
        if not self.section:
            self._head(key, told)
        elif key == "Notes":
            self.notes = _plain(told).replace("\\n", "\n").strip()
        elif key.endswith("Setting") or not default:
            # Another line behind // is what the game remarks, such as `//Note: ...`.
            self._parameter(number, Parameter(self.section, key, *_value(told)))

    def _head(self, key: str, told: str) -> None:
        if key == "VehicleClassSetting":
            self.vehicle = _plain(told)[:_LONGEST]

    def _parameter(self, number: int, one: Parameter) -> None:
        name = (one.section, one.key)
        if name in self.found:
            self.left.append(LeftOut(number, f"[{one.section}] has {one.key} already"))
        elif not all(text.isprintable() for text in one):
            self.left.append(LeftOut(number, "characters that cannot be printed"))
        elif any(len(text) > _LONGEST for text in one):
            self.left.append(LeftOut(number, f"longer than {_LONGEST} characters"))
        else:
            self.found[name] = one


def _value(told: str) -> tuple[str, str]:
    """Return value and unit of 13//62.0 N/mm; where nothing is shown the step is the value."""
    step, _, seen = told.partition("//")
    return parsed_value(seen.strip() or _plain(step))


def _plain(told: str) -> str:
    match = _QUOTED.match(told)
    return match[1].strip() if match else told.partition("//")[0].strip()
