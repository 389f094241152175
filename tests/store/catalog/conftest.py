"""Catalogs: an empty one, and one with an entry of each kind."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from rig.v1 import catalog_pb2
from rigd.store.catalog.catalog import Catalog
from rigd.store.catalog.file import catalog_path
from tests.store.catalog.entries import ONE_OF_EACH, Resource, add


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Catalog]:
    made = Catalog(catalog_path(tmp_path))
    yield made
    made.close()


@pytest.fixture
def full(catalog: Catalog) -> Catalog:
    """A catalog with one of each kind, ann's."""
    for collection, identifier, resource in ONE_OF_EACH:
        add(catalog, collection, identifier, resource)
    return catalog


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Catalog]:
    """One of each kind and a second vehicle, for tests that change nothing."""
    made = Catalog(catalog_path(tmp_path_factory.mktemp("kept")))
    for one in ONE_OF_EACH:
        add(made, *one)
    add(made, "vehicles", "w2", Resource(vehicle=catalog_pb2.Vehicle(title="Second")))
    yield made
    made.close()
