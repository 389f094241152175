"""The live view: leaderboard, cockpit, tyres and curves of a race, in a terminal."""

from rigclient.cli.watch.live import WatchSummary, watch

__all__ = ["WatchSummary", "watch"]
