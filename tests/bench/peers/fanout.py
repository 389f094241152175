"""Fan-out: rigd's server beside others, on the same ring, to the same subscribers in Python.

    python -m tests.bench.peers.fanout

The recorder is the same for all: a tick is in the ring, durably, before any server hears of it. `ring` is the
age at which a follower of the ring has it, so what lies above is the server's and the client's.
"""

import json
import subprocess
from collections.abc import Callable
from typing import Final, NamedTuple

from tests.bench.peers import daemons
from tests.bench.peers.rounds import Figures, in_turn, named
from tests.stage import Stage, answer, free_port, stage


class Plan(NamedTuple):
    """How much is done."""

    rounds: int = 3
    counts: tuple[int, ...] = (1, 8, 32, 100)
    seconds: float = 1.6


class Served(NamedTuple):
    """Where subscribers connect, and the processes that serve them."""

    where: str
    processes: tuple[subprocess.Popen[str], ...]


_WHOLE: Final = Plan()


def peers_fanout(plan: Plan = _WHOLE) -> Figures:
    """12 channels of 40 cars at 50 Hz to 1, 8, 32, 100 subscribers: ours, gRPC, Redis, Foxglove, MQTT."""
    with stage() as here:
        here.record()
        here.status()
        here.game(40, 50, 900)
        return named("fanout", in_turn(_SERVED, plan.rounds, lambda kind: measured(here, kind, plan)))


def measured(here: Stage, kind: str, plan: Plan) -> Figures:
    """One round of a server. Raises Absent."""
    served = _SERVED[kind](here)
    counts = (1,) if kind == "ring" else plan.counts
    seen = _subscribed(here, kind, served, plan._replace(counts=counts))
    here.stop(*served.processes)
    return seen


def _subscribed(here: Stage, kind: str, served: Served, plan: Plan) -> Figures:
    pids = [str(process.pid) for process in served.processes]
    counts = ",".join(map(str, plan.counts))
    words = (kind, served.where, counts, str(plan.seconds), *pids)
    seen = answer(here.start("tests.bench.peers.clients", *words), 120)
    return {f"{count}.{name}": value for count, found in seen.items() for name, value in found.items()}


def _ours(here: Stage) -> Served:
    return Served(here.address.rpartition(":")[2], (here.serve(),))


def _ring(here: Stage) -> Served:
    return Served(str(here.data), ())


def _alone(kind: str) -> Callable[[Stage], Served]:
    def start(here: Stage) -> Served:
        port = str(free_port())
        return Served(port, (_server(here, kind, port),))

    return start


def _redis(here: Stage) -> Served:
    port, at = free_port(), here.buffers / "redis"
    daemon = daemons.redis_on(here, port, at)
    return Served(str(port), (daemon, _server(here, "redis", str(at))))


def _mosquitto(here: Stage) -> Served:
    daemon, port = daemons.mosquitto(here)
    return Served(str(port), (daemon, _server(here, "mosquitto", str(port))))


def _server(here: Stage, kind: str, where: str) -> subprocess.Popen[str]:
    """A server of ours, once it listens."""
    process = here.start("tests.bench.peers.servers", kind, str(here.data), where)
    assert process.stdout is not None
    assert process.stdout.readline() == "up\n"
    return process


_SERVED: Final[dict[str, Callable[[Stage], Served]]] = {
    "ours": _ours,
    "grpc": _alone("grpc"),
    "redis": _redis,
    "foxglove": _alone("foxglove"),
    "mosquitto": _mosquitto,
    "ring": _ring,
}

if __name__ == "__main__":
    print(json.dumps(peers_fanout(), indent=2))
