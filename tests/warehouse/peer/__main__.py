"""The peer as a process of its own.

python -m tests.warehouse.peer FOLDER [--port N] [--database RIG] [--token-s S] [--master-s S] [--ahead-s S]

FOLDER keeps everything: `users.json`, `faults`, `journal.jsonl`, the databases, the staged files. It prints
its port once it listens, and starts again on what it left behind, however it ended.
"""

import argparse
import asyncio
import logging
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
    parser.add_argument("--token-s", type=float, default=3600.0)
    parser.add_argument("--master-s", type=float, default=14400.0)
    parser.add_argument("--ahead-s", type=float, default=0.0)
    return parser.parse_args()


def main() -> None:
    """Serve until told to end."""
    wanted = options()
    folder: Path = wanted.folder
    logging.disable()  # the journal says what happened
    warnings.simplefilter("ignore")
    fake.install(folder, wanted.database)
    peer = Peer(
        Users(folder / USERS, ACCOUNT),
        Sessions(wanted.token_s, wanted.master_s),
        Faults(folder / FAULTS),
        Journal(folder / JOURNAL),
        wanted.ahead_s,
    )
    config = uvicorn.Config(peer, host="127.0.0.1", port=wanted.port, http="h11", lifespan="off")
    listening = config.bind_socket()
    print(listening.getsockname()[1], flush=True)
    asyncio.run(uvicorn.Server(config).serve([listening]))


if __name__ == "__main__":
    main()
