"""What the recorder says of itself, once a second."""

import time

import rigd
from rig.v1 import rig_pb2
from rigd.process import ProcessMeter
from rigd.record.handover import Handover
from rigd.record.latency import Histogram
from rigd.record.settings import Settings
from rigd.record.summary import RecordingSummary
from rigd.sources.rf2.source import Source


class Figures:
    """Measures the work of the tick thread, and puts all figures together."""

    def __init__(self, settings: Settings, source: Source, handover: Handover) -> None:
        self.work, self.lateness = Histogram(), Histogram()
        self._settings, self._source, self._handover = settings, source, handover
        self._meter = ProcessMeter()
        self._before = 0, 0

    def status(self, summary: RecordingSummary, passed_s: float) -> rig_pb2.RecorderStatus:
        """Return the status, `passed_s` after the last one, without what is known of the game."""
        captured, updates = self._before
        self._before = summary.captured, summary.updates
        status = rig_pb2.RecorderStatus(
            physics_rate_hz=(summary.captured - captured) / passed_s,
            scoring_rate_hz=(summary.updates - updates) / passed_s,
            captured=summary.captured,
            missed=summary.missed,
            missed_updates=summary.missed_updates,
            counter_jumps=summary.counter_jumps,
            losses=summary.losses.values(),
            commit_every_s=self._settings.commit_every_s,
            cars_setting="player" if self._settings.player_only else "all",
            tick_work=self.work.status(),
            tick_lateness=self.lateness.status(),
            process=self._meter.status(),
            version=rigd.__version__,
            time_ns=time.time_ns(),
        )
        status.MergeFrom(self._reading())
        status.MergeFrom(self._storing())
        return status

    def _reading(self) -> rig_pb2.RecorderStatus:
        """Return what the game's memory did to us."""
        reader = self._source.telemetry_reader
        return rig_pb2.RecorderStatus(
            torn_retries=reader.torn_retries,
            torn_given_up=reader.given_up,
            duplicates=reader.duplicates,
            rejected=reader.rejected,
            fallbacks=reader.fallbacks,
        )

    def _storing(self) -> rig_pb2.RecorderStatus:
        """Return how the disk and the memory take it."""
        committer = self._handover.committer
        return rig_pb2.RecorderStatus(
            committed=committer.committed,
            pending=committer.pending,
            pending_bytes=committer.pending_bytes,
            disk_error=committer.error,
            loss_window_ms=committer.loss_window_ms(),
            commit=committer.latency.status(),
            durable_seq=committer.durable_seq,
            tail_error=self._handover.error,
            tails_lost=self._handover.lost,
        )
