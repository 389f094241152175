"""`rig tail`: a stream, record by record, and the cursor of each message kept when it has been shown."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from rig.channels import PHYSICS, SCORING, Channel
from rigclient import requests
from rigclient.blocking import Rig
from rigclient.cli.commands.bookmark import Bookmark
from rigclient.cli.commands.records import Form
from rigclient.cli.terminal.line import Line
from rigclient.connection import Stream
from rigclient.frames import Frame

TABLES: Final = {"physics": PHYSICS, "scoring": SCORING}

DEFAULT_CHANNELS: Final = {
    "physics": ("gear", "speed", "engine_rpm", "throttle", "brake", "steering", "lap_number"),
    "scoring": ("place", "laps", "sector", "lap_distance", "last_lap_time", "best_lap_time", "in_pits"),
}
"""Shown when no channels are asked for."""


@dataclass(frozen=True)
class Wish:
    """What to follow."""

    stream: str = "physics"
    """physics, scoring or events."""
    channels: tuple[str, ...] = ()
    cars: requests.Cars = "player"
    max_rate_hz: float = 0.0
    start: requests.Start = "now"
    count: int | None = None
    """Records after which to end; None: never."""


def channels_of(wish: Wish) -> tuple[Channel, ...]:
    """The channels shown, in the order asked for; `all` are all of them. Raises UnknownChannel."""
    if wish.stream not in TABLES:
        return ()
    names = wish.channels or DEFAULT_CHANNELS[wish.stream]
    if "all" in names:
        return TABLES[wish.stream].channels
    found = {channel.name: channel for channel in TABLES[wish.stream].pick(names)}
    return tuple(found[name] for name in dict.fromkeys(names))


def follow(
    rig: Rig, wish: Wish, form: Form, show: Callable[[Iterable[Line]], None], bookmark: Bookmark | None = None
) -> None:
    """Show records until `wish.count`.

    With a bookmark the stream begins there, and a cursor is stored after all of its message was shown.
    """
    start = (bookmark.read() if bookmark else None) or wish.start
    stream = _open(rig, wish, start)
    stored = b""
    for record in _first(stream, wish.count):
        show(form.frame(record) if isinstance(record, Frame) else form.event(record))
        if bookmark is not None and stream.cursor != stored:
            bookmark.store(stream.cursor)
            stored = stream.cursor
    stream.close()


def _open(rig: Rig, wish: Wish, start: requests.Start) -> Stream[Any]:
    if wish.stream == "events":
        return rig.events(start)
    names = [channel.name for channel in channels_of(wish)]
    begin: Callable[..., Stream[Any]] = rig.physics if wish.stream == "physics" else rig.scoring
    return begin(names, wish.cars, max_rate_hz=wish.max_rate_hz, start=start)


def _first(stream: Stream[Any], count: int | None) -> Iterator[Any]:
    for number, record in enumerate(stream, start=1):
        yield record
        if number == count:
            return
