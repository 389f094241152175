"""Every setting: what it is called in the file, in the environment and on the command line, what it takes,
what it is when nobody says, and whether a running daemon takes it up.

From here come the options of the commands, the check of the file, the file with explanations, the pages, and
the defaults in the code.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, Generic, TypeVar

from rigd.config import RING_BYTES
from rigd.config.kinds import (
    Addresses,
    Count,
    Kind,
    Location,
    Loopback,
    ModelName,
    Name,
    Number,
    OneOf,
    Secret,
    SecretText,
    Size,
    Switch,
    WebAddress,
    sized,
)

T = TypeVar("T")

RECORD: Final = "record"
ARCHIVE: Final = "archive"
SERVE: Final = "serve"
ALL: Final = (RECORD, ARCHIVE, SERVE)


@dataclass(frozen=True)
class Setting(Generic[T]):
    """One setting."""

    key: str
    """In the file, `section.name`."""
    kind: Kind[T]
    default: T
    help: str
    daemons: tuple[str, ...]
    """Whom it concerns."""
    reload: bool = False
    """Whether a running daemon takes it up on SIGHUP; the others need to be started again."""
    flag: str = ""
    """On the command line; empty: it is not there."""
    variable: str = ""
    """In the environment."""
    default_text: str = ""
    """The default for people, where it depends on the machine."""
    find: Callable[[], T] | None = None
    """Finds the default where it depends on the machine."""

    @property
    def name(self) -> str:
        """Without the section."""
        return self.key.rpartition(".")[2]

    @property
    def section(self) -> str:
        """Empty for the top of the file."""
        return self.key.rpartition(".")[0]

    def usual(self) -> T:
        """Return the default on this machine."""
        return self.find() if self.find else self.default

    @property
    def usual_text(self) -> str:
        """The default for people; empty: none."""
        return self.default_text or ("" if self.default is None else self.kind.toml(self.default).strip('"'))


def data_home() -> Path:
    """Return /var/lib/rigd under systemd (StateDirectory), else the XDG data directory."""
    if state := os.environ.get("STATE_DIRECTORY"):
        return Path(state.split(":")[0])
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local/share") / "rigd"


DATA: Final = Setting[Path](
    "data",
    Location(folder=True),
    Path("~/.local/share/rigd"),
    "Folder of the ring and all else that is kept.",
    ALL,
    flag="--data",
    variable="RIGD_DATA",
    default_text="$XDG_DATA_HOME/rigd",
    find=data_home,
)
NAME: Final = Setting[str | None](
    "name",
    Name(),
    None,
    "Name of this rig for those who pair with it.",
    (SERVE,),
    variable="RIGD_NAME",
    default_text="that of the machine",
)
LOG_LEVEL: Final = Setting[str](
    "log_level",
    OneOf(("debug", "info", "warning", "error")),
    "info",
    "What the daemons log: this, and what is worse.",
    ALL,
    reload=True,
    flag="--log-level",
    variable="RIGD_LOG_LEVEL",
)

BUFFERS: Final = Setting[Path](
    "record.buffers",
    Location(folder=True),
    Path("/dev/shm"),  # noqa: S108  where the plugin puts its buffers
    "Folder of the game's shared memory.",
    (RECORD,),
    flag="--buffers",
    variable="RIGD_BUFFERS",
)
RING_SIZE: Final = Setting[int](
    "record.ring_size",
    Size(most=16 << 40),
    RING_BYTES,
    "Most bytes the ring may hold; 4G are 40 minutes of 40 cars at 50 Hz.",
    (RECORD,),
    flag="--ring-size",
    variable="RIGD_RING_SIZE",
)
SOURCE: Final = Setting[str](
    "record.source",
    OneOf(("shm", "pyrf2")),
    "shm",
    "Read the memory ourselves, or through pyRfactor2SharedMemory where that is installed.",
    (RECORD,),
    flag="--source",
    variable="RIGD_SOURCE",
)
COMMIT_EVERY: Final = Setting[float](
    "record.commit_every",
    Number(0, 10, "s"),
    0.2,
    "Seconds between two commits while there is a live tail; 0 commits as soon as the disk allows. More "
    "saves the disk and loses more in a power cut.",
    (RECORD,),
    flag="--commit-every",
    variable="RIGD_COMMIT_EVERY",
)
TAIL_FOLDER: Final = Setting[Path](
    "record.tail_folder",
    Location(folder=True),
    Path("/dev/shm"),  # noqa: S108  in memory: what is written there waits for no disk
    "Folder in memory for the live tail, 80 MB in which followers find a record before it is committed.",
    (RECORD,),
    flag="--tail-folder",
    variable="RIGD_TAIL_FOLDER",
)
CARS: Final = Setting[str](
    "record.cars",
    OneOf(("all", "player")),
    "all",
    "Record all cars, or one.",
    (RECORD,),
    flag="--cars",
    variable="RIGD_CARS",
)

KEEP: Final = Setting[int](
    "archive.keep",
    Size(),
    50 << 30,
    "Most bytes of laps; 50G are 45,000.",
    (ARCHIVE,),
    reload=True,
    flag="--keep",
    variable="RIGD_KEEP",
)
KEEP_DAYS: Final = Setting[float](
    "archive.keep_days",
    Number(0, 36_500, "days"),
    0.0,
    "Oldest laps to keep; 0: all.",
    (ARCHIVE,),
    reload=True,
    flag="--keep-days",
    variable="RIGD_KEEP_DAYS",
)
KEEP_MARKS: Final = Setting[int](
    "archive.keep_marks",
    Size(),
    5 << 30,
    "Most bytes of the excerpts around marks, about seven hundred of half a minute and 20 cars; they are no "
    "part of --keep.",
    (ARCHIVE,),
    reload=True,
    flag="--keep-marks",
    variable="RIGD_KEEP_MARKS",
)
MIN_FREE: Final = Setting[int | None](
    "archive.min_free",
    Size(),
    None,
    "Room to leave: laps older than an hour go for it.",
    (ARCHIVE,),
    reload=True,
    flag="--min-free",
    variable="RIGD_MIN_FREE",
    default_text="5G, or a tenth of the disk",
)
HARD_FLOOR: Final = Setting[int | None](
    "archive.hard_floor",
    Size(),
    None,
    "With less room than this even young laps go, and those that the warehouse has not got; that is "
    "declared.",
    (ARCHIVE,),
    reload=True,
    flag="--hard-floor",
    variable="RIGD_HARD_FLOOR",
    default_text="1G, or a fiftieth of the disk",
)
KEEP_UNSYNCED: Final = Setting[bool](
    "archive.keep_unsynced",
    Switch(),
    False,
    "Keep every lap until the warehouse has it.",
    (ARCHIVE,),
    reload=True,
    flag="--keep-unsynced",
    variable="RIGD_KEEP_UNSYNCED",
)

INSTANCE: Final = Setting[str | None](
    "serve.instance",
    Name(),
    None,
    "Name of the socket at which local tools find this rig: rig --rig NAME.",
    (SERVE,),
    flag="--instance",
    variable="RIGD_INSTANCE",
    default_text="rig, unless an --address of this machine is given",
)
ADDRESSES: Final = Setting[tuple[str, ...]](
    "serve.addresses",
    Addresses(),
    (),
    "Listen there too: host:port or unix:PATH; on the command line it may be given again. Loopback is open "
    "to every user of the machine. Any other is served over TLS, to devices paired with `rigd pair`: "
    "0.0.0.0:7341 is all of IPv4, [::]:7341 of IPv6 too.",
    (SERVE,),
    flag="--address",
    variable="RIGD_ADDRESS",
    default_text="none",
)
METRICS: Final = Setting[str](
    "serve.metrics",
    Loopback(),
    "",
    "Where Prometheus finds the figures of the rig, 127.0.0.1:9464 for example; empty: nowhere.",
    (SERVE,),
    flag="--metrics",
    variable="RIGD_METRICS",
    default_text="nowhere",
)
CERTIFICATE: Final = Setting[Path | None](
    "serve.certificate",
    Location(),
    None,
    "Certificate for TLS, PEM.",
    (SERVE,),
    flag="--certificate",
    variable="RIGD_CERTIFICATE",
    default_text="the rig's own, which it makes",
)
CERTIFICATE_KEY: Final = Setting[Path | None](
    "serve.certificate_key",
    Location(),
    None,
    "Its key, PEM, which nobody else may read.",
    (SERVE,),
    flag="--certificate-key",
    variable="RIGD_CERTIFICATE_KEY",
    default_text="in the file of the certificate",
)
CLOSE_LOOPBACK: Final = Setting[bool](
    "serve.close_loopback",
    Switch(),
    False,
    "Ask for a token on loopback too. Sockets stay the owner's.",
    (SERVE,),
    flag="--close-loopback",
    variable="RIGD_CLOSE_LOOPBACK",
)


def _limit(name: str, kind: Kind[int], default: int, help: str, *, reload: bool = True) -> Setting[int]:  # noqa: A002
    key = f"limits.{name}"
    return Setting(key, kind, default, help, (SERVE,), reload, variable=f"RIGD_LIMIT_{name.upper()}")


STREAMS: Final = _limit(
    "streams",
    Count(1, 10_000),
    1024,
    "Streams that the server carries at once; 100 take 40 % of a core at 90 Hz.",
)
STREAMS_PER_TOKEN: Final = _limit(
    "streams_per_token",
    Count(1, 10_000),
    128,
    "Streams of one token at once; a gateway for a pit wall has a few dozen.",
)
CHANNELS_PER_TOKEN: Final = _limit(
    "channels_per_token",
    Count(1, 1_000_000),
    4096,
    "Channels of all streams of one token together, 40 streams of all channels of physics.",
)
MESSAGES_PER_SECOND: Final = _limit(
    "messages_per_second",
    Count(1, 1_000_000),
    1000,
    "Calls and acknowledgements of one token in a second; as many at once.",
)
READS: Final = _limit(
    "reads",
    Count(1, 256),
    16,
    "Laps read at once: each holds a megabyte, and up to 10 MB where it has to be decoded.",
)
READS_PER_TOKEN: Final = _limit("reads_per_token", Count(1, 256), 4, "Laps that one token reads at once.")
CONNECTIONS: Final = _limit(
    "connections",
    Count(1, 100_000),
    1024,
    "Connections at once, where the process may have as many files; the next one is closed at once.",
    reload=False,
)
CONNECTIONS_PER_ADDRESS: Final = _limit(
    "connections_per_address",
    Count(1, 100_000),
    256,
    "Connections of one address at once; those beyond are closed within a second.",
)
MARKS_PER_USER: Final = _limit(
    "marks_per_user", Count(0, 1000), 100, "Marks of one user that wait to be kept."
)
PINS_PER_USER: Final = _limit("pins_per_user", Count(0, 1_000_000), 500, "Laps that one user has pinned.")
PINNED_BYTES_PER_USER: Final = _limit(
    "pinned_bytes_per_user", Size(0), 5 << 30, "Bytes of the laps that one user has pinned."
)
IMPORTED_BYTES_PER_USER: Final = _limit(
    "imported_bytes_per_user",
    Size(0),
    5 << 30,
    "Bytes of the laps that one user has imported; 2 MB are a lap of 100 s.",
)

ASSISTANT_URL: Final = Setting[str](
    "assistant.url",
    WebAddress(),
    "",
    "Whoever answers questions (`rig ask`): a service that speaks chat/completions as OpenAI does, "
    "http://127.0.0.1:11434/v1 for example; empty: nobody.",
    (SERVE,),
    reload=True,
    variable="RIGD_ASSISTANT_URL",
)
ASSISTANT_MODEL: Final = Setting[str](
    "assistant.model",
    ModelName(),
    "",
    "The model that it is to use, by the service's name for it.",
    (SERVE,),
    reload=True,
    variable="RIGD_ASSISTANT_MODEL",
)
ASSISTANT_KEY: Final = Setting[SecretText](
    "assistant.key",
    Secret(),
    SecretText(),
    "The key that it takes. A configuration file with one may be read by its owner alone.",
    (SERVE,),
    reload=True,
    variable="RIGD_ASSISTANT_KEY",
)
ASSISTANT_KEY_FILE: Final = Setting[Path | None](
    "assistant.key_file",
    Location(),
    None,
    "File with the key, which nobody else may read; instead of the key itself.",
    (SERVE,),
    reload=True,
    variable="RIGD_ASSISTANT_KEY_FILE",
    default_text="none",
)
QUESTIONS_PER_HOUR: Final = Setting[int](
    "assistant.questions_per_hour",
    Count(1, 10_000),
    60,
    "Questions in an hour, of all callers: a service may take money for each.",
    (SERVE,),
    reload=True,
    variable="RIGD_ASSISTANT_QUESTIONS_PER_HOUR",
)

SETTINGS: Final[tuple[Setting[Any], ...]] = tuple(
    one for one in globals().values() if isinstance(one, Setting)
)
BY_KEY: Final = MappingProxyType({one.key: one for one in SETTINGS})

SECTIONS: Final = MappingProxyType(
    {
        "": "Of all daemons.",
        "record": "The recorder.",
        "archive": "The archiver: which laps stay.",
        "serve": "The server.",
        "assistant": "The assistant, a language model; off until it has a url and a model.",
        "limits": "What callers may take of the server. The local administrator has what the server has.",
        "users": "Who drives: a section for each user, with the names of the driver in the game.",
    }
)

__all__ = ["BY_KEY", "SECTIONS", "SETTINGS", "Setting", "sized"]
