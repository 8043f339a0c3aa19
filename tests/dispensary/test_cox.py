"""Cox regression: the textbooks' ratio, what is left out, and what allows no estimate. It needs the extra `cox`."""

from __future__ import annotations

import csv
import json
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from dispensary.cli import main
from dispensary.database import Database
from dispensary.evaluation.cox import cox
from dispensary.refusals import BadInput
from tests.builders import clinic
from tests.dispensary.survived import by_groups
from tests.dispensary.test_evaluation_rules import FREIREICH
from tests.dispensary.test_incidence_rules import PLACEBO

pytest.importorskip("statsmodels", reason="the extra cox is not installed")

Stays = list[tuple[int, str | None]]


def remissions() -> tuple[Stays, list[tuple[str, ...]]]:
    arms = {"6-MP": FREIREICH, "placebo": PLACEBO}
    observed = [(time, "dropped_out" if event else None) for of in arms.values() for time, event in of]
    return observed, [(arm,) for arm, of in arms.items() for _ in of]


def test_the_published_ratio_of_the_remission_times() -> None:
    """As packages print it with Efron's ties: 1.5721 (error 0.4124), 4.817 times (2.147 to 10.81), score 16.35."""
    observed, arms = remissions()
    found = cox(by_groups(observed, arms, "arm"), least=5)
    reference, placebo = found.effects
    assert (reference.level, reference.n, reference.events, reference.ratio, reference.p) == ("6-MP", 21, 9, 1, None)
    assert (placebo.level, placebo.n, placebo.events) == ("placebo", 21, 21)
    assert [f"{value:.4f}" for value in (placebo.log_ratio, placebo.error)] == ["1.5721", "0.4124"]
    assert [f"{value:.2f}" for value in (placebo.ratio, placebo.lower, placebo.upper)] == ["4.82", "2.15", "10.81"]
    assert f"{placebo.p:.6f}" == "0.000138"
    assert (f"{found.chi_square:.2f}", found.degrees, found.n, found.events) == ("16.35", 1, 42, 30)


def test_two_people_are_left_out_with_those_who_would_give_them_back() -> None:
    observed, arms = remissions()
    found = cox(by_groups([*observed, (5, None), (7, "dropped_out")], [*arms, ("x",), ("x",)], "arm"), least=1)
    assert {each.level for each in found.effects} == {"6-MP", "placebo", "x"}
    with pytest.raises(BadInput, match="nothing to compare"):
        cox(by_groups([*observed, (5, None), (7, "dropped_out")], [*arms, ("x",), ("x",)], "arm"), least=5)


def test_a_group_that_nobody_left_has_no_estimate_and_changes_no_other() -> None:
    observed, arms = remissions()
    alone = cox(by_groups(observed, arms, "arm"), least=5)
    stayed: Stays = [(n, None) for n in range(1, 31)]
    found = cox(by_groups([*observed, *stayed], [*arms, *[("x",)] * 30], "arm"), least=5)
    (x,) = [each for each in found.effects if each.level == "x"]
    assert (x.n, x.events, x.log_ratio, x.ratio) == (30, 0, None, None)
    assert [each for each in found.effects if each.level != "x"] == list(alone.effects)
    assert (found.n, found.without_events, found.left_out) == (42, 30, 0)
    with pytest.raises(BadInput, match="nothing to compare"):
        cox(by_groups(stayed, [("a",)] * 15 + [("b",)] * 15, "arm"), least=5)


def test_strata_that_say_the_same_twice_allow_no_estimate() -> None:
    observed: Stays = [(n, "dropped_out") for n in range(1, 21)]
    twice = [("a", "A") if n % 2 else ("b", "B") for n in range(20)]
    with pytest.raises(BadInput, match="say the same twice"):
        cox(by_groups(observed, twice, "one", "other"), least=5)


def test_a_ratio_that_would_grow_for_ever_is_no_estimate() -> None:
    """Each of the one group leaves before anybody of the other."""
    observed: Stays = [(n, "dropped_out") for n in range(1, 17)]
    with pytest.raises(BadInput, match="No hazard ratio can be estimated"):
        cox(by_groups(observed, [("a",)] * 8 + [("b",)] * 8, "arm"), least=5)


def test_strata_are_estimated_together_so_that_one_is_not_taken_for_another() -> None:
    """Men live far, and who lives far leaves sooner; of one place men and women leave alike."""
    observed: Stays = []
    groups: list[tuple[str, ...]] = []
    for place, sex, count in (("near", "f", 40), ("near", "m", 20), ("far", "f", 20), ("far", "m", 40)):
        pace = 3 if place == "far" else 1
        observed += [(3 + (n * 97 // count) // pace, "dropped_out") for n in range(count)]
        groups += [(place, sex)] * count
    alone = cox(by_groups(observed, [(sex,) for _, sex in groups], "sex"), least=5)
    together = {each.level: each for each in cox(by_groups(observed, groups, "place", "sex"), least=5).effects}
    assert alone.effects[1].level == "m"
    assert alone.effects[1].p is not None
    assert (alone.effects[1].ratio > Decimal("1.4"), alone.effects[1].p < Decimal("0.05")) == (True, True)
    assert abs(together["m"].log_ratio) < Decimal("0.1")
    assert together["near"].ratio < Decimal("0.4")


def test_the_export_tells_no_sizes_where_stays_were_left_out(
    database: Database, now: datetime, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, database_url: str
) -> None:
    """Women in all less women in the model would be the one woman of a small site."""
    clinic(database, now)
    monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.setenv("DISPENSARY_DATA", str(tmp_path / "data"))

    def exported(lines: list[str]) -> tuple[list[dict[str, str]], dict[str, Any]]:
        (tmp_path / "in.csv").write_text("\n".join(["client,site,started,ended,exit_reason,sex", *lines]))
        asked = ["import", "episodes", str(tmp_path / "in.csv"), "--name", "x", "--replace"]
        assert CliRunner().invoke(main, asked).exit_code == 0
        asked = ["export", "retention", "--episodes", "x", "--by", "site,sex", "--cox", "--out", str(tmp_path)]
        told = CliRunner().invoke(main, [*asked, "--format", "csv"])
        assert told.exit_code == 0, told.output
        with (tmp_path / "retention-cox.csv").open(encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file)), json.loads((tmp_path / "retention.manifest.json").read_text())["cox"]

    lines = [
        f"{site}{sex}{n},{site},2020-01-01,2020-0{2 + n % 7}-{1 + n:02d},dropped_out,{sex}"
        for site in "abc"
        for sex in "fm"
        for n in range(9)
    ]
    rows, said = exported(lines)
    assert {(row["stratum"], row["level"]): row["of"] for row in rows} == {
        ("site", "a"): "18", ("site", "b"): "18", ("site", "c"): "18", ("sex", "f"): "27", ("sex", "m"): "27",
    }  # fmt: skip
    assert (said["n"], said["left_out"]) == (54, 0)
    rows, said = exported([*lines, "df,d,2020-01-01,2020-05-01,dropped_out,f"])
    assert {(row["level"], row["of"], row["events"]) for row in rows} == {(level, "", "") for level in "bcfm"}
    assert (said["n"], said["left_out"]) == (36, 19)
