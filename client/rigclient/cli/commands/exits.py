"""How commands end: errors in a sentence, and an exit code for each thing that somebody else has to do about
it, the same in every command.
"""

import errno
from typing import IO, Any, Final

import click

from rig import errors
from rigclient.cli.terminal.group import Group
from rigclient.cli.terminal.plain import say
from rigclient.cli.terminal.streams import INTERRUPTED

OTHER: Final = 1
CODES: Final[dict[type[errors.RigError], int]] = {
    errors.BadRequest: 2,
    errors.Unavailable: 3,
    errors.Denied: 4,
    errors.Unauthenticated: 4,
    errors.NotFound: 5,
    errors.MissingChannel: 5,
    errors.CursorExpired: 5,
    errors.Mismatch: 6,
    errors.Newer: 6,
    errors.Busy: 7,
    errors.Raced: 7,
    errors.Taken: 7,
    errors.InUse: 7,
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
Exit codes, the same in every command:
  0 done, 2 wrong command line or value, 3 rig or warehouse is off,
  4 login or rights refused, 5 something named is not there,
  6 two sides do not agree: another certificate, plain text for TLS,
  7 somebody else is at it, a name is taken, something is in use,
  8 damaged data, 9 a limit is reached,
  13 expired token, 16 no such host, no way there, or no answer,
  130 Ctrl-C, 141 nobody read on, 1 anything else;
  of Snowflake: 10 wrong password, 11 wrong key, 12 wrong passphrase,
  14 a file is missing, 15 no such database;
  17 some files were refused, each by name; all others are loaded
"""


_OF_FILES: Final[dict[int | None, type[errors.RigError]]] = {
    errno.ENOENT: errors.NotFound,
    errno.ENOTDIR: errors.NotFound,
    errno.EACCES: errors.Denied,
    errno.EPERM: errors.Denied,
    errno.ENOSPC: errors.Exhausted,
    errno.EDQUOT: errors.Exhausted,
}
"""What the machine says of a file, as the error of the tree that means the same."""


def code_of(error: errors.RigError | OSError) -> int:
    """Return the exit code of an error, of a file's too."""
    kind = _OF_FILES.get(error.errno, OSError) if isinstance(error, OSError) else type(error)
    return next((CODES[one] for one in kind.__mro__ if one in CODES), OTHER)


class Failure(click.ClickException):
    """An error of the tree, or of a file, as one sentence and a hint, on standard error."""

    def __init__(self, error: errors.RigError | OSError) -> None:
        if isinstance(error, OSError):
            message, self.hint = f"{error.strerror}: {error.filename}", ""
        else:
            message, self.hint = error.message, error.hint
        super().__init__(message)
        self.exit_code = code_of(error)  # type: ignore[misc]  # click declares it of the class

    def show(self, file: IO[Any] | None = None) -> None:
        """Print it."""
        say(f"error: {self.message}", fg="red", err=True, file=file)
        if self.hint:
            say(f"hint: {self.hint}", fg="yellow", err=True, file=file)


class Commands(Group):
    """A group whose commands end quietly: errors in one sentence, Ctrl-C without a word."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except errors.RigError as error:
            raise Failure(error) from error
        except OSError as error:
            if error.filename is None:
                raise  # not about a file: standard output is full or closed
            raise Failure(error) from error
        except KeyboardInterrupt:
            ctx.exit(INTERRUPTED)
