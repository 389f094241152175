"""What errors of the connector mean, also those that the peer never gives."""

import pytest
from snowflake.connector import errors as theirs

from rig import errors
from rigclient.warehouse.snowflake import refusals
from rigclient.warehouse.snowflake.login import Login

LOGIN = Login(
    "snowflake:pits",
    {"account": "org-acc", "user": "rigd", "database": "RIG", "schema": "PUBLIC", "role": "LOADER"},
    {"password": "pa55"},
    {"account": "SNOWFLAKE_ACCOUNT", "user": "user of [pits]", "proof": "password of [pits]"},
)


def meaning(number: int, text: str, state: str = "02000", *, entering: bool = False) -> errors.RigError:
    error = theirs.ProgrammingError(msg=text, errno=number, sqlstate=state)
    return refusals.refusal(error, entering=entering).error(LOGIN, refusals.said(error))


@pytest.mark.parametrize(
    ("number", "text", "kind", "hint"),
    [
        (
            390100,
            "Incorrect username or password.",
            errors.WrongPassword,
            "user of [pits], password of [pits]",
        ),
        (390144, "JWT token is invalid. [x]", errors.WrongKey, "clock"),
        (390318, "OAuth access token expired.", errors.TokenExpired, "password of [pits]"),
        (390303, "Invalid OAuth access token.", errors.Unauthenticated, "password of [pits]"),
        (390189, "Role 'X' is not granted.", errors.Denied, "SNOWFLAKE_ROLE"),
        (390201, "The requested database does not exist.", errors.DatabaseMissing, "SNOWFLAKE_DATABASE"),
        (390422, "IP 192.0.2.7 is not allowed.", errors.Unauthenticated, "user of [pits]"),
        (250001, "Could not connect to Snowflake backend.", errors.Unreachable, "SNOWFLAKE_ACCOUNT"),
        (290403, "403 Forbidden", errors.Unreachable, "SNOWFLAKE_ACCOUNT"),
        (290404, "404 Not Found", errors.Unreachable, "SNOWFLAKE_ACCOUNT"),
        (290503, "503 Service Unavailable", errors.Unreachable, "SNOWFLAKE_ACCOUNT"),
        (14, "login timed out after 10s", errors.Unreachable, "SNOWFLAKE_ACCOUNT"),
    ],
)
def test_at_the_door(number: int, text: str, kind: type[errors.RigError], hint: str) -> None:
    found = meaning(number, text, "08001", entering=True)
    assert type(found) is kind
    assert hint in found.hint
    assert "pa55" not in str(found)


@pytest.mark.parametrize(
    ("number", "text", "kind", "hint"),
    [
        (
            2003,
            "Database 'RIG' does not exist or not authorized.",
            errors.DatabaseMissing,
            "SNOWFLAKE_DATABASE",
        ),
        (
            2043,
            "Schema 'RIG.PUBLIC' does not exist or not authorized.",
            errors.DatabaseMissing,
            "SNOWFLAKE_SCHEMA",
        ),
        (2003, "Object 'LAPS' does not exist or not authorized.", errors.NotFound, "rig warehouse init"),
        (
            90105,
            "This session does not have a current database.",
            errors.DatabaseMissing,
            "SNOWFLAKE_DATABASE",
        ),
        (
            3001,
            "Insufficient privileges to operate on table 'LAPS'",
            errors.Denied,
            "LOADER needs that right",
        ),
        (606, "No active warehouse selected.", errors.BadRequest, "SNOWFLAKE_WAREHOUSE"),
        (625, "Statement was aborted.", errors.Raced, ""),
        (603, "SQL execution internal error", errors.Unavailable, ""),
        (253003, "While putting file(s) there was an error", errors.Unavailable, ""),
        (253006, "File doesn't exist: ['/x']", errors.FileMissing, ""),
        (390111, "Session no longer exists.", errors.Unavailable, "logs in again"),
        (390114, "Authentication token has expired.", errors.Unavailable, "logs in again"),
        (250003, "Failed to execute request", errors.Unreachable, "SNOWFLAKE_ACCOUNT"),
        (100072, "NULL result in a non-nullable column", errors.RigError, ""),
    ],
)
def test_under_way(number: int, text: str, kind: type[errors.RigError], hint: str) -> None:
    found = meaning(number, f"SQL compilation error:\n{text}")
    assert type(found) is kind
    assert hint in found.hint
    assert "SQL compilation" not in str(found)


def test_what_is_said_is_one_line_without_numbers() -> None:
    """However often the connectors, and whoever wrote the message, have put the number in front."""
    said = "002003 (02000): 002003 (02000): SQL compilation error:\nObject 'X'\n  does not exist."
    error = theirs.ProgrammingError(msg=said, errno=2003, sqlstate="02000")
    assert refusals.said(error) == "Object 'X' does not exist."


def test_a_connection_is_over_when_nobody_answers_and_when_the_session_is_gone() -> None:
    def over(number: int) -> bool:
        return refusals.over(
            refusals.refusal(theirs.OperationalError(msg="x", errno=number, sqlstate="08001"))
        )

    assert [number for number in (250003, 290503, 390111, 390114, 625, 2003, 100072) if over(number)] == [
        250003,
        290503,
        390111,
        390114,
    ]
