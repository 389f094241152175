"""What a page does: it follows, and takes what comes."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import aiohttp

WAIT_S = 60.0


@dataclass
class Tab:
    """One page: messages by entry, states and errors as they came."""

    socket: aiohttp.ClientWebSocketResponse
    states: list[dict[str, Any]] = field(default_factory=list)
    errors: list[dict[str, Any]] = field(default_factory=list)
    answers: list[dict[str, Any]] = field(default_factory=list)
    """What it follows by now."""

    async def say(self, **words: Any) -> None:
        await self.socket.send_str(json.dumps(words))

    async def message(self) -> tuple[int, bytes]:
        """The next binary message."""
        async with asyncio.timeout(WAIT_S):  # states come all the time
            while True:
                if (found := await self.take()) is not None:
                    return found

    async def state(self, name: str) -> dict[str, Any]:
        """The next time that it is told this state."""
        at = len(self.states)
        while True:
            for said in self.states[at:]:
                if said["state"] == name:
                    return said
            at = len(self.states)
            await self.take()

    async def error(self) -> dict[str, Any]:
        """The next error."""
        known = len(self.errors)
        async with asyncio.timeout(WAIT_S):
            while len(self.errors) == known:
                await self.take()
        return self.errors[-1]

    async def take(self) -> tuple[int, bytes] | None:
        """What comes next; None for words."""
        came = await asyncio.wait_for(self.socket.receive(), WAIT_S)
        if came.type == aiohttp.WSMsgType.BINARY:
            return came.data[0], came.data[1:]
        assert came.type == aiohttp.WSMsgType.TEXT, came
        words = json.loads(came.data)
        if "error" in words:
            self.errors.append(words["error"])
        else:
            (self.states if "state" in words else self.answers).append(words)
        return None


@dataclass
class Browser:
    """Opens pages of one gateway."""

    session: aiohttp.ClientSession
    rig: str

    @contextlib.asynccontextmanager
    async def tab(self, *entries: dict[str, Any], query: str = "") -> AsyncIterator[Tab]:
        async with self.session.ws_connect(f"/live/{self.rig}{query}") as socket:
            tab = Tab(socket)
            if entries:
                await tab.say(follow=list(entries))
            yield tab

    async def get(self, path: str, **options: Any) -> tuple[int, Any]:
        """Status and JSON of an answer."""
        async with self.session.get(path, **options) as answer:
            return answer.status, json.loads(await answer.text())


async def until(ready: Any) -> None:
    """Wait for a state of the gateway's."""
    async with asyncio.timeout(WAIT_S):
        while not ready():
            await asyncio.sleep(0.02)
