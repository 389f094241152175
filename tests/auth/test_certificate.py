"""The rig's certificate: what it is, when it is changed, and what is said of one that cannot be used."""

import datetime
import os
import stat
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from rig.errors import Busy, Corrupt, Denied, FileMissing, Mismatch
from rigd.auth.certificate import HOST, LIFETIME_DAYS, PREPARE_DAYS, USE_DAYS, Certificates, load

NOW_NS = 1_800_000_000_000_000_000
DAY_NS = 86_400 * 1_000_000_000
EMPTY = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"


def certificates(data: Path, day: float = 0) -> Certificates:
    return Certificates(data, clock=lambda: NOW_NS + int(day * DAY_NS))


def test_it_is_what_the_design_says(tmp_path: Path) -> None:
    made = certificates(tmp_path).current
    found = x509.load_pem_x509_certificate(made.chain)
    key = found.public_key()
    assert isinstance(key, ec.EllipticCurvePublicKey)
    assert isinstance(key.curve, ec.SECP256R1)
    names = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == [HOST]
    assert round(made.days_left(NOW_NS)) == LIFETIME_DAYS
    assert made.not_before <= datetime.datetime.fromtimestamp(NOW_NS / 1e9 - 86_000, datetime.UTC)


def test_it_stays_the_same(tmp_path: Path) -> None:
    assert certificates(tmp_path).pins() == certificates(tmp_path, 100).pins()


def test_nobody_else_may_read_its_key(tmp_path: Path) -> None:
    certificates(tmp_path)
    file = tmp_path / "tls/certificate.pem"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    file.chmod(0o640)
    with pytest.raises(Denied, match="open to other users"):
        certificates(tmp_path)


def test_the_next_one_is_announced_before_it_is_used(tmp_path: Path) -> None:
    made = certificates(tmp_path)
    (old,) = made.pins()
    with pytest.raises(Busy, match="no next certificate was prepared"):
        made.use_next()
    made.prepare()
    made.prepare()
    first, second = made.pins()
    assert first == old != second
    assert certificates(tmp_path).pins() == [old, second]
    made.use_next()
    assert made.pins() == certificates(tmp_path).pins() == [second]


def test_it_is_changed_in_time_without_being_asked(tmp_path: Path) -> None:
    old = certificates(tmp_path).pins()
    assert not certificates(tmp_path, LIFETIME_DAYS - PREPARE_DAYS - 1).keep_up()
    assert certificates(tmp_path).pins() == old
    late = certificates(tmp_path, LIFETIME_DAYS - PREPARE_DAYS + 1)
    assert not late.keep_up()
    assert not late.keep_up()
    assert len(late.pins()) == 2
    latest = certificates(tmp_path, LIFETIME_DAYS - USE_DAYS + 1)
    assert latest.keep_up()
    assert latest.pins() == late.pins()[1:]
    assert round(latest.current.days_left(NOW_NS)) > LIFETIME_DAYS


@pytest.mark.parametrize(
    ("day", "words"),
    [
        (-2, "is valid from .* and this machine's clock says .*set the clock"),
        (LIFETIME_DAYS + 1, "expired on .*set the clock if that is wrong; else remove the certificate"),
    ],
)
def test_a_clock_that_is_wrong_is_told(tmp_path: Path, day: float, words: str) -> None:
    certificates(tmp_path)
    with pytest.raises(Mismatch, match=words):
        certificates(tmp_path, day)


def test_a_clock_that_is_an_hour_behind_is_no_matter(tmp_path: Path) -> None:
    certificates(tmp_path)
    certificates(tmp_path, -1 / 24)


def parts(data: Path) -> tuple[bytes, bytes]:
    """Certificate and key of a rig of its own."""
    made = certificates(data).current
    return made.chain, made.key


@pytest.fixture
def given(tmp_path: Path) -> tuple[Path, Path]:
    """Files of a certificate and its key that somebody else made."""
    chain, key = tmp_path / "chain.pem", tmp_path / "key.pem"
    for path, data in zip((chain, key), parts(tmp_path / "one"), strict=True):
        path.write_bytes(data)
        path.chmod(0o600)
    return chain, key


def test_that_of_somebody_else_is_used_and_not_changed(tmp_path: Path, given: tuple[Path, Path]) -> None:
    made = Certificates(tmp_path, given, lambda: NOW_NS)
    assert made.pins() == certificates(tmp_path / "one").pins()
    assert not Certificates(tmp_path, given, lambda: NOW_NS + 3600 * DAY_NS).keep_up()
    for change in (made.prepare, made.use_next):
        with pytest.raises(Busy, match="not the rig's own"):
            change()
    assert not (tmp_path / "tls").exists()


def test_a_certificate_older_than_its_key_is_told(tmp_path: Path, given: tuple[Path, Path]) -> None:
    chain, key = given
    key.write_bytes(parts(tmp_path / "other")[1])
    os.utime(chain, (1, 1))
    with pytest.raises(Mismatch, match=r"chain\.pem is older than its key .*key\.pem: it was made"):
        load(chain, key, NOW_NS)


def test_a_key_that_does_not_fit_is_told(tmp_path: Path, given: tuple[Path, Path]) -> None:
    chain, key = given
    key.write_bytes(parts(tmp_path / "other")[1])
    os.utime(key, (1, 1))
    with pytest.raises(Mismatch, match=r"the key in .*key\.pem does not fit the certificate in .*chain\.pem"):
        load(chain, key, NOW_NS)


def test_the_rigs_own_with_a_key_that_does_not_fit_is_told(tmp_path: Path) -> None:
    chain, _ = parts(tmp_path)
    file = tmp_path / "tls/certificate.pem"
    file.write_bytes(parts(tmp_path / "other")[1] + chain)
    with pytest.raises(Mismatch, match=r"does not fit .*everybody has to pair again"):
        certificates(tmp_path)


@pytest.mark.parametrize("which", [0, 1])
@pytest.mark.parametrize(
    "data", [b"", b"no PEM", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"]
)
def test_what_is_no_pem_is_told(given: tuple[Path, Path], which: int, data: bytes) -> None:
    given[which].write_bytes(data)
    with pytest.raises(Corrupt, match=f"{given[which].name} holds no "):
        load(*given, NOW_NS)


@pytest.mark.parametrize("which", [0, 1])
def test_a_file_that_is_not_there_is_told(given: tuple[Path, Path], which: int) -> None:
    given[which].unlink()
    with pytest.raises(FileMissing, match=given[which].name):
        load(*given, NOW_NS)


def test_a_key_that_others_can_read_is_refused(given: tuple[Path, Path]) -> None:
    given[0].chmod(0o644)
    load(*given, NOW_NS)
    given[1].chmod(0o644)
    with pytest.raises(Denied, match="open to other users"):
        load(*given, NOW_NS)


def test_what_was_cut_off_while_the_next_one_was_made_is_made_again(tmp_path: Path) -> None:
    made = certificates(tmp_path)
    (tmp_path / "tls/.writing-next.pem").write_text("half")
    assert certificates(tmp_path).pins() == made.pins()
    again = certificates(tmp_path)
    again.prepare()
    assert len(certificates(tmp_path).pins()) == 2


def test_of_several_who_ask_at_once_one_makes_the_next(tmp_path: Path) -> None:
    made = certificates(tmp_path)
    together = threading.Barrier(8)

    def ask(_: int) -> str:
        together.wait(60)
        made.prepare()
        return made.pins()[1]

    with ThreadPoolExecutor(8) as threads:
        announced = set(threads.map(ask, range(8)))
    assert len(announced) == 1
    made.use_next()
    assert {certificates(tmp_path).current.fingerprint} == announced
