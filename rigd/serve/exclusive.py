"""Work on request that a process of its own does, after all others, and that ends when nobody listens."""

import asyncio
from collections.abc import AsyncGenerator, Generator
from typing import Any, Protocol

from rig.errors import Exhausted


class Child(Protocol):
    """A process that says what it found or made."""

    def responses(self) -> Generator[Any]:
        """Start it; yield what it says."""

    def stop(self) -> None:
        """End it, from any thread."""


class Exclusive:
    """Runs one of a kind at a time: each reads everything that is kept. `what` names the kind."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._running = False

    async def run(self, child: Child) -> AsyncGenerator[Any]:
        """Run one; yield what it says. Raises Exhausted while another one runs, and what it ends with."""
        if self._running:
            raise Exhausted(
                f"a {self._what} runs already, and one is the limit", hint="wait for its end", limit=1
            )
        self._running = True
        responses = child.responses()
        # A thread waits for them: processes that the loop starts run gRPC's fork handlers, and abort.
        reading = asyncio.create_task(asyncio.to_thread(next, responses, None))
        try:
            while (response := await asyncio.shield(reading)) is not None:
                yield response
                reading = asyncio.create_task(asyncio.to_thread(next, responses, None))
        finally:
            child.stop()
            await asyncio.wait([reading])
            await asyncio.to_thread(responses.close)
            self._running = False
