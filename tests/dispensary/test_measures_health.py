"""Measures of HIV, hepatitis, liver and tuberculosis, each on a clinic that is counted by hand."""

from __future__ import annotations

import csv
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from sqlalchemy import text

from dispensary.clients.rules import ExitReason
from dispensary.clients.service import end_episode
from dispensary.database import Database
from dispensary.evaluation.queries import Period
from dispensary.units import ClientId
from tests.builders import Clinic, clinic
from tests.dispensary.measured import asked, figures, fill, has, history, measured_as, stop, treat

ADHERER = Path(__file__).parents[3] / "shared" / "data" / "adherer"


@pytest.fixture
def here(database: Database, now: datetime) -> Clinic:
    return clinic(database, now)


def counts(found) -> dict[str, str]:
    return {key: numerator for key, (numerator, _) in figures(found).items()}


def quarter(here: Clinic, *, ago: int = 0, days: int = 90) -> Period:
    last = here.today - timedelta(days=ago)
    return Period(last - timedelta(days=days - 1), last + timedelta(days=1))


def on_art(here: Clinic, *, ago: int) -> ClientId:
    client = here.client()
    treat(here, client, "art", ago=ago)
    return client


class TestTx:
    @pytest.mark.parametrize(
        ("late", "boundary", "current"),
        [
            pytest.param(27, "more", "1", id="27 days, more than"),
            pytest.param(28, "more", "1", id="28 days, more than"),
            pytest.param(29, "more", "0", id="29 days, more than"),
            pytest.param(27, "from", "1", id="27 days, from"),
            pytest.param(28, "from", "0", id="28 days, from"),
        ],
    )
    def test_28_days_after_the_supply_ran_out(self, here: Clinic, late: int, boundary: str, current: str) -> None:
        """Thirty days that were handed over 30 + n days ago ran out n days ago."""
        client = on_art(here, ago=200)
        fill(here, client, ago=30 + late, days=30)
        assert counts(asked(here, "tx", boundary=boundary))["curr"] == current

    def test_the_identity_holds_and_everybody_is_where_they_belong(self, here: Clinic) -> None:
        stays = on_art(here, ago=400)  # on it before and after
        fill(here, stays, ago=120, days=90)
        fill(here, stays, ago=20, days=90)
        new = on_art(here, ago=40)
        fill(here, new, ago=40, days=60)
        back = on_art(here, ago=400)  # interrupted before the period, returned in it
        fill(here, back, ago=300, days=30)
        fill(here, back, ago=10, days=30)
        lost = on_art(here, ago=400)  # interrupted in the period after more than 6 months
        fill(here, lost, ago=110, days=60)
        new_and_lost = on_art(here, ago=80)
        fill(here, new_and_lost, ago=80, days=10)
        stopped = on_art(here, ago=300)
        fill(here, stopped, ago=100, days=90)
        with here.database.reading() as session:
            treatment = session.execute(
                text("SELECT id FROM treatment WHERE client_id = :c"), {"c": stopped}
            ).scalar_one()
        stop(here, treatment, ago=20)
        died = on_art(here, ago=300)
        fill(here, died, ago=100, days=200)
        with here.database.writing() as session:
            episode = session.execute(text("SELECT id FROM episode WHERE client_id = :c"), {"c": died}).scalar_one()
            end_episode(
                session, actor=here.doctor, episode_id=episode, ended_on=here.today, reason=ExitReason.DIED, at=here.now
            )
        joined = on_art(here, ago=500)  # treated elsewhere before, first supplied here in the period
        fill(here, joined, ago=30, days=60)
        on_art(here, ago=300)  # supplied elsewhere
        found = asked(here, "tx", period=quarter(here))
        told = counts(found)
        assert told == {
            "curr_before": "4", "new": "2", "joined": "1", "rtt": "1",
            "rtt_under_3": "0", "rtt_3_to_5": "0", "rtt_6_and_more": "1",
            "ml": "4", "ml_died": "1", "ml_transferred": "0", "ml_stopped": "1",
            "ml_iit_under_3": "1", "ml_iit_3_to_5": "0", "ml_iit_6_and_more": "1", "curr": "4",
        }  # fmt: skip
        n = {key: int(count) for key, count in told.items()}
        assert n["curr"] == n["curr_before"] + n["new"] + n["joined"] + n["rtt"] - n["ml"]
        assert found.excluded == {"no_refill": 1}

    def test_one_quarter_ends_where_the_next_begins(self, here: Clinic) -> None:
        for n in range(6):
            client = on_art(here, ago=350)
            for ago in range(330, n * 40, -45):
                fill(here, client, ago=ago, days=40)
        first = counts(asked(here, "tx", period=quarter(here, ago=90)))
        assert counts(asked(here, "tx", period=quarter(here)))["curr_before"] == first["curr"]

    def test_what_was_refilled_later_is_not_seen_from_before(self, here: Clinic) -> None:
        client = on_art(here, ago=200)
        fill(here, client, ago=60, days=30)
        before = here.now
        here.move_on(10)
        fill(here, client, ago=0, days=30)
        period = Period(date(2026, 1, 1), date(2026, 12, 31))
        assert counts(asked(here, "tx", period=period))["curr"] == "1"
        assert counts(asked(here, "tx", period=period, as_of=before))["curr"] == "0"

    def test_the_last_viral_load_within_a_year_is_what_counts(self, here: Clinic) -> None:
        loads = [("40", 10), ("1000", 10), ("999", 10), ("50000", 300), (None, 0)]
        for load, ago in loads:
            client = on_art(here, ago=200)
            fill(here, client, ago=10, days=30)
            if load:
                measured_as(here, client, "viral_load", load, ago=ago)
        recent = on_art(here, ago=60)
        fill(here, recent, ago=10, days=30)
        again = on_art(here, ago=500)
        fill(here, again, ago=10, days=30)
        measured_as(here, again, "viral_load", "90000", ago=100)
        measured_as(here, again, "viral_load", "20", ago=5)
        old = on_art(here, ago=500)
        fill(here, old, ago=10, days=30)
        measured_as(here, old, "viral_load", "20", ago=366)
        found = asked(here, "tx-pvls")
        assert figures(found) == {"eligible": ("7", "None"), "tested": ("5", "7"), "suppressed": ("3", "5")}
        assert found.excluded == {"too_short": 1}


class TestArt:
    def test_every_medicine_of_the_regimen_counts_on_the_days_on_which_it_is_taken(self, here: Clinic) -> None:
        """Of 100 days one medicine lasts for all, the other for the first 60; the switch of a third is no gap."""
        client = here.client()
        treat(here, client, "art", ago=99, of=("dolutegravir", "lamivudine"))
        fill(here, client, ago=99, days=100, of="dolutegravir")
        fill(here, client, ago=99, days=60, of="lamivudine")
        found = asked(here, "art-adherence")
        assert figures(found)["pdc"] == ("60", "100")
        assert figures(found)["mpr"] == ("0.8", "1")
        assert figures(asked(here, "art-adherence", good_percent="60"))["good"] == ("1", "1")

    def test_what_is_left_is_used_first(self, here: Clinic) -> None:
        client = on_art(here, ago=59)
        fill(here, client, ago=59, days=30)
        fill(here, client, ago=49, days=30)  # ten days in, so that both last for the 60 days
        assert figures(asked(here, "art-adherence"))["pdc"] == ("60", "60")

    @pytest.mark.skipif(not ADHERER.is_dir(), reason="the published measures are not beside the project")
    def test_mean_cma7_and_cma2_of_the_published_data(self, here: Clinic) -> None:
        """All 100 people moved so that each has their first refill on one day: one period of 365 days for all."""
        with (ADHERER / "adherer_med_events.csv").open() as file:
            events = [
                (row["PATIENT_ID"], datetime.strptime(row["DATE"], "%m/%d/%Y").date(), int(row["DURATION"]))  # noqa: DTZ007
                for row in csv.DictReader(file)
            ]
        began = here.today - timedelta(days=364)
        here.client()  # of whose sealed name the others have a copy
        first = {who: min(on for other, on, _ in events if other == who) for who, _, _ in events}
        with here.database.writing() as session:
            site, at = here.site_id, here.now
            for who in first:
                session.execute(
                    text(
                        "WITH c AS (INSERT INTO client (id, site_id, number, name_sealed, sex, made_at)"
                        " SELECT gen_random_uuid(), :site, :who, name_sealed, 'unknown', :at FROM client LIMIT 1"
                        " RETURNING id),"
                        " t AS (INSERT INTO treatment"
                        " (id, client_id, site_id, kind, started_on, observed, stop_reason, entered_at)"
                        "  SELECT gen_random_uuid(), id, :site, 'art', :began, false, '', :at FROM c"
                        "  RETURNING id, client_id)"
                        " INSERT INTO medication (id, client_id, site_id, treatment_id, substance, name, started_on,"
                        "  stop_reason, entered_at)"
                        " SELECT gen_random_uuid(), client_id, :site, id, 'a', 'a', :began, '', :at FROM t"
                    ),
                    {"site": site, "who": f"P{who}", "at": at, "began": began},
                )
            for n, (who, on, days) in enumerate(events):
                session.execute(
                    text(
                        "INSERT INTO refill"
                        " (id, medication_id, on_day, days, observed, source_key, given_at, void_reason)"
                        " SELECT gen_random_uuid(), m.id, :on, :days, false, :key, :at, '' FROM medication m"
                        " JOIN client c ON c.id = m.client_id WHERE c.number = :who"
                    ),
                    {"on": began + (on - first[who]), "days": days, "key": f"{n}", "at": at, "who": f"P{who}"},
                )
        found = asked(here, "art-adherence", period=Period(began, here.today + timedelta(days=1)))
        mean = {row.indicator: row.value for row in found.rows}
        with (ADHERER / "adherer_cma_365d.csv").open() as file:
            published = list(csv.DictReader(file))
        assert round(float(mean["mean"]), 7) == 0.6140548
        assert abs(float(mean["mean"]) - sum(float(row["CMA7"]) for row in published) / len(published)) < 1e-8

    def test_the_cascade_step_by_step(self, here: Clinic) -> None:
        has(here, here.client(), "hiv")  # not on ART
        here.client()  # no HIV
        measured_as(here, here.client(), "hiv_test", "positive", ago=30)
        for load in (None, "40", "500", "20000"):
            client = on_art(here, ago=100)
            fill(here, client, ago=100, days=101)
            if load:
                measured_as(here, client, "viral_load", load, ago=10)
        late = on_art(here, ago=100)
        fill(here, late, ago=100, days=50)
        assert figures(asked(here, "art-cascade")) == {
            "in_care": ("7", "None"),
            "on_art": ("5", "7"),
            "refilled": ("4", "5"),
            "tested": ("3", "5"),
            "suppressed": ("2", "3"),
            "undetectable": ("1", "3"),
        }


class TestHepatitis:
    def test_the_cascade_step_by_step(self, here: Clinic) -> None:
        here.client()
        measured_as(here, here.client(), "hcv_antibody", "negative", ago=300)
        only_antibody = here.client()
        measured_as(here, only_antibody, "hcv_antibody", "positive", ago=300)
        cleared = here.client()
        measured_as(here, cleared, "hcv_antibody", "positive", ago=300)
        measured_as(here, cleared, "hcv_rna_test", "negative", ago=290)
        for weeks, cure in ((None, None), (3, None), (12, None), (12, "negative"), (12, "positive")):
            client = here.client()
            measured_as(here, client, "hcv_antibody", "positive", ago=300)
            measured_as(here, client, "hcv_rna_test", "positive", ago=290)
            if weeks:
                treatment = treat(here, client, "hcv", ago=100 + 7 * weeks, of=("sofosbuvir",))
                stop(here, treatment, ago=100)
            if cure:
                measured_as(here, client, "hcv_rna_test", cure, ago=100 - 84)  # twelve weeks after the end, to the day
        found = asked(here, "hcv-cascade")
        assert figures(found) == {
            "in_care": ("9", "None"),
            "antibody": ("8", "9"),
            "positive": ("7", "8"),
            "rna": ("6", "7"),
            "rna_found": ("5", "6"),
            "treated": ("4", "5"),
            "finished": ("3", "4"),
            "due": ("3", "3"),
            "assessed": ("2", "3"),
            "cured": ("1", "2"),
        }
        assert figures(asked(here, "hcv-cascade", svr_from_weeks="13"))["assessed"] == ("0", "3")

    def test_liver_tests_that_are_done_and_late(self, here: Clinic) -> None:
        """24 May is six months before 24 November."""
        for noted, ago in ((400, 10), (400, 184), (400, 185), (400, None), (0, None)):
            client = here.client()
            has(here, client, "hepatitis_c", ago=noted)
            if ago is not None:
                measured_as(here, client, "alt", "30", ago=ago)
        assert figures(asked(here, "liver")) == {
            "watched": ("5", "None"),
            "done": ("2", "5"),
            "late": ("2", "5"),
            "not_yet": ("1", "5"),
        }


class TestTuberculosis:
    def test_the_cascade_step_by_step(self, here: Clinic) -> None:
        here.client()
        measured_as(here, here.client(), "tb_screen", "no sign", ago=30)
        for result, treated in ((None, False), ("negative", False), ("positive", False), ("positive", True)):
            client = here.client()
            measured_as(here, client, "tb_screen", "signs", ago=30)
            if result:
                measured_as(here, client, "tb_test", result, ago=25)
            if treated:
                treat(here, client, "tb", ago=20, of=("rifampicin",))
        otherwise = here.client()
        treat(here, otherwise, "tb", ago=20, of=("rifampicin",))
        before = here.client()
        treat(here, before, "tb", ago=200, of=("rifampicin",))
        found = asked(here, "tb-cascade", period=quarter(here))
        assert figures(found) == {
            "in_care": ("7", "None"),
            "screened": ("5", "7"),
            "signs": ("4", "5"),
            "tested": ("3", "4"),
            "found": ("2", "3"),
            "treated": ("1", "2"),
            "all_treated": ("2", "None"),
        }
        assert found.excluded == {"already": 1}


def test_the_programme_in_figures(here: Clinic) -> None:
    history(here, ("A", 0, 50), ("B", 0, 300))
    measured_as(here, here.client(), "hiv_test", "negative", ago=10)
    found = asked(here, "programme")
    told = figures(found)
    assert told["registered"] == ("3", "None")
    assert told["dosed"] == ("2", "None")
    assert told["carried"] == ("0", "2")
    assert told["tested_hiv"] == ("1", told["in_care"][0])
    assert Decimal(told["in_care"][0]) >= 1
