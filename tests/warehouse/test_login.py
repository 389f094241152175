"""Logging in: every way, right and wrong, through the real connector; and which setting counts."""

import json
import logging
import os
import socket
import stat
import threading
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from rig.errors import (
    BadRequest,
    DatabaseMissing,
    Denied,
    FileMissing,
    NotFound,
    RigError,
    TokenExpired,
    Unauthenticated,
    Unavailable,
    Unreachable,
    WrongKey,
    WrongPassphrase,
    WrongPassword,
)
from rigclient.cli.commands.exits import code_of
from rigclient.cli.main import rig
from rigclient.warehouse import connect
from rigclient.warehouse.snowflake.login import login
from tests.warehouse.empty import KINDS, PASSWORD, USER, settings
from tests.warehouse.key_pair import PASSPHRASE, Pair, base64_of, pair
from tests.warehouse.peer.process import PeerProcess

Put = Callable[..., None]


@pytest.fixture
def put(monkeypatch: pytest.MonkeyPatch) -> Put:
    """Set settings by their names without SNOWFLAKE_; None takes one away."""

    def put(**values: str | None) -> None:
        for name, value in values.items():
            if value is None:
                monkeypatch.delenv(f"SNOWFLAKE_{name}", raising=False)
            else:
                monkeypatch.setenv(f"SNOWFLAKE_{name}", value)

    return put


def who(where: str = "snowflake") -> str:
    """The user that the warehouse takes us for."""
    with connect(where) as there:
        return str(there.rows("SELECT CURRENT_USER()")[0][0])


def connections(folder: Path, name: str = "pits", **values: Any) -> Path:
    """Write a connection into connections.toml."""
    lines = [f"{key} = {json.dumps(value)}" for key, value in values.items()]
    file = folder / "connections.toml"
    before = file.read_text() if file.exists() else ""
    file.write_text(before + "\n".join([f"[{name}]", *lines, ""]))
    file.chmod(stat.S_IRUSR | stat.S_IWUSR)
    return file


class TestWays:
    def test_a_password(self, account: PeerProcess) -> None:
        assert who() == USER

    @pytest.mark.parametrize("passphrase", ["", PASSPHRASE])
    @pytest.mark.parametrize("form", ["pem", "der"])
    def test_a_key_as_base64(
        self, account: PeerProcess, put: Put, keys: Pair, form: str, passphrase: str
    ) -> None:
        text = base64_of(getattr(keys, form)(passphrase))
        put(PASSWORD=None, PRIVATE_KEY=text, PRIVATE_KEY_PASSPHRASE=passphrase or None)
        assert who() == USER

    @pytest.mark.parametrize("passphrase", ["", PASSPHRASE])
    @pytest.mark.parametrize("name", ["PRIVATE_KEY_FILE", "PRIVATE_KEY_PATH"])
    def test_a_key_in_a_file(
        self, account: PeerProcess, put: Put, keys: Pair, tmp_path: Path, name: str, passphrase: str
    ) -> None:
        (tmp_path / "key.p8").write_bytes(keys.pem(passphrase))
        put(PASSWORD=None, PRIVATE_KEY_PASSPHRASE=passphrase or None, **{name: str(tmp_path / "key.p8")})
        assert who() == USER

    def test_a_token(self, account: PeerProcess, put: Put) -> None:
        account.add_user("TOKENED", tokens={"tok-1": time.time() + 600})
        put(USER="tokened", PASSWORD=None, TOKEN="tok-1")
        assert who() == "TOKENED"

    def test_a_named_connection_with_everything(
        self, account: PeerProcess, put: Put, keys: Pair, tmp_path: Path
    ) -> None:
        (tmp_path / "key.p8").write_bytes(keys.pem(PASSPHRASE))
        plain = {name.removeprefix("SNOWFLAKE_").lower(): value for name, value in settings(account).items()}
        del plain["password"]
        plain |= {"private_key_file": str(tmp_path / "key.p8"), "private_key_file_pwd": PASSPHRASE}
        del plain["port"], plain["network_timeout"]
        connections(tmp_path, port=account.port, **plain)
        put(**{name.removeprefix("SNOWFLAKE_"): None for name in settings(account)})
        assert who("snowflake:pits") == USER


class TestWhichSettingCounts:
    def test_a_named_connection_before_the_environment(
        self, account: PeerProcess, put: Put, tmp_path: Path
    ) -> None:
        connections(tmp_path, user="rigd", password=PASSWORD, schema="PUBLIC")
        put(USER="nobody", PASSWORD="wrong")
        assert who("snowflake:pits") == USER
        assert login("pits").source("user") == f"user of [pits] in {tmp_path / 'connections.toml'}"
        assert login("pits").source("account") == "SNOWFLAKE_ACCOUNT"
        assert login("pits").name == "snowflake:pits"

    def test_what_proves_who_asks_comes_from_one_place(
        self, account: PeerProcess, put: Put, keys: Pair, tmp_path: Path
    ) -> None:
        """A password of the connection counts, though the environment has a key, which would come first."""
        connections(tmp_path, password=PASSWORD)
        put(PRIVATE_KEY=base64_of(pair().pem()))
        assert who("snowflake:pits") == USER
        with pytest.raises(WrongKey):
            who()

    def test_the_environment_where_the_connection_says_nothing(
        self, account: PeerProcess, put: Put, keys: Pair, tmp_path: Path
    ) -> None:
        connections(tmp_path, user="rigd")
        put(PRIVATE_KEY=base64_of(keys.der()), PASSWORD="wrong")
        assert who("snowflake:pits") == USER

    def test_keys_before_tokens_before_passwords(self, account: PeerProcess, put: Put, keys: Pair) -> None:
        put(PASSWORD="wrong", TOKEN="wrong", PRIVATE_KEY_FILE="/wrong", PRIVATE_KEY=base64_of(keys.pem()))
        assert who() == USER
        put(PRIVATE_KEY=None)
        with pytest.raises(FileMissing):
            who()
        put(PRIVATE_KEY_FILE=None)
        with pytest.raises(Unauthenticated, match="SNOWFLAKE_TOKEN"):
            who()

    def test_the_default_connection_where_no_account_is_named(
        self, account: PeerProcess, put: Put, tmp_path: Path
    ) -> None:
        connections(tmp_path, "box", account="fakesnow", user="nobody", password=PASSWORD)
        connections(tmp_path, "default", account="fakesnow", user="rigd", password=PASSWORD)
        assert login().source("proof") == "SNOWFLAKE_PASSWORD"
        put(ACCOUNT=None)
        assert login().options["user"] == "rigd"
        (tmp_path / "config.toml").write_text("default_connection_name = 'box'")
        assert login().options["user"] == "nobody"
        put(DEFAULT_CONNECTION_NAME="default")
        assert login().options["user"] == "rigd"

    def test_connections_of_config_toml_unless_the_other_file_has_them(
        self, account: PeerProcess, tmp_path: Path
    ) -> None:
        (tmp_path / "config.toml").write_text("[connections.a]\nuser = 'x'\n[connections.pits]\nuser = 'y'\n")
        connections(tmp_path, user="z")
        assert (login("a").options["user"], login("pits").options["user"]) == ("x", "z")

    def test_settings_it_does_not_know_go_to_the_connector(
        self, account: PeerProcess, tmp_path: Path
    ) -> None:
        connections(tmp_path, login_timeout=3, insecure_mode=True, authenticator="externalbrowser")
        found = login("pits")
        assert (found.options["login_timeout"], found.options["insecure_mode"]) == (3, True)

    def test_a_way_without_a_secret_needs_none(self, account: PeerProcess, put: Put, tmp_path: Path) -> None:
        put(PASSWORD=None)
        connections(tmp_path, authenticator="externalbrowser")
        assert dict(login("pits").proof) == {}


class TestMissingSettings:
    @pytest.mark.parametrize("name", ["ACCOUNT", "USER", "DATABASE"])
    def test_one_that_is_needed_is_named(self, account: PeerProcess, put: Put, name: str) -> None:
        put(**{name: None})
        with pytest.raises(BadRequest, match=f"set SNOWFLAKE_{name}"):
            login()

    def test_nothing_that_proves_who_asks(self, account: PeerProcess, put: Put, tmp_path: Path) -> None:
        put(PASSWORD=None)
        with pytest.raises(
            BadRequest,
            match=r"no private key, token or password.*SNOWFLAKE_PRIVATE_KEY, .*_PASSWORD",
        ):
            login()

    def test_a_connection_that_is_not_there(self, account: PeerProcess, tmp_path: Path) -> None:
        with pytest.raises(FileMissing, match=r"connections\.toml.*SNOWFLAKE_HOME"):
            login("pits")
        connections(tmp_path, "box", user="x")
        with pytest.raises(NotFound, match=r"no connection 'pits'.*it has box"):
            login("pits")

    def test_a_file_that_is_no_toml(self, account: PeerProcess, tmp_path: Path) -> None:
        (tmp_path / "connections.toml").write_text("what = = this")
        with pytest.raises(BadRequest, match=r"connections\.toml is no TOML"):
            login("pits")

    def test_a_port_that_is_no_number(self, account: PeerProcess, put: Put) -> None:
        put(PORT="https")
        with pytest.raises(BadRequest, match="SNOWFLAKE_PORT is 'https'"):
            login()


def run(*words: str) -> Result:
    """The `rig` command."""
    return CliRunner().invoke(rig, words)


def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])


class TestRefusals:
    """Each ends the command with an exit code of its own and names the setting; nothing is half done."""

    def refused(self, peer: PeerProcess, kind: type[RigError], code: int, *setting: str) -> str:
        began = len(peer.journal())
        done = run("warehouse", "init", "--in", "snowflake")
        assert (done.exit_code, code_of(kind(""))) == (code, code), done.output
        said = done.stderr.splitlines()
        assert [line.partition(":")[0] for line in said] == ["error", "hint"], said
        for name in setting:
            assert name in said[1]
        assert not any(
            "CREATE" in line["subject"] and line["outcome"] == "ok" for line in peer.journal()[began:]
        )
        return done.stderr

    def test_wrong_password(self, account: PeerProcess, put: Put) -> None:
        put(PASSWORD="not-it")
        said = self.refused(account, WrongPassword, 10, "SNOWFLAKE_USER", "SNOWFLAKE_PASSWORD")
        assert "not-it" not in said

    def test_wrong_key(self, account: PeerProcess, put: Put) -> None:
        put(PASSWORD=None, PRIVATE_KEY=base64_of(pair().pem()))
        self.refused(account, WrongKey, 11, "SNOWFLAKE_PRIVATE_KEY", "SNOWFLAKE_USER", "clock")

    def test_no_key(self, account: PeerProcess, put: Put) -> None:
        put(PASSWORD=None, PRIVATE_KEY=base64_of(b"none"))
        done = run("warehouse", "init", "--in", "snowflake")
        assert done.exit_code == 11
        assert "SNOWFLAKE_PRIVATE_KEY is no private key" in done.stderr

    def test_wrong_passphrase(self, account: PeerProcess, put: Put, keys: Pair) -> None:
        put(PASSWORD=None, PRIVATE_KEY=base64_of(keys.pem(PASSPHRASE)), PRIVATE_KEY_PASSPHRASE="no")
        self.refused(account, WrongPassphrase, 12, "SNOWFLAKE_PRIVATE_KEY_PASSPHRASE")

    def test_expired_token(self, account: PeerProcess, put: Put) -> None:
        account.add_user("TOKENED", tokens={"old-tok": time.time() - 5})
        put(USER="tokened", PASSWORD=None, TOKEN="old-tok")
        said = self.refused(account, TokenExpired, 13, "SNOWFLAKE_TOKEN")
        assert "old-tok" not in said

    def test_unknown_token(self, account: PeerProcess, put: Put) -> None:
        put(PASSWORD=None, TOKEN="odd")
        self.refused(account, Unauthenticated, 4, "SNOWFLAKE_TOKEN")

    def test_missing_file(self, account: PeerProcess, put: Put) -> None:
        put(PASSWORD=None, PRIVATE_KEY_FILE="/nowhere/key.p8")
        assert "/nowhere/key.p8" in self.refused(account, FileMissing, 14, "SNOWFLAKE_PRIVATE_KEY_FILE")

    @pytest.mark.parametrize("name", ["DATABASE", "SCHEMA"])
    def test_no_such_database(self, account: PeerProcess, put: Put, name: str) -> None:
        put(**{name: "NOPE"})
        assert "NOPE" in self.refused(account, DatabaseMissing, 15, f"SNOWFLAKE_{name}", "SNOWFLAKE_ROLE")

    def test_no_privilege(self, account: PeerProcess, put: Put) -> None:
        account.add_user("READER", password="r", reads_only=True)
        put(USER="reader", PASSWORD="r")
        said = self.refused(account, Denied, 4, "SNOWFLAKE_ROLE", "RIGD_LOADER needs that right")
        assert "Insufficient privileges" in said

    def test_no_role(self, account: PeerProcess, put: Put) -> None:
        put(ROLE="ACCOUNTADMIN")
        self.refused(account, Denied, 4, "SNOWFLAKE_ROLE")

    def test_nobody_listens(self, account: PeerProcess, put: Put) -> None:
        put(PORT=str(closed_port()))
        assert "connection refused" in self.refused(account, Unreachable, 16, "SNOWFLAKE_ACCOUNT")

    def test_no_such_host(self, account: PeerProcess, put: Put) -> None:
        put(HOST=None, PORT=None, PROTOCOL=None, ACCOUNT="nobody-here.invalid")
        assert "nobody-here" in self.refused(account, Unreachable, 16, "SNOWFLAKE_ACCOUNT")

    def test_somebody_listens_and_never_answers(self, account: PeerProcess, put: Put) -> None:
        """Connector 4 alone waits a minute for it."""
        with socket.create_server(("127.0.0.1", 0)) as silent:
            put(PORT=str(silent.getsockname()[1]), LOGIN_TIMEOUT="1")
            assert "timed out" in self.refused(account, Unreachable, 16, "SNOWFLAKE_ACCOUNT")

    def test_a_server_that_always_fails(self, account: PeerProcess, put: Put) -> None:
        account.faults(("before", "login-request", "http503"))
        put(LOGIN_TIMEOUT="1")
        self.refused(account, Unreachable, 16, "SNOWFLAKE_ACCOUNT")


@pytest.fixture(params=KINDS[1:])
def any_account(request: pytest.FixtureRequest) -> None:
    """The settings of the environment: those of the peer, and as they are where a real account takes part."""
    if request.param == "snowflake":
        request.getfixturevalue("account")


@pytest.mark.usefixtures("any_account")
class TestAnyAccount:
    def test_the_right_one_is_let_in(self) -> None:
        assert who() == login().options["user"].upper()

    def test_a_wrong_password(self, put: Put) -> None:
        put(PRIVATE_KEY=None, PRIVATE_KEY_FILE=None, PRIVATE_KEY_PATH=None, TOKEN=None, PASSWORD="not-it")
        with pytest.raises(WrongPassword):
            who()

    def test_a_wrong_key(self, put: Put) -> None:
        put(PRIVATE_KEY=base64_of(pair().pem()))
        with pytest.raises(WrongKey):
            who()

    @pytest.mark.parametrize("name", ["DATABASE", "SCHEMA"])
    def test_no_such_place(self, put: Put, name: str) -> None:
        put(**{name: "RIGD_NOPE"})
        with pytest.raises(DatabaseMissing):
            who()

    def test_no_such_role(self, put: Put) -> None:
        put(ROLE="RIGD_NOPE")
        with pytest.raises(Denied):
            who()


class TestSessions:
    def test_it_logs_in_again_when_it_was_thrown_out(self, account: PeerProcess) -> None:
        with connect("snowflake") as there:
            account.abort_detached()
            with pytest.raises(Unavailable, match=r"session has ended.*logs in again"):
                there.rows("SELECT 1")
            assert there.rows("SELECT 1") == [(1,)]

    def test_but_not_into_the_middle_of_a_transaction(self, account: PeerProcess) -> None:
        with connect("snowflake") as there:
            there.execute("CREATE OR REPLACE TABLE T (N BIGINT)")
            there.begin()
            account.abort_detached()
            for _ in range(2):
                with pytest.raises(Unavailable):
                    there.execute("INSERT INTO T SELECT 1")
            there.rollback()
            assert there.rows("SELECT COUNT(*) FROM T") == [(0,)]

    def test_a_server_that_stops_answering_is_given_up_in_one_sentence(
        self, account: PeerProcess, put: Put, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Nor does the timer by which connector 4 cancels have anything to say."""
        loud: list[Any] = []
        monkeypatch.setattr(threading, "excepthook", loud.append)
        put(NETWORK_TIMEOUT="1")
        with connect("snowflake") as there:
            account.faults(("before", "^SELECT 1|abort-request|/session", "http503"))
            with pytest.raises(Unreachable, match="does not answer"):
                there.rows("SELECT 1")
            for thread in threading.enumerate():
                if isinstance(thread, threading.Timer):
                    thread.join(10)
            account.faults()
            assert there.rows("SELECT 1") == [(1,)]
        assert loud == []

    def test_its_token_is_renewed_under_way(self, account: PeerProcess, put: Put) -> None:
        account.add_user("SHORT", password="s", token_s=0)
        put(USER="short", PASSWORD="s")
        assert who() == "SHORT"

    def test_a_clock_that_is_off_is_found(self, account: PeerProcess, put: Put) -> None:
        account.add_user("AHEAD", password="a", ahead_s=3600)
        put(USER="ahead", PASSWORD="a")
        with connect("snowflake") as there:
            (clock,) = (check for check in there.health() if check.what == "clock")
        assert not clock.well
        assert "3600.0 s behind" in clock.text or "3599" in clock.text

    def test_a_stage_that_is_not_there_is_found(self, account: PeerProcess) -> None:
        with connect("snowflake") as there:
            there.execute("CREATE SCHEMA BARE")
            (stage,) = (check for check in there.health() if check.what == "stage")
            there.execute("DROP SCHEMA BARE")
        assert not stage.well
        assert "RIG_STAGE" in stage.text


class TestSecrets:
    def test_none_is_shown_wherever_people_look(
        self, account: PeerProcess, put: Put, keys: Pair, capfd: pytest.CaptureFixture[str], caplog: Any
    ) -> None:
        """Every way in, and every way out again, with all that the connector logs."""
        text = base64_of(keys.pem(PASSPHRASE))
        shown = []
        with caplog.at_level(logging.DEBUG, "snowflake"):
            for way in ({}, {"PRIVATE_KEY": text, "PRIVATE_KEY_PASSPHRASE": PASSPHRASE}):
                put(**way)
                shown += [who(), repr(login()), str(login())]
            for wrong in (
                {"PRIVATE_KEY": base64_of(keys.public.encode())},
                {"PRIVATE_KEY": None, "PASSWORD": "pa55-"},
            ):
                put(**wrong)
                shown.append(run("warehouse", "init", "--in", "snowflake").output)
        out, err = capfd.readouterr()
        everything = "".join(
            [*shown, out, err, caplog.text, *(str(record.__dict__) for record in caplog.records)]
        )
        assert "Snowflake" in everything or "snowflake" in everything
        assert [secret for secret in self.secrets(keys) if secret in everything] == []

    def secrets(self, keys: Pair) -> list[str]:
        """Passwords, and a stretch of the middle of every form of the key."""
        forms = [keys.pem(), keys.pem(PASSPHRASE)]
        lines = [line.decode() for form in forms for line in form.splitlines()[3:6]]
        raw = [base64_of(form)[200:260] for form in (*forms, keys.der())]
        return [PASSWORD, "pa55-", PASSPHRASE, *lines, *raw, repr(keys.der()[300:320])[2:-1]]


def test_the_connector_is_the_one_that_is_to_be_tested() -> None:
    """`make test-snowflake5` runs these tests with another."""
    assert version("snowflake-connector-python").startswith(os.environ.get("RIGD_CONNECTOR", "4.8."))


def test_no_setting_of_this_machine_is_looked_at(account: PeerProcess, put: Put) -> None:
    known = {f"SNOWFLAKE_{name}" for name in ("HOME", "DISABLE_PLATFORM_DETECTION")}
    found = {name for name in os.environ if name.startswith("SNOWFLAKE_")} - set(settings(account))
    assert found <= known
