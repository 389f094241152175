"""A check beside a recorder and an archiver that work takes nothing half done for wrong."""

from collections.abc import Iterator

import pytest

from rigd.verify.run import DataCheck
from tests.stage import Stage, events, stage, until

CHECKS = 2
CARS, SPEED = 2, 6


@pytest.fixture
def running() -> Iterator[Stage]:
    """A race at several times its pace, recorded and archived."""
    with stage() as here:
        pace = ("--short", "--cars", str(CARS), "--speed", str(SPEED), "--rate", "50")
        here.start("rigd", "demo-game", "--buffers", str(here.buffers), *pace)
        here.record()
        here.archive()
        until(lambda: any(here.data.glob("laps/*/[!.]*.lap")))
        yield here


def test_nothing_is_wrong_at_any_moment(running: Stage) -> None:
    before = len(events(running.data))
    for _ in range(CHECKS):
        findings = [
            f for response in DataCheck(running.data, deep=True).responses() for f in response.findings
        ]
        assert findings == []
    assert len(events(running.data)) > before, "the race went on"
