"""`rig seat`: what it does not take."""

import pytest
from click.testing import CliRunner

from rigclient.cli.main import rig


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("ann", "--nobody"), "give a USER or --nobody"),
        (("",), "--nobody frees the seat"),
        (("ann", "bob"), "unexpected extra argument"),
    ],
)
def test_what_cannot_be_meant_is_refused_before_a_rig_is_asked(words: tuple[str, ...], why: str) -> None:
    result = CliRunner().invoke(rig, ["--rig", "unix:/nowhere", "seat", *words])
    assert result.exit_code == 2
    assert why in result.output
