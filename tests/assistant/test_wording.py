"""The rule for answers: words are the model's, numbers are ours."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rigclient.assistant.bounds import MAX_ANSWER
from rigclient.assistant.facts import Facts
from rigclient.assistant.wording import AnswerRefused, Wording, rendered

REFERENCES = ("[corner:4]", "[finding:brakes_early:4]", "[lap:L1]", "[finding:brakes_early:4, corner:4]")


def known() -> Facts:
    facts = Facts()
    facts.add("corner:4", "T4")
    facts.add("finding:brakes_early:4", "T4 (+0.182 s)", "T4: brake 14 m later (+0.182 s)")
    facts.add("lap:L1", "lap 7 1:32.456")
    return facts


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("You brake early in [corner:4].", "You brake early in T4."),
        ("Most goes [finding:brakes_early:4], in [lap:L1].", "Most goes T4 (+0.182 s), in lap 7 1:32.456."),
        ("[ corner:4 ,finding:brakes_early:4]", "T4, T4 (+0.182 s)"),
        (
            "In lap 7, sector 2 and turn 4 (T4) it is the same.",
            "In lap 7, sector 2 and turn 4 (T4) it is the same.",
        ),
        ("1. Brake later\n2) Turn in later\n", "1. Brake later\n2) Turn in later\n"),
        ("**Brake** `later`", "Brake later"),
        (
            "One thing: the second corner, a couple of laps.",
            "One thing: the second corner, a couple of laps.",
        ),
    ],
)
def test_words_and_references_are_taken(said: str, shown: str) -> None:
    assert rendered(said, known()) == shown


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ("Brake 14 m later.", "a number of its own"),
        ("It costs 0.182 s.", "a number of its own"),
        ("It costs half a second.", "a number of its own"),
        ("It costs two tenths.", "a number of its own"),
        ("twenty-five metres earlier", "a number of its own"),
        ("½ s", "a number of its own"),
        ("٣ metres", "a number of its own"),
        ("turn 4 metres earlier", "a number of its own"),
        ("turn 4.5", "a number of its own"),
        ("lap 92 seconds", "a number of its own"),
        ("laps 3 and 7", "a number of its own"),
        ("You brake at\n98. km/h and\n41) metres", "a number of its own"),
        ("1. Brake later\n3. Turn in later\n", "a number of its own"),
        ("You lose nought point four there.", "a number of its own"),
        ("Some 4. Then more.", "a number of its own"),
        ("See [finding:brakes_late:4].", "cites [finding:brakes_late:4], which nothing told of"),
        ("See [corner:5].", "cites [corner:5]"),
        ("See [].", "cites []"),
        ("T5 is slow.", "names corner 5"),
        ("turn 14", "names corner 14"),
        ("[corner:four", "a bracket that cites nothing"),
        ("see https://evil.example", "a link"),
        ("see www.evil.example", "a link"),
        ("word " * (MAX_ANSWER // 5 + 1), "characters, which is the limit"),
    ],
)
def test_everything_else_is_refused(said: str, why: str) -> None:
    with pytest.raises(AnswerRefused) as caught:
        rendered(said, known())
    assert why in str(caught.value)


@given(
    st.lists(st.sampled_from([*REFERENCES, "Brake", "later", "in T4", ".", "!", "\n", " "]), max_size=30),
    st.data(),
)
def test_in_whatever_pieces_it_comes_it_is_the_same(words: list[str], data: st.DataObject) -> None:
    text = " ".join(words)
    at, wording, given_on = 0, Wording(known()), ""
    while at < len(text):
        size = data.draw(st.integers(1, 12))
        given_on += wording.take(text[at : at + size])
        at += size
    given_on += wording.end()
    assert given_on == wording.text == rendered(text, known())


@given(st.text(max_size=200))
def test_no_digit_gets_through_but_in_names(text: str) -> None:
    """Whatever a model writes: what is shown has digits in names of things alone."""
    try:
        shown = rendered(text, Facts())
    except AnswerRefused:
        return
    numbers = [sign for sign in shown if unicodedata.category(sign) in ("Nd", "Nl", "No")]
    assert not numbers or any(word in shown.lower() for word in ("lap", "sector", ".", ")"))


def test_an_id_that_is_taken_by_another_fact_becomes_another() -> None:
    facts = known()
    assert facts.add("corner:4", "T4") == "corner:4"
    assert facts.add("corner:4", "T4 of elsewhere") == "corner:4~2"
    assert facts.add("corner:4", "T4 of elsewhere") == "corner:4~2"
    assert rendered("[corner:4~2]", facts) == "T4 of elsewhere"


def test_control_characters_are_shown_as_signs() -> None:
    assert rendered("\x1bred\u202e", Facts()) == "␛red\ufffd"
