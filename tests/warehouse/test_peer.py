"""The peer: it refuses whom an account would refuse, and breaks where it is told to."""

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jwt
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import snowflake.connector as connector
from snowflake.connector.pandas_tools import write_pandas

from tests.warehouse.empty import PASSWORD, ROLE, USER
from tests.warehouse.key_pair import Pair, pair
from tests.warehouse.peer.process import ACCOUNT, DATABASE, PYTHON, PeerProcess

os.environ.setdefault("SNOWFLAKE_DISABLE_PLATFORM_DETECTION", "true")
ROOT = Path(__file__).resolve().parents[2]
PEER = ROOT / "tests/warehouse/peer"


def connect(peer: PeerProcess, **other: Any) -> Any:
    """The connector as it is."""
    plain = {
        "user": USER,
        "password": PASSWORD,
        "account": ACCOUNT,
        "host": "127.0.0.1",
        "port": peer.port,
        "protocol": "http",
        "database": DATABASE,
        "schema": "PUBLIC",
        "role": ROLE,
        "login_timeout": 10,
        "network_timeout": 30,
        "paramstyle": "qmark",
        "enable_server_session_keep_alive_auto_detection": False,
        "session_parameters": {"CLIENT_TELEMETRY_ENABLED": False},
    }
    return connector.connect(**(plain | other))


def by_key(peer: PeerProcess, key: Pair, **other: Any) -> Any:
    return connect(peer, password=None, private_key=key.der(), authenticator="SNOWFLAKE_JWT", **other)


@pytest.fixture
def session(peer: PeerProcess) -> Iterator[Any]:
    with connect(peer) as opened:
        yield opened


@pytest.fixture(scope="module")
def fragile(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PeerProcess]:
    """One that may be killed."""
    with PeerProcess(tmp_path_factory.mktemp("fragile")) as started:
        started.add_user(USER, password=PASSWORD)
        yield started


def ask(session: Any, sql: str, *params: Any) -> list[Any]:
    return list(session.cursor().execute(sql, params or None).fetchall())


def sent(peer: PeerProcess, subject: str, since: int = 0) -> list[str]:
    """What came of the requests with this subject."""
    return [line["outcome"] for line in peer.journal()[since:] if re.search(subject, line["subject"])]


class TestWhatItLeansOn:
    """In the environment that has fakesnow, whatever connector these tests have."""

    def test_fakesnow_is_pinned_and_has_every_name_the_peer_uses(self) -> None:
        code = (
            "import importlib, json\n"
            "from functools import reduce\n"
            "from importlib.metadata import version\n"
            "from tests.warehouse.peer import fake\n"
            "for module, names in fake.PRIVATE.items():\n"
            "    for name in names:\n"
            "        reduce(getattr, name.split('.'), importlib.import_module(module))\n"
            "print(json.dumps([version('fakesnow'), fake.VERSION]))"
        )
        done = subprocess.run([PYTHON, "-c", code], capture_output=True, text=True, check=False, cwd=ROOT)
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout) == ["0.12.1", "0.12.1"]
        assert '"fakesnow[server]==0.12.1"' in (ROOT / "pyproject.toml").read_text()
        assert "fakesnow==0.12.1\n" in (ROOT / "tests/constraints.txt").read_text()

    def test_private_names_are_used_where_they_are_listed(self) -> None:
        """An underscore of fakesnow's own is met in the two files that know it."""
        users = {
            path.name
            for path in PEER.glob("*.py")
            if re.search(r"\.(_duck_conn|_schema)\b", path.read_text())
        }
        assert users == {"fake.py", "sessions.py", "shim.py"}


class TestLogins:
    def test_the_right_password_is_let_in(self, peer: PeerProcess) -> None:
        with connect(peer) as session:
            assert ask(session, "SELECT CURRENT_USER(), CURRENT_ROLE()") == [(USER, ROLE)]

    @pytest.mark.parametrize(
        "wrong", [{"password": "pa55"}, {"password": " " + PASSWORD}, {"user": "NOBODY"}]
    )
    def test_a_wrong_password_is_refused(self, peer: PeerProcess, wrong: dict[str, str]) -> None:
        with pytest.raises(connector.errors.DatabaseError) as refused:
            connect(peer, **wrong)
        assert refused.value.errno == 390100

    def test_the_right_key_is_let_in(self, peer: PeerProcess, keys: Pair) -> None:
        with by_key(peer, keys) as session:
            assert ask(session, "SELECT CURRENT_USER()") == [(USER,)]

    def test_another_key_is_refused(self, peer: PeerProcess) -> None:
        with pytest.raises(connector.errors.DatabaseError) as refused:
            by_key(peer, pair())
        assert refused.value.errno == 390144

    @pytest.mark.parametrize("wrong", [{"user": "NOBODY"}, {"account": "ELSEWHERE"}])
    def test_the_key_of_another_is_refused(
        self, peer: PeerProcess, keys: Pair, wrong: dict[str, str]
    ) -> None:
        with pytest.raises(connector.errors.DatabaseError) as refused:
            by_key(peer, keys, **wrong)
        assert refused.value.errno == 390144

    def test_a_forged_signature_is_refused(self, peer: PeerProcess, keys: Pair) -> None:
        """The right name and fingerprint, signed by somebody else."""
        issuer = f"{ACCOUNT}.{USER}.{keys.fingerprint}"
        said = {"iss": issuer, "sub": f"{ACCOUNT}.{USER}", "iat": time.time(), "exp": time.time() + 60}
        for key, code in ((keys, None), (pair(), "390144")):
            token = jwt.encode(said, key.private, "RS256")
            body = {"LOGIN_NAME": USER, "AUTHENTICATOR": "SNOWFLAKE_JWT", "TOKEN": token}
            url = f"http://127.0.0.1:{peer.port}/session/v1/login-request"
            request = urllib.request.Request(url, json.dumps({"data": body}).encode(), method="POST")
            with urllib.request.urlopen(request, timeout=30) as reply:
                assert json.load(reply)["code"] == code

    def test_a_role_that_is_not_granted_is_refused(self, peer: PeerProcess) -> None:
        with pytest.raises(connector.errors.DatabaseError) as refused:
            connect(peer, role="ACCOUNTADMIN")
        assert refused.value.errno == 390189

    def test_a_database_that_is_not_there_is_not_made(self, peer: PeerProcess) -> None:
        with connect(peer, database="NOPE") as session:
            assert ask(session, "SELECT CURRENT_DATABASE()") == [(None,)]
        with connect(peer) as session:
            assert "NOPE" not in [row[1] for row in ask(session, "SHOW DATABASES")]

    def test_who_may_only_read_cannot_write(self, peer: PeerProcess) -> None:
        peer.add_user("READER", password="r", reads_only=True)
        with connect(peer, user="READER", password="r") as session:
            assert ask(session, "SELECT 1") == [(1,)]
            with pytest.raises(connector.errors.ProgrammingError) as refused:
                ask(session, "CREATE TABLE T (N BIGINT)")
        assert (refused.value.errno, refused.value.sqlstate) == (3001, "42501")

    def test_no_secret_is_in_its_journal(self, peer: PeerProcess, keys: Pair) -> None:
        by_key(peer, keys).close()
        connect(peer).close()
        written = (peer.folder / "journal.jsonl").read_text() + (peer.folder / "users.json").read_text()
        assert PASSWORD not in written
        assert "eyJ" not in written  # of a JWT


class TestTokens:
    def test_a_session_outlives_its_token(self, peer: PeerProcess) -> None:
        peer.add_user("SHORT", password="s", token_s=0)
        with connect(peer, user="SHORT", password="s") as session:
            assert ask(session, "SELECT 'renewed'") == [("renewed",)]
        before, after = sent(peer, "^SELECT 'renewed'")
        assert before.startswith("390112")
        assert after == "ok"

    def test_a_session_ends_with_its_master_token(self, peer: PeerProcess) -> None:
        peer.add_user("SHORTER", password="s", token_s=0, master_s=0)
        session = connect(peer, user="SHORTER", password="s")
        with pytest.raises(connector.errors.Error) as refused:
            ask(session, "SELECT 1")
        session.close()
        assert refused.value.errno in (390112, 390114)

    def test_a_clock_that_is_off_spoils_a_key(self, peer: PeerProcess, keys: Pair) -> None:
        for ahead_s, errno in ((20, None), (600, 390144), (-600, 390144)):
            peer.add_user("ELSEWHEN", keys=[keys.public], ahead_s=ahead_s)
            assert _errno(by_key, peer, keys, user="ELSEWHEN") == errno


def _errno(login: Any, *words: Any, **more: Any) -> int | None:
    try:
        login(*words, **more).close()
    except connector.errors.Error as error:
        return abs(error.errno)
    return None


class TestAnswers:
    def test_null_times_are_null(self, session: Any) -> None:
        sql = "SELECT COLUMN1, TO_TIMESTAMP_NTZ(COLUMN1, 9) FROM VALUES (NULL), (1500000000) ORDER BY COLUMN1"
        (one, two) = sorted(ask(session, sql), key=str)
        assert one[0] == 1500000000
        assert one[1].isoformat() == "1970-01-01T00:00:01.500000"
        assert two == (None, None)

    @pytest.mark.parametrize(
        ("sql", "number"),
        [
            ("SELECT CAST('a' AS BIGINT)", 100035),
            ("SELECT * FROM NOPE", 2003),
            ("SELEKT 1", 1003),
            ("SELECT NOPE_FUNCTION(1)", 2003),
            ("EXPLAIN SELECT 1", 603),
        ],
    )
    def test_errors_are_errors_of_sql(self, session: Any, sql: str, number: int) -> None:
        with pytest.raises(connector.errors.ProgrammingError) as refused:
            ask(session, sql)
        assert refused.value.errno == number
        assert ask(session, "SELECT 1") == [(1,)]

    def test_frames_of_pandas_can_be_written(self, session: Any) -> None:
        ask(session, "CREATE OR REPLACE TABLE FRAME (N BIGINT, X DOUBLE)")
        frame = pd.DataFrame({"N": range(1000), "X": 0.5})
        write_pandas(session, frame, "FRAME", compression="snappy")
        assert ask(session, "SELECT COUNT(*), SUM(N), SUM(X) FROM FRAME") == [(1000, 499500, 500.0)]


class TestFaults:
    def test_a_lost_reply_makes_the_connector_send_again(self, peer: PeerProcess, session: Any) -> None:
        ask(session, "CREATE OR REPLACE TABLE T (N BIGINT)")
        peer.faults(("after", "^INSERT INTO T", "drop1"))
        assert ask(session, "INSERT INTO T SELECT 1") == [(1,)]
        assert ask(session, "SELECT COUNT(*) FROM T") == [(2,)]  # Snowflake knows the request again
        assert sent(peer, "^INSERT INTO T")[-2:] == ["lost", "ok"]

    def test_a_lost_request_is_sent_again_and_done_once(self, peer: PeerProcess, session: Any) -> None:
        ask(session, "CREATE OR REPLACE TABLE T (N BIGINT)")
        peer.faults(("before", "^INSERT INTO T", "drop2"))
        assert ask(session, "INSERT INTO T SELECT 1") == [(1,)]
        assert ask(session, "SELECT COUNT(*) FROM T") == [(1,)]
        assert sent(peer, "^INSERT INTO T")[-3:] == ["lost", "lost", "ok"]

    def test_503_stays_until_it_is_lifted(self, peer: PeerProcess, session: Any) -> None:
        began = len(peer.journal())
        peer.faults(("before", "^SELECT 503$", "http503"))
        lifted = threading.Timer(0.5, peer.faults)
        lifted.start()
        assert ask(session, "SELECT 503") == [(503,)]
        lifted.join()
        *before, last = sent(peer, "^SELECT 503$", began)
        assert set(before) == {"http503"}
        assert last == "ok"

    def test_a_delay_is_only_late(self, peer: PeerProcess, session: Any) -> None:
        peer.faults(("before", "^SELECT 1$", "sleep0.2"), ("after", "^SELECT 2$", "sleep0.2"))
        assert ask(session, "SELECT 1") == [(1,)]
        assert ask(session, "SELECT 2") == [(2,)]

    @pytest.mark.parametrize(("when", "rows"), [("before", 0), ("after", 1)])
    def test_it_exits_once_and_keeps_what_was_done(self, fragile: PeerProcess, when: str, rows: int) -> None:
        session = connect(fragile, network_timeout=2)
        ask(session, "CREATE OR REPLACE TABLE T (N BIGINT)")
        fragile.faults((when, "^INSERT INTO T", "exit"))
        again = threading.Thread(target=_restart, args=[fragile])
        again.start()
        with pytest.raises(connector.errors.Error):  # its session is gone
            ask(session, "INSERT INTO T SELECT 1")
        again.join(60)
        with connect(fragile) as later:
            assert ask(later, "SELECT COUNT(*) FROM T") == [(rows,)]
        assert "exit" in sent(fragile, "^INSERT INTO T")


def _restart(peer: PeerProcess) -> None:
    peer.ended()
    peer.start()


class TestRestart:
    def test_killed_it_keeps_tables_files_and_what_it_loaded(
        self, fragile: PeerProcess, tmp_path: Path
    ) -> None:
        path = tmp_path / "one.parquet"
        pq.write_table(pa.table({"N": [1, 2, 3]}), path)
        copy = (
            "COPY INTO T FROM @S/a/one.parquet FILE_FORMAT=(TYPE=PARQUET) "
            "MATCH_BY_COLUMN_NAME=CASE_INSENSITIVE ON_ERROR=ABORT_STATEMENT"
        )
        session = connect(fragile)
        for sql in (
            "CREATE OR REPLACE TABLE T (N BIGINT)",
            "CREATE STAGE S",
            f"PUT file://{path} @S/a/ AUTO_COMPRESS=FALSE",
        ):
            ask(session, sql)
        assert ask(session, copy)[0][1] == "LOADED"
        ask(session, "BEGIN")
        ask(session, "INSERT INTO T SELECT 9")
        port = fragile.port
        fragile.kill()
        fragile.start()
        assert fragile.port == port
        with connect(fragile) as later:
            assert ask(later, "SELECT COUNT(*) FROM T") == [(3,)]
            assert [row[0] for row in ask(later, "LIST @S")] == ["s/a/one.parquet"]
            assert ask(later, copy)[0][1] == "LOAD_SKIPPED"

    def test_a_vanished_client_keeps_its_locks_until_it_is_thrown_out(self, peer: PeerProcess) -> None:
        with connect(peer) as session:
            ask(session, "CREATE OR REPLACE TABLE T (N BIGINT)")
            ask(session, "INSERT INTO T SELECT 0")
            code = (
                "import os, sys; from tests.warehouse.test_peer import *\n"
                f"peer = type('Peer', (), {{'port': {peer.port}}})\n"
                "gone = connect(peer); ask(gone, 'BEGIN'); ask(gone, 'UPDATE T SET N = 1')\n"
                f"os.kill(os.getpid(), {int(signal.SIGKILL)})"
            )
            subprocess.run([sys.executable, "-c", code], check=False, cwd=ROOT)
            with pytest.raises(connector.errors.ProgrammingError) as refused:
                ask(session, "UPDATE T SET N = 2")
            assert refused.value.errno == 625
        assert peer.abort_detached()
        with connect(peer) as session:
            assert ask(session, "UPDATE T SET N = 2")[0][0] == 1
