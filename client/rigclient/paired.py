"""Rigs that this user is paired with: a file each in a folder of the user's that nobody else may enter.

They are in `$XDG_CONFIG_HOME/rig/rigs`, with the token in clear: a file or folder that others can read, or
that is not the user's own, is refused.
"""

import contextlib
import json
import logging
import os
import re
import stat
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Final

from rig import sockets
from rig.errors import BadRequest, Corrupt, Denied, Newer, NotFound, RigError
from rig.regular import shown

_LOG: Final = logging.getLogger("rigclient")

SERVER_NAME: Final = "rigd.internal"
"""In the certificates that rigs make: the network has no name for them."""
VERSION: Final = 1
"""Of the files."""
RESERVED: Final = (sockets.RIG, sockets.DEMO)
"""Names that belong to the rigs of every machine."""

_ENDING: Final = ".json"
_MOST_BYTES: Final = 64 << 10
"""A file has some 2 kB."""
_MOST_ADDRESSES: Final = 16
_READ: Final = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOFOLLOW", 0)
"""Neither waiting for a FIFO nor following a link, where the system knows of them."""
_PIN: Final = re.compile(r"[0-9a-f]{64}")
_TOKEN: Final = re.compile(r"[!-~]{1,512}")
"""It goes into a header: visible ASCII alone."""
_HOST_NAME: Final = re.compile(r"[!-~]{1,255}")
_CERTIFICATE: Final = re.compile(
    r"-----BEGIN CERTIFICATE-----\n[A-Za-z0-9+/=\n]{1,8000}\n-----END CERTIFICATE-----\n?"
)
_NOT_A_NAME: Final = re.compile(r"[^A-Za-z0-9_.-]+")


@dataclass(frozen=True)
class PairedRig:
    """What is kept of a rig: where it answers, how it is known, and the token it is read with."""

    name: str
    """What this user calls it."""
    rig: str
    """What it calls itself."""
    addresses: tuple[str, ...]
    """`host:port` each, in the order in which they are tried."""
    certificates: tuple[str, ...]
    """PEM; exactly these are trusted."""
    pins: tuple[str, ...]
    """SHA-256 of the certificates to accept, hexadecimal; one may have been announced and not seen yet."""
    token: str = field(repr=False)
    """`id.secret`."""
    user: str
    scopes: tuple[str, ...]
    expire_ns: int
    """Of the token, unix nanoseconds; 0: never."""
    server_name: str = SERVER_NAME
    """Whom the certificates are for."""

    def __str__(self) -> str:
        return f"{self.name} ({', '.join(self.addresses)})"

    @property
    def token_id(self) -> str:
        """The public half of the token."""
        return self.token.partition(".")[0]


def folder() -> Path:
    """Return the folder of the files, which may not exist yet."""
    return Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "rig/rigs"


def path_of(name: str) -> Path:
    """Return where the file of a rig is. Raises BadRequest for what is no name."""
    sockets.check_name(name)
    return folder() / (name + _ENDING)


def names() -> list[str]:
    """Return the names of all, by the alphabet."""
    with contextlib.suppress(OSError):
        found = (name.removesuffix(_ENDING) for name in os.listdir(folder()) if name.endswith(_ENDING))
        return sorted(name for name in found if _is_name(name))
    return []


def place(rig: str = "") -> str:
    """Return the address that a name of a rig stands for on this machine, or the name itself where it is that
    of a paired rig. An address is itself; "": the rig that answers here. One that answers on this machine
    comes before a paired one of the same name, and a warning is logged. Raises BadRequest.
    """
    if not rig or ":" in rig or not os.path.lexists(path_of(rig)):
        return sockets.resolve(rig)
    if here := sockets.living().get(rig):
        _LOG.warning(
            "the name %s means the rig on this machine, %s; there is a paired one of that name as well: pair "
            "it again with another --name",
            rig,
            here,
        )
        return here
    return rig


def resolve(rig: str = "") -> str | PairedRig:
    """Return the paired rig of a name, or the address as `place` finds it. Raises also as `load` does."""
    found = place(rig)
    return found if ":" in found else load(found)


def load(name: str) -> PairedRig:
    """Return what is kept of a rig. Raises NotFound, Corrupt, Newer; Denied for a file others can read."""
    path = path_of(name)
    _check_folder()
    try:
        descriptor = os.open(path, _READ)
    except FileNotFoundError:
        known = ", ".join(names()) or "none yet: `rig connect`"
        raise NotFound(f"no rig called {name} is paired", hint=f"paired: {known}") from None
    except OSError as error:
        raise Corrupt(f"{shown(path)} is no file: {error.strerror}", hint=_again(name)) from error
    try:
        _check_private(path, os.fstat(descriptor), stat.S_ISREG)
    except RigError:
        os.close(descriptor)
        raise
    with open(descriptor, "rb") as file:
        data = file.read(_MOST_BYTES + 1)
    try:
        return _checked(name, data)
    except Newer:
        raise
    except (RigError, TypeError, ValueError) as error:
        why = error.message if isinstance(error, RigError) else error
        raise Corrupt(f"{shown(path)} is damaged: {why}", hint=_again(name)) from error


def load_all() -> dict[str, PairedRig | RigError]:
    """Return all by name, by the alphabet; those that cannot be read with the reason."""
    found: dict[str, PairedRig | RigError] = {}
    for name in names():
        try:
            found[name] = load(name)
        except RigError as error:
            found[name] = error
    return found


def save(rig: PairedRig) -> None:
    """Keep a rig, in the place of an earlier one of that name. Raises as `prepare` does, Corrupt for what no
    rig tells.
    """
    path = path_of(rig.name)
    _check_members(rig)
    prepare()
    written = path.with_name(f".writing-{path.name}")
    written.unlink(missing_ok=True)
    # Never for others, not even for the moment before its mode is changed; and never through a link.
    with open(os.open(written, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        json.dump({"version": VERSION, **asdict(rig)}, file, indent=2)
        file.write("\n")
        file.flush()
        os.fsync(file.fileno())
    written.replace(path)


def update(rig: PairedRig) -> None:
    """Keep what is new of a rig, unless it was forgotten or paired again meanwhile. Raises as `load`."""
    with contextlib.suppress(NotFound):
        if load(rig.name).token == rig.token:
            save(rig)


def pin_of(certificate: str) -> str:
    """Return the SHA-256 of a certificate (PEM), hexadecimal."""
    import base64
    import hashlib  # it takes 7 ms, and `rig --help` does without

    body = "".join(certificate.strip().splitlines()[1:-1])
    return hashlib.sha256(base64.b64decode(body)).hexdigest()


def is_pin(text: str) -> bool:
    """Return whether that is the fingerprint of a certificate."""
    return _PIN.fullmatch(text) is not None


def prepare() -> None:
    """Make the folder where it is not there. Raises Denied where others can enter it, OSError."""
    folder().parent.mkdir(parents=True, exist_ok=True)
    folder().mkdir(mode=0o700, exist_ok=True)
    _check_folder()


def forget(name: str) -> PairedRig | None:
    """Remove what is kept of a rig, damaged or not, and return it where it could be read. Raises NotFound."""
    found = None
    try:
        found = load(name)
    except NotFound:
        raise
    except (Corrupt, Denied):
        pass
    path_of(name).unlink()
    return found


def check_free(name: str, pin: str) -> None:
    """Raise BadRequest for a name that a rig with this pin cannot have: reserved, of a rig that answers on
    this machine, or of another paired one.
    """
    sockets.check_name(name)
    if name in RESERVED or name in sockets.living():
        raise BadRequest(f"{name} is the name of a rig on this machine", hint="choose another --name")
    if os.path.lexists(path_of(name)) and pin not in _pins(name):
        raise BadRequest(
            f"another rig is paired as {name}", hint=f"choose another --name, or `rig forget {name}` first"
        )


def free_name(wanted: str, pin: str) -> str:
    """Return a name for a rig that calls itself `wanted`: that, or with a number behind it."""
    base = _NOT_A_NAME.sub("-", wanted).strip("-._")[:24] or "rig"
    for name in (base, *(f"{base}-{number}" for number in range(2, 1000))):
        with contextlib.suppress(BadRequest):
            check_free(name, pin)
            return name
    raise BadRequest(f"a thousand rigs are called {base}", hint="choose a --name")


def _pins(name: str) -> tuple[str, ...]:
    with contextlib.suppress(RigError):
        return load(name).pins
    return ()


def _is_name(name: str) -> bool:
    with contextlib.suppress(BadRequest):
        sockets.check_name(name)
        return True
    return False


def _again(name: str) -> str:
    return f"`rig forget {name}`, then pair again"


def _check_folder() -> None:
    with contextlib.suppress(FileNotFoundError):
        _check_private(folder(), folder().lstat(), stat.S_ISDIR)


def _check_private(path: Path, found: os.stat_result, kind: Any) -> None:
    """Raise Denied for what others may have read or written, Corrupt for what is of another kind."""
    if not kind(found.st_mode):
        raise Corrupt(f"{shown(path)} is neither file nor folder of its own", hint="a link is not followed")
    if os.name != "posix":
        return
    if found.st_uid != os.geteuid():
        raise Denied(f"{shown(path)} belongs to another user (id {found.st_uid})", hint="remove it")
    if found.st_mode & 0o077:
        mode = "700" if stat.S_ISDIR(found.st_mode) else "600"
        was = stat.S_IMODE(found.st_mode)
        raise Denied(
            f"{shown(path)} is open to other users (mode {was:04o}), and a token is in there",
            hint=f"chmod {mode} {shown(path)}; if somebody may have read it, revoke the token on the rig",
        )


def _checked(name: str, data: bytes) -> PairedRig:
    """Raise Corrupt for what no `save` wrote, Newer."""
    from rig import parse  # 15 ms

    if len(data) > _MOST_BYTES:
        raise Corrupt(f"it has more than {_MOST_BYTES} bytes, which is the limit")
    members = parse.json_object(data)
    version = members.get("version")
    if isinstance(version, int) and version > VERSION:
        raise Newer(f"{shown(path_of(name))} is of version {version}", hint="upgrade this program")
    given = {one.name: members.get(one.name) for one in fields(PairedRig)}
    for key in ("addresses", "certificates", "pins", "scopes"):
        given[key] = tuple(_texts(key, given[key]))
    rig = PairedRig(**{**given, "name": name})  # type: ignore[arg-type]
    for key in ("rig", "server_name", "user", "token"):
        _texts(key, [given[key]])
    if not isinstance(rig.expire_ns, int) or not 0 <= rig.expire_ns < 1 << 64:
        raise Corrupt(f"{rig.expire_ns!r} is no time")
    _check_members(rig)
    return rig


def _texts(key: str, found: Any) -> list[str]:
    if not isinstance(found, list) or not all(isinstance(one, str) for one in found):
        raise Corrupt(f"{key} is missing, or is no text")
    return found


def _check_members(rig: PairedRig) -> None:
    if not 0 < len(rig.addresses) <= _MOST_ADDRESSES:
        raise Corrupt(f"it has {len(rig.addresses)} addresses, not 1 to {_MOST_ADDRESSES}")
    for address in rig.addresses:
        if address.startswith("unix:"):
            raise Corrupt(f"{address!r} is no address of a network")
        sockets.check(address)
    for key, form in (("certificates", _CERTIFICATE), ("pins", _PIN)):
        found = getattr(rig, key)
        if not found or not all(form.fullmatch(one) for one in found):
            raise Corrupt(f"its {key} are none")
    for one in rig.certificates:
        pin_of(one)
    if not _HOST_NAME.fullmatch(rig.server_name):
        raise Corrupt("its server_name is none")
    if not _TOKEN.fullmatch(rig.token) or "." not in rig.token:
        raise Corrupt("its token is none")
