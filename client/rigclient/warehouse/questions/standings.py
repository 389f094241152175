"""A session as a whole: its result, its statistics, who was where after which lap."""

# ruff: noqa: S608  what is put into statements are names from this package; values are bound

from collections.abc import Iterator
from typing import Any, Final, Literal

from rigclient.warehouse.destination import Destination
from rigclient.warehouse.questions.keyset import Question, rows
from rigclient.warehouse.questions.lookup import SessionSummary

_PAGE: Final = 2000

Order = Literal["best", "mean", "consistency", "laps_led", "top_speed"]
_ORDERS: Final[dict[Order, str]] = {
    "best": "COALESCE(BEST, 1E9)",
    "mean": "COALESCE(MEAN, 1E9)",
    "consistency": "COALESCE(CONSISTENCY, 1E9)",
    "laps_led": "-LAPS_LED",
    "top_speed": "-COALESCE(TOP_SPEED, 0)",
}
"""By what statistics can be ordered, the best first."""


def results(destination: Destination, session: SessionSummary) -> Iterator[dict[str, Any]]:
    """Yield the cars in their order."""
    return _of(destination, session, "SELECT * FROM RESULTS_V", ("PLACE",))


def statistics(destination: Destination, session: SessionSummary, order: Order) -> Iterator[dict[str, Any]]:
    """Yield a row per driver and car."""
    sql = f"SELECT V.*, {_ORDERS[order]} AS RANKED FROM STATISTICS_V V"
    return _of(destination, session, sql, ("RANKED", "CAR", "DRIVER"))


def lap_chart(destination: Destination, session: SessionSummary) -> Iterator[dict[str, Any]]:
    """Yield a row per car and lap: first lap first, in each by place."""
    return _of(destination, session, "SELECT * FROM LAP_CHART_V", ("LAP_NO", "PLACE", "CAR"))


def _of(
    destination: Destination, session: SessionSummary, sql: str, keys: tuple[str, ...]
) -> Iterator[dict[str, Any]]:
    question = Question(f"{sql} WHERE RIG_ID = ? AND SESSION = ?", (session.rig_id, session.name))
    return rows(destination, question, keys, _PAGE)
