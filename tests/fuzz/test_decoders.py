"""Every decoder, fed with anything: a value that holds what it promises, or an error of the tree.

The long form is guided by coverage, see `tests.fuzz.__main__`.
"""

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.fuzz.mutants import mutants
from tests.fuzz.table import TARGETS
from tests.fuzz.target import Target, feed, feed_measured


def examples(target: Target, share: int = 1) -> settings:
    """As many as the profile says, fewer of those that take long."""
    return settings(max_examples=settings().max_examples // target.weight // share)


each = pytest.mark.parametrize("target", TARGETS.values(), ids=TARGETS)


@each
def test_valid_samples_are_understood(target: Target) -> None:
    for sample in target.seeds():
        assert feed_measured(target, sample)


@each
def test_anything_gives_a_value_or_an_error_of_the_tree(target: Target) -> None:
    @examples(target, share=3)
    @given(st.binary(max_size=400))
    @example(b"")
    def property_holds(data: bytes) -> None:
        feed(target, data)

    property_holds()


@each
def test_so_do_valid_bytes_that_were_changed_and_none_takes_much_memory(target: Target) -> None:
    @examples(target)
    @given(mutants(target.seeds()))
    def property_holds(data: bytes) -> None:
        feed_measured(target, data)

    property_holds()
