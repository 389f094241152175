"""Times as the sport writes them."""

import math


def lap_time(seconds: float) -> str:
    """Return 1:34.567; empty where the time is not finite or not above zero."""
    if not math.isfinite(seconds) or seconds <= 0:
        return ""
    minutes, rest = divmod(round(seconds * 1000), 60_000)
    return f"{minutes}:{rest / 1000:06.3f}"


def running(seconds: float) -> str:
    """Return 1:34.5, for a time that is still running."""
    if not math.isfinite(seconds):
        return ""
    minutes, rest = divmod(int(max(seconds, 0.0) * 10), 600)
    return f"{minutes}:{rest / 10:04.1f}"


def gap(seconds: float) -> str:
    """Return +1.234; empty where the gap is not finite."""
    return f"{seconds:+.3f}" if math.isfinite(seconds) else ""


def clock(seconds: float) -> str:
    """Return 1:02:03 or 12:34, in whole seconds."""
    minutes, rest = divmod(int(max(seconds, 0.0)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def span(seconds: float) -> str:
    """Return a length of time in words: 12 s, 3 min 20 s, 2 h 5 min."""
    minutes, rest = divmod(int(max(seconds, 0.0)), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
