"""Circuits as resources of the catalog: an index of the store's files, and no second copy."""

from pathlib import Path
from typing import Final

from rig.errors import NotFound
from rig.v1 import catalog_pb2
from rigd.serve.analysis.messages import circuit_message
from rigd.store.paging import Paging
from rigd.store.store import circuits_path
from riglap.circuits.shelf import Shelf

_COLLECTION: Final = "circuits"


class CircuitList:
    """The newest version of each layout, sorted by name."""

    def __init__(self, data: Path) -> None:
        self._shelf = Shelf(circuits_path(data))

    def get(self, name: str) -> catalog_pb2.Resource:
        """Return `circuits/{circuit}`. Raises NotFound, Corrupt, Newer."""
        layout = name.removeprefix(f"{_COLLECTION}/")
        if layout not in self._shelf.layouts():
            raise NotFound(f"there is no {name[:200]!r}", hint="list circuits to see which")
        return catalog_pb2.Resource(
            name=f"{_COLLECTION}/{layout}", circuit=circuit_message(self._shelf.newest(layout))
        )

    def page(self, request: catalog_pb2.ListResourcesRequest) -> catalog_pb2.ListResourcesResponse:
        """Return a page of them. Raises BadRequest, MalformedToken."""
        paging = Paging(request, [str])
        after = str(paging.after[0]) if paging.after else ""
        layouts = [one for one in self._shelf.layouts() if one > after]
        shown = layouts[: paging.size]
        resources = [self.get(f"{_COLLECTION}/{layout}") for layout in shown]
        token = paging.token([shown[-1]]) if len(layouts) > len(shown) else ""
        return catalog_pb2.ListResourcesResponse(resources=resources, next_page_token=token)


def is_circuit(name: str) -> bool:
    """Return whether a name is that of a circuit, or of all."""
    return name.partition("/")[0] == _COLLECTION
