"""Where an installation puts things: for one user, or for the system; in a root that may be another's."""

import os
import pwd
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from rig.errors import BadRequest, Denied

_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,30}")
"""Of a user, as systemd takes it."""


@dataclass(frozen=True)
class InstallFolders:
    """The folders of an installation, as the machine has them that runs it; `real` is where they are here."""

    system: bool
    """For the system, with the data in /var/lib; else for one user."""
    player: str
    """Who plays: the recorder runs as that user, whose the game's buffers are. Empty: as it was before."""
    root: Path = Path("/")
    """Another machine's root, or one to throw away: nothing is started then."""
    units: Path = Path("/etc/systemd/system")
    config: Path = Path("/etc/rigd")
    data: Path = Path("/var/lib/rigd")

    @property
    def manifest(self) -> Path:
        """The record of what was written."""
        return self.config / "installed.json"

    @property
    def here(self) -> bool:
        """Whether it is this machine, whose systemd is to be told."""
        return self.root == Path("/")

    def real(self, path: Path) -> Path:
        """Return where a path of the installation is on this machine."""
        return self.root / path.relative_to("/")


def user_place(root: Path = Path("/")) -> InstallFolders:
    """Return the place for whoever asks, by the XDG folders."""
    home = Path.home()
    config = Path(os.environ.get("XDG_CONFIG_HOME") or home / ".config").absolute()
    data = Path(os.environ.get("XDG_DATA_HOME") or home / ".local/share").absolute() / "rigd"
    return InstallFolders(
        system=False,
        player=pwd.getpwuid(os.getuid()).pw_name,
        root=root,
        units=config / "systemd/user",
        config=config / "rigd",
        data=data,
    )


def check_player(place: InstallFolders) -> None:
    """Raise BadRequest where the player is no user of the machine."""
    player = place.player
    if not _NAME.fullmatch(player) or player == "root":
        raise BadRequest(
            f"{player!r} is not who plays" if player else "who plays is not known",
            hint="name that user with --player: the recorder reads the game's memory as the one who plays",
            player=player,
        )
    if place.here and not _known(player):
        raise BadRequest(f"there is no user {player!r}", hint="see `getent passwd`", player=player)


def _known(player: str) -> bool:
    try:
        pwd.getpwnam(player)
    except KeyError:
        return False
    return True


def chosen(system: bool | None, player: str, root: Path) -> InstallFolders:
    """Return the place that the options mean: `system` None is the user's own. Raises BadRequest for root,
    who does not play, and Denied for one who may not write the system's folders.
    """
    is_root = os.geteuid() == 0
    if system is None and is_root:
        raise BadRequest(
            "root does not play, and the recorder runs as the one who plays",
            hint="run this as that user, or with --system --player NAME for all users of the machine",
        )
    if not system:
        return user_place(root)
    if not is_root and root == Path("/"):
        raise Denied("the system's units are root's", hint="use sudo, or leave out --system")
    return InstallFolders(system=True, player=player, root=root)
