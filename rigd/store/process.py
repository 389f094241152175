"""Orders of the server, which may not write here itself."""

import contextlib
import time
from typing import Final

from rig.errors import BadRequest, NotFound, Pinned, RigError
from rigd.store.commands import Inbox, Order
from rigd.store.folder import LapFolder
from rigd.store.index import Index
from rigd.store.reindex import examine

REQUESTED: Final = "deleted on request"
"""Why a lap is gone that somebody did not want any more."""


SHARE_S: Final = 0.1
"""After so long orders wait for the next turn: laps must not wait for them. An order is 5 ms, a sync of 200
laps a second on a slow disk.
"""


_TOGETHER: Final = 16
"""Orders taken at once: who asked may take back what still waits."""


def obey(inbox: Inbox, store: LapFolder, index: Index, share_s: float = SHARE_S) -> bool:
    """Carry out what lies in the inbox, oldest first, and answer; True when some may be left for later."""
    until = time.monotonic() + share_s
    orders = inbox.orders(_TOGETHER)
    for order in orders:
        _answer(inbox, order, store, index)
        if time.monotonic() > until:
            return True
    return len(orders) == _TOGETHER


def _answer(inbox: Inbox, order: Order, store: LapFolder, index: Index) -> None:
    """Carry out one, and say how it went."""
    try:
        _carry_out(order, store, index)
    except RigError as error:
        inbox.refuse(order, error)
    else:
        inbox.done(order)


def _carry_out(order: Order, store: LapFolder, index: Index) -> None:
    if order.kind == "sync":
        with index.transaction():
            for name, digest in order.laps.items():
                _sync(name, digest, store, index)
        return
    lap = order.name
    if index.lap(lap) is None:
        raise NotFound(f"there is no lap {lap!r}", name=lap)
    match order.kind:
        case "pin" | "unpin":
            store.pin(lap, pinned=order.kind == "pin")
            index.set_pinned(lap, order.kind == "pin")
        case "delete":
            if store.pinned(lap):
                raise Pinned(f"{lap} is pinned", hint="`rig unpin` it first", name=lap)
            store.add_tombstone(lap, {"why": REQUESTED, "time_ns": time.time_ns()})
            store.delete(lap)
            index.remove_lap(lap)
        case "examine":
            examine(store, index, lap)
        case _:
            raise BadRequest(f"there is no order {order.kind!r}", hint="pin, unpin, delete, examine")


def _sync(name: str, digest: str, store: LapFolder, index: Index) -> None:
    """Note that the warehouse has a lap; one that is gone by now, or another, stays as it is."""
    lap = index.lap(name)
    if lap is not None and lap.digest == digest and not lap.synced:
        with contextlib.suppress(NotFound):  # somebody's own hands took the file
            store.sync(name)
            index.set_synced(name)
