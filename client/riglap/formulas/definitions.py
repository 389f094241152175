"""Formulas with names, `name = expression`, as they stand wherever a channel's name may, and in files."""

import difflib
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Final, NamedTuple

from rig.channels import LAP, PHYSICS
from rig.errors import BadRequest, MissingChannel
from rig.regular import read_regular
from riglap.formulas.aliases import ALIASES, COMPONENTS
from riglap.formulas.nodes import ChannelNode
from riglap.formulas.parser import parse
from riglap.rows import channel_of

MOST_FORMULAS: Final = 500
_MOST_BYTES: Final = 1 << 20
_NAMED: Final = re.compile(r"\s*([A-Za-z_]\w*)\s*=(?!=)(.*)", re.DOTALL)
_CHANNELS: Final = {channel.name for channel in (*LAP.channels, *PHYSICS.channels)}


class Chosen(NamedTuple):
    """What a caller asked for by name."""

    channels: tuple[str, ...]
    """Names in their order, those of formulas among them."""
    formulas: dict[str, str]
    """Expressions by name."""

    def needed(self) -> tuple[str, ...]:
        """Return the channels that a lap must have for it; () for all, where a name is not known here: the
        rig may be newer.
        """
        plain = [channel_of(name) for name in self.channels if name not in self.formulas]
        try:
            return tuple(dict.fromkeys((*plain, *self.needed_here())))
        except MissingChannel:
            return ()

    def needed_here(self) -> tuple[str, ...]:
        """Return the channels that the formulas take. Raises MissingChannel for one that the registry of this
        version does not have.
        """
        found: dict[str, None] = {}
        for text in self.formulas.values():
            for node in parse(text).nodes:
                if isinstance(node, ChannelNode) and node.name not in self.formulas:
                    found[_channel(node)] = None
        return (*found, *(["lap_time"] if self.formulas else []))


def defined(text: str) -> tuple[str, str]:
    """Return name and expression of `name = expression`. Raises BadRequest, also for what is no formula."""
    match = _NAMED.fullmatch(text)
    if match is None:
        raise BadRequest(
            f"{text[:100]!r} is no formula", hint="name = expression, such as kmh = speed [km/h]"
        )
    name, expression = match[1], match[2].strip()
    if name in _CHANNELS or name in COMPONENTS:
        raise BadRequest(f"no formula can be called {name!r}", hint="there is a channel of this name")
    try:
        parse(expression)
    except BadRequest as error:
        raise BadRequest(f"in {name}: {error.message}", hint=error.hint, **error.facts) from None
    return name, expression


def chosen(channels: Iterable[str], formulas: dict[str, str] | None = None) -> Chosen:
    """Return names of channels and formulas, where either may stand; `formulas` are known beside them, and
    read only where they are named. Raises BadRequest for a wrong formula, and for two of one name.
    """
    names: dict[str, None] = {}
    made: dict[str, str] = {}
    for one in channels:
        if "=" not in one:
            names[one] = None
            continue
        name, expression = defined(one)
        if made.setdefault(name, expression) != expression:
            raise BadRequest(f"there are two formulas called {name!r}")
        names[name] = None
    return Chosen(tuple(names), {**_used(names, formulas or {}, made), **made})


def read_formulas(path: str | Path) -> dict[str, str]:
    """Return the formulas of a file by name: one a line, # begins a comment, each may use others.

    Raises BadRequest, which names the line; OSError.
    """
    found: dict[str, str] = {}
    try:
        lines = read_regular(path, _MOST_BYTES).decode().splitlines()
    except UnicodeDecodeError:
        raise BadRequest(f"{path} is no text") from None
    for number, line in enumerate(lines, 1):
        text = line.partition("#")[0].strip()
        if not text:
            continue
        try:
            name, expression = defined(text)
        except BadRequest as error:
            raise BadRequest(
                f"{path}, line {number}: {error.message}", hint=error.hint, **error.facts
            ) from None
        if name in found:
            raise BadRequest(f"{path}, line {number}: there are two formulas called {name!r}")
        found[name] = expression
    if len(found) > MOST_FORMULAS:
        raise BadRequest(f"{path} has {len(found)} formulas", hint=f"{MOST_FORMULAS} at most")
    _check_cycles(found, str(path))
    return found


def _check_cycles(formulas: dict[str, str], where: str) -> None:
    """Raise BadRequest for a formula that uses itself: take away what needs no other, until all are gone."""
    needs = {
        name: {node.name for node in parse(text).nodes if isinstance(node, ChannelNode)} & formulas.keys()
        for name, text in formulas.items()
    }
    while needs:
        free = [name for name, others in needs.items() if not others & needs.keys()]
        if not free:
            chain = [next(iter(needs))]
            while chain[-1] not in chain[:-1]:
                chain.append(next(iter(needs[chain[-1]] & needs.keys())))
            raise BadRequest(
                f"{where}: {' uses '.join(chain[chain.index(chain[-1]) :])}",
                hint="a formula cannot use itself",
            )
        for name in free:
            del needs[name]


def _used(names: Iterable[str], known: dict[str, str], made: dict[str, str]) -> dict[str, str]:
    """Return the known formulas that are named, and those that these use."""
    found: dict[str, str] = {}
    waiting = [*names]
    for text in made.values():
        waiting += _names(text)
    while waiting:
        name = waiting.pop()
        if name in known and name not in made and name not in found:
            found[name] = known[name]
            waiting += _names(known[name])
    return found


def _names(text: str) -> list[str]:
    return [node.name for node in parse(text).nodes if isinstance(node, ChannelNode)]


def _channel(node: ChannelNode) -> str:
    """Return the channel that a node reads. Raises MissingChannel."""
    alias = ALIASES.get(node.name.lower()) if node.quoted else None
    name = alias.column if alias else node.name
    channel, _ = COMPONENTS.get(name, (channel_of(name), 0))
    if channel not in _CHANNELS:
        near = difflib.get_close_matches(name, _CHANNELS, 1)
        hint = f"did you mean {near[0]}? " if near else ""
        raise MissingChannel(
            f"column {node.column}: there is no channel {node.name!r}",
            hint=f"{hint}`rig channels` lists them",
            column=node.column,
        )
    return channel
