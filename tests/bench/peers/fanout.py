"""Fan-out: rigd's server beside others, behind the same recorder, to the same subscribers in Python.

    python -m tests.bench.peers.fanout

All servers follow the live tail. `tail` is the age at which a follower of it has a tick, so what lies above
is the server's and the client's; `ring` is the age at which it is committed.
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
    durable: bool = False
    """Whether the others' servers have a tick once it is committed."""


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
    served = _SERVED[kind](here, plan.durable)
    counts = plan.counts if served.processes else (1,)
    seen = _subscribed(here, kind, served, plan._replace(counts=counts))
    here.stop(*served.processes)
    return seen


def _subscribed(here: Stage, kind: str, served: Served, plan: Plan) -> Figures:
    pids = [str(process.pid) for process in served.processes]
    counts = ",".join(map(str, plan.counts))
    words = (kind, served.where, counts, str(plan.seconds), *pids)
    seen = answer(here.start("tests.bench.peers.clients", *words), 120)
    return {f"{count}.{name}": value for count, found in seen.items() for name, value in found.items()}


def _ours(here: Stage, _durable: bool) -> Served:
    return Served(here.address.rpartition(":")[2], (here.serve(),))


def _no_server(here: Stage, _durable: bool) -> Served:
    return Served(str(here.data), ())


def _alone(kind: str) -> Callable[[Stage, bool], Served]:
    def start(here: Stage, durable: bool) -> Served:
        port = str(free_port())
        return Served(port, (_server(here, kind, port, durable),))

    return start


def _redis(here: Stage, durable: bool) -> Served:
    port, at = free_port(), here.buffers / "redis"
    daemon = daemons.redis_on(here, port, at)
    return Served(str(port), (daemon, _server(here, "redis", str(at), durable)))


def _mosquitto(here: Stage, durable: bool) -> Served:
    daemon, port = daemons.mosquitto(here)
    return Served(str(port), (daemon, _server(here, "mosquitto", str(port), durable)))


def _server(here: Stage, kind: str, where: str, durable: bool) -> subprocess.Popen[str]:
    """A server of ours, once it listens."""
    words = ("durable",) if durable else ()
    process = here.start("tests.bench.peers.servers", kind, str(here.data), where, *words)
    assert process.stdout is not None
    assert process.stdout.readline() == "up\n"
    return process


_SERVED: Final[dict[str, Callable[[Stage, bool], Served]]] = {
    "ours": _ours,
    "grpc": _alone("grpc"),
    "redis": _redis,
    "foxglove": _alone("foxglove"),
    "mosquitto": _mosquitto,
    "tail": _no_server,
    "ring": _no_server,
}

if __name__ == "__main__":
    print(json.dumps(peers_fanout(), indent=2))
