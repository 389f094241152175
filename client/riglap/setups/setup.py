"""A setup: its parameters, each with the value and the unit that the game shows."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Final, NamedTuple

_NUMBER: Final = re.compile(r"[+-]?(?:\d{1,3}(?:,\d{3})+|\d{1,15})(?:\.\d{1,15})?")
"""Thousands as the game writes them: 17,500."""
_SHOWN: Final = re.compile(rf"({_NUMBER.pattern})\s*([^\s\d.,:;/()+-][^\s()]*)?(?:\s*\([^()]*\))?")
"""62.0 N/mm, 1100lbf/in, 68 kgf (85%), 9 (Understeer): number, unit, and a remark that says it once more."""
_WORDS: Final = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+")
_SECTIONS: Final[Mapping[str, str]] = {
    "FRONTLEFT": "front left",
    "FRONTRIGHT": "front right",
    "REARLEFT": "rear left",
    "REARRIGHT": "rear right",
    "FRONTWING": "front wing",
    "REARWING": "rear wing",
    "LEFTFENDER": "left fender",
    "RIGHTFENDER": "right fender",
    "BODYAERO": "body",
}


class Parameter(NamedTuple):
    """One thing that can be set. The same section and key mean the same thing in two setups."""

    section: str
    """FRONTLEFT; empty where the setup has no sections."""
    key: str
    """SpringSetting, as the game calls it."""
    value: str
    """62.0, or a word such as Detached."""
    unit: str = ""
    """N/mm; empty for a plain number and for words."""

    @property
    def number(self) -> Decimal | None:
        """The value as a number, None where it is none."""
        return Decimal(self.value.replace(",", "")) if _NUMBER.fullmatch(self.value) else None

    @property
    def shown(self) -> str:
        """Value and unit, as people write them."""
        return f"{self.value} {self.unit}".rstrip()


class LeftOut(NamedTuple):
    """A line of a file that is no parameter, and is not taken."""

    line: int
    """From 1."""
    reason: str

    def __str__(self) -> str:
        return f"line {self.line}: {self.reason}"


@dataclass(frozen=True)
class Setup:
    """What a car is set to."""

    parameters: tuple[Parameter, ...]
    """In the order of the file; section and key are there once."""
    vehicle: str = ""
    """Class and car, as the game names them in the file."""
    notes: str = ""
    """What the driver wrote into it."""
    left: tuple[LeftOut, ...] = ()
    """Lines that were not understood."""

    def find(self, section: str, key: str) -> Parameter | None:
        """Return a parameter, None where the setup has none of that name."""
        return next((one for one in self.parameters if (one.section, one.key) == (section, key)), None)

    def sections(self) -> Iterator[str]:
        """Yield the sections, in the order of the file."""
        yield from dict.fromkeys(one.section for one in self.parameters)


def parsed_value(shown: str) -> tuple[str, str]:
    """Return value and unit of what the game shows: ("62.0", "N/mm") of 62.0 N/mm, words as they are."""
    shown = " ".join(shown.split())
    match = _SHOWN.fullmatch(shown)
    return (match[1].replace(",", ""), match[2] or "") if match else (shown, "")


def section_title(section: str) -> str:
    """Return a section as people say it: front left of FRONTLEFT."""
    return _SECTIONS.get(section, section.lower().replace("_", " "))


def parameter_title(key: str) -> str:
    """Return a key as people say it: slow bump of SlowBumpSetting."""
    words = _WORDS.findall(key.removesuffix("Setting")) or [key]
    return " ".join(word if len(word) > 1 and word.isupper() else word.lower() for word in words)
