"""A gateway before a real server on a real ring, all in the test's own event loop."""

from collections.abc import AsyncIterator

import aiohttp
import pytest

from rigclient.gateway.server import Gateway, Settings
from tests.gateway.browser import Browser
from tests.serve.conftest import address, recorder, recorder_process

__all__ = ["address", "recorder", "recorder_process"]


@pytest.fixture
async def gateway(address: str) -> AsyncIterator[Gateway]:
    async with Gateway(Settings(port=0, rigs=(address,))) as running:
        yield running


@pytest.fixture
async def browser(gateway: Gateway, address: str) -> AsyncIterator[Browser]:
    async with aiohttp.ClientSession(gateway.address) as session:
        yield Browser(session, address)
