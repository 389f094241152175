"""The figures of the status as Prometheus takes them: one table, from fields of the contract to metrics.

Names, labels and units follow Prometheus' conventions: base units, `_total` on what only grows. Labels have
few values, whoever comes: daemons, streams, reasons. What is not said now (no recorder, no ring) has no
samples.
"""

from collections.abc import Iterable, Iterator
from itertools import accumulate
from typing import Any, Final, NamedTuple

from rig.v1 import event_pb2, rig_pb2

COUNTER: Final = "counter"
GAUGE: Final = "gauge"
HISTOGRAM: Final = "histogram"

PREFIX: Final = "rigd_"

_SCALES: Final = {"_ms": 1e-3, "_ns": 1e-9}
"""To seconds, by the ending of a field."""

DAEMONS: Final = {"record": "recorder", "archive": "archiver", "serve": ""}
"""The daemons, and where the status has each one's words."""


class Metric(NamedTuple):
    """A row of the table."""

    name: str
    """Without prefix; a counter's is exported with `_total`."""
    kind: str
    meaning: str
    field: str
    """Path in the status. One through `*` is there for every daemon; a repeated message brings its labels."""

    @property
    def full_name(self) -> str:
        """Return the name under which a question finds it."""
        return PREFIX + self.name + ("_total" if self.kind == COUNTER else "")

    @property
    def labels(self) -> tuple[str, ...]:
        """Return the names of its labels."""
        return _labels(self.field)


METRICS: Final = (
    Metric("time_seconds", GAUGE, "wall clock of the server, unix time", "time_ns"),
    # What the recorder does.
    Metric("physics_rate_hertz", GAUGE, "ticks in the last second", "recorder.physics_rate_hz"),
    Metric(
        "scoring_rate_hertz", GAUGE, "scoring updates read in the last second", "recorder.scoring_rate_hz"
    ),
    Metric("cars", GAUGE, "cars in the last frame", "recorder.cars"),
    Metric("ticks_captured", COUNTER, "frames taken", "recorder.captured"),
    Metric("ticks_committed", COUNTER, "frames durably stored", "recorder.committed"),
    Metric(
        "missed_records", COUNTER, "records declared missing, by stream and reason", "recorder.losses.missing"
    ),
    Metric(
        "missed_declarations", COUNTER, "times that a loss was declared", "recorder.losses.declarations"
    ),
    Metric("torn_retries", COUNTER, "reads repeated because the frame was changing", "recorder.torn_retries"),
    Metric("torn_given_up", COUNTER, "reads given up for the same reason", "recorder.torn_given_up"),
    Metric(
        "duplicate_frames", COUNTER, "frames that repeated the clock of the one before", "recorder.duplicates"
    ),
    Metric("rejected_frames", COUNTER, "frames refused as implausible", "recorder.rejected"),
    Metric("fallback_frames", COUNTER, "frames taken car by car: they stayed open", "recorder.fallbacks"),
    Metric("uncounted_jumps", COUNTER, "losses that nobody can count", "recorder.counter_jumps"),
    Metric("pending_records", GAUGE, "records captured and not yet durable", "recorder.pending"),
    Metric("pending_bytes", GAUGE, "their bytes", "recorder.pending_bytes"),
    Metric("loss_window_seconds", GAUGE, "what a power cut would take now", "recorder.loss_window_ms"),
    Metric(
        "commit_interval_seconds", GAUGE, "setting: time between commits", "recorder.commit_every_s"
    ),
    Metric("tails_lost", COUNTER, "times that the live tail was lost", "recorder.tails_lost"),
    Metric("tick_work_seconds", HISTOGRAM, "work on a frame, up to its hand-over", "recorder.tick_work"),
    Metric(
        "tick_lateness_seconds", HISTOGRAM, "from a frame's expected arrival to its capture",
        "recorder.tick_lateness",
    ),
    Metric("commit_seconds", HISTOGRAM, "a durable commit", "recorder.commit"),
    Metric("durable_sequence", GAUGE, "newest durable number of physics", "recorder.durable_seq"),
    Metric("session", GAUGE, "number of the session within the ring", "recorder.session"),
    Metric("recorder_time_seconds", GAUGE, "wall clock at which the recorder spoke", "recorder.time_ns"),
    # The ring.
    Metric("ring_bytes", GAUGE, "bytes of records held", "ring.bytes"),
    Metric("ring_limit_bytes", GAUGE, "bytes it may hold before the oldest go", "ring.limit_bytes"),
    Metric("ring_first_sequence", GAUGE, "oldest number held", "ring.spans.first_seq"),
    Metric("ring_last_sequence", GAUGE, "newest durable number", "ring.spans.last_seq"),
    Metric("ring_first_time_seconds", GAUGE, "capture of the oldest, unix time", "ring.spans.first_time_ns"),
    Metric("ring_last_time_seconds", GAUGE, "capture of the newest, unix time", "ring.spans.last_time_ns"),
    # The archive.
    Metric("laps_archived", COUNTER, "laps archived", "archiver.archived"),
    Metric("laps", GAUGE, "laps kept", "archiver.laps"),
    Metric("laps_bytes", GAUGE, "bytes of their files", "archiver.bytes"),
    Metric("archive_behind_events", GAUGE, "events that the archiver has not come to yet", "archiver.behind"),
    Metric(
        "archive_eviction_ratio", GAUGE, "how near the next lap to archive is to leaving the ring, 1 is next",
        "archiver.eviction",
    ),
    Metric("archive_nice", GAUGE, "nice value of the archiver: 0 when it is urgent", "archiver.nice"),
    Metric("laps_lost", GAUGE, "laps deleted though someone wanted them", "archiver.lost"),
    Metric("disk_free_bytes", GAUGE, "free on the disk of the archive", "archiver.free_bytes"),
    Metric("laps_evicted", COUNTER, "laps that retention deleted", "archiver.evicted"),
    Metric("laps_evicted_bytes", COUNTER, "their bytes", "archiver.evicted_bytes"),
    Metric(
        "laps_evicted_ever", GAUGE, "laps that retention deleted ever, of sessions that are kept",
        "archiver.evicted_ever",
    ),
    Metric("laps_evicted_ever_bytes", GAUGE, "their bytes", "archiver.evicted_ever_bytes"),
    Metric("marks_pending", GAUGE, "marks that wait to be kept", "archiver.marks_pending"),
    Metric("marks_bytes", GAUGE, "bytes of the excerpts of marks", "archiver.marks_bytes"),
    Metric("marks_limit_bytes", GAUGE, "setting: most bytes of excerpts", "archiver.marks_limit_bytes"),
    Metric("marks_room_bytes", GAUGE, "bytes that may be marked now", "archiver.marks_room_bytes"),
    Metric("corners_computed", COUNTER, "laps whose corners were computed", "archiver.corners"),
    Metric(
        "corners_pending", GAUGE, "laps to be looked at for their corners", "archiver.corners_pending"
    ),
    Metric(
        "corners_failed", COUNTER, "laps whose corners could not be had or kept", "archiver.corners_failed"
    ),
    Metric("laps_unsynced", GAUGE, "laps that no warehouse has confirmed", "archiver.unsynced"),
    Metric(
        "unsynced_since_seconds", GAUGE, "when the oldest of them that was recorded began, unix time",
        "archiver.unsynced_since_ns",
    ),
    # Who reads.
    Metric("followers", GAUGE, "streams that are followed", "followers"),
    Metric("followers_stalled", GAUGE, "followers that have stopped reading", "followers.stalled"),
    Metric("follower_lag_records", GAUGE, "records that the slowest follower is behind", "followers.lag"),
    # What is wrong.
    Metric("trouble_since_seconds", GAUGE, "beginning of a daemon's trouble, unix time", "troubles.since_ns"),
    # What it costs.
    Metric("up", GAUGE, "1 when the daemon was heard in the last three seconds", "*"),
    Metric("process_cpu_seconds", COUNTER, "seconds of a core", "*.process.cpu_s"),
    Metric("process_resident_bytes", GAUGE, "memory without pages of files", "*.process.rss_bytes"),
    Metric("process_file_bytes", GAUGE, "resident pages of mapped files", "*.process.rss_file_bytes"),
    Metric("process_uptime_seconds", GAUGE, "since it started", "*.process.uptime_s"),
)  # fmt: skip
"""Every metric there is."""

_QUANTILE: Final = "the buckets of its histogram say it"
_ONE_BY_ONE: Final = "of one follower, and a label for each would have no bound; a sum falls when one leaves"
EXCLUDED: Final = {
    **{
        f"recorder.{name}.{part}": _QUANTILE
        for name in ("tick_work", "tick_lateness", "commit")
        for part in ("p50_ms", "p99_ms", "max_ms")
    },
    **{f"followers.{name}": _ONE_BY_ONE for name in ("seq", "messages", "bytes", "skipped", "missed")},
    **{f"followers.{name}": _ONE_BY_ONE for name in ("channels", "age_s", "acknowledged_seq")},
    "recorder.missed": "the sum of `missed_records` of physics",
    "recorder.missed_updates": "the sum of `missed_records` of scoring",
    **{f"{at}process.pid": "names a process, measures nothing" for at in ("", "recorder.", "archiver.")},
    **{
        f"{at}process.cpu_percent": "the rate of `process_cpu_seconds`, over any time"
        for at in ("", "recorder.", "archiver.")
    },
}
"""Numbers of the status that no metric has, and why."""

_STREAMS: Final = {
    number: name.removeprefix("STREAM_").lower() for name, number in event_pb2.Stream.items() if number
}
_REASONS: Final[dict[int, str]] = {
    number: name.removeprefix("GAP_REASON_").lower() for name, number in event_pb2.GapReason.items()
}
_LABELS: Final = {
    "ring.spans": ("stream",),
    "recorder.losses": ("stream", "reason"),
    "followers": ("stream",),
    "troubles": ("daemon",),
    "*": ("daemon",),
}
"""Names of labels, by where a path begins."""

_Sample = tuple[tuple[str, ...], Any]
"""Values of the labels; a number in base units, or a Latency."""


def fields(metric: Metric) -> list[str]:
    """Return the paths of the status that a metric shows."""
    if not metric.field.startswith("*"):
        return [metric.field]
    return [metric.field.replace("*", at, 1).strip(".") for at in DAEMONS.values()]


def samples(metric: Metric, status: rig_pb2.GetStatusResponse) -> list[_Sample]:
    """Return what a metric says now; nothing when nobody speaks of it."""
    if metric.field == "*":
        return [((name,), int(not at or _has(status, at))) for name, at in DAEMONS.items()]
    if metric.field.startswith("*"):
        paths = zip(DAEMONS, fields(metric), strict=True)
        return [((daemon,), value) for daemon, path in paths for _, value in _values(status, path)]
    found = list(_values(status, metric.field))
    return _by_stream(metric, found) if metric.field.startswith("followers") else found


def exposition(status: rig_pb2.GetStatusResponse) -> bytes:
    """Return the text that Prometheus reads. Raises ImportError without `prometheus_client`, which is loaded
    here, by whoever asks for it.
    """
    from prometheus_client.exposition import generate_latest

    return generate_latest(_Collector(status))


def rows() -> Iterator[tuple[str, str, str, str]]:
    """Return the table for people: name, kind, labels, meaning."""
    for name, label, meaning in _INFOS:
        yield f"{PREFIX}{name}_info", GAUGE, f"`{label}`", meaning
    for metric in METRICS:
        yield metric.full_name, metric.kind, ", ".join(f"`{name}`" for name in metric.labels), metric.meaning


_INFOS: Final = (
    ("build", "version", "always 1"),
    ("source", "state", "always 1; what the recorder sees of the game, in the words of `rigd doctor`"),
)


class _Collector:
    """One status, as the library asks for it."""

    def __init__(self, status: rig_pb2.GetStatusResponse) -> None:
        self._status = status

    def collect(self) -> Iterator[Any]:
        """Return a family of samples for every metric."""
        from prometheus_client.core import GaugeMetricFamily

        said = (self._status.version, self._status.recorder.source_state.lower())
        for (name, label, meaning), value in zip(_INFOS, said, strict=True):
            family = GaugeMetricFamily(f"{PREFIX}{name}_info", meaning, labels=(label,))
            if value:
                family.add_metric((value,), 1)
            yield family
        for metric in METRICS:
            yield _family(metric, samples(metric, self._status))


def _family(metric: Metric, found: Iterable[_Sample]) -> Any:
    from prometheus_client import core

    kinds = {COUNTER: core.CounterMetricFamily, GAUGE: core.GaugeMetricFamily}
    if metric.kind == HISTOGRAM:
        return _histogram(metric, found)
    family = kinds[metric.kind](PREFIX + metric.name, metric.meaning, labels=metric.labels)
    for labels, value in found:
        family.add_metric(labels, value)
    return family


def _histogram(metric: Metric, found: Iterable[_Sample]) -> Any:
    from prometheus_client.core import HistogramMetricFamily

    family = HistogramMetricFamily(PREFIX + metric.name, metric.meaning, labels=metric.labels)
    for labels, latency in found:
        edges = [f"{edge / 1e3:.4g}" for edge in latency.edges_ms] + ["+Inf"]
        if len(edges) == len(latency.counts):  # a recorder of an earlier version says none
            buckets = zip(edges, accumulate(latency.counts), strict=True)
            family.add_metric(labels, list(buckets), latency.sum_ms / 1e3)
    return family


def _labels(path: str) -> tuple[str, ...]:
    return next((labels for at, labels in _LABELS.items() if f"{path}.".startswith(f"{at}.")), ())


def _has(message: Any, name: str) -> bool:
    return bool(message.HasField(name))


def _values(message: Any, path: str, labels: tuple[str, ...] = ()) -> Iterator[_Sample]:
    """Follow a path through a message; the repeated ones on it bring their labels."""
    name, _, rest = path.partition(".")
    value = getattr(message, name)
    if hasattr(value, "append") or hasattr(value, "add"):
        for one in value:
            mine = (*labels, *_told(one))
            yield from _values(one, rest, mine) if rest else [(mine, 1)]
    elif not rest:
        yield labels, value * _scale(name) if isinstance(value, int | float) else value
    elif _has(message, name):
        yield from _values(value, rest, labels)


def _told(one: Any) -> tuple[str, ...]:
    """Return the values of a repeated message's labels."""
    if hasattr(one, "daemon"):
        return (one.daemon,)
    stream = _STREAMS.get(one.stream, "unknown")
    return (stream, _reason(one.reason)) if hasattr(one, "reason") else (stream,)


def _reason(number: int) -> str:
    """Return a gap's reason in lower case; one of a newer version is unknown."""
    return _REASONS.get(number, "unknown")


def _scale(name: str) -> float:
    return next((scale for ending, scale in _SCALES.items() if name.endswith(ending)), 1)


def _by_stream(metric: Metric, found: list[_Sample]) -> list[_Sample]:
    """Take the followers of a stream together: their number, or the largest lag."""
    together = max if metric.field.endswith("lag") else sum
    return [
        ((stream,), together([0, *(value for labels, value in found if labels == (stream,))]))
        for stream in _STREAMS.values()
    ]
