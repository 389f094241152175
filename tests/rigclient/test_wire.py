"""Messages and hints of a server's errors."""

import pytest

from rigclient.wire import _parted


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("there is no lap", ("there is no lap", "")),
        ("no channel 'x' (did you mean 'y'?)", ("no channel 'x'", "did you mean 'y'?")),
        ("2 lost (1 to 2): torn (see (a) and (b))", ("2 lost (1 to 2): torn", "see (a) and (b)")),
        ("wide()", ("wide()", "")),
        ("odd)", ("odd)", "")),
        ("(all)", ("(all)", "")),
        ("", ("", "")),
    ],
)
def test_a_hint_is_what_stands_in_parentheses_at_the_end(text: str, parts: tuple[str, str]) -> None:
    assert _parted(text) == parts
