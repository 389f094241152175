"""Findings: what can be wrong, and what to do about it."""

from typing import Final

from google.protobuf.message import Message

from rig.regular import shown
from rig.v1 import rig_pb2

_LEAVE: Final = "it leaves the ring with time; who cannot wait stops `rigd record` and moves the ring away"
_REINDEX: Final = "`rigd reindex`, with the archiver stopped"
_BACKUP: Final = "bring it back from a copy, or let it be: the loss is declared"
_AGAIN: Final = (
    "restart `rigd archive`: it makes the loss journal again from the ring's events, as far as they are there"
)
_LOOK: Final = "see whose it is, and move it away"

MENDS: Final = {
    # The ring.
    "ring-unreadable": "restart `rigd record`: it sets the ring aside and begins another one",
    "ring-disordered": "restart `rigd record`: it sets the ring aside and begins another one",
    "record-changed": _LEAVE,
    "record-unchecked": _LEAVE,
    "record-malformed": _LEAVE,
    "record-misplaced": _LEAVE,
    "record-session": _LEAVE,
    "check-without-record": _LEAVE,
    "hole-undeclared": _LEAVE,
    "gap-without-hole": _LEAVE,
    "gap-unflagged": _LEAVE,
    "gap-event-missing": _LEAVE,
    "gap-row-missing": _LEAVE,
    "gap-row-differs": _LEAVE,
    # LossJournals.
    "ledger-missing": _AGAIN,
    "ledger-damaged": _AGAIN,
    "ledger-set-aside": "compare it with the one made again, then delete it",
    "ledger-open": _AGAIN,
    "ledger-lacks": "move the loss journal away, then " + _AGAIN,
    "ledger-differs": "move the loss journal away, then " + _AGAIN,
    "ledger-numbers": "move the loss journal away, then " + _AGAIN,
    # Sessions.
    "session-missing": "bring session.json back from a copy; its laps tell what it was",
    "session-unreadable": "bring session.json back from a copy; its laps tell what it was",
    "session-misnamed": "give the folder its name back",
    "session-unlisted": _REINDEX,
    "session-differs": _REINDEX,
    "session-unknown": _REINDEX,
    # Laps.
    "lap-damaged": f"{_REINDEX}, sets it aside; {_BACKUP}",
    "lap-misnamed": "give the file its name back",
    "lap-newer": "nothing here: it is left alone until a version reads it that knows it",
    "lap-set-aside": _BACKUP,
    "lap-unlisted": _REINDEX,
    "lap-fileless": _REINDEX,
    "lap-differs": _REINDEX,
    "lap-returned": "restart `rigd archive`: it deletes the lap, as it was meant to be",
    "lap-missing": "remove the index while `rigd archive` is stopped: then it looks at all events again",
    "lap-untrue": "delete the file with the archiver stopped, and the index: the ring still has the lap",
    # What lies beside them.
    "file-foreign": _LOOK,
    "file-unreadable": "see why it cannot be read; everything else is checked all the same",
    "file-set-aside": "see what is in it that the new one lacks, then delete it",
    "file-unfinished": "restart `rigd archive`: it removes what is half written",
    "flag-orphaned": "delete it",
    "corners-damaged": "restart `rigd archive`: it computes them anew",
    "gone-unreadable": "nothing was deleted that the line tells of; take the line out",
    # The index.
    "index-missing": _REINDEX,
    "index-damaged": _REINDEX,
    "index-newer": f"use the newer version, or {_REINDEX}: it keeps this one beside its own",
    "index-row": _REINDEX,
    "index-sums": _REINDEX,
    "index-losses": _REINDEX,
    "index-position": _REINDEX,
    # The check itself.
    "check-ended": "look at what it was about to read; a disk that fails tells so in the system's log",
}
"""By the stable word for what is wrong."""


def finding(kind: str, where: object, what: str) -> rig_pb2.Finding:
    """Return a finding: the record, lap or file, and a sentence."""
    return rig_pb2.Finding(kind=kind, where=shown(str(where)), what=shown(what), mend=MENDS[kind])


def differing(one: Message, other: Message) -> str:
    """Return names of the fields in which two messages of a kind differ."""
    fields = one.DESCRIPTOR.fields
    return ", ".join(field.name for field in fields if getattr(one, field.name) != getattr(other, field.name))
