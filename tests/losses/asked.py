"""An archiver's life, and what is asked of a data directory after it."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from rig.v1 import rig_pb2
from rigd.archive.archiver import Archiver, Settings
from rigd.ring import RingReader
from rigd.serve.losses import Losses
from rigd.verify.parts import check_ring
from tests.archive.tape import ROOMY, drained


def archive(data: Path) -> None:
    """An archiver does all there is to do."""
    drained(Archiver(Settings(data, ROOMY))).close()


@contextlib.contextmanager
def reading(data: Path) -> Iterator[RingReader]:
    """The ring, for reading."""
    ring = RingReader(data / "ring")
    try:
        yield ring
    finally:
        ring.close()


def newest(data: Path) -> dict[bytes, int]:
    """The last number of each stream."""
    with reading(data) as ring:
        return {stream: span.last for stream, span in ring.spans().items()}


def losses(data: Path) -> rig_pb2.GetLossesResponse:
    """What the server would say of the newest session."""
    with reading(data) as ring:
        return Losses(data).answer(rig_pb2.GetLossesRequest(page_size=100), ring)


def wrong(data: Path) -> list[str]:
    """What a check of the ring finds."""
    return [finding.kind for finding in check_ring(data, lambda *_: None)]
