"""Result files of rFactor 2."""

import re
from pathlib import Path

import pytest

from rig.errors import BadRequest
from rigclient.imports.dialects.rf2_results import DIALECT
from tests.imports.dialects.reading import Read, head_of, read

HERE = Path(__file__).parent / "data"
RACE, QUALIFYING = HERE / "rf2-race.xml", HERE / "rf2-qualify.xml"
SHARED = Path(__file__).resolve().parents[4] / "shared/data/rf2-results-xml"


def stated(data: bytes) -> list[tuple[float | None, tuple[float | None, ...]]]:
    """Lap and sector times, by expressions that know no XML."""
    found = []
    for attributes, text in re.findall(rb"<Lap ([^>]*)>([^<]*)<", data):
        said = dict(re.findall(rb'(\w+)="([^"]*)"', attributes))
        found.append((_number(text), tuple(_number(said.get(name, b"")) for name in (b"s1", b"s2", b"s3"))))
    return found


def _number(text: bytes) -> float | None:
    return float(text) if re.fullmatch(rb"[0-9.]+", text) else None


def timed(found: Read) -> list[tuple[float | None, tuple[float | None, ...]]]:
    return [(lap.lap_time_s, lap.sectors_s) for laps in found.laps for lap in laps]


@pytest.mark.parametrize("path", [RACE, QUALIFYING], ids=lambda path: path.stem)
def test_every_lap_is_timed_exactly(path: Path) -> None:
    assert timed(read(DIALECT, path)) == stated(path.read_bytes())


@pytest.mark.skipif(not SHARED.is_dir(), reason="the collection of result files is not beside this tree")
def test_all_files_of_the_collection() -> None:
    paths = sorted(SHARED.rglob("*.xml"))
    empty = []
    for path in paths:
        try:
            assert timed(read(DIALECT, path)) == stated(path.read_bytes()), path
        except BadRequest as error:
            empty.append((path.stem, error.message))
    assert len(paths) == 23
    assert empty == [
        ("nosession", "it has no session: the game wrote its settings and no more"),
        ("practice", "nobody drove a lap in it: 2 drivers in practice"),
        ("practice_changed_as_warmup", "nobody drove a lap in it: 2 drivers in warmup"),
        ("practice_without_laps", "nobody drove a lap in it: 2 drivers in practice"),
    ]


def test_session_cars_and_laps() -> None:
    found = read(DIALECT, RACE)
    session = found.recordings[0].session
    assert (session.track, session.kind, session.number) == ("Sebring 12h Course", "race", 1)
    assert (session.track_length_m, session.start_time_ns % 1_000_000_000) == (5856.1, 0)
    laps = found.laps[0]
    assert {lap.car for lap in laps} == set(range(5))
    first = laps[0]
    assert (first.driver, first.vehicle, first.vehicle_class, first.team) == (
        "É. Érable",
        "#01 Copper",
        "LolaT280",
        "Team 1",
    )
    assert (first.car_number, first.index, first.number, first.place) == ("01", 1, 0, 5)
    assert (first.start_s, first.end_s) == (40.7067, 40.7067 + 134.8484)
    assert laps[9].facts["Position"] == "3"
    assert laps[9].facts["FinishStatus"] == "Finished Normally"
    assert "fuel" not in first.facts
    assert session.facts["mended"] == "Windows-1252 in 7 lines"


def test_a_lap_without_a_time_is_a_piece() -> None:
    pieces = [lap for lap in read(DIALECT, QUALIFYING).laps[0] if lap.lap_time_s is None]
    assert pieces
    assert not any(lap.complete or lap.official or lap.valid for lap in pieces)


def test_tyres_pits_and_who_drove(tmp_path: Path) -> None:
    text = minimal(
        '<Lap num="1" p="1" et="10.0" s1="30.0" s2="31.0" s3="32.0" fuel="0.700" twfl="0.933"'
        ' fcompound="3,Soft"'
        ' rcompound="2,Medium S9H" pit="1">93.0000</Lap>\n<Lap num="2" p="1" et="103.0">90.0</Lap>\n'
        '<Swap startLap="1" endLap="1">B. Birch</Swap><Swap startLap="2" endLap="2"></Swap>\n'
        '<ControlAndAids startLap="1" endLap="2">PlayerControl,ABS=1</ControlAndAids>\n'
    )
    one, two = made(tmp_path, text).laps[0]
    assert (one.compounds, one.in_lap, one.driver) == (("Soft", "Medium S9H"), True, "B. Birch")
    assert (two.out_lap, two.stint, two.driver) == (True, 2, "A. Alder")
    assert one.facts == {"fuel": "0.700", "twfl": "0.933", "ControlAndAids": "PlayerControl,ABS=1"}


def test_all_sessions_of_a_file(tmp_path: Path) -> None:
    lap = '<Driver><Name>A. Alder</Name><Lap num="1" et="1.0">90.0</Lap></Driver>'
    sessions = f"<Practice1>{lap}</Practice1><Qualify>{lap}</Qualify><Race2>{lap}</Race2>"
    found = made(tmp_path, f"<rFactorXML><RaceResults>{sessions}</RaceResults></rFactorXML>")
    kinds = [(one.session.kind, one.session.number) for one in found.recordings]
    assert kinds == [("practice", 1), ("qualifying", 1), ("race", 2)]


def minimal(laps: str) -> str:
    return (
        '<?xml version="1.0" encoding="utf-8"?>\n<!DOCTYPE rF [\n<!ENTITY rFEnt "rFactor Entity">\n]>\n'
        '<rFactorXML version="1.0">\n<RaceResults>\n<TrackCourse>Meander Valley</TrackCourse>\n<Race>\n'
        "<Driver>\n"
        f"<Name>A. Alder</Name>\n{laps}</Driver>\n</Race>\n</RaceResults>\n</rFactorXML>\n"
    )


LAP = '<Lap num="1" et="1.0">90.0</Lap>\n'


def made(folder: Path, text: str) -> Read:
    path = folder / "results"
    path.write_text(text)
    return read(DIALECT, path)


BROKEN = {
    "cut off": (minimal(LAP)[:230], r"it breaks off after line 11, within <"),
    "other end": (minimal(LAP + "<Laps>1</Lapse>\n"), "line 12 is no XML: mismatched tag"),
    "bare bracket": (minimal(LAP + "<Team>A < B</Team>\n"), "line 12 is no XML: not well-formed"),
    "entity used": (
        minimal(LAP + "<Team>&rFEnt;</Team>\n"),
        "line 12 uses &rFEnt;, and entities are not expanded",
    ),
    "entities nested": (
        minimal(LAP).replace("<!ENTITY rFEnt", '<!ENTITY a "&rFEnt;&rFEnt;">\n<!ENTITY rFEnt'),
        "line 3 declares an entity 'a' that no game writes",
    ),
    "entity of a file": (
        minimal(LAP).replace("<!ENTITY rFEnt", '<!ENTITY a SYSTEM "file:///etc/passwd">\n<!ENTITY rFEnt'),
        "line 3 declares an entity 'a' that no game writes",
    ),
    "other content": (
        "<rFactorXML>\n<Plugins/>\n</rFactorXML>",
        "line 2: <Plugins> where <RaceResults> belongs",
    ),
    "too deep": (minimal("<a>" * 9 + "</a>" * 9), "line 11: more than 8 elements within each other"),
    "one endless line": (minimal("<Team>" + "x" * 70_000), "line 11 is longer than 65536 characters"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_broken_files_are_refused_as_a_whole(tmp_path: Path, name: str) -> None:
    text, message = BROKEN[name]
    with pytest.raises(BadRequest, match=message):
        made(tmp_path, text)


def test_what_follows_the_end_is_left_out() -> None:
    found = read(DIALECT, QUALIFYING)
    assert [reason for _, reason, _ in found.refused] == ["after the end"]
    assert "mended" not in found.recordings[0].session.facts


def test_bare_ampersands_are_mended(tmp_path: Path) -> None:
    found = made(tmp_path, minimal(LAP + "<VehName>Foo & Bar&Co &amp; Sons</VehName>\n"))
    assert found.lap.vehicle == "Foo & Bar&Co & Sons"
    assert found.recordings[0].session.facts["mended"] == "a bare ampersand in 1 lines"


def test_a_lap_that_says_nothing_sound_is_refused_by_its_line(tmp_path: Path) -> None:
    laps = (
        LAP
        + '<Lap num="1" et="2.0">91.0</Lap>\n<Lap num="x" et="3.0">92.0</Lap>\n'
        + '<Lap num="4" et="4.0">fast</Lap>\n'
    )
    found = made(tmp_path, minimal(laps))
    assert [(line, reason) for line, reason, _ in found.refused] == [
        (12, "a repeated lap"),
        (13, "no lap number"),
        (14, "no time"),
    ]
    assert found.lap.lap_time_s == 90.0


def test_other_xml_is_not_recognised(tmp_path: Path) -> None:
    path = tmp_path / "x.xml"
    path.write_text('<?xml version="1.0"?>\n<html><body/></html>')
    assert not DIALECT.recognises(head_of(path))


@pytest.mark.parametrize(
    "begin",
    [
        '<?xml version="1.0"?><rFactorXML>',
        "<!-- <old> --><rFactorXML>",
        "<?xml?>\n<!DOCTYPE rF [\n]>\n<rFactorXML>",
    ],
)
def test_the_first_element_counts_whatever_stands_before_it_in_its_line(tmp_path: Path, begin: str) -> None:
    path = tmp_path / "race.xml"
    path.write_text(f"{begin}<RaceResults>")
    assert DIALECT.recognises(head_of(path))
