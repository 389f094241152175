"""Facts: what an answer may cite. Their numbers are ours; the model only says where they stand."""

from typing import NamedTuple

from rig.errors import Exhausted
from rigclient.assistant.bounds import MAX_FACTS


class Fact(NamedTuple):
    """Something that tools have told of."""

    id: str
    """What stands in the brackets: corner:4, finding:brakes_early:4."""
    text: str
    """What stands in their place: T4, T4 (+0.182 s)."""
    sentence: str = ""
    """What is told below the answer; empty: nothing."""


class Facts:
    """All facts of one question, by their ids."""

    def __init__(self) -> None:
        self._facts: dict[str, Fact] = {}

    def add(self, id: str, text: str, sentence: str = "") -> str:  # noqa: A002
        """Return the id under which a fact is cited from now on: the same brakes_early:4 of two laps are two
        facts, and the second becomes brakes_early:4~2. Raises Exhausted.
        """
        fact, count = Fact(id, text, sentence), 1
        while (known := self._facts.get(fact.id)) and known != fact:
            count += 1
            fact = fact._replace(id=f"{id}~{count}")
        if not known and len(self._facts) >= MAX_FACTS:
            raise Exhausted(f"{MAX_FACTS} facts were told of, which is the limit", limit=MAX_FACTS)
        self._facts[fact.id] = fact
        return fact.id

    def get(self, id: str) -> Fact | None:  # noqa: A002
        """Return a fact, None for an id that nothing told of."""
        return self._facts.get(id)

    def __len__(self) -> int:
        return len(self._facts)
