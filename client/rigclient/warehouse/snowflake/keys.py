"""Private keys: PEM or DER, in a file or as base64 in a setting, with or without a passphrase.

The connector is always given the same thing, unencrypted PKCS8 DER: its versions 4 and 5 take different forms
of the others and have different words for what is wrong with them. Here it is one sentence that names the
setting, and never the key.
"""

import base64
import binascii
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from rig.errors import FileMissing, WrongKey, WrongPassphrase
from riglap.extras import need

_PEM: Final = b"-----BEGIN "
_FORM: Final = "it takes an unencrypted or encrypted PKCS8 key as PEM or DER, such as `openssl genpkey` makes"


@dataclass(frozen=True)
class PrivateKey:
    """A key that may be shown: only the connector sees what it is."""

    der: bytes = field(repr=False)


def from_base64(text: str, passphrase: str, setting: str, passphrase_setting: str) -> PrivateKey:
    """Return the key in a setting: base64 of PEM or DER, or PEM as it is. Raises WrongKey,
    WrongPassphrase.
    """
    plain = text.strip().replace("\\n", "\n").encode()  # some ways of setting variables keep no line ends
    if not plain.startswith(_PEM):
        try:
            plain = base64.b64decode(b"".join(plain.split()), validate=True)
        except binascii.Error as error:
            raise WrongKey(f"{setting} is no base64", hint="for a file: base64 -w0 rsa_key.p8") from error
    return _loaded(plain, passphrase, setting, passphrase_setting)


def from_file(path: Path, passphrase: str, setting: str, passphrase_setting: str) -> PrivateKey:
    """Return the key in a file. Raises FileMissing, WrongKey, WrongPassphrase."""
    try:
        data = path.expanduser().read_bytes()
    except OSError as error:
        raise FileMissing(
            f"the private key {path} cannot be read: {error.strerror}", hint=f"check {setting}"
        ) from error
    return _loaded(data, passphrase, f"{setting} ({path})", passphrase_setting)


def _loaded(data: bytes, passphrase: str, setting: str, passphrase_setting: str) -> PrivateKey:
    try:
        return _der(data, None)
    except TypeError as error:  # it is encrypted
        if not passphrase:
            raise WrongPassphrase(
                f"the private key of {setting} is encrypted", hint=f"set {passphrase_setting}"
            ) from error
    except ValueError as error:
        raise WrongKey(f"{setting} is no private key", hint=_FORM) from error
    try:
        return _der(data, passphrase.encode())
    except ValueError as error:
        raise WrongPassphrase(
            f"the passphrase does not open the private key of {setting}", hint=f"check {passphrase_setting}"
        ) from error


def _der(data: bytes, passphrase: bytes | None) -> PrivateKey:
    """Load a key. Raises TypeError when a passphrase is wanted, ValueError when it is wrong or this is no
    such key.
    """
    coding = need("cryptography.hazmat.primitives.serialization", "snowflake")
    load = coding.load_pem_private_key if data.lstrip().startswith(_PEM) else coding.load_der_private_key
    key: Any = load(data, passphrase)
    if not (hasattr(key, "sign") and hasattr(key, "key_size")):
        raise ValueError("neither RSA nor an elliptic curve")
    form = coding.Encoding.DER, coding.PrivateFormat.PKCS8, coding.NoEncryption()
    return PrivateKey(key.private_bytes(*form))
