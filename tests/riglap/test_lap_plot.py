"""`lap.plot()`: a figure of channels over the distance, against other laps, and as a file."""

from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure

from rig.errors import BadRequest, MissingChannel
from riglap.lap import Lap
from tests.riglap import driven


def titles(figure: Figure) -> list[str]:
    return [axis.get_ylabel().replace("\n", " ") for axis in figure.axes]


@pytest.fixture
def lap() -> Lap:
    return driven.lap()


def test_the_usual_channels_over_the_distance(lap: Lap) -> None:
    figure = lap.plot()
    assert isinstance(figure, Figure)
    assert titles(figure) == ["speed [km/h]", "throttle", "brake", "gear"]
    assert len(np.asarray(figure.axes[0].get_lines()[0].get_xdata())) == len(lap)


def test_against_others_there_is_what_they_lose(lap: Lap) -> None:
    other = driven.lap(driven.info(4, lap_time=93.0))
    for against in (other, [other]):
        figure = lap.plot(["speed"], against=against)
        assert [title for title in titles(figure) if "[s]" in title]
        assert len(figure.axes) == 2


def test_it_is_written_by_its_ending(lap: Lap, tmp_path: Path) -> None:
    for name, begin in (("lap.png", b"\x89PNG"), ("lap.html", b"<!doctype html>")):
        lap.plot(["speed"], path=tmp_path / name)
        assert (tmp_path / name).read_bytes().startswith(begin)
    with pytest.raises(BadRequest, match=r"\.html, \.png"):
        lap.plot(path="lap.jpeg2")


def test_what_is_missing_is_named(lap: Lap) -> None:
    columns = driven.samples()
    del columns["distance"]
    with pytest.raises(MissingChannel, match="'distance'"):
        driven.lap(columns=columns).plot()
    with pytest.raises(MissingChannel, match="'camber'"):
        lap.plot(["camber"])
    del (alone := driven.samples())["gear"]
    assert titles(driven.lap(columns=alone).plot()) == ["speed [km/h]", "throttle", "brake"]
