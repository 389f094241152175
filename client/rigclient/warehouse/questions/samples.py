"""Samples of laps, ordered by car, lap and distance: laps by the dozen, never a whole table."""

# ruff: noqa: S608  what is put into statements are names from this package; values are bound

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any, Final

from rig.channels import LAP, PHYSICS
from rigclient.warehouse import tables
from rigclient.warehouse.destination import PAGE_ROWS, Batch, Destination
from rigclient.warehouse.questions import laps
from rigclient.warehouse.questions.choice import Choice
from rigclient.warehouse.questions.formulas import needed_by, split, with_formulas
from rigclient.warehouse.questions.keyset import Question, pages

_ALWAYS: Final = ("SESSION", "CAR", "LAP_INDEX", "LAP", "LAP_TIME", "DISTANCE")
"""Columns that are always there."""
_KEYS: Final = ("CAR", "LAP_INDEX", "AT_M", "SEQ")
_NOWHERE_M: Final = -1e6
"""In place of a distance that nobody knows, so that those samples come first."""
_MOST_LAPS: Final = 200
"""In one statement, each a parameter of it."""


def columns_of(channels: Iterable[str]) -> list[str]:
    """Return the columns of PHYSICS for channels such as speed, tyre_temp or tyre_load_fl. Raises
    UnknownChannel.
    """
    found: dict[str, None] = {}
    known = {column.name for column in tables.SAMPLES.columns}
    for name in channels:
        if name.upper() in known:
            found[name.upper()] = None
            continue
        (channel,) = (one for one in PHYSICS.pick([name]) if one.name == name)
        found |= dict.fromkeys(tables.components(channel.name, channel.width))
    return list(found)


def units() -> dict[str, str]:
    """Return the unit of every channel's column, by the column's name."""
    return {
        column: channel.unit
        for channel in (*LAP.channels, *PHYSICS.channels)
        for column in tables.components(channel.name, channel.width)
    }


def samples(
    destination: Destination, choice: Choice, channels: Iterable[str], page: int = PAGE_ROWS
) -> Iterator[Batch]:
    """Yield batches of samples: SESSION, CAR, LAP_INDEX, LAP, LAP_TIME, DISTANCE, and the channels'
    columns. With formulas among them, `name = expression`, a batch is a lap.

    Raises UnknownChannel, BadRequest and MissingChannel for what a formula says.
    """
    names, formulas = split(channels)
    if formulas:
        needed = (*names, *needed_by(formulas))
        rows = _batches(destination, choice, columns_of(needed), page)
        yield from with_formulas(rows, formulas, list(dict.fromkeys((*_ALWAYS, *columns_of(names)))))
    else:
        yield from _batches(destination, choice, columns_of(names), page)


def samples_of(destination: Destination, lap: laps.LapKey, channels: Iterable[str]) -> Iterator[Batch]:
    """Yield batches of the samples of one lap, as `samples` does."""
    names, formulas = split(channels)
    wanted = list(dict.fromkeys((*_ALWAYS, *columns_of((*names, *needed_by(formulas))))))
    rows = (batch.select(wanted) for batch in pages(destination, _question([lap], wanted), _KEYS))
    keep = list(dict.fromkeys((*_ALWAYS, *columns_of(names))))
    yield from with_formulas(rows, formulas, keep) if formulas else rows


def _batches(destination: Destination, choice: Choice, columns: Iterable[str], page: int) -> Iterator[Batch]:
    wanted = list(dict.fromkeys((*_ALWAYS, *columns)))
    found = laps.laps(destination, replace(choice, telemetry=True), everything=True)
    for some in _together(found, page):
        for batch in pages(destination, _question(some, wanted), _KEYS, page):
            yield batch.select(wanted)


def _together(found: Iterable[dict[str, Any]], page: int) -> Iterator[list[laps.LapKey]]:
    """Yield laps of one session that together fill a page, in the order of their samples."""
    some: list[laps.LapKey] = []
    rows = 0
    for lap in found:
        key = laps.key_of(lap)
        full = rows + lap["samples"] > page or len(some) == _MOST_LAPS
        if some and (full or some[0][:2] != key[:2]):
            yield some
            some, rows = [], 0
        some.append(key)
        rows += lap["samples"]
    if some:
        yield some


def _question(some: Sequence[laps.LapKey], columns: Sequence[str]) -> Question:
    chosen = ", ".join(dict.fromkeys((*columns, "SEQ")))
    return Question(
        f"SELECT {chosen}, COALESCE(DISTANCE, {_NOWHERE_M}) AS AT_M FROM PHYSICS "
        f"WHERE RIG_ID = ? AND SESSION = ? AND LAP IN ({', '.join('?' * len(some))})",
        (some[0].rig_id, some[0].session, *(key.lap for key in some)),
    )
