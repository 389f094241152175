"""Health (grpc.health.v1), which everybody may ask for without a token.

The package's own service keeps a lock while it writes to one who watches, and lets go of all who watch when
one of them leaves: a stranger who reads nothing, or who comes and goes, kept others from hearing of the end.
"""

import asyncio
import contextlib
from collections.abc import Iterable
from typing import Any

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from rigd.auth.lease import LEASE

Serving = health_pb2.HealthCheckResponse


class Health(health_pb2_grpc.HealthServicer):  # type: ignore[misc]  # it brings no types
    """Answers for services by name; "" is all of the server. Lives on the event loop."""

    def __init__(self) -> None:
        self._states: dict[str, int] = {}
        self._changed = asyncio.Event()
        self._telling: set[asyncio.Event] = set()
        """Of each who watches: set when they have been told all."""

    def serve(self, names: Iterable[str]) -> None:
        """Say that services are there."""
        self._states |= dict.fromkeys(names, Serving.SERVING)
        self._tell()

    async def end(self, within_s: float) -> None:
        """Say that all of them end, and wait until those who watch were told; so long for those who do not
        read.
        """
        self._states = dict.fromkeys(self._states, Serving.NOT_SERVING)
        self._tell()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                await asyncio.gather(*(told.wait() for told in self._telling))

    def _tell(self) -> None:
        for told in self._telling:
            told.clear()
        self._changed.set()
        self._changed = asyncio.Event()

    async def Check(  # noqa: N802
        self, request: health_pb2.HealthCheckRequest, context: Any
    ) -> health_pb2.HealthCheckResponse:
        """Return whether a service is there."""
        if request.service not in self._states:
            await context.abort(grpc.StatusCode.NOT_FOUND, "there is no such service")
        return Serving(status=self._states[request.service])

    async def Watch(self, request: health_pb2.HealthCheckRequest, context: Any) -> None:  # noqa: N802
        """Say so now, and whenever it is otherwise."""
        said, told = None, asyncio.Event()
        self._telling.add(told)
        try:
            while True:
                changed, state = self._changed, self._states.get(request.service, Serving.SERVICE_UNKNOWN)
                if state != said:
                    await context.write(Serving(status=state))
                    said = state
                if changed is self._changed:
                    told.set()
                await LEASE.get().within(changed.wait())
        finally:
            self._telling.discard(told)
            told.set()
