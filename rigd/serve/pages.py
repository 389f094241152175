"""Page tokens as clients get them: sealed, whatever question they belong to.

What the store makes is checksummed, and anybody can compute a checksum. Here every answer with a
`next_page_token` is sealed, and every `page_token` that comes back is checked.
"""

import base64
import binascii
from typing import Any, Final

from google.protobuf.message import Message

from rig.errors import MalformedToken
from rigd.auth.caller import CALLER
from rigd.auth.seal import Seal

_PURPOSE: Final = b"page"
_MARK: Final = "."
"""Between the store's token and its seal; tokens of release 0.1 have none."""
_AS_IT_CAME: Final = "pass next_page_token as it came"


class PageTokens:
    """Seals answers and opens questions."""

    def __init__(self, seal: Seal) -> None:
        self._seal = seal

    def open(self, request: Any) -> Any:
        """Return the request with the store's own page token. Raises MalformedToken. On this machine one of
        release 0.1 is taken too.
        """
        if not _has(request, "page_token") or not request.page_token:
            return request
        token, mark, code = request.page_token.rpartition(_MARK)
        if mark:
            if not self._seal.fits(_PURPOSE, token.encode(), _decoded(code)):
                raise MalformedToken("the page token was changed, or another rig made it", hint=_AS_IT_CAME)
            request.page_token = token
        elif CALLER.get().token:
            raise MalformedToken("that is no page token", hint=_AS_IT_CAME)
        return request

    def close(self, response: Any) -> Any:
        """Return the answer with its page token sealed."""
        if _has(response, "next_page_token") and response.next_page_token:
            code = self._seal.of(_PURPOSE, response.next_page_token.encode())
            response.next_page_token += _MARK + base64.urlsafe_b64encode(code).rstrip(b"=").decode()
        return response


def _has(message: Any, name: str) -> bool:
    return isinstance(message, Message) and name in message.DESCRIPTOR.fields_by_name


def _decoded(code: str) -> bytes:
    try:
        return base64.b64decode(code + "=" * (-len(code) % 4), altchars=b"-_", validate=True)
    except (ValueError, binascii.Error):
        return b""
