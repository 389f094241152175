"""Clients that no server wishes for: `python -m tests.faults.hostile ADDRESS HABIT SECONDS`.

Each keeps its habit for so long and ends by itself; `stopped` stops itself and has to be continued or killed.
"""

import contextlib
import os
import random
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any, Final

import grpc
from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha import reflection_pb2

import rigclient
from rig.v1 import laps_pb2, rig_pb2, telemetry_pb2
from rigd.serve.permissions import ADMIN, PERMISSIONS

_STREAM: Final = "/rig.v1.TelemetryService/StreamPhysics"
_PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_SETTINGS: Final = b"\x00\x00\x00\x04\x00\x00\x00\x00\x00"
_PAUSE_S: Final = 0.02


def stopped(address: str, _until: float) -> None:
    """Reads for a second, as our client does, and stops in the middle; continued, it reads to the end."""
    with rigclient.connect(address) as rig:
        stream = rig.physics(start="earliest")
        enough = time.monotonic() + 1.0
        for frame in stream:
            if time.monotonic() > enough:
                print(frame.seq, flush=True)
                os.kill(os.getpid(), signal.SIGSTOP)
                break
        for frame in stream:
            print(frame.seq, sum(gap.count for gap in frame.gaps), flush=True)


def silent(address: str, until: float) -> None:
    """Opens a stream, never reads from it, and never acknowledges."""
    with grpc.insecure_channel(address, (("grpc.max_receive_message_length", 64 << 20),)) as channel:
        stream: Any = channel.unary_stream(_STREAM)
        call = stream(telemetry_pb2.StreamPhysicsRequest().SerializeToString())
        time.sleep(max(until - time.monotonic(), 0))
        call.cancel()


def slow(address: str, until: float) -> None:
    """Reads one message where ten come."""
    with rigclient.connect(address) as rig:
        for _ in rig.physics(start="earliest"):
            time.sleep(10 * _PAUSE_S)
            if time.monotonic() > until:
                return


def crowd(address: str, until: float) -> None:
    """Opens a thousand streams over one connection and reads none."""
    with grpc.insecure_channel(address) as channel:
        open_one: Any = channel.unary_stream(_STREAM)
        request = telemetry_pb2.StreamPhysicsRequest(channels=["speed"]).SerializeToString()
        calls = [open_one(request) for _ in range(1000)]
        time.sleep(max(until - time.monotonic(), 0))
        for call in calls:
            call.cancel()


def garbage(address: str, until: float) -> None:
    """Sends bytes that are no HTTP/2, frames that are no frames, requests that are no requests."""
    dice, host, _, port = random.Random(5), *address.rpartition(":")
    while time.monotonic() < until:
        noise = dice.randbytes(dice.randrange(1, 4096))
        for opening in (b"", _PREFACE, _PREFACE + _SETTINGS):
            with socket.create_connection((host, int(port)), timeout=5) as line:
                line.sendall(opening + noise)
        _requests(address, [noise, noise * 64])
        time.sleep(_PAUSE_S)


def _requests(address: str, bodies: list[bytes]) -> None:
    with grpc.insecure_channel(address) as channel:
        stream: Any = channel.unary_stream(_STREAM)
        for body in bodies:
            call = stream(body)
            assert call.code() is not grpc.StatusCode.OK
            call.cancel()


def idle(address: str, until: float) -> None:
    """Opens two hundred connections that say they are HTTP/2 and nothing more; others still come in."""
    host, _, port = address.rpartition(":")
    lines = [socket.create_connection((host, int(port)), timeout=5) for _ in range(200)]
    for line in lines:
        line.sendall(_PREFACE + _SETTINGS)
    with rigclient.connect(address) as rig:
        rig.status()
    time.sleep(max(until - time.monotonic(), 0))
    for line in lines:
        line.close()


def malformed(address: str, until: float) -> None:
    """Sends every call requests that are none; each is refused as such."""
    dice = random.Random(7)
    with grpc.insecure_channel(address) as channel:
        while time.monotonic() < until:
            for method in methods():
                body = UNREADABLE + dice.randbytes(dice.randrange(64))
                with refused_as_malformed(method.full_name):
                    list(called(channel, method, body))
            time.sleep(_PAUSE_S)


UNREADABLE: Final = b"\xff" * 11
"""No message begins like this: a number has ten bytes at most."""


def methods() -> list[Any]:
    """The descriptors of all calls that a rig answers on its machine, those of health and reflection too."""
    files = (laps_pb2, rig_pb2, telemetry_pb2, health_pb2, reflection_pb2)
    services = (one for file in files for one in file.DESCRIPTOR.services_by_name.values())
    found = (method for service in services for method in service.methods)
    return [one for one in found if PERMISSIONS[f"/{one.containing_service.full_name}/{one.name}"] != ADMIN]


def called(channel: grpc.Channel, method: Any, body: bytes) -> Iterator[bytes]:
    """The answers to a request of these bytes, or its error."""
    kind = "{}_{}".format(*("stream" if one else "unary" for one in _streams(method)))
    call: Any = getattr(channel, kind)(f"/{method.containing_service.full_name}/{method.name}")
    answer = call(iter([body]) if method.client_streaming else body, timeout=20)
    return iter(answer if method.server_streaming else [answer])


def _streams(method: Any) -> tuple[bool, bool]:
    return method.client_streaming, method.server_streaming


@contextlib.contextmanager
def refused_as_malformed(name: str) -> Iterator[None]:
    """See that what is done here is refused by name, and not with the names of our classes."""
    try:
        yield
    except grpc.RpcError as error:
        found: Any = error
        assert found.code() is grpc.StatusCode.INVALID_ARGUMENT, (name, found.code(), found.details())
        assert "bytes are not what this call takes" in found.details(), (name, found.details())
    else:
        raise AssertionError(f"{name} took it")


def restless(address: str, until: float) -> None:
    """Connects, asks for everything since the beginning, and leaves, again and again."""
    while time.monotonic() < until:
        with rigclient.connect(address) as rig:
            stream = rig.physics(start="earliest")
            next(stream)
            stream.close()
        time.sleep(_PAUSE_S)


HABITS: Final[dict[str, Callable[[str, float], None]]] = {
    habit.__name__: habit for habit in (stopped, silent, slow, crowd, garbage, idle, malformed, restless)
}

if __name__ == "__main__":
    HABITS[sys.argv[2]](sys.argv[1], time.monotonic() + float(sys.argv[3]))
