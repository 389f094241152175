"""What was asked and what came of it, a line of JSON each, for tests to read. Secrets are not written."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass
class Journal:
    """Lines at the end of a file: one when a request arrives, one when it is done."""

    file: Path
    asked: int = field(default=0)

    def ask(self, subject: str, session: str) -> int:
        """Note a request. Its number."""
        self.asked += 1
        self._write(at="asked", n=self.asked, subject=subject, session=session)
        return self.asked

    def done(self, number: int, subject: str, outcome: str) -> None:
        """Note what came of it: ok, code and message of an error, an HTTP status, lost or exit."""
        self._write(at="done", n=number, subject=subject, outcome=outcome)

    def _write(self, **line: Any) -> None:
        with self.file.open("a") as file:
            file.write(json.dumps(line) + "\n")
