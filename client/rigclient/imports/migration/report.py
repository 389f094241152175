"""What came of a migration from the old collector, for people and for machines."""

import html
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from rig.errors import BadRequest
from rigclient.imports.migration.verification import LapVerification
from riglap.atomic import atomic_write
from riglap.times import lap_time

_COLUMNS: Final = (
    "lap",
    "driver",
    "time",
    "rows",
    "left out",
    "samples",
    "columns",
    "greatest difference",
    "",
)
_ENDINGS: Final = (".md", ".html")
_PAGE: Final = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Migration</title><style>
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 70rem; padding: 0 1rem; }
table { border-collapse: collapse; } td, th { padding: .2rem .8rem; text-align: left; }
tr:nth-child(even) { background: #8881; } .safe { color: #080; } .unsafe { color: #b00; }
</style></head><body>
"""


@dataclass
class MigratedSession:
    """A session of the collector, and what became of its laps."""

    files: int
    first: Path
    """Its first file."""
    name: str = ""
    """Of the session as it is now; empty where it did not come over."""
    outcome: str = ""
    """Loaded, or there already, or refused."""
    why: str = ""
    """Why it did not come over."""
    laps: list[LapVerification] = field(default_factory=list)


@dataclass
class MigrationReport:
    """All sessions of a folder."""

    folder: Path
    sessions: list[MigratedSession] = field(default_factory=list)
    odd: list[str] = field(default_factory=list)
    """Files that could not be read, with the reason."""
    others: list[Path] = field(default_factory=list)
    """Files of another kind, which were left alone."""

    def troubles(self) -> Iterator[str]:
        """Yield what speaks against the switch; nothing where all came over whole."""
        if not self.sessions:
            yield f"{self.folder} has no file of the collector"
        yield from self.odd
        for session in self.sessions:
            if not session.name:
                yield session.why
            elif not session.laps:
                yield f"{session.name} has no lap"
            for lap in session.laps:
                yield from (f"{session.name}, lap {lap.number}: {trouble}" for trouble in lap.troubles())

    @property
    def laps(self) -> int:
        """How many laps were compared."""
        return sum(len(session.laps) for session in self.sessions)

    def verdict(self) -> str:
        """Return the last line: whether it is safe to switch."""
        troubles = sum(1 for _ in self.troubles())
        if troubles:
            return f"not safe to switch: {troubles} {'things differ' if troubles > 1 else 'thing differs'}"
        laps = f"{self.laps} lap{'s' * (self.laps != 1)}"
        sessions = f"{len(self.sessions)} session{'s' * (len(self.sessions) != 1)}"
        return f"safe to switch: {laps} came over whole, in {sessions}"

    def plain(self) -> dict[str, Any]:
        """Return the report as JSON has it."""
        return {
            "folder": str(self.folder),
            "safe": next(self.troubles(), None) is None,
            "troubles": list(self.troubles()),
            "sessions": [_session(session) for session in self.sessions],
            "odd": self.odd,
            "others": [str(path) for path in self.others],
        }


def _session(session: MigratedSession) -> dict[str, Any]:
    return {
        "session": session.name,
        "files": session.files,
        "outcome": session.outcome,
        "why": session.why,
        "laps": [_lap(lap) for lap in session.laps],
    }


def _lap(lap: LapVerification) -> dict[str, Any]:
    return {
        "number": lap.number,
        "files": lap.files,
        "driver": lap.driver,
        "rows": lap.rows,
        "left_out": dict(lap.left_out),
        "samples": lap.samples,
        "old_time_s": lap.old_time_s,
        "new_time_s": lap.new_time_s,
        "old_sectors_s": lap.old_sectors_s,
        "new_sectors_s": lap.new_sectors_s,
        "differences": [{**one._asdict(), "same": one.same} for one in lap.differences],
        "troubles": list(lap.troubles()),
    }


def cells(lap: LapVerification) -> tuple[str, ...]:
    """Return the row of a lap, without its verdict."""
    worst = lap.worst
    left = ", ".join(f"{count} {reason}" for reason, count in lap.left_out.most_common())
    return (
        str(lap.number),
        lap.driver or "-",
        lap_time(lap.new_time_s) if lap.new_time_s is not None else "-",
        str(lap.rows),
        left or "-",
        "-" if lap.samples is None else str(lap.samples),
        str(len(lap.differences)),
        f"{worst.difference:.2g} {worst.unit} ({worst.column})".replace("  ", " ") if worst else "-",
    )


def verdict(lap: LapVerification) -> str:
    """Return same or differs."""
    return "differs" if next(lap.troubles(), None) else "same"


def check(path: Path) -> None:
    """Raise BadRequest unless a report can have this name."""
    if path.suffix.lower() not in _ENDINGS:
        raise BadRequest(f"a report ends with .md or .html, {path.name} does not")


def write(report: MigrationReport, path: Path) -> None:
    """Write the report: .md or .html. Raises BadRequest for another ending, OSError."""
    check(path)
    text = "\n".join(_html(report) if path.suffix.lower() == ".html" else _markdown(report))
    with atomic_write(path) as partial:
        partial.write_text(text + "\n", encoding="utf-8")


def _markdown(report: MigrationReport) -> Iterator[str]:
    yield f"# Migration of {report.folder}\n\n**{report.verdict()}**\n"
    yield from (f"- {trouble}" for trouble in report.troubles())
    for session in report.sessions:
        yield f"\n## {session.name or session.first}\n\n{session.files} files, {session.outcome}\n"
        yield _line(_COLUMNS)
        yield _line(["---"] * len(_COLUMNS))
        yield from (_line([*cells(lap), verdict(lap)]) for lap in session.laps)


def _line(parts: Sequence[str]) -> str:
    return f"| {' | '.join(part.replace('|', chr(92) + '|') for part in parts)} |"


def _html(report: MigrationReport) -> Iterator[str]:
    how = "unsafe" if next(report.troubles(), None) else "safe"
    yield (
        _PAGE
        + f"<h1>Migration of {_text(report.folder)}</h1><p class={how}>{_text(report.verdict())}</p><ul>"
    )
    yield from (f"<li>{_text(trouble)}</li>" for trouble in report.troubles())
    yield "</ul>"
    for session in report.sessions:
        yield f"<h2>{_text(session.name or session.first)}</h2>"
        yield f"<p>{session.files} files, {_text(session.outcome)}</p><table>"
        yield _html_row(_COLUMNS, "th")
        yield from (_html_row([*cells(lap), verdict(lap)], "td") for lap in session.laps)
        yield "</table>"
    yield "</body></html>"


def _html_row(parts: Sequence[str], tag: str) -> str:
    return f"<tr>{''.join(f'<{tag}>{_text(part)}</{tag}>' for part in parts)}</tr>"


def _text(value: object) -> str:
    return html.escape(str(value))
