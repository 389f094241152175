"""Names of laps, as the rig and as the tables have them."""


def parted(lap: str) -> tuple[str, str]:
    """Return SESSION and LAP of a lap's name on the rig."""
    session, _, own = lap.removeprefix("sessions/").partition("/laps/")
    return session, own


def joined(session: str, lap: str) -> str:
    """Return a lap's name on the rig."""
    return f"sessions/{session}/laps/{lap}"
