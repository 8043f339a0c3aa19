"""A week at a clinic whose tables lie in months, over the end of one; and which months each of its statements reads.

`auto_explain` tells every statement's plan as it was run, those within triggers too, with the schema of each part.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import psycopg
import pytest
from psycopg.errors import Diagnostic
from sqlalchemy import event, text

from dispensary.clients.models import Episode
from dispensary.clients.rules import ExitReason
from dispensary.clients.service import end_episode
from dispensary.database import Database, ReadSession
from dispensary.erasing.service import shred
from dispensary.evaluation.answering import answer
from dispensary.evaluation.queries import Period
from dispensary.jobs import make_months_to_come
from dispensary.keys import Vault
from dispensary.looks.told import told_of
from dispensary.looks.unusual import unusual_looks
from dispensary.parts.dividing import divide, divide_by_month
from dispensary.parts.tables import BY_MONTH, FEWEST
from dispensary.reporting.programme import asked_of, export_report
from dispensary.staff.queries import Place, sites
from dispensary.staff.rules import the_program
from dispensary.stock.models import RegisterBook
from dispensary.stock.queries import register_lines
from dispensary.supplies.dose_files import DoseLine, Reading
from dispensary.supplies.history import import_doses
from dispensary.supplies.printing.register_rows import book_between
from dispensary.units import ClientId, DoseDay, milligrams
from tests.builders import Clinic
from tests.dispensary.guest_place import TwoSites, two_sites
from tests.dispensary.parts_place import all_whole, held, quiet, straight
from tests.dispensary.test_closing import close
from tests.dispensary.test_moves import moved
from tests.dispensary.test_parts import walk
from tests.dispensary.test_voiding import PIN, void
from tests.dispensary.visiting import has_pin

FIRST = datetime(2026, 11, 26, 23, 0, tzinfo=UTC)
"""The morning of a Friday in November: the week ends in December."""
DIVIDED = date(2026, 9, 10)
"""Nobody ran a night since then, so that the months from December on were not there."""
OCTOBER, NOVEMBER, DECEMBER, REST = "month_202610", "month_202611", "month_202612", "month_rest"
EARLIER, LATER = ("month_202609", OCTOBER, NOVEMBER), ("month_202701", REST)
Answer = TypeVar("Answer")


@dataclass
class Told:
    """Which months of each table were read, by what they were read for."""

    about: str = ""
    read: dict[str, dict[str, set[str]]] = field(default_factory=dict)

    def hear(self, notice: Diagnostic) -> None:
        if self.about and "plan:" in (notice.message_primary or ""):
            plan = json.loads(str(notice.message_primary).split("plan:", 1)[1])
            for step in walk(plan["Plan"]):
                if step.get("Schema", "").startswith("month_") and step["Actual Loops"]:
                    self.read[self.about].setdefault(step["Relation Name"], set()).add(step["Schema"])

    def attach(self, connection: psycopg.Connection[Any], record: object) -> None:
        settings = {"min_duration": "0", "analyze": "on", "timing": "off", "format": "json", "nested_statements": "on"}
        connection.execute("LOAD 'auto_explain'")
        for name, value in (settings | {"level": "notice", "verbose": "on"}).items():
            connection.execute(f"SET auto_explain.log_{name} = '{value}'")
        connection.execute("SET client_min_messages = notice")
        connection.commit()
        connection.add_notice_handler(self.hear)

    def of(self, about: str, act: Callable[[], Answer]) -> Answer:
        self.about = about
        self.read[about] = {}
        try:
            return act()
        finally:
            self.about = ""


@dataclass
class Week:
    """Two sites whose tables lie in months, and who was dosed there."""

    sites: TwoSites
    told: Told
    clients: list[ClientId]

    @property
    def home(self) -> Clinic:
        return self.sites.home

    @property
    def place(self) -> Place:
        with self.sites.database.reading() as session:
            return next(each for each in sites(session) if each.id == self.home.site_id)

    def day(self) -> list[Any]:
        """Everybody is dosed; both sites close, and the clock goes on."""
        supplies = [self.told.of("a dose", lambda client=client: self.home.give(client)) for client in self.clients]
        self.told.of("the night closes a day", lambda: close(self.home, counted=False))
        close(self.sites.guest, counted=False)
        self.sites.move_on()
        return supplies

    def reads(self, about: str, act: Callable[[ReadSession], object]) -> dict[str, set[str]]:
        """Which months are read; what PostgreSQL tells of the last statement comes with one more."""
        with self.sites.database.reading() as session:
            self.told.of(about, lambda: (act(session), session.execute(text("SELECT 1"))))
        return self.told.read[about]


@pytest.fixture
def week(database: Database, vault: Vault) -> Week:
    all_whole(database)
    for table in BY_MONTH:
        divide_by_month(database, table, today=DIVIDED, progress=quiet)
    divide(database, "message", parts=FEWEST, progress=quiet)
    told = Told()
    explained = Database(database.url, vault)
    for engine in explained._engines:
        event.listen(engine, "connect", told.attach)
    here = two_sites(explained, FIRST)
    with database.writing() as session:
        days = [DoseDay(DIVIDED.replace(day=1) + timedelta(days=n)) for n in range(60)]
        lines = [DoseLine(n, "A", day, milligrams("80")) for n, day in enumerate(days, start=2)]
        reading = Reading(tuple(lines), (), {}, 0)
        import_doses(session, actor=the_program(here.home.site_id), reading=reading, at=FIRST)
    has_pin(database, here.home.doctor, PIN, FIRST)
    return Week(here, told, [here.home.client() for _ in range(4)])


def in_the_rest(database: Database, table: str) -> int:
    with straight(database) as connection:
        return int((connection.execute(f"SELECT count(*) FROM month_rest.{table}").fetchone() or (0,))[0])


def test_a_week_is_worked_over_the_end_of_a_month_and_nothing_is_otherwise(week: Week, database: Database) -> None:
    home = week.home
    for number in range(7):
        supplies = week.day()
        if number == 4:
            assert in_the_rest(database, "register_line") == 4, "the first of December has no month yet"
            assert make_months_to_come(database, lambda: home.now)
            assert in_the_rest(database, "register_line") == 0
        if number == 5:  # of a day that is closed, in the month that was made a night ago
            void(home, supplies[2].supply_id, second=home.doctor, pin=PIN)
    void(home, home.give(week.clients[0]).supply_id, key="void-key-2")
    moved(week.sites, week.clients[1])
    gone = week.clients[3]
    with database.writing() as session:
        episode = session.query(Episode).filter_by(client_id=gone).one()
        end_episode(session, actor=home.doctor, episode_id=episode.id, ended_on=home.today,
                    reason=next(iter(ExitReason)), at=home.now)  # fmt: skip
    close(home)
    with database.writing() as session:
        shred(session, client_id=gone, day=home.today, at=home.now)
    assert week.sites.damage() == []
    frozen = (
        "SELECT date_trunc('month', dose_day)::date::text, tableoid::regclass::text, count(*) FROM {} GROUP BY 1, 2"
    )
    with straight(database) as connection:
        for table in ("day_outcome", "register_line"):
            for month, part, _ in connection.execute(frozen.format(table)).fetchall():
                assert part == f"month_{month[:7].replace('-', '')}.{table}"
        assert connection.execute("SELECT count(*) FROM day_correction").fetchone() == (1,)
    rows = held(database)
    all_whole(database)
    assert held(database) == rows
    assert week.sites.damage() == []


def test_what_gives_a_day_reads_the_months_of_that_time_alone(week: Week, database: Database, tmp_path: Path) -> None:
    home, told = week.home, week.told
    make_months_to_come(database, lambda: home.now)
    for _ in range(6):
        week.day()
    assert told.read["a dose"] == {"day_outcome": {DECEMBER}}, "a line and an entry are added, and none is read"
    closed = told.read["the night closes a day"]
    assert closed["day_outcome"] == {DECEMBER, *LATER}, "what was counted before is not looked at again"
    assert closed["register_line"] == {*EARLIER, DECEMBER, REST}, "what stood in the safe before a week without lines"
    assert "audit_entry" not in closed
    day, place = date(2026, 12, 2), week.place
    with database.reading() as session:
        book = session.query(RegisterBook).filter_by(site_id=home.site_id).one()
    november = Period(date(2026, 11, 1), date(2026, 12, 1))
    asked = asked_of([place], november, home.now, home.now)
    acts: dict[str, tuple[Callable[[ReadSession], object], dict[str, set[str]]]] = {
        "a page of the register": (
            lambda session: register_lines(session, book_id=book.id, first=day, last=day),
            {"register_line": {DECEMBER}},
        ),
        "the month's figures, as known now": (
            lambda session: answer(session, asked),
            {"day_outcome": {NOVEMBER}, "audit_entry": {DECEMBER, *LATER}},
        ),
        "the month's report, with who stayed of those who began in three years": (
            lambda session: export_report(session, asked=asked, path=tmp_path / "report.csv"),
            {"day_outcome": {*EARLIER}, "audit_entry": {DECEMBER, *LATER}},
        ),
        "what was done about a client on a day": (
            lambda session: told_of(session, site=place, client_id=week.clients[0], since=day, until=day),
            {"audit_entry": {DECEMBER}},
        ),
        "looks of a day beside those of sixty days before": (
            lambda session: unusual_looks(session, site=place, first=day, last=day),
            {"audit_entry": {OCTOBER, NOVEMBER, DECEMBER}},
        ),
        "a printed register, with what was corrected, whenever": (
            lambda session: book_between(session, book=book, first=day, last=day),
            {"register_line": {*EARLIER, DECEMBER, *LATER}},
        ),
    }
    for about, (act, months) in acts.items():
        assert week.reads(about, act) == months, about
