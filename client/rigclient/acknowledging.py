"""How far the streams of a connection are, told to the server: one call for all of them.

A call for every word would cost both ends as much as 60 messages of a stream.
"""

import asyncio
import queue
import threading
from typing import Any

import grpc
import grpc.aio

from rig.v1 import telemetry_pb2
from rigclient.opening import opened

Word = telemetry_pb2.StreamAcknowledgementsRequest


class Acknowledger:
    """For the blocking client. A word that does not arrive is like one not said: the next one is.

    `tell` may be called from any thread.
    """

    def __init__(self, method: Any) -> None:
        self._method = method
        self._turn = threading.Lock()
        self._call: Any = None
        self._words: queue.SimpleQueue[Word | None] = queue.SimpleQueue()
        self._closed = False

    def tell(self, word: Word) -> None:
        """Send it, without waiting."""
        with self._turn:
            if self._closed:
                return
            if self._call is None or self._call.done():
                self._words.put(None)  # who waits for words of a call that has ended need not
                self._words = queue.SimpleQueue()
                self._call = opened(self._method.future, iter(self._words.get, None))
            self._words.put(word)

    def close(self) -> None:
        """Stop acknowledging."""
        with self._turn:
            self._closed = True
            self._words.put(None)
            self._call = None  # kept until Python ends it could keep that from ending


class AsyncAcknowledger:
    """For asyncio."""

    def __init__(self, method: Any) -> None:
        self._method = method
        self._call: Any = None
        self._due: dict[bytes, Word] = {}
        self._telling: asyncio.Task[None] | None = None
        self._closed = False

    def tell(self, word: Word) -> None:
        """Send it, without waiting."""
        if self._closed:
            return
        self._due[word.subscription] = word
        if self._telling is None or self._telling.done():
            self._telling = asyncio.ensure_future(self._tell())

    def close(self) -> None:
        """Stop acknowledging."""
        self._closed = True
        self._due.clear()
        if self._telling is not None:
            self._telling.cancel()
        if self._call is not None:
            self._call.cancel()

    async def _tell(self) -> None:
        try:
            if self._call is None or self._call.done():
                self._call = self._method()
            while self._due:
                await self._call.write(self._due.pop(next(iter(self._due))))
        except (grpc.RpcError, asyncio.InvalidStateError, grpc.aio.UsageError):
            self._call = None
