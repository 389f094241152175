"""Whoever finds the port, and has no token: every call there is, reflection, plain HTTP.

python -m tests.serve.scan HOST:PORT: prints what came back, by call, as JSON.
"""

import contextlib
import importlib
import json
import pkgutil
import socket
import ssl
import sys
from collections.abc import Iterator
from typing import Any, Final

import grpc
from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha import reflection_pb2

import rig.v1
from rigclient import paired, tls

HEALTH: Final = "/grpc.health.v1.Health/Check"
REFLECTION: Final = "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo"
NONE: Final = "/rig.v1.RigService/NoSuchCall"
ANSWER_S: Final = 20.0


def calls() -> Iterator[str]:
    """Every method of the contract."""
    for module in pkgutil.iter_modules(rig.v1.__path__):
        if module.name.endswith("_pb2"):
            found = importlib.import_module(f"rig.v1.{module.name}").DESCRIPTOR
            for service in found.services_by_name.values():
                for method in service.methods:
                    yield f"/{service.full_name}/{method.name}"


def called(channel: grpc.Channel, method: str, request: bytes) -> list[str]:
    """The status of a call, its words, and what it brought, hexadecimal."""
    brought: list[str] = []
    call: Any = channel.stream_stream(method)(iter([request]), timeout=ANSWER_S)  # type: ignore[arg-type]
    with contextlib.suppress(grpc.RpcError):
        brought += [bytes(part).hex() for part in call]
    return [call.code().name, call.details() or "", *brought]


def spoken(address: str, secure: bool) -> str:
    """What comes back on an HTTP request of a browser."""
    host, _, port = address.rpartition(":")
    with socket.create_connection((host, int(port)), ANSWER_S) as plain:
        stream = plain
        if secure:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            stream = context.wrap_socket(plain)
        found = b""
        with contextlib.suppress(OSError):  # it hung up
            stream.sendall(b"GET / HTTP/1.1\r\nHost: rig\r\n\r\n")
            while part := stream.recv(4096):
                found += part
    return found.decode(errors="backslashreplace")


def main(address: str) -> None:
    """Try everything."""
    roots = tls.look(address).certificate.encode()
    options = (("grpc.ssl_target_name_override", paired.SERVER_NAME),)
    found: dict[str, object] = {}
    with grpc.secure_channel(address, grpc.ssl_channel_credentials(roots), options) as channel:
        asked = reflection_pb2.ServerReflectionRequest(list_services="").SerializeToString()
        for method, request in (
            *((method, b"") for method in calls()),
            (HEALTH, health_pb2.HealthCheckRequest().SerializeToString()),
            (REFLECTION, asked),
            (NONE, b""),
        ):
            found[method] = called(channel, method, request)
    with grpc.insecure_channel(address) as channel:
        found["plain"] = called(channel, "/rig.v1.RigService/GetStatus", b"")
    found["http"], found["https"] = spoken(address, secure=False), spoken(address, secure=True)
    print(json.dumps(found))


if __name__ == "__main__":
    main(sys.argv[1])
