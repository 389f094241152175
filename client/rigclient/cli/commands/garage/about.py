"""What the catalog has about one lap: notes, tags, the setup it was driven with."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from rig.errors import Corrupt, Denied, NotFound, RigError
from rig.v1 import catalog_pb2
from rigclient.blocking import Rig
from rigclient.cli.commands import shell
from rigclient.cli.commands.garage import resources
from rigclient.cli.commands.messages import numbers


@dataclass
class AboutLap:
    """What people have said about a lap."""

    notes: list[catalog_pb2.Resource] = field(default_factory=list)
    tags: list[catalog_pb2.Resource] = field(default_factory=list)
    setup: catalog_pb2.Resource | None = None

    def plain(self) -> dict[str, Any]:
        """Return it for machines."""
        return {
            "notes": [numbers(one) for one in self.notes],
            "tags": [one.tag.text for one in self.tags],
            "setup": numbers(self.setup) if self.setup is not None else None,
        }

    def lines(self) -> Iterator[tuple[str, str]]:
        """Yield what people read: what it is, and what it says."""
        if self.setup is not None:
            yield "setup", f"{self.setup.setup.title} ({resources.short(self.setup.name)})"
        if self.tags:
            yield "tags", ", ".join(sorted({one.tag.text for one in self.tags}))
        for one in self.notes:
            place = f" (at {one.note.place:.0f} m)" if one.note.HasField("place") else ""
            yield "note", " ".join(one.note.text.split()) + place


def about(rig: Rig, lap: str) -> AboutLap:
    """Return what the catalog has about a lap, by its whole name; nothing where it cannot be read."""
    found = AboutLap()
    with readable():
        found.notes = list(rig.catalog.list("notes", target=lap))
        found.tags = list(rig.catalog.list("tags", target=lap))
        for one in rig.catalog.list("assignments", target=lap):
            with contextlib.suppress(NotFound):
                found.setup = rig.catalog.get(one.assignment.setup)
                break
    return found


@contextlib.contextmanager
def readable() -> Iterator[None]:
    """Go on without the catalog of a rig that is too old to have one, or does not show it to this token; a
    damaged one, and one of a newer version, is a warning.
    """
    try:
        yield
    except Corrupt as error:
        shell.warn(f"what was entered is not shown: {error.message}")
    except Denied:
        pass
    except RigError as error:
        if not error.message.startswith("UNIMPLEMENTED"):
            raise
