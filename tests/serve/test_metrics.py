"""The figures for Prometheus are those of the status: all of them, under names of its conventions."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from prometheus_client.parser import text_string_to_metric_families

from rig.v1 import event_pb2, rig_pb2
from rigd import metrics
from rigd.metrics import COUNTER, HISTOGRAM, METRICS
from rigd.record.latency import Histogram

_TEXTS = (FieldDescriptor.TYPE_STRING, FieldDescriptor.TYPE_BYTES, FieldDescriptor.TYPE_ENUM)


def numbers(message: Descriptor, at: str = "") -> Iterator[str]:
    """Every path to a number of a message. A distribution is one, beside its quantiles."""
    for field in message.fields:
        path = f"{at}.{field.name}".strip(".")
        if field.message_type is not None and field.message_type.name != "Latency":
            yield from numbers(field.message_type, path)
        elif field.message_type is not None:
            yield path
            yield from (f"{path}.{part}" for part in ("p50_ms", "p99_ms", "max_ms"))
        elif field.type not in _TEXTS:
            yield path


def read(status: rig_pb2.GetStatusResponse) -> dict[tuple[str, tuple[str, ...]], float]:
    """Every sample that Prometheus would keep, by name and values of the labels, stream before reason."""
    families = text_string_to_metric_families(metrics.exposition(status).decode())
    return {
        (
            sample.name,
            tuple(sample.labels[name] for name in sorted(sample.labels, reverse=True)),
        ): sample.value
        for family in families
        for sample in family.samples
    }


def whole() -> rig_pb2.GetStatusResponse:
    """A status in which every number is another one."""
    status = rig_pb2.GetStatusResponse(version="0.2.0")
    status.recorder.source_state = "LIVE"
    for stream in event_pb2.Stream.values()[1:]:
        status.ring.spans.add(stream=stream)
        status.recorder.losses.add(stream=stream, reason=event_pb2.GAP_REASON_DISK)
    status.troubles.add(daemon="archive")
    values = iter(range(1000, 100_000, 7))
    _fill(status, values)
    histogram = Histogram()
    histogram.add(1_000_000)
    histogram.add(30_000_000)
    status.recorder.commit.CopyFrom(histogram.status())
    return status


def _fill(message: Any, values: Iterator[int]) -> None:
    for field in message.DESCRIPTOR.fields:
        if field.message_type is None and field.type not in _TEXTS and not _repeated(field):
            setattr(message, field.name, field.type != FieldDescriptor.TYPE_BOOL and next(values))
        elif field.message_type is not None:
            value = getattr(message, field.name)
            for one in value if _repeated(field) else [value]:
                _fill(one, values)


def _repeated(field: FieldDescriptor) -> bool:
    return bool(field.is_repeated)


def test_every_number_of_the_status_is_exported_or_has_a_reason_why_not() -> None:
    found = set(numbers(rig_pb2.GetStatusResponse.DESCRIPTOR))
    shown = {path for metric in METRICS for path in metrics.fields(metric)}
    excluded = set(metrics.EXCLUDED)
    assert found - shown - excluded == set()
    assert excluded - found == set()
    assert shown & excluded == set()
    assert all(metrics.EXCLUDED.values())


def test_every_figure_is_the_one_of_the_status() -> None:
    status = whole()
    found = read(status)
    for metric in METRICS:
        if metric.kind != HISTOGRAM:
            for labels, value in metrics.samples(metric, status):
                assert found[metric.full_name, labels] == pytest.approx(value)
    assert found["rigd_ticks_captured_total", ()] == status.recorder.captured
    assert found["rigd_loss_window_seconds", ()] == pytest.approx(status.recorder.loss_window_ms / 1e3)
    assert found["rigd_time_seconds", ()] == pytest.approx(status.time_ns / 1e9)
    assert found["rigd_ring_last_sequence", ("scoring",)] == status.ring.spans[1].last_seq
    missing = status.recorder.losses[0].missing
    assert found["rigd_missed_records_total", ("physics", "disk")] == missing
    assert found["rigd_process_resident_bytes", ("archive",)] == status.archiver.process.rss_bytes
    assert found["rigd_source_info", ("live",)] == found["rigd_build_info", ("0.2.0",)] == 1


def test_a_distribution_is_a_histogram() -> None:
    found = read(whole())
    buckets = {
        float(labels[0]): value
        for (name, labels), value in found.items()
        if name == "rigd_commit_seconds_bucket"
    }
    assert buckets[float("inf")] == found["rigd_commit_seconds_count", ()] == 2
    assert {value for edge, value in buckets.items() if edge < 0.0009} == {0}
    assert {value for edge, value in buckets.items() if 0.0015 < edge < 0.029} == {1}
    assert found["rigd_commit_seconds_sum", ()] == pytest.approx(0.031)


def test_who_says_nothing_has_no_figures() -> None:
    found = read(rig_pb2.GetStatusResponse(version="0.2.0"))
    assert found["rigd_up", ("record",)] == found["rigd_up", ("archive",)] == 0
    assert found["rigd_up", ("serve",)] == 1
    names = {name for name, _ in found}
    assert not names & {"rigd_ticks_captured_total", "rigd_ring_bytes", "rigd_laps", "rigd_source_info"}


def test_a_recorder_of_an_earlier_version_has_no_histogram() -> None:
    status = rig_pb2.GetStatusResponse()
    status.recorder.commit.CopyFrom(rig_pb2.Latency(count=7, p50_ms=1))
    assert "rigd_commit_seconds_count" not in {name for name, _ in read(status)}


def test_labels_have_few_values_whoever_comes() -> None:
    status = rig_pb2.GetStatusResponse()
    for number in range(300):
        stream: Any = 1 + number % 3
        status.followers.add(peer=f"ipv4:10.0.0.1:{number}", stream=stream, lag=number, stalled=number > 297)
    newer: Any = 99
    status.recorder.losses.add(reason=newer, stream=newer, missing=1)
    found = read(status)
    assert len(found) < 60
    assert found["rigd_followers", ("physics",)] == 100
    assert found["rigd_follower_lag_records", ("events",)] == 299
    assert found["rigd_followers_stalled", ("events",)] == found["rigd_followers_stalled", ("scoring",)] == 1
    assert found["rigd_missed_records_total", ("unknown", "unknown")] == 1


def test_names_follow_the_conventions() -> None:
    names = [metric.full_name for metric in METRICS]
    assert len(set(names)) == len(names)
    for metric in METRICS:
        assert re.fullmatch(r"rigd(_[a-z0-9]+)+", metric.full_name)
        assert metric.full_name.endswith("_total") == (metric.kind == COUNTER)
        assert not re.search(r"_(ms|ns|s|milliseconds|percent|mb|kb)(_|$)", metric.full_name), metric.name
        if metric.field.endswith(("_ns", "_ms", "_s")):
            assert metric.name.endswith("_seconds"), metric.name
        if metric.field.endswith("bytes"):
            assert metric.name.endswith("_bytes"), metric.name
