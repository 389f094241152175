"""Paired rigs: from the join string to a call by name, and each way it can fail in its own sentence."""

import datetime
import json
import os
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

import rigclient
from rig import sockets
from rig.errors import (
    BadRequest,
    Corrupt,
    Denied,
    Mismatch,
    Newer,
    NotFound,
    TokenExpired,
    Unauthenticated,
    Unavailable,
    Unreachable,
    WrongPin,
)
from rig.join import Join
from rigclient import connection, paired, tls
from rigclient.pairing import pair
from rigclient.route import target_of
from tests.rigclient.tls_rig import CODE, DAY, EXPIRED, Start, TLSRig, identity
from tests.stage import free_port


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What stands for the user's configuration folder."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    monkeypatch.setattr(sockets, "SYSTEM", tmp_path / "system")
    return tmp_path / "rig/rigs"


@pytest.fixture
def start() -> Iterator[Start]:
    running: list[TLSRig] = []

    def started(*words: object, **more: object) -> TLSRig:
        running.append(TLSRig(*words, **more))  # type: ignore[arg-type, abstract]
        return running[-1]

    yield started
    for rig in running:
        rig.stop()


def status(name: str) -> str:
    with rigclient.connect(name) as rig:
        return rig.status().version


class TestConnecting:
    def test_by_its_own_name_from_then_on(self, start: Start, home: Path) -> None:
        rig = start()
        found = pair(rig.join())
        assert (found.name, found.user, found.scopes) == ("simrig", "birch", ("live", "laps"))
        assert status("simrig") == "scripted"
        assert set(rig.authorizations) == {f"Bearer {found.token}"}
        assert paired.load("simrig").pins == (rig.shown.pin,)
        assert home.stat().st_mode & 0o777 == 0o700
        assert (home / "simrig.json").stat().st_mode & 0o777 == 0o600
        assert found.token not in repr(found)

    async def test_for_asyncio(self, start: Start) -> None:
        pair(start().join(), "pitwall")
        async with rigclient.aio.connect("pitwall") as rig:
            assert (await rig.status()).version == "scripted"
            assert (await rig.caller()).user == "birch"

    def test_addresses_are_tried_in_turn(self, start: Start) -> None:
        rig, stranger = start(), start()
        nobody = f"127.0.0.1:{free_port()}"
        found = pair(rig.join(nobody, stranger.address, f"localhost:{rig.port}"))
        assert found.addresses == (f"localhost:{rig.port}", nobody, stranger.address)
        assert status("simrig") == "scripted"

    @pytest.mark.skipif(not socket.has_ipv6, reason="no IPv6 here")
    def test_over_ipv6(self, start: Start) -> None:
        rig = start(host="[::1]")
        nobody = f"127.0.0.1:{free_port()}"
        pair(rig.join(nobody, rig.address))
        assert status("simrig") == "scripted"

    @pytest.mark.parametrize("name", ["rig.example.org", "*.example.org"])
    def test_with_a_certificate_of_somebody_elses_making(self, start: Start, name: str) -> None:
        """The pin is what counts, whatever name it is for, and it may change for one with another."""
        rig = start(identity(name=name))
        pair(rig.join())
        following = identity()
        rig.pins.append(following.pin)
        assert status("simrig") == "scripted"
        rig.stop()
        rig.shown = following
        rig.start()
        assert status("simrig") == "scripted"

    def test_silent_addresses_are_waited_for_together(
        self, start: Start, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(tls, "_STEP_S", 60.0)
        monkeypatch.setattr(tls, "LOOK_S", 1.0)
        rig = start()
        with ExitStack() as stack:
            silent = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(15)]
            names = [f"127.0.0.1:{one.getsockname()[1]}" for one in silent]
            assert pair(rig.join(*names, rig.address)).addresses[0] == rig.address

    @pytest.mark.parametrize("secret", ["s\r\nx-more: 1", " ", "é", "s" * 600])
    def test_a_token_that_is_none_is_not_kept(self, start: Start, secret: str) -> None:
        rig = start()
        rig.secret = secret
        with pytest.raises(Corrupt):
            pair(rig.join())
        assert paired.names() == []

    def test_a_code_works_once(self, start: Start) -> None:
        rig = start()
        pair(rig.join())
        with pytest.raises(Unauthenticated, match="was used"):
            pair(rig.join(), "again")
        assert paired.names() == ["simrig"]

    def test_the_same_rig_gets_its_new_token(self, start: Start) -> None:
        rig = start()
        first = pair(rig.join())
        rig.codes.add(CODE)
        assert pair(rig.join()).token != first.token
        assert paired.names() == ["simrig"]

    def test_another_of_that_name_gets_another(self, start: Start) -> None:
        assert [pair(start().join()).name for _ in range(3)] == ["simrig", "simrig-2", "simrig-3"]

    @pytest.mark.parametrize(
        ("own", "name"), [("demo", "demo-2"), ("", "rig-2"), ("../../x y", "x-y"), ("ä" * 300, "rig-2")]
    )
    def test_a_name_that_is_none_becomes_one(self, start: Start, own: str, name: str) -> None:
        rig = start()
        rig.name = own
        assert pair(rig.join()).name == name

    @pytest.mark.parametrize("name", ["rig", "demo", "a/b", "..", "127.0.0.1:1", "x" * 33])
    def test_a_name_that_cannot_be_uses_no_code(self, start: Start, name: str) -> None:
        rig = start()
        with pytest.raises(BadRequest):
            pair(rig.join(), name)
        assert rig.codes == {CODE}

    def test_a_name_that_is_taken_uses_no_code(self, start: Start) -> None:
        pair(start().join(), "wall")
        other = start()
        with pytest.raises(BadRequest, match="another rig is paired as wall"):
            pair(other.join(), "wall")
        assert other.codes == {CODE}

    def test_a_folder_open_to_others_uses_no_code(self, start: Start, home: Path) -> None:
        rig = start()
        home.mkdir(parents=True)
        home.chmod(0o755)
        with pytest.raises(Denied, match="chmod 700"):
            pair(rig.join())
        assert rig.codes == {CODE}

    def test_whoever_answers_there_gets_no_code(self, start: Start) -> None:
        """An altered fingerprint, with its check made to fit."""
        rig, other = start(), start()
        with pytest.raises(WrongPin, match="another certificate"):
            pair(Join((other.address,), rig.shown.pin, CODE).text())
        assert other.codes == rig.codes == {CODE}


class TestFailures:
    """What comes later, each in its sentence: gRPC says UNAVAILABLE to all but the last two."""

    @pytest.fixture
    def rig(self, start: Start) -> TLSRig:
        rig = start()
        pair(rig.join())
        return rig

    def test_another_certificate(self, rig: TLSRig) -> None:
        rig.stop()
        rig.shown = identity()
        rig.start()
        with pytest.raises(WrongPin, match=f"another certificate answers at {rig.address}"):
            status("simrig")
        assert len(rig.authorizations) == 0

    @pytest.mark.parametrize(
        ("begins", "ends", "said"),
        [(-2 * DAY, -DAY, "valid until"), (DAY, 9 * DAY, "not valid before")],
        ids=["over", "not yet"],
    )
    def test_a_certificate_of_another_time(
        self, start: Start, begins: datetime.timedelta, ends: datetime.timedelta, said: str
    ) -> None:
        rig = start(identity(begins, ends))
        with pytest.raises(Mismatch, match=f"{said}.*the clock says") as caught:
            pair(rig.join())
        assert type(caught.value) is Mismatch
        assert rig.codes == {CODE}

    def test_plain_text_where_tls_was(self, rig: TLSRig) -> None:
        rig.stop()
        rig.start(secure=False)
        with pytest.raises(Mismatch, match="does not speak TLS"):
            status("simrig")
        assert rig.authorizations == []

    def test_another_program_where_tls_was(self, rig: TLSRig) -> None:
        rig.stop()
        with socket.create_server(("127.0.0.1", rig.port)) as server:
            threading.Thread(target=_talk, args=(server,), daemon=True).start()
            with pytest.raises(Mismatch, match="does not speak TLS"):
                status("simrig")

    def test_who_hangs_up_may_be_a_rig_that_ends(self, rig: TLSRig) -> None:
        """No Mismatch, which would end streams: they are to try again."""
        rig.stop()
        with socket.create_server(("127.0.0.1", rig.port)) as server:
            threading.Thread(target=_talk, args=(server, b""), daemon=True).start()
            with pytest.raises(Unavailable, match="broke the connection off"):
                status("simrig")

    def test_plain_text_to_who_speaks_tls(self, rig: TLSRig) -> None:
        with pytest.raises(Mismatch, match="speaks TLS, and this connection does not"):
            status(rig.address)

    async def test_plain_text_to_who_speaks_tls_in_asyncio(self, rig: TLSRig) -> None:
        async with rigclient.aio.connect(rig.address) as plain:
            with pytest.raises(Mismatch, match="speaks TLS, and this connection does not"):
                await plain.status()

    def test_it_is_off(self, rig: TLSRig) -> None:
        rig.stop()
        with pytest.raises(Unavailable, match=f"the rig is off: the machine at {rig.address} answers"):
            status("simrig")

    async def test_it_is_off_in_asyncio(self, rig: TLSRig) -> None:
        rig.stop()
        async with rigclient.aio.connect("simrig") as connection:
            with pytest.raises(Unavailable, match="the rig is off"):
                await connection.status()
            with pytest.raises(Unavailable, match="the rig is off"):
                async for _ in connection.physics():
                    pass

    def test_no_such_host(self, rig: TLSRig) -> None:
        _moved("simrig", "no-such-host.invalid:7340")
        with pytest.raises(Unreachable, match=r"no such host: no-such-host\.invalid"):
            status("simrig")

    def test_who_takes_connections_and_says_nothing(
        self, rig: TLSRig, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(tls, "_STEP_S", 0.2)
        monkeypatch.setattr(connection, "TIMEOUT_S", 0.5)
        with socket.create_server(("127.0.0.1", 0)) as server:
            _moved("simrig", f"127.0.0.1:{server.getsockname()[1]}")
            with pytest.raises(Unreachable, match="nothing answers at 127"):
                status("simrig")

    def test_a_look_ends_whatever_is_there(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Each step may take its time: a name is looked up, a byte comes now and then."""
        monkeypatch.setattr(tls, "LOOK_S", 0.3)
        monkeypatch.setattr(tls, "_STEP_S", 60.0)
        with socket.create_server(("127.0.0.1", 0)) as server, pytest.raises(Unreachable):
            tls.look(f"127.0.0.1:{server.getsockname()[1]}")

    def test_somebody_says_more_than_nobody(self, rig: TLSRig, start: Start) -> None:
        rig.stop()
        stranger = start()
        _moved("simrig", rig.address, stranger.address, "no-such-host.invalid:1")
        with pytest.raises(WrongPin):
            status("simrig")

    def test_the_rig_moved_to_its_other_address(self, rig: TLSRig) -> None:
        """One name is all that gRPC takes; a look from outside finds the other addresses."""
        _moved("simrig", "no-such-host.invalid:1", rig.address)
        assert status("simrig") == "scripted"

    def test_an_expired_token(self, rig: TLSRig) -> None:
        rig.refusal = EXPIRED
        with pytest.raises(TokenExpired, match="the token expired"):
            status("simrig")

    def test_a_revoked_token(self, rig: TLSRig) -> None:
        rig.tokens.clear()
        with pytest.raises(Unauthenticated):
            status("simrig")


class TestRotation:
    """The rig announces its next certificate, then shows it."""

    def test_connections_go_on(self, start: Start) -> None:
        rig = start()
        pair(rig.join())
        following = identity()
        rig.pins.append(following.pin)
        with rigclient.connect("simrig") as connection:
            assert connection.status().version == "scripted"
            assert paired.load("simrig").pins == (rig.shown.pin, following.pin)
            rig.stop()
            rig.shown = following
            rig.start()
            assert connection.status().version == "scripted"
            assert len(paired.load("simrig").certificates) == 2
        rig.pins = [following.pin]
        assert status("simrig") == "scripted"
        kept = paired.load("simrig")
        assert kept.pins == (following.pin,)
        assert kept.certificates == (following.certificate.decode(),)

    def test_what_another_program_has_learned_counts(self, start: Start) -> None:
        rig = start()
        pair(rig.join())
        with rigclient.connect("simrig") as connection:
            connection.status()
            following = identity()
            rig.pins.append(following.pin)
            status("simrig")
            rig.stop()
            rig.shown = following
            rig.start()
            assert connection.status().version == "scripted"

    def test_what_cannot_be_kept_is_known_to_this_connection(
        self, start: Start, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        def refuse(rig: paired.PairedRig) -> None:
            raise OSError(30, "Read-only file system")

        rig = start()
        pair(rig.join())
        monkeypatch.setattr(paired, "save", refuse)
        following = identity()
        rig.pins.append(following.pin)
        with rigclient.connect("simrig") as connection:
            connection.status()
            rig.stop()
            rig.shown = following
            rig.start()
            assert connection.status().version == "scripted"
            rig.stop()
            with pytest.raises(Unavailable, match="the rig is off"):
                connection.status()
        assert "Read-only file system" in caplog.text

    async def test_in_asyncio_too(self, start: Start) -> None:
        rig = start()
        pair(rig.join())
        following = identity()
        rig.pins.append(following.pin)
        async with rigclient.aio.connect("simrig") as connection:
            await connection.status()
            rig.stop()
            rig.shown = following
            rig.start()
            assert (await connection.status()).version == "scripted"

    def test_what_was_forgotten_meanwhile_stays_so(self, start: Start) -> None:
        rig = start()
        pair(rig.join())
        rig.pins.append("0" * 64)
        with rigclient.connect("simrig") as connection:
            paired.forget("simrig")
            connection.status()
        assert paired.names() == []

    def test_pins_that_are_none_are_not_kept(self, start: Start) -> None:
        rig = start()
        pair(rig.join())
        rig.pins = ["no pin", "../x"]
        status("simrig")
        assert paired.load("simrig").pins == (rig.shown.pin,)


class TestFiles:
    @pytest.fixture
    def file(self, start: Start, home: Path) -> Path:
        pair(start().join())
        return home / "simrig.json"

    @pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o644])
    def test_one_that_others_can_read_or_write_is_refused(self, file: Path, mode: int) -> None:
        file.chmod(mode)
        with pytest.raises(Denied, match="open to other users"):
            rigclient.connect("simrig")

    def test_a_folder_that_others_can_enter_is_refused(self, file: Path) -> None:
        file.parent.chmod(0o750)
        with pytest.raises(Denied, match="open to other users"):
            rigclient.connect("simrig")

    @pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
    def test_one_of_another_user_is_refused(self, file: Path) -> None:
        os.chown(file, 12345, -1)
        with pytest.raises(Denied, match="another user"):
            rigclient.connect("simrig")

    def test_a_link_is_not_followed(self, file: Path, tmp_path: Path) -> None:
        file.rename(tmp_path / "elsewhere")
        file.symlink_to(tmp_path / "elsewhere")
        with pytest.raises(Corrupt):
            rigclient.connect("simrig")

    def test_nothing_is_written_through_a_link(self, file: Path, tmp_path: Path) -> None:
        (tmp_path / "precious").write_text("mine")
        file.with_name(".writing-simrig.json").symlink_to(tmp_path / "precious")
        paired.save(paired.load("simrig"))
        assert (tmp_path / "precious").read_text() == "mine"

    def test_a_folder_is_no_file(self, file: Path) -> None:
        file.unlink()
        file.mkdir(mode=0o700)
        with pytest.raises(Corrupt):
            rigclient.connect("simrig")

    def test_a_fifo_is_not_waited_for(self, file: Path) -> None:
        file.unlink()
        os.mkfifo(file, 0o600)
        with pytest.raises(Corrupt):
            rigclient.connect("simrig")

    @pytest.mark.parametrize("cut", [0, 1, 40, -3])
    def test_one_that_was_cut_is_damaged(self, file: Path, cut: int) -> None:
        file.write_bytes(file.read_bytes()[:cut])
        with pytest.raises(Corrupt, match=r"simrig.json is damaged: .*`rig forget simrig`, then pair"):
            rigclient.connect("simrig")

    @pytest.mark.parametrize(
        ("key", "value"),
        [
            ("addresses", []),
            ("addresses", ["unix:/tmp/x"]),
            ("addresses", ["nonsense"]),
            ("addresses", "127.0.0.1:1"),
            ("certificates", ["no PEM"]),
            ("certificates", []),
            ("certificates", ["-----BEGIN CERTIFICATE-----\nAAAAA\n-----END CERTIFICATE-----\n"]),
            ("pins", ["ff"]),
            ("pins", []),
            ("token", "id.secret\r\nx: y"),
            ("token", ""),
            ("server_name", "a b"),
            ("token", None),
            ("scopes", [1]),
            ("user", 5),
            ("expire_ns", "tomorrow"),
            ("expire_ns", -1),
            ("expire_ns", 1 << 70),
        ],
    )
    def test_what_no_program_wrote_is_damaged(self, file: Path, key: str, value: object) -> None:
        file.write_text(json.dumps({**json.loads(file.read_text()), key: value}))
        with pytest.raises(Corrupt, match="is damaged"):
            rigclient.connect("simrig")

    def test_of_a_newer_version(self, file: Path) -> None:
        file.write_text(json.dumps({**json.loads(file.read_text()), "version": 2}))
        with pytest.raises(Newer, match="version 2"):
            rigclient.connect("simrig")

    def test_what_a_later_version_adds_is_passed_over(self, file: Path) -> None:
        file.write_text(json.dumps({**json.loads(file.read_text()), "colour": "red"}))
        assert paired.load("simrig").user == "birch"

    def test_a_name_is_that_of_the_file(self, file: Path) -> None:
        file.rename(file.with_name("wall.json"))
        assert paired.load("wall").name == "wall"
        assert status("wall") == "scripted"

    def test_forgotten_also_when_damaged(self, file: Path) -> None:
        file.write_text("{")
        assert paired.forget("simrig") is None
        assert paired.names() == []
        with pytest.raises(NotFound):
            paired.forget("simrig")


class TestNames:
    def test_a_rig_on_this_machine_comes_first(
        self, start: Start, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        pair(start().join(), "wall")
        assert paired.place("wall") == "wall"
        (tmp_path / "rigd").mkdir(mode=0o700)
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(str(tmp_path / "rigd/wall.sock"))
            server.listen()
            assert paired.place("wall") == f"unix:{tmp_path}/rigd/wall.sock"
            assert "there is a paired one of that name as well" in caplog.text
            with pytest.raises(BadRequest, match="a rig on this machine"):
                paired.check_free("wall", "")
        assert paired.place("wall") == "wall"

    @pytest.mark.parametrize("rig", ["127.0.0.1:7340", "unix:/tmp/x", "simrig.local:7340"])
    def test_an_address_is_itself(self, rig: str) -> None:
        assert paired.place(rig) == rig


@pytest.mark.parametrize(
    ("addresses", "target"),
    [
        (("192.0.2.1:7",), "ipv4:192.0.2.1:7"),
        (("192.0.2.1:7", "192.0.2.2:8"), "ipv4:192.0.2.1:7,192.0.2.2:8"),
        (("[fd00::1]:7",), "ipv6:[fd00::1]:7"),
        (("[fd00::1]:7", "192.0.2.1:7"), "ipv6:[fd00::1]:7,[::ffff:192.0.2.1]:7"),
        (("simrig.local:7", "192.0.2.1:7"), "dns:///simrig.local:7"),
        (("192.0.2.1:7", "simrig.local:7"), "ipv4:192.0.2.1:7"),
    ],
)
def test_several_addresses_are_one_target(addresses: tuple[str, ...], target: str) -> None:
    assert target_of(addresses) == target


def _moved(name: str, *addresses: str) -> None:
    """Have a paired rig answer elsewhere."""
    kept = paired.load(name)
    paired.save(paired.PairedRig(**{**vars(kept), "addresses": addresses}))


def _talk(server: socket.socket, words: bytes = b"220 ready\r\n") -> None:
    """Answer as programs do that speak first."""
    while True:
        try:
            client, _ = server.accept()
        except OSError:
            return
        with client:
            client.sendall(words)
