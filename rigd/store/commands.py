"""The command queue: what a server asks of the archiver, who alone writes laps. One small file per command.

A command is `<id>.order` while it waits, `<id>.taken` while it is carried out, and gone when it is done;
`<id>.refused` holds the error it was answered with.
"""

import contextlib
import itertools
import json
import os
import re
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final, NamedTuple

from rig import parse
from rig.errors import BadRequest, Corrupt, Exhausted, NotFound, Pinned, RigError, by_reason
from rig.regular import is_regular, read_regular
from rig.v1 import session_pb2
from rigd import log
from rigd.durable import make_folder, replace
from rigd.store.checksummed import dump_message, load_message
from rigd.store.imports import place
from rigd.store.store import Store
from rigd.wake import Bell

REQUESTED: Final = "deleted on request"
"""Why a lap is gone that somebody did not want any more."""

SHARE_S: Final = 0.1
"""After so long commands wait for the next turn: laps must not wait for them. A command is 5 ms, a sync of
200 laps a second on a slow disk.
"""

_TOGETHER: Final = 16
"""Commands taken at once: who asked may take back what still waits."""

MAX_COMMANDS: Final = 1000
"""Commands that may wait. An archiver that runs takes them within a tenth of a second."""

_WAITING, _TAKEN, _REFUSED = ".order", ".taken", ".refused"
_UPLOAD: Final = ".upload"
"""Of the lap file that an import is about; it is there before the command."""
_ID: Final = re.compile(r"[0-9]+-[0-9]+-[0-9]+")
_MOST_BYTES: Final = 1 << 20
"""Of a command: 200 laps with their digests are 20 kB."""
_FORGOTTEN_NS: Final = 60_000_000_000
"""Nobody waits a minute for an answer: the server that asked is gone."""
_ABANDONED_S: Final = 600.0
"""A server waits a tenth of this for the next piece of a file: it is gone."""


class Command(NamedTuple):
    """What is asked for."""

    id: str
    kind: str
    """pin, unpin, delete, examine, sync, import."""
    name: str
    """Of the lap; empty where there are several."""
    laps: dict[str, str]
    """Digests by name, for sync."""
    user: str = ""
    """Who asks, for pin and import; empty: whoever may do it with every lap."""
    session: str = ""
    """Of an import, as checksummed JSON."""
    replaces: bool = False
    """Whether an import may take the place of another file."""


class CommandQueue:
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

    def new_id(self) -> str:
        """Return the id of a command that is still to be posted."""
        return f"{time.time_ns():019d}-{os.getpid()}-{next(self._numbers)}"

    def upload(self, command: str) -> Path:
        """Return where the lap file lies, or is to lie, that an import is about."""
        return self._path(command, _UPLOAD)

    def post_import(
        self, command: str, name: str, session: session_pb2.Session, *, user: str, replaces: bool
    ) -> None:
        """Ask for an uploaded lap to be placed. Raises Exhausted when too many wait."""
        text = dump_message(session).decode()
        self._post(Command(command, "import", name, {}, user, text, replaces))

    def post(self, kind: str, name: str, laps: Mapping[str, str] | None = None, *, user: str = "") -> str:
        """Ask for something; returns the command's id. Raises Exhausted when too many wait."""
        command = self.new_id()
        self._post(Command(command, kind, name, dict(laps or {}), user))
        return command

    def _post(self, command: Command) -> None:
        if len(self._ids(_WAITING)) >= MAX_COMMANDS:
            raise Exhausted(
                f"{MAX_COMMANDS} commands wait for the archiver, which is the limit", limit=MAX_COMMANDS
            )
        words = {word: value for word, value in command._asdict().items() if word != "id"}
        replace(self._path(command.id, _WAITING), json.dumps(words).encode())
        self.ring()

    def settled(self, command: str) -> bool:
        """Return whether the command was carried out. Raises the error that it was refused with."""
        if self._path(command, _WAITING).exists() or self._path(command, _TAKEN).exists():
            return False
        refused = self._path(command, _REFUSED)
        try:
            text = read_regular(refused, _MOST_BYTES)
        except FileNotFoundError:
            return True
        refused.unlink(missing_ok=True)
        raise _error(text)

    def withdraw(self, command: str) -> bool:
        """Take a command back; False when the archiver has taken it."""
        try:
            self._path(command, _WAITING).unlink()
        except FileNotFoundError:
            return False
        self.upload(command).unlink(missing_ok=True)
        return True

    def sweep(self) -> None:
        """Remove uploads that no command is about and that have not grown for ten minutes."""
        before_s = time.time() - _ABANDONED_S
        for command in self._ids(_UPLOAD):
            wanted = any(self._path(command, suffix).exists() for suffix in (_WAITING, _TAKEN))
            with contextlib.suppress(FileNotFoundError):
                if not wanted and self.upload(command).stat().st_mtime < before_s:
                    self.upload(command).unlink()

    def take(self, most: int = MAX_COMMANDS) -> list[Command]:
        """Take some of what waits, oldest first; first what was taken before, also by one that was killed."""
        taken = self._ids(_TAKEN)
        for command in self._ids(_WAITING)[: max(most - len(taken), 0)]:
            with contextlib.suppress(FileNotFoundError):  # withdrawn
                self._path(command, _WAITING).rename(self._path(command, _TAKEN))
                taken.append(command)
        return [found for command in taken[:most] if (found := self._read(command)) is not None]

    def done(self, command: Command) -> None:
        """Note that the command was carried out."""
        self._path(command.id, _TAKEN).unlink(missing_ok=True)
        self.upload(command.id).unlink(missing_ok=True)

    def refuse(self, command: Command, error: RigError) -> None:
        """Note that the command was not carried out, and why."""
        words = {"reason": error.reason(), "message": error.message, "hint": error.hint, "facts": error.facts}
        replace(self._path(command.id, _REFUSED), json.dumps(words).encode())
        self.done(command)
        self._forget(time.time_ns() - _FORGOTTEN_NS)

    def _forget(self, before_ns: int) -> None:
        """Remove answers that nobody came for."""
        for answer in self._ids(_REFUSED):
            if int(answer.partition("-")[0]) < before_ns:
                self._path(answer, _REFUSED).unlink(missing_ok=True)

    def _path(self, command: str, suffix: str) -> Path:
        return self._folder / f"{command}{suffix}"

    def _ids(self, suffix: str) -> list[str]:
        """Return the ids, oldest first. What is not named as a command, or is no file, is none of ours."""
        names = (name.removesuffix(suffix) for name in os.listdir(self._folder) if name.endswith(suffix))
        ours = (name for name in names if _ID.fullmatch(name) and is_regular(self._path(name, suffix)))
        return sorted(ours)

    def _read(self, command: str) -> Command | None:
        """Return a command; None for what is none: that is refused, and must not keep others waiting."""
        try:
            words = parse.json_object(read_regular(self._path(command, _TAKEN), _MOST_BYTES))
            laps = dict(words.get("laps", {}))
            user, session = words.get("user", ""), words.get("session", "")
            for word in (words["kind"], words["name"], user, session, *laps, *laps.values()):
                word.encode()  # a text, and one that the index can look for
            replaces = words.get("replaces") is True
            return Command(command, words["kind"], words["name"], laps, user, session, replaces)
        except (Corrupt, KeyError, TypeError, ValueError, AttributeError):
            self.refuse(
                Command(command, "", "", {}), Corrupt("the command cannot be read", hint="give it again")
            )
            return None


def _error(text: bytes) -> RigError:
    """Return the error in an answer; Corrupt when it cannot be read."""
    try:
        words = parse.json_object(text)
        error = by_reason().get(str(words["reason"]), RigError)(
            str(words["message"]), hint=str(words["hint"])
        )
        error.facts = {name: str(fact) for name, fact in words["facts"].items()}
    except (Corrupt, KeyError, AttributeError):
        return Corrupt("the command was refused, and the answer cannot be read", hint="give it again")
    return error


def process(
    queue: CommandQueue,
    store: Store,
    share_s: float = SHARE_S,
    imported: Callable[[str], None] = lambda _: None,
) -> bool:
    """Carry out waiting commands, oldest first, for about `share_s` seconds, and answer them; `imported` is
    told the laps that came. Return whether some may be left.
    """
    until = time.monotonic() + share_s
    commands = queue.take(_TOGETHER)
    for command in commands:
        try:
            if command.kind == "import":
                _import(command, queue, store)
                imported(command.name)
            else:
                _carry_out(command, store)
        except RigError as error:
            queue.refuse(command, error)
        else:
            queue.done(command)
        if time.monotonic() > until:
            return True
    return len(commands) == _TOGETHER


def _carry_out(command: Command, store: Store) -> None:
    if command.kind == "sync":
        with store.index.transaction():
            for name, digest in command.laps.items():
                _sync(name, digest, store)
        return
    lap = command.name
    if store.index.lap(lap) is None:
        raise NotFound(f"there is no lap {lap!r}", name=lap)
    match command.kind:
        case "pin" | "unpin":
            store.pin(lap, command.kind == "pin", command.user)
        case "delete":
            if store.folder.pinned(lap):
                raise Pinned(f"{lap} is pinned", hint="`rig unpin` it first", name=lap)
            store.remove(lap, {"why": REQUESTED, "time_ns": time.time_ns()})
        case "examine":
            store.examine(lap)
        case _:
            raise BadRequest(f"there is no command {command.kind!r}", hint="pin, unpin, delete, examine")


def _import(command: Command, queue: CommandQueue, store: Store) -> None:
    """Place the lap that was uploaded."""
    session = load_message(session_pb2.Session, command.session.encode())
    lap = place(
        store,
        queue.upload(command.id),
        command.name,
        session,
        user=command.user,
        replaces=command.replaces,
    )
    if lap is not None:
        log.say(log.LAP_IMPORTED, lap=lap.name, bytes=lap.bytes, user=lap.user)


def _sync(name: str, digest: str, store: Store) -> None:
    """Note that the warehouse has a lap; one that is gone by now, or another, stays as it is."""
    lap = store.index.lap(name)
    if lap is not None and lap.digest == digest and not lap.synced:
        with contextlib.suppress(NotFound):  # somebody removed the file by hand
            store.sync(name)
