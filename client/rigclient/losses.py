"""What is missing of a session: what a caller asks for, and the pages of the answer as one."""

from typing import Final

from rig.v1 import event_pb2, rig_pb2
from rigclient.queries import enum_number
from riglap.names import session_name

PAGE: Final = 1000
"""Gaps asked for at a time: some 100 kB."""


def get_losses(session: str = "", stream: str = "") -> rig_pb2.GetLossesRequest:
    """Return a request for the losses of a session, "" the newest, in a stream such as "physics", "" all of
    them.

    Raises BadRequest for an unknown stream.
    """
    return rig_pb2.GetLossesRequest(
        session=session_name(session) if session else "",
        stream=enum_number(event_pb2.Stream, stream),
        page_size=PAGE,
    )


class Pages:
    """The answer as it comes, page by page."""

    def __init__(self, request: rig_pb2.GetLossesRequest) -> None:
        self.request: rig_pb2.GetLossesRequest = request
        self.answer: rig_pb2.GetLossesResponse = rig_pb2.GetLossesResponse()

    def take(self, page: rig_pb2.GetLossesResponse) -> bool:
        """Take the next page; True when there are more, for which `request` asks then."""
        if self.request.page_token:
            self.answer.gaps.extend(page.gaps)
        else:
            self.answer.CopyFrom(page)
            self.answer.next_page_token = ""
        self.request.session = page.session  # another one may be the newest by then
        self.request.page_token = page.next_page_token
        return bool(page.next_page_token)
