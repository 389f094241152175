"""A scripted rig behind TLS: a certificate of its own, one code, tokens that can be taken away."""

import datetime
import hashlib
import time
from collections.abc import Callable
from concurrent import futures
from dataclasses import dataclass
from typing import Any, Final

import grpc
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from rig.errors import RigError, TokenExpired, Unauthenticated
from rig.join import Join
from rig.v1 import access_pb2, access_pb2_grpc, rig_pb2, rig_pb2_grpc
from tests.stage import free_port

CODE: Final = "a" * 26
DAY: Final = datetime.timedelta(days=1)


@dataclass(frozen=True)
class Identity:
    """A key and its self-signed certificate, PEM."""

    key: bytes
    certificate: bytes
    pin: str


def identity(
    begins_in: datetime.timedelta = -DAY,
    ends_in: datetime.timedelta = 3650 * DAY,
    name: str = "rigd.internal",
) -> Identity:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + begins_in)
        .not_valid_after(now + ends_in)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    der = certificate.public_bytes(serialization.Encoding.DER)
    return Identity(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ),
        certificate.public_bytes(serialization.Encoding.PEM),
        hashlib.sha256(der).hexdigest(),
    )


class TLSRig(rig_pb2_grpc.RigServiceServicer, access_pb2_grpc.AccessServiceServicer):
    """Serves until `stop`; `start` again may show another certificate at the same port."""

    def __init__(self, shown: Identity | None = None, host: str = "127.0.0.1") -> None:
        self.shown = shown or identity()
        self.pins = [self.shown.pin]
        self.host, self.port = host, free_port()
        self.codes, self.tokens = {CODE}, set[str]()
        self.refusal: RigError | None = None
        """What calls with a token get."""
        self.name = "simrig"
        self.secret = "s" * 43
        self.authorizations: list[str] = []
        self.start()

    def start(self, secure: bool = True) -> None:
        self._server = grpc.server(futures.ThreadPoolExecutor(8), options=[("grpc.so_reuseport", 0)])
        rig_pb2_grpc.add_RigServiceServicer_to_server(self, self._server)
        access_pb2_grpc.add_AccessServiceServicer_to_server(self, self._server)
        where = f"{self.host}:{self.port}"
        if secure:
            pair = [(self.shown.key, self.shown.certificate)]
            self._server.add_secure_port(where, grpc.ssl_server_credentials(pair))
        else:
            self._server.add_insecure_port(where)
        self._server.start()

    def stop(self) -> None:
        self._server.stop(None).wait()

    @property
    def address(self) -> str:
        return f"{self.host}:{self.port}"

    def join(self, *addresses: str, code: str = CODE) -> str:
        return Join(addresses or (self.address,), self.shown.pin, code).text()

    def ExchangeCode(self, request: Any, context: Any) -> access_pb2.ExchangeCodeResponse:
        if request.code not in self.codes:
            _refuse(context, Unauthenticated("that code was used", hint="ask for another: `rigd pair`"))
        self.codes.remove(request.code)
        secret = f"t{len(self.tokens)}.{self.secret}"
        self.tokens.add(secret)
        token = access_pb2.Token(
            id=secret.partition(".")[0],
            name="laptop",
            user="birch",
            scopes=["live", "laps"],
            expire_time_ns=time.time_ns() + 30 * 86400 * 10**9,
        )
        return access_pb2.ExchangeCodeResponse(secret=secret, token=token, rig=self.name)

    def GetCaller(self, request: Any, context: Any) -> access_pb2.GetCallerResponse:
        self._check(context)
        return access_pb2.GetCallerResponse(user="birch", scopes=["live", "laps"], pins=self.pins)

    def GetStatus(self, request: Any, context: Any) -> rig_pb2.GetStatusResponse:
        self._check(context)
        return rig_pb2.GetStatusResponse(version="scripted")

    def _check(self, context: Any) -> None:
        sent = dict(context.invocation_metadata()).get("authorization", "")
        self.authorizations.append(sent)
        if self.refusal is not None:
            _refuse(context, self.refusal)
        if sent.removeprefix("Bearer ") not in self.tokens:
            _refuse(context, Unauthenticated("a token is needed"))


EXPIRED: Final = TokenExpired("the token expired", hint="pair again")


def _refuse(context: Any, error: RigError) -> None:
    from google.protobuf import any_pb2
    from google.rpc import error_details_pb2, status_pb2
    from grpc_status import rpc_status

    details = any_pb2.Any()
    details.Pack(error_details_pb2.ErrorInfo(reason=error.reason(), domain="rigd", metadata=error.facts))
    code = grpc.StatusCode[error.status].value[0]
    context.abort_with_status(
        rpc_status.to_status(status_pb2.Status(code=code, message=str(error), details=[details]))
    )


Start = Callable[..., TLSRig]
