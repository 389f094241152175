"""Who calls, where nobody does."""

from contextvars import Context

import pytest

from rigd.auth.caller import CALLER, Scope
from rigd.auth.lease import LEASE


@pytest.mark.parametrize("scope", Scope)
def test_work_outside_a_call_may_nothing(scope: Scope) -> None:
    apart = Context()  # a task or a thread that was begun for nobody
    assert not apart.run(CALLER.get).may(scope)
    assert not apart.run(LEASE.get).caller.may(scope)
    assert not apart.run(CALLER.get).user
