"""8 subscribers of ours beside those of Foxglove and mosquitto.

    python -m tests.bench.peers.live

A server of ours follows the live tail. The others are measured twice: behind a ring whose recorder commits as
soon as the disk allows, as one would who has a durable store and no tail, and behind the tail like ours.
"""

import json
from typing import Final

from tests.bench.peers.fanout import Plan, measured
from tests.bench.peers.rounds import Figures, medians, ratio, turns
from tests.stage import stage

_PEERS: Final = ("foxglove", "mosquitto")
_PLAN: Final = Plan(counts=(8,), seconds=3.0)
_FEEDS: Final[dict[str, tuple[str, ...]]] = {"ring": ("--commit-every", "0"), "tail": ()}
"""What the others' servers follow -> how the recorder is told so."""


def peers_live(plan: Plan = _PLAN) -> Figures:
    """12 channels of 40 cars at 50 Hz to 8 subscribers: ours over Foxglove and mosquitto, fed in two ways."""
    fed = [f"{peer} {feed}" for feed in _FEEDS for peer in _PEERS]
    seen = turns(["ours", *fed], plan.rounds, lambda name: _once(name, plan))
    figures = {}
    for name in fed:
        peer, feed = name.split()
        if "absent" in seen[name][0]:
            figures[f"live.{peer}.absent"] = 1.0
            continue
        suffix = "" if feed == "ring" else f"_{feed}"
        figures[f"live_8_vs_{peer}{suffix}"] = ratio(seen["ours"], seen[name], "8.p50_ms")
        figures |= _shown("ours", feed, seen["ours"]) | _shown(peer, feed, seen[name])
    return figures


def _shown(who: str, feed: str, rounds: list[Figures]) -> Figures:
    found = medians(rounds)
    return {f"live.{who}.{feed}_{name}": found[f"8.{name}"] for name in ("p50_ms", "p99_ms")}


def _once(name: str, plan: Plan) -> Figures:
    """One round. Raises Absent."""
    kind, _, feed = name.partition(" ")
    with stage() as here:
        here.record(*_FEEDS.get(feed, ()))
        here.status()
        here.game(40, 50, 60 + plan.seconds)
        return measured(here, kind, plan._replace(durable=feed == "ring"))


if __name__ == "__main__":
    print(json.dumps(peers_live(), indent=2))
