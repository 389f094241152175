"""The peer as a process of its own.

python -m tests.warehouse.peer FOLDER [--port N] [--database RIG]

FOLDER keeps everything: `users.json`, `faults`, `journal.jsonl`, the databases, the staged files. It prints
its port once it listens, and starts again on what it left behind, however it ended.
"""

import argparse
import asyncio
import logging
import socket
import warnings
from pathlib import Path

import uvicorn

from tests.warehouse.peer import fake
from tests.warehouse.peer.faults import Faults
from tests.warehouse.peer.journal import Journal
from tests.warehouse.peer.process import ACCOUNT, FAULTS, JOURNAL, USERS
from tests.warehouse.peer.sessions import Sessions
from tests.warehouse.peer.shim import Peer
from tests.warehouse.peer.users import Users


def options() -> argparse.Namespace:
    """Those of the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--database", action="append", default=[])
    return parser.parse_args()


def bound(port: int) -> socket.socket:
    """A socket that says it is TCP: asyncio sends at once on those alone. An answer goes out in two parts, so
    that every statement took 57 ms instead of 14.
    """
    found = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    found.bind(("127.0.0.1", port))
    return found


def main() -> None:
    """Serve until told to end."""
    wanted = options()
    folder: Path = wanted.folder
    logging.disable()  # the journal says what happened
    warnings.simplefilter("ignore")
    fake.install(folder, wanted.database)
    users, faults, journal = (folder / name for name in (USERS, FAULTS, JOURNAL))
    peer = Peer(Users(users, ACCOUNT), Sessions(), Faults(faults), Journal(journal))
    config = uvicorn.Config(peer, http="h11", lifespan="off")
    listening = bound(wanted.port)
    listening.listen(100)  # who reads the port may connect
    print(listening.getsockname()[1], flush=True)
    asyncio.run(uvicorn.Server(config).serve([listening]))


if __name__ == "__main__":
    main()
