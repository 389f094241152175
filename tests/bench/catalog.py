"""Measurement of the catalog, through a real server on loopback: name -> figures."""

import time
from typing import Any, Final

import grpc
import numpy as np

from rig.v1 import catalog_pb2, catalog_pb2_grpc
from rigd.store.catalog.catalog import Catalog
from rigd.store.catalog.file import catalog_path
from rigd.store.catalog.transfer import take
from tests.stage import stage

Figures = dict[str, float]

_ROWS: Final = 10_000
_REPEATS: Final = 40
_QUESTIONS: Final[tuple[dict[str, Any], ...]] = (
    {"parent": "notes"},
    {"parent": "notes", "order_by": "update_time desc"},
    {"parent": "notes", "target": "sessions/s0042"},
)


def catalog() -> Figures:
    """The first page of 50 of a list of 10,000 notes: the slowest median of three questions; and 50 setups of
    200 parameters.
    """
    with stage() as here:
        kept = Catalog(catalog_path(here.data))
        take(kept, _resources(), replace=False)
        kept.close()
        here.serve()
        with grpc.insecure_channel(here.address) as channel:
            stub = catalog_pb2_grpc.CatalogServiceStub(channel)
            requests = [catalog_pb2.ListResourcesRequest(**one) for one in _QUESTIONS]
            setups = catalog_pb2.ListResourcesRequest(parent="vehicles/-/setups")
            return {
                "catalog_list_10k_ms": max(_median_ms(stub.ListResources, one) for one in requests),
                "catalog_list_setups_ms": _median_ms(stub.ListResources, setups),
            }


def _resources() -> list[catalog_pb2.Resource]:
    """10,000 notes about 100 sessions, and a vehicle with 200 setups of 200 parameters."""
    notes = [
        catalog_pb2.Resource(
            name=f"notes/n{number:05d}",
            owner=f"user{number % 10}",
            note=catalog_pb2.Note(
                target=f"sessions/s{number % 100:04d}", text="Brake later here.", place=120.0
            ),
        )
        for number in range(_ROWS)
    ]
    vehicle = catalog_pb2.Resource(name="vehicles/v", vehicle=catalog_pb2.Vehicle(title="GT3"))
    parameters = [catalog_pb2.Parameter(section="BASIC", key=f"Key{n}", value="12") for n in range(200)]
    setups = [
        catalog_pb2.Resource(
            name=f"vehicles/v/setups/s{number:03d}",
            setup=catalog_pb2.Setup(title=f"Setup {number}", parameters=parameters),
        )
        for number in range(200)
    ]
    return [*notes, vehicle, *setups]


def _median_ms(call: Any, request: Any) -> float:
    times = []
    for _ in range(_REPEATS):
        began = time.perf_counter()
        answer = call(request)
        times.append(time.perf_counter() - began)
        assert len(answer.resources) == 50
    return float(np.median(times)) * 1e3
