"""The connection to a Snowflake account: Parquet is staged with PUT, and taken in with COPY."""

import contextlib
import http.client
import logging
import os
import re
import socket
import ssl
import tempfile
import threading
import time
import urllib.request
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from rig.errors import NotFound, Raced, RigError, Unavailable
from rigclient.warehouse import tables
from rigclient.warehouse.destination import PAGE_ROWS, Batch, Dialect, HealthCheck, Row, Value
from rigclient.warehouse.snowflake import refusals
from rigclient.warehouse.snowflake.login import LOGIN_TIMEOUT_S, NETWORK_TIMEOUT_S, Login, login
from riglap.extras import need

STAGE: Final = "RIG_STAGE"
DIALECT: Final = Dialect(
    "snowflake",
    "TO_TIMESTAMP_NTZ({}, 9)",
    (f"CREATE STAGE IF NOT EXISTS {STAGE}",),
    comments_within=True,
    free_keys=True,
)

_SESSION: Final = {
    "CLIENT_TELEMETRY_ENABLED": False,
    "CLIENT_OUT_OF_BAND_TELEMETRY_ENABLED": False,
    "QUERY_TAG": "rigd",
    "TIMEZONE": "UTC",
    # A load whose program vanished keeps its locks no longer than five minutes.
    "ABORT_DETACHED_QUERY": True,
    "LOCK_TIMEOUT": 60,
    "STATEMENT_TIMEOUT_IN_SECONDS": 900,
}
_WHERE: Final = "SELECT CURRENT_DATABASE(), CURRENT_SCHEMA()"
_COPY: Final = (
    "COPY INTO {table} FROM {staged} FILE_FORMAT = (TYPE = PARQUET USE_LOGICAL_TYPE = TRUE) "
    "MATCH_BY_COLUMN_NAME = CASE_INSENSITIVE ON_ERROR = ABORT_STATEMENT"
)
_CHANGES: Final = ("INSERT", "UPDATE", "DELETE")
_UNSAFE: Final = re.compile(r"[^\w./-]", re.ASCII)
"""Not to be put into the name of a staged file, which cannot be bound."""
_CLOCK_S: Final = 30
"""A login by key is refused when the clocks differ by more than a minute."""
_TYPES: Final = {"TEXT": tables.TEXT, "FLOAT": tables.REAL64, "BOOLEAN": tables.FLAG}


class Snowflake:
    """A connection to an account, see `login`. After it was cut off, the next statement logs in again."""

    dialect: Final = DIALECT

    def __init__(self, connection: str = "", *, read_only: bool = False) -> None:
        # It would ask the network for the metadata of a cloud.
        os.environ.setdefault("SNOWFLAKE_DISABLE_PLATFORM_DETECTION", "true")
        self._connector = need("snowflake.connector", "snowflake")
        # What goes wrong is raised. Whoever wants the connector's own words sets up logging.
        logging.getLogger("snowflake").addHandler(logging.NullHandler())
        self._login = login(connection)
        self._read_only = read_only
        self._open: Any = None
        self._file_session: Any = None
        """A session for files: they go in one thread while the other session copies in another."""
        self._in_transaction = False
        """A transaction was begun: a new login would not be in it."""
        self.name: Final = self._login.name
        self._session()

    def _session(self) -> Any:
        if self._open is None:
            if self._in_transaction:
                raise Unavailable(f"{self.name}: the transaction is lost with its session")
            self._open = self._logged_in()
        return self._open

    def _logged_in(self) -> Any:
        wanted = self._login
        _check_reachable(wanted)
        arguments = {
            "login_timeout": LOGIN_TIMEOUT_S,
            "network_timeout": NETWORK_TIMEOUT_S,
            "paramstyle": "qmark",
            "enable_server_session_keep_alive_auto_detection": False,  # connector 5 warns of its default
            **wanted.options,
            **wanted.proof,
            "session_parameters": _SESSION | wanted.options.get("session_parameters", {}),
        }
        try:
            session = self._connector.connect(**arguments)
            _silence_timer(session)
            ((database, schema),) = session.cursor().execute(_WHERE).fetchall()
        except self._connector.errors.Error as error:
            raise refusals.refusal(error, entering=True).error(wanted, refusals.said(error)) from None
        if not database or not schema:  # a login succeeds without what it names
            session.close()
            raise refusals.NO_DATABASE.error(wanted)
        return session

    @contextlib.contextmanager
    def _asked(self, sql: str, params: Sequence[Value]) -> Iterator[Any]:
        """Yield a cursor with the answer, closed at the end: connector 4 leaves circles of references
        otherwise.
        """
        with self._translated(), self._session().cursor() as cursor:
            yield cursor.execute(sql, tuple(params) or None)

    def execute(self, sql: str, params: Sequence[Value] = ()) -> int:
        """Run a statement. The rows it changed, 0 where that says nothing."""
        answer = self.rows(sql, params)
        return int(answer[0][0]) if sql.lstrip()[:6].upper() in _CHANGES else 0

    def rows(self, sql: str, params: Sequence[Value] = ()) -> list[Row]:
        """Return the whole answer."""
        with self._asked(sql, params) as cursor:
            return [tuple(row) for row in cursor.fetchall()]

    def batches(self, sql: str, params: Sequence[Value] = (), rows: int = PAGE_ROWS) -> Iterator[Batch]:
        """Yield the answer in batches: those the server made of it, or parts of them."""
        with self._asked(sql, params) as cursor:
            for table in cursor.fetch_arrow_batches():
                yield from _plain(table).to_batches(max_chunksize=rows)

    def stage(self, path: Path, name: str) -> str:
        """Upload it there with PUT. The connector takes the name from the path, and not every path as
        it is.
        """
        name = _UNSAFE.sub("_", name)
        folder, _, own = name.rpartition("/")
        with tempfile.TemporaryDirectory(prefix="rigd-stage-") as beside:
            link = Path(beside, own)
            link.symlink_to(path.absolute())
            self._carry(f"PUT file://{link} @{STAGE}/{folder}/ AUTO_COMPRESS=FALSE OVERWRITE=TRUE")
        return f"@{STAGE}/{name}"

    def _carry(self, sql: str) -> None:
        """Run a statement in the session for files, which is left when that fails."""
        try:
            if self._file_session is None:
                self._file_session = self._logged_in()
            with self._file_session.cursor() as cursor:
                cursor.execute(sql).fetchall()
        except self._connector.errors.Error as error:
            self._leave()
            raise refusals.refusal(error).error(self._login, refusals.said(error)) from None

    def _leave(self) -> None:
        session, self._file_session = self._file_session, None
        self._end(session)

    def copy(self, table: str, staged: str) -> int:
        """Copy it in with COPY INTO, as it is, for the first time."""
        files = self.rows(_COPY.format(table=table, staged=staged))
        if len(files) != 1 or len(files[0]) < 4:
            raise NotFound(f"{self.name}: COPY found {max(0, len(files) - 1)} files besides {staged}")
        _, status, parsed, loaded = files[0][:4]
        if status != "LOADED" or parsed != loaded:
            raise Raced(f"{self.name}: {staged} is {status}, {loaded} of {parsed} rows")
        return int(loaded)

    def unstage(self, staged: str) -> None:
        """Remove it. Old ones go by their age otherwise."""
        with contextlib.suppress(RigError):
            self.execute(f"REMOVE {staged}")

    def begin(self) -> None:
        """Begin a transaction, or nothing is begun: asking again fails after a reply that was lost."""
        self._session()
        self._in_transaction = True
        try:
            self.execute("BEGIN")
        except RigError:
            self.rollback()
            raise

    def commit(self) -> None:
        """Commit the transaction."""
        self.execute("COMMIT")
        self._in_transaction = False

    def rollback(self) -> None:
        """Roll the transaction back; a session that is lost has done it."""
        if self._open is not None and self._in_transaction:
            try:
                self.execute("ROLLBACK")
            except RigError:
                self._drop()  # which undoes it as well
        self._in_transaction = False

    def columns(self) -> defaultdict[str, dict[str, str]]:
        """Return the columns of every table, in their order."""
        found = defaultdict[str, dict[str, str]](dict)
        for table, name, kind, scale in self.rows(
            "SELECT TABLE_NAME, COLUMN_NAME, DATA_TYPE, NUMERIC_SCALE FROM INFORMATION_SCHEMA.COLUMNS "
            "WHERE TABLE_SCHEMA = CURRENT_SCHEMA() ORDER BY ORDINAL_POSITION"
        ):
            found[table][name] = _type(kind, scale)
        return found

    def health(self) -> Iterator[HealthCheck]:
        """Check login, database and schema, stage and clock."""
        before = time.time()
        ((user, role, warehouse, ms),) = self.rows(
            "SELECT CURRENT_USER(), CURRENT_ROLE(), CURRENT_WAREHOUSE(), "
            "DATE_PART(EPOCH_MILLISECOND, CURRENT_TIMESTAMP())"
        )
        behind_s = float(ms) / 1000 - (before + time.time()) / 2
        where = "{database}.{schema} of {account}".format(**self._login.options)
        yield HealthCheck("login", well=True, text=f"{user} in {where}")
        yield HealthCheck("role", well=bool(role), text=role or f"none: set {self._login.source('role')}")
        sizes = warehouse or f"none is in use: set {self._login.source('warehouse')}"
        yield HealthCheck("warehouse", well=bool(warehouse), text=sizes)
        yield self._stage_health()
        right = abs(behind_s) < _CLOCK_S
        clock = f"{abs(behind_s):.1f} s {'behind' if behind_s > 0 else 'ahead of'} the account's"
        yield HealthCheck(
            "clock", well=right, text=clock + ": set it, logins by key fail otherwise" * (not right)
        )

    def _stage_health(self) -> HealthCheck:
        """Put a file into the stage and remove it; whoever may only read lists the files."""
        try:
            if self._read_only:
                self.execute(f"LIST @{STAGE}")
                return HealthCheck("stage", well=True, text=f"{STAGE} can be listed")
            self.unstage(self.stage(Path(__file__), "check/account.py"))
        except RigError as error:
            return HealthCheck("stage", well=False, text=str(error))
        return HealthCheck("stage", well=True, text=f"{STAGE} can be written")

    def release(self) -> None:
        """Do nothing: others can be in as well."""

    def close(self) -> None:
        """Log out."""
        self._leave()
        self._drop()
        self._in_transaction = False

    def _drop(self) -> None:
        session, self._open = self._open, None
        self._end(session)

    def _end(self, session: Any) -> None:
        if session is not None:
            with contextlib.suppress(self._connector.errors.Error):  # it is gone already
                session.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @contextlib.contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except self._connector.errors.Error as error:
            found = refusals.refusal(error)
            if refusals.over(found):
                self._drop()
            raise found.error(self._login, refusals.said(error)) from None


def _silence_timer(session: Any) -> None:
    """Keep quiet the timer by which connector 4 ends a statement: what happened is raised as well."""
    plain = session.errorhandler

    def handle(*error: Any) -> None:
        if not isinstance(threading.current_thread(), threading.Timer):
            plain(*error)

    session.errorhandler = handle


def _check_reachable(wanted: Login) -> None:
    """Ensure that somebody answers: connector 4 waits a minute for a network that swallows everything."""
    options = wanted.options
    host = options.get("host") or f"{options['account']}.snowflakecomputing.com"
    if "region" in options or "proxy_host" in options or _by_proxy(host):
        return
    secure = options.get("protocol", "https") == "https"
    kind = http.client.HTTPSConnection if secure else http.client.HTTPConnection
    timeout_s = options.get("login_timeout", LOGIN_TIMEOUT_S)
    door = kind(host, options.get("port", 443 if secure else 80), timeout=timeout_s)
    try:
        door.request("HEAD", "/")
        door.getresponse()
    except (ssl.SSLError, http.client.HTTPException):
        pass  # somebody answers; the connector knows better what to make of it
    except socket.gaierror:
        raise refusals.NO_ANSWER.error(wanted, f"there is no {host}") from None
    except OSError as error:
        text = error.strerror or str(error)
        raise refusals.NO_ANSWER.error(wanted, f"{host}: {text.lower()}") from None
    finally:
        door.close()


def _by_proxy(host: str) -> bool:
    return "https" in urllib.request.getproxies() and not urllib.request.proxy_bypass(host)


def _type(kind: str, scale: int | None) -> str:
    if kind.startswith("TIMESTAMP_NTZ"):
        return tables.STAMP
    return tables.WHOLE if kind == "NUMBER" and scale == 0 else _TYPES.get(kind, kind)


def _plain(table: Any) -> Any:
    """Return the batch with whole numbers in 64 bits: the server sends each batch in as few as it needs."""
    arrow = need("pyarrow", "snowflake")
    whole = arrow.int64()
    fields = [field.with_type(whole) if _is_whole(field.type) else field for field in table.schema]
    return table.cast(arrow.schema(fields))


def _is_whole(kind: Any) -> bool:
    types = need("pyarrow.types", "snowflake")
    return bool(types.is_integer(kind) or (types.is_decimal(kind) and kind.scale == 0))
