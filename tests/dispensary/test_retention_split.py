"""Retention by strata, by cause and from a landmark, on a real database: what is told, and of whom nothing is told."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import text

from dispensary.cli import main
from dispensary.clients.rules import ExitReason
from dispensary.database import Database
from dispensary.evaluation.exports import export_retention
from dispensary.evaluation.retention import Question, Retention, retention
from dispensary.evaluation.rules import DEFAULT_ROLES, Role
from dispensary.keys import Vault
from dispensary.prescribing.service import order_dose
from dispensary.refusals import BadInput
from dispensary.staff.queries import sites
from dispensary.units import milligrams
from tests.builders import Clinic, clinic
from tests.dispensary.measured import START, history
from tests.dispensary.test_evaluation import YEAR, leave


@pytest.fixture
def here(database: Database, now: datetime) -> Clinic:
    """The as-of day is day 318 after the start of these stays."""
    return clinic(database, now)


def ask(here: Clinic, **parameters: Any) -> Retention:
    question = Question(YEAR, here.now, **parameters)
    with here.database.reading() as session:
        return retention(session, places=sites(session), question=question, now=here.now)


def people(here: Clinic, sex: str, *lasted: int) -> None:
    """So many clients of this sex, who stay so many days each."""
    numbers = [f"{sex}{n}" for n in range(len(lasted))]
    history(here, *((number, 0, days) for number, days in zip(numbers, lasted, strict=True)))
    with here.database.writing() as session:
        session.execute(
            text("UPDATE client SET sex = :sex WHERE number = ANY(:numbers)"),
            {"sex": sex, "numbers": numbers},
        )


def curves(found: Retention) -> dict[tuple[str, ...], tuple[int, int]]:
    assert found.split is not None
    return {group.levels: (group.first.curve.n, group.first.curve.events) for group in found.split.shown}


@pytest.fixture
def command(database_url: str, vault: Vault, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    monkeypatch.setattr("dispensary.commands.parts.vault_of", lambda settings: vault)
    monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.setenv("DISPENSARY_DATA", str(tmp_path / "data"))
    period = ["--from", "2026-01-01", "--to", "2026-12-31", "--as-of", "2026-11-23T23:00:00"]
    return lambda *words: CliRunner().invoke(
        main, ["export", "retention", *period, "--out", str(tmp_path / "out"), *words]
    )


class TestSplit:
    def test_each_group_has_its_own_curve_and_the_groups_are_compared(self, here: Clinic) -> None:
        people(here, "female", 318, 318, 318, 200, 318)
        people(here, "male", 40, 50, 60, 70, 318, 80)
        found = ask(here, by=("sex",))
        assert curves(found) == {("female",): (5, 1), ("male",): (6, 5)}
        assert found.split is not None
        tested = found.split.log_rank["first"]
        assert tested is not None
        assert [(each.levels, each.n, each.observed) for each in tested.groups] == [
            (("female",), 5, 1),
            (("male",), 6, 5),
        ]
        # At risk of the men at the six exits: 6 of 11, 5 of 10, 4 of 9, 3 of 8, 2 of 7, 1 of 6.
        assert abs(tested.groups[1].expected - sum(Decimal(k) / (k + 5) for k in range(1, 7))) < Decimal("1e-11")
        assert tested.degrees == 1
        assert Decimal("0.01") < tested.p < Decimal("0.05")

    def test_a_stratum_is_as_it_was_when_the_stay_began(self, here: Clinic) -> None:
        """An order that rose later, and take-home that came later, sort nobody: who has them has stayed."""
        for _ in range(5):
            client = here.client(mg="55")
            here.give(client)
            here.decide(client, per_supply=6)
        here.move_on(10)
        with here.database.writing() as session:
            for client in here.clients:
                order_dose(
                    session,
                    actor=here.doctor,
                    client_id=client,
                    mg=milligrams("60"),
                    parts=[],
                    from_day=here.today,
                    reason="stable",
                    today=here.today,
                    at=here.now,
                )
        assert curves(ask(here, by=("dose",))) == {("below 60 mg",): (5, 0)}
        assert curves(ask(here, by=("dose",), landmark_days=9)) == {("no", "below 60 mg"): (5, 0)}

    def test_a_small_group_is_hidden_and_one_beside_it_so_that_the_total_does_not_give_it_back(
        self, here: Clinic, tmp_path: Path
    ) -> None:
        people(here, "female", *[100] * 7)
        people(here, "male", *[200] * 9)
        people(here, "unknown", 50, 60)
        found = ask(here, by=("sex",))
        assert found.split is not None
        assert curves(found) == {("male",): (9, 9)}
        assert found.split.hidden == (("female",), ("unknown",))
        assert found.split.log_rank == {"first": None, "all": None}
        assert len(curves(ask(here, by=("sex",), least=1))) == 3
        with here.database.reading() as session:
            question = Question(YEAR, here.now, by=("sex",))
            path = tmp_path / "r.csv"
            export_retention(session, places=sites(session), question=question, now=here.now, path=path)
        assert {row["sex"] for row in rows(tmp_path / "r.csv")} == {"all", "male"}
        assert {row["sex"] for row in rows(tmp_path / "r-incidence-curve.csv")} == {"all", "male"}
        stays = rows(tmp_path / "r-stays.csv")
        assert sorted({(row["sex"], sum(r["sex"] == row["sex"] for r in stays)) for row in stays}) == [
            ("hidden", 9),
            ("male", 9),
        ]
        manifest = json.loads((tmp_path / "r.manifest.json").read_text())
        assert manifest["groups_not_shown"] == [["female"], ["unknown"]]
        assert "fewer than 5 clients" in manifest["definition"]["strata"]

    def test_a_group_whose_margin_gives_it_back_is_hidden_with_another_of_its_row(self, here: Clinic) -> None:
        people(here, "female", *[100] * 12)
        people(here, "male", *[200] * 13)
        with here.database.writing() as session:
            job = "UPDATE client SET employed = right(number, 1) IN ('0', '1')"
            session.execute(text(job))
        found = ask(here, by=("sex", "employed"))
        assert found.split is not None
        # Two women of 12 (0, 1, 10, 11: four) and four men of 13 have work: each is hidden with the rest of its row.
        assert set(found.split.hidden) == {(sex, work) for sex in ("female", "male") for work in ("no", "yes")}

    def test_pseudonyms_of_two_splits_cannot_be_laid_over_each_other(self, here: Clinic, tmp_path: Path) -> None:
        people(here, "female", *[100] * 6)
        names = []
        for by in (("sex",), ("age",)):
            with here.database.reading() as session:
                question, path = Question(YEAR, here.now, by=by), tmp_path / f"{by[0]}.csv"
                export_retention(session, places=sites(session), question=question, now=here.now, path=path)
            names.append({row["client"] for row in rows(tmp_path / f"{by[0]}-stays.csv")})
        assert not names[0] & names[1]

    def test_a_question_that_cannot_be_split_so_is_refused(self, here: Clinic) -> None:
        for code, parameters in (
            ("stratum", {"by": ("shoe",)}),
            ("strata", {"by": ("sex", "sex")}),
            ("strata", {"by": ("sex", "age", "art", "site")}),
            ("landmark", {"landmark_days": 0}),
            ("reason", {"roles": {**DEFAULT_ROLES, "dead": Role.EVENT}}),
        ):
            with pytest.raises(BadInput) as refused:
                ask(here, **parameters)
            assert refused.value.first.code == code


class TestCauses:
    def test_each_cause_has_its_incidence_and_all_add_up(self, here: Clinic) -> None:
        history(here, ("A", 0, 40), ("B", 0, 50), ("C", 0, 60), ("D", 0, 318), ("E", 0, 70))
        leave(here, "B", 50, ExitReason.DIED)
        leave(here, "C", 60, ExitReason.TRANSFERRED)
        found = ask(here, months=(0, 6)).first
        shares = {mark.cause: mark.incidence for mark in found.incidence_marks if mark.months == 6}
        # A leaves as one of five, B as one of four; C is censored; E leaves as one of two.
        assert {cause: str(share) for cause, share in shares.items()} == {
            "died": "0.2", "dropped_out": "0.5", "any_event": "0.5",
        }  # fmt: skip
        assert found.marks[1].retention == Decimal(".4"), "one less it says .6 of dropping out: the dead could not"

    def test_who_left_for_an_excluded_reason_is_in_no_cohort_and_counted(self, here: Clinic) -> None:
        history(here, ("A", 0, 40), ("B", 0, 50), ("C", 0, 318))
        leave(here, "B", 50, ExitReason.IMPRISONED)
        found = ask(here, roles={**DEFAULT_ROLES, "imprisoned": Role.EXCLUDED})
        assert (found.all.curve.n, found.left_out.role) == (2, 1)
        assert "flatters" in str(found.definition()["excluded"])
        assert "excluded" not in ask(here).definition()


class TestLandmark:
    def test_nobody_is_on_take_home_before_they_were(self, here: Clinic) -> None:
        """Who had a bottle by the landmark is one group, who had one later is in the other, and time counts from it."""
        history(here, ("soon", 0, 100), ("late", 0, 100), ("never", 0, 200), ("gone", 0, 20))
        with here.database.writing() as session:
            session.execute(text("SET LOCAL session_replication_role = replica"))
            for number, day in (("soon", 20), ("late", 21), ("gone", 5)):
                session.execute(
                    text(
                        "UPDATE dose SET kind = 'take_home' WHERE dose_day = :day"
                        " AND client_id = (SELECT id FROM client WHERE number = :number)"
                    ),
                    {"day": START + timedelta(days=day), "number": number},
                )
        found = ask(here, landmark_days=20, least=1)
        assert found.split is not None
        assert found.split.by == ("take_home_by_landmark",)
        seen = {
            group.levels: sorted((seen.days, seen.ending) for _, seen in group.all.observed)
            for group in found.split.groups
        }
        assert seen == {("no",): [(80, "dropped_out"), (180, "dropped_out")], ("yes",): [(80, "dropped_out")]}
        assert (found.left_out.over_by_landmark, found.left_out.unseen_at_landmark) == (1, 0)
        assert "before they were" in str(found.definition()["landmark"])

    def test_a_stay_too_young_for_the_landmark_is_told_apart(self, here: Clinic) -> None:
        history(here, ("A", 0, 318), ("B", 310, 318), ("C", 0, 50))
        found = ask(here, landmark_days=90)
        assert (found.all.curve.n, found.left_out.over_by_landmark, found.left_out.unseen_at_landmark) == (1, 1, 1)
        ((_, seen),) = found.all.observed
        assert seen.days == 318 - 90


def rows(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(path.read_text("utf-8"), newline="")))


class TestCommand:
    def test_everything_that_can_be_asked(self, here: Clinic, command: Callable[..., Result], tmp_path: Path) -> None:
        people(here, "female", *[318] * 6)
        people(here, "male", *[100] * 6)
        leave(here, "male0", 100, ExitReason.DIED)
        told = command(
            "--by", "sex", "--gap", "14", "--role", "died=censored", "--month-days", "30", "--months", "6,3"
        )  # fmt: skip
        tmp_path = tmp_path / "out"
        assert told.exit_code == 0, told.output
        assert "male: 1.000 at 3 months of 6" in told.output
        assert "Log-rank: chi-square" in told.output
        manifest = json.loads((tmp_path / "retention.manifest.json").read_text())
        assert manifest["parameters"]["roles"]["died"] == "censored"
        assert manifest["parameters"]["months"] == [3, 6]
        assert {table["name"] for table in manifest["tables"]} >= {"retention-incidence.csv", "retention-log-rank.csv"}
        (row,) = [r for r in rows(tmp_path / "retention-log-rank.csv") if (r["stays"], r["sex"]) == ("first", "male")]
        assert (row["of"], row["observed"], row["degrees"]) == ("6", "5", "1")

    def test_a_mistake_is_one_clear_line(self, here: Clinic, command: Callable[..., Result], tmp_path: Path) -> None:
        for typed, says in (
            (("--role", "died"), "--role died says no role. Write REASON=ROLE"),
            (("--role", "dead=event"), "No exit has the reason “dead”."),
            (("--month-days", "x"), "A month cannot have “x” days."),
            (("--months", "6,y"), "“6,y” are no months."),
            (("--by", "shoe"), "Retention is not split by “shoe”."),
        ):
            told = command(*typed)
            assert (told.exit_code, says in told.output) == (2, True), told.output
            assert not list((tmp_path / "out").glob("*"))

    def test_cox_regression_without_its_extra_is_one_clear_line(
        self, here: Clinic, command: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        people(here, "female", *[100] * 6)
        monkeypatch.setattr("dispensary.evaluation.cox.find_spec", lambda name: None)
        told = command("--by", "sex", "--cox")
        assert told.exit_code == 2
        assert told.output == (
            "Cox regression needs statsmodels, which is not installed here."
            " Install it beside the program: pip install 'takehome[cox]'.\n"
        )
        assert "Cox regression compares strata. Name them with --by." in command("--cox").output
