"""What callers may take of the server: quotas that an administrator sets, and limits that stay.

Whoever goes beyond one is told `RESOURCE_EXHAUSTED` and the limit, but where another answer is noted.
"""

from dataclasses import dataclass
from typing import Final, NamedTuple

from rigclient.assistant import bounds
from rigd.config import settings
from rigd.drivers import MAX_DRIVERS
from rigd.store.catalog import limits as catalog
from rigd.store.paging import MAX_PAGE
from riglap.season import MOST_LAPS

MAX_REQUEST_BYTES: Final = 256 << 10
"""A setup of the catalog with its file and all its parameters fits."""
MAX_CALLS_PER_CLIENT: Final = 256
"""Streams among them. Clients are told to begin no more than twice as many, so that those beyond the limit
are refused by name and do not wait without a word.
"""
MAX_CALLS_OVER_SOCKETS: Final = 2048
"""gRPC does not tell one client of a socket from another."""
MAX_STREAMS_PER_CLIENT: Final = 128
"""So that one program cannot take all. A gateway for a pit wall has a few dozen."""
MAX_SILENT_STREAMS_PER_CLIENT: Final = 16
"""Each takes a tenth of a millisecond of every tick, and nobody knows whether it is read: with 128 of one
client the others' 99th percentile rose from 6 to 34 ms.
"""
MAX_SILENT_STREAMS_OVER_SOCKETS: Final = 64
"""Of other streams they have all that the server carries."""
MAX_SUBSCRIPTION_BYTES: Final = 32
MAX_TICKS_PER_MESSAGE: Final = 64
MAX_RUNNING: Final = 4
"""Each is held in memory, up to 27 MB."""
MAX_SILENCE_S: Final = 60.0
"""For a message of a lap, a mebibyte: 140 kbit/s are enough. Also for one of a check."""
MAX_SYNCED: Final = 200
"""Each is a file beside its own and a flushed folder, so all take a second at most."""
MAX_PENDING_MARKS: Final = 1000
MAX_MARK_S: Final = 600.0
MAX_MARK_CARS: Final = 128
MAX_NOTE: Final = 1000
MAX_QUESTIONS: Final = 2
"""Each has up to 30 s, and looks at laps in between."""
MAX_SEASON_SESSIONS: Final = 200
"""Of one kind; a page of them is read in a tenth of a second."""


MAX_IMPORTS: Final = 8
"""Laps that are being imported: each is a file in the inbox, and its next mebibyte in memory."""
MAX_IMPORTS_PER_TOKEN: Final = 4
MAX_IMPORT_BYTES: Final = 1 << 29
"""Of all of them together. The longest laps have some 60 MB."""
MAX_EXPORTS: Final = 4
"""Each holds a state of the catalog's file, whose journal grows meanwhile."""


class Fixed(NamedTuple):
    """A limit that is no setting."""

    meaning: str
    most: float
    beyond: str = "refused"
    """What happens beyond it."""


FIXED: Final = (
    Fixed("bytes of a request", MAX_REQUEST_BYTES, "refused by gRPC"),
    Fixed("calls open at once over one connection", MAX_CALLS_PER_CLIENT),
    Fixed("calls open at once of all clients of a Unix socket", MAX_CALLS_OVER_SOCKETS),
    Fixed("streams of one connection", MAX_STREAMS_PER_CLIENT),
    Fixed("streams of one connection that are not acknowledged", MAX_SILENT_STREAMS_PER_CLIENT),
    Fixed("streams that are not acknowledged, of all clients of a socket", MAX_SILENT_STREAMS_OVER_SOCKETS),
    Fixed("bytes of the name of a stream", MAX_SUBSCRIPTION_BYTES, "`INVALID_ARGUMENT`"),
    Fixed("ticks of one message", MAX_TICKS_PER_MESSAGE, "`INVALID_ARGUMENT`"),
    Fixed("rows of a page", MAX_PAGE, "so many are given"),
    Fixed("running laps read at once", MAX_RUNNING),
    Fixed("seconds until a message of a lap or a check is taken", MAX_SILENCE_S, "its connection is closed"),
    Fixed("laps noted as synced in one call", MAX_SYNCED),
    Fixed("laps imported at once", MAX_IMPORTS),
    Fixed("laps that one token imports at once", MAX_IMPORTS_PER_TOKEN),
    Fixed("bytes of the laps that are imported at once", MAX_IMPORT_BYTES),
    Fixed("seconds until the next mebibyte of an import has come", MAX_SILENCE_S, "`UNAVAILABLE`"),
    Fixed("marks that wait to be kept", MAX_PENDING_MARKS),
    Fixed("seconds before, and after, a mark", MAX_MARK_S, "`INVALID_ARGUMENT`"),
    Fixed("cars of a mark", MAX_MARK_CARS, "`INVALID_ARGUMENT`"),
    Fixed("questions to the assistant answered at once", MAX_QUESTIONS),
    Fixed("calls of the language model for a question", bounds.MAX_CALLS, "no answer, but the tips"),
    Fixed("seconds for a question", bounds.MAX_SECONDS, "no answer, but the tips"),
    Fixed("characters of a question", bounds.MAX_QUESTION, "`INVALID_ARGUMENT`"),
    Fixed("characters of the note of a mark", MAX_NOTE, "`INVALID_ARGUMENT`"),
    Fixed("sessions of one kind in a season", MAX_SEASON_SESSIONS, "`INVALID_ARGUMENT`"),
    Fixed("laps of a season", MOST_LAPS, "`INVALID_ARGUMENT`"),
    Fixed("characters of a title, a key or a word of the catalog", catalog.MAX_NAME, "`INVALID_ARGUMENT`"),
    Fixed("bytes of a text of the catalog", catalog.MAX_TEXT_BYTES, "`INVALID_ARGUMENT`"),
    Fixed("bytes of a resource of the catalog", catalog.MAX_RESOURCE_BYTES, "`INVALID_ARGUMENT`"),
    Fixed("parameters of a setup", catalog.MAX_ROWS, "`INVALID_ARGUMENT`"),
    Fixed("parts, items, tags, drivers of one resource", catalog.MAX_FEW, "`INVALID_ARGUMENT`"),
    Fixed("users that a resource is shared with by name", catalog.MAX_SHARED, "`INVALID_ARGUMENT`"),
    Fixed("drivers of all users together", MAX_DRIVERS),
    Fixed("bytes of the catalog", catalog.MAX_CATALOG_BYTES),
    Fixed("bytes of an import into the catalog", catalog.MAX_IMPORT_BYTES),
    Fixed("problems of the catalog that one check tells", catalog.MAX_PROBLEMS, "so many are told"),
    Fixed("copies of the catalog that the server makes", catalog.MAX_BACKUPS, "the oldest goes"),
    Fixed("exports of the catalog at once; imports: 1", MAX_EXPORTS),
)
"""For the pages."""


def table() -> str:
    """Return the limits that are no settings as a table in Markdown."""
    rows = "".join(f"| {one.meaning} | {one.most:g} | {one.beyond} |\n" for one in FIXED)
    return f"| what | most | beyond it |\n|---|---|---|\n{rows}"


@dataclass(frozen=True)
class Quotas:
    """Quotas, as the section `limits` of the configuration has them. Those of a token or a user do not hold
    for callers of this machine, who have what the server has.
    """

    streams: int = settings.STREAMS.default
    streams_per_token: int = settings.STREAMS_PER_TOKEN.default
    channels_per_token: int = settings.CHANNELS_PER_TOKEN.default
    messages_per_second: int = settings.MESSAGES_PER_SECOND.default
    reads: int = settings.READS.default
    reads_per_token: int = settings.READS_PER_TOKEN.default
    connections: int = settings.CONNECTIONS.default
    connections_per_address: int = settings.CONNECTIONS_PER_ADDRESS.default
    marks_per_user: int = settings.MARKS_PER_USER.default
    pins_per_user: int = settings.PINS_PER_USER.default
    pinned_bytes_per_user: int = settings.PINNED_BYTES_PER_USER.default
    imported_bytes_per_user: int = settings.IMPORTED_BYTES_PER_USER.default


USUAL: Final = Quotas()
