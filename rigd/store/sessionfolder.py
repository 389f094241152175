"""The folder of sessions: below it one for each, with what is known of it, its losses, and what is gone."""

import contextlib
import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from rig.errors import Corrupt
from rig.lapfile import LapFile
from rig.regular import read_regular
from rig.v1 import session_pb2
from rigd.durable import remove, remove_folder, rename
from rigd.store.checksummed import dump_message, load_message
from rigd.store.held import HeldFolder
from rigd.store.naming import is_name, parts_of
from rigd.store.tombstones import Tombstones

SUFFIX: Final = ".lap"
DAMAGED: Final = ".damaged"
"""Added to the name of a file that failed its check."""
_TOMBSTONES: Final = "gone.jsonl"
_SESSION: Final = "session.json"
_JOURNAL: Final = "losses.log"
_MOST_BYTES: Final = 1 << 20
"""Of what is known of a session."""


class SessionFolder(HeldFolder):
    """Files of sessions below a folder, without their laps."""

    # Tombstones.

    def add_tombstone(self, lap: str, facts: dict[str, Any]) -> None:
        """Note for good that a lap is not here any more, or never was, and why."""
        self._tombstones(lap.rpartition("/laps/")[0]).add(lap, facts)

    def tombstones(self, session: str) -> dict[str, dict[str, Any]]:
        """Return the tombstones of a session by lap name."""
        return {lap: facts for lap, facts in self._tombstones(session).read().items() if is_name(lap)}

    def _tombstones(self, session: str) -> Tombstones:
        (_,) = parts_of(session, 1)
        return Tombstones(self._beside(session, _TOMBSTONES), session)

    # Sessions.

    def journal_path(self, session: str) -> Path:
        """Return where the loss journal of a session is, or would be. Raises NotFound for no name."""
        (own,) = parts_of(session, 1)
        return self.root / own / _JOURNAL

    def set_journal_aside(self, session: str) -> None:
        """Take a damaged journal out of the way; nothing is deleted."""
        rename(self.journal_path(session), self._aside(session, _JOURNAL))

    def put_session(self, session: session_pb2.Session) -> None:
        """Write what is known of a session beside its laps."""
        (_,) = parts_of(session.name, 1)
        self._replace(self._beside(session.name, _SESSION), dump_message(session))

    def session(self, name: str) -> session_pb2.Session | None:
        """Return a session; None where there is none that can be read."""
        with contextlib.suppress(FileNotFoundError, Corrupt):
            return self._session(name)
        return None

    def remove_session(self, name: str) -> bool:
        """Remove a session that has nothing left but its own file; return whether it is gone. What was to be
        kept and had to go remains told, and the session with it.
        """
        folder = self._beside(name, "")
        forced = any(facts.get("forced") for facts in self.tombstones(name).values())
        if forced or not {path.name for path in folder.iterdir()} <= {_SESSION, _TOMBSTONES}:
            return False
        for file in (_TOMBSTONES, _SESSION):  # a crash between the two leaves a session: it is removed later
            remove(folder / file)
        remove_folder(folder)
        return True

    def sessions(self) -> Iterator[session_pb2.Session]:
        """Yield all sessions that have a folder, and in it a file that can be read."""
        for name in self.folders():
            with contextlib.suppress(FileNotFoundError, Corrupt):
                yield self._session(name)

    def numbered(self, ring: str, number: int) -> session_pb2.Session | None:
        """Return the session of that number in the ring of that identity, hexadecimal."""
        for session in self.sessions():
            if (session.ring, session.ring_session) == (ring, number):
                return session
        return None

    def mend(self) -> None:
        """Set aside what stands beside the laps and cannot be read. A session without a file is what its laps
        say of it: each has it as it was then.
        """
        for name in self.folders():
            self._tombstones(name).mend(self._aside(name, _TOMBSTONES))
            try:
                self._session(name)
            except Corrupt:
                rename(self._beside(name, _SESSION), self._aside(name, _SESSION))
                self._restore(name)
            except FileNotFoundError:
                self._restore(name)

    def aside(self) -> Iterator[Path]:
        """Yield what was set aside and is no lap."""
        for path in sorted(self.root.glob(f"*/*{DAMAGED}*")):
            if SUFFIX + DAMAGED not in path.name:
                yield path

    def _aside(self, session: str, file: str) -> Path:
        """Return where a damaged file goes; one that is there stays."""
        names = (f"{file}{DAMAGED}{number or ''}" for number in itertools.count())
        paths = (self._beside(session, name) for name in names)
        return next(path for path in paths if not path.exists())

    def folders(self) -> Iterator[str]:
        """Return the names of all sessions that have a folder."""
        names = (f"sessions/{path.name}" for path in sorted(self.root.glob("*/")))
        return (name for name in names if is_name(name))

    def _session(self, name: str) -> session_pb2.Session:
        """Return a session from its file. Raises FileNotFoundError, Corrupt."""
        path = self._beside(name, _SESSION)
        session = load_message(session_pb2.Session, read_regular(path, _MOST_BYTES))
        if session.name != name:
            raise Corrupt(f"the file of {name} says it is {session.name!r}")
        return session

    def _restore(self, name: str) -> None:
        """Write the session's file anew, if one of its laps can be read."""
        for path in sorted(self._beside(name, "").glob(f"[!.]*{SUFFIX}"), reverse=True):
            with contextlib.suppress(Corrupt, OSError), LapFile.open(path) as file:
                if file.header.session.name == name:
                    self.put_session(file.header.session)
                    return

    def _beside(self, session: str, file: str) -> Path:
        """Return a file in the folder of a session."""
        return self.root / session.removeprefix("sessions/") / file
