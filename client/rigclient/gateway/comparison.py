"""The comparison document of laps of a rig, for the compare page: `GET /api/{rig}/comparison`.

Made of the lap files as `rig compare --html` makes it, so that both show the same and formulas work in both.
"""

import asyncio
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from rig.errors import BadRequest, Exhausted
from rigclient.aio import AsyncRig
from riglap.circuits.circuit import Circuit
from riglap.compare import against, check_same_track, traces, way_of
from riglap.document import MOST_CHANNELS, MOST_LAPS, document
from riglap.lap import Lap

MOST_FORMULAS: Final = 20
_MOST_TEXT: Final = 1000
AT_ONCE: Final = 2
"""Each holds up to 20 decoded laps, 100 MB together at the very most."""
MOST_WAITING: Final = 8
_QUIET: Final = ("key",)


class Comparing:
    """Answers pages, two at a time; live streams go on beside it."""

    def __init__(self) -> None:
        self._slots = asyncio.Semaphore(AT_ONCE)
        self._waiting = 0

    async def answer(self, rig: AsyncRig, given: Iterable[tuple[str, str]]) -> str:
        """Return the document as JSON for `lap` (the first is the reference), `channel` and `formula`
        (name=formula), each repeated. Raises BadRequest, Exhausted, and what the rig says.
        """
        laps, channels, formulas = _words(given)
        if self._waiting >= MOST_WAITING:
            raise Exhausted(f"{MOST_WAITING} comparisons are under way", hint="try again in a moment")
        self._waiting += 1
        try:
            async with self._slots:
                return await _compared(rig, laps, channels, formulas)
        finally:
            self._waiting -= 1


async def _compared(
    rig: AsyncRig, names: Sequence[str], channels: Sequence[str], formulas: Mapping[str, str]
) -> str:
    whole = await rig.find_laps(names)
    laps = [await rig.lap(name) for name in whole]
    circuit = await rig.circuit(whole[0])
    return await asyncio.to_thread(_text, laps, circuit, channels, formulas)


def _text(
    laps: Sequence[Lap], circuit: Circuit | None, channels: Sequence[str], formulas: Mapping[str, str]
) -> str:
    check_same_track(laps, circuit)
    circuit = circuit or way_of(laps)
    first, *others = traces(laps, circuit)
    told = document(against(first, others, circuit), channels, formulas)
    return json.dumps(told, allow_nan=False, separators=(",", ":"))


def _words(given: Iterable[tuple[str, str]]) -> tuple[list[str], list[str], dict[str, str]]:
    laps: list[str] = []
    channels: list[str] = []
    formulas: dict[str, str] = {}
    for name, value in given:
        if len(value) > _MOST_TEXT:
            raise BadRequest(f"the parameter {name[:40]!r} is too long", hint=f"at most {_MOST_TEXT}")
        if name == "lap":
            laps.append(value)
        elif name == "channel":
            channels.append(value)
        elif name == "formula":
            title, _, text = value.partition("=")
            formulas[title.strip()] = text.strip()
        elif name not in _QUIET:
            raise BadRequest(f"there is no parameter {name[:40]!r}", hint="lap, channel, formula")
    for count, most, what in (
        (len(laps), MOST_LAPS, "laps"),
        (len(channels), MOST_CHANNELS, "channels"),
        (len(formulas), MOST_FORMULAS, "formulas"),
    ):
        if count > most:
            raise BadRequest(f"{count} {what} in one comparison", hint=f"{most} at most")
    if not laps:
        raise BadRequest("no lap is named", hint="?lap=best&lap=car012-0003")
    return laps, channels, formulas
