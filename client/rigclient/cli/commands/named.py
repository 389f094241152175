"""Sessions and laps by the words people use: a part of a name, `best`, or nothing for the newest."""

from collections.abc import Iterable
from itertools import islice
from typing import Final

from rig.errors import BadRequest, NotFound
from rig.v1 import session_pb2
from rigclient.connection import Rig
from rigclient.queries import ALL

BEST: Final = "best"
"""In place of a lap: the best valid one."""

KEPT_LATER: Final = "a lap is kept some seconds after it ends"
"""Hint where there is nothing yet."""

_LISTED: Final = 5


def session_named(rig: Rig, text: str = "") -> str:
    """`sessions/{session}` of a part of its name; "": the newest, "-": all. Raises NotFound, BadRequest."""
    if text == "-" or text == ALL:
        return ALL
    if not text:
        return newest(rig).name
    wanted = text.removeprefix("sessions/")
    names = [one.name for one in rig.sessions() if wanted in one.name]
    # 5f3a-2 is the end of one name, though it is in that of 5f3a-21 as well.
    ends = [name for name in names if name.endswith((f"-{wanted}", f"/{wanted}"))]
    return _only(text, ends or names, "`rig sessions`")


def newest(rig: Rig) -> session_pb2.Session:
    """The newest session. Raises NotFound."""
    for session in rig.sessions(page_size=1):
        return session
    raise NotFound("no session has been kept yet", hint=KEPT_LATER)


def lap_named(rig: Rig, text: str) -> str:
    """The name of a lap. Raises NotFound, BadRequest.

    A whole name, `best`, the name within the newest session such as car012-0003 or the end of it, or one
    of these after a part of a session's name and a slash.
    """
    if text.startswith("sessions/"):
        return text
    part, _, wanted = text.rpartition("/")
    session = session_named(rig, part)
    if wanted == BEST:
        return _best(rig, session)
    try:
        return rig.lap_info(f"{session}/laps/{wanted}").name
    except NotFound:
        found = (lap.name for lap in rig.laps(session) if lap.name.endswith(wanted))
        return _only(text, found, f"`rig laps {session.removeprefix('sessions/')} --all`")


def laps_named(rig: Rig, texts: Iterable[str]) -> list[str]:
    """The names of laps, each once, all found before anything is done with one. Raises as `lap_named`."""
    return list(dict.fromkeys(lap_named(rig, text) for text in texts))


def _best(rig: Rig, session: str) -> str:
    for lap in rig.laps(session, valid=True, complete=True, order_by="lap_time", page_size=1):
        return lap.name
    others = any(rig.laps(session, page_size=1))
    hint = f"`rig laps {session.removeprefix('sessions/')} --all` shows the others" if others else KEPT_LATER
    raise NotFound(f"no valid lap in {session}", hint=hint)


def _only(text: str, found: Iterable[str], where: str) -> str:
    """The only name found."""
    names = list(islice(found, _LISTED + 1))
    if not names:
        raise NotFound(f"nothing is named {text!r}", hint=f"{where} lists what there is")
    if len(names) > 1:
        few = ", ".join(name.rpartition("/")[2] for name in names[:_LISTED])
        more = ", ..." if len(names) > _LISTED else ""
        raise BadRequest(f"{text!r} may be {few}{more}", hint="give more of the name")
    return names[0]
