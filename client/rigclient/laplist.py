"""What a list of laps is whose pages are fetched as one looks at them: for both clients."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, NamedTuple, Self, overload

from rig.infos import LapInfo
from rig.signs import visible
from rig.v1 import laps_pb2
from riglap.extras import need
from riglap.names import short_names
from riglap.times import lap_time

_SHOWN: Final = 12
"""Laps in the text of a list."""
_ALL: Final = 1 << 62

Condition = Callable[[LapInfo], bool]


class AsyncLapList:
    """What is known so far, and the request for the rest; None when there is none."""

    def __init__(
        self,
        rig: Any,
        request: laps_pb2.ListLapsRequest | None,
        known: Iterable[LapInfo] = (),
        conditions: tuple[Condition, ...] = (),
    ) -> None:
        self._rig = rig
        self._request = request
        self._known = list(known)
        self._conditions = conditions

    def pick_driver(self, driver: str) -> Self:
        """Return the laps of drivers whose name has this part, in any case."""
        part = driver.casefold()
        return self._picked(lambda lap: part in lap.driver.casefold(), driver=driver)

    def pick_class(self, vehicle_class: str) -> Self:
        """Return the laps of classes whose name has this part, in any case."""
        part = vehicle_class.casefold()
        return self._picked(lambda lap: part in lap.vehicle_class.casefold(), vehicle_class=vehicle_class)

    def pick_car(self, slot: int) -> Self:
        """Return the laps of the car in this slot."""
        return self._picked(lambda lap: lap.car == slot)

    def pick_valid(self) -> Self:
        """Return the laps that count."""
        return self._picked(lambda lap: lap.valid, valid=True)

    def _picked(self, condition: Condition, **narrower: Any) -> Self:
        """Return the laps that meet one more condition; the rig leaves the others out where it can."""
        conditions = (*self._conditions, condition)
        if self._request is None:
            return type(self)(self._rig, None, filter(condition, self._known))
        request = laps_pb2.ListLapsRequest()
        request.CopyFrom(self._request)
        request.page_token = ""
        given = {field.name for field, _ in request.filter.ListFields()}
        for name in narrower.keys() - given:
            setattr(request.filter, name, narrower[name])
        return type(self)(self._rig, request, conditions=conditions)

    def _by_time(self) -> Self:
        """Return the valid ones, the fastest first."""
        timed = self._picked(lambda lap: lap.valid and lap.lap_time is not None, valid=True)
        if timed._request is not None:
            timed._request.order_by = "lap_time"
        timed._known.sort(key=lambda lap: lap.lap_time or 0.0)
        return timed

    def _take(self, page: laps_pb2.ListLapsResponse) -> None:
        """Add a page of the answer."""
        assert self._request is not None
        found = map(LapInfo.of, page.laps)
        self._known += [lap for lap in found if all(meets(lap) for meets in self._conditions)]
        self._request.page_token = page.next_page_token
        if not page.next_page_token:
            self._request = None

    def __repr__(self) -> str:
        return _table(self._known[:_SHOWN], more=self._request is not None or len(self._known) > _SHOWN)


class LapList(AsyncLapList, Sequence[LapInfo]):
    """The blocking list: it has a length, items and slices as well."""

    def _reach(self, count: int) -> bool:
        raise NotImplementedError

    def __len__(self) -> int:
        self._reach(_ALL)
        return len(self._known)

    def __bool__(self) -> bool:
        return self._reach(1)

    @overload
    def __getitem__(self, at: int) -> LapInfo: ...

    @overload
    def __getitem__(self, at: slice) -> Self: ...

    def __getitem__(self, at: int | slice) -> "LapInfo | Self":
        if isinstance(at, int):
            self._reach(at + 1 if at >= 0 else _ALL)
            return self._known[at]
        stop = at.stop if at.stop is not None else _ALL
        forward = min(at.start or 0, stop) >= 0 and (at.step or 1) > 0
        self._reach(stop if forward else _ALL)
        return type(self)(self._rig, None, self._known[at])

    def __repr__(self) -> str:
        self._reach(_SHOWN + 1)
        return super().__repr__()


def frame(laps: Iterable[LapInfo]) -> Any:
    """Return a pandas.DataFrame with a row per lap and a column per attribute. Raises Unavailable without
    pandas.
    """
    return need("pandas", "export").DataFrame([lap.to_dict() for lap in laps])


class _Line(NamedTuple):
    """A line of the text of a list."""

    lap: str
    driver: str
    vehicle_class: str
    time: str
    valid: str


def _line(name: str, lap: LapInfo) -> _Line:
    valid = "" if lap.valid else "not valid"
    time = lap_time(lap.lap_time or 0.0)
    return _Line(visible(name), visible(lap.driver), visible(lap.vehicle_class), time, valid)


def _table(laps: list[LapInfo], *, more: bool) -> str:
    if not laps and not more:
        return "no laps"
    lines = [_Line("lap", "driver", "class", "time", "")]
    lines += map(_line, short_names([lap.name for lap in laps]), laps)
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    rows = ["  ".join(map(str.ljust, line, widths)).rstrip() for line in lines]
    return "\n".join([*rows, *["..."] * more])
