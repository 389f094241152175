"""Pages of a collection."""

# ruff: noqa: S608  what is put into statements are words of this program; values go beside them

from typing import Any, Final

from rig.errors import BadRequest
from rig.v1 import catalog_pb2
from rigd.store.catalog.actor import Actor
from rigd.store.catalog.limits import MAX_NAME, PAGE_BYTES
from rigd.store.catalog.nouns import Noun, parent_of, user_name
from rigd.store.catalog.rows import HEAD, Db, resource_of
from rigd.store.paging import Paging
from rigd.store.where import Value, Where

_ORDERS: Final[dict[str, tuple[str, ...]]] = {
    "name": ("resource.name",),
    "create_time": ("resource.create_ns", "resource.name"),
    "update_time": ("resource.update_ns", "resource.name"),
}
_DOWN: Final = " desc"


class Listing:
    """One page of one question. Raises BadRequest, MalformedToken."""

    def __init__(self, request: catalog_pb2.ListResourcesRequest, actor: Actor) -> None:
        self.parent = parent_of(request.parent)
        noun = self.parent.noun
        self._columns, self._down = _order(request.order_by)
        kinds = [int, str][-len(self._columns) :]
        self.paging = Paging(request, kinds)
        self._where = Where(["resource.kind = ?"], [noun.kind])
        self._where.also(actor.seen())
        self._narrow(request, noun)

    def _narrow(self, request: catalog_pb2.ListResourcesRequest, noun: Noun) -> None:
        if self.parent.above:
            self._where.add("resource.parent = ?", self.parent.above)
        if request.owner:
            self._where.add("resource.owner = ?", user_name(request.owner))
        if request.target:
            self._about(noun, request.target)
        if request.text:
            self._saying(noun, request.text)

    def _about(self, noun: Noun, target: str) -> None:
        if not noun.target:
            raise BadRequest(f"{noun.collection} are about no lap or session", hint="leave target out")
        self._where.add(
            f"resource.name IN (SELECT resource FROM {noun.kind} WHERE {noun.target} = ?)", target
        )

    def _saying(self, noun: Noun, text: str) -> None:
        if not noun.text:
            raise BadRequest(f"{noun.collection} have no title or text", hint="leave text out")
        if len(text) > MAX_NAME:
            raise BadRequest(f"text has {len(text)} characters", hint=f"{MAX_NAME} at most")
        column = f"(SELECT {noun.text} FROM {noun.kind} WHERE resource = resource.name)"
        self._where.add(f"instr(casefold({column}), ?)", text.casefold())

    def page(self, db: Db) -> catalog_pb2.ListResourcesResponse:
        """Return the page."""
        answer, last, size = catalog_pb2.ListResourcesResponse(), None, 0
        for head in db.execute(*self._statement()):
            if len(answer.resources) == self.paging.size or size > PAGE_BYTES:
                answer.next_page_token = self.paging.token(last or ())
                break
            found = resource_of(db, head)
            answer.resources.append(found)
            size += found.ByteSize()
            last = self._place(head)
        return answer

    def _place(self, head: tuple[Any, ...]) -> tuple[Value, ...]:
        """Return what the row with that head is ordered by."""
        columns = [f"resource.{one}" for one in HEAD.split(", ")]
        return tuple(head[columns.index(column)] for column in self._columns)

    def _statement(self) -> tuple[str, list[Value]]:
        where, turn = Where(list(self._where.terms), list(self._where.values)), _DOWN if self._down else ""
        if self.paging.after is not None:
            marks = ", ".join("?" * len(self._columns))
            sign = "<" if self._down else ">"
            where.add(f"({', '.join(self._columns)}) {sign} ({marks})", *self.paging.after)
        order = ", ".join(column + turn for column in self._columns)
        statement = f"SELECT {HEAD} FROM resource WHERE {where} ORDER BY {order} LIMIT ?"
        return statement, [*where.values, self.paging.size + 1]


def _order(text: str) -> tuple[tuple[str, ...], bool]:
    word = text.removesuffix(_DOWN)
    if word and word not in _ORDERS:
        raise BadRequest(
            f"order_by is {text[:MAX_NAME]!r}", hint=f"{', '.join(_ORDERS)}, with an optional `desc`"
        )
    return _ORDERS[word or "name"], text.endswith(_DOWN)
