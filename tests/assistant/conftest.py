"""A scripted endpoint."""

from collections.abc import Iterator

import pytest

from tests.assistant.scripted import ScriptedEndpoint, scripted


@pytest.fixture(scope="module")
def endpoint() -> Iterator[ScriptedEndpoint]:
    with scripted() as made:
        yield made
