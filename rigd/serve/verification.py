"""A check on request: a process of its own, at idle priority, that is ended when nobody listens any more."""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Final

from google.protobuf import json_format

from rig.errors import Exhausted, RigError
from rig.v1 import rig_pb2
from rigd.verify.run import check_there

_LONGEST_LINE: Final = 1 << 20
"""Bytes of a message. A finding is a few hundred."""


class Verification:
    """Runs one check at a time: each reads everything that is kept."""

    def __init__(self, data: Path) -> None:
        self._data = data
        self._running = False

    async def run(self, deep: bool) -> AsyncGenerator[rig_pb2.VerifyResponse]:
        """Check; raises Exhausted while another one runs, NotFound where there is nothing to check."""
        check_there(self._data)
        if self._running:
            raise Exhausted("one check runs already, which is the limit", hint="wait for its end", limit=1)
        self._running = True
        try:
            async for response in self._responses(deep):
                yield response
        finally:
            self._running = False

    async def _responses(self, deep: bool) -> AsyncGenerator[rig_pb2.VerifyResponse]:
        words = [sys.executable, "-m", "rigd.verify", str(self._data), "all", *["deep"] * deep]
        child = await asyncio.create_subprocess_exec(
            *words, stdout=asyncio.subprocess.PIPE, limit=_LONGEST_LINE, start_new_session=True
        )
        assert child.stdout is not None
        try:
            async for line in child.stdout:
                yield json_format.Parse(line, rig_pb2.VerifyResponse())
            if await child.wait():
                raise RigError("the check ended before it was through", hint="the server's log has the cause")
        finally:
            with contextlib.suppress(ProcessLookupError):  # with all processes that it has started
                os.killpg(child.pid, signal.SIGKILL)
            await child.wait()
