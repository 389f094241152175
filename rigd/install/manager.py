"""The programs of systemd that an installation asks for something."""

import subprocess
from typing import Final, NamedTuple

from rigd.install.place import InstallFolders

_ANSWER_S: Final = 90.0
"""To stop three daemons takes 15 s at most, and systemd waits for them."""


class Answer(NamedTuple):
    """What a program came to."""

    well: bool
    text: str
    """What it printed; where it failed, the last line of why."""


def ask(*words: str) -> Answer:
    """Run a program."""
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=_ANSWER_S, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return Answer(False, str(error))
    if done.returncode == 0:
        return Answer(True, done.stdout.strip())
    lines = (done.stderr.strip() or done.stdout.strip() or f"it ended with {done.returncode}").splitlines()
    return Answer(False, lines[-1])


def control(place: InstallFolders, *words: str) -> tuple[str, ...]:
    """Return the command line that tells systemd about the units of a place."""
    return ("systemctl", *(() if place.system else ("--user",)), *words)


def absent(place: InstallFolders) -> str:
    """Return why no systemd can be told; empty when one answers."""
    answer = ask(*control(place, "show", "--property=Version"))
    return "" if answer.well else answer.text


def lingers(user: str) -> bool:
    """Return whether the units of a user start with the machine, before anybody logs in."""
    return ask("loginctl", "show-user", user, "--property=Linger", "--value").text == "yes"
