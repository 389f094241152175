"""Threads beside the event loop, for what reads files or asks an index: live streams must not wait for it."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from functools import partial
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")


class Workers:
    """A few threads, called from the loop. They know who calls."""

    def __init__(self, threads: int, name: str) -> None:
        self._pool = ThreadPoolExecutor(threads, name)

    def __call__(self, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> asyncio.Future[R]:
        """Call in a thread."""
        call = partial(copy_context().run, function, *args, **kwargs)
        return asyncio.get_running_loop().run_in_executor(self._pool, call)

    def later(self, function: Callable[P, object], *args: P.args, **kwargs: P.kwargs) -> None:
        """Have it called, and wait for nothing."""
        self._pool.submit(function, *args, **kwargs)

    def close(self, *, drop: bool = True) -> None:
        """Let go of the threads when they are done with what they have begun; what waits is dropped, or
        done as well.
        """
        self._pool.shutdown(cancel_futures=drop)
