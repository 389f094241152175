"""The pace that is to be expected, and how good such forecasts were."""

from collections.abc import Iterator

from rig.v1 import season_pb2
from riglap.season.page import drawings
from riglap.season.page.markup import PageColumn, count, names, table, tag, text
from riglap.times import lap_time


def forecast(season: season_pb2.Season) -> Iterator[str]:
    """Yield the part."""
    if not season.forecasts:
        yield tag(
            "p", "A forecast takes three sessions and three drivers of a class with five laps at pace each."
        )
    else:
        yield tag(
            "p",
            "Pace is the mean of the laps at pace. It lies between from and to in four of five cases; the "
            "gap to the field is surer than the time, since weather and rubber are the same for all.",
            class_="dim",
        )
    yield from (tag("p", text(line), class_="dim") for line in quality(season))
    for one in season.forecasts:
        told = f" {one.vehicle_class} · {count(one.sessions, 'session')} here"
        summary = tag("summary", tag("b", text(one.track_name)), tag("span", text(told), class_="dim"))
        yield tag("details", summary, _circuit(one))


def quality(season: season_pb2.Season) -> Iterator[str]:
    """Yield how good the forecasts were, in sentences."""
    if not season.HasField("quality"):
        yield "Too few sessions to tell how good forecasts are: it takes four."
        return
    told = season.quality
    yield (
        f"Tried on {told.sessions} sessions, each forecast from all others: the gap to the field was wrong "
        f"by {told.gap_error:.2f} % on average ({told.naive_gap_error:.2f} % with that of the session "
        f"before), and within its interval {100 * told.gap_coverage:.0f} of 100 times; 80 are meant."
    )
    if told.forecasts:
        yield (
            f"The lap time itself was wrong by {told.error:.2f} % ({told.naive_error:.2f} % with the mean of"
            f" other sessions there), and within its interval {100 * told.coverage:.0f} of 100 times."
        )


def _circuit(one: season_pb2.CircuitForecast) -> str:
    columns = [
        names("driver"),
        PageColumn("pace"),
        PageColumn("from"),
        PageColumn("to"),
        PageColumn("to the field %"),
        names(""),
        PageColumn("driven", "sessions of the driver in the season"),
        PageColumn("here", "those on this circuit"),
    ]
    low = min((each.gap - each.gap_error for each in one.drivers), default=0.0)
    high = max((each.gap + each.gap_error for each in one.drivers), default=0.0)
    cells = [
        [
            text(each.driver),
            tag("b", lap_time(each.pace)),
            lap_time(each.low),
            lap_time(each.high),
            f"{each.gap:+.2f} ± {each.gap_error:.2f}",
            drawings.interval(each.gap - each.gap_error, each.gap, each.gap + each.gap_error, (low, high)),
            str(each.sessions),
            str(each.sessions_here or ""),
        ]
        for each in one.drivers
    ]
    return table(f"Forecast {one.track_name}", columns, cells, [each.driver for each in one.drivers])
