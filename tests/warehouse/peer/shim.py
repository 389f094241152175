"""The peer: an ASGI layer over fakesnow's server that behaves as Snowflake where fakesnow does not.

Logins are verified, tokens expire, replies have what connector 5 wants, errors are errors of SQL, and faults
strike where a test wants them. What fakesnow runs twice when a lost reply makes a client send a statement
again stays so: Snowflake would tell by the request's id, this peer is the harsher one.
"""

import asyncio
import gzip
import json
import os
import re
import time
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import parse_qs

from tests.warehouse.peer import fake
from tests.warehouse.peer.faults import AFTER, BEFORE, Fault, Faults
from tests.warehouse.peer.journal import Journal
from tests.warehouse.peer.sessions import EXPIRED, GONE, MASTER_EXPIRED, NO_PRIVILEGE, Session, Sessions
from tests.warehouse.peer.users import Refused, Users

LOGIN: Final = "/session/v1/login-request"
RENEW: Final = "/session/token-request"
QUERY: Final = "/queries/v1/query-request"
ABORT: Final = "/queries/v1/abort-request"
ABORT_DETACHED: Final = "/__abort_detached"
EXITED: Final = 9
"""Exit status after the fault of that name."""

_TOKEN: Final = re.compile(r'Snowflake Token="([^"]*)"')
_REMOVE: Final = re.compile(r"\s*(?:REMOVE|RM)\s+@(\S+)", re.IGNORECASE)
_DECLARED_KEY: Final = re.compile(r",\s*PRIMARY KEY \([^)]*\)")
"""Snowflake notes keys and enforces none; fakesnow would."""
_OVERWRITE: Final = re.compile(r"\bOVERWRITE\s*=\s*TRUE\b", re.IGNORECASE)


@dataclass
class Request:
    """One request, whole."""

    method: str
    path: str
    query: dict[str, str]
    token: str
    body: bytes
    scope: Any

    @property
    def data(self) -> dict[str, Any]:
        """A body of JSON."""
        body = self.body
        if body[:2] == b"\x1f\x8b":
            body = gzip.decompress(body)
        return json.loads(body) if body else {}

    @property
    def subject(self) -> str:
        """What faults and the journal know it by: its SQL, else its method and path."""
        return str(self.data.get("sqlText")) if self.path == QUERY else f"{self.method} {self.path}"


@dataclass
class Reply:
    """One reply, whole."""

    status: int
    body: bytes
    kind: bytes = b"application/json"

    @property
    def outcome(self) -> str:
        """For the journal."""
        if self.status != 200 or not self.body:
            return "ok" if self.status == 200 else f"http{self.status}"
        if self.body.endswith(b'"success":true}'):
            return "ok"  # without reading ten megabytes of an answer again
        said = json.loads(self.body)
        return "ok" if said.get("success", True) else f"{said['code']} {said['message']}"


def said(**fields: Any) -> Reply:
    """A reply of JSON."""
    empty = {"data": None, "code": None, "message": None, "success": True}
    return Reply(200, json.dumps(empty | fields).encode())


def refused(code: str, message: str, state: str = "08001") -> Reply:
    """A reply that something went wrong."""
    data = {"errorCode": code, "sqlState": state}
    return said(success=False, code=code, message=message, data=data)


@dataclass
class Peer:
    """The application."""

    users: Users
    sessions: Sessions
    faults: Faults
    journal: Journal

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            return
        request = await _read(scope, receive)
        session = self.sessions.of(request.token)
        number = self.journal.ask(request.subject, str(session.number) if session else "")
        reply = await self._struck(request, number, send)
        if reply is None:
            self.journal.done(number, request.subject, "lost")
            send.__self__.transport.abort()
            while (await receive())["type"] != "http.disconnect":
                pass
            return
        self.journal.done(number, request.subject, reply.outcome)
        await _send(reply, send)

    async def _struck(self, request: Request, number: int, send: Any) -> Reply | None:
        """The reply, or what a fault makes of it: another one, or None for a cut connection."""
        before = await self._strike(BEFORE, request, number)
        if before and before.kind != "sleep":
            return _of_fault(before)
        reply = await self._answer(request)
        after = await self._strike(AFTER, request, number)
        return _of_fault(after) if after and after.kind != "sleep" else reply

    async def _strike(self, when: str, request: Request, number: int) -> Fault | None:
        fault = self.faults.strike(when, request.subject)
        if fault and fault.kind == "exit":
            self.journal.done(number, request.subject, "exit")
            os._exit(EXITED)
        if fault and fault.kind == "sleep":
            await asyncio.sleep(fault.number)
        return fault

    async def _answer(self, request: Request) -> Reply:
        if request.path == LOGIN:
            return await self._login(request)
        if request.path == RENEW:
            return self._renew(request)
        if request.path == ABORT_DETACHED:
            return self._abort_detached(time.time() - float(request.query.get("idle_s", "0")))
        if request.path in (QUERY, ABORT, "/session"):
            return await self._in_session(request)
        return await _forward(request, request.body)

    async def _login(self, request: Request) -> Reply:
        try:
            user = self.users.admit(request.data["data"], request.query.get("roleName", ""))
        except Refused as error:
            return refused(error.code, error.message)
        data = request.data
        data["data"].setdefault("SESSION_PARAMETERS", {})
        reply = json.loads((await _forward(request, json.dumps(data).encode())).body)
        role = request.query.get("roleName", user.roles[0] if user.roles else "PUBLIC").upper()
        warehouse = request.query.get("warehouse", "").upper()
        session = self.sessions.add(reply["data"]["token"], user, role, warehouse)
        info = {
            "databaseName": session.connection.database,
            "schemaName": session.connection.schema,
            "roleName": role,
            "warehouseName": warehouse or None,
        }
        reply["data"] |= _tokens(session) | {"sessionInfo": info}
        return said(**reply)

    def _renew(self, request: Request) -> Reply:
        session = self.sessions.renew(request.token)
        if session is None:
            return refused(*MASTER_EXPIRED)
        tokens = _tokens(session)
        tokens |= {"sessionToken": session.token, "validityInSecondsST": tokens["validityInSeconds"]}
        return said(data=tokens)

    def _abort_detached(self, since: float) -> Reply:
        """Snowflake's clean-up after clients that vanished: who has not asked lately is thrown out."""
        gone = self.sessions.idle(since)
        for session in gone:
            self.sessions.forget(session.token)
        return said(data=[session.number for session in gone])

    async def _in_session(self, request: Request) -> Reply:
        session = self.sessions.of(request.token)
        if session is None:
            return refused(*GONE)
        if session.ends < session.user.now():
            return refused(*EXPIRED)
        session.used = time.time()
        if request.path == "/session":
            if request.query.get("delete"):
                self.sessions.forget(session.token)
            return said()
        if request.path == ABORT:
            session.connection._duck_conn.interrupt()
            return said()
        async with session.turn:
            return await self._query(request, session)

    async def _query(self, request: Request, session: Session) -> Reply:
        data = request.data
        if not session.may(data["sqlText"]):
            code, message = NO_PRIVILEGE
            return refused(code, message.format(session.connection.schema), "42501")
        removed = _REMOVE.match(data["sqlText"])
        if removed:
            names = fake.remove(removed[1], session.connection)
            data["sqlText"] = f"SELECT '{len(names)} removed' AS RESULT"
        data["sqlText"] = session.spelled(_DECLARED_KEY.sub("", data["sqlText"]))
        reply = await _forward(request, json.dumps(data).encode())
        return _mended(reply, data["sqlText"])


def _tokens(session: Session) -> dict[str, Any]:
    now = session.user.now()
    return {
        "sessionId": session.number,
        "masterToken": session.master,
        "validityInSeconds": max(1, round(session.ends - now)),
        "masterValidityInSeconds": max(1, round(session.master_ends - now)),
    }


def _mended(reply: Reply, sql: str) -> Reply:
    """A reply to a statement with what fakesnow leaves out."""
    if reply.status == 500:
        return refused("000603", f"SQL execution internal error: {sql[:200]}", "XX000")
    if reply.status != 200 or sql.lstrip()[:3].upper() != "PUT":
        return reply
    body = json.loads(reply.body)
    if body["success"]:
        body["data"]["overwrite"] = bool(_OVERWRITE.search(sql))
        body["data"]["stageInfo"] |= {"region": "local", "endPoint": None, "isClientSideEncrypted": False}
    return Reply(200, json.dumps(body).encode())


def _of_fault(fault: Fault) -> Reply | None:
    return Reply(int(fault.number), b"", b"text/plain") if fault.kind == "http" else None


async def _read(scope: Any, receive: Any) -> Request:
    parts, more = [], True
    while more:
        message = await receive()
        parts.append(message.get("body", b""))
        more = message.get("more_body", False)
    headers = {name.lower(): value.decode() for name, value in scope["headers"]}
    token = _TOKEN.match(headers.get(b"authorization", ""))
    query = {name: values[0] for name, values in parse_qs(scope["query_string"].decode()).items()}
    return Request(scope["method"], scope["path"], query, token[1] if token else "", b"".join(parts), scope)


async def _forward(request: Request, body: bytes) -> Reply:
    """What fakesnow says to the request with this body."""
    changed = (b"content-encoding", b"content-length")
    headers = [(name, value) for name, value in request.scope["headers"] if name not in changed]
    headers.append((b"content-length", str(len(body)).encode()))
    status, parts = 500, []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Any) -> None:
        nonlocal status
        status = message.get("status", status)
        parts.append(message.get("body", b""))

    try:
        await fake.app({**request.scope, "headers": headers}, receive, send)
    except Exception as error:  # noqa: BLE001  it has answered 500 already, and raises for its log
        return Reply(500, str(error).encode())
    return Reply(status, b"".join(parts))


async def _send(reply: Reply, send: Any) -> None:
    headers = [(b"content-type", reply.kind), (b"content-length", str(len(reply.body)).encode())]
    await send({"type": "http.response.start", "status": reply.status, "headers": headers})
    await send({"type": "http.response.body", "body": reply.body})
