"""The catalog's own calls, made inside the server for who calls it: the same checks, the same turns."""

from collections.abc import Iterable
from typing import Any, Final

from google.protobuf.field_mask_pb2 import FieldMask

from rig.errors import Denied
from rig.v1 import catalog_pb2
from rigclient.catalogdocument import Body, field_of, resource
from rigd.auth.caller import CALLER, Scope
from rigd.serve.catalog import CatalogService

Resource = catalog_pb2.Resource
_FEW: Final = 50


class CatalogCalls:
    """Gets, lists, adds and changes resources as the caller of the moment. Raises as CatalogService does."""

    def __init__(self, service: CatalogService) -> None:
        self._service = service

    def allowed(self) -> bool:
        """Return whether the caller has the scope that the catalog takes."""
        return CALLER.get().may(Scope.CATALOG)

    def check(self, what: str) -> None:
        """Raise Denied where the caller has not got it."""
        if not self.allowed():
            raise Denied(f"{what} takes the scope {Scope.CATALOG}", hint="pair again with it")

    async def get(self, name: str) -> Resource:
        """Return one resource."""
        answer = await self._service.ask(catalog_pb2.GetResourceRequest(name=name))
        found: Resource = answer.resource
        return found

    async def list(self, parent: str, count: int = _FEW, **wanted: Any) -> list[Resource]:
        """Return the first resources of a collection."""
        request = catalog_pb2.ListResourcesRequest(parent=parent, page_size=count, **wanted)
        return list((await self._service.ask(request)).resources)

    async def create(self, parent: str, body: Body, identifier: str = "") -> Resource:
        """Return a resource that is added."""
        request = catalog_pb2.CreateResourceRequest(parent=parent, id=identifier, resource=resource(body))
        added: Resource = (await self._service.ask(request)).resource
        return added

    async def update(self, changed: Resource, body: Body, fields: Iterable[str] = ()) -> Resource:
        """Return a resource whose body, or these fields of it, are changed since its etag."""
        paths = [f"{field_of(body)}.{field}" for field in fields] or [field_of(body)]
        request = catalog_pb2.UpdateResourceRequest(
            resource=resource(body, name=changed.name, etag=changed.etag), update_mask=FieldMask(paths=paths)
        )
        updated: Resource = (await self._service.ask(request)).resource
        return updated
