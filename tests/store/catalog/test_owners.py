"""Who sees what, and what is left of what is deleted."""

import pytest

from rig.errors import BadRequest, Denied, InUse, NotFound, Taken
from rig.v1 import catalog_pb2
from rigd.store.catalog.actor import ADMIN, Actor
from rigd.store.catalog.catalog import Catalog
from rigd.store.catalog.problems import problems
from tests.store.catalog.entries import (
    ANN,
    BOB,
    SESSION,
    Resource,
    add,
    change,
    exported,
    listed,
    names,
    note,
    remove,
    there,
)


def test_what_is_in_use_is_not_deleted_without_force(full: Catalog) -> None:
    with pytest.raises(InUse, match="1 configuration, 1 setup"):
        remove(full, "vehicles/v")
    with pytest.raises(InUse, match="1 assignment"):
        remove(full, "vehicles/v/setups/sprint")
    with pytest.raises(InUse, match="1 vehicle"):
        remove(full, "cars/gt3")
    before = full.get("vehicles/v", ANN)
    assert remove(full, "cars/gt3", force=True) == 1
    after = full.get("vehicles/v", ANN)
    assert after.vehicle.car == ""
    assert after.etag != before.etag
    assert remove(full, "vehicles/v", force=True) == 4
    with pytest.raises(NotFound):
        full.get("assignments/a", ANN)
    assert problems(full, there, {}).problems == []


def test_what_a_user_had_becomes_the_rigs(full: Catalog) -> None:
    rigs = Resource(tag=catalog_pb2.Tag(target=SESSION, text="rain"))
    add(full, "tags", "rigs", rigs, ADMIN)
    with pytest.raises(Denied):
        remove(full, "users/ann", force=True)
    with pytest.raises(InUse, match="1 car, 1 vehicle"):
        remove(full, "users/ann", actor=ADMIN)
    assert remove(full, "users/ann", actor=ADMIN, force=True) == 2, "the rig has the same tag"
    assert {one.owner for one in exported(full)} == {""}
    assert names(listed(full, "tags", ADMIN)) == ["tags/rigs"]


def test_two_owners_see_their_own_and_what_is_shared(full: Catalog) -> None:
    add(full, "notes", "his", note("Mine."), BOB)
    assert names(listed(full, "notes", BOB)) == ["notes/his"]
    assert names(listed(full, "notes", ADMIN)) == ["notes/his", "notes/n"]
    assert listed(full, "vehicles/-/setups", BOB) == []
    for name in ("vehicles/v", "vehicles/v/setups/sprint"):
        with pytest.raises(NotFound):
            full.get(name, BOB)
    change(full, Resource(name="vehicles/v", shared_with=["bob"]))
    setup = full.get("vehicles/v/setups/sprint", BOB)
    assert (setup.owner, list(setup.shared_with)) == ("ann", ["bob"])
    assert names(listed(full, "vehicles/-/setups", BOB)) == [setup.name]
    assert exported(full, BOB) != exported(full, ANN)
    for actor in (BOB, Actor("cem"), Actor("")):
        with pytest.raises((Denied, NotFound)):
            change(full, Resource(name="vehicles/v", vehicle=catalog_pb2.Vehicle(title="x")), actor=actor)
        with pytest.raises((Denied, NotFound)):
            remove(full, "vehicles/v/setups/sprint", actor=actor)
        with pytest.raises((Denied, NotFound)):
            add(full, "vehicles/v/setups", "", setup, actor)
    change(full, Resource(name="vehicles/v", shared_with=["*"]))
    assert full.get("vehicles/v", Actor("cem")).shared_with == ["*"]
    new = add(full, "vehicles/v/setups", "new", Resource(setup=catalog_pb2.Setup(title="New")))
    change(full, Resource(name=new.name), "shared_with")
    assert full.get(new.name, Actor("cem")).owner == "ann", "it is what its vehicle says"
    with pytest.raises(BadRequest, match="vehicles/v says whose"):
        change(full, Resource(name=new.name, shared_with=["ann"]))
    with pytest.raises(Denied, match="give away"):
        change(full, Resource(name="vehicles/v", owner="bob"))
    change(full, Resource(name="vehicles/v", owner="bob"), "owner", "shared_with", actor=ADMIN)
    assert full.get("vehicles/v/setups/sprint", BOB).owner == "bob"
    with pytest.raises(NotFound):
        full.get("vehicles/v/setups/sprint", ANN)


def test_drivers_are_said_by_the_administrator_and_are_one_user_each(full: Catalog) -> None:
    drivers = Resource(name="users/ann", user=catalog_pb2.User(title="Ann", drivers=["A. Alder"]))
    with pytest.raises(Denied, match="say who your drivers are"):
        change(full, drivers)
    assert change(full, drivers, "user.title").user.title == "Ann"
    change(full, drivers, actor=ADMIN)
    assert full.drivers() == {"A. Alder": "ann"}
    with pytest.raises(Taken, match=r"A\. Alder"):
        add(full, "users", "b", Resource(user=drivers.user), ADMIN)
    assert problems(full, there, {"A. Alder": "bob"}).problems[0].resource == "users/ann"
