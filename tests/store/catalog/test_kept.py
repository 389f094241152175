"""What is written is read again: one by one, by pages, out of an export."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from rig.errors import BadRequest, NotFound, Taken
from rig.v1 import catalog_pb2
from rigd.store.catalog import transfer
from rigd.store.catalog.actor import ADMIN
from rigd.store.catalog.catalog import Catalog
from rigd.store.catalog.difference import difference
from rigd.store.catalog.nouns import NOUNS
from rigd.store.catalog.problems import problems
from rigd.store.catalog.rows import tables
from tests.store.catalog.entries import (
    ANN,
    BOB,
    LAP,
    ONE_OF_EACH,
    PARAMETERS,
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
