"""CatalogService: what people enter, for those who may see and change it.

One thread does all of it: calls take turns at the file, and live telemetry does not wait for its disk. A
catalog that cannot be opened keeps nothing else from its work, and every call tries again.
"""

import contextlib
import os
import time
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, Final

import grpc

from rig.errors import BadRequest, Corrupt, Exhausted, RigError
from rig.v1 import catalog_pb2, rig_pb2
from rigd import log
from rigd.auth.caller import CALLER, Caller, Scope
from rigd.auth.lease import LEASE
from rigd.drivers import DriversFile
from rigd.serve import connections
from rigd.serve.circuitlist import CircuitList, is_circuit
from rigd.serve.limits import MAX_EXPORTS
from rigd.serve.seats import Seats
from rigd.serve.workers import Workers
from rigd.store.catalog import transfer
from rigd.store.catalog.actor import Actor
from rigd.store.catalog.catalog import Catalog
from rigd.store.catalog.difference import difference
from rigd.store.catalog.file import catalog_path
from rigd.store.catalog.limits import MAX_IMPORT_BYTES
from rigd.store.catalog.problems import problems
from rigd.store.store import StoreReader
from rigd.store.viewer import EVERYTHING

SERVICE: Final = "rig.v1.CatalogService"

Context = Any
Answer = Callable[[Catalog, Any], Any]


class CatalogService:
    """Answers from the catalog, and from the circuits of the store."""

    def __init__(
        self,
        data: Path,
        seats: Seats,
        users: Callable[[], Iterable[str]] = tuple,
        drivers: Callable[[], Mapping[str, str]] = dict,
    ) -> None:
        """Give who the users are that it has to have, and which drivers are users by the configuration."""
        self._path, self._seats, self._users, self._drivers = catalog_path(data), seats, users, drivers
        self._told = DriversFile(data)
        self._store, self._circuits = StoreReader(data), CircuitList(data)
        self._work = Workers(1, "catalog")
        self._catalog: Catalog | None = None
        self._file: os.stat_result | None = None
        self._trouble: rig_pb2.Trouble | None = None
        self._exports, self._importing = 0, False
        self._added: frozenset[str] = frozenset()

    def handler(self) -> grpc.GenericRpcHandler:
        """Return the service for a server."""
        methods: dict[str, Any] = {
            name: grpc.unary_unary_rpc_method_handler(
                self._answering(answer), request.FromString, lambda response: response.SerializeToString()
            )
            for name, (answer, request) in self._answers().items()
        }
        methods["ExportCatalog"] = grpc.unary_stream_rpc_method_handler(
            self._export, catalog_pb2.ExportCatalogRequest.FromString
        )
        methods["ImportCatalog"] = grpc.stream_unary_rpc_method_handler(
            self._import,
            catalog_pb2.ImportCatalogRequest.FromString,
            lambda response: response.SerializeToString(),
        )
        return grpc.method_handlers_generic_handler(SERVICE, methods)

    def _answers(self) -> dict[str, tuple[Answer, Any]]:
        return {
            "GetResource": (self._get, catalog_pb2.GetResourceRequest),
            "ListResources": (self._list, catalog_pb2.ListResourcesRequest),
            "CreateResource": (self._create, catalog_pb2.CreateResourceRequest),
            "UpdateResource": (self._update, catalog_pb2.UpdateResourceRequest),
            "DeleteResource": (self._delete, catalog_pb2.DeleteResourceRequest),
            "DiffSetups": (self._diff, catalog_pb2.DiffSetupsRequest),
            "CheckCatalog": (self._check, catalog_pb2.CheckCatalogRequest),
            "ResetCatalog": (self._reset, catalog_pb2.ResetCatalogRequest),
        }

    async def ask(self, request: Any) -> Any:
        """Return what one of these calls answers, made inside the server by who calls that. Raises as it
        does.
        """
        answer = next(one for one, kind in self._answers().values() if kind is type(request))
        return await self._work(self._answered, answer, request)

    def start(self) -> None:
        """Open the catalog, so that users are there before somebody asks; failing is trouble, and told."""
        self._work.later(self._open_first)

    def close(self) -> None:
        """Let go of the thread and the file."""
        self._work.close(drop=False)
        self._let_go()

    @property
    def trouble(self) -> rig_pb2.Trouble | None:
        """What keeps it from the catalog; None when nothing does."""
        return self._trouble

    # The file.

    def _open_first(self) -> None:
        with contextlib.suppress(RigError, OSError):
            self._opened()

    def _opened(self) -> Catalog:
        """The catalog, opened where it is not yet, or another file has its name. Raises Newer, Corrupt,
        Unavailable, OSError.
        """
        if self._catalog is not None and self._replaced():
            self._let_go()
        if self._catalog is None:
            try:
                self._catalog = self._open()
                self._end_trouble()
            except (RigError, OSError) as error:
                self._begin_trouble(error)
                raise
        return self._catalog

    def _open(self) -> Catalog:
        catalog = Catalog(self._path)
        try:
            self._added = frozenset()
            self._add_users(catalog)
            self._told.put(catalog.drivers())
            self._file = os.stat(self._path)
        except BaseException:
            catalog.close()
            raise
        return catalog

    def _add_users(self, catalog: Catalog) -> None:
        """Have those be users who got a token, or a driver, since the last time."""
        users = frozenset((*self._users(), *self._drivers().values()))
        if new := users - self._added:
            catalog.ensure_users(sorted(new))
        self._added = users

    def _replaced(self) -> bool:
        try:
            return self._file is None or not os.path.samestat(os.stat(self._path), self._file)
        except FileNotFoundError:
            return True

    def _let_go(self) -> None:
        if self._catalog is not None:
            self._catalog.close()
            self._catalog = None

    def _begin_trouble(self, error: RigError | OSError) -> None:
        what = f"the catalog cannot be used: {error}"
        if self._trouble is None or self._trouble.what != what:
            self._trouble = rig_pb2.Trouble(daemon="serve", what=what, since_ns=time.time_ns())
            log.say(log.TROUBLE, daemon="serve", what=what)

    def _end_trouble(self) -> None:
        if self._trouble is not None:
            lasted_s = (time.time_ns() - self._trouble.since_ns) / 1e9
            log.say(log.TROUBLE_ENDED, daemon="serve", what=self._trouble.what, duration_s=round(lasted_s, 1))
            self._trouble = None

    # Answering.

    def _answering(self, answer: Answer) -> Callable[[Any, Context], Any]:
        async def handle(request: Any, _: Context) -> Any:
            return await self._work(self._answered, answer, request)

        return handle

    def _answered(self, answer: Answer, request: Any) -> Any:
        """Answer in the thread. Where something turns out to be damaged the file is opened anew, and so
        checked: it may be an index, or one resource.
        """
        catalog = self._opened()
        try:
            self._add_users(catalog)
            return answer(catalog, request)
        except Corrupt:
            self._let_go()
            self._open_first()
            raise

    def _known(self, name: str) -> bool:
        """Whether there is a lap or a session for who calls."""
        caller = CALLER.get()
        everything = _actor(caller).all or caller.may(Scope.LAPS_ALL)
        viewer = EVERYTHING if everything else self._seats.viewer(caller)
        found = self._store.index.lap if "/laps/" in name else self._store.index.session
        return found(name, viewer) is not None

    def _get(self, catalog: Catalog, request: catalog_pb2.GetResourceRequest) -> Any:
        if is_circuit(request.name):
            return catalog_pb2.GetResourceResponse(resource=self._circuits.get(request.name))
        resource = catalog.get(request.name, _actor(CALLER.get()))
        return catalog_pb2.GetResourceResponse(resource=resource)

    def _list(self, catalog: Catalog, request: catalog_pb2.ListResourcesRequest) -> Any:
        if is_circuit(request.parent):
            return self._circuits.page(request)
        return catalog.page(request, _actor(CALLER.get()))

    def _create(self, catalog: Catalog, request: catalog_pb2.CreateResourceRequest) -> Any:
        _check_changes(request.parent)
        resource = catalog.create(request, _actor(CALLER.get()), self._known)
        self._tell_drivers(catalog, resource.name)
        return catalog_pb2.CreateResourceResponse(resource=resource)

    def _update(self, catalog: Catalog, request: catalog_pb2.UpdateResourceRequest) -> Any:
        _check_changes(request.resource.name)
        resource = catalog.update(request, _actor(CALLER.get()), self._known)
        self._tell_drivers(catalog, resource.name)
        return catalog_pb2.UpdateResourceResponse(resource=resource)

    def _delete(self, catalog: Catalog, request: catalog_pb2.DeleteResourceRequest) -> Any:
        _check_changes(request.name)
        deleted = catalog.delete(request, _actor(CALLER.get()))
        self._tell_drivers(catalog, request.name)
        return catalog_pb2.DeleteResourceResponse(deleted=deleted)

    def _tell_drivers(self, catalog: Catalog, changed: str = "users/") -> None:
        """Have the recorder know who is who, where that may have changed."""
        if changed.startswith("users/"):
            self._told.put(catalog.drivers())

    def _diff(self, catalog: Catalog, request: catalog_pb2.DiffSetupsRequest) -> Any:
        actor = _actor(CALLER.get())
        first, second = (catalog.get(name, actor) for name in (request.first, request.second))
        for one in (first, second):
            if one.WhichOneof("body") != "setup":
                raise BadRequest(f"{one.name} is no setup", hint="vehicles/{vehicle}/setups/{setup}")
        return difference(first.setup, second.setup)

    def _check(self, catalog: Catalog, _request: catalog_pb2.CheckCatalogRequest) -> Any:
        return problems(catalog, self._known, self._drivers())

    def _reset(self, catalog: Catalog, _request: catalog_pb2.ResetCatalogRequest) -> Any:
        answer = transfer.reset(catalog, sorted(self._added))
        self._tell_drivers(catalog)
        return answer

    # Bulk.

    async def _export(self, _request: catalog_pb2.ExportCatalogRequest, context: Context) -> None:
        if self._exports >= MAX_EXPORTS:
            raise Exhausted(f"{MAX_EXPORTS} exports are under way, which is the limit", limit=MAX_EXPORTS)
        await self._work(self._opened)
        messages = transfer.export(self._path, _actor(CALLER.get()))
        self._exports += 1
        try:
            while (message := await self._work(next, messages, None)) is not None:
                LEASE.get().check()
                await connections.write(message.SerializeToString(), context)
        finally:
            self._exports -= 1
            await self._work(messages.close)

    async def _import(
        self, requests: AsyncIterator[catalog_pb2.ImportCatalogRequest], _: Context
    ) -> catalog_pb2.ImportCatalogResponse:
        if self._importing:
            raise Exhausted("an import is under way, and one is the limit", hint="wait for its end", limit=1)
        self._importing = True
        try:
            resources, replace = await _gathered(requests)
            answer: catalog_pb2.ImportCatalogResponse = await self._work(
                self._answered, partial(self._take, replace=replace), resources
            )
            return answer
        finally:
            self._importing = False

    def _take(
        self, catalog: Catalog, resources: list[catalog_pb2.Resource], *, replace: bool
    ) -> catalog_pb2.ImportCatalogResponse:
        answer = transfer.take(catalog, resources, replace=replace)
        self._tell_drivers(catalog)
        return answer


async def _gathered(
    requests: AsyncIterator[catalog_pb2.ImportCatalogRequest],
) -> tuple[list[catalog_pb2.Resource], bool]:
    """Return all that is to be taken, and whether over what is there. Raises Exhausted."""
    resources: list[catalog_pb2.Resource] = []
    size, replace, first = 0, False, True
    async for request in requests:
        replace, first = request.replace if first else replace, False
        size += request.ByteSize()
        if size > MAX_IMPORT_BYTES:
            raise Exhausted(
                f"more than {MAX_IMPORT_BYTES} bytes to import, which is the limit",
                hint="take a backup's file instead",
                limit=MAX_IMPORT_BYTES,
            )
        resources += request.resources
    return resources, replace


def _actor(caller: Caller) -> Actor:
    """Return who calls: on this machine, and with the scope `admin`, there is everything."""
    return Actor(caller.user, all=not caller.token or caller.may(Scope.ADMIN))


def _check_changes(name: str) -> None:
    if is_circuit(name):
        raise BadRequest("circuits are files of the store", hint="`rigd circuit` changes them")
