"""A check on request. It is made by processes of its own, after all others, and ends when nobody listens."""

import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path

from rig.errors import Exhausted
from rig.v1 import rig_pb2
from rigd.verify.run import DataCheck


class Verification:
    """Runs one check at a time: each reads everything that is kept."""

    def __init__(self, data: Path) -> None:
        self._data = data
        self._running = False

    async def run(self, deep: bool) -> AsyncGenerator[rig_pb2.VerifyResponse]:
        """Check; raises Exhausted while another one runs, NotFound where there is nothing to check."""
        check = DataCheck(self._data, deep)
        if self._running:
            raise Exhausted("a check runs already, and one is the limit", hint="wait for its end", limit=1)
        self._running = True
        responses = check.responses()
        # A thread waits for them: processes that the loop starts run gRPC's fork handlers, and abort.
        reading = asyncio.create_task(asyncio.to_thread(next, responses, None))
        try:
            while (response := await asyncio.shield(reading)) is not None:
                yield response
                reading = asyncio.create_task(asyncio.to_thread(next, responses, None))
        finally:
            check.stop()
            await asyncio.wait([reading])
            await asyncio.to_thread(responses.close)
            self._running = False
