"""What a page follows: one entry of its `follow`, checked, and the request that it comes to."""

import base64
import binascii
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from rig.errors import BadRequest
from rig.v1 import telemetry_pb2
from rigclient import requests

STREAMS: Final = ("physics", "scoring", "events")
MAX_ENTRIES: Final = 16
MAX_CHANNELS: Final = 400
"""The registry has half as many."""
MAX_CARS: Final = 128
MAX_RATE_HZ: Final = 1000.0
MAX_CURSOR: Final = 256
MAX_LAP: Final = 256
RATE_HZ: Final = 30.0
"""Where a page asks for none: what it can paint."""

Request = (
    telemetry_pb2.StreamPhysicsRequest
    | telemetry_pb2.StreamScoringRequest
    | telemetry_pb2.StreamEventsRequest
)


@dataclass(frozen=True)
class PageEntry:
    """A stream of a rig, cut. Pages that want the same share one stream."""

    stream: str
    channels: tuple[str, ...] = ()
    cars: tuple[int, ...] | str = "all"
    rate_hz: float = RATE_HZ
    delta_reference: str = ""
    """Of physics: name of the lap that the channel of this name holds cars against."""
    cursor: bytes = b""
    """Of events: after this one. Of tables the newest counts, so there it is refused."""

    def request(self, start: requests.Start, *, one_by_one: bool = False) -> Request:
        """Return what to ask the rig for. `one_by_one`: a tick a message also where many wait."""
        if self.stream == "events":
            return requests.events(start)
        cars: Any = self.cars
        # Who asks for no rate is given many ticks at once while behind; at this one nothing is left out.
        rate_hz = self.rate_hz or (MAX_RATE_HZ if one_by_one else 0.0)
        if self.stream == "scoring":
            return requests.scoring(self.channels, cars, max_rate_hz=rate_hz, start=start)
        return requests.physics(
            self.channels, cars, max_rate_hz=rate_hz, start=start, delta_reference=self.delta_reference
        )


def follow(entries: object) -> list[PageEntry | BadRequest]:
    """Return what a page wants, with an error in the place of an entry that cannot mean anything. Raises
    BadRequest for what is no list of at most 16.
    """
    if not isinstance(entries, list) or len(entries) > MAX_ENTRIES:
        raise BadRequest("follow is no list of entries", hint=f"at most {MAX_ENTRIES}, each {{stream, ...}}")
    return [_caught(entry) for entry in entries]


def _caught(entry: object) -> PageEntry | BadRequest:
    try:
        return wanted(entry)
    except BadRequest as error:
        return error


def wanted(entry: object) -> PageEntry:
    """Return what one entry asks for. Raises BadRequest."""
    if not isinstance(entry, dict):
        raise BadRequest("an entry is no object", hint='write {"stream": "physics", ...}')
    stream = entry.get("stream")
    if stream not in STREAMS:
        raise BadRequest(f"{_short(stream)} is no stream", hint=f"there are {', '.join(STREAMS)}")
    if stream == "events":
        return PageEntry(stream, cursor=_cursor(entry.get("cursor")))
    if entry.get("cursor"):
        raise BadRequest(
            f"of {stream} the newest counts, and a cursor is of events", hint='{"seek": {"time_ns": "..."}}'
        )
    return PageEntry(
        stream,
        _channels(entry.get("channels")),
        _cars(entry.get("cars")),
        _rate(entry.get("rate")),
        _lap(entry.get("delta_reference")),
    )


def _channels(found: object) -> tuple[str, ...]:
    return tuple(dict.fromkeys(_list("channels", found, MAX_CHANNELS, lambda one: isinstance(one, str))))


def _cars(found: object) -> tuple[int, ...] | str:
    if not found:
        return "all"
    if not isinstance(found, dict):
        raise BadRequest(f"{_short(found)} is no choice of cars", hint='{"ids": [1]}, {"player": true} or {}')
    if found.get("player") is True:
        return "player"
    ids = _list("cars.ids", found.get("ids"), MAX_CARS, lambda one: type(one) is int)
    return tuple(sorted(set(requests.slots(ids)))) or "all"


def _rate(found: object) -> float:
    if found is None:
        return RATE_HZ
    if isinstance(found, bool) or not isinstance(found, int | float) or not math.isfinite(found):
        raise BadRequest(f"{_short(found)} is no rate", hint="records a second, 0: all")
    if not 0 <= found <= MAX_RATE_HZ:
        raise BadRequest(f"a rate of {found} is out of range", hint=f"0 to {MAX_RATE_HZ:g} a second")
    return float(found)


def _lap(found: object) -> str:
    if not found:
        return ""
    if not isinstance(found, str) or len(found) > MAX_LAP:
        raise BadRequest(f"{_short(found)} is no name of a lap", hint="sessions/SESSION/laps/LAP")
    return found


def _cursor(found: object) -> bytes:
    if not found:
        return b""
    try:
        if not isinstance(found, str) or len(found) > MAX_CURSOR:
            raise ValueError
        return base64.b64decode(found + "=" * (-len(found) % 4), altchars=b"-_", validate=True)
    except (ValueError, binascii.Error):
        raise BadRequest(
            f"{_short(found)} is no cursor", hint="base64url of the cursor of a message"
        ) from None


def _list(name: str, found: object, most: int, fits: Callable[[Any], bool]) -> list[Any]:
    if found is None:
        return []
    if not isinstance(found, list) or len(found) > most or not all(fits(one) for one in found):
        raise BadRequest(f"{name} is no list as it should be", hint=f"at most {most} of one kind")
    return found


def _short(found: object) -> str:
    return repr(found)[:40]
