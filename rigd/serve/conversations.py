"""Conversations with the assistant, kept in the catalog: what was asked and answered, and plans."""

import json
from typing import Final

from rig.errors import BadRequest
from rig.signs import visible
from rig.v1 import catalog_pb2
from rigclient.assistant.bounds import MAX_HISTORY
from rigclient.assistant.proposal import Proposal
from rigd.serve.catalogcalls import CatalogCalls, Resource

_TITLE: Final = 80
_ROLES: Final = {catalog_pb2.CHAT_ROLE_USER: "user", catalog_pb2.CHAT_ROLE_ASSISTANT: "assistant"}
_MOST_IDS: Final = 100


class Conversations:
    """Those of whoever calls."""

    def __init__(self, calls: CatalogCalls) -> None:
        self._calls = calls

    async def asked_before(self) -> bool:
        """Return whether the caller has a conversation."""
        return self._calls.allowed() and bool(await self._calls.list("conversations", 1))

    async def get(self, name: str) -> Resource:
        """Return a conversation that is to go on. Raises NotFound, Denied, BadRequest for another thing."""
        self._calls.check("going on with a conversation")
        found = await self._calls.get(name)
        if found.WhichOneof("body") != "conversation":
            raise BadRequest(f"{name[:200]} is no conversation", hint="conversations/{conversation}")
        return found

    async def history(self, conversation: Resource) -> list[tuple[str, str]]:
        """Return the last messages, the oldest first, each with its role."""
        parent = f"{conversation.name}/messages"
        found = await self._calls.list(parent, MAX_HISTORY, order_by="create_time desc")
        said = [(_ROLES.get(one.message.role, ""), one.message.text) for one in reversed(found)]
        return [(role, text) for role, text in said if role]

    async def keep(
        self, conversation: Resource | None, lap: str, question: str, answer: str, ids: list[str]
    ) -> Resource:
        """Return the conversation with a question and its answer, a new one where there is none. It is about
        the lap that was looked at last.
        """
        if conversation is None:
            body = catalog_pb2.Conversation(title=title(question), lap=lap)
            conversation = await self._calls.create("conversations", body)
        else:
            current = await self._calls.get(conversation.name)
            body = catalog_pb2.Conversation(lap=lap)
            conversation = await self._calls.update(current, body, ("lap",))
        parent = f"{conversation.name}/messages"
        for role, text, found in (
            (catalog_pb2.CHAT_ROLE_USER, question, []),
            (catalog_pb2.CHAT_ROLE_ASSISTANT, answer, ids[:_MOST_IDS]),
        ):
            message = catalog_pb2.ChatMessage(role=role, text=text, finding_ids=found)
            await self._calls.create(parent, message)
        return conversation

    async def keep_plan(self, conversation: Resource, name: str, items: list[Proposal]) -> Resource:
        """Return a plan of what is proposed."""
        plan = catalog_pb2.Plan(title=title(name), conversation=conversation.name)
        for number, item in enumerate(items, 1):
            plan.items.add(
                id=str(number), kind=item.kind, arguments=json.dumps(item.arguments), text=item.text
            )
        return await self._calls.create("plans", plan)


def title(text: str) -> str:
    """Return the begin of a text, on one line."""
    line = visible(" ".join(text.split()))
    return line if len(line) <= _TITLE else f"{line[: _TITLE - 1].rstrip()}…"
