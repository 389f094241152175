"""A server over TLS on loopback, with a socket of its machine, and clients with tokens."""

import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import grpc
import grpc.aio

from rig.v1 import access_pb2, access_pb2_grpc
from rigd.auth.caller import Scope
from rigd.auth.tokens import TokenStore
from rigd.serve.server import Server, Settings

HOUR_NS: Final = 3600 * 1_000_000_000


def settings(data: Path, **more: Any) -> Settings:
    return Settings(data, f"unix:{data}/socket", secure=("127.0.0.1:0",), **more)


def made(data: Path, *scopes: Scope, lifetime_s: int = 0) -> str:
    """A token made before a server runs, `id.secret`."""
    return TokenStore(data).create("pit wall", "engineer", scopes, lifetime_s)[0]


def certificate(address: str) -> bytes:
    """What a server shows, PEM."""
    host, _, port = address.rpartition(":")
    return ssl.get_server_certificate((host.strip("[]"), int(port)), timeout=240).encode()


def channel(address: str, shown: bytes, token: str | None = None) -> grpc.aio.Channel:
    """A connection over TLS that trusts this certificate alone."""
    credentials = grpc.ssl_channel_credentials(shown)
    if token is not None:
        credentials = grpc.composite_channel_credentials(
            credentials, grpc.access_token_call_credentials(token)
        )
    return grpc.aio.secure_channel(
        address, credentials, options=(("grpc.ssl_target_name_override", "rigd.internal"),)
    )


@dataclass
class Secured:
    """A server that runs in this event loop."""

    server: Server
    data: Path
    shown: bytes = b""
    host: str = "127.0.0.1"

    @property
    def address(self) -> str:
        return f"{self.host}:{self.server.secure_port}"

    @property
    def local(self) -> str:
        return f"unix:{self.data}/socket"

    def channel(self, token: str | None = None) -> grpc.aio.Channel:
        return channel(self.address, self.shown, token)

    def access(self, channel: grpc.aio.Channel) -> Any:
        return access_pb2_grpc.AccessServiceStub(channel)

    async def admin(self, method: str, request: Any) -> Any:
        """What the local administrator is answered."""
        async with grpc.aio.insecure_channel(self.local) as local:
            return await getattr(self.access(local), method)(request)

    async def paired(self, *scopes: Scope, name: str = "pit wall", lifetime_s: int = 0) -> str:
        """A token got by pairing."""
        from rig.join import read_join

        wish = access_pb2.CreatePairingRequest(name=name, scopes=scopes, lifetime_s=lifetime_s)
        join = read_join((await self.admin("CreatePairing", wish)).join)
        async with self.channel() as stranger:
            answer = await self.access(stranger).ExchangeCode(access_pb2.ExchangeCodeRequest(code=join.code))
            return str(answer.secret)
