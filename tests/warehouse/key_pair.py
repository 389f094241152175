"""Key pairs for logins, in every form that people have them in."""

import base64
import hashlib
from dataclasses import dataclass
from functools import cached_property

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

PASSPHRASE = "correct horse battery"


@dataclass(frozen=True)
class Pair:
    """A key pair."""

    private: rsa.RSAPrivateKey

    @cached_property
    def public(self) -> str:
        """PEM, as an account is told it."""
        der = Encoding.PEM, PublicFormat.SubjectPublicKeyInfo
        return self.private.public_key().public_bytes(*der).decode()

    @property
    def fingerprint(self) -> str:
        """Of the public key, as an account shows it."""
        der = self.private.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        return "SHA256:" + base64.b64encode(hashlib.sha256(der).digest()).decode()

    def form(
        self, encoding: Encoding, passphrase: str = "", kind: PrivateFormat = PrivateFormat.PKCS8
    ) -> bytes:
        """The private key."""
        lock: KeySerializationEncryption = NoEncryption()
        if passphrase:
            lock = BestAvailableEncryption(passphrase.encode())
        return self.private.private_bytes(encoding, kind, lock)

    def pem(self, passphrase: str = "") -> bytes:
        """The private key as PEM."""
        return self.form(Encoding.PEM, passphrase)

    def der(self, passphrase: str = "") -> bytes:
        """The private key as DER."""
        return self.form(Encoding.DER, passphrase)


def pair() -> Pair:
    """A new one."""
    return Pair(rsa.generate_private_key(65537, 2048))


def base64_of(data: bytes) -> str:
    """As in a setting."""
    return base64.b64encode(data).decode()
