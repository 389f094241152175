"""The blocking client. Generated from `rigclient.asynccatalog` by `client/make_blocking.py`; do not edit."""

from collections.abc import Generator, Iterable
from typing import Any, Final

from google.protobuf.field_mask_pb2 import FieldMask

from rig.v1 import catalog_pb2, catalog_pb2_grpc
from rigclient.catalogdocument import Body, field_of, import_requests, resource
from rigclient.connection import Connection

__all__ = ["Catalog"]

_IMPORT_S: Final = 600.0
"""The rig takes some ten thousand resources a second."""


class Catalog:
    """What people enter: users, events, vehicles with setups, notes, tags, layouts and more, as resources
    with a name, an owner and a body. All of it raises Newer or Corrupt where its catalog cannot be read.
    """

    def __init__(self, rig: Connection) -> None:
        self._rig = rig
        self._stub: Any = catalog_pb2_grpc.CatalogServiceStub(rig._channel)

    def get(self, name: str) -> catalog_pb2.Resource:
        """Return the resource of that name, such as `vehicles/gt3/setups/sprint`. Raises NotFound."""
        answer = self._rig._ask(self._stub.GetResource, catalog_pb2.GetResourceRequest(name=name))
        found: catalog_pb2.Resource = answer.resource
        return found

    def list(
        self,
        parent: str,
        *,
        owner: str = "",
        target: str = "",
        text: str = "",
        order_by: str = "",
        page_size: int = 0,
    ) -> Generator[catalog_pb2.Resource]:
        """Yield the resources of a collection, such as `notes`, `vehicles/gt3/setups` or `vehicles/-/setups`,
        asked for as they are used: of an owner, about a lap or session (`target`), with `text` in their
        title or text, in the order of name, create_time or update_time, perhaps with ` desc`. Raises
        BadRequest.
        """
        request = catalog_pb2.ListResourcesRequest(
            parent=parent, owner=owner, target=target, text=text, order_by=order_by, page_size=page_size
        )
        while True:
            answer = self._rig._ask(self._stub.ListResources, request)
            yield from answer.resources
            if not answer.next_page_token:
                return
            request.page_token = answer.next_page_token

    def create(
        self,
        parent: str,
        body: Body,
        *,
        identifier: str = "",
        owner: str = "",
        shared_with: Iterable[str] = (),
    ) -> catalog_pb2.Resource:
        """Add a resource to a collection, such as `vehicles` or `vehicles/gt3/setups`; its name ends with the
        identifier, or with what the rig makes of its title. Raises Taken, NotFound for what it refers to,
        BadRequest, Exhausted.
        """
        request = catalog_pb2.CreateResourceRequest(
            parent=parent, id=identifier, resource=resource(body, owner=owner, shared_with=shared_with)
        )
        found: catalog_pb2.Resource = (self._rig._ask(self._stub.CreateResource, request)).resource
        return found

    def update(
        self,
        name: str,
        body: Body | None = None,
        fields: Iterable[str] = (),
        *,
        owner: str | None = None,
        shared_with: Iterable[str] | None = None,
        etag: str = "",
    ) -> catalog_pb2.Resource:
        """Change these fields of a resource's body, such as "number", to what they are in `body`; without any
        all of the body. `owner` and `shared_with` are changed where they are given. Raises Raced where the
        resource has another etag by now, NotFound, Denied for another's, BadRequest.
        """
        paths: list[str] = []
        if body is not None:
            paths = [f"{field_of(body)}.{field}" for field in fields] or [field_of(body)]
        paths += [] if owner is None else ["owner"]
        paths += [] if shared_with is None else ["shared_with"]
        changed = resource(body, name=name, etag=etag, owner=owner or "", shared_with=shared_with or ())
        request = catalog_pb2.UpdateResourceRequest(resource=changed, update_mask=FieldMask(paths=paths))
        found: catalog_pb2.Resource = (self._rig._ask(self._stub.UpdateResource, request)).resource
        return found

    def delete(self, name: str, *, etag: str = "", force: bool = False) -> int:
        """Delete a resource, with `force` also what belongs to it. Returns how many went. Raises InUse where
        something belongs to it, NotFound, Denied for another's, Raced for another etag.
        """
        request = catalog_pb2.DeleteResourceRequest(name=name, etag=etag, force=force)
        return int((self._rig._ask(self._stub.DeleteResource, request)).deleted)

    def decide(self, plan: str, item: str, *, approve: bool) -> catalog_pb2.Resource:
        """Say that an item of a plan is wanted, which does it at once, or not. Returns the plan: the item is
        done, failed or rejected. Raises NotFound, Denied for another's, Busy for an item that is done.
        """
        request = catalog_pb2.DecidePlanItemRequest(name=plan, item=item, approve=approve)
        found: catalog_pb2.Resource = (self._rig._ask(self._stub.DecidePlanItem, request)).plan
        return found

    def diff_setups(self, first: str, second: str) -> catalog_pb2.DiffSetupsResponse:
        """Return what is different between two setups, by their names. Raises NotFound, BadRequest."""
        request = catalog_pb2.DiffSetupsRequest(first=first, second=second)
        answer: catalog_pb2.DiffSetupsResponse = self._rig._ask(self._stub.DiffSetups, request)
        return answer

    def export(self) -> Generator[catalog_pb2.Resource]:
        """Yield everything there is for this caller, as it is at one moment. `rigclient.catalogdocument`
        makes JSON of it.
        """
        for part in self._rig._parts(self._stub.ExportCatalog, catalog_pb2.ExportCatalogRequest()):
            yield from part.resources

    def import_all(
        self, resources: Iterable[catalog_pb2.Resource], *, replace: bool = False
    ) -> catalog_pb2.ImportCatalogResponse:
        """Take what was exported, all of it or nothing; with `replace` over what is there and different.
        Raises Taken, NotFound, BadRequest, Exhausted.
        """

        def call(requests: Any, timeout: float) -> Any:
            return self._stub.ImportCatalog(iter(requests), timeout=max(timeout, _IMPORT_S))

        requests = [*import_requests(resources, replace=replace)]
        answer: catalog_pb2.ImportCatalogResponse = self._rig._ask(call, requests)
        return answer

    def check(self) -> catalog_pb2.CheckCatalogResponse:
        """Return what is wrong in the catalog: damage, references to what is gone."""
        answer: catalog_pb2.CheckCatalogResponse = self._rig._ask(
            self._stub.CheckCatalog, catalog_pb2.CheckCatalogRequest()
        )
        return answer

    def reset(self) -> catalog_pb2.ResetCatalogResponse:
        """Clear the catalog. Returns the file on the rig that has what was in it."""
        answer: catalog_pb2.ResetCatalogResponse = self._rig._ask(
            self._stub.ResetCatalog, catalog_pb2.ResetCatalogRequest()
        )
        return answer
