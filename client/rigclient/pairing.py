"""Pairing: a join string becomes a rig that is reached by its name."""

from typing import Final

import grpc

from rig.join import Join, read_join
from rig.v1 import access_pb2, access_pb2_grpc
from rigclient import paired, tls, wire
from rigclient.paired import PairedRig
from rigclient.route import target_of

_EXCHANGE_S: Final = 10.0


def pair(join: str, name: str = "") -> PairedRig:
    """Pair with the rig of a join string, and keep it under a name, by default the rig's own.

    Raises BadRequest for a join string that was cut or altered and for a name that is taken, Newer; WrongPin,
    Mismatch, Unreachable and Unavailable when that rig does not answer; Unauthenticated for a code that was
    used or is too old; Denied where others can read what would be kept. Until the rig has answered nothing is
    used up.
    """
    wanted = read_join(join)
    if name:
        paired.check_free(name, wanted.fingerprint)
    paired.prepare()
    address, seen = tls.first(wanted.addresses, (wanted.fingerprint,))
    answer = _exchanged(wanted, address, seen)
    found = PairedRig(
        name=name or paired.free_name(answer.rig, wanted.fingerprint),
        rig=answer.rig,
        addresses=tuple(dict.fromkeys((address, *wanted.addresses))),
        certificates=(seen.certificate,),
        pins=(wanted.fingerprint,),
        server_name=seen.name,
        token=answer.secret,
        user=answer.token.user,
        scopes=tuple(answer.token.scopes),
        expire_ns=answer.token.expire_time_ns,
    )
    paired.save(found)
    return found


def _exchanged(wanted: Join, address: str, seen: tls.Seen) -> access_pb2.ExchangeCodeResponse:
    """Return what the code was exchanged for, over a channel that trusts this certificate alone."""
    credentials = grpc.ssl_channel_credentials(seen.certificate.encode())
    options = (
        ("grpc.ssl_target_name_override", seen.name),
        ("grpc.use_local_subchannel_pool", 1),
        ("grpc.enable_http_proxy", 0),
    )
    with grpc.secure_channel(target_of((seen.numeric,)), credentials, options) as channel:
        access = access_pb2_grpc.AccessServiceStub(channel)
        request = access_pb2.ExchangeCodeRequest(code=wanted.code)
        try:
            answer: access_pb2.ExchangeCodeResponse = access.ExchangeCode(request, timeout=_EXCHANGE_S)
        except grpc.RpcError as error:
            raise wire.translated(error, address) from None
    return answer
