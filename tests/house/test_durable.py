"""What stands in the way of a file that is written: links, and folders of others."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from rig.disk import beside
from rig.errors import Denied
from rigd.auth.tokens import TokenStore
from rigd.durable import append, make_private, replace
from rigd.ring.lock import laps_lock, ring_lock

WRITERS: dict[str, Callable[[Path], object]] = {
    ".writing-file": lambda folder: replace(folder / "file", b"ours", private=True),
    "journal": lambda folder: append(folder / "journal", b"ours"),
    "ring.lock": ring_lock,
    "laps.lock": laps_lock,
    "tokens.lock": lambda folder: TokenStore(folder).own(),
}


@pytest.mark.parametrize("name", WRITERS)
def test_nothing_is_written_through_a_link(tmp_path: Path, name: str) -> None:
    folder, theirs = tmp_path / "data", tmp_path / "passwd"
    folder.mkdir(mode=0o700)
    theirs.write_bytes(b"root")
    theirs.chmod(0o644)
    (folder / name).symlink_to(theirs)
    with pytest.raises(OSError, match="symbolic link"):
        WRITERS[name](folder)
    assert theirs.read_bytes() == b"root"
    assert theirs.stat().st_mode & 0o777 == 0o644


def test_a_link_in_the_way_is_gone_the_next_time(tmp_path: Path) -> None:
    beside(tmp_path / "file").symlink_to(tmp_path / "none")
    with pytest.raises(OSError, match="symbolic link"):
        replace(tmp_path / "file", b"ours")
    replace(tmp_path / "file", b"ours")
    assert (tmp_path / "file").read_bytes() == b"ours"
    assert not (tmp_path / "none").exists()


def test_the_folder_of_another_user_is_not_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "data"
    folder.mkdir(mode=0o777)
    mode = folder.stat().st_mode
    me = folder.stat().st_uid
    monkeypatch.setattr(os, "geteuid", lambda: me + 1)
    with pytest.raises(Denied, match="belongs to another user"):
        make_private(folder)
    assert folder.stat().st_mode == mode
    folder.chmod(0o1777)
    make_private(folder)  # everybody's, as /tmp
