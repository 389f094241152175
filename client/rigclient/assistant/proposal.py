"""Proposals: what a plan is made of. The model fills them in; their text is written here."""

from collections.abc import Callable
from typing import Any, Final, NamedTuple, Protocol

from rig.errors import BadRequest
from rigclient.assistant.bounds import MAX_ITEM_TEXT, MAX_ITEMS
from rigclient.assistant.facts import Facts
from rigclient.assistant.tool import Arguments, Tool
from rigclient.assistant.wording import AnswerRefused, rendered

NOTE: Final = "note"
TAG: Final = "tag"
SETUP_CHANGE: Final = "setup_change"
RUN: Final = "run"
KINDS: Final = (NOTE, TAG, SETUP_CHANGE, RUN)
_MOST_RUN: Final = 50
_LONGEST_TAG: Final = 40
_LONGEST_VALUE: Final = 60
_TEXT: Final = {"type": "string"}
PROPOSE: Final = Tool(
    "propose",
    "Proposes a plan to the driver, who approves each item or not: notes and tags on laps, changes of a "
    "setup (kept as a new setup), runs of some laps with a task. Texts follow the rules of answers.",
    {
        "title": {"type": "string", "description": "what the plan is for, a few words"},
        "items": {
            "type": "array",
            "maxItems": MAX_ITEMS,
            "items": {
                "type": "object",
                "properties": {
                    "kind": {"type": "string", "enum": list(KINDS)},
                    "lap": {"type": "string", "description": "handle of a lap: of note, tag, run"},
                    "text": {"type": "string", "description": "of note, tag, run"},
                    "laps": {"type": "integer", "minimum": 1, "maximum": _MOST_RUN, "description": "of run"},
                    "setup": {"type": "string", "description": "handle of a setup: of setup_change"},
                    "section": _TEXT,
                    "key": _TEXT,
                    "value": {"type": "string", "description": "the new value, as setups write it"},
                },
                "required": ["kind"],
            },
        },
    },
    ("title", "items"),
)


class Parameter(NamedTuple):
    """A value of a setup, as it is now."""

    setup: str
    """Name in the catalog."""
    title: str
    """Of the setup."""
    section: str
    key: str
    value: str
    unit: str


class Handles(Protocol):
    """Who knows what handles stand for. Raises NotFound for one that nothing told of."""

    def lap(self, handle: str) -> tuple[str, str]:
        """Return name and title of a lap."""

    def parameter(self, setup: str, section: str, key: str) -> Parameter:
        """Return a value of a setup."""


class Proposal(NamedTuple):
    """An item of a plan."""

    kind: str
    arguments: dict[str, Any]
    """Names, no handles: they outlive the question."""
    text: str


def proposals(arguments: Arguments, facts: Facts, handles: Handles) -> tuple[str, list[Proposal]]:
    """Return the title of a plan and its items. Raises BadRequest, NotFound."""
    title = _worded(arguments, "title", 80, facts)
    return title, [_proposal(one, facts, handles) for one in arguments.listed("items", MAX_ITEMS)]


def _proposal(one: Arguments, facts: Facts, handles: Handles) -> Proposal:
    kind = one.text("kind")
    if kind not in _MAKE:
        raise BadRequest(f"there is no item {kind[:40]!r}", hint=", ".join(KINDS))
    return _MAKE[kind](one, facts, handles)


def _note(one: Arguments, facts: Facts, handles: Handles) -> Proposal:
    (target, title), text = handles.lap(one.text("lap", "L1")), _worded(one, "text", MAX_ITEM_TEXT, facts)
    return Proposal(NOTE, {"target": target, "text": text}, f"note on {title}: {text}")


def _tag(one: Arguments, facts: Facts, handles: Handles) -> Proposal:
    (target, title), text = handles.lap(one.text("lap", "L1")), _worded(one, "text", _LONGEST_TAG, facts)
    return Proposal(TAG, {"target": target, "text": text}, f"tag {title}: {text}")


def _run(one: Arguments, facts: Facts, handles: Handles) -> Proposal:
    (target, _), text = handles.lap(one.text("lap", "L1")), _worded(one, "text", MAX_ITEM_TEXT, facts)
    count = one.number("laps", 1, _MOST_RUN, 5)
    said = f"drive {count} lap{'s' * (count > 1)}: {text}"
    return Proposal(RUN, {"target": target, "text": said, "laps": count}, said)


def _setup_change(one: Arguments, _: Facts, handles: Handles) -> Proposal:
    now = handles.parameter(one.text("setup", "S1"), one.text("section"), one.text("key"))
    value = one.text("value", most=_LONGEST_VALUE)
    if not value or not value.isprintable() or value == now.value:
        raise BadRequest(f"value is {value!r}", hint=f"another one than {now.value}")
    place = f"{now.section}.{now.key}" if now.section else now.key
    arguments = {
        "setup": now.setup,
        "section": now.section,
        "key": now.key,
        "was": now.value,
        "value": value,
    }
    unit = f" {now.unit}" if now.unit else ""
    return Proposal(SETUP_CHANGE, arguments, f"setup {now.title}: {place} from {now.value} to {value}{unit}")


_MAKE: Final[dict[str, Callable[[Arguments, Facts, Handles], Proposal]]] = {
    NOTE: _note,
    TAG: _tag,
    RUN: _run,
    SETUP_CHANGE: _setup_change,
}


def _worded(one: Arguments, name: str, most: int, facts: Facts) -> str:
    """Return a text of the model with our numbers in it, on one line. Raises BadRequest."""
    try:
        text = " ".join(rendered(one.text(name, most=most), facts).split())
    except AnswerRefused as why:
        raise BadRequest(f"{name} {why}", hint="texts follow the rules of answers") from None
    if not text:
        raise BadRequest(f"{name} says nothing", hint="a sentence")
    return text[:most]
