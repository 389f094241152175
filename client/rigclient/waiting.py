"""What a stream waits for when it brings nothing, said in the log of `rigclient`. No I/O here."""

import logging
import time
from typing import Final

from rig.v1 import rig_pb2

LOG: Final = logging.getLogger("rigclient")

_SILENCE_S: Final = 2.0
"""Without a record, until it is said: scoring comes at least once a second."""


class Silence:
    """How long a stream has brought nothing; each silence is said once."""

    def __init__(self) -> None:
        self._since, self._said = time.monotonic(), False

    def end(self) -> None:
        """Note that a record has come."""
        self._since, self._said = time.monotonic(), False

    def overdue(self) -> bool:
        """Return whether it is time to say what is awaited."""
        if self._said or time.monotonic() - self._since < _SILENCE_S:
            return False
        self._said = True
        return True


def connected(address: str, status: rig_pb2.GetStatusResponse, *, withheld: bool = False) -> None:
    """Say what a rig that answers is waiting for, or that it shows what comes to others alone (`withheld`);
    nothing where its game is live, and only the selection brings nothing.
    """
    if withheld:
        LOG.warning(
            "connected to the rig at %s; it shows its car to who is in the seat, and that is somebody else "
            "or nobody: `rig seat USER`",
            address,
        )
    elif not status.HasField("recorder"):
        LOG.warning("connected to the rig at %s; its recorder is silent: is `rigd record` running?", address)
    elif status.recorder.source_state != "LIVE":
        state, sentence = status.recorder.source_state, status.recorder.source_explanation
        word = state.lower().replace("_", " ")
        LOG.warning("connected to the rig at %s; waiting for the game (%s): %s", address, word, sentence)


def disconnected(address: str) -> None:
    """Say that a rig which was there is away."""
    LOG.warning("no rig answers at %s any more; asking again until one does", address)
