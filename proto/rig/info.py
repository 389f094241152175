"""What the typed objects of the contract have in common."""

import dataclasses
import difflib
from typing import Any, NoReturn


class Info:
    """A frozen object made of a message. Its text shows what is set."""

    __slots__ = ("_message",)

    @property
    def message(self) -> Any:
        """The contract's message that it was made of; not to be changed."""
        return self._message

    def __repr__(self) -> str:
        values = ((field.name, getattr(self, field.name)) for field in dataclasses.fields(self))  # type: ignore[arg-type]
        shown = ", ".join(f"{name}={value!r}" for name, value in values if value not in (None, "", 0, ()))
        return f"{type(self).__name__}({shown})"

    def __getattr__(self, name: str) -> NoReturn:
        names = [field.name for field in dataclasses.fields(self)]  # type: ignore[arg-type]
        raise AttributeError(misspelt(type(self).__name__, "attribute", name, names), name=name, obj=self)

    def to_dict(self) -> dict[str, Any]:
        """Return all attributes by name, as plain values."""
        return dataclasses.asdict(self)  # type: ignore[call-overload, no-any-return]


def misspelt(owner: str, what: str, name: str, names: list[str]) -> str:
    """Return the sentence that says what there is instead of `name`: the nearest, else all of it."""
    near = difflib.get_close_matches(name, names, 1)
    hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(sorted(names))}"
    return f"{owner} has no {what} {name!r}; {hint}"
