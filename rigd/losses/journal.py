"""The loss journal of a session: its account as a file beside its laps, only ever added to.

A line holds the entries that were added together: a CRC-32 in hexadecimal, a blank, a JSON list. The CRC goes
on from that of the line before, the first one from the session's name: what was changed, taken out or put in
breaks it from there on. What stands after the last line feed was cut off by a crash, and was never added.
"""

import json
import zlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final

from google.protobuf import json_format

from rig.errors import Corrupt
from rig.regular import read_regular
from rig.v1 import event_pb2
from rigd import durable
from rigd.losses.account import Account, AccountEntry

_CRC_DIGITS: Final = 8
_MOST_BYTES: Final = 1 << 28
"""Of a journal: a day without losses has 150 kB."""
_STREAM: Final = "STREAM_"
_MOST: Final = (1 << 64) - 1
_STREAMS: Final = {name.removeprefix(_STREAM).lower(): number for name, number in event_pb2.Stream.items()}
"""By their words; those of a newer version are passed over."""


class LossJournal:
    """The one writer. Raises Corrupt for a file whose lines do not agree with their CRC."""

    def __init__(self, path: Path, session: str) -> None:
        self._path = path
        data = _read(path)
        whole, self._crc, entries = _parsed(data, session)
        self.account = Account(entries)
        self.newest = newest(entries)
        """Number of the newest event whose entries are in the file. After a crash older ones come again."""
        if len(data) > whole:
            durable.cut(path, whole)

    def append(self, entries: Sequence[AccountEntry]) -> None:
        """Add entries that the account has, durably: all or none. OSError when the disk refuses."""
        text = json.dumps([_words(entry) for entry in entries], ensure_ascii=False).encode()
        crc = zlib.crc32(text, self._crc)
        durable.append(self._path, b"%08x %b\n" % (crc, text))
        self._crc = crc


def read_journal(path: Path, session: str) -> list[AccountEntry]:
    """Return the entries of the loss journal at `path`, none when there is no file. Raises Corrupt where
    lines do not agree with their CRC.
    """
    return _parsed(_read(path), session)[2]


def entry_text(entry: AccountEntry) -> str:
    """Return an entry as it stands in the file."""
    return json.dumps(_words(entry), ensure_ascii=False)


def newest(entries: Iterable[AccountEntry]) -> int:
    """Return the number of the newest event that told one of them."""
    return max((entry.event for entry in entries), default=0)


def _read(path: Path) -> bytes:
    try:
        return read_regular(path, _MOST_BYTES)
    except FileNotFoundError:
        return b""


def _parsed(data: bytes, session: str) -> tuple[int, int, list[AccountEntry]]:
    """Return the bytes of whole lines, the CRC to go on from, the entries."""
    whole = data.rfind(b"\n") + 1
    entries: list[AccountEntry] = []
    crc = zlib.crc32(session.encode())
    for number, line in enumerate(data[:whole].split(b"\n")[:-1], start=1):
        text = line[_CRC_DIGITS + 1 :]
        crc = zlib.crc32(text, crc)
        if line[: _CRC_DIGITS + 1] != b"%08x " % crc:
            raise Corrupt(f"line {number} of the loss journal of {session} is not what was written")
        try:
            entries += map(_entry, json.loads(text))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise Corrupt(f"line {number} of the loss journal of {session} is no entry: {error!r}") from error
    return whole, crc, entries


def _words(entry: AccountEntry) -> dict[str, Any]:
    """Return the fields for JSON, without what is not set."""
    words: dict[str, Any] = {name: value for name, value in vars(entry).items() if value}
    if entry.heads:
        words["heads"] = {_stream_name(stream): seq for stream, seq in entry.heads.items()}
    if entry.gap is not None:
        words["gap"] = json_format.MessageToDict(entry.gap, preserving_proto_field_name=True)
    return words


def _entry(words: Any) -> AccountEntry:
    heads, gap = words.get("heads", {}), words.get("gap")
    return AccountEntry(
        kind=words["kind"],
        event=_number(words.get("event", 0)),
        time_ns=_number(words["time_ns"]),
        heads={_STREAMS[name]: _number(seq) for name, seq in heads.items() if name in _STREAMS},
        gap=json_format.ParseDict(gap, event_pb2.Gap(), ignore_unknown_fields=True) if gap else None,
        lap=words.get("lap", ""),
    )


def _number(value: Any) -> int:
    """Return a fixed64 of the contract. Raises ValueError."""
    if type(value) is not int or not 0 <= value <= _MOST:
        raise ValueError(f"{value!r} is no number of a record or a clock")
    return value


def _stream_name(stream: int) -> str:
    return event_pb2.Stream.Name(stream).removeprefix(_STREAM).lower()  # type: ignore[arg-type]
