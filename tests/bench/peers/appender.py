"""A process that appends to one store.

    python -m tests.bench.peers.appender STORE PLACE TICKS BOUND FAST PACED [PID]     measure; prints JSON
    python -m tests.bench.peers.appender STORE PLACE TICKS BOUND                      until it is killed

PLACE is the store's folder or socket, TICKS a file of ticks, PID the daemon that works for it. First it fills
the store to its BOUND, then it appends FAST ticks without a pause and PACED ticks at 50 Hz. Without numbers
it prints the number of each tick that the store said it has.
"""

import itertools
import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import numpy as np

from tests.bench.peers.stores import STORES, Store
from tests.bench.peers.ticks import kept
from tests.stage import cpu_s

_PERIOD_S: Final = 0.02

Numbered = Iterator[tuple[int, bytes]]


def numbered(ticks: list[bytes]) -> Numbered:
    """Ticks without end, numbered from 1."""
    return enumerate(itertools.cycle(ticks), 1)


class Account:
    """What this process and its daemon have used."""

    def __init__(self, daemons: list[int]) -> None:
        self._daemons = daemons

    def cpu_s(self) -> float:
        return time.process_time() + sum(map(cpu_s, self._daemons))

    def written(self) -> int:
        """Bytes written, by the daemon where there is one: ours go to its socket then.

        Not the kernel's `write_bytes`, which counts a whole folio of the page cache for a page of it.
        """
        writer = self._daemons[0] if self._daemons else "self"
        lines = Path(f"/proc/{writer}/io").read_text().splitlines()
        return int(dict(line.split(": ") for line in lines)["wchar"])


def run(store: Store, ticks: Numbered, count: int, account: Account, period_s: float) -> dict[str, float]:
    """Append `count` ticks, one per period: time to the answer, and CPU and bytes per tick."""
    cpu, written, began = account.cpu_s(), account.written(), time.perf_counter()
    took, due = [], began
    for seq, tick in itertools.islice(ticks, count):
        due += period_s
        if period_s:
            time.sleep(max(due - time.perf_counter(), 0))
        started = time.perf_counter()
        store.append(seq, tick)
        took.append(time.perf_counter() - started)
    p50, p99 = np.percentile(np.array(took) * 1e3, [50, 99])
    return {
        "p50_ms": p50,
        "p99_ms": p99,
        "cpu_us": 1e6 * (account.cpu_s() - cpu) / count,
        "written_kb": (account.written() - written) / count / 1e3,
        "per_s": count / (time.perf_counter() - began),
    }


def measure(store: Store, ticks: Numbered, bound: int, fast: int, paced: int, account: Account) -> None:
    """Fill, append as fast as possible, append at 50 Hz; print it all."""
    for seq, tick in itertools.islice(ticks, bound + bound // 8):
        store.append(seq, tick)
    out = {f"fast_{name}": value for name, value in run(store, ticks, fast, account, 0).items()}
    out |= {f"paced_{name}": value for name, value in run(store, ticks, paced, account, _PERIOD_S).items()}
    print(json.dumps(out | {"held": store.held()}))


def tell(store: Store, ticks: Numbered) -> None:
    """Append for ever, and say so each time."""
    for seq, tick in ticks:
        store.append(seq, tick)
        print(seq, flush=True)


def main(name: str, place: str, ticks: str, bound: int, *numbers: int) -> None:
    store, endless = STORES[name](Path(place), bound), numbered(kept(Path(ticks)))
    if not numbers:
        tell(store, endless)
        return
    fast, paced, *daemons = numbers
    measure(store, endless, bound, fast, paced, Account(daemons))


if __name__ == "__main__":
    main(*sys.argv[1:4], *map(int, sys.argv[4:]))  # type: ignore[arg-type]
