"""Calls are opened in a thread of their own: no Ctrl-C comes there.

One between two steps of opening a call leaves gRPC with a call that nobody polls, and closing the channel
waits for it for ever: of forty runs of `rig tail` that were interrupted after their first record one hung.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

A = TypeVar("A")
T = TypeVar("T")


def opened(method: Callable[[A], T], request: A) -> T:
    """Return the call that a method begins with a request, or with an iterator of requests."""
    with ThreadPoolExecutor(1, "opening") as pool:
        return pool.submit(method, request).result()
