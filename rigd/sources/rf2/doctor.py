"""The game's memory as the recorder will find it: every buffer, the plugin, the game, and the way out."""

import os
import stat
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from rigd.check import Check, Fact, Level, ok, warning, wrong
from rigd.process import user_name
from rigd.sources.rf2.bufferfile import FileState
from rigd.sources.rf2.gameprocess import find_game
from rigd.sources.rf2.layout import BUFFERS
from rigd.sources.rf2.reader import BufferReader
from rigd.sources.rf2.source import SETTINGS, STILL_NS, SharedMemory, SourceState

WATCH_S: Final = 0.6
"""How long the version words are watched: three scoring updates, thirty telemetry frames."""


def check_memory(
    folder: Path,
    *,
    wait: Callable[[float], None] = time.sleep,
    game: Callable[[], int | None] = find_game,
) -> Iterator[Check]:
    """Look at everything in `folder` twice, WATCH_S apart. Opens for reading only, and changes nothing."""
    source, pid = SharedMemory(folder, game=game), game()
    start_ns = time.monotonic_ns()
    source.state(start_ns)
    wait(WATCH_S)
    # The clock of the second look is set forward: what did not move by now is judged as what stands still.
    now_ns = start_ns + STILL_NS
    try:
        readers = _readers(source, now_ns)
        yield _folder(folder)
        yield from (_buffer(reader, now_ns) for reader in readers)
        yield _plugin(source)
        yield _game(pid)
        yield _source(source, now_ns)
    finally:
        source.close()


_FINE: Final = (SourceState.LIVE, SourceState.MONITOR)
_PATIENCE: Final = (SourceState.PAUSED, SourceState.WAITING, SourceState.REPLACED, SourceState.TRUNCATED)
"""States that end by themselves."""


def _readers(source: SharedMemory, now_ns: int) -> list[BufferReader]:
    """The source's readers after their second look."""
    source.state(now_ns)
    return [source.telemetry_reader, source.scoring_reader, source.extended_reader]


def _source(source: SharedMemory, now_ns: int) -> Check:
    state, sentence = source.state(now_ns), source.explain(now_ns)
    if state in _FINE:
        return ok("source", f"{state.value}: {sentence}", {"state": state.value})
    level = Level.WARNING if state in _PATIENCE else Level.WRONG
    return Check("source", level, state.value, sentence, {"state": state.value})


def _buffer(reader: BufferReader, now_ns: int) -> Check:
    """One buffer file: what it is, and whether its version words move."""
    reader.look(now_ns)
    begin, end = reader.words
    name, ready, moving = (
        reader.buffer.name,
        reader.file.state is FileState.READY,
        reader.moved_ns is not None,
    )
    state, sentence = _buffer_state(reader, begin != end, moving)
    facts: dict[str, Fact] = {"file": str(reader.file.path), "expected_bytes": reader.buffer.size}
    facts |= {"state": state} | _file_facts(reader.file.path)
    if ready:
        facts |= {"begin": begin, "end": end, "moving": moving}
    if not ready:
        return wrong(name, f"{state}: {_shown(facts)}", sentence, facts)
    if not moving:
        return warning(name, f"{state}: {_shown(facts)}", sentence, facts)
    return ok(name, f"{state}: {_shown(facts)}", facts)


def _buffer_state(reader: BufferReader, is_open: bool, moving: bool) -> tuple[str, str]:
    if reader.file.state is not FileState.READY:
        return reader.file.state.value, _FILE_SENTENCES[reader.file.state]
    if moving:
        return "moving", ""
    if is_open:
        return (
            "open",
            "A frame is open and nothing moves: the writer died in the middle of it; start the game.",
        )
    return (
        "still",
        f"No frame within {WATCH_S} s: paused, in a menu, or left over from an earlier run. Drive.",
    )


_FILE_SENTENCES: Final = {
    FileState.ABSENT: "The plugin has not run since this machine started: start the game.",
    FileState.DENIED: "This user may not read the file: run rigd as the user who runs the game.",
    FileState.SHORT: "It is smaller than its layout: wait while the game starts, else a bridge is wrong.",
    FileState.CUT: "It was emptied a moment ago: the game is starting, ask again.",
}


def _shown(facts: dict[str, Fact]) -> str:
    """Return what one wants to see of a buffer."""
    if "size_bytes" not in facts:
        return str(facts["file"])
    words = [f"{facts['size_bytes']} bytes", f"of {facts['owner']}", str(facts["mode"])]
    if "begin" in facts:
        words += [f"begin {facts['begin']}", f"end {facts['end']}"]
    return ", ".join(words)


def _file_facts(path: Path) -> dict[str, Fact]:
    """Size, age, owner and mode. The age counts from the game's start: frames do not touch the times."""
    try:
        found = path.stat()
    except OSError as error:
        return {"error": error.strerror}
    return {
        "size_bytes": found.st_size,
        "age_s": round(time.time() - found.st_mtime, 1),
        "owner": user_name(found.st_uid),
        "mode": stat.filemode(found.st_mode),
    }


def _plugin(source: SharedMemory) -> Check:
    """What the plugin says of itself in Extended."""
    extended = source.extended()
    if extended is None or not extended["mVersion"]:
        return wrong("plugin", "it says nothing", _ENABLE)
    version, mask = extended["mVersion"].decode("latin-1"), int(extended["mUnsubscribedBuffersMask"])
    facts: dict[str, Fact] = {
        "version": version,
        "is64bit": bool(extended["is64bit"]),
        "unsubscribed_mask": mask,
        "session_started": bool(extended["mSessionStarted"]),
        "in_realtime": bool(extended["mInRealtimeFC"]),
    }
    if not source.trusted:
        return wrong("plugin", f"version {version}", "Install version 3.7, 64 bit.", facts)
    if off := [buffer.name for buffer in BUFFERS if buffer.unsubscribe_bit & mask]:
        what = f"version {version}: UnsubscribedBuffersMask {mask} leaves out {' and '.join(off)}"
        return wrong("plugin", what, f"Lower it in {SETTINGS}, and restart the game.", facts)
    return ok("plugin", f"version {version}; UnsubscribedBuffersMask {mask} leaves out nothing", facts)


_ENABLE: Final = (
    f'In {SETTINGS} set " Enabled" (with the space in front) to 1, and restart the game; it needs the Visual '
    "C++ 2013 runtime in its prefix."
)


def _game(pid: int | None) -> Check:
    if pid is None:
        return warning(
            "game process",
            "no game is running that this user can see",
            "Start the game. The demo, a replay and a bridge need none.",
        )
    return ok("game process", f"the game is process {pid}", {"pid": pid})


def _folder(folder: Path) -> Check:
    """Whether this user may look into the folder at all."""
    if not folder.is_dir():
        return wrong("buffers", f"{folder} is no folder", "Name the one of the game with --buffers.")
    if not os.access(folder, os.R_OK | os.X_OK):
        return wrong("buffers", f"this user may not look into {folder}", "Run rigd as the user who plays.")
    return ok("buffers", f"{folder} is readable, as user {user_name(os.geteuid())}")
