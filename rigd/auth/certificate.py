"""The certificate of a rig: made by itself, known by its fingerprint, changed without cutting anybody off.

Our own is one file with key and certificate, `tls/certificate.pem`; the one that comes after it waits beside
it as `tls/next.pem`, and clients are told to accept both meanwhile.
"""

import datetime
import hashlib
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from rig.errors import Busy, Corrupt, FileMissing, Mismatch
from rig.regular import read_regular, shown
from rigd.auth.private import read_private
from rigd.durable import make_private, rename, replace

HOST: Final = "rigd.internal"
"""What every rig's certificate is for: clients check its fingerprint, not where they found it."""

LIFETIME_DAYS: Final = 3650
PREPARE_DAYS: Final = 90
"""Before its end the next certificate is made and announced, ..."""
USE_DAYS: Final = 30
"""... and used: clients that connected in between know both."""

_EARLIER: Final = datetime.timedelta(days=1)
"""It is valid from the day before: the clock of a client may be behind."""

_MOST_BYTES: Final = 1 << 20
_FOLDER: Final = "tls"
_OWN: Final = "certificate.pem"
_NEXT: Final = "next.pem"


@dataclass(frozen=True)
class Certificate:
    """A certificate with its key, both PEM."""

    key: bytes
    chain: bytes
    fingerprint: str
    """SHA-256 of its DER, hexadecimal."""
    not_before: datetime.datetime
    not_after: datetime.datetime

    def days_left(self, now_ns: int) -> float:
        """Return how many days it is still valid."""
        return (self.not_after - _moment(now_ns)).total_seconds() / 86_400


class Certificates:
    """The one in use, and the next one while it is being changed. Raises for a file that cannot be used:
    Denied where others can read it, Corrupt for damage, Mismatch where key and certificate do not belong
    together or the time is not that of the certificate.
    """

    def __init__(
        self,
        data: Path,
        given: tuple[Path, Path] | None = None,
        clock: Callable[[], int] = time.time_ns,
    ) -> None:
        """`given` are files of certificate and key to be used instead of our own; they may be one file."""
        self._folder, self._clock, self.given = data / _FOLDER, clock, given is not None
        self.next: Certificate | None = None
        self._changing = threading.RLock()
        """Held while the next one is made or used: the one announced has to be the one in the file."""
        if given:
            self.current = load(*given, clock())
            return
        make_private(self._folder)
        if not self._own.exists():
            _write(self._own, clock())
        self.current = load(self._own, self._own, clock())
        if self._waiting.exists():
            self.next = load(self._waiting, self._waiting, clock())

    @property
    def _own(self) -> Path:
        return self._folder / _OWN

    @property
    def _waiting(self) -> Path:
        return self._folder / _NEXT

    def pins(self) -> list[str]:
        """Return the fingerprints that clients are to accept, that of the one in use first."""
        return [one.fingerprint for one in (self.current, self.next) if one is not None]

    def prepare(self) -> None:
        """Make the next certificate, if there is none, and announce it. Raises Busy, OSError."""
        self._check_own()
        with self._changing:
            if self.next is None:
                _write(self._waiting, self._clock())
                self.next = load(self._waiting, self._waiting, self._clock())

    def use_next(self) -> None:
        """Use the certificate that was prepared. Raises Busy where there is none, OSError."""
        self._check_own()
        with self._changing:
            if self.next is None:
                raise Busy("no next certificate was prepared", hint="rigd certificate prepare")
            rename(self._waiting, self._own)
            self.current, self.next = self.next, None

    def keep_up(self) -> bool:
        """Prepare and use the next certificate when it is time; return whether another is in use now."""
        with self._changing:
            left = self.current.days_left(self._clock())
            if self.given or left > PREPARE_DAYS:
                return False
            if self.next is None:
                self.prepare()
            elif left <= USE_DAYS:
                self.use_next()
                return True
            return False

    def _check_own(self) -> None:
        if self.given:
            raise Busy(
                "the certificate is not the rig's own", hint="replace its files, and start `rigd serve` again"
            )


def load(chain: Path, key: Path, now_ns: int) -> Certificate:
    """Return the certificate in `chain` with the key in `key`, checked. Raises FileMissing, and as
    `Certificates` does.
    """
    try:
        key_pem = read_private(key, _MOST_BYTES)
        chain_pem = key_pem if chain == key else read_regular(chain, _MOST_BYTES)
    except FileNotFoundError as error:
        raise FileMissing(f"there is no file {shown(error.filename)}", path=error.filename) from error
    private, found = _parsed_key(key, key_pem), _parsed(chain, chain_pem)
    if found.public_key().public_bytes(*_PUBLIC) != private.public_key().public_bytes(*_PUBLIC):
        _refuse_pair(chain, key)
    _check_time(chain, found, now_ns)
    der = found.public_bytes(serialization.Encoding.DER)
    return Certificate(
        _pem_of(private),
        chain_pem if chain != key else found.public_bytes(serialization.Encoding.PEM),
        hashlib.sha256(der).hexdigest(),
        found.not_valid_before_utc,
        found.not_valid_after_utc,
    )


_UNREADABLE: Final = (ValueError, TypeError, UnsupportedAlgorithm)
_PUBLIC: Final = serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo


def _parsed_key(path: Path, pem: bytes) -> Any:
    try:
        return serialization.load_pem_private_key(pem, password=None)
    except _UNREADABLE as error:
        raise Corrupt(
            f"{shown(path)} holds no key that can be read: {error}", hint=_hint(path), path=path
        ) from error


def _parsed(path: Path, pem: bytes) -> x509.Certificate:
    try:
        found = x509.load_pem_x509_certificate(pem)
        found.public_key()  # it is read when it is asked for
        return found
    except _UNREADABLE as error:
        raise Corrupt(
            f"{shown(path)} holds no certificate that can be read: {error}", hint=_hint(path), path=path
        ) from error


def _hint(path: Path) -> str:
    if path.parent.name == _FOLDER:
        return "restore it from a backup, or remove it: another is made, and everybody has to pair again"
    return "PEM is what is read"


def _refuse_pair(chain: Path, key: Path) -> None:
    """Raise what fits a certificate and a key that do not belong together."""
    if chain != key and key.stat().st_mtime > chain.stat().st_mtime:
        raise Mismatch(
            f"the certificate {shown(chain)} is older than its key {shown(key)}: it was made for another",
            hint="make a certificate for the new key, or put the old key back",
            path=chain,
        )
    raise Mismatch(
        f"the key in {shown(key)} does not fit the certificate in {shown(chain)}", hint=_hint(key), path=key
    )


def _check_time(path: Path, found: x509.Certificate, now_ns: int) -> None:
    now = _moment(now_ns)
    if now < found.not_valid_before_utc:
        raise Mismatch(
            f"the certificate {shown(path)} is valid from {found.not_valid_before_utc:%Y-%m-%d %H:%M} UTC, "
            f"and this machine's clock says {now:%Y-%m-%d %H:%M}",
            hint="set the clock",
            path=path,
        )
    if now >= found.not_valid_after_utc:
        raise Mismatch(
            f"the certificate {shown(path)} expired on {found.not_valid_after_utc:%Y-%m-%d %H:%M} UTC; this "
            f"machine's clock says {now:%Y-%m-%d %H:%M}",
            hint="set the clock if that is wrong; else remove the certificate and pair again",
            path=path,
        )


def _write(path: Path, now_ns: int) -> None:
    """Make a certificate and its key, in one file: there is never one without the other."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, HOST)])
    now = _moment(now_ns)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _EARLIER)
        .not_valid_after(now + datetime.timedelta(days=LIFETIME_DAYS))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(HOST)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    replace(path, _pem_of(key) + made.public_bytes(serialization.Encoding.PEM), private=True)


def _pem_of(key: Any) -> bytes:
    form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    return bytes(key.private_bytes(*form, serialization.NoEncryption()))


def _moment(time_ns: int) -> datetime.datetime:
    return datetime.datetime.fromtimestamp(time_ns // 1_000_000_000, datetime.UTC)
