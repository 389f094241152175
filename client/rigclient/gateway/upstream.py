"""One stream of a rig for all pages that want the same."""

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncGenerator, Callable
from typing import TYPE_CHECKING, Final, Protocol

from rig.errors import Exhausted, RigError, Unavailable
from rig.v1 import scoring_pb2
from rigclient.gateway.kept import kept_records
from rigclient.gateway.pace import Again, Live, Pace
from rigclient.gateway.selection import PageEntry, Request
from rigclient.resume import Response

if TYPE_CHECKING:
    from rigclient.gateway.rigs import GatewayRig

_LOG: Final = logging.getLogger("rigclient.gateway")

_LONGEST_DELAY_S: Final = 5.0
_LINGER_S: Final = 3.0
"""A page that is loaded again finds its stream still there."""
MAX_OPEN: Final = 100
"""Of a rig, which gives one client 128."""


class Message:
    """A response on its way to pages: the entry's number goes before the bytes, and is the same for most."""

    __slots__ = ("_framed", "entry_list", "missed", "response", "time_ns")

    def __init__(self, response: Response, entry_list: bool) -> None:
        self.response: Response = response
        self.entry_list: bool = entry_list
        """It tells who is who, which no later one makes superfluous but the next of its kind."""
        self.time_ns: int = response.time_ns
        self.missed: int = sum(gap.count for gap in response.gaps)
        self._framed: dict[int, bytes] = {}

    def framed(self, index: int) -> bytes:
        """Return the binary message for the entry with this number."""
        if (data := self._framed.get(index)) is None:
            data = self._framed[index] = bytes((index,)) + self.response.data
        return data


class Reader(Protocol):
    """Who follows an upstream."""

    def take(self, message: Message) -> None:
        """Take what came, without waiting."""

    def refuse(self, error: RigError) -> None:
        """Take that nothing comes: the rig does not give it."""


class Upstream:
    """A stream, open as long as somebody follows it. `readers` get every message at once."""

    def __init__(self, rig: "GatewayRig", wanted: PageEntry, pace: Pace, gone: Callable[[], None]) -> None:
        self.wanted = wanted
        self.arrived_at: float = 0.0
        """When the newest message came, by the monotonic clock."""
        self.time_ns: int = 0
        """When that was captured, by the rig's."""
        self._rig, self._pace, self._gone = rig, pace, gone
        self._readers: set[Reader] = set()
        self._newest: Message | None = None
        self._entries: Message | None = None
        self._refused: RigError | None = None
        self._cursor = wanted.cursor
        self._linger: asyncio.TimerHandle | None = None
        self._task = asyncio.create_task(self._run())

    def join(self, reader: Reader) -> None:
        """Follow it: the newest is taken at once, of events what comes from now on."""
        if self._linger is not None:
            self._linger.cancel()
            self._linger = None
        self._readers.add(reader)
        if self._refused is not None:
            reader.refuse(self._refused)
        elif self.wanted.stream != "events":
            for message in dict.fromkeys((self._entries, self._newest)):
                if message is not None:
                    reader.take(message)

    def leave(self, reader: Reader) -> None:
        """Follow it no longer; the last one closes it, soon."""
        self._readers.discard(reader)
        if not self._readers and self._linger is None:
            shared = not self.wanted.cursor and not isinstance(self._pace, Again)
            self._linger = asyncio.get_running_loop().call_later(_LINGER_S if shared else 0.0, self.end)

    async def close(self) -> None:
        """End the stream."""
        if self._linger is not None:
            self._linger.cancel()
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    @property
    def read(self) -> bool:
        """Whether somebody follows it."""
        return bool(self._readers)

    def end(self) -> None:
        """End it because nobody follows it."""
        if self._linger is not None:
            self._linger.cancel()
        self._task.cancel()
        self._gone()  # nobody has joined since: that takes the handle back

    async def _run(self) -> None:
        delay = 0.2
        while self._refused is None:
            try:
                async with contextlib.aclosing(self._messages()) as messages:
                    async for message in messages:
                        self._take(message)
                        delay = 0.2
            except Unavailable:
                await asyncio.sleep(delay)
                delay = min(2 * delay, _LONGEST_DELAY_S)
            except RigError as error:
                self._refuse(error)
            except Exception as error:  # noqa: BLE001 - one stream shall not take the others with it
                _LOG.exception("a stream of %s broke", self._rig.name)
                self._refuse(RigError(f"the gateway failed: {error!r}"))

    async def _messages(self) -> AsyncGenerator[Message]:
        """Yield what comes, when it is due."""
        async with contextlib.aclosing(self._responses()) as responses:
            async for response in responses:
                message = Message(response, self._tells_entries(response))
                while (wait := self._pace.wait_s(message.time_ns)) > 0:
                    await asyncio.sleep(wait)
                yield message

    async def _responses(self) -> AsyncGenerator[Response]:
        """Yield what the rig's laps have of the past, then what its ring has."""
        if not isinstance(self._pace, Live):
            await self._rig.clock_known()
        if isinstance(self._pace, Again) and self.wanted.stream != "events":
            # A ring without such a record: all there is stands in laps.
            until_ns = self._rig.ring_begins_ns(self.wanted.stream) or self._rig.clock.now_ns()
            past = kept_records(
                self._rig.connection, self._rig.allowance, self.wanted, self._pace.begin_ns(), until_ns
            )
            async with contextlib.aclosing(past) as kept:
                async for response in kept:
                    yield response
        stream = self._rig.connection.responses(self._request())
        try:
            async for response in stream:
                self._cursor = response.cursor if self.wanted.stream == "events" else b""
                yield response
        finally:
            await stream.close()

    def _request(self) -> Request:
        """Return what to ask for: what comes after the last event, else the moment that is shown."""
        request = self.wanted.request(self._cursor or "now", one_by_one=not isinstance(self._pace, Live))
        if not self._cursor and (begin_ns := self._pace.begin_ns()):
            request.start.time_ns = begin_ns
        return request

    def _tells_entries(self, response: Response) -> bool:
        if self.wanted.stream != "scoring":
            return False
        return any(
            scoring_pb2.Scoring.FromString(response.data[at:end]).HasField("entry_list")
            for at, end in response.records
        )

    def _take(self, message: Message) -> None:
        self.arrived_at = time.monotonic()
        self.time_ns = message.time_ns or self.time_ns
        self._newest = message
        if message.entry_list:
            self._entries = message
        for reader in tuple(self._readers):
            reader.take(message)

    def _refuse(self, error: RigError) -> None:
        self._refused = error
        for reader in tuple(self._readers):
            reader.refuse(error)


class Upstreams:
    """All that are open of one rig, by what is wanted."""

    def __init__(self, rig: "GatewayRig") -> None:
        self._rig = rig
        self._open: dict[object, Upstream] = {}

    def __len__(self) -> int:
        return len(self._open)

    def of(self, wanted: PageEntry, pace: Pace, key: object) -> Upstream:
        """Return the stream of what is wanted at a pace that `key` names, opened where it is not yet. Raises
        Exhausted.
        """
        whole = (wanted, key)
        if (found := self._open.get(whole)) is None:
            if len(self._open) >= MAX_OPEN:
                self._end_unread()
            if len(self._open) >= MAX_OPEN:
                raise Exhausted(
                    f"{MAX_OPEN} different streams of {self._rig.name} are open",
                    hint="close a page",
                    limit=MAX_OPEN,
                )
            found = self._open[whole] = Upstream(self._rig, wanted, pace, lambda: self._forget(whole))
        return found

    async def close(self) -> None:
        """End all."""
        for one in list(self._open.values()):
            with contextlib.suppress(asyncio.CancelledError):
                await one.close()
        self._open.clear()

    def _end_unread(self) -> None:
        """End those that only wait for a page that may come back."""
        for one in [one for one in self._open.values() if not one.read]:
            one.end()

    def _forget(self, whole: object) -> None:
        self._open.pop(whole, None)
