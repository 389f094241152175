"""What many sessions add up to: results, championship, figures and factors of drivers, forecasts of pace.

    sessions = season_sessions(session_messages, lap_messages)
    told = season(sessions, preset("f1"))

Formulas stand in docs/guide/season.md.
"""

from riglap.season.laps import SeasonLap, SeasonSession, season_sessions
from riglap.season.points import PRESETS, preset
from riglap.season.season import MOST_LAPS, season

__all__ = ["MOST_LAPS", "PRESETS", "SeasonLap", "SeasonSession", "preset", "season", "season_sessions"]
