"""What decides who may come in: join strings, the file of tokens, certificates."""

import datetime
import json
import zlib
from functools import cache

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from rig.join import Join, read_join
from rigd.auth.caller import Scope
from rigd.auth.certificate import HOST, load
from rigd.auth.tokens import TokenStore
from tests.fuzz.target import Target, file_of

NOW_NS = 1_800_000_000_000_000_000
JOIN = Join(("192.0.2.7:7341", "[2001:db8::7]:7341"), "0f" * 32, "a" * 26)
TOKEN = {
    "id": "0123456789ab",
    "name": "pit wall",
    "user": "engineer",
    "scopes": ["laps", "live:all"],
    "digest": "0f" * 32,
    "created_ns": NOW_NS,
    "expire_ns": NOW_NS + 1,
    "last_use_ns": 0,
    "revoked_ns": 0,
}


# Join strings.


def _join(data: bytes) -> None:
    text = data.decode(errors="surrogateescape")
    found = read_join(text)
    assert read_join(found.text()) == found


# Tokens.


def _tokens() -> list[bytes]:
    return [json.dumps({"version": 1, "tokens": tokens}).encode() for tokens in ([], [TOKEN])]


def _store(data: bytes) -> None:
    """A file whose checksum somebody put right."""
    body = data.rstrip().removesuffix(b"}")
    file = file_of("trust/tokens.json", b'%s, "crc32": %d}' % (body, zlib.crc32(body)))
    file.chmod(0o600)
    for token in TokenStore(file.parent, lambda: NOW_NS).all():
        assert token.caller().scopes <= set(Scope)
        token.refusal(NOW_NS)


# Certificates.


@cache
def _certificate() -> bytes:
    """Always the same."""
    key = ec.derive_private_key(7, ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, HOST)])
    now = datetime.datetime.fromtimestamp(NOW_NS // 1_000_000_000, datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(7)
        .not_valid_before(now)
        .not_valid_after(now + datetime.timedelta(days=1))
        .sign(key, hashes.SHA256(), ecdsa_deterministic=True)
    )
    pem = serialization.Encoding.PEM
    form = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    return key.private_bytes(pem, *form) + made.public_bytes(pem)


def _loaded(data: bytes) -> None:
    file = file_of("trust/certificate.pem", data)
    file.chmod(0o600)
    found = load(file, file, NOW_NS)
    assert len(found.fingerprint) == 64


def _address(data: bytes) -> None:
    """Addresses that somebody seals into a join string."""
    addresses = tuple(data.decode(errors="replace").split(","))
    text = JOIN._replace(addresses=addresses).text()
    assert read_join(text).addresses == addresses


TARGETS = (
    Target("join_string", lambda: [JOIN.text().encode()], _join),
    Target("join_addresses", lambda: [",".join(JOIN.addresses).encode()], _address),
    Target("tokens", _tokens, _store),
    Target("certificate", lambda: [_certificate()], _loaded),
)
