"""CustomPluginVariables.JSON: what the plugin is told, and the change that makes it write its buffers."""

import json
import stat
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from rig.errors import Busy, Corrupt
from rig.regular import read_regular, shown
from rigd.check import Check, Fix, in_shell, ok, wrong
from rigd.durable import replace
from rigd.sources.rf2.layout import Scoring, Telemetry
from rigd.sources.rf2.pluginfile import NAME

FILE: Final = "CustomPluginVariables.JSON"
ENABLED: Final = " Enabled"
"""With the space; without it the game does not know the key."""
MASK: Final = "UnsubscribedBuffersMask"
GLOBAL: Final = "DedicatedServerMapGlobally"
NEEDED_BITS: Final = Telemetry.unsubscribe_bit | Scoring.unsubscribe_bit

MAX_BYTES: Final = 1 << 20
_MOST_BACKUPS: Final = 100

Settings = dict[str, Any]


def check_settings(path: Path, game: Callable[[], object | None]) -> Check:
    """Return what is wrong with the settings at `path`; `game` tells whether the game runs, which would write
    over a change.
    """
    try:
        settings = _read(path)
    except FileNotFoundError:
        return wrong(
            "plugin settings",
            f"{shown(path)} is not there",
            "start the game once with the plugin in its folder: the game makes the file; then ask again",
        )
    except (Corrupt, OSError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        return wrong(
            "plugin settings",
            f"{shown(path)} cannot be read: {why}",
            f"mv {in_shell(path)} {in_shell(f'{path}.broken')}, start the game once, and ask again",
        )
    faults = _faults(_of_plugin(settings))
    if not faults:
        return ok("plugin settings", f"{shown(path)}: {_told(_of_plugin(settings))}")
    edit = ", ".join(f'"{key}": {value}' for key, (value, _) in faults.items())
    return wrong(
        "plugin settings",
        f"{shown(path)}: " + "; ".join(why for _, why in faults.values()),
        f'close the game; in the block "{NAME}" set {edit}; start it',
        fix=Fix(
            f"set {edit} in {shown(path.resolve())}, with a copy beside it",  # a link may lead anywhere
            lambda: mend(path, game),
        ),
    )


def mend(path: Path, game: Callable[[], object | None]) -> str:
    """Make the settings right, and keep what was there beside them. Returns what was done. Raises Busy while
    the game runs, Corrupt, OSError.
    """
    if game() is not None:
        raise Busy(
            "the game runs, and writes its settings when it ends", hint="close it and ask again", path=path
        )
    path = path.resolve()
    before = read_regular(path, MAX_BYTES)
    settings = _parse(before, path)
    of_plugin = _of_plugin(settings)
    of_plugin |= {key: value for key, (value, _) in _faults(of_plugin).items()}
    settings[NAME] = of_plugin
    mode = stat.S_IMODE(path.stat().st_mode)
    backup = _backup(path, before, mode)
    _write(path, json.dumps(settings, indent=2, ensure_ascii=False).encode() + b"\n", mode)
    return f"changed {shown(path)}; what it was is in {shown(backup)}; start the game"


def _write(path: Path, data: bytes, mode: int) -> None:
    """Write a file that nobody may read, at no moment, who may not with its mode."""
    replace(path, data, private=True)
    path.chmod(mode)


def _backup(path: Path, data: bytes, mode: int) -> Path:
    """Write a copy under a name that is free."""
    stamp = time.strftime("%Y%m%d-%H%M%S")
    for number in range(_MOST_BACKUPS):
        target = path.with_name(f"{path.name}.{stamp}{f'-{number}' if number else ''}.backup")
        if not target.exists():
            _write(target, data, mode)
            return target
    raise Busy(f"{shown(path)} has {_MOST_BACKUPS} copies of this second", path=path)


def _read(path: Path) -> Settings:
    return _parse(read_regular(path, MAX_BYTES), path)


def _parse(data: bytes, path: Path) -> Settings:
    try:
        found = json.loads(data.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        why = "it is nested too deep" if isinstance(error, RecursionError) else error
        raise Corrupt(f"{shown(path)} is no JSON: {why}", path=path) from error
    if not isinstance(found, dict):
        raise Corrupt(f"{shown(path)} holds no settings of plugins", path=path)
    return found


def _of_plugin(settings: Settings) -> Settings:
    found = settings.get(NAME)
    return dict(found) if isinstance(found, dict) else {}


def _faults(settings: Settings) -> dict[str, tuple[int, str]]:
    """Return the keys that must change: their right value, and why."""
    faults = {}
    if _number(settings.get(ENABLED, 0)) != 1:
        near = ', and "Enabled" needs a space in front' if "Enabled" in settings else ""
        faults[ENABLED] = (1, f'the plugin is off: "{ENABLED}" is {_shown(settings, ENABLED)}{near}')
    mask = _number(settings.get(MASK, 0))
    if mask is None or mask & NEEDED_BITS:
        wanted = (mask or 0) & ~NEEDED_BITS
        faults[MASK] = (wanted, f"{MASK} {_shown(settings, MASK)} leaves out telemetry or scoring")
    if _number(settings.get(GLOBAL, 0)) != 0:
        faults[GLOBAL] = (0, f"{GLOBAL} {_shown(settings, GLOBAL)} leaves the buffers empty")
    return faults


def _number(value: object) -> int | None:
    """Return a whole number, as the game takes it; None for what is none."""
    if isinstance(value, int) or (isinstance(value, float) and value.is_integer()):
        return int(value)
    return None


def _shown(settings: Settings, key: str) -> str:
    return json.dumps(settings[key])[:40] if key in settings else "not set"


def _told(settings: Settings) -> str:
    return f'"{ENABLED}" is 1, {MASK} is {_shown(settings, MASK)}'
