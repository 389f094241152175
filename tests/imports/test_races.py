"""Which session a file is of, by the folders that mean something."""

from pathlib import Path

import pytest

from rig.errors import BadRequest
from rigclient.imports.races import ImportedRace, race_of, session_number, standing

ARCHIVE = "Results/12_2023/04_LE MANS/398_SERIES"


@pytest.mark.parametrize(
    ("path", "race"),
    [
        ("spa/Race 1/23_Analysis_Race.CSV", ImportedRace("spa", 1)),
        ("spa/Race 2/23_Analysis_Race.CSV", ImportedRace("spa", 2)),
        ("spa/Race/Hour 6/23_Analysis_Race_Hour 6.CSV", ImportedRace("spa", 1)),
        ("spa/Hour 6/23_Analysis_Race_Hour 6.CSV", ImportedRace("spa", 1)),
        (
            "paul-ricard/Race/Results/23_AnalysisEnduranceWithSections_Race.CSV",
            ImportedRace("paul-ricard", 1),
        ),
        ("watkins/Race/23_Time Cards_Race.CSV", ImportedRace("watkins", 1)),
        (
            "watkins/Free Practice 1/23_Time Cards_Free Practice 1.CSV",
            ImportedRace("watkins", 1, "practice"),
        ),
        ("spa/FP2/chart.csv", ImportedRace("spa", 2, "practice")),
        ("monza/Practice/Session 1.csv", ImportedRace("monza", 1, "practice")),
        ("spa/Qualifying/23_Analysis_Qualifying.CSV", ImportedRace("spa", 1, "qualifying")),
        ("spa/Hyperpole/23_Analysis_Hyperpole.CSV", ImportedRace("spa", 1, "qualifying")),
        ("spa/Pre-Qualifying 2/a.csv", ImportedRace("spa", 2, "qualifying")),
        ("spa/Warm Up/a.csv", ImportedRace("spa", 1, "warmup")),
        ("monza/Test Day/a.csv", ImportedRace("monza", 1, "test_day")),
        (
            f"{ARCHIVE}/202306101600_Race/Hour 6/23_Analysis_Race_Hour 6.CSV",
            ImportedRace("LE MANS", 1, "race", "2023-06-10"),
        ),
        (
            f"{ARCHIVE}/202306071400_Free Practice 1/23_Analysis.CSV",
            ImportedRace("LE MANS", 1, "practice", "2023-06-07"),
        ),
        ("Results/07_Spa Francorchamps/Race/a.csv", ImportedRace("Spa Francorchamps", 1)),
        ("2024-05-11/spa/Race/a.csv", ImportedRace("spa", 1, "race", "2024-05-11")),
        ("spa/2022/Race/a.csv", ImportedRace("spa", 1, "race", "2022")),
        ("spa/20231301_Race/a.csv", ImportedRace("spa", 1)),
        ("Data/road-america/Road America/Race 2/23_A_Race 2_Anonymized.CSV", ImportedRace("Road America", 2)),
        ("Data/barber/Samples/R1_barber_telemetry.csv", ImportedRace("barber", 1)),
        ("Data/barber/23_AnalysisEnduranceWithSections_Race_1_sample.CSV", ImportedRace("barber", 1)),
        ("COTA/Race 2/23_AnalysisEnduranceWithSections_ Race 2_Anonymized.CSV", ImportedRace("COTA", 2)),
    ],
)
def test_track_kind_number_and_date_come_from_the_folders_that_mean_them(
    path: str, race: ImportedRace
) -> None:
    assert race_of(Path("/in", path)) == race


def test_the_caller_knows_better() -> None:
    path = Path("/in/spa/2022/Race 2/a.csv")
    assert race_of(path, "Monza", 1, "2023-05-01") == ImportedRace("Monza", 1, "race", "2023-05-01")
    assert race_of(Path("/in/spa/FP2/a.csv"), number=1) == ImportedRace("spa", 2, "practice")


def test_what_nothing_tells_is_asked_for() -> None:
    with pytest.raises(BadRequest, match="--race 1"):
        race_of(Path("/in/spa/chart.csv"))
    with pytest.raises(BadRequest, match="--track"):
        race_of(Path("/Race 1/chart.csv"))


def test_numbers_are_those_of_the_game() -> None:
    kinds = ("test_day", "practice", "qualifying", "warmup", "race")
    assert [session_number(1, kind) for kind in kinds] == [0, 1, 5, 9, 10]


def test_later_charts_of_a_race_stand_above_earlier_ones() -> None:
    rising = [
        "spa/Provisional/Race/23_Race_Hour 6.csv",
        "spa/provisional/Race/23_Race.csv",
        "spa/Race/Hour 6/23_Race_Hour 6.csv",
        "spa/Race/Hour 24/23_Race_Hour 24.csv",
        "spa/Race/23_Race.csv",
        "spa/Race/23_Race_Official.csv",
    ]
    assert sorted(rising, key=lambda path: standing(Path("/in", path))) == rising
