"""What a daemon says to the one who started it, as sd_notify(3) has it: that it has started and lives."""

import os
import secrets
import socket
import struct
from typing import Final

_CREDENTIALS: Final = struct.Struct("iII")
_LONGEST: Final = 4096


class Notices:
    """The socket for the notices of one process. Its name is in no folder: no disk can take it away."""

    def __init__(self) -> None:
        self._name = f"rigd-{os.getpid()}-{secrets.token_hex(8)}"
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        self._socket.bind(f"\0{self._name}")
        self.dead = False
        """Whether it has said that it makes no progress, and is to be killed."""

    def environment(self, watchdog_s: float) -> dict[str, str]:
        """Return what the process needs to know."""
        return {"NOTIFY_SOCKET": f"@{self._name}", "WATCHDOG_USEC": str(int(watchdog_s * 1e6))}

    def fed(self, pid: int) -> bool:
        """Return whether that process has said since the last call that it lives. Nobody else can say so for
        it.
        """
        fed = self.dead = False
        while True:
            try:
                words, extra, *_ = self._socket.recvmsg(_LONGEST, socket.CMSG_SPACE(_CREDENTIALS.size))
            except BlockingIOError:
                return fed
            senders = [_CREDENTIALS.unpack(data)[0] for *_, data in extra if len(data) == _CREDENTIALS.size]
            if senders == [pid]:
                fed, self.dead = fed or b"WATCHDOG=1" in words, self.dead or b"WATCHDOG=trigger" in words
