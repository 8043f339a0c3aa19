"""Published tables of retention, got again from a cohort that is built to their counts, through a file and its export.

Manipur and Nagaland: Harm Reduction Journal 2010;7:29, table 2. Taiwan: PMC4397075, new admissions to two programmes.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Mapping, Sequence
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from click.testing import CliRunner

from dispensary.cli import main
from dispensary.database import Database
from dispensary.evaluation.cohorts import cohort
from dispensary.evaluation.rules import DEFAULT_ROLES, Role
from tests.builders import clinic
from tests.dispensary.survived import DAYS, Ending, seen

PUBLISHED = Path(__file__).parents[3] / "shared/data/published_retention_tables.csv"
START = date(2006, 5, 1)

# Of 713 at 3, 6, 9 and 12 months: retained, and how many had completed, relapsed, or were gone unknown by then.
MANIPUR = {
    3: (519, {"completed": 18, "relapsed": 138, "unknown": 38}),
    6: (451, {"completed": 42, "relapsed": 166, "unknown": 54}),
    9: (405, {"completed": 60, "relapsed": 186, "unknown": 62}),
    12: (362, {"completed": 91, "relapsed": 196, "unknown": 64}),
}
MANIPUR_PERCENT = {3: "72.8", 6: "63.3", 9: "56.8", 12: "50.8"}
# Retained of 128 at 3, 6, 12 and 18 months when prison is an exit, and of 90 when the 38 who went there are left out.
TAIWAN = {3: (103, 73), 6: (88, 66), 12: (69, 55), 18: (53, 44)}
TAIWAN_PERCENT = {3: ("80.5", "81.1"), 6: ("68.8", "73.3"), 12: ("53.9", "61.1"), 18: ("41.4", "48.9")}
EVERYBODY_LEAVES = {"completed": "event", "died": "event", "imprisoned": "event", "transferred": "event"}

Export = Callable[[Sequence[tuple[int, str]], int, Mapping[str, str]], dict[str, list[dict[str, str]]]]


def exits(by_month: Mapping[int, Mapping[str, int]]) -> list[tuple[int, str]]:
    """Days and reasons of the exits: as many of each reason by each month, half a month or more before it is over."""
    found, so_far = [], dict[str, int]()
    for month, counts in by_month.items():
        for reason, count in counts.items():
            new = count - so_far.get(reason, 0)
            found += [((month - 1) * 30 + 1 + n % 14, reason) for n in range(new)]
            so_far[reason] = count
    return found


@pytest.fixture
def export(
    database: Database, now: object, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Export:
    """Brings a cohort in as a file and exports its retention by these roles, at 0, 3, 6, 9, 12 and 18 months."""
    clinic(database, now)  # type: ignore[arg-type]
    monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.setenv("DISPENSARY_DATA", str(tmp_path / "data"))

    def run(left: Sequence[tuple[int, str]], n: int, roles: Mapping[str, str]) -> dict[str, list[dict[str, str]]]:
        lines = ["client,started,ended,exit_reason"]
        lines += [f"{k},{START},{START + timedelta(days=days)},{reason}" for k, (days, reason) in enumerate(left)]
        lines += [f"{k},{START},," for k in range(len(left), n)]
        file = tmp_path / "cohort.csv"
        file.write_text("\n".join(lines))
        asked = [
            ["import", "episodes", str(file), "--name", "cohort", "--seen-to", "2009-01-01", "--replace"],
            ["export", "retention", "--episodes", "cohort", "--months", "0,3,6,9,12,18", "--out", str(tmp_path)],
        ]
        asked[1] += [word for reason, role in roles.items() for word in ("--role", f"{reason}={role}")]
        for words in asked:
            told = CliRunner().invoke(main, words)
            assert told.exit_code == 0, told.output
        return {
            name: list(csv.DictReader(io.StringIO((tmp_path / f"retention{name}.csv").read_text("utf-8"))))
            for name in ("", "-incidence")
        }

    return run


def at(rows: list[dict[str, str]], month: int, **of: str) -> dict[str, str]:
    (row,) = [r for r in rows if r["months"] == str(month) and r["stays"] == "first" and of.items() <= r.items()]
    return row


def percent(share: str) -> str:
    return f"{Decimal(share) * 100:.1f}"


def test_manipur_and_nagaland(export: Export) -> None:
    """The status table: retained by the curve of all exits, each other status by its incidence, together everybody."""
    left = exits({month: counts for month, (_, counts) in MANIPUR.items()})
    found = export(left, 713, {"completed": "event"})
    for month, (retained, counts) in MANIPUR.items():
        row = at(found[""], month)
        assert Decimal(row["retention"]) == round(Decimal(retained) / 713, 8)
        assert percent(row["retention"]) == MANIPUR_PERCENT[month]
        assert int(row["events"]) == 713 - retained
        for reason, count in counts.items():
            told = at(found["-incidence"], month, cause=reason)
            assert (told["exits"], Decimal(told["incidence"])) == (f"{count}", round(Decimal(count) / 713, 8))
    completers = export(left, 713, {})
    assert percent(at(completers[""], 12)["retention"]) > MANIPUR_PERCENT[12], (
        "completing is no dropping out by default"
    )
    assert at(completers["-incidence"], 12, cause="completed")["exits"] == "91"


def taiwan() -> list[tuple[int, str]]:
    """Exits of both tables at once; of the 38 who went to prison some did after 18 months."""
    by_month = {}
    for month, (of_all, of_others) in TAIWAN.items():
        others = 90 - of_others
        by_month[month] = {"dropped_out": others, "imprisoned": 128 - of_all - others}
    imprisoned_later = 38 - by_month[18]["imprisoned"]
    assert imprisoned_later > 0
    by_month[24] = {"dropped_out": by_month[18]["dropped_out"], "imprisoned": 38}
    return exits(by_month)


def test_taiwan_under_both_rules_of_prison(export: Export) -> None:
    """With prison as an exit, and with the 38 left out: the second knows at entry who would go, and looks better."""
    for rule, (role, n) in enumerate((("event", 128), ("excluded", 90))):
        found = export(taiwan(), 128, {"imprisoned": role})
        assert at(found[""], 0)["at_risk"] == f"{n}"
        for month, retained in TAIWAN.items():
            row = at(found[""], month)
            assert Decimal(row["retention"]) == round(Decimal(retained[rule]) / n, 8)
            assert percent(row["retention"]) == TAIWAN_PERCENT[month][rule]
    competing = export(taiwan(), 128, {})
    year = Decimal(at(competing[""], 12)["retention"])
    assert f"{year:.3f}" == "0.695", "observed until they go, the 38 raise it above either: three rules, three figures"
    shares = [
        Decimal(at(competing["-incidence"], 12, cause=cause)["incidence"]) for cause in ("dropped_out", "imprisoned")
    ]
    assert abs(sum(shares) - Decimal(59) / 128) < Decimal("1e-7"), "both causes together are those who left"


@pytest.mark.skipif(not PUBLISHED.exists(), reason="the published tables are not beside the project")
def test_the_counts_are_those_of_the_published_tables() -> None:
    with PUBLISHED.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    manipur = [row for row in rows if row["source"].startswith("Harm Reduct J 2010")]
    assert {int(row["t_months"]): (int(row["retained_n"]), row["retained_pct"]) for row in manipur} == {
        month: (retained, MANIPUR_PERCENT[month]) for month, (retained, _) in MANIPUR.items()
    }
    for row in manipur:
        counts = MANIPUR[int(row["t_months"])][1]
        assert row["note"] == ", ".join(f"{reason} {count}" for reason, count in counts.items())
    taiwan = [row for row in rows if row["source"].startswith("Taiwan")]
    for rule, n in enumerate(("128", "90")):
        assert {
            int(row["t_months"]): (int(row["retained_n"]), row["retained_pct"]) for row in taiwan if row["n"] == n
        } == {month: (TAIWAN[month][rule], TAIWAN_PERCENT[month][rule]) for month in TAIWAN}


@pytest.mark.parametrize(
    ("roles", "share", "exactly"),
    [
        (EVERYBODY_LEAVES, ".758", (758, 1000)),
        ({**EVERYBODY_LEAVES, "transferred": "censored"}, ".788", (758, 962)),
        ({"transferred": "censored", "died": "censored", "imprisoned": "censored"}, ".832", (758, 911)),
        ({}, ".832", (758, 911)),
    ],
)
def test_the_same_cohort_by_other_roles(roles: Mapping[str, str], share: str, exactly: tuple[int, int]) -> None:
    """Of 1000, 38 are transferred, then 21 die and 30 go to prison, then 153 drop out; 758 stay beyond a year."""
    observed: list[tuple[int, Ending]] = [
        *((20 + n, "transferred") for n in range(38)),
        *((90 + n, "died") for n in range(21)),
        *((90 + n, "imprisoned") for n in range(30)),
        *((150 + n, "dropped_out") for n in range(153)),
        *((400, None) for _ in range(758)),
    ]
    asked = {**DEFAULT_ROLES, **{reason: Role(role) for reason, role in roles.items()}}
    found = cohort(seen(observed, roles=asked), scale=DAYS, months=(12,))
    (year,) = found.marks
    assert year.retention is not None
    assert abs(year.retention - Decimal(exactly[0]) / exactly[1]) < Decimal("1e-20")
    assert f"{year.retention:.3f}" == f"0{share}"
