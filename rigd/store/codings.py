"""Codings that were best for the last laps of each car class, for the next one to begin with."""

from typing import Final

from rig.v1 import archive_pb2

_LAPS: Final = 20
"""Laps of a class until all columns are tried anew, which takes 0.1 s."""
_GROWN: Final = 1.03
_SLACK_BYTES: Final = 64
"""A column is tried anew in the next lap when its block, row for row, is so much longer than when it was."""
_CLASSES: Final = 32
"""Classes that are remembered, those of the newest laps."""


class LearnedCodings:
    """What is remembered of the laps of each car class."""

    def __init__(self) -> None:
        self._classes: dict[str, _Class] = {}

    def like(self, vehicle_class: str) -> list[archive_pb2.Column]:
        """Return columns whose codings the next lap of a class takes over; all others are tried."""
        known = self._classes.get(vehicle_class)
        return known.columns() if known and known.laps < _LAPS else []

    def learn(self, head: archive_pb2.LapHeader) -> None:
        """Take note of a lap that was packed like those. A piece of a lap teaches nothing."""
        if not head.lap.complete:
            return
        known = self._classes.pop(head.lap.vehicle_class, None)
        if known is None or known.laps >= _LAPS:
            known = _Class()
        known.learn(head)
        self._classes[head.lap.vehicle_class] = known
        if len(self._classes) > _CLASSES:
            del self._classes[next(iter(self._classes))]


class _Class:
    """Columns as they were when they were tried, and the bytes of a row of them."""

    def __init__(self) -> None:
        self.laps = 0
        self._tried: dict[tuple[int, str], tuple[archive_pb2.Column, float]] = {}

    def columns(self) -> list[archive_pb2.Column]:
        return [column for column, _ in self._tried.values()]

    def learn(self, head: archive_pb2.LapHeader) -> None:
        self.laps += 1
        for column in head.columns:
            key = column.section, column.name
            rows = head.scorings if column.section == archive_pb2.SECTION_SCORING else head.samples
            if key not in self._tried:
                # A part of the head would keep all of it.
                codings = archive_pb2.Column(section=column.section, name=column.name, codings=column.codings)
                self._tried[key] = codings, column.size / max(rows, 1)
            elif column.size > _GROWN * rows * self._tried[key][1] + _SLACK_BYTES:
                del self._tried[key]
