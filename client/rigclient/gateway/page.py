"""One page that is open: what it follows, the newest of each, and the one task that writes to it."""

import asyncio
import contextlib
import json
import time
from collections import deque
from typing import Any, Final

from aiohttp import WSMsgType, web

from rig.errors import BadRequest, Exhausted, RigError
from rigclient.gateway.pace import SECOND_NS, Again, Delayed, Live, Pace
from rigclient.gateway.rigs import GatewayRig
from rigclient.gateway.selection import PageEntry, follow
from rigclient.gateway.upstream import Message, Upstream

STALE_S: Final = 1.75
"""Without a record; looked at four times a second, so that it is shown within two."""
MAX_EVENTS: Final = 1000
MAX_EVENT_BYTES: Final = 256 << 10
MAX_GARBAGE: Final = 10
MAX_DELAY_S: Final = 3600.0
MAX_SPEED: Final = 32.0
STALLED_S: Final = 30.0
"""A page that takes nothing for so long is dropped."""
_STATE_S: Final = 1.0
MAX_WISHES: Final = 20
"""That a page may have in a second; who drags a slider has fewer. More of them wait in its connection."""

CLOSED_GARBAGE: Final = 1008
CLOSED_AWAY: Final = 1001


class Following:
    """One entry: of a table the newest value, and the one with the entry list; of events all."""

    def __init__(self, page: "Page", index: int, upstream: Upstream) -> None:
        self.index: int = index
        self.upstream: Upstream = upstream
        self.dropped: int = 0
        self.missed: int = 0
        self._page = page
        self._all = upstream.wanted.stream == "events"
        self._waiting: deque[Message] = deque()
        self._bytes = 0

    def take(self, message: Message) -> None:
        """Put a message in its place, and wake the writer."""
        self.missed += message.missed
        if self._all:
            self._append(message)
        else:
            # A newer one takes the place of all but of the newest entry list.
            if self._waiting:
                kept = None if message.entry_list else next((m for m in self._waiting if m.entry_list), None)
                self._waiting.clear()
                if kept is not None:
                    self._waiting.append(kept)
            self._waiting.append(message)
        self._page.wake()

    @property
    def has(self) -> bool:
        """Whether something waits to be written."""
        return bool(self._waiting)

    @property
    def waiting_bytes(self) -> int:
        """Bytes of it."""
        return sum(len(message.response.data) for message in self._waiting)

    def refuse(self, error: RigError) -> None:
        """Tell the page that this entry brings nothing."""
        self._page.refuse(self.index, error)

    def take_out(self) -> Message | None:
        """Return what is to be written next."""
        if not self._waiting:
            return None
        message = self._waiting.popleft()
        if self._all:
            self._bytes -= len(message.response.data)
        return message

    def _append(self, message: Message) -> None:
        self._waiting.append(message)
        self._bytes += len(message.response.data)
        while len(self._waiting) > MAX_EVENTS or self._bytes > MAX_EVENT_BYTES:
            oldest = self._waiting.popleft()
            self._bytes -= len(oldest.response.data)
            self.dropped += len(oldest.response.records)


class Page:
    """A WebSocket. Nothing it does or leaves undone delays another."""

    def __init__(
        self, rig: GatewayRig, delay_s: float, socket: web.WebSocketResponse, transport: Any
    ) -> None:
        self._rig, self._socket, self._transport = rig, socket, transport
        self._delay_s = delay_s
        self._pace: Pace = Delayed(rig.clock, delay_s) if delay_s else Live()
        self._pace_key: object = delay_s
        self._wanted: list[PageEntry | BadRequest] = []
        self._slots: dict[int, Following] = {}
        self._texts: deque[str] = deque(maxlen=64)
        self._wake = asyncio.Event()
        self._told: tuple[str, str] = ("", "")
        self._told_at = 0.0
        self._dropped = self._missed = 0
        self._garbage = 0
        self._wished_at: deque[float] = deque([0.0], maxlen=MAX_WISHES)
        self._writing_since = 0.0
        self._followed_at = time.monotonic()

    async def run(self) -> None:
        """Read what the page wants and write what it follows, until it is closed."""
        writer = asyncio.create_task(self._write())
        try:
            self.look()
            async for message in self._socket:
                if message.type in (WSMsgType.TEXT, WSMsgType.BINARY):
                    await self._slow_down()
                    await self._obey(message.data)
        finally:
            writer.cancel()
            self._leave(self._slots)
            self._slots = {}
            await asyncio.gather(writer, return_exceptions=True)

    def wake(self) -> None:
        """Have what waits written."""
        self._wake.set()

    @property
    def waiting_bytes(self) -> int:
        """What is held here for this page alone, and in the transport."""
        held = sum(slot.waiting_bytes for slot in self._slots.values()) + sum(map(len, self._texts))
        return held + int(self._transport.get_write_buffer_size())

    def refuse(self, index: int, error: RigError) -> None:
        """Say that an entry brings nothing, and why."""
        words = {"entry": index, "message": error.message, "hint": error.hint}
        self._say({"error": words})

    def look(self) -> None:
        """Say how it is where that has changed or a second has passed; drop the page if it takes nothing."""
        now = time.monotonic()
        if self._writing_since and now - self._writing_since > STALLED_S:
            self._transport.abort()
            return
        state, words = self._state(now)
        if (state, words) != self._told or now - self._told_at >= _STATE_S:
            self._told, self._told_at = (state, words), now
            self._say_state(state, words)

    async def close(self) -> None:
        """Close it because the gateway ends: the page comes back by itself."""
        try:
            await asyncio.wait_for(self._socket.close(code=CLOSED_AWAY, message=b"the gateway ends"), 1.0)
        except (TimeoutError, ConnectionError, RuntimeError):
            self._transport.abort()  # it reads nothing, and would be waited for

    # What it follows.

    def _follow(self, wanted: list[PageEntry | BadRequest]) -> None:
        """Follow this and nothing else. What it followed before goes on without a break."""
        old, self._slots = self._slots, {}
        self._wanted = wanted
        self._followed_at = time.monotonic()
        for index, one in enumerate(wanted):
            if isinstance(one, BadRequest):
                self.refuse(index, one)
            else:
                self._enter(index, one)
        self._leave(old)
        self.wake()

    def _enter(self, index: int, wanted: PageEntry) -> None:
        try:
            upstream = self._rig.upstreams.of(wanted, self._pace, self._pace_key)
        except Exhausted as error:
            self.refuse(index, error)
            return
        self._slots[index] = slot = Following(self, index, upstream)
        upstream.join(slot)

    def _leave(self, slots: dict[int, Following]) -> None:
        for slot in slots.values():
            slot.upstream.leave(slot)
            self._dropped += slot.dropped
            self._missed += slot.missed

    def _seek(self, seek: object, speed: object) -> None:
        """Show a moment of the past, or live again."""
        if not isinstance(seek, dict):
            raise BadRequest("seek is no object", hint='{"time_ns": "..."} or {"live": true}')
        if seek.get("live") is True:
            self._pace = Delayed(self._rig.clock, self._delay_s) if self._delay_s else Live()
            self._pace_key = self._delay_s
        else:
            self._pace = Again(_time_ns(seek.get("time_ns")), _number("speed", speed, 0.0, MAX_SPEED))
            self._pace_key = self._pace
        self._follow(self._wanted)

    # What the page says.

    async def _slow_down(self) -> None:
        """Wait while the page says too much: every wish may open streams of the rig."""
        if len(self._wished_at) == MAX_WISHES:
            await asyncio.sleep(self._wished_at[0] + 1 - time.monotonic())
        self._wished_at.append(time.monotonic())

    async def _obey(self, text: str | bytes) -> None:
        try:
            words = json.loads(text)
            if not isinstance(words, dict) or not ({"follow", "seek"} & words.keys()):
                raise BadRequest("nothing in it is known", hint='write {"follow": [...]} or {"seek": {...}}')
            if "follow" in words:
                self._follow(follow(words["follow"]))
                # What comes after this counts entries in the new list.
                self._say({"following": number if isinstance(number := words.get("id"), int) else None})
            if "seek" in words:
                self._seek(words["seek"], words.get("speed", 1))
        except BadRequest as error:
            await self._complain(error)
        except (ValueError, RecursionError):
            await self._complain(BadRequest("that is no JSON", hint='write {"follow": [...]}'))

    async def _complain(self, error: BadRequest) -> None:
        """Say what is wrong; after ten times close it."""
        self._garbage += 1
        self._say({"error": {"entry": None, "message": error.message, "hint": error.hint}})
        if self._garbage >= MAX_GARBAGE:
            await asyncio.sleep(0.05)  # for the last words
            await self._socket.close(code=CLOSED_GARBAGE, message=b"ten messages that mean nothing")

    # What it is told.

    def _state(self, now: float) -> tuple[str, str]:
        rig = self._rig.look()
        if rig.state in ("off", "refused", "connecting"):
            return rig.state, rig.message
        tables = [s.upstream for s in self._slots.values() if s.upstream.wanted.stream != "events"]
        silent_s = now - max((one.arrived_at for one in tables), default=now)
        if tables and min(silent_s, now - self._followed_at) > STALE_S:
            return "stale", rig.message or f"nothing has come for {min(silent_s, 3600):.0f} s"[:60]
        if isinstance(self._pace, Again):
            return "replay", f"the past, at {self._pace.speed:g} times its speed"
        return ("live", "") if tables else (rig.state, rig.message)

    def _say_state(self, state: str, words: str) -> None:
        newest = max((slot.upstream.time_ns for slot in self._slots.values()), default=0)
        now_ns = self._rig.clock.now_ns()
        self._say(
            {
                "rig": self._rig.name,
                "state": state,
                "message": words,
                "time_ns": str(newest),
                "lag_s": round(max(now_ns - newest, 0) / SECOND_NS, 3) if newest and now_ns else 0,
                "missed": self._missed + sum(slot.missed for slot in self._slots.values()),
                "dropped": self._dropped + sum(slot.dropped for slot in self._slots.values()),
                "delay_s": self._delay_s,
            }
        )

    def _say(self, words: dict[str, Any]) -> None:
        self._texts.append(json.dumps(words))
        self.wake()

    async def _write(self) -> None:
        """Write what waits, one after the other; while the page is slow, newer values take the old ones'
        place.
        """
        with contextlib.suppress(ConnectionError):
            while not self._socket.closed:
                await self._wake.wait()
                self._wake.clear()
                while self._texts or any(slot.has for slot in self._slots.values()):
                    await self._write_round()

    async def _write_round(self) -> None:
        # Words first: "following" tells that what comes after it is of the new entries.
        while self._texts:
            await self._send(self._socket.send_str(self._texts.popleft()))
        for slot in tuple(self._slots.values()):
            if (message := slot.take_out()) is not None:
                await self._send(self._socket.send_bytes(message.framed(slot.index)))

    async def _send(self, sending: Any) -> None:
        self._writing_since = time.monotonic()
        await sending
        self._writing_since = 0.0


def delay_s(text: str) -> float:
    """Return the delay that a page asks for, seconds. Raises BadRequest."""
    try:
        return _number("delay", float(text or 0), 0.0, MAX_DELAY_S)
    except ValueError:
        raise BadRequest(f"{text[:40]!r} is no delay", hint="seconds") from None


def _number(name: str, found: object, least: float, most: float) -> float:
    if isinstance(found, bool) or not isinstance(found, int | float) or not least <= found <= most:
        raise BadRequest(f"{name} is out of range", hint=f"{least:g} to {most:g}")
    return float(found)


def _time_ns(found: object) -> int:
    text = str(found)
    if not (text.isascii() and text.isdecimal() and len(text) <= 19 and int(text) > 0):
        raise BadRequest(f"{text[:40]!r} is no time", hint="unix nanoseconds, as text")
    return int(text)
