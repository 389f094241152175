"""Private keys in every form, and what is said of those that are none."""

import base64
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_der_private_key,
)

from rig.errors import FileMissing, RigError, WrongKey, WrongPassphrase
from rigclient.warehouse.snowflake.keys import PrivateKey, from_base64, from_file
from tests.warehouse.key_pair import PASSPHRASE, Pair, base64_of

FORMS = [
    (encoding, kind, passphrase)
    for encoding in (Encoding.PEM, Encoding.DER)
    for kind in (PrivateFormat.PKCS8, PrivateFormat.TraditionalOpenSSL)
    for passphrase in ("", PASSPHRASE)
    if (encoding, kind, passphrase) != (Encoding.DER, PrivateFormat.TraditionalOpenSSL, PASSPHRASE)
]


def of_text(text: str, passphrase: str = "") -> PrivateKey:
    return from_base64(text, passphrase, "THE_KEY", "THE_PASSPHRASE")


def of_file(path: Path, passphrase: str = "") -> PrivateKey:
    return from_file(path, passphrase, "THE_FILE", "THE_PASSPHRASE")


@pytest.mark.parametrize(("encoding", "kind", "passphrase"), FORMS)
class TestForms:
    def test_base64_becomes_the_same_plain_der(
        self, keys: Pair, encoding: Encoding, kind: PrivateFormat, passphrase: str
    ) -> None:
        text = base64_of(keys.form(encoding, passphrase, kind))
        assert of_text(text, passphrase).der == keys.der()
        wrapped = "\n".join(text[at : at + 64] for at in range(0, len(text), 64))
        assert of_text(f"  {wrapped}\n", passphrase).der == keys.der()

    def test_a_file_becomes_the_same_plain_der(
        self, keys: Pair, tmp_path: Path, encoding: Encoding, kind: PrivateFormat, passphrase: str
    ) -> None:
        path = tmp_path / "rsa_key.p8"
        path.write_bytes(keys.form(encoding, passphrase, kind))
        assert of_file(path, passphrase).der == keys.der()


class TestWhatPeopleDo:
    def test_a_passphrase_that_is_not_needed_is_not_used(self, keys: Pair) -> None:
        assert of_text(base64_of(keys.pem()), "for another").der == keys.der()

    def test_pem_may_stand_in_the_setting_itself(self, keys: Pair) -> None:
        assert of_text(keys.pem().decode()).der == keys.der()
        assert of_text(keys.pem().decode().replace("\n", "\\n")).der == keys.der()

    def test_an_elliptic_key_is_a_key(self) -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        text = base64_of(key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption()))
        load_der_private_key(of_text(text).der, None)

    def test_home_is_found(self, keys: Pair, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("HOME", str(tmp_path))
        (tmp_path / "key.p8").write_bytes(keys.pem())
        assert of_file(Path("~/key.p8")).der == keys.der()


def broken(keys: Pair) -> list[tuple[str, type[RigError], str]]:
    """What may stand in a setting, what that is, and the setting to name."""
    other = ed25519.Ed25519PrivateKey.generate().private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
    )
    return [
        ("no base64, this", WrongKey, "THE_KEY"),
        (base64_of(b"what is this"), WrongKey, "THE_KEY"),
        (base64_of(keys.public.encode()), WrongKey, "THE_KEY"),
        (base64_of(keys.der()[:-40]), WrongKey, "THE_KEY"),
        (base64_of(keys.pem()[:900]), WrongKey, "THE_KEY"),
        (base64_of(other), WrongKey, "THE_KEY"),
        (base64_of(base64.b64encode(keys.der())), WrongKey, "THE_KEY"),
        (base64_of(keys.pem("another passphrase")), WrongPassphrase, "THE_PASSPHRASE"),
        (base64_of(keys.der("another passphrase")), WrongPassphrase, "THE_PASSPHRASE"),
    ]


class TestWhatIsWrong:
    @pytest.mark.parametrize("at", range(9))
    @pytest.mark.parametrize("passphrase", ["", PASSPHRASE])
    def test_the_setting_is_named_and_the_key_is_not(self, keys: Pair, at: int, passphrase: str) -> None:
        text, kind, setting = broken(keys)[at]
        with pytest.raises(kind) as refused:
            of_text(text, passphrase)
        assert setting in str(refused.value)
        assert "\n" not in str(refused.value)
        assert text[:20] not in str(refused.value)
        assert PASSPHRASE not in str(refused.value)

    def test_an_encrypted_key_asks_for_its_passphrase(self, keys: Pair) -> None:
        with pytest.raises(WrongPassphrase, match=r"is encrypted.*set THE_PASSPHRASE"):
            of_text(base64_of(keys.pem(PASSPHRASE)))

    def test_a_file_that_is_not_there_is_named(self, tmp_path: Path) -> None:
        with pytest.raises(FileMissing, match=r"none\.p8 cannot be read: No such file.*check THE_FILE"):
            of_file(tmp_path / "none.p8")
        with pytest.raises(FileMissing, match="Is a directory"):
            of_file(tmp_path)

    def test_a_file_that_is_no_key_is_named(self, tmp_path: Path) -> None:
        (tmp_path / "notes.txt").write_text("buy tyres")
        with pytest.raises(WrongKey, match=r"THE_FILE.*notes\.txt.*no private key"):
            of_file(tmp_path / "notes.txt")


def test_a_key_is_never_shown(keys: Pair) -> None:
    key = of_text(base64_of(keys.pem()))
    assert repr(key) == str(key) == "PrivateKey()"
    assert f"{key!r} {key}" == "PrivateKey() PrivateKey()"
