"""How commands that run unattended end: an exit code for each thing that somebody else has to do about it."""

from collections.abc import Callable
from functools import wraps
from typing import Any, Final

import click

from rig import errors
from rigclient.cli.commands.shell import Failure

OTHER: Final = 1
CODES: Final[dict[type[errors.RigError], int]] = {
    errors.BadRequest: 2,
    errors.Unavailable: 3,
    errors.Denied: 4,
    errors.Unauthenticated: 4,
    errors.NotFound: 5,
    errors.Mismatch: 6,
    errors.Newer: 6,
    errors.Busy: 7,
    errors.Raced: 7,
    errors.Corrupt: 8,
    errors.Exhausted: 9,
    errors.WrongPassword: 10,
    errors.WrongKey: 11,
    errors.WrongPassphrase: 12,
    errors.TokenExpired: 13,
    errors.FileMissing: 14,
    errors.DatabaseMissing: 15,
    errors.Unreachable: 16,
    errors.Refused: 17,
}
"""By the class of the error, its narrowest one that stands here; click ends with 2 as well."""

HELP: Final = """\b
Exit codes:
  0 done, 2 wrong command line, 3 rig or warehouse not reachable,
  4 login or rights refused, 5 something named is not there,
  6 two sides do not agree, 7 somebody else is at it, 8 damaged data,
  9 a limit is reached, 1 anything else;
  of Snowflake: 10 wrong password, 11 wrong key, 12 wrong passphrase,
  13 expired token, 14 a file is missing, 15 no such database,
  16 nobody answers;
  17 some files were refused, each by name; all others are loaded
"""


def code_of(error: errors.RigError) -> int:
    """The exit code of an error."""
    return next((CODES[kind] for kind in type(error).__mro__ if kind in CODES), OTHER)


def coded(command: Callable[..., Any]) -> Callable[..., Any]:
    """A command that ends with these codes."""

    @wraps(command)
    def run(*args: Any, **kwargs: Any) -> Any:
        try:
            return command(*args, **kwargs)
        except errors.RigError as error:
            Failure(error).show()
            raise click.exceptions.Exit(code_of(error)) from error

    return run
