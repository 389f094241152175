"""The certificates of the rig: whether they can be used, and for how long."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from rig.errors import Denied, RigError
from rig.regular import shown
from rigd.auth.certificate import PREPARE_DAYS, load
from rigd.check import Check, Fact, Fix, ok, warning, wrong

_OWN: Final = ("tls/certificate.pem", "tls/next.pem")
"""Below the data directory: the one in use, and the one after it."""


def check_certificates(data: Path, clock: Callable[[], int] = time.time_ns) -> Iterator[Check]:
    """Look at each certificate that there is; `clock` tells unix nanoseconds. Makes none."""
    for name in _OWN:
        path = data / name
        if path.exists():
            yield _check(path, clock())
        elif name == _OWN[0]:
            yield ok("certificate", "none yet: one is made when rigd is first to listen beyond this machine")


def _check(path: Path, now_ns: int) -> Check:
    try:
        found = load(path, path, now_ns)
    except Denied as error:
        return wrong("certificate", error.message, error.hint, fix=_close(path))
    except RigError as error:
        return wrong("certificate", error.message, error.hint or "remove it, and pair again")
    left = found.days_left(now_ns)
    what = f"{shown(path)} is valid for {left:.0f} days, fingerprint {found.fingerprint[:16]}..."
    facts: dict[str, Fact] = {"days_left": left, "fingerprint": found.fingerprint}
    if left < PREPARE_DAYS and path.name == Path(_OWN[0]).name and not (path.parent / "next.pem").exists():
        way_out = "start `rigd serve`, which prepares the next one; or: rigd certificate prepare"
        return warning("certificate", what, way_out, facts)
    return ok("certificate", what, facts)


def _close(path: Path) -> Fix:
    def make() -> str:
        path.chmod(0o600)
        return f"{shown(path)} has mode 0600; who could read it before may have the key"

    return Fix(f"let only its owner read {shown(path)}", make)
