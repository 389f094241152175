"""The rigs that the gateway shows: each with one connection, and how it is."""

import asyncio
import contextlib
import time
from dataclasses import dataclass
from typing import Final

from rig import sockets
from rig.errors import Denied, NotFound, RigError, Unauthenticated
from rig.v1 import event_pb2, rig_pb2
from rigclient import aio, paired
from rigclient.gateway.kept import Allowance
from rigclient.gateway.pace import SECOND_NS, RigClock
from rigclient.gateway.upstream import Upstreams

ASK_S: Final = 1.0
"""Between two questions how a rig is, while somebody looks at it."""
LONGEST_S: Final = 5.0
"""Between two of a rig that is off."""
_LOOKED_AT_S: Final = 10.0
MAX_RIGS: Final = 64


@dataclass(frozen=True)
class RigState:
    """How a rig is, in a word and in a sentence."""

    state: str
    message: str
    lag_s: float = 0.0
    missed: int = 0
    gaps: int = 0


_CONNECTING: Final = RigState("connecting", "asking the rig")


class GatewayRig:
    """One rig: a connection, its clock, its streams, and how it is."""

    def __init__(self, name: str, rig: "str | paired.PairedRig") -> None:
        self.name = name
        self.connection: aio.AsyncRig = aio.AsyncRig(rig)
        self.clock: RigClock = RigClock()
        self.upstreams: Upstreams = Upstreams(self)
        self.allowance: Allowance = Allowance()
        self.state: RigState = _CONNECTING
        self.spans: dict[int, tuple[int, int]] = {}
        """By stream, what its ring holds: from and until, unix nanoseconds."""
        self._looked_at = 0.0
        self._asking: asyncio.Task[None] | None = None
        self._answered = asyncio.Event()

    def look(self) -> RigState:
        """Return how it is; it is asked again and again from now on for a while."""
        self._looked_at = time.monotonic()
        if self._asking is None or self._asking.done():
            self._asking = asyncio.create_task(self._ask())
        return self.state

    async def known(self) -> RigState:
        """Return how it is, once it was asked."""
        self.look()
        await self._answered.wait()
        return self.state

    async def clock_known(self) -> None:
        """Wait until the rig's clock is known."""
        while not self.clock.known:
            self.look()
            await asyncio.sleep(0.05)

    def ring_begins_ns(self, stream: str) -> int:
        """Return when the oldest record of a stream was captured that the ring holds, unix nanoseconds."""
        number = event_pb2.STREAM_PHYSICS if stream == "physics" else event_pb2.STREAM_SCORING
        return self.spans.get(number, (0, 0))[0]

    async def close(self) -> None:
        """End all of it."""
        if self._asking is not None:
            self._asking.cancel()
            await asyncio.gather(self._asking, return_exceptions=True)
        await self.upstreams.close()
        await self.connection.close()

    async def _ask(self) -> None:
        pause = ASK_S
        while time.monotonic() - self._looked_at < _LOOKED_AT_S or len(self.upstreams):
            try:
                asked_at = time.monotonic()
                status = await self.connection.status()
                self.clock.learn(status.time_ns, asked_at, time.monotonic())
                self._learn(status)
                pause = ASK_S
            except RigError as error:
                self.state = _trouble(error)
                pause = min(2 * pause, LONGEST_S)
            self._answered.set()
            await asyncio.sleep(pause)
        self._answered.clear()

    def _learn(self, status: rig_pb2.GetStatusResponse) -> None:
        self.spans = {one.stream: (one.first_time_ns, one.last_time_ns) for one in status.ring.spans}
        newest = self.spans.get(event_pb2.STREAM_PHYSICS, (0, 0))[1]
        lag_s = max(status.time_ns - newest, 0) / SECOND_NS if newest else 0.0
        recorder = status.recorder
        missed = recorder.missed + recorder.missed_updates
        gaps = sum(loss.declarations for loss in recorder.losses)
        self.state = RigState(*_words(status), lag_s, missed, gaps)


def _words(status: rig_pb2.GetStatusResponse) -> tuple[str, str]:
    if not status.HasField("recorder"):
        return "stale", "the rig answers, but its recorder is silent: is `rigd record` running?"
    if status.recorder.source_state != "LIVE":
        return "stale", f"waiting for the game: {status.recorder.source_explanation}"
    return "live", ""


def _trouble(error: RigError) -> RigState:
    refused = isinstance(error, Denied | Unauthenticated) or error.status == "FAILED_PRECONDITION"
    return RigState("refused" if refused else "off", str(error))


class Rigs:
    """All rigs by name. With `only` these; else those of this machine, and those it is paired with."""

    def __init__(self, only: tuple[str, ...] = ()) -> None:
        self._only = only
        self._rigs: dict[str, GatewayRig] = {}
        self._broken: dict[str, RigState] = {}
        self._adding = asyncio.Lock()

    async def names(self) -> list[str]:
        """Return their names: what is asked for, or what is known now and was before."""
        if self._only:
            found = {_name(one): one for one in self._only}
        else:
            found = await asyncio.to_thread(_known)
        async with self._adding:  # pages that come at once shall not get a rig each
            for name, where in found.items():
                if name not in self._rigs and len(self._rigs) < MAX_RIGS:
                    await self._add(name, where)
        return sorted(self._rigs | self._broken)

    async def get(self, name: str) -> GatewayRig:
        """Return a rig. Raises NotFound."""
        if name not in self._rigs:
            names = await self.names()
            if name in self._broken:
                raise NotFound(f"the rig {name} cannot be used", hint=self._broken[name].message)
            if name not in self._rigs:
                raise NotFound(
                    f"no rig is called {name[:40]!r}", hint=f"there are {', '.join(names) or 'none'}"
                )
        return self._rigs[name]

    async def states(self) -> list[tuple[str, str, RigState]]:
        """Return name, address and state of all, each asked once."""
        names = await self.names()
        asked = [self._rigs[name].known() for name in names if name in self._rigs]
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(asyncio.gather(*asked), 1.0)
        return [
            (name, rig.connection.address, rig.look())
            if (rig := self._rigs.get(name))
            else (name, "", self._broken[name])
            for name in names
        ]

    def connected(self) -> list[GatewayRig]:
        """Return those with a connection."""
        return list(self._rigs.values())

    async def close(self) -> None:
        """Close all connections."""
        for rig in self._rigs.values():
            await rig.close()

    async def _add(self, name: str, where: str) -> None:
        try:
            self._rigs[name] = GatewayRig(name, await asyncio.to_thread(paired.resolve, where))
            self._broken.pop(name, None)
        except RigError as error:
            self._broken[name] = RigState("refused", str(error))


def _name(rig: str) -> str:
    """Return what a rig is called in addresses of pages."""
    return sockets.path_of(rig).stem if rig.startswith("unix:") else rig


def _known() -> dict[str, str]:
    """Return the rigs that have a name here, with that or the address to resolve."""
    found = {name: name for name in paired.names()} | sockets.living()
    return found or {sockets.RIG: sockets.address(sockets.own_folder(), sockets.RIG)}
