"""Measures of doses, days, take-home and waiting, each on a clinic that is counted by hand."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal

import pytest
from sqlalchemy import text

from dispensary.clients.rules import ExitReason
from dispensary.clients.service import end_episode
from dispensary.database import Database
from dispensary.evaluation.queries import Period
from dispensary.units import ClientId, DoseDay
from tests.builders import Clinic, clinic
from tests.dispensary.measured import START, YEAR, asked, figures, history


@pytest.fixture
def here(database: Database, now) -> Clinic:
    return clinic(database, now)


def value(found, indicator: str) -> Decimal | None:
    return next(row.value for row in found.rows if row.indicator == indicator and set(row.strata) <= {"all"})


def leave(here: Clinic, number: str, on: date, reason: ExitReason) -> None:
    with here.database.writing() as session:
        sql = "SELECT e.id FROM episode e JOIN client c ON c.id = e.client_id WHERE c.number = :n"
        episode = session.execute(text(sql), {"n": number}).scalar_one()
        end_episode(session, actor=here.doctor, episode_id=episode, ended_on=on, reason=reason, at=here.now)


def queued(here: Clinic, client: ClientId, arrived: int, started: int | None, *, ended: int | None, left: bool = False):
    """A visit with its stamps, in minutes from now."""
    at = {
        name: None if minutes is None else here.now + timedelta(minutes=minutes)
        for name, minutes in (("arrived", arrived), ("started", started), ("ended", ended))
    }
    with here.database.writing() as session:
        session.execute(
            text(
                "INSERT INTO visit (id, place_id, holder_id, day, ticket, arrived_at, started_at, ended_at, group_word,"
                " priority, calls, skips, left_unserved) VALUES (gen_random_uuid(), :place, :holder, :day,"
                " (SELECT count(*) + 1 FROM visit), :arrived, :started, :ended, '', 0, 0, 0, :left)"
            ),
            {"place": here.site_id, "holder": client, "day": here.today, "left": left, **at},
        )


class TestAdherence:
    def test_days_covered_of_days_ordered_by_month(self, here: Clinic) -> None:
        """A has 22 days of January and 28 of February, B 12 of January's 22: the others lie between doses."""
        history(here, ("A", 0, 50), ("B", 0, 11), ("B", 21, 22))
        found = asked(here, "adherence", by=("month",))
        rows = {(row.indicator, row.strata): (row.numerator, row.denominator) for row in found.rows}
        assert rows["pdc", ("2026-01",)] == (22 + 12, 22 + 22)
        assert rows["pdc", ("2026-02",)] == (28, 28)
        assert rows["good", ("all",)] == (2, 3)
        assert value(found, "median") == 1

    def test_a_held_day_leaves_the_denominator_and_is_counted(self, here: Clinic) -> None:
        history(here, ("A", 0, 10))
        with here.database.writing() as session:
            session.execute(text("ALTER TABLE day_outcome DISABLE TRIGGER USER"))
            session.execute(text("UPDATE day_outcome SET outcome = 'held' WHERE dose_day = date '2026-01-12'"))
        found = asked(here, "adherence")
        assert figures(found)["pdc"] == ("9", "9")
        assert found.excluded == {"held": 1, "open": 0}


class TestDoses:
    def test_bands_add_up_to_all_who_have_an_order(self, here: Clinic) -> None:
        for mg in ("39.99", "40", "59.99", "60", "79.99", "80", "100", "120", "120.01"):
            here.client(mg=mg)
        found = asked(here, "doses")
        bands = ("below_40", "from_40", "from_60", "from_80", "from_100", "above_120")
        assert [figures(found)[band] for band in bands] == [
            ("1", "9"), ("2", "9"), ("2", "9"), ("1", "9"), ("2", "9"), ("1", "9"),
        ]  # fmt: skip
        assert value(found, "median") == Decimal("79.99")
        assert value(found, "p95") == Decimal("120.01")


class TestTimeOnTreatment:
    def test_person_time_lies_between_the_later_start_and_the_earlier_end(self, here: Clinic) -> None:
        """A: 100 days, 69 from 10 February on. B began 11 days before 1 June, and is in treatment to the end."""
        history(here, ("A", 0, 100), ("B", 131, 318))
        year = asked(here, "prv-12")
        assert figures(year)["person_days"] == (f"{100 + (318 - 131) + 1}", "None")
        part = asked(here, "prv-12", period=Period(date(2026, 2, 10), date(2026, 6, 1)))
        assert figures(part)["person_days"] == (f"{69 + 11}", "None")
        assert value(part, "person_years") == (Decimal(80) / Decimal("365.25")).quantize(Decimal("0.00000001"))

    def test_six_months_are_counted_from_each_start_and_the_too_young_are_left_out(self, here: Clinic) -> None:
        """From 10 January six months are 181 days. B left a day before; C began too late, and D too late and left."""
        history(here, ("A", 0, 181), ("B", 0, 180), ("C", 150, 318), ("D", 180, 190))
        found = asked(here, "prv-13")
        assert figures(found) == {"retained": ("1", "2")}
        assert found.excluded == {"too_young": 2, "transferred": 0}

    def test_a_transfer_counts_as_leaving_or_is_left_out(self, here: Clinic) -> None:
        history(here, ("A", 0, 100), ("B", 0, 200))
        leave(here, "A", START + timedelta(days=100), ExitReason.TRANSFERRED)
        assert figures(asked(here, "prv-13")) == {"retained": ("1", "2")}
        without = asked(here, "prv-13", transferred="excluded")
        assert (figures(without), without.excluded["transferred"]) == ({"retained": ("1", "1")}, 1)

    def test_on_treatment_at_a_date_through_a_gap_that_is_allowed(self, here: Clinic) -> None:
        """24 November is day 318: A's last day is 30 days before it, B's 31. C left, and came in the period."""
        history(here, ("A", 200, 289), ("B", 200, 288), ("C", 200, 318))
        leave(here, "C", START + timedelta(days=318), ExitReason.COMPLETED)
        assert figures(asked(here, "prv-11")) == {"on_oamt": ("1", "3")}
        assert figures(asked(here, "prv-11", gap_days="31")) == {"on_oamt": ("2", "3")}

    def test_retention_in_a_line_is_that_of_the_whole_export(self, here: Clinic) -> None:
        history(here, ("A", 0, 59), ("B", 0, 90), ("C", 0, 181), ("D", 0, 318))
        found = asked(here, "retention-months")
        told = {row.indicator: (row.denominator, row.value) for row in found.rows}
        assert told["stays"] == (4, 1)
        assert told["after_3"] == (3, Decimal("0.5"))
        assert told["after_6"] == (2, Decimal("0.25"))
        assert told["after_12"] == (0, None)


class TestTakeHome:
    def test_who_carries_how_many_days_and_for_how_long_at_once(self, here: Clinic) -> None:
        one, other = here.client(), here.client()
        here.decide(one, per_supply=6)
        here.give(one, take_home_days=here.ahead(1, 2, 3))
        here.give(other)
        found = asked(here, "take-home")
        assert figures(found)["allowed"] == ("1", "2")
        assert figures(found)["users"] == ("1", "2")
        assert figures(found)["days"] == ("3", "5")
        assert value(found, "length_median") == 3

    def test_missed_days_before_and_after_within_the_client(self, here: Clinic) -> None:
        client = here.client()
        here.decide(client, per_supply=6)
        here.give(client, observed=False, take_home_days=here.ahead(1, 2))
        with here.database.writing() as session:
            order = session.execute(text("SELECT id, episode_id FROM dose_order")).one()
            session.execute(text("ALTER TABLE day_outcome DISABLE TRIGGER USER"))
            session.execute(
                text(
                    "INSERT INTO day_outcome SELECT :client, d.day, 1, 1, :site, :episode, :order, 80, 0, 'missed', :at"
                    " FROM generate_series(CAST(:today AS date) - 3, CAST(:today AS date) + 2, interval '1 day') d(day)"
                ),
                {
                    "client": client, "site": here.site_id, "episode": order.episode_id, "order": order.id,
                    "at": here.now, "today": here.today,
                },
            )  # fmt: skip
        found = asked(here, "missed-days", window_days="7", least_days="2")
        # The first take-home day is tomorrow: four ordered days before it, all missed; two from it on, both covered.
        assert figures(found) == {"before": ("4", "4"), "after": ("0", "2"), "fewer": ("1", "1")}
        assert asked(here, "missed-days").excluded == {"too_few": 1}


class TestWaiting:
    def test_stamps_that_are_missing_or_cannot_be_are_counted_and_not_averaged(self, here: Clinic) -> None:
        people = [here.client() for _ in range(7)]
        for client, (arrived, started, ended, left) in zip(
            people,
            [
                (-60, -45, -40, False),  # exactly 15 minutes: not over 15
                (-60, -44, -40, False),
                (-60, -29, -25, False),  # 31 minutes
                (-60, None, -30, True),  # left
                (-60, None, -30, False),  # no stamp
                (-60, -61, -50, False),  # before they came
                (-5, None, None, False),  # waits
            ],
            strict=True,
        ):
            queued(here, client, arrived, started, ended=ended, left=left)
        found = asked(here, "waiting")
        told = figures(found)
        assert told["visits"] == ("7", "None")
        assert (told["missing"], told["negative"], told["left"]) == (("1", "7"), ("1", "7"), ("1", "7"))
        assert (told["over_first"], told["over_second"]) == (("2", "3"), ("1", "3"))
        assert (value(found, "median"), value(found, "p95")) == (16, 31)


def test_the_period_ends_on_its_last_day(here: Clinic) -> None:
    """A bottle for a day after the period is not in it."""
    client = here.client()
    here.decide(client, per_supply=6)
    here.give(client, take_home_days=here.ahead(1, 2, 3))
    until = Period(YEAR.from_day, DoseDay(here.today + timedelta(days=2)))
    assert figures(asked(here, "take-home", period=until))["days"] == ("1", "2")
