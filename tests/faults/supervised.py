"""All three daemons under the supervisor, with little room to leave.

python -m tests.faults.supervised DATA BUFFERS ADDRESS RING_SIZE
"""

import signal
import sys
import threading
from pathlib import Path

from rigd.supervisor import Daemon, Supervisor

_WATCHDOG_S = 60.0


def main(data: Path, buffers: str, address: str, ring_size: str) -> None:
    words = {
        "record": ("--buffers", buffers, "--ring-size", ring_size),
        "serve": ("--address", address),
        "archive": ("--min-free", "16M", "--hard-floor", "16M"),
    }
    logs = data.parent / "log"
    supervisor = Supervisor(
        [
            Daemon(name, (name, "--data", str(data), *more), logs / f"{name}.log", watchdog_s=_WATCHDOG_S)
            for name, more in words.items()
        ]
    )
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    supervisor.start()
    stop.wait()
    supervisor.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])
