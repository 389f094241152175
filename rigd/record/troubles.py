"""What keeps daemons from their work, as events: that it began, and that it ended."""

import time
from collections.abc import Iterator, Mapping
from typing import Any

from rig.v1 import event_pb2, rig_pb2


class Troubles:
    """What is known of the troubles of the daemons, by their names."""

    def __init__(self) -> None:
        self._known: dict[str, rig_pb2.Trouble] = {}

    def news(self, words: Mapping[str, rig_pb2.DaemonStatus]) -> Iterator[dict[str, Any]]:
        """Yield what has changed with what the daemons say now, as kinds of events. One that is silent has
        the trouble that it had.
        """
        for daemon, word in words.items():
            known = self._known.get(daemon)
            if word.HasField("trouble"):
                self._known[daemon] = word.trouble
                if known is None:
                    yield {"trouble_began": event_pb2.TroubleBegan(daemon=daemon, what=word.trouble.what)}
            elif known is not None:
                del self._known[daemon]
                yield {"trouble_ended": _ended(known)}


def _ended(trouble: rig_pb2.Trouble) -> event_pb2.TroubleEnded:
    seconds = max((time.time_ns() - trouble.since_ns) / 1e9, 0.0)
    return event_pb2.TroubleEnded(daemon=trouble.daemon, what=trouble.what, duration_s=seconds)
