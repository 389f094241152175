"""A rig with the laps of a short race."""

from collections.abc import Iterator

import pytest

from tests.rigclient.field import race
from tests.rigclient.lap_rig import LapRig


@pytest.fixture
def lap_rig() -> Iterator[LapRig]:
    serving = race()
    yield serving
    serving.stop()
