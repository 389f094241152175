"""Changes that cannot be are refused, and change nothing."""

from typing import Final

import pytest

from rig.errors import BadRequest, Denied, NotFound, Raced, RigError, Taken
from rig.v1 import catalog_pb2
from rigd.store.catalog.catalog import Catalog
from rigd.store.catalog.limits import MAX_NAME, MAX_ROWS, MAX_TEXT_BYTES
from tests.store.catalog.entries import (
    ANN,
    LAP,
    PARAMETERS,
    SESSION,
    Resource,
    add,
    change,
    exported,
    note,
    remove,
)


def test_another_etag_is_a_race(full: Catalog) -> None:
    before = full.get("vehicles/v", ANN)
    change(full, Resource(name=before.name, etag=before.etag, vehicle=before.vehicle))
    with pytest.raises(Raced, match="has changed since"):
        change(full, Resource(name=before.name, etag=before.etag, vehicle=before.vehicle))
    with pytest.raises(Raced):
        remove(full, before.name, etag=before.etag, force=True)


@pytest.mark.parametrize(
    "path", ["title", "vehicle.titel", "setup.title", "name", "etag", "vehicle.title.more", "owner.x", ""]
)
def test_a_path_that_is_no_field_is_named(full: Catalog, path: str) -> None:
    vehicle = catalog_pb2.Vehicle(title="Other")
    with pytest.raises(BadRequest, match=r"vehicle\.title, vehicle\.vehicle_class"):
        change(full, Resource(name="vehicles/v", vehicle=vehicle), path)
    assert full.get("vehicles/v", ANN).vehicle.title == "Our car"


BAD: Final[dict[str, tuple[str, Resource, type[RigError]]]] = {
    "no title": ("events", Resource(event=catalog_pb2.RacingEvent()), BadRequest),
    "no body": ("events", Resource(), BadRequest),
    "another body": ("events", note("x"), BadRequest),
    "long": ("events", Resource(event=catalog_pb2.RacingEvent(title="x" * (MAX_NAME + 1))), BadRequest),
    "blank": ("events", Resource(event=catalog_pb2.RacingEvent(title=" x")), BadRequest),
    "a sign": ("events", Resource(event=catalog_pb2.RacingEvent(title="x\x1b[31m")), BadRequest),
    "long text": ("notes", note("x" * (MAX_TEXT_BYTES + 1)), BadRequest),
    "no day": (
        "events",
        Resource(event=catalog_pb2.RacingEvent(title="x", start_date="20261130")),
        BadRequest,
    ),
    "ends first": (
        "events",
        Resource(event=catalog_pb2.RacingEvent(title="x", start_date="2026-11-30", end_date="2026-11-29")),
        BadRequest,
    ),
    "no place": (
        "notes",
        Resource(note=catalog_pb2.Note(target=LAP, text="x", place=float("nan"))),
        BadRequest,
    ),
    "no target": ("notes", Resource(note=catalog_pb2.Note(target="laps/1", text="x")), BadRequest),
    "no JSON": (
        "layouts",
        Resource(layout=catalog_pb2.SavedLayout(title="x", kind="k", document="{")),
        BadRequest,
    ),
    "a number that JSON has not": (
        "layouts",
        Resource(layout=catalog_pb2.SavedLayout(title="x", kind="k", document='{"a": NaN}')),
        BadRequest,
    ),
    "no formula": (
        "channels",
        Resource(channel=catalog_pb2.MathChannel(channel="x", expression="1 +")),
        BadRequest,
    ),
    "no channel": (
        "channels",
        Resource(channel=catalog_pb2.MathChannel(channel="1", expression="1")),
        BadRequest,
    ),
    "no role": ("conversations/c/messages", Resource(message=catalog_pb2.ChatMessage(text="x")), BadRequest),
    "no state": (
        "plans",
        Resource(plan=catalog_pb2.Plan(title="x", items=[catalog_pb2.PlanItem(id="1", kind="k", state=9)])),  # type: ignore[arg-type]
        BadRequest,
    ),
    "twice": (
        "vehicles/v/setups",
        Resource(setup=catalog_pb2.Setup(title="x", parameters=[PARAMETERS[0], PARAMETERS[0]])),
        BadRequest,
    ),
    "many": (
        "vehicles/v/setups",
        Resource(
            setup=catalog_pb2.Setup(
                title="x", parameters=[catalog_pb2.Parameter(key=str(n)) for n in range(MAX_ROWS + 1)]
            )
        ),
        BadRequest,
    ),
    "not below": ("vehicles/-/setups", Resource(setup=catalog_pb2.Setup(title="x")), BadRequest),
    "below nothing": ("vehicles/w/setups", Resource(setup=catalog_pb2.Setup(title="x")), NotFound),
    "no such car": ("vehicles", Resource(vehicle=catalog_pb2.Vehicle(title="x", car="cars/none")), NotFound),
    "another kind": (
        "vehicles",
        Resource(vehicle=catalog_pb2.Vehicle(title="x", car="events/finale")),
        BadRequest,
    ),
    "another's configuration": (
        "vehicles/w2/setups",
        Resource(setup=catalog_pb2.Setup(title="x", configuration="vehicles/v/configurations/short")),
        BadRequest,
    ),
    "shared with nobody": ("notes", note("x", shared_with=["nobody"]), NotFound),
    "shared with an empty name": ("notes", note("x", shared_with=[""]), BadRequest),
    "an owner below": (
        "vehicles/v/setups",
        Resource(setup=catalog_pb2.Setup(title="x"), owner="bob"),
        BadRequest,
    ),
    "another owner": ("notes", note("x", owner="bob"), Denied),
    "the same tag": ("tags", Resource(tag=catalog_pb2.Tag(target=SESSION, text="rain")), Taken),
    "a second setup of a lap": (
        "assignments",
        Resource(assignment=catalog_pb2.Assignment(lap=LAP, setup="vehicles/v/setups/sprint")),
        Taken,
    ),
    "the same channel": (
        "channels",
        Resource(channel=catalog_pb2.MathChannel(channel="kmh", expression="speed")),
        Taken,
    ),
    "no collection": ("wheels", note("x"), BadRequest),
}


@pytest.mark.parametrize("what", BAD)
def test_what_cannot_be_is_refused_and_changes_nothing(kept: Catalog, what: str) -> None:
    collection, resource, error = BAD[what]
    before = exported(kept)
    with pytest.raises(error):
        add(kept, collection, "", resource)
    assert exported(kept) == before


@pytest.mark.parametrize("identifier", ["A", "-a", "a/b", "a" * 64, "ä", "a b"])
def test_an_end_of_a_name_is_plain(kept: Catalog, identifier: str) -> None:
    with pytest.raises(BadRequest, match="a-z, 0-9"):
        add(kept, "notes", identifier, note("x"))
