"""How commands that run unattended end: an exit code for each thing that somebody else has to do about it."""

from collections.abc import Callable
from functools import wraps
from typing import Any, Final

import click

from rig import errors
from rigclient.commands.shell import Failure

OTHER: Final = 1
CODES: Final = {
    errors.BadRequest: 2,
    errors.Unavailable: 3,
    errors.Unreachable: 4,
    errors.Busy: 5,
    errors.Raced: 5,
    errors.Mismatch: 6,
    errors.Corrupt: 7,
    errors.Exhausted: 8,
    errors.NotFound: 9,
    errors.Unauthenticated: 10,
    errors.WrongPassword: 11,
    errors.WrongKey: 12,
    errors.WrongPassphrase: 13,
    errors.TokenExpired: 14,
    errors.Denied: 15,
    errors.DatabaseMissing: 16,
    errors.FileMissing: 17,
}
"""By the class of the error, its narrowest one that stands here; click ends with 2 as well."""

HELP: Final = """\b
Exit codes:
  0 done                        9 something named is not there
  1 none of these              10 login refused
  2 wrong command line         11 wrong password
  3 try again later            12 wrong key
  4 nobody answers there       13 wrong passphrase of the key
  5 somebody else is at it     14 token expired
  6 two sides do not agree     15 no right to do this
  7 damaged data               16 no such database
  8 a limit is reached         17 no such file
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
