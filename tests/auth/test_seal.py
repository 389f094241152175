"""The seal: made once, the owner's alone, and no code of one purpose fits another."""

import stat
import threading
from pathlib import Path

import pytest

from rig.errors import Corrupt, Denied
from rigd.auth.seal import SEAL_BYTES, Seal, load_seal


def test_a_code_fits_its_data_and_purpose_alone() -> None:
    seal = Seal(bytes(32))
    code = seal.of(b"cursor", b"data")
    assert len(code) == SEAL_BYTES
    assert seal.fits(b"cursor", b"data", code)
    assert not seal.fits(b"page", b"data", code)
    assert not seal.fits(b"cursor", b"other", code)
    assert not seal.fits(b"cursor", b"data", code[:-1])
    assert not seal.fits(b"cursor", b"data", b"")
    assert not Seal(b"\1" * 32).fits(b"cursor", b"data", code)


def test_it_stays_the_same_and_is_the_owners_alone(tmp_path: Path) -> None:
    code = load_seal(tmp_path).of(b"a", b"b")
    assert load_seal(tmp_path).of(b"a", b"b") == code
    assert stat.S_IMODE((tmp_path / "seal.key").stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["seal.key"]


def test_of_servers_that_begin_at_once_the_first_decides(tmp_path: Path) -> None:
    codes: list[bytes] = []
    threads = [
        threading.Thread(target=lambda: codes.append(load_seal(tmp_path).of(b"a", b"b"))) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(codes) == 8
    assert len(set(codes)) == 1


def test_a_key_that_others_can_read_is_refused(tmp_path: Path) -> None:
    load_seal(tmp_path)
    (tmp_path / "seal.key").chmod(0o644)
    with pytest.raises(Denied, match="open to other users"):
        load_seal(tmp_path)


@pytest.mark.parametrize("data", [b"", b"x" * 31, b"x" * 33, b"x" * 5000])
def test_a_file_that_holds_no_key_is_damage(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "seal.key").write_bytes(data)
    (tmp_path / "seal.key").chmod(0o600)
    with pytest.raises(Corrupt):
        load_seal(tmp_path)
