"""Clients that no server wishes for: `python -m tests.faults.hostile ADDRESS HABIT SECONDS`.

Each keeps its habit for so long and ends by itself; `stopped` stops itself and has to be continued or killed.
"""

import os
import random
import signal
import socket
import sys
import time
from collections.abc import Callable
from typing import Any, Final

import grpc

import rigclient
from rig.v1 import telemetry_pb2

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


def restless(address: str, until: float) -> None:
    """Connects, asks for everything since the beginning, and leaves, again and again."""
    while time.monotonic() < until:
        with rigclient.connect(address) as rig:
            stream = rig.physics(start="earliest")
            next(stream)
            stream.close()
        time.sleep(_PAUSE_S)


HABITS: Final[dict[str, Callable[[str, float], None]]] = {
    habit.__name__: habit for habit in (stopped, silent, slow, crowd, garbage, restless)
}

if __name__ == "__main__":
    HABITS[sys.argv[2]](sys.argv[1], time.monotonic() + float(sys.argv[3]))
