"""What tests enter into a catalog, and how."""

from typing import Any, Final

from rig.v1 import catalog_pb2
from rigd.store.catalog import transfer
from rigd.store.catalog.actor import ADMIN, Actor
from rigd.store.catalog.catalog import Catalog

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
