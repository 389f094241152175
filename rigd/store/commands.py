"""The inbox: what a server asks of the archiver, who alone writes laps. One small file per order.

An order is `<id>.order` while it waits, `<id>.taken` while it is carried out, and gone when it is done;
`<id>.refused` holds the error it was answered with.
"""

import contextlib
import itertools
import json
import os
import re
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final, NamedTuple

from rig import parse
from rig.errors import Corrupt, Exhausted, RigError, by_reason
from rig.regular import is_regular, read_regular
from rigd.durable import make_folder, replace
from rigd.wake import Bell

MAX_ORDERS: Final = 1000
"""Orders that may wait. An archiver that runs takes them within a tenth of a second."""

_WAITING, _TAKEN, _REFUSED = ".order", ".taken", ".refused"
_ID: Final = re.compile(r"[0-9]+-[0-9]+-[0-9]+")
_MOST_BYTES: Final = 1 << 20
"""Of an order: 200 laps with their digests are 20 kB."""
_FORGOTTEN_NS: Final = 60_000_000_000
"""Nobody waits a minute for an answer: the server that asked is gone."""


class Order(NamedTuple):
    """What is asked for."""

    id: str
    kind: str
    """pin, unpin, delete, examine, sync."""
    name: str
    """Of the lap; empty where there are several."""
    laps: dict[str, str]
    """Digests by name, for sync."""


class Inbox:
    """Both ends: `post`, `settled` and `withdraw` are the server's, the rest is the archiver's."""

    def __init__(self, data: Path) -> None:
        self._folder = data / "inbox"
        make_folder(self._folder)
        self._bell = Bell(data / "wake")
        self._ringing = threading.Lock()  # a server rings from several threads
        self._numbers = itertools.count()

    def ring(self) -> None:
        """Tell the archiver that there is something to do, here or among the marks."""
        with self._ringing:
            self._bell.ring()

    def close(self) -> None:
        """Release the bell."""
        self._bell.close()

    def post(self, kind: str, name: str, laps: Mapping[str, str] | None = None) -> str:
        """Ask for something; returns the order's id. Raises Exhausted when too many wait."""
        if len(self._ids(_WAITING)) >= MAX_ORDERS:
            raise Exhausted(
                f"{MAX_ORDERS} orders wait for the archiver, which is the limit", limit=MAX_ORDERS
            )
        order = f"{time.time_ns():019d}-{os.getpid()}-{next(self._numbers)}"
        words = {"kind": kind, "name": name, "laps": dict(laps or {})}
        replace(self._path(order, _WAITING), json.dumps(words).encode())
        self.ring()
        return order

    def settled(self, order: str) -> bool:
        """Whether the order was carried out. Raises the error that it was refused with."""
        if self._path(order, _WAITING).exists() or self._path(order, _TAKEN).exists():
            return False
        refused = self._path(order, _REFUSED)
        try:
            text = read_regular(refused, _MOST_BYTES)
        except FileNotFoundError:
            return True
        refused.unlink(missing_ok=True)
        raise _error(text)

    def withdraw(self, order: str) -> bool:
        """Take an order back; False when the archiver has taken it."""
        try:
            self._path(order, _WAITING).unlink()
        except FileNotFoundError:
            return False
        return True

    def orders(self, most: int = MAX_ORDERS) -> list[Order]:
        """Take some of what waits, oldest first; first what was taken before, also by one that was killed."""
        taken = self._ids(_TAKEN)
        for order in self._ids(_WAITING)[: max(most - len(taken), 0)]:
            with contextlib.suppress(FileNotFoundError):  # withdrawn
                self._path(order, _WAITING).rename(self._path(order, _TAKEN))
                taken.append(order)
        return [found for order in taken[:most] if (found := self._read(order)) is not None]

    def done(self, order: Order) -> None:
        """The order was carried out."""
        self._path(order.id, _TAKEN).unlink(missing_ok=True)

    def refuse(self, order: Order, error: RigError) -> None:
        """The order was not carried out, and why."""
        words = {"reason": error.reason(), "message": error.message, "hint": error.hint, "facts": error.facts}
        replace(self._path(order.id, _REFUSED), json.dumps(words).encode())
        self.done(order)
        self._forget(time.time_ns() - _FORGOTTEN_NS)

    def _forget(self, before_ns: int) -> None:
        """Remove answers that nobody came for."""
        for answer in self._ids(_REFUSED):
            if int(answer.partition("-")[0]) < before_ns:
                self._path(answer, _REFUSED).unlink(missing_ok=True)

    def _path(self, order: str, suffix: str) -> Path:
        return self._folder / f"{order}{suffix}"

    def _ids(self, suffix: str) -> list[str]:
        """Oldest first. What is not named as an order, or is no file, is none of ours."""
        names = (name.removesuffix(suffix) for name in os.listdir(self._folder) if name.endswith(suffix))
        ours = (name for name in names if _ID.fullmatch(name) and is_regular(self._path(name, suffix)))
        return sorted(ours)

    def _read(self, order: str) -> Order | None:
        """An order; None for what is none: that is refused, and must not keep others waiting."""
        try:
            words = parse.json_object(read_regular(self._path(order, _TAKEN), _MOST_BYTES))
            laps = dict(words.get("laps", {}))
            for word in (words["kind"], words["name"], *laps, *laps.values()):
                word.encode()  # a text, and one that the index can look for
            return Order(order, words["kind"], words["name"], laps)
        except (Corrupt, KeyError, TypeError, ValueError, AttributeError):
            self.refuse(Order(order, "", "", {}), Corrupt("the order cannot be read", hint="give it again"))
            return None


def _error(text: bytes) -> RigError:
    """The error in an answer; Corrupt when it cannot be read."""
    try:
        words = parse.json_object(text)
        error = by_reason().get(str(words["reason"]), RigError)(
            str(words["message"]), hint=str(words["hint"])
        )
        error.facts = {name: str(fact) for name, fact in words["facts"].items()}
    except (Corrupt, KeyError, AttributeError):
        return Corrupt("the order was refused, and the answer cannot be read", hint="give it again")
    return error
