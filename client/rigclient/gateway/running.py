"""How a gateway is to run: who may reach it decides on key and TLS, both made once and kept."""

import datetime
import os
import secrets
import socket
import ssl
from pathlib import Path
from typing import Final

from rig.errors import Unavailable
from rigclient import paired
from rigclient.gateway.server import Settings, is_loopback

_YEARS: Final = 10
"""Browsers ask once whether to trust it; who pins it shall not be asked again."""


def settings(listen: str, port: int, rigs: tuple[str, ...], own: Path | None = None) -> Settings:
    """Return the settings for an address to listen at: with a key and TLS where other machines reach it.
    Raises Unavailable without the library for certificates, OSError.
    """
    if is_loopback(listen):
        return Settings(listen, port, rigs, own=own)
    folder = paired.folder().parent / "gateway"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    key, tls = _key(folder / "key"), _tls(folder / "certificate.pem")
    return Settings(listen, port, rigs, key=key, tls=tls, own=own)


def _key(path: Path) -> str:
    """Return the key that was made once: addresses that are kept stay good until its file is removed."""
    if not path.exists():
        _write(path, secrets.token_urlsafe(16))  # 128 bits
    return path.read_text().strip()


def _tls(path: Path) -> ssl.SSLContext:
    if not path.exists():
        _write(path, _certificate())
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(path)
    return context


def _write(path: Path, text: str) -> None:
    """Write what nobody else may read, whole or not at all."""
    made = path.with_name(f".writing-{path.name}")
    made.unlink(missing_ok=True)
    with open(os.open(made, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
    made.replace(path)


def _certificate() -> str:
    """Return a new key and its own certificate, PEM."""
    try:
        from cryptography import x509
        from cryptography.hazmat.primitives import hashes, serialization
        from cryptography.hazmat.primitives.asymmetric import ec
        from cryptography.x509.oid import NameOID
    except ImportError as error:
        raise Unavailable("TLS needs cryptography", hint="pip install 'rigd[gateway]'") from error
    key = ec.generate_private_key(ec.SECP256R1())
    host = socket.gethostname()
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host[:64])])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=365 * _YEARS))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host), x509.DNSName("localhost")]), False)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return (private + made.public_bytes(serialization.Encoding.PEM)).decode()
