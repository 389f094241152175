"""Sheets: figures of several programs side by side, a row each, with their ratio to ours."""

from collections.abc import Mapping
from typing import Final, NamedTuple

from rich.table import Table
from rich.text import Text

from tests.bench.costs import AXES
from tests.bench.peers.daemons import INSTALL

Figures = Mapping[str, float]


class Column(NamedTuple):
    """One or more figures of a row, with the ratio of the first to that of our row."""

    title: str
    names: tuple[str, ...]
    compared: bool = True


class Cell(NamedTuple):
    """What stands in a cell: the figures, and how many times ours the first is (0: no word of that)."""

    text: str
    ratio: float = 0.0

    def __str__(self) -> str:
        return f"{self.text} ({self.times})" if self.ratio else self.text

    @property
    def times(self) -> str:
        """The ratio in words."""
        if self.ratio < 0.01:
            return "< 0.01 x"
        digits = 0 if self.ratio >= 10 else 1 if self.ratio >= 1 else 2
        return f"{self.ratio:.{digits}f} x"


class Sheet(NamedTuple):
    """Figures named PREFIX.ROW.NAME."""

    title: str
    prefix: str
    rows: Mapping[str, str]
    """Row -> what stands before it. Ratios are to the row `ours`."""
    columns: tuple[Column, ...]

    def measured(self, figures: Figures) -> bool:
        """Whether there is anything to show."""
        return any(name.startswith(f"{self.prefix}.") for name in figures)

    def cells(self, row: str, figures: Figures) -> list[Cell]:
        """The cells of a row."""
        if f"{self.prefix}.{row}.absent" in figures:
            return [Cell(f"absent: {INSTALL}")] + [Cell("")] * (len(self.columns) - 1)
        return [self._cell(row, column, figures) for column in self.columns]

    def _cell(self, row: str, column: Column, figures: Figures) -> Cell:
        values = [figures.get(f"{self.prefix}.{row}.{name}") for name in column.names]
        if None in values:
            return Cell("")
        text = " / ".join(shown(value) for value in values if value is not None)
        ours = figures.get(f"{self.prefix}.ours.{column.names[0]}", 0.0)
        if not column.compared or row == "ours" or not ours:
            return Cell(text)
        return Cell(text, (values[0] or 0.0) / ours)

    def rich(self, figures: Figures) -> Table:
        """For a terminal: green where ours is ahead, red where it is not."""
        out = Table("", title=self.title, title_justify="left")
        for column in self.columns:
            out.add_column(column.title, justify="right")
        for row, label in self.rows.items():
            out.add_row(label, *map(_coloured, self.cells(row, figures)))
        return out

    def markdown(self, figures: Figures) -> str:
        """For a page."""
        head = ["", *(column.title for column in self.columns)]
        body = [[label, *map(str, self.cells(row, figures))] for row, label in self.rows.items()]
        lines = [head, ["---"] * len(head), *body]
        return "\n".join([f"{self.title}:", "", *("| " + " | ".join(line) + " |" for line in lines)])


def shown(value: float) -> str:
    """A figure with as many digits as it is worth."""
    digits = 0 if value >= 100 or not value else 1 if value >= 10 else 2
    return f"{value:,.{digits}f}"


def _coloured(cell: Cell) -> Text:
    text = Text(cell.text)
    if cell.ratio:
        style = "green" if cell.ratio > 1 else "red"
        text.append(f"\n{cell.times}", style)
    return text


_STORES: Final = {
    "ours": "rigd's ring (LMDB)",
    "bare": "bare file, write + fdatasync",
    "sqlite_full": "SQLite WAL, FULL",
    "sqlite_normal": "SQLite WAL, NORMAL *",
    "mcap_fsync": "MCAP, fsync per tick",
    "mcap": "MCAP, chunks *",
    "redis_always": "Redis Streams, fsync always",
    "redis_everysec": "Redis Streams, fsync everysec *",
}
_SERVERS: Final = {
    "ours": "rigd serve",
    "grpc": "plain grpc.aio, a message built for each",
    "redis": "Redis Streams, XREAD BLOCK",
    "foxglove": "Foxglove SDK, WebSocket",
    "mosquitto": "mosquitto, MQTT",
}
_FORMATS: Final = {
    "ours": "lap file",
    "parquet_quick": "Parquet, zstd",
    "parquet_small": "Parquet, zstd 9, bytes split",
    "mcap": "MCAP, zstd",
}
_COUNTS: Final = (1, 8, 32, 100)
_LOADS: Final = {
    "cars": "cars",
    "channels": "channels",
    "subscribers": "subscribers",
    "ring_gb": "GB of full ring",
}

SHEETS: Final = {
    "append": Sheet(
        "Appending a tick of 40 cars to a full store (* not on the disk when it is acknowledged)",
        "append",
        _STORES,
        (
            Column("at 50 Hz: median / p99 ms", ("paced_p50_ms", "paced_p99_ms")),
            Column("without a pause", ("fast_p50_ms", "fast_p99_ms")),
            Column("CPU us", ("paced_cpu_us",)),
            Column("kB written", ("paced_written_kb",)),
            Column("kB kept", ("kept_kb",)),
            Column("kill -9 loses, s", ("killed_loses_s",), compared=False),
        ),
    ),
    "fanout": Sheet(
        "12 channels of 40 cars at 50 Hz, game to Python subscriber, by subscribers: median / p99 ms",
        "fanout",
        {
            "tail": "in the live tail, before any server",
            "ring": "in the ring, committed by groups",
            **_SERVERS,
        },
        tuple(Column(f"{count}", (f"{count}.p50_ms", f"{count}.p99_ms")) for count in _COUNTS),
    ),
    "fanout_cpu": Sheet(
        "The same: CPU us per message, server / client",
        "fanout",
        _SERVERS,
        tuple(Column(f"{count}", (f"{count}.server_us", f"{count}.client_us")) for count in _COUNTS),
    ),
    "fanout_rate": Sheet(
        "The same: messages a second that each subscriber got, of 50",
        "fanout",
        _SERVERS,
        tuple(Column(f"{count}", (f"{count}.per_s",), compared=False) for count in _COUNTS),
    ),
    "live": Sheet(
        "8 subscribers, ours behind the live tail, by what the others' servers follow: median / p99 ms",
        "live",
        {who: _SERVERS[who] for who in ("ours", "foxglove", "mosquitto")},
        (
            Column("a ring, committed at once", ("ring_p50_ms", "ring_p99_ms")),
            Column("the live tail", ("tail_p50_ms", "tail_p99_ms")),
        ),
    ),
    "lap": Sheet(
        "Reading a lap of 4,600 ticks",
        "lap",
        _FORMATS,
        (
            Column("file, kB", ("file_kb",)),
            Column("all channels, ms", ("all_ms",)),
            Column("... reads, kB", ("all_kb",)),
            Column("one channel, ms", ("one_ms",)),
            Column("... reads, kB", ("one_kb",)),
        ),
    ),
    "costs": Sheet(
        "Costs at 50 Hz; what is not named is 40 cars, 12 channels, 8 subscribers, an unfilled ring",
        "costs",
        {
            f"{axis}_{value:g}": f"{_LOADS[axis]}: {value:g}"
            for axis, values in AXES.items()
            for value in values
        },
        (
            Column("recorder, % of a core", ("recorder_core_pct",), compared=False),
            Column("MB", ("recorder_rss_mb",), compared=False),
            Column("commit, median ms", ("commit_p50_ms",), compared=False),
            Column("recorder ready after, s", ("start_s",), compared=False),
            Column("server, % of a core", ("server_core_pct",), compared=False),
            Column("MB", ("server_rss_mb",), compared=False),
        ),
    ),
}
"""Name -> comparison."""
