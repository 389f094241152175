"""Does with an archive what can be done with it, and says aloud what is done.

`python -m tests.faults.powercut.storing DATA`: each word is a wake-up that the witness records.
"""

import sys
from pathlib import Path

from rig.lapfile import pack
from rig.v1 import laps_pb2, session_pb2
from rigd.store.commands import CommandQueue
from rigd.store.folder import LapFolder
from rigd.store.marks import Marks
from rigd.wake import Bell, Listener
from tests.rig.laps import drive, header

SESSION = "sessions/20261120-134500-meander-valley-race-5f3a-1"
KEPT, GONE, BROKEN = (f"{SESSION}/laps/car{car:03d}-0001" for car in (1, 2, 3))
MARK = "20261120-134500-000000001"


def main(data: Path) -> None:
    bell, listener = Bell(data / "wake"), Listener(data / "wake")
    store, session = LapFolder(data / "laps"), session_pb2.Session(name=SESSION, track_name="Meander Valley")
    lap = pack(header(), drive(40), {})

    def say(word: str) -> None:
        bell.ring(word.encode())
        listener.take()

    store.put_session(session)
    say("session")
    for name in (KEPT, GONE, BROKEN):
        store.write(name, lap)
        say(f"written {name}")
    store.pin(KEPT, True)
    say("pinned")
    store.sync(KEPT)
    say("synced")
    store.add_tombstone(GONE, {"why": "deleted on request"})
    store.delete(GONE)
    say("deleted")
    store.set_aside(BROKEN)
    say("set aside")
    store.pin(KEPT, False)
    say("unpinned")
    Marks(data).put(laps_pb2.Moment(name=f"marks/{MARK}", note="here"))
    say("marked")
    CommandQueue(data).post("pin", KEPT)
    say("posted")
    session.status = session_pb2.SESSION_STATUS_COMPLETED
    store.put_session(session)
    say("over")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
