"""Names of sessions and laps, as people write and read them."""

from collections.abc import Sequence


def session_name(text: str) -> str:
    """Return `sessions/{session}` of a session's name with or without `sessions/`."""
    return text if text.startswith("sessions/") else f"sessions/{text}"


def session_id(name: str) -> str:
    """Return 5f3a-2 of the name of a session or lap: its ring, and its number in there."""
    session = name.removeprefix("sessions/").partition("/laps/")[0]
    return "-".join(session.rsplit("-", 2)[-2:])


def short_names(names: Sequence[str]) -> list[str]:
    """Return car012-0003 for laps of one session, 5f3a-2/car012-0003 for several; what differs stays
    different.
    """
    laps = [name.rpartition("/")[2] for name in names]
    if len({name.partition("/laps/")[0] for name in names}) == 1:
        return laps
    short = [f"{session_id(name)}/{lap}" for name, lap in zip(names, laps, strict=True)]
    if len(set(short)) == len(set(names)):
        return short
    return [name.removeprefix("sessions/").replace("/laps/", "/") for name in names]
