"""The foot of the live view: how well the recording arrives."""

import math

from rigclient.cli.terminal.line import Line
from rigclient.cli.terminal.palette import DIM, GOOD, LATENCY_MS, RED, STRONG, TEXT, YELLOW
from rigclient.cli.watch.board import Board, Condition

_KEYS = ("j/k car  s sort  t trace  p pause  ? help  q quit ", "? help  q quit ", "? ")


def line(board: Board, width: int, reconnects: int, keys: bool, said: str = "") -> Line:
    """Return rate, latency, sequence number, losses, reconnects, what keys have changed; the keys when they
    work and fit.
    """
    tally = board.tally
    live = board.state.condition is Condition.LIVE
    out = Line(" ● ", GOOD if live else YELLOW)
    recorder = board.recorder
    out.put(f"{recorder.physics_rate_hz if recorder is not None else 0.0:4.0f} Hz ", TEXT)
    if not math.isnan(board.latency_ms):
        out.put(f"{board.latency_ms:5.1f} ms ", LATENCY_MS.style(board.latency_ms))
    out.put(" seq ", DIM).put(f"{tally.last_seq:<9}", TEXT)
    out.put("missed ", DIM).put(f"{tally.declared_missing:<5}", YELLOW if tally.declared_missing else TEXT)
    if tally.undeclared_missing:
        out.put("lost ", DIM).put(f"{tally.undeclared_missing:<4}", RED)
    out.put("reconnects ", DIM).put(f"{reconnects:<3}", YELLOW if reconnects else TEXT)
    out.put(said, STRONG).put(" " * bool(said))
    hint = next((hint for hint in _KEYS if keys and out.width + len(hint) <= width), "")
    return out.to(width - len(hint)).put(hint, DIM)
