"""Kinds of values: what a setting takes, read from a TOML value or from text, and written as TOML."""

import ipaddress
import json
import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Generic, TypeVar
from urllib.parse import urlsplit

from rig import sockets
from rig.errors import BadRequest

T_co = TypeVar("T_co", covariant=True)

_UNITS: Final = {"K": 10, "M": 20, "G": 30, "T": 40}
_SIZE: Final = re.compile(r"([0-9]{1,15})([KMGT]?)", re.IGNORECASE)
_WORDS: Final = {"true": True, "yes": True, "on": True, "1": True}
_NOT_WORDS: Final = {"false": False, "no": False, "off": False, "0": False}
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,31}")
_MOST_ADDRESSES: Final = 16
_LONGEST_SECRET: Final = 500
_PRINTED: Final = re.compile(rf"[!-~]{{1,{_LONGEST_SECRET}}}")


class Wrong(Exception):
    """A value that a setting does not take: why, as a relative clause or a sentence part, and the way out."""

    def __init__(self, why: str, hint: str) -> None:
        super().__init__(f"{why} ({hint})")
        self.why, self.hint = why, hint


@dataclass(frozen=True)
class Kind(Generic[T_co]):
    """A kind of values."""

    @property
    def bounds(self) -> str:
        """Which values there are, for people; empty: any."""
        return ""

    def take(self, given: object) -> T_co:
        """Return the value that a TOML value means. Raises Wrong."""
        raise NotImplementedError

    def parse(self, text: str) -> T_co:
        """Return the value that a text of the command line or the environment means. Raises Wrong."""
        return self.take(text)

    def toml(self, value: Any) -> str:
        """Return the value as it stands in a file."""
        return json.dumps(value, ensure_ascii=False)

    def told(self, given: object) -> str:
        """Return what was given as a mistake shows it."""
        return _shown(given)


@dataclass(frozen=True)
class Size(Kind[int]):
    """A number of bytes, with K, M, G or T behind it."""

    least: int = 16 << 20
    """16 MiB: less does not hold one second of a full grid."""
    most: int = 1 << 50
    """Of a ring less: its address space is twice that, and a process has 128 TiB."""

    @property
    def bounds(self) -> str:
        """The least and the most."""
        return f"{sized(self.least)} to {sized(self.most)}"

    def take(self, given: object) -> int:
        """Return bytes."""
        size = _bytes(given)
        if size < self.least:
            raise Wrong("is too small", f"{sized(self.least)} is the least")
        if size > self.most:
            raise Wrong("is too large", f"{sized(self.most)} is the most")
        return size

    def toml(self, value: Any) -> str:
        """Return it in the largest unit that is exact."""
        return json.dumps(sized(value))


def _bytes(given: object) -> int:
    if isinstance(given, int) and not isinstance(given, bool):
        return given
    found = _SIZE.fullmatch(given) if isinstance(given, str) else None
    if found is None:
        raise Wrong("is no size", "write 512M or 4G")
    return int(found[1]) << _UNITS.get(found[2].upper(), 0)


def sized(count: int) -> str:
    """Return bytes as settings take them: 5G, 400M."""
    for unit, bits in reversed(_UNITS.items()):
        if count and count % (1 << bits) == 0:
            return f"{count >> bits}{unit}"
    return str(count)


@dataclass(frozen=True)
class Count(Kind[int]):
    """A whole number."""

    least: int
    most: int

    @property
    def bounds(self) -> str:
        """The least and the most."""
        return f"{self.least} to {self.most}"

    def take(self, given: object) -> int:
        """Return the number."""
        if not isinstance(given, int) or isinstance(given, bool):
            raise Wrong("is no whole number", self.bounds)
        if not self.least <= given <= self.most:
            raise Wrong("is out of bounds", self.bounds)
        return given

    def parse(self, text: str) -> int:
        """Read digits."""
        return self.take(int(text) if re.fullmatch(r"-?[0-9]{1,18}", text) else text)


@dataclass(frozen=True)
class Number(Kind[float]):
    """A number of some unit."""

    least: float
    most: float
    unit: str

    @property
    def bounds(self) -> str:
        """The least, the most and the unit."""
        return f"{self.least:g} to {self.most:g} {self.unit}"

    def take(self, given: object) -> float:
        """Return the number; NaN is none."""
        if not isinstance(given, int | float) or isinstance(given, bool) or math.isnan(given):
            raise Wrong("is no number", self.bounds)
        if not self.least <= given <= self.most:
            raise Wrong("is out of bounds", self.bounds)
        return float(given)

    def parse(self, text: str) -> float:
        """Read it as Python writes numbers."""
        try:
            return self.take(float(text))
        except ValueError:
            raise Wrong("is no number", self.bounds) from None

    def toml(self, value: Any) -> str:
        """Return it without a fraction where there is none."""
        return f"{value:g}"


@dataclass(frozen=True)
class OneOf(Kind[str]):
    """One of some words."""

    words: tuple[str, ...]

    @property
    def bounds(self) -> str:
        """The words."""
        return ", ".join(self.words)

    def take(self, given: object) -> str:
        """Return the word."""
        if given not in self.words:
            raise Wrong("is none of the words that there are", self.bounds)
        return str(given)


@dataclass(frozen=True)
class Switch(Kind[bool]):
    """True or false."""

    @property
    def bounds(self) -> str:
        """Both."""
        return "true, false"

    def take(self, given: object) -> bool:
        """Take only true and false."""
        if not isinstance(given, bool):
            raise Wrong("is neither true nor false", self.bounds)
        return given

    def parse(self, text: str) -> bool:
        """Read also yes and no, on and off, 1 and 0."""
        return self.take((_WORDS | _NOT_WORDS).get(text.lower(), text))


@dataclass(frozen=True)
class Location(Kind[Path]):
    """A file or a folder; in a configuration file an absolute one, for nobody knows where it would begin."""

    folder: bool = False

    @property
    def bounds(self) -> str:
        """What a file takes."""
        return "an absolute path, or ~/..."

    def take(self, given: object) -> Path:
        """Return the path, `~` expanded."""
        try:
            path = self.parse(given if isinstance(given, str) else "").expanduser()
        except RuntimeError:
            raise Wrong("is in a home folder that there is not", self.bounds) from None
        if not path.is_absolute():
            raise Wrong("is no absolute path", "begin with / or ~/")
        return path

    def parse(self, text: str) -> Path:
        """Read a path, also from where we are."""
        if not text or "\0" in text:
            raise Wrong("is no path", self.bounds)
        return Path(text)

    def toml(self, value: Any) -> str:
        """Return it as text."""
        return json.dumps(str(value), ensure_ascii=False)


@dataclass(frozen=True)
class Name(Kind[str]):
    """A short name that fits into a file's."""

    @property
    def bounds(self) -> str:
        """The signs."""
        return "up to 32 letters, digits, _, . and -"

    def take(self, given: object) -> str:
        """Return the name."""
        if not isinstance(given, str) or not _NAME.fullmatch(given):
            raise Wrong("is no name", self.bounds)
        return given


@dataclass(frozen=True)
class Addresses(Kind[tuple[str, ...]]):
    """Where to listen."""

    @property
    def bounds(self) -> str:
        """The forms."""
        return f"up to {_MOST_ADDRESSES} of host:port or unix:PATH"

    def take(self, given: object) -> tuple[str, ...]:
        """Return the addresses."""
        if not isinstance(given, list | tuple) or len(given) > _MOST_ADDRESSES:
            raise Wrong("is no list of addresses", f"[...] with {self.bounds}")
        for number, address in enumerate(given, 1):
            _check_address(address, f"has at place {number} {_shown(address)}, which")
        if len(set(given)) < len(given):
            raise Wrong("names an address twice", "give each once")
        return tuple(given)

    def parse(self, text: str) -> tuple[str, ...]:
        """Read addresses; several stand with spaces between them."""
        return self.take(text.split())

    def toml(self, value: Any) -> str:
        """Return a list."""
        return json.dumps(list(value), ensure_ascii=False)


def _check_address(address: object, what: str) -> None:
    try:
        sockets.check(address if isinstance(address, str) else "", first_port=0)
    except BadRequest as error:
        raise Wrong(f"{what} is no address".lstrip(), error.hint) from None


@dataclass(frozen=True)
class Loopback(Kind[str]):
    """A port of this machine's own, or nothing."""

    @property
    def bounds(self) -> str:
        """The form."""
        return 'host:port on loopback; "": none'

    def take(self, given: object) -> str:
        """Return the address."""
        if given == "":
            return ""
        _check_address(given, "")
        host = str(given).rpartition(":")[0].strip("[]")
        if str(given).startswith("unix:") or not on_loopback(host):
            raise Wrong("is no loopback address", "127.0.0.1:9464 for example")
        return str(given)


def on_loopback(host: str) -> bool:
    """Return whether a host is this machine, reached from itself alone."""
    try:
        return host == "localhost" or ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


@dataclass(frozen=True)
class WebAddress(Kind[str]):
    """The address of a service that is asked over HTTPS, on this machine also over HTTP; or nothing."""

    @property
    def bounds(self) -> str:
        """The form."""
        return 'https://host/path, on loopback also http://; "": none'

    def take(self, given: object) -> str:
        """Return the address without a slash at its end."""
        if given == "":
            return ""
        if not isinstance(given, str) or not _PRINTED.fullmatch(given):
            raise Wrong("is no address", self.bounds)
        try:
            parts = urlsplit(given)
            host, _ = parts.hostname or "", parts.port
        except ValueError:
            raise Wrong("is no address", self.bounds) from None
        if not host or parts.scheme not in ("http", "https") or parts.query or parts.fragment:
            raise Wrong("is no address", self.bounds)
        if "@" in parts.netloc:
            raise Wrong("holds a password", "a key has a setting of its own")
        if parts.scheme == "http" and not on_loopback(host):
            raise Wrong("would be read on the way", f"https://{parts.netloc}{parts.path}")
        return given.rstrip("/")

    def told(self, given: object) -> str:
        """Return it without what may be a password."""
        return re.sub(r"//[^/@]*@", "//***@", _shown(given))


@dataclass(frozen=True)
class ModelName(Kind[str]):
    """The name of a model, or nothing."""

    @property
    def bounds(self) -> str:
        """The signs."""
        return "up to 100 signs of ASCII without blanks"

    def take(self, given: object) -> str:
        """Return the name."""
        if given != "" and not (isinstance(given, str) and _PRINTED.fullmatch(given) and len(given) <= 100):
            raise Wrong("is no name of a model", self.bounds)
        return str(given)


class SecretText:
    """A secret: only `reveal` gives it."""

    def __init__(self, text: str = "") -> None:
        self._text = text

    def reveal(self) -> str:
        """Return the secret."""
        return self._text

    def __str__(self) -> str:
        return "***" if self._text else ""

    __repr__ = __str__

    def __bool__(self) -> bool:
        return bool(self._text)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SecretText) and self._text == other._text

    def __hash__(self) -> int:
        return hash(self._text)


@dataclass(frozen=True)
class Secret(Kind[SecretText]):
    """A secret, which is shown nowhere."""

    @property
    def bounds(self) -> str:
        """The signs."""
        return f"up to {_LONGEST_SECRET} signs of ASCII without blanks"

    def take(self, given: object) -> SecretText:
        """Return the secret."""
        if given != "" and not (isinstance(given, str) and _PRINTED.fullmatch(given)):
            raise Wrong("is no key", self.bounds)
        return SecretText(str(given))

    def toml(self, value: Any) -> str:
        """Return stars in its place."""
        return json.dumps(str(value))

    def told(self, _given: object) -> str:
        """Return stars in its place."""
        return "***"


def _shown(given: object) -> str:
    """Return a value as an error shows it: on one line, and not all of a long one."""
    text = json.dumps(given, default=str)
    return text if len(text) <= 80 else f"{text[:79]}…"


shown = _shown
