"""The report of a season, for its page: `GET /report/{rig}`, as `rig season report` writes it."""

import asyncio
from collections.abc import Iterable
from typing import Any, Final

from aiohttp import web

from rig.errors import BadRequest
from rigclient.aio import AsyncRig
from riglap.season.page import page
from riglap.season.points import preset

_KNOWN: Final = ("track", "vehicle_class", "event", "points", "by_car", "theme")
_QUIET: Final = ("key",)
_MOST_TEXT: Final = 200
MOST_SESSIONS: Final = 200

POLICY: Final = (
    "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; "
    "frame-ancestors 'self'; sandbox allow-scripts"
)
"""It stands in a frame, without an origin of its own: the script in it reaches nothing of the pages."""


async def report(rig: AsyncRig, given: Iterable[tuple[str, str]]) -> web.Response:
    """Return the report of races at a `track`, of a `vehicle_class`, of an `event` of the catalog, by a rule
    of `points`, of cars (`by_car`) in place of drivers. Raises BadRequest, NotFound, and what the rig says.
    """
    words = _words(given)
    wanted: dict[str, Any] = {name: words[name] for name in ("track", "vehicle_class") if name in words}
    if "event" in words:
        wanted["sessions"] = await _sessions(rig, words["event"])
    rule = preset(words["points"]) if "points" in words else None
    season = await rig.season(rule, by_car=words.get("by_car") == "true", **wanted)
    text = await asyncio.to_thread(page, season, words.get("theme", ""))
    response = web.Response(text=text, content_type="text/html")
    response.headers["Content-Security-Policy"] = POLICY
    response.enable_compression()
    return response


async def _sessions(rig: AsyncRig, event: str) -> list[str]:
    found = [one.event_session.session async for one in rig.catalog.list(f"{event}/sessions")]
    if not 0 < len(found) <= MOST_SESSIONS:
        raise BadRequest(f"{event[:80]} has {len(found)} sessions", hint=f"from 1 to {MOST_SESSIONS}")
    return found


def _words(given: Iterable[tuple[str, str]]) -> dict[str, str]:
    words = {name: value for name, value in given if name not in _QUIET and value}
    for name, value in words.items():
        if name not in _KNOWN:
            raise BadRequest(f"there is no parameter {name[:40]!r}", hint=", ".join(_KNOWN))
        if len(value) > _MOST_TEXT:
            raise BadRequest(f"the parameter {name} is too long", hint=f"at most {_MOST_TEXT}")
    return words
