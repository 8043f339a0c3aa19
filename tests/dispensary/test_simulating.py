"""`dispensary simulate queue`: for the model clinic, for a site's own numbers, and when these are too few."""

from __future__ import annotations

import re
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from xml.etree import ElementTree

import pytest
from click.testing import CliRunner, Result

import scheduling.calling
import scheduling.service
from dispensary.cli import main
from dispensary.database import Database
from scheduling.queue_rules import QueueRules
from scheduling.rules import Hours
from tests.builders import Clinic, clinic
from tests.scheduling.stamped import mornings

QUICK = ("--mornings", 3)


@pytest.fixture
def run(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("DATABASE_URL", database_url.replace("+psycopg", ""))
    monkeypatch.setenv("DISPENSARY_DATA", str(tmp_path / "data"))

    def command(*words: object) -> Result:
        return CliRunner().invoke(main, ["simulate", "queue", *(str(word) for word in words)])

    return command


@pytest.fixture
def site(database: Database, now: datetime) -> Clinic:
    """Open on every weekday from seven to ten, two windows, slots of a quarter of an hour."""
    place = clinic(database, now)
    with database.writing() as session:
        hours = [Hours(day, time(7), time(10), 15, 6, 2) for day in range(7)]
        scheduling.service.set_hours(
            session, place_id=place.site_id, hours=hours, from_day=place.today - timedelta(400)
        )
    return place


def afternoon(weekday: int) -> list[Hours]:
    return [Hours(weekday, time(15, 30), time(16, 30), 15, 9, 1)]


def figures(output: str, plan: str) -> list[float]:
    row = next(line for line in output.splitlines() if line.startswith(f"{plan:<15}"))
    return [float(word) for word in row.removeprefix(plan).split()]


class TestModelClinic:
    def test_five_plans_are_compared_and_what_would_change_is_said(self, run) -> None:
        said = run("--mornings", 20)

        assert said.exit_code == 0, said.output
        assert figures(said.output, "walk-in")[0] > 10 * figures(said.output, "advised")[0]
        assert "12 slots of 18 have room for 216, and 200 would book: everybody finds a place." in said.output
        for what in ("With 3 windows:", "With 1 window:", "Open 30 minutes longer:", "With services a tenth shorter:"):
            assert what in said.output

    def test_the_same_seed_says_the_same(self, run) -> None:
        assert run(*QUICK).output == run(*QUICK).output != run(*QUICK, "--seed", 2).output

    def test_a_crowd_that_does_not_fit_hears_what_it_would_take(self, run) -> None:
        said = run(*QUICK, "--clients", 300).output

        assert "84 find no place. It would take 3 windows instead of 2, or 75 minutes longer." in said

    def test_the_day_is_drawn(self, run, tmp_path: Path) -> None:
        file = tmp_path / "day.svg"
        said = run(*QUICK, "--svg", file)
        drawing = ElementTree.parse(file).getroot()

        assert f"The day is drawn in {file}." in said.output
        assert len(drawing.findall("{http://www.w3.org/2000/svg}polyline")) == 5
        assert "advised" in file.read_text()

    @pytest.mark.parametrize(
        "words",
        [("--absent", "nan"), ("--clients", "0"), ("--service-mean", "1e500"), ("--slot", "200"), ("--windows", "0")],
        ids=" ".join,
    )
    def test_a_figure_that_cannot_be_is_one_clear_mistake(self, run, words) -> None:
        said = run(*QUICK, *words)

        assert said.exit_code == 2
        assert "Traceback" not in said.output


class TestSite:
    def test_its_own_hours_people_and_stamps(self, run, site: Clinic, database: Database, tmp_path: Path) -> None:
        yesterday = datetime.now(UTC).date() - timedelta(days=1)
        mornings(database, site.site_id, [yesterday, yesterday - timedelta(days=7)])
        weekday = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")[yesterday.weekday()]
        said = run(*QUICK, "--site", "HRP", "--weekday", weekday)

        assert said.exit_code == 0, said.output
        assert (
            "a service takes 1.50 min, at most 1.50 on average with 95% confidence (n=118), nobody absent"
            in said.output
        )
        assert "60 people, open 180 min, 2 windows, service 1.50 min" in said.output
        assert "100% without booking" in said.output
        drawing = tmp_path / "day.svg"
        assert run(*QUICK, "--site", "HRP", "--weekday", weekday, "--unbooked", 0, "--svg", drawing).exit_code == 0
        assert "07:00" in drawing.read_text()

    def test_a_day_with_a_break_is_simulated_whole_and_called_by_the_sites_own_rule(
        self, run, site: Clinic, database: Database, tmp_path: Path
    ) -> None:
        yesterday = datetime.now(UTC).date() - timedelta(days=1)
        weekday = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")[yesterday.weekday()]
        with database.writing() as session:
            hours = [Hours(yesterday.weekday(), time(7), time(9), 15, 18, 2), *afternoon(yesterday.weekday())]
            scheduling.service.set_hours(session, place_id=site.site_id, hours=hours, from_day=yesterday)
            rules = QueueRules(walk_in_minutes=45)
            scheduling.calling.set_queue_rules(session, place_id=site.site_id, rules=rules)
        mornings(database, site.site_id, [yesterday - timedelta(days=7)], people=100, minutes=1.1)
        mornings(database, site.site_id, [yesterday], people=40, minutes=1.1, opens=time(15, 30))
        drawing = tmp_path / "day.svg"
        said = run(*QUICK, "--site", "HRP", "--weekday", weekday, "--unbooked", 0, "--svg", drawing)

        assert said.exit_code == 0, said.output
        assert f"HRP, {weekday} 07:00 to 09:00, 15:30 to 16:30." in said.output
        assert "A usual day of the last half year had 70 people (of 2 days). 2 are few" in said.output
        assert "07:00: 50 people, open 120 min, 2 windows" in said.output
        assert "15:30: 20 people, open 60 min, 1 window" in said.output
        assert "stands among the booked after 45 min" in said.output
        assert "0 bookings ended so far; 100 are needed to say how many stay away: all are expected." in said.output
        assert "With one window more:" in said.output
        opened = ElementTree.parse(drawing).getroot().findall("{http://www.w3.org/2000/svg}rect[@fill='#f3f4f6']")
        assert len(opened) == 2
        refused = run(*QUICK, "--site", "HRP", "--weekday", weekday, "--opening", 60)
        assert (refused.exit_code, "has a break that day" in refused.output) == (2, True)
        shared = run(*QUICK, "--site", "HRP", "--weekday", weekday, "--clients", 140).output
        assert "07:00: 100 people" in shared
        assert "15:30: 40 people" in shared

    def test_a_thinly_booked_day_is_said_to_be_one(self, run) -> None:
        thin, full = run(*QUICK, "--clients", 60).output, run(*QUICK).output

        assert "It is thinly booked: 60 people for 216 advised places." in thin
        assert "slots of 5 would spread them over the hours" in thin
        assert figures(thin, "advised, usual")[0] < figures(thin, "advised")[0]
        assert "thinly" not in full

    def test_too_few_services_are_said_and_no_figure_is_invented(self, run, site: Clinic, database: Database) -> None:
        mornings(database, site.site_id, [datetime.now(UTC).date() - timedelta(days=1)], people=20)
        said = run(*QUICK, "--site", "HRP", "--clients", 60)

        assert said.exit_code == 2
        assert re.search(r"^19 services were stamped while somebody waited; 100 are needed", said.output)
        helped = run(*QUICK, "--site", "HRP", "--clients", 60, "--service-mean", 1, "--service-cv", 0.4)
        assert helped.exit_code == 0, helped.output
        assert "60 people" in helped.output

    def test_an_unknown_site_one_without_hours_and_one_without_people(
        self, run, database: Database, now: datetime
    ) -> None:
        assert "no site with the code" in run("--site", "NONE").output
        place = clinic(database, now, code="NEW")
        without = run("--site", "NEW")
        assert (without.exit_code, "has no hours yet" in without.output) == (2, True)
        with database.writing() as session:
            hours = [Hours(day, time(7), time(10), 15, 6, 2) for day in range(6)]
            scheduling.service.set_hours(session, place_id=place.site_id, hours=hours, from_day=place.today)
        assert run("--site", "NEW", "--weekday", "sun").output.startswith("NEW does not open on that weekday.")
        assert run("--site", "NEW").output.startswith("Nobody came on this weekday yet.")
