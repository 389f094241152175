"""The one error tree of rigd.

    RigError                    INTERNAL
    ├── BadRequest              INVALID_ARGUMENT     the caller's words are wrong
    │   ├── UnknownChannel
    │   ├── MalformedCursor
    │   ├── MalformedToken
    │   └── ForeignCursor                            a cursor of another ring
    ├── NotFound                NOT_FOUND
    │   ├── FileMissing
    │   └── DatabaseMissing                          the warehouse has no such database or schema
    ├── CursorExpired           OUT_OF_RANGE         the ring no longer holds that position
    ├── Busy                    FAILED_PRECONDITION  somebody else owns it
    ├── MissingChannel          FAILED_PRECONDITION  an old file does not have it
    ├── Pinned                  FAILED_PRECONDITION  kept on purpose
    ├── Mismatch                FAILED_PRECONDITION  two sides that must agree do not
    │   └── WrongPin                                 another certificate than the one that was pinned
    ├── InUse                   FAILED_PRECONDITION  others belong to it, or refer to it
    ├── Refused                 FAILED_PRECONDITION  a part of it is not taken, the rest is done
    ├── Taken                   ALREADY_EXISTS       the name is another's, or the same is there
    ├── Unauthenticated         UNAUTHENTICATED      who asks could not prove it
    │   ├── WrongPassword
    │   ├── WrongKey
    │   ├── WrongPassphrase                          the private key stays closed
    │   ├── WrongToken                               no token of this rig
    │   ├── TokenRevoked
    │   ├── TokenExpired
    │   ├── WrongCode                                no pairing code of this rig
    │   ├── CodeUsed
    │   └── CodeExpired
    ├── Denied                  PERMISSION_DENIED    who asks is known, and may not
    ├── Raced                   ABORTED              somebody else was first; begin again
    ├── Exhausted               RESOURCE_EXHAUSTED   a stated limit is reached
    ├── Unavailable             UNAVAILABLE          try again later
    │   ├── RingMissing
    │   ├── Draining                                 the server ends; it or another comes back
    │   └── Unreachable                              nobody answers there
    └── Corrupt                 DATA_LOSS            the bytes are not what was written
        └── Newer               FAILED_PRECONDITION  a newer version wrote them: kept as they are

Each error carries the gRPC status name it becomes on the wire, so a handler raises and never mentions
status codes. One server interceptor and one client wrapper translate.
"""

from typing import ClassVar


class RigError(Exception):
    """Base of all errors. `facts` are the values and limits behind the message, `hint` the way out."""

    status: ClassVar[str] = "INTERNAL"

    def __init__(self, message: str, *, hint: str = "", **facts: object) -> None:
        super().__init__(f"{message} ({hint})" if hint else message)
        self.message: str = message
        self.hint: str = hint
        self.facts: dict[str, str] = {key: str(value) for key, value in facts.items()}

    @classmethod
    def reason(cls) -> str:
        """Return the `reason` of `google.rpc.ErrorInfo`: UnknownChannel -> UNKNOWN_CHANNEL."""
        name = cls.__name__
        return "".join("_" + c if c.isupper() and i else c for i, c in enumerate(name)).upper()


class BadRequest(RigError):
    """The request cannot mean anything, now or later."""

    status = "INVALID_ARGUMENT"


class UnknownChannel(BadRequest):
    """A channel name that the registry does not have."""


class MalformedCursor(BadRequest):
    """Bytes that are no cursor of this program."""


class ForeignCursor(BadRequest):
    """A well-formed cursor of another ring or another stream."""


class MalformedToken(BadRequest):
    """A page token that this program did not make, or made for another question."""


class NotFound(RigError):
    """The named thing does not exist."""

    status = "NOT_FOUND"


class FileMissing(NotFound):
    """A file that a setting names."""


class DatabaseMissing(NotFound):
    """The warehouse has no such database or schema, or does not show it to this role."""


class CursorExpired(RigError):
    """The ring has evicted that position; `facts["earliest"]` is the earliest it still holds."""

    status = "OUT_OF_RANGE"


class Busy(RigError):
    """Another process owns the store."""

    status = "FAILED_PRECONDITION"


class MissingChannel(RigError):
    """The file is older than the channel; `facts["channels"]` are those it has."""

    status = "FAILED_PRECONDITION"


class Pinned(RigError):
    """The lap is kept on purpose."""

    status = "FAILED_PRECONDITION"


class Mismatch(RigError):
    """Two sides that must agree do not; the message says what each has. Nothing was changed."""

    status = "FAILED_PRECONDITION"


class WrongPin(Mismatch):
    """Who answers there shows another certificate than the rig that was paired: it may be anyone."""


class InUse(RigError):
    """Others belong to it or refer to it; the message says which. Nothing was changed."""

    status = "FAILED_PRECONDITION"


class Taken(RigError):
    """Something else has that name already, or says the same. Nothing was changed."""

    status = "ALREADY_EXISTS"


class Refused(RigError):
    """Some of what was given was not taken, each with its reason. The rest of it was."""

    status = "FAILED_PRECONDITION"


class Unauthenticated(RigError):
    """Who asks could not prove to be who they say."""

    status = "UNAUTHENTICATED"


class WrongPassword(Unauthenticated):
    """The password is not that user's, or there is no such user: nobody is told which."""


class WrongKey(Unauthenticated):
    """The private key is none, or not that user's."""


class WrongPassphrase(Unauthenticated):
    """The passphrase does not open the private key."""


class WrongToken(Unauthenticated):
    """The token is none of this rig's, or its secret is wrong: nobody is told which."""


class TokenRevoked(Unauthenticated):
    """What proved it was taken back."""


class TokenExpired(Unauthenticated):
    """What proved it has run out."""


class WrongCode(Unauthenticated):
    """The pairing code is none that this rig has given out and remembers."""


class CodeUsed(Unauthenticated):
    """The pairing code was exchanged before: each is good for one device."""


class CodeExpired(Unauthenticated):
    """The pairing code has run out."""


class Denied(RigError):
    """Who asks is known, and may not do this."""

    status = "PERMISSION_DENIED"


class Raced(RigError):
    """Somebody else did it first. Nothing was changed; beginning again works."""

    status = "ABORTED"


class Exhausted(RigError):
    """A stated limit is reached; the message names it."""

    status = "RESOURCE_EXHAUSTED"


class Unavailable(RigError):
    """Not now: the thing behind is down. Trying again later may work."""

    status = "UNAVAILABLE"


class RingMissing(Unavailable):
    """There is no ring where one was expected."""


class Draining(Unavailable):
    """The server was asked to stop; `facts["cursor"]` is where a stream goes on with the next one."""


class Unreachable(Unavailable):
    """Nobody answers at that address, or there is no network."""


class Corrupt(RigError):
    """Stored bytes fail their check."""

    status = "DATA_LOSS"


class Newer(Corrupt):
    """A newer version wrote it. To this one it is as unreadable as damage, but it is none: it is kept."""

    status = "FAILED_PRECONDITION"


def by_reason() -> dict[str, type[RigError]]:
    """Return every class of the tree by its reason, for the client's way back from the wire."""
    found: dict[str, type[RigError]] = {}
    todo: list[type[RigError]] = [RigError]
    while todo:
        cls = todo.pop()
        found[cls.reason()] = cls
        todo.extend(cls.__subclasses__())
    return found
