"""TLS of the server: the certificate in use, given to gRPC anew for every connection."""

import asyncio
import contextlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

import grpc

from rig.errors import RigError
from rigd import log

if TYPE_CHECKING:  # `cryptography` takes 50 ms, which a server of this machine alone does without
    from rigd.auth.certificate import Certificate, Certificates

_DAY_S: Final = 86_400.0


class Tls:
    """Credentials of ports. Connections that are open keep the certificate they began with."""

    def __init__(self, certificates: "Certificates") -> None:
        self.certificates = certificates
        self._timer: asyncio.TimerHandle | None = None

    def credentials(self) -> grpc.ServerCredentials:
        """Return the credentials of one port: each remembers what it was given last."""
        given = self.certificates.current
        return grpc.dynamic_ssl_server_credentials(_configuration(given), self._fetcher(given))

    def _fetcher(self, given: "Certificate") -> Callable[[], Any]:
        """What gRPC calls in its own threads for each connection. An error there would end the process."""

        def fetch() -> grpc.ServerCertificateConfiguration | None:
            nonlocal given
            with contextlib.suppress(Exception):
                if given is not self.certificates.current:
                    given = self.certificates.current
                    return _configuration(given)
            return None

        return fetch

    def start(self) -> None:
        """Look once a day whether the certificate is to be changed."""
        self._timer = asyncio.get_running_loop().call_later(_DAY_S, self.start)
        asyncio.get_running_loop().run_in_executor(None, self._keep_up)

    def close(self) -> None:
        """Look no longer."""
        if self._timer is not None:
            self._timer.cancel()

    def _keep_up(self) -> None:
        try:
            if self.certificates.keep_up():
                log.say(log.CERTIFICATE, fingerprint=self.certificates.current.fingerprint)
        except (OSError, RigError) as error:  # there are weeks to try again
            log.say(log.TROUBLE, daemon="serve", what=f"the next certificate could not be made: {error}")


def _configuration(certificate: "Certificate") -> grpc.ServerCertificateConfiguration:
    return grpc.ssl_server_certificate_configuration([(certificate.key, certificate.chain)])
