"""The rule for answers: words are the model's, numbers are ours.

An answer is plain text with references in brackets, `[corner:4]` or `[finding:brakes_early:4, corner:5]`,
each of which a tool has told of; their text is put in. Beside references it may hold no digit, but in the
name of a thing: lap 7, sector 2, T4, turn 4 or corner 4 (of a corner that was told of), and the number of a
line in a list, which counts from 1. It may hold no number in English words before a unit (half a second), no
tenths, no zero point four, and no link.
"""

import re
import unicodedata
from typing import Final

from rig.signs import visible
from rigclient.assistant.bounds import MAX_ANSWER
from rigclient.assistant.facts import Facts

_REFERENCE: Final = re.compile(r"\[([^\[\]\n]*)\]")
_END: Final = re.compile(r"[.!?:;]\s+|\n+")
_UNIT: Final = (
    r"(?:milliseconds?|seconds?|secs?|s|ms|minutes?|mins?|km|kilomet(?:er|re)s?|met(?:er|re)s?|m|cm|mm|feet"
    r"|foot|ft|yards?|inch(?:es)?|km/?h|kph|mph|g|gs|bar|kpa|psi|degrees?|percent|lit(?:er|re)s?|l|kg|kilos?"
    r"|newtons?|nm?|clicks?|notch(?:es)?|(?:car )?lengths?|rpm|revs)\b|[%°‰]"
)
_NAME: Final = re.compile(
    rf"\b(laps?|sectors?|turns?|corners?|T)[ \u00a0]?([0-9]{{1,3}})\b(?![.,:]?[0-9])(?!\s*-?(?:{_UNIT}))",
    re.IGNORECASE,
)
_NUMBERED_LINE: Final = re.compile(r"(?m)^\s*([0-9]{1,2})[.)]\s")
_WORDS: Final = (
    "half|quarter|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|fifteen|twenty|thirty|forty"
    "|fifty|sixty|seventy|eighty|ninety|hundred|thousand|dozen"
)
_NOUGHTS: Final = "nought|naught|zero|oh"
_MEASURE: Final = re.compile(
    rf"\b(?:{_WORDS})\b(?:[\s-]+(?:and|a|an|of|full|whole|more|less|extra|{_WORDS})\b)*[\s-]*(?:{_UNIT})"
    r"|\b(?:tenths?|hundredths?|thousandths?)\b"
    rf"|\b(?:{_NOUGHTS}|{_WORDS})\s+point\s+(?:{_NOUGHTS}|{_WORDS})\b",
    re.IGNORECASE,
)
_LINK: Final = re.compile(r"://|\bwww\.", re.IGNORECASE)
_CORNERS: Final = ("t", "turn", "turns", "corner", "corners")
_SHOWN: Final = 60


class AnswerRefused(Exception):
    """An answer that is not taken: why, as the end of a sentence about it."""


class Wording:
    """An answer as it comes: whole sentences are checked, and given on with the numbers in them."""

    def __init__(self, facts: Facts) -> None:
        self._facts = facts
        self._rest = ""
        self._lines = 0
        """Numbered ones of the list so far."""
        self.raw: str = ""
        """All of it, as the model wrote it."""
        self.text: str = ""
        """What was given on."""
        self.cited: list[str] = []
        """Ids of facts, in the order in which they are cited, each once."""

    def take(self, piece: str) -> str:
        """Return the sentences that a piece completes. Raises AnswerRefused."""
        self.raw += piece
        if len(self.raw) > MAX_ANSWER:
            raise AnswerRefused(f"has more than {MAX_ANSWER} characters, which is the limit")
        self._rest += piece
        cut = _whole(self._rest)
        done, self._rest = self._rest[:cut], self._rest[cut:]
        return self._given(done)

    def end(self) -> str:
        """Return what is left. Raises AnswerRefused."""
        done, self._rest = self._rest, ""
        return self._given(done)

    def _given(self, sentences: str) -> str:
        if not sentences:
            return ""
        self._check(sentences, new_line=not self.text or self.text.endswith("\n"))
        found = _plain(_REFERENCE.sub(lambda found: self._cite(found[1]), sentences))
        self.text += found
        return found

    def _cite(self, inside: str) -> str:
        texts = []
        for one in map(str.strip, inside.split(",")):
            fact = self._facts.get(one)
            if fact is None:
                raise AnswerRefused(f"cites [{_shown(one)}], which nothing told of")
            if one not in self.cited:
                self.cited.append(one)
            texts.append(fact.text)
        return ", ".join(texts)

    def _check(self, sentences: str, *, new_line: bool) -> None:
        """Raise AnswerRefused for words that are not the model's to say."""
        own = _REFERENCE.sub(" ", sentences)
        if _LINK.search(own):
            raise AnswerRefused("holds a link")
        if "[" in own or "]" in own:
            raise AnswerRefused("has a bracket that cites nothing")
        for name in _NAME.finditer(own):
            if name[1].lower() in _CORNERS and self._facts.get(f"corner:{int(name[2])}") is None:
                raise AnswerRefused(f"names corner {int(name[2])}, which nothing told of")
        own = _NAME.sub(" ", own if new_line else f" {own}")
        own = _NUMBERED_LINE.sub(self._without_number, own) if new_line or "\n" in own else own
        if found := _MEASURE.search(own):
            raise AnswerRefused(f"says “{_shown(found[0])}”, a number of its own")
        if number := next((sign for sign in own if unicodedata.category(sign) in ("Nd", "Nl", "No")), ""):
            around = " ".join(own[max(own.index(number) - 10, 0) :][:25].split())
            raise AnswerRefused(f"says “{_shown(around)}”, a number of its own")

    def _without_number(self, line: re.Match[str]) -> str:
        """Return the begin of a line without its number, where that counts on, or begins to."""
        if int(line[1]) not in (1, self._lines + 1):
            return line[0]
        self._lines = int(line[1])
        return ""


def _whole(text: str) -> int:
    """Return the length of the sentences that are whole: none ends inside brackets."""
    ends = [found.end() for found in _END.finditer(text)]
    return next((end for end in reversed(ends) if text.count("[", 0, end) == text.count("]", 0, end)), 0)


def _plain(text: str) -> str:
    """Return text without the signs of Markdown and those that would steer a terminal."""
    lines = (line.replace("**", "").replace("`", "") for line in text.split("\n"))
    return "\n".join(visible(line.removeprefix("### ").removeprefix("## ")) for line in lines)


def _shown(text: str) -> str:
    return visible(text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…")


def rendered(text: str, facts: Facts) -> str:
    """Return a whole text with the numbers of its references. Raises AnswerRefused."""
    wording = Wording(facts)
    return wording.take(text) + wording.end()
