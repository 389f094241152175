"""Whether a lap was driven under green, from what its own file tells."""

from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from rig.v1 import archive_pb2

Array = np.ndarray[Any, np.dtype[Any]]

_CAUTION: Final = 6
"""Full-course yellow, a game phase."""
_OVER: Final = (7, 8)
"""Game phases: stopped, and over."""
_STARTING: Final = (0, 1, 2, 3, 4, 9)
"""Phases of a car before the start; 9 is after the formation lap."""
_AT_ONCE_S: Final = 0.25
"""Scoring comes five times a second: a flag that close to the line was out when the lap began."""
_UNDER_YELLOW: Final = (_CAUTION, 10)
"""Phases of a car under yellow."""
_LOCAL: Final = 1
"""Sector flag of a local yellow; one build tells 11 for none."""


def green(header: archive_pb2.LapHeader, scoring: Mapping[str, Array]) -> bool | None:
    """Return whether there was no yellow during the lap, full-course or local; None when nobody can say."""
    if not scoring.keys() >= {"individual_phase", "under_yellow", "session_time"}:
        return None
    if not len(scoring["session_time"]):
        return None
    if scoring["under_yellow"].any() or np.isin(scoring["individual_phase"], _UNDER_YELLOW).any():
        return False
    changes = [event for event in header.events if event.HasField("flag_changed")]
    if not all(map(_clear, [*(event.flag_changed for event in changes), header.session.state])):
        return False
    during = [event for event in changes if event.session_time > header.lap.start_time + _AT_ONCE_S]
    return not during or _was_clear(during[0], scoring)


def _clear(state: Any) -> bool:
    """Return whether a SessionState or a FlagChanged tells no yellow."""
    return state.game_phase != _CAUTION and state.yellow_flag_state <= 0 and _LOCAL not in state.sector_flags


def _was_clear(first: Any, scoring: Mapping[str, Array]) -> bool | None:
    """Return whether it was green before the first change of the lap, which is one to green: then a yellow
    ended, unless it was the session that began or ended.
    """
    before = scoring["individual_phase"][scoring["session_time"] < first.session_time]
    if not len(before):
        return None
    return first.flag_changed.game_phase in _OVER or int(before[-1]) in _STARTING
