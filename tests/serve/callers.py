"""Connections of callers to one server: with tokens of theirs over TLS, or over the machine's own socket."""

import asyncio
import contextlib
import hashlib
import ssl
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from rigclient.aio import AsyncRig
from rigclient.paired import PairedRig
from rigd.auth.caller import LOCAL, Caller
from rigd.serve.server import Server
from tests.serve.secured import certificate

Call = Callable[[Caller], AsyncRig]


@pytest.fixture
async def call(server: Server, tmp_path: Path) -> AsyncIterator[Call]:
    address = f"127.0.0.1:{server.secure_port}"
    shown = await asyncio.to_thread(certificate, address)
    pin = hashlib.sha256(ssl.PEM_cert_to_DER_cert(shown.decode())).hexdigest()
    async with contextlib.AsyncExitStack() as stack:
        made: dict[Caller, AsyncRig] = {}

        def call(caller: Caller) -> AsyncRig:
            if caller not in made:
                made[caller] = AsyncRig(paired(caller) if caller != LOCAL else f"unix:{tmp_path}/socket")
                stack.push_async_callback(made[caller].close)
            return made[caller]

        def paired(caller: Caller) -> PairedRig:
            token, _ = server._tokens.create("laptop", caller.user, caller.scopes, 0)
            return PairedRig(
                name="r",
                rig="r",
                addresses=(address,),
                certificates=(shown.decode(),),
                pins=(pin,),
                token=token,
                user=caller.user,
                scopes=tuple(caller.scopes),
                expire_ns=0,
            )

        yield call
