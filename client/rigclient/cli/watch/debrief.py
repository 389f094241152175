"""The debrief: tips for the lap that has just been archived, none of them twice unless it got worse."""

import contextlib
import threading
from collections import deque
from collections.abc import Iterable
from typing import Any, Final, NamedTuple

from rig.errors import RigError, Unavailable
from rig.infos import LapInfo
from rigclient.blocking import Rig
from riglap.times import gap, lap_time

ASK_S: Final = 1.0
_WORSE_S: Final = 0.05
"""By so much more, and by a quarter, a thing that was said before is said again."""
_MOST: Final = 5


class Told(NamedTuple):
    """What is said of one lap."""

    lap: str
    headline: str
    tips: tuple[str, ...]
    ids: tuple[str, ...]
    notes: tuple[str, ...]

    def plain(self) -> dict[str, Any]:
        """Return it for machines."""
        tips = [{"id": one, "text": text} for one, text in zip(self.ids, self.tips, strict=True)]
        return {"lap": self.lap, "headline": self.headline, "tips": tips, "notes": list(self.notes)}

    def lines(self) -> list[str]:
        """Return the headline, the tips numbered, and why there are none."""
        numbered = [f"{at}. {text}" for at, text in enumerate(self.tips, start=1)]
        return [self.headline, *numbered, *self.notes]


class Debrief:
    """Asks once a second whether the car has a new lap, in a thread of its own, and has it coached.

    `car` is a slot id, None for the player's. A server that is away is asked again.
    """

    def __init__(self, rig: Rig, car: int | None) -> None:
        self._rig, self._car = rig, car
        self._stop = threading.Event()
        self._told: deque[Told] = deque(maxlen=100)
        self._seen: str | None = None
        self._session = ""
        self._given: dict[str, float] = {}
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.last: Told | None = None

    def start(self) -> None:
        """Begin to ask."""
        self._thread.start()

    def close(self) -> None:
        """End it."""
        self._stop.set()
        self._thread.join(0.5)

    def take(self) -> list[Told]:
        """Return what is new since the last call."""
        found = []
        while self._told:
            found.append(self._told.popleft())
        return found

    def _run(self) -> None:
        while not self._stop.is_set():
            with contextlib.suppress(RigError):  # the view says that nothing answers; the lap waits
                self.step()
            self._stop.wait(ASK_S)

    def step(self) -> None:
        """Look for a new lap, and say what there is to say of it. Raises as the rig's calls do."""
        newest = self._newest()
        if newest is None or newest.name == self._seen:
            self._seen = self._seen or ""
            return
        first, session = self._seen is None, newest.name.partition("/laps/")[0]
        if session != self._session:
            self._session, self._given = session, {}
        told = None if first else self._tell(newest)
        self._seen = newest.name  # behind the call: what failed is tried again
        if told is not None:
            self.last = told
            self._told.append(told)

    def _newest(self) -> LapInfo | None:
        which: dict[str, Any] = {"player": True} if self._car is None else {"cars": [self._car]}
        recorded: dict[str, Any] = {"kind": "lap", "imported": False}
        laps = self._rig.laps("", order_by="start_time desc", page_size=1, **recorded, **which)
        return next(iter(laps), None)

    def _tell(self, lap: LapInfo) -> Told:
        own = lap.name.rpartition("/")[2]
        if not lap.complete:
            return Told(lap.name, f"{own} was broken off", (), (), ("no tips: it is no whole lap",))
        headline = f"{own} {lap_time(lap.lap_time or 0.0)}"
        if not lap.valid:
            return Told(lap.name, headline, (), (), ("no tips: the lap does not count",))
        try:
            answer = self._rig.coach(lap, given=self._given)
            known = {one.id: one.lost for one in answer.findings}
            worse = {one for one, lost in self._given.items() if _worse(known.get(one, 0.0), lost)}
            if worse:
                answer = self._rig.coach(lap, given=self._given.keys() - worse)
        except Unavailable:
            raise
        except RigError as error:
            return Told(lap.name, headline, (), (), (f"no tips: {error.message}",))
        tips = answer.tips[:_MOST]
        self._given |= {tip.id: known[tip.id] for tip in tips}
        about = answer.reference_about.removeprefix("the ")
        against = answer.reference.rpartition("/")[2]
        headline += f"  {gap(answer.lost)} s to the {' '.join(filter(None, (about, against)))}"
        return Told(
            lap.name,
            headline,
            tuple(tip.text for tip in tips),
            tuple(tip.id for tip in tips),
            (*answer.notes, *_silence(tips, known)),
        )


def _worse(lost: float, before: float) -> bool:
    return lost > max(before + _WORSE_S, before * 1.25)


def _silence(tips: Iterable[Any], known: dict[str, float]) -> list[str]:
    """Return why there are no tips, where there are none."""
    if tips:
        return []
    if known:
        return ["no new tips: what costs time was said before, or is not sure"]
    return ["no tips: nothing is sure enough to tell"]
