"""What comes for Prometheus and Grafana: rules that do what they say, names that exist, a true page."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from docs import write_metrics
from rigd import metrics
from rigd.record.latency import EDGES_MS

ROOT = Path(__file__).resolve().parents[2]
RULES = ROOT / "docs/prometheus/rules.yml"
DASHBOARD = ROOT / "docs/grafana/rigd.json"
CASES = ROOT / "tests/docs/rules_test.yml"


@pytest.fixture
def promtool() -> str:
    """Prometheus' own tool; .ci/run unpacks Debian's."""
    found = shutil.which("promtool") or shutil.which(ROOT / "build/prometheus/usr/bin/promtool")
    if found is None:
        pytest.skip("promtool is not here: install Debian's package prometheus; .ci/run does")
    return found


def run(promtool: str, *words: str) -> None:
    done = subprocess.run([promtool, *words], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def exported() -> set[str]:
    """Every name that a question may have."""
    names = {name for name, *_ in metrics.rows()}
    histograms = {metric.full_name for metric in metrics.METRICS if metric.kind == metrics.HISTOGRAM}
    return names | {f"{name}_{part}" for name in histograms for part in ("bucket", "sum", "count")}


def asked(text: str) -> set[str]:
    return set(re.findall(r"\brigd_[a-z0-9_]+", text))


def expressions(panel: dict[str, Any]) -> Iterator[str]:
    yield from (target["expr"] for target in panel["targets"])


class TestRules:
    def test_they_are_rules(self, promtool: str) -> None:
        run(promtool, "check", "rules", str(RULES))
        run(promtool, "check", "config", str(RULES.with_name("prometheus.yml")))

    def test_each_fires_when_it_must_and_only_then(self, promtool: str) -> None:
        run(promtool, "test", "rules", str(CASES))

    def test_every_alert_is_tried(self) -> None:
        alerts = re.findall(r"alert: (\w+)", RULES.read_text())
        tried = CASES.read_text()
        assert len(alerts) > 8
        assert [one for one in alerts if f"alertname: {one} }}" not in tried] == []
        assert [one for one in alerts if f'alertname="{one}"' not in tried] == []

    def test_every_metric_exists(self) -> None:
        assert asked(RULES.read_text()) - exported() == set()
        assert asked(CASES.read_text()) - exported() == set()


class TestDashboard:
    def test_every_metric_exists_and_every_panel_asks_for_one(self) -> None:
        panels = json.loads(DASHBOARD.read_text())["panels"]
        for panel in panels:
            for expression in expressions(panel):
                assert asked(expression), panel["title"]
        assert asked(DASHBOARD.read_text()) - exported() == set()

    def test_panels_have_room_and_names_of_their_own(self) -> None:
        panels = json.loads(DASHBOARD.read_text())["panels"]
        taken = [cell for panel in panels for cell in _cells(panel["gridPos"])]
        assert len(taken) == len(set(taken))
        assert max(x for x, _ in taken) < 24
        for key in ("id", "title"):
            assert len({panel[key] for panel in panels}) == len(panels)


def _cells(place: dict[str, int]) -> Iterator[tuple[int, int]]:
    for x in range(place["x"], place["x"] + place["w"]):
        for y in range(place["y"], place["y"] + place["h"]):
            yield x, y


class TestPage:
    def test_its_table_is_fresh(self) -> None:
        page = write_metrics.PAGE.read_text()
        assert page == write_metrics.written(page), "run `.venv/bin/python docs/write_metrics.py`"

    def test_every_metric_in_it_exists(self) -> None:
        assert asked(write_metrics.PAGE.read_text()) - exported() == set()

    def test_everything_said_of_the_buckets_is_so(self) -> None:
        text = write_metrics.PAGE.read_text()
        assert f"{len(EDGES_MS)} edges" in text
        assert (round(EDGES_MS[0] * 1000), round(EDGES_MS[-1] / 1000)) == (45, 14)
