"""Laps that are not there as they should be, and what became of them."""

from collections.abc import Iterable
from typing import Any, Final

from rig.v1 import event_pb2, rig_pb2
from rigd.losses.account import LAP, Entry
from rigd.store.commands import REQUESTED
from rigd.store.folder import LapFolder
from rigd.store.index import IndexReader

_REASONS: Final = {
    event_pb2.GAP_REASON_EVICTED: rig_pb2.LAP_LOSS_EVICTED,
    event_pb2.GAP_REASON_TOO_LONG: rig_pb2.LAP_LOSS_TOO_LONG,
}


def lost_laps(
    store: LapFolder, index: IndexReader, session: str, entries: Iterable[Entry]
) -> list[rig_pb2.LostLap]:
    """The lost laps of a session, whose ledger has these entries, by name. What happened last counts."""
    lost = {entry.lap: _cut(entry) for entry in entries if entry.kind == LAP}
    lost |= {name: _damaged(store, index, name) for name in store.damaged(session)}
    lost |= {name: _deleted(name, facts) for name, facts in store.tombstones(session).items()}
    return [lost[name] for name in sorted(lost)]


def _cut(entry: Entry) -> rig_pb2.LostLap:
    assert entry.gap is not None
    gap = entry.gap
    part = f"{gap.count} samples at the end" if gap.count else gap.detail
    return rig_pb2.LostLap(name=entry.lap, loss=_REASONS[gap.reason], detail=part, time_ns=entry.time_ns)


def _damaged(store: LapFolder, index: IndexReader, name: str) -> rig_pb2.LostLap:
    known = index.lap(name)
    return rig_pb2.LostLap(
        name=name,
        loss=rig_pb2.LAP_LOSS_DAMAGED,
        detail=known.damage if known else "",
        time_ns=store.damaged_path(name).stat().st_ctime_ns,
    )


def _deleted(name: str, facts: dict[str, Any]) -> rig_pb2.LostLap:
    why = str(facts.get("why", ""))
    deleted = rig_pb2.LAP_LOSS_DELETED if why == REQUESTED else rig_pb2.LAP_LOSS_RETENTION
    loss = rig_pb2.LAP_LOSS_FORCED if facts.get("forced") else deleted
    return rig_pb2.LostLap(name=name, loss=loss, detail=why, time_ns=int(facts.get("time_ns", 0)))
