"""A part of a check, which says how far it is and what it finds: a message of JSON per line.

python -m rigd.verify DATA ring
python -m rigd.verify DATA rest [deep] [without-ring]
"""

import sys
import time
from pathlib import Path
from typing import Final

from google.protobuf import json_format

from rig.v1 import rig_pb2
from rigd.lifeline import hold
from rigd.process import yield_to_others
from rigd.verify.parts import check_rest, check_ring

_EVERY_S: Final = 0.2
"""Between two lines that tell nothing but how far it is."""


class _Printer:
    """Says it on standard output."""

    def __init__(self) -> None:
        self._printed_at = 0.0
        self._now = rig_pb2.VerifyResponse()

    def progress(self, walk: str, done: int, total: int) -> None:
        """Print how far it is."""
        another = walk != self._now.walk
        self._now = rig_pb2.VerifyResponse(walk=walk, done=done, total=total)
        if another or done >= total or time.monotonic() > self._printed_at + _EVERY_S:
            self._printed_at = time.monotonic()
            self.say(self._now)

    def found(self, finding: rig_pb2.Finding) -> None:
        """Print what is wrong."""
        self._now.findings.append(finding)
        self.say(self._now)
        del self._now.findings[:]

    def say(self, response: rig_pb2.VerifyResponse) -> None:
        """Print a line; whoever reads it wants it now."""
        print(json_format.MessageToJson(response, indent=None), flush=True)


def main(data: Path, part: str, *words: str) -> None:
    """Check."""
    yield_to_others()
    lines = _Printer()
    if part == "ring":
        findings = check_ring(data, lines.progress)
    else:
        findings = check_rest(data, "deep" in words, "without-ring" not in words, lines.progress)
    for finding in findings:
        lines.found(finding)


if __name__ == "__main__":
    hold()
    main(Path(sys.argv[1]), *sys.argv[2:])
