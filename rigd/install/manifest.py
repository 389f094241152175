"""The record of what an installation has written, so that it can be taken back."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import rigd
from rig.errors import Corrupt, Newer
from rig.regular import read_regular
from rigd.durable import replace

_FORMAT: Final = 1
_MOST_BYTES: Final = 1 << 20


@dataclass
class Written:
    """A file that was written."""

    sha256: str
    """Of what was written: whoever has changed it since keeps it."""
    before: str = ""
    """Where the file went that stood there and was not ours; empty: there was none."""


@dataclass
class Manifest:
    """What was written where. Paths are those of the machine that runs it."""

    files: dict[str, Written] = field(default_factory=dict)
    folders: list[str] = field(default_factory=list)
    """That were not there, outer ones first."""
    data: str = ""
    """The folder of what is recorded."""
    player: str = ""
    """Who plays."""
    group: bool = False
    """Whether the group rigd was made."""
    linger: bool = False
    """Whether lingering was turned on."""

    def write(self, path: Path) -> None:
        """Put it on the disk, whole or not at all."""
        files = {name: vars(written) for name, written in self.files.items()}
        path.parent.mkdir(parents=True, exist_ok=True)
        facts = {"format": _FORMAT, "version": rigd.__version__, **vars(self), "files": files}
        replace(path, json.dumps(facts, indent=2).encode() + b"\n")


def read(path: Path) -> Manifest:
    """Return the record at `path`, an empty one when there is none. Raises Corrupt, Newer."""
    try:
        facts = json.loads(read_regular(path, _MOST_BYTES))
        return _manifest(path, facts)
    except FileNotFoundError:
        return Manifest()
    except (ValueError, TypeError, AttributeError, KeyError) as error:
        hint = "remove it, and what it lists, by hand"
        raise Corrupt(f"{path} is no record of an installation: {error!r}", hint=hint, path=path) from error


def _manifest(path: Path, facts: dict[str, Any]) -> Manifest:
    if int(facts["format"]) > _FORMAT:
        what = f"format {facts['format']}, this program reads {_FORMAT}"
        raise Newer(f"{path} was written by rigd {facts['version']}: {what}", hint="use that version")
    files = {
        str(name): Written(str(one["sha256"]), str(one["before"])) for name, one in facts["files"].items()
    }
    folders, data = [str(folder) for folder in facts["folders"]], str(facts["data"])
    for name in (*files, *folders, *([data] if data else [])):
        if not name.startswith("/") or ".." in Path(name).parts:
            raise ValueError(f"{name!r} is no absolute path")
    player, group, linger = str(facts["player"]), bool(facts["group"]), bool(facts["linger"])
    return Manifest(files, folders, data, player, group, linger)
