"""What stands between the game and the recorder: every buffer, the plugin, the game, and the way out."""

import enum
import os
import pwd
import stat
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.table import Table

from rigd.sources.rf2.bufferfile import FileState
from rigd.sources.rf2.gameprocess import find_game
from rigd.sources.rf2.layout import BUFFERS
from rigd.sources.rf2.reader import BufferReader
from rigd.sources.rf2.source import SETTINGS, STILL_NS, SharedMemory, SourceState

WATCH_S: Final = 0.6
"""How long the version words are watched: three scoring updates, thirty telemetry frames."""

Fact = str | int | float | bool | None


class Level(enum.Enum):
    """How much a finding matters."""

    GOOD = "good"
    NOTE = "note"
    BAD = "bad"


@dataclass(frozen=True)
class Finding:
    """One thing looked at."""

    subject: str
    """Name of a buffer, or: source, plugin, game, folder."""
    level: Level
    state: str
    sentence: str
    facts: dict[str, Fact] = field(default_factory=dict)
    """Buffers: file, size_bytes, expected_bytes, begin, end, moving, age_s, owner, mode."""


def diagnose(
    folder: Path,
    *,
    wait: Callable[[float], None] = time.sleep,
    game: Callable[[], int | None] = find_game,
) -> list[Finding]:
    """Look at everything in `folder` twice, WATCH_S apart. Opens for reading only, and changes nothing."""
    source, pid = SharedMemory(folder, game=game), game()
    start_ns = time.monotonic_ns()
    source.state(start_ns)
    wait(WATCH_S)
    # The clock of the second look is set forward: what did not move by now is judged as what stands still.
    now_ns = start_ns + STILL_NS
    try:
        buffers = [_buffer(reader, now_ns) for reader in _readers(source, now_ns)]
        return [_source(source, now_ns), *buffers, _plugin(source), _game(pid), _folder(folder)]
    finally:
        source.close()


def healthy(findings: list[Finding]) -> bool:
    """Return whether nothing stands in the way of recording: the exit code of `rigd doctor`."""
    return all(finding.level is not Level.BAD for finding in findings)


def as_dicts(findings: list[Finding]) -> list[dict[str, object]]:
    """Return the findings as plain values, for --json."""
    return [asdict(finding) | {"level": finding.level.value} for finding in findings]


def render(findings: list[Finding], console: Console) -> None:
    """Print the buffers as a table and every sentence that asks for something, or just the verdict."""
    console.print(_table([finding for finding in findings if "file" in finding.facts]))
    for finding in findings:
        style = _STYLES[finding.level]
        console.print(f"{finding.subject}: {finding.state}", style=style, highlight=False, markup=False)
        console.print(f"  {finding.sentence}", highlight=False, markup=False)


_STYLES: Final = {Level.GOOD: "green", Level.NOTE: "yellow", Level.BAD: "bold red"}

_FINE: Final = (SourceState.LIVE, SourceState.MONITOR)
_PATIENCE: Final = (SourceState.PAUSED, SourceState.WAITING, SourceState.REPLACED, SourceState.TRUNCATED)
"""States that end by themselves."""


def _readers(source: SharedMemory, now_ns: int) -> list[BufferReader]:
    """Return the source's readers after their second look."""
    source.state(now_ns)
    return [source.telemetry_reader, source.scoring_reader, source.extended_reader]


def _source(source: SharedMemory, now_ns: int) -> Finding:
    state = source.state(now_ns)
    level = Level.GOOD if state in _FINE else Level.NOTE if state in _PATIENCE else Level.BAD
    return Finding("source", level, state.value, source.explain(now_ns))


def _buffer(reader: BufferReader, now_ns: int) -> Finding:
    """Return one buffer file: what it is, and whether its version words move."""
    reader.look(now_ns)
    begin, end = reader.words
    ready, moving = reader.file.state is FileState.READY, reader.moved_ns is not None
    facts: dict[str, Fact] = {"file": str(reader.file.path), "expected_bytes": reader.buffer.size}
    if ready:
        facts |= {"begin": begin, "end": end, "moving": moving}
    state, sentence = _buffer_state(reader, begin != end, moving)
    level = Level.BAD if not ready else Level.GOOD if moving else Level.NOTE
    return Finding(reader.buffer.name, level, state, sentence, facts | _file_facts(reader.file.path))


def _buffer_state(reader: BufferReader, is_open: bool, moving: bool) -> tuple[str, str]:
    if reader.file.state is not FileState.READY:
        return reader.file.state.value, _FILE_SENTENCES[reader.file.state]
    if moving:
        return "moving", "Frames are being written."
    if is_open:
        return "open", "A frame is open and nothing moves: the writer died in the middle of it."
    return "still", f"No frame within {WATCH_S} s: paused, in a menu, or left over from an earlier run."


_FILE_SENTENCES: Final = {
    FileState.ABSENT: "The file does not exist: the plugin has not run since this machine started.",
    FileState.DENIED: "This user may not read the file.",
    FileState.SHORT: "The file is smaller than its layout: the game is starting, or a bridge is wrong.",
    FileState.CUT: "The file was emptied a moment ago: the game is starting.",
}


def _file_facts(path: Path) -> dict[str, Fact]:
    """Return size, age, owner and mode. The age counts from the game's start: frames do not touch the
    times.
    """
    try:
        found = path.stat()
    except OSError as error:
        return {"error": error.strerror}
    return {
        "size_bytes": found.st_size,
        "age_s": round(time.time() - found.st_mtime, 1),
        "owner": _user(found.st_uid),
        "mode": stat.filemode(found.st_mode),
    }


def _user(uid: int) -> str:
    """Name of a user, or the number where it has none (a container's)."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _plugin(source: SharedMemory) -> Finding:
    """Return what the plugin says of itself in Extended."""
    extended = source.extended()
    if extended is None or not extended["mVersion"]:
        return Finding("plugin", Level.BAD, "down", _ENABLE)
    version = extended["mVersion"].decode("latin-1")
    facts: dict[str, Fact] = {
        "version": version,
        "is64bit": bool(extended["is64bit"]),
        "unsubscribed_mask": int(extended["mUnsubscribedBuffersMask"]),
        "session_started": bool(extended["mSessionStarted"]),
        "in_realtime": bool(extended["mInRealtimeFC"]),
    }
    level = Level.GOOD if source.trusted else Level.BAD
    return Finding("plugin", level, version, _subscriptions(facts["unsubscribed_mask"]), facts)


_ENABLE: Final = (
    f'The plugin says nothing. In {SETTINGS} set " Enabled" (with the space in front) to 1, and restart the '
    "game; it needs the Visual C++ 2013 runtime in its prefix."
)


def _subscriptions(mask: Fact) -> str:
    """Return which of the buffers rigd reads the plugin leaves empty."""
    assert isinstance(mask, int)
    off = [buffer.name for buffer in BUFFERS if buffer.unsubscribe_bit & mask]
    if not off:
        return f"UnsubscribedBuffersMask {mask} leaves out nothing that rigd reads."
    return f"UnsubscribedBuffersMask {mask} leaves out {' and '.join(off)}: lower it in {SETTINGS}."


def _game(pid: int | None) -> Finding:
    if pid is None:
        sentence = "No rFactor2.exe is visible to this user. The demo, a replay and a bridge need none."
        return Finding("game", Level.NOTE, "not running", sentence)
    return Finding("game", Level.GOOD, "running", f"rFactor2.exe is process {pid}.", {"pid": pid})


def _folder(folder: Path) -> Finding:
    """Return whether this user may look into the folder at all."""
    if not folder.is_dir():
        return Finding("folder", Level.BAD, "absent", f"{folder} is no folder.")
    if not os.access(folder, os.R_OK | os.X_OK):
        return Finding("folder", Level.BAD, "denied", f"This user may not look into {folder}.")
    return Finding("folder", Level.GOOD, "readable", f"{folder}, as user {_user(os.geteuid())}.")


def _table(findings: list[Finding]) -> Table:
    """Return a table, buffer by buffer; narrow enough for 80 columns."""
    table = Table("buffer", "state", "bytes", "begin", "end", "moving", "age s", "owner", "mode")
    names = ("size_bytes", "begin", "end", "moving", "age_s", "owner", "mode")
    for finding in findings:
        cells = [finding.facts.get(name) for name in names]
        words = ["-" if cell is None else str(cell) for cell in cells]
        table.add_row(finding.subject, finding.state, *words, style=_STYLES[finding.level])
    return table
