"""What the typed objects of the contract have in common."""

import dataclasses
import difflib
from typing import Any, ClassVar, NoReturn


class Info:
    """A frozen object made of a message. Its text shows what is set, or what tells it from others."""

    __slots__ = ("_message",)

    SHOWN: ClassVar[tuple[str, ...]] = ()
    """Attributes in the text; none: all that are set."""

    @property
    def message(self) -> Any:
        """The contract's message that it was made of; not to be changed."""
        return self._message

    def __repr__(self) -> str:
        values = {name: getattr(self, name) for name in self.SHOWN or self._names()}
        facts = [
            f"{name}={value!r}"
            for name, value in values.items()
            if value not in (None, "", 0, ()) or name == "valid"
        ]
        return f"{type(self).__name__}({', '.join([*facts, *['...'] * bool(self.SHOWN)])})"

    def __getattr__(self, name: str) -> NoReturn:
        raise no_attribute(type(self).__name__, "attribute", name, self._names())

    def to_dict(self) -> dict[str, Any]:
        """Return all attributes by name, as plain values."""
        return dataclasses.asdict(self)  # type: ignore[call-overload, no-any-return]

    @classmethod
    def _names(cls) -> list[str]:
        return [field.name for field in dataclasses.fields(cls)]  # type: ignore[arg-type]


def no_attribute(owner: str, what: str, name: str, names: list[str]) -> AttributeError:
    """Return the error that says what there is instead of `name`."""
    # With a name and object of its own it does not get those from Python, which would guess once more.
    return AttributeError(misspelt(owner, what, name, names), name="", obj=None)


def misspelt(owner: str, what: str, name: str, names: list[str]) -> str:
    """Return the sentence that says what there is instead of `name`: the nearest, else all of it."""
    near = difflib.get_close_matches(name, names, 1)
    hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(sorted(names))}"
    return f"{owner} has no {what} {name!r}; {hint}"
