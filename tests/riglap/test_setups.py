"""Setups: what a file of the game says, whatever its bytes are, and how two setups differ."""

import contextlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rig.errors import BadRequest, Corrupt
from riglap.setups import Parameter, Setup, diff, parameter_title, read_svm, section_title, setup_of
from riglap.setups.setup import parsed_value
from riglap.setups.svm import MOST_BYTES, MOST_PARAMETERS, decoded

FILE = """VehicleClassSetting="GT3 Copper_GT3 2026"
UpgradeSetting=(668044,0,0,0)
//VEH=C:\\Games\\Vehicles\\copper.veh
//Gear ratios=0
//Note: settings commented out if using the default

[GENERAL]
Notes="stint 2\\nmore wing"
Symmetric=1
FuelSetting=82//0.83
VirtualEnergySetting=100//100% (19.8 laps)

[REARWING]
RWSetting=5//P6

[CONTROLS]
RearBrakeSetting=43//46.2:53.8
BrakePressureSetting=28//68 kgf  (85%)

[FRONTLEFT]
CamberSetting=24//-2.0 deg
//SpringSetting=3//1100lbf/in
CompoundSetting=0//91% Medium
FastBumpSetting=1//2 (soft)

[ENGINE]
RevLimitSetting=4//17,500
"""


def test_a_setup_is_what_the_garage_shows() -> None:
    setup = setup_of(FILE)
    assert setup.vehicle == "GT3 Copper_GT3 2026"
    assert setup.notes == "stint 2\nmore wing"
    assert setup.left == ()
    assert [(one.section, one.key, one.value, one.unit) for one in setup.parameters] == [
        ("GENERAL", "Symmetric", "1", ""),
        ("GENERAL", "FuelSetting", "0.83", ""),
        ("GENERAL", "VirtualEnergySetting", "100", "%"),
        ("REARWING", "RWSetting", "P6", ""),
        ("CONTROLS", "RearBrakeSetting", "46.2:53.8", ""),
        ("CONTROLS", "BrakePressureSetting", "68", "kgf"),
        ("FRONTLEFT", "CamberSetting", "-2.0", "deg"),
        ("FRONTLEFT", "SpringSetting", "1100", "lbf/in"),
        ("FRONTLEFT", "CompoundSetting", "91% Medium", ""),
        ("FRONTLEFT", "FastBumpSetting", "2", ""),
        ("ENGINE", "RevLimitSetting", "17500", ""),
    ]
    assert list(setup.sections()) == ["GENERAL", "REARWING", "CONTROLS", "FRONTLEFT", "ENGINE"]


def test_what_is_no_setting_is_told_with_its_line() -> None:
    text = "[A]\nXSetting=1//2 mm\nnonsense\n\nXSetting=1//3 mm\n; a comment\nYSetting=1//" + "y" * 300
    text += "\nZSetting=1//\x9b31m"
    setup = setup_of(text)
    assert setup.parameters == (Parameter("A", "XSetting", "2", "mm"),)
    assert [str(one) for one in setup.left] == [
        "line 3: neither [SECTION] nor KEY=VALUE",
        "line 5: [A] has XSetting already",
        "line 7: longer than 200 characters",
        "line 8: characters that cannot be printed",
    ]


@pytest.mark.parametrize(
    "data",
    [
        "[A]\r\nFlächeSetting=1//12 °\r\n".encode("latin-1"),
        "[A]\nFlächeSetting=1//12 °\n".encode(),
        "\ufeff[A]\nFlächeSetting=1//12 °\n".encode(),
        "[A]\nFlächeSetting=1//12 °".encode("utf-16"),
    ],
)
def test_any_encoding_of_the_games_is_read(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "a.svm"
    path.write_bytes(data)
    setup, text = read_svm(path)
    assert setup.parameters == (Parameter("A", "FlächeSetting", "12", "°"),)
    assert text.startswith("[A]")


@pytest.mark.parametrize("data", [b"", b"\0" * 100, b"[A]\n[B]\n", b"\x89PNG\r\n\x1a\n", b"Notes=1\n"])
def test_what_is_no_setup_is_refused(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "a.svm"
    path.write_bytes(data)
    with pytest.raises(BadRequest, match=r"a\.svm is no (setup|text)"):
        read_svm(path)


def test_sizes_are_bounded(tmp_path: Path) -> None:
    path = tmp_path / "a.svm"
    path.write_bytes(b" " * (MOST_BYTES + 1))
    with pytest.raises(Corrupt, match="more than 65536 bytes"):
        read_svm(path)
    many = "[A]\n" + "".join(f"k{at}=1\n" for at in range(MOST_PARAMETERS + 1))
    with pytest.raises(BadRequest, match="2001 settings"):
        setup_of(many)


_NAMES = st.from_regex(r"[A-Za-z][A-Za-z0-9]{0,12}", fullmatch=True)
_UNITS = st.sampled_from(["", "N/mm", "%", "deg", "°", "kPa", "lbf/in"])
_NUMBERS = st.decimals(-1000, 1000, places=2).map(str)
_WORDS = st.sampled_from(["Detached", "P7 (hard)", "46.2:53.8", "91% Medium", "N/A"]).map(
    lambda one: (one, "")
)
_VALUES = st.tuples(_NUMBERS, _UNITS) | _WORDS


@st.composite
def setups(draw: st.DrawFn) -> Setup:
    names = draw(st.lists(st.tuples(_NAMES, _NAMES), unique=True, min_size=1, max_size=12))
    names = [
        name for section in dict.fromkeys(one for one, _ in names) for name in names if name[0] == section
    ]
    made = [Parameter(section, f"{key}Setting", *draw(_VALUES)) for section, key in names]
    return Setup(tuple(made))


def written(setup: Setup) -> str:
    """The file that the game would write."""
    lines: list[str] = []
    for section in setup.sections():
        lines += [f"[{section}]"]
        lines += [f"{one.key}=7//{one.shown}" for one in setup.parameters if one.section == section] + [""]
    return "\r\n".join(lines)


@given(setups())
def test_a_file_says_what_it_was_written_from(setup: Setup) -> None:
    assert setup_of(decoded(written(setup).encode())) == setup


@given(st.binary(max_size=400))
def test_any_bytes_are_a_setup_or_refused(data: bytes) -> None:
    with contextlib.suppress(BadRequest):
        assert setup_of(decoded(data)).parameters


@given(st.text(max_size=40))
def test_value_and_unit_are_read_again_as_they_were(shown: str) -> None:
    value, unit = parsed_value(shown)
    assert parsed_value(Parameter("", "", value, unit).shown) == (value, unit)


@given(setups(), setups())
def test_the_differences_lead_from_one_setup_to_the_other(a: Setup, b: Setup) -> None:
    found = diff(a.parameters, b.parameters)
    made = {(one.section, one.key): one for one in a.parameters}
    for one in found:
        assert one.a == a.find(one.section, one.key)
        made.pop((one.section, one.key), None)
        if one.b is not None:
            made[one.section, one.key] = one.b
    assert diff(made.values(), b.parameters) == []
    back = diff(b.parameters, a.parameters)
    assert {(one.section, one.key) for one in back} == {(one.section, one.key) for one in found}
    assert diff(a.parameters, a.parameters) == []


def test_a_difference_has_its_number() -> None:
    a = [Parameter("F", "Spring", "62.1", "N/mm"), Parameter("F", "Toe", "Free"), Parameter("F", "Bar", "2")]
    b = [
        Parameter("F", "Spring", "62.4", "N/mm"),
        Parameter("R", "Toe", "1", "°"),
        Parameter("F", "Bar", "2.0"),
    ]
    spring, toe, new = diff(a, b)
    assert (spring.change, spring.unit) == (0.3, "N/mm")
    assert (toe.key, toe.a, toe.b, toe.change) == ("Toe", a[1], None, None)
    assert (new.section, new.a, new.b, new.unit) == ("R", None, b[1], "°")
    (other,) = diff(a[:1], [a[0]._replace(unit="lbf/in")])
    assert (other.change, other.unit) == (None, "")


def test_names_are_said_as_people_say_them() -> None:
    assert section_title("FRONTLEFT") == "front left"
    assert section_title("PIT_MENU") == "pit menu"
    assert parameter_title("SlowBumpSetting") == "slow bump"
    assert parameter_title("RWSetting") == "RW"
    assert parameter_title("Gear1Setting") == "gear 1"
    assert parameter_title("FrontAntiSwaySetting") == "front anti sway"
