"""What the doctor can do himself: the changes that are safe, one by one, when they are wanted."""

from collections.abc import Callable, Iterable
from typing import Final

from rig.errors import RigError
from rigclient.cli.terminal.text import Console, Text
from rigd.check import Check

Wanted = Callable[[str], bool]
"""Asks whether something is to be done."""

_NOTHING: Final = "there is nothing that is safe to change for you"


def treat(checks: Iterable[Check], wanted: Wanted, console: Console) -> bool:
    """Make every change that is wanted. Returns whether one was made."""
    fixes = [check.fix for check in checks if check.fix is not None]
    if not fixes:
        console.print(_NOTHING)
    made = False
    for fix in fixes:
        if wanted(fix.question):
            try:
                console.print(Text.assemble(("done ", "green"), fix.make()), soft_wrap=True)
                made = True
            except (OSError, RigError) as error:
                console.print(Text.assemble(("not done ", "bold red"), str(error)), soft_wrap=True)
    return made
