"""The catalog's file: what is written is read again, by whom it may be, and nothing is half done."""

import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from rig.errors import BadRequest, Corrupt, Denied, InUse, Newer, NotFound, Raced, RigError, Taken
from rig.v1 import catalog_pb2
from rigd.store.catalog import file, schema, transfer
from rigd.store.catalog.actor import ADMIN, Actor
from rigd.store.catalog.catalog import Catalog
from rigd.store.catalog.difference import difference
from rigd.store.catalog.file import catalog_path
from rigd.store.catalog.limits import MAX_BACKUPS, MAX_NAME, MAX_ROWS, MAX_TEXT_BYTES
from rigd.store.catalog.nouns import NOUNS
from rigd.store.catalog.problems import problems
from rigd.store.catalog.rows import tables
from tests.stage import until

Resource = catalog_pb2.Resource

ANN: Final = Actor("ann")
BOB: Final = Actor("bob")
LAP: Final = "sessions/20261120-134500-meander-valley-race-5f3a-2/laps/car012-0003"
SESSION: Final = LAP.partition("/laps")[0]

PARAMETERS: Final = [
    catalog_pb2.Parameter(section="REARLEFT", key="CamberSetting", value="12", unit="deg"),
    catalog_pb2.Parameter(section="REARRIGHT", key="CamberSetting", value="12"),
]
ONE_OF_EACH: Final[tuple[tuple[str, str, Resource], ...]] = (
    ("cars", "gt3", Resource(car=catalog_pb2.Car(vehicle="GT3 #12", title="GT3", vehicle_class="GT3"))),
    ("vehicles", "v", Resource(vehicle=catalog_pb2.Vehicle(title="Our car", number="12", car="cars/gt3"))),
    (
        "vehicles/v/configurations",
        "short",
        Resource(
            configuration=catalog_pb2.Configuration(
                title="Short",
                parts=[catalog_pb2.Part(key="gears", value="short"), catalog_pb2.Part(key="wing")],
            )
        ),
    ),
    (
        "vehicles/v/setups",
        "sprint",
        Resource(
            setup=catalog_pb2.Setup(
                title="Sprint",
                configuration="vehicles/v/configurations/short",
                parameters=PARAMETERS,
                file_name="sprint.svm",
                source="[REARLEFT]\r\nCamberSetting=12\n",
            )
        ),
    ),
    (
        "events",
        "finale",
        Resource(
            event=catalog_pb2.RacingEvent(title="Finale", start_date="2026-11-28", end_date="2026-11-29")
        ),
    ),
    (
        "events/finale/sessions",
        "race",
        Resource(
            event_session=catalog_pb2.EventSession(session=SESSION, title="Race", tags=["wet", "night"])
        ),
    ),
    (
        "assignments",
        "a",
        Resource(assignment=catalog_pb2.Assignment(lap=LAP, setup="vehicles/v/setups/sprint")),
    ),
    ("notes", "n", Resource(note=catalog_pb2.Note(target=LAP, text="Late here.\nAgain.", place=0.0))),
    ("tags", "t", Resource(tag=catalog_pb2.Tag(target=SESSION, text="rain"))),
    (
        "layouts",
        "l",
        Resource(
            layout=catalog_pb2.SavedLayout(title="Wall", kind="pitwall", document="{}", is_default=True)
        ),
    ),
    ("channels", "kmh", Resource(channel=catalog_pb2.MathChannel(channel="kmh", expression="speed [km/h]"))),
    ("conversations", "c", Resource(conversation=catalog_pb2.Conversation(title="Why?", lap=LAP))),
    (
        "conversations/c/messages",
        "m",
        Resource(
            message=catalog_pb2.ChatMessage(
                role=catalog_pb2.CHAT_ROLE_ASSISTANT,
                text="Brake later.",
                time_ns=7,
                finding_ids=["late-3", "a"],
            )
        ),
    ),
    (
        "plans",
        "p",
        Resource(
            plan=catalog_pb2.Plan(
                title="Next",
                conversation="conversations/c",
                items=[
                    catalog_pb2.PlanItem(
                        id="1",
                        kind="tag",
                        arguments="[]",
                        state=catalog_pb2.PLAN_ITEM_STATE_DONE,
                        result="ok",
                    )
                ],
            )
        ),
    ),
)
"""Collection, id and resource."""


def there(_name: str) -> bool:
    """Say that every lap is there."""
    return True


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


def add(
    catalog: Catalog, collection: str, identifier: str, resource: Resource, actor: Actor = ANN
) -> Resource:
    request = catalog_pb2.CreateResourceRequest(parent=collection, id=identifier, resource=resource)
    return catalog.create(request, actor, there)


def note(text: str, **own: Any) -> Resource:
    return Resource(note=catalog_pb2.Note(target=SESSION, text=text), **own)


def change(catalog: Catalog, changed: Resource, *paths: str, actor: Actor = ANN) -> Resource:
    request = catalog_pb2.UpdateResourceRequest(resource=changed)
    request.update_mask.paths.extend(paths)
    return catalog.update(request, actor, there)


def remove(catalog: Catalog, name: str, *, actor: Actor = ANN, **more: Any) -> int:
    return catalog.delete(catalog_pb2.DeleteResourceRequest(name=name, **more), actor)


def listed(catalog: Catalog, collection: str, actor: Actor = ANN, **wanted: Any) -> list[Resource]:
    """All pages of a collection."""
    request = catalog_pb2.ListResourcesRequest(parent=collection, **wanted)
    found: list[Resource] = []
    while True:
        answer = catalog.page(request, actor)
        found += answer.resources
        if not answer.next_page_token:
            return found
        request.page_token = answer.next_page_token


def names(resources: list[Resource]) -> list[str]:
    return [one.name for one in resources]


def exported(catalog: Catalog, actor: Actor = ADMIN) -> list[Resource]:
    return [one for message in transfer.export(catalog.path, actor) for one in message.resources]


# What is written is read.


def test_tables_have_a_column_for_every_field_of_the_contract(catalog: Catalog) -> None:
    own = {"resource", "position"}
    for table, columns in tables():
        found = {row[1] for row in catalog.db.execute(f"PRAGMA table_info({table})")}
        assert found - own == set(columns), table


def test_one_of_each_kind_is_read_as_it_was_written(full: Catalog) -> None:
    assert {noun.kind for noun in NOUNS} - {"user"} == {one.WhichOneof("body") for *_, one in ONE_OF_EACH}
    for collection, identifier, resource in ONE_OF_EACH:
        found = full.get(f"{collection}/{identifier}", ANN)
        kind = resource.WhichOneof("body")
        assert kind is not None
        assert getattr(found, kind) == getattr(resource, kind)
        assert found.owner == "ann"
        assert names(listed(full, collection)) == [found.name]
    assert problems(full, there, {}).problems == []
    assert names(listed(full, "users", ADMIN)) == ["users/ann"]


def test_an_export_is_taken_again_after_a_reset(full: Catalog) -> None:
    before = exported(full)
    reset = transfer.reset(full, ["ann"])
    assert reset.deleted == len(before)
    assert names(exported(full)) == ["users/ann"]
    answer = transfer.take(full, before, replace=False)
    assert (answer.added, answer.same) == (len(before) - 1, 1)
    assert [one for one in exported(full) if not one.HasField("user")] == before[1:]
    again = transfer.take(full, before, replace=False)
    assert (again.added, again.replaced, again.same) == (0, 0, len(before))
    backup = Catalog(Path(reset.backup))
    assert exported(backup) == before
    backup.close()


def test_an_import_is_taken_whole_or_not_at_all(full: Catalog) -> None:
    before = exported(full)
    new = note("New.", name="notes/new", owner="bob")
    for bad, error in (
        (Resource(name="tags/t", owner="ann", tag=catalog_pb2.Tag(target=LAP, text="other")), Taken),
        (Resource(name="vehicles/none/setups/s", setup=catalog_pb2.Setup(title="s")), NotFound),
        (Resource(name="events/e", event=catalog_pb2.RacingEvent(title="E", start_date="soon")), BadRequest),
        (Resource(name="events/e", note=catalog_pb2.Note()), BadRequest),
        (note("x", name="notes/far", owner="ann", update_time_ns=2**63 - 1), BadRequest),
        (note("x", name="notes/far", owner="ann", create_time_ns=2**63 - 1), BadRequest),
    ):
        with pytest.raises(error, match=bad.name):
            transfer.take(full, [new, bad], replace=False)
        assert exported(full) == before
    replaced = transfer.take(full, [new, Resource(name="notes/n", owner="ann", note=new.note)], replace=True)
    assert (replaced.added, replaced.replaced) == (1, 1)
    assert full.get("notes/n", ANN).note.text == "New."


@hypothesis_settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40, deadline=None
)
@given(data=st.data())
def test_pages_together_are_the_collection(full: Catalog, data: st.DataObject) -> None:
    """Whatever the order and the size, while others are added and removed."""
    for one in listed(full, "notes"):
        remove(full, one.name)
    count = data.draw(st.integers(0, 12))
    made = [add(full, "notes", "", note(f"Note {n % 3}")) for n in range(count)]
    order = data.draw(st.sampled_from(["", "name", "name desc", "create_time", "update_time desc"]))
    size, gone = data.draw(st.integers(1, 5)), data.draw(st.sampled_from([*made, None]))
    request = catalog_pb2.ListResourcesRequest(parent="notes", order_by=order, page_size=size)
    first = full.page(request, ANN)
    if gone is not None:
        remove(full, gone.name)
    found = list(first.resources)
    if first.next_page_token:
        found += listed(full, "notes", order_by=order, page_size=size, page_token=first.next_page_token)
    wanted = made[::-1] if order.endswith("desc") else made
    missing = gone if gone is not None and gone not in list(first.resources) else None
    assert names(found) == [one.name for one in wanted if one is not missing]
    texts = listed(full, "notes", text="NOTE 1", page_size=size)
    assert {one.note.text for one in texts} <= {"Note 1"}


@hypothesis_settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40, deadline=None
)
@given(
    fields=st.sets(st.sampled_from(["title", "vehicle_class", "number", "description", "car"])),
    number=st.text("0123456789", max_size=4),
    car=st.sampled_from(["", "cars/gt3"]),
)
def test_a_mask_changes_what_it_names_and_nothing_else(
    full: Catalog, fields: set[str], number: str, car: str
) -> None:
    before = full.get("vehicles/v", ANN)
    wanted = catalog_pb2.Vehicle(title="Other", number=number, description="d", car=car)
    paths = [f"vehicle.{field}" for field in fields] or ["shared_with"]
    after = change(full, Resource(name=before.name, etag=before.etag, vehicle=wanted), *paths)
    for field in catalog_pb2.Vehicle.DESCRIPTOR.fields_by_name:
        said = wanted if field in fields else before.vehicle
        assert getattr(after.vehicle, field) == getattr(said, field)
    assert after.etag != before.etag
    assert after == full.get(before.name, ANN)


# Changes that are refused.


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


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Catalog]:
    """One of each kind and a second vehicle, for tests that change nothing."""
    made = Catalog(catalog_path(tmp_path_factory.mktemp("kept")))
    for one in ONE_OF_EACH:
        add(made, *one)
    add(made, "vehicles", "w2", Resource(vehicle=catalog_pb2.Vehicle(title="Second")))
    yield made
    made.close()


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


def test_names_are_made_of_titles_and_told_apart(catalog: Catalog) -> None:
    vehicle = Resource(vehicle=catalog_pb2.Vehicle(title="Überholt: GT3 (12)"))
    made = [add(catalog, "vehicles", "", vehicle).name for _ in range(2)]
    assert made == ["vehicles/berholt-gt3-12", "vehicles/berholt-gt3-12-2"]
    with pytest.raises(Taken, match="already"):
        add(catalog, "vehicles", "berholt-gt3-12", vehicle)
    assert len({add(catalog, "notes", "", note("x")).name for _ in range(3)}) == 3


def test_a_lap_that_is_gone_stays_noted_and_is_told(full: Catalog) -> None:
    with pytest.raises(NotFound, match="there is no 'sessions/"):
        full.create(
            catalog_pb2.CreateResourceRequest(parent="notes", resource=note("x")), ANN, lambda _: False
        )
    kept = full.get("notes/n", ANN)
    kept.note.text = "Still."
    request = catalog_pb2.UpdateResourceRequest(resource=kept)
    assert full.update(request, ANN, lambda _: False).note.text == "Still."
    found = problems(full, lambda name: name == SESSION, {}).problems
    assert [one.resource for one in found] == ["assignments/a", "notes/n", "conversations/c"]
    assert found[0].what == f"the lap {LAP} is gone"


def test_one_layout_of_a_kind_is_the_default(full: Catalog) -> None:
    before = full.get("layouts/l", ANN)
    body = catalog_pb2.SavedLayout(title="Second", kind="pitwall", document="[]", is_default=True)
    add(full, "layouts", "second", Resource(layout=body))
    add(full, "layouts", "his", Resource(layout=body), BOB)
    found = {one.name: one.layout.is_default for one in listed(full, "layouts", ADMIN)}
    assert found == {"layouts/l": False, "layouts/second": True, "layouts/his": True}
    assert full.get("layouts/l", ANN).etag != before.etag


# Deleting.


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


# Owners.


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


def test_two_setups_differ_in_values_units_and_what_one_lacks() -> None:
    first = catalog_pb2.Setup(
        parameters=[*PARAMETERS, catalog_pb2.Parameter(key="Fuel", value="20", unit="l")]
    )
    other = catalog_pb2.Parameter(section="REARLEFT", key="CamberSetting", value="11", unit="deg")
    second = catalog_pb2.Setup(
        parameters=[other, PARAMETERS[1], catalog_pb2.Parameter(key="Wing", value="3")]
    )
    found = difference(first, second)
    assert found.same == 1
    told = [(one.key, one.first, one.second, one.unit) for one in found.differences]
    assert told == [("CamberSetting", "12", "11", "deg"), ("Fuel", "20", "", "l"), ("Wing", "", "3", "")]
    assert not found.differences[1].HasField("second")
    assert difference(first, first).differences == []


# The file.


def test_an_older_version_is_brought_up_with_a_backup(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = Catalog(catalog_path(tmp_path))
    add(old, "notes", "n", note("Kept."))
    old.close()
    monkeypatch.setattr(schema, "STEPS", (*schema.STEPS, "ALTER TABLE note ADD COLUMN extra TEXT;"))
    new = Catalog(old.path)
    assert new.get("notes/n", ANN).note.text == "Kept."
    new.close()
    (backup,) = tmp_path.glob("catalog-before-upgrade-*.sqlite")
    assert (file.version_of(old.path), file.version_of(backup)) == (2, 1)


def test_a_step_that_fails_leaves_the_older_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old = Catalog(catalog_path(tmp_path))
    add(old, "notes", "n", note("Kept."))
    old.close()
    with monkeypatch.context() as broken:
        broken.setattr(
            schema, "STEPS", (*schema.STEPS, "CREATE TABLE x (y TEXT); CREATE TABLE note (z TEXT);")
        )
        with pytest.raises(RigError):
            Catalog(old.path)
    assert file.version_of(old.path) == 1
    again = Catalog(old.path)
    assert again.get("notes/n", ANN).note.text == "Kept."
    again.close()


def test_a_newer_version_is_refused_and_kept(catalog: Catalog) -> None:
    catalog.db.execute("PRAGMA user_version = 99")
    catalog.close()
    with pytest.raises(Newer, match="99"):
        Catalog(catalog.path)
    assert file.version_of(catalog.path) == 99


def test_what_is_no_catalog_is_refused(tmp_path: Path) -> None:
    path = catalog_path(tmp_path)
    for data in (b"no database" * 100, b"SQLite format 3\0" + bytes(5000)):
        path.write_bytes(data)
        with pytest.raises(Corrupt):
            Catalog(path)
        assert path.read_bytes() == data
    path.unlink()
    with sqlite3.connect(path) as other:
        other.execute("CREATE TABLE x (y)")
    with pytest.raises(Corrupt, match="no catalog"):
        Catalog(path)
    path.unlink()
    path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(Corrupt, match="no regular file"):
        Catalog(path)


def test_a_damaged_page_is_found_when_it_is_opened(catalog: Catalog) -> None:
    for number in range(50):
        add(catalog, "notes", f"n{number}", note("x" * 2000))
    catalog.close()
    data = bytearray(catalog.path.read_bytes())
    data[len(data) // 2 : len(data) // 2 + 4096] = b"\xff" * 4096
    catalog.path.write_bytes(data)
    with pytest.raises(Corrupt, match="damaged"):
        Catalog(catalog.path)


def test_rows_that_belong_to_nothing_are_told(full: Catalog) -> None:
    full.db.execute("PRAGMA foreign_keys = OFF")
    full.db.execute("DELETE FROM note")
    full.db.execute("DELETE FROM resource WHERE name = 'vehicles/v/configurations/short'")
    full.db.execute("UPDATE channel SET expression = '1 +'")
    found = {(one.resource, one.what) for one in problems(full, there, {}).problems}
    assert ("notes/n", "the catalog has lost what notes/n says") in found
    assert any(
        name == "vehicles/v/configurations/short" and "configuration refers to a resource" in what
        for name, what in found
    )
    assert any(name == "channels/kmh" for name, _ in found)


def test_a_few_backups_are_kept(full: Catalog) -> None:
    kept = [transfer.reset(full, ()).backup for _ in range(MAX_BACKUPS + 2)]
    there = sorted(str(one) for one in full.path.parent.glob("catalog-before-*.sqlite"))
    assert len(set(kept)) == len(kept)
    assert there == sorted(kept[-MAX_BACKUPS:])


_WRITER: Final = """
import sys
from pathlib import Path
from tests.store.test_catalog import ANN, Catalog, Resource, add, catalog_pb2
catalog = Catalog(Path(sys.argv[1]))
body = catalog_pb2.Setup(title="s", parameters=[catalog_pb2.Parameter(key=str(n)) for n in range(50)])
add(catalog, "vehicles", "v", Resource(vehicle=catalog_pb2.Vehicle(title="v")))
while True:
    print(add(catalog, "vehicles/v/setups", "", Resource(setup=body)).name, flush=True)
"""


def test_what_was_answered_is_there_after_kill_9(tmp_path: Path) -> None:
    path, told = catalog_path(tmp_path), tmp_path / "told"
    with told.open("w") as output:
        writer = subprocess.Popen([sys.executable, "-c", _WRITER, str(path)], stdout=output)
        try:
            until(lambda: told.read_text().count("\n") >= 20)
        finally:
            os.kill(writer.pid, signal.SIGKILL)
            writer.wait()
    answered = told.read_text().splitlines()
    catalog = Catalog(path)
    found = listed(catalog, "vehicles/v/setups", page_size=1000)
    assert set(answered) <= set(names(found))
    assert {len(one.setup.parameters) for one in found} == {50}
    assert problems(catalog, there, {}).problems == []
    catalog.close()
