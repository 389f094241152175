"""The configuration in force: defaults, the file over them, the environment over that, the command line over
all; every value with where it is from, every mistake with its line.
"""

import contextlib
import difflib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, NamedTuple, TypeVar

from rig.errors import BadRequest
from rig.signs import visible
from rigd.config.file import ConfigFile
from rigd.config.kinds import Wrong, shown
from rigd.config.settings import BY_KEY, RECORD, SECTIONS, SERVE, SETTINGS, Setting
from rigd.seat import MAX_USER, check_user

T = TypeVar("T")

USERS: Final = "users"
_DRIVERS: Final = "drivers"
_LONGEST_DRIVER: Final = 64
"""The game has room for 32 bytes."""
_MOST_SHOWN: Final = 50
_LONGEST: Final = 400
"""Characters of a mistake; a key may be as long as the file."""
_NEAR: Final = 0.6


class Origin(StrEnum):
    """Which of the four says a value."""

    DEFAULT = "default"
    FILE = "file"
    ENVIRONMENT = "environment"
    FLAG = "flag"


class Value(NamedTuple):
    """A value, and where it is from."""

    value: Any
    origin: Origin = Origin.DEFAULT
    place: str = "default"
    """For people: FILE:LINE, the variable, the flag."""


@dataclass(frozen=True)
class Effective:
    """The configuration in force. Indexed by a setting it gives the value."""

    values: Mapping[str, Value]
    """By key; of all settings."""
    drivers: Mapping[str, str]
    """Users by the driver's name in the game."""
    path: Path | None = None
    """The file that was read."""

    def __getitem__(self, setting: Setting[T]) -> T:
        """Return the value of a setting."""
        found: T = self.values[setting.key].value
        return found

    def under(self, flags: Mapping[str, Any]) -> "Effective":
        """Return the configuration with the values of flags, by key, over it."""
        over = {key: Value(value, Origin.FLAG, f"flag {BY_KEY[key].flag}") for key, value in flags.items()}
        return replace(self, values=MappingProxyType({**self.values, **over}))

    def origin(self, setting: Setting[Any]) -> Origin:
        """Return who says the value."""
        return self.values[setting.key].origin


def merged(file: ConfigFile | None, environment: Mapping[str, str]) -> Effective:
    """Return the configuration of a file and an environment. Raises BadRequest that names every mistake, a
    line each.
    """
    check = _Check(file)
    values = {one.key: Value(one.usual()) for one in SETTINGS}
    values |= check.file_values()
    values |= check.environment_values(environment)
    drivers = check.drivers()
    if check.mistakes:
        raise BadRequest(_together(check.mistakes))
    return Effective(MappingProxyType(values), MappingProxyType(drivers), file.path if file else None)


def _together(mistakes: list[str]) -> str:
    """Return the mistakes as lines, with how many there are where there are several."""
    lines = [visible(line) for line in mistakes[:_MOST_SHOWN]]
    if len(mistakes) > _MOST_SHOWN:
        lines.append(f"and {len(mistakes) - _MOST_SHOWN} more")
    count = [f"the configuration has {len(mistakes)} mistakes:"] if len(mistakes) > 1 else []
    return "\n".join(count + lines)


class _Check:
    """Collects values and mistakes."""

    def __init__(self, file: ConfigFile | None) -> None:
        self.mistakes: list[str] = []
        self._file = file

    def file_values(self) -> dict[str, Value]:
        """Return what the file says."""
        found: dict[str, Value] = {}
        for key, given in self._said().items():
            if key in BY_KEY:
                self._add(found, BY_KEY[key], given, Origin.FILE, self._place(key))
            elif key not in SECTIONS:
                self._unknown(key, given)
            elif not isinstance(given, dict):
                self._mistake(self._place(key), f"{key} is {shown(given)}, which is no section ([{key}])")
        return found

    def environment_values(self, environment: Mapping[str, str]) -> dict[str, Value]:
        """Return what the environment says; an empty variable says nothing."""
        found: dict[str, Value] = {}
        for one in SETTINGS:
            if text := environment.get(one.variable):
                self._add(found, one, text, Origin.ENVIRONMENT, f"environment {one.variable}")
        return found

    def _add(
        self, found: dict[str, Value], one: Setting[Any], given: Any, origin: Origin, place: str
    ) -> None:
        read = one.kind.parse if origin is Origin.ENVIRONMENT else one.kind.take
        try:
            found[one.key] = Value(read(given), origin, place)
        except Wrong as wrong:
            self._mistake(place, f"{one.key} is {one.kind.told(given)}, which {wrong.why} ({wrong.hint})")

    def drivers(self) -> dict[str, str]:
        """Return the users by the names of their drivers."""
        found: dict[str, str] = {}
        users = self._said().get(USERS, {})
        for user, table in users.items() if isinstance(users, dict) else ():
            key = f"{USERS}.{user}"
            if not _is_user(user):
                hint = f"1 to {MAX_USER} characters that can be printed, without blanks around them"
                self._mistake(self._place(key), f"{key}: {shown(user)} is no name of a user ({hint})")
            if not isinstance(table, dict):
                self._mistake(self._place(key), f"{key} is {shown(table)}, which is no section ([{key}])")
                continue
            for name, given in table.items():
                if name != _DRIVERS:
                    self._unknown(f"{key}.{name}", given, [f"{key}.{_DRIVERS}"])
                else:
                    self._take_drivers(found, user, given)
        return found

    def _take_drivers(self, found: dict[str, str], user: str, given: Any) -> None:
        key = f"{USERS}.{user}.{_DRIVERS}"
        if not isinstance(given, list) or not all(map(_is_driver, given)):
            hint = f"a list of names in the game, each of 1 to {_LONGEST_DRIVER} characters"
            self._mistake(self._place(key), f"{key} is {shown(given)}, which is no list of drivers ({hint})")
            return
        for driver in given:
            if found.setdefault(driver, user) != user:
                words = f"{key} has {shown(driver)}, who is {found[driver]} already"
                self._mistake(self._place(key), f"{words} (a driver is one user)")

    def _unknown(self, key: str, given: Any, known: list[str] | None = None) -> None:
        """Note a key that there is not, and the nearest that there is."""
        few = len(self.mistakes) < _MOST_SHOWN and len(key) < _LONGEST
        near = _nearest(key, known or [*BY_KEY, *SECTIONS]) if few else ""
        words = f"there is no section {key}" if isinstance(given, dict) else f"there is no setting {key}"
        hint = f"did you mean {near}?" if near else "`rigd config --default` shows all"
        self._mistake(self._place(key), f"{words} ({hint})")

    def _mistake(self, place: str, words: str) -> None:
        self.mistakes.append(f"{place}: {words if len(words) <= _LONGEST else words[: _LONGEST - 1] + '…'}")

    def _said(self) -> Mapping[str, Any]:
        return self._file.values if self._file else {}

    def _place(self, key: str) -> str:
        return self._file.place(key) if self._file else ""


def _is_user(user: str) -> bool:
    with contextlib.suppress(BadRequest):
        check_user(user)
        return bool(user)
    return False


def _is_driver(name: Any) -> bool:
    return isinstance(name, str) and 0 < len(name) <= _LONGEST_DRIVER


def _nearest(key: str, known: list[str]) -> str:
    """Return the known key that looks most like `key`; also one that stands in another section."""
    own = key.rpartition(".")[2]
    for one in known:
        if one.rpartition(".")[2] == own:
            return one
    found = difflib.get_close_matches(key, known, 1, _NEAR)
    names = {one.rpartition(".")[2]: one for one in known}
    by_name = difflib.get_close_matches(own, names, 1, _NEAR)
    return found[0] if found else names[by_name[0]] if by_name else ""


def changes(before: Effective, after: Effective, daemon: str) -> tuple[list[str], list[str]]:
    """Return the keys of a daemon whose values differ: those that it takes up while it runs, and those that
    need it to be started again.
    """
    different = [one for one in SETTINGS if daemon in one.daemons and before[one] != after[one]]
    taken = [one.key for one in different if one.reload]
    if daemon in (RECORD, SERVE) and before.drivers != after.drivers:
        taken.append(USERS)
    return taken, [one.key for one in different if not one.reload]


def taken_up(before: Effective, after: Effective) -> Effective:
    """Return what a running daemon has in force after a reload: what cannot change stays."""
    values = {one.key: (after if one.reload else before).values[one.key] for one in SETTINGS}
    return Effective(MappingProxyType(values), after.drivers, after.path)
