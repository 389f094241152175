"""What really happened, as JSON lines: the truth that a recording of the same race is compared with."""

import json
from pathlib import Path
from types import TracebackType

Event = dict[str, str | int | float | bool]
"""`kind`, `clock` (s of session clock), mostly `id` (slot id), and what belongs to the kind."""


class Journal:
    """Appends events to a file, one JSON object per line; without a path it takes them and writes nothing."""

    def __init__(self, path: Path | None) -> None:
        self._file = path.open("w", buffering=1, encoding="utf-8") if path else None

    def write(self, session: int, events: list[Event]) -> None:
        """Add the events of session number `session`, counted from 0 in the life of one game."""
        if self._file:
            for event in events:
                self._file.write(json.dumps({"session": session, **event}, ensure_ascii=False) + "\n")

    def close(self) -> None:
        """Close the file."""
        if self._file:
            self._file.close()

    def __enter__(self) -> "Journal":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
