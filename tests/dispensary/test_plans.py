"""What PostgreSQL reads for what is done at a counter all day: a few rows by an index, in however large a country.

`auto_explain` tells every statement's plan as it was run, those within triggers too, with the rows that each step read.
With TAKEHOME_TESTS_DIVIDED=1, or =month, the tables that grow are in parts: a part that is read in order is as wrong as
a table.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import psycopg
import pytest
from psycopg.errors import Diagnostic
from sqlalchemy import event, text

from benchmarks.clinics import PASSWORD
from benchmarks.country import build
from benchmarks.country_life import due_today, live, open_for_bookings
from dispensary import jobs
from dispensary.app import create_app
from dispensary.database import Database
from dispensary.evaluation.facts import count_behind
from dispensary.keys import Vault
from dispensary.phone import clockwork
from dispensary.staff.queries import sites_here
from dispensary.units import SiteId
from notifications.gateways.console import ConsoleGateway
from tests.dispensary.plans_place import BESIDE, fill, forms, papers
from tests.dispensary.visiting import Visitor, demo_settings, text_of

SITES, CLIENTS, YEARS = 40, 1600, 0.07
GROWING = (
    *("client", "client_home", "client_key", "contact", "episode", "dose_order"),
    *("supply", "dose", "day_outcome", "day_close", "register_line", "audit_entry"),
    *("bottle", "bottle_event", "bottle_return", "assessment", "decision"),
    *("message", "booking", "visit", "fact_client", "fact_month"),
)
"""Tables with a row or more for each client, day or act."""
ENOUGH = 900
"""Rows that each has here, so that reading all of them stands out."""
AT_A_SITE = 120
"""Rows of one table that a statement may read for a page: everybody at a site, and their things of today."""
OF_A_SITE = AT_A_SITE * 30
"""Rows of one table that is read for all the days of a site: here each of the large ones has ten times as many."""
ALL_DAYS = ("a day is closed at the counter", "a site's night")
HEAVY = {
    "/evaluation": "figures of all sites: they read facts of everybody",
    "/telephone": "the demonstration's telephone, of one site with 96 clients",
    "/office/looks": "everything that was looked at in its month",
    "/office/advice": "all visits of its weeks",
    "/office/texts": "all texts of its month",
    "/consulting/health": "everybody's orders and results are judged",
    "/office": "all texts of its month",
    "/counter/stock": "ninety days ahead of everybody at the site",
    "/api/stock/forecast": "the same",
}
"""Pages that read a period of their own, or everybody, by their nature; no table as a whole even so."""
WHOLE = ("/evaluation", "/telephone")
APART = ("/screen", "/kiosk", "/schema", "/lock", "/sign", "/invited", "/break-glass", "/pin", "/password")


@dataclass
class Told:
    """The plans of every statement, by what it was run for."""

    about: str = ""
    plans: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    parts: dict[str, int] = field(default_factory=dict)
    """Of each table that is divided, the rows of its smallest part: whoever reads so many in order has read a part."""

    def hear(self, notice: Diagnostic) -> None:
        if "plan:" in (notice.message_primary or ""):
            self.plans.append((self.about, json.loads(str(notice.message_primary).split("plan:", 1)[1])))

    def attach(self, connection: psycopg.Connection[Any], record: object) -> None:
        settings = {"min_duration": "0", "analyze": "on", "timing": "off", "format": "json", "nested_statements": "on"}
        connection.execute("LOAD 'auto_explain'")
        for name, value in (settings | {"level": "notice"}).items():
            connection.execute(f"SET auto_explain.log_{name} = '{value}'")
        connection.execute("SET client_min_messages = notice")
        # A table as small as here is quickly read as a whole. A statement that reads all of it even so has no index.
        for whole in ("seqscan", "hashjoin", "mergejoin"):
            connection.execute(f"SET enable_{whole} = off")
        connection.commit()
        connection.add_notice_handler(self.hear)

    def of(self, about: str, tables: Collection[str]) -> Iterator[tuple[str, dict[str, Any]]]:
        """Each step that read a growing table, with the statement that it was a step of."""
        for said, plan in self.plans:
            if said == about:
                for step in steps(plan["Plan"], self.parts):
                    if step.get("Relation Name") in tables:
                        yield " ".join(plan["Query Text"].split())[:300], step

    def too_much(self, about: str, most: int, tables: Collection[str] = (*GROWING, *BESIDE)) -> list[str]:
        """The statements that read a growing table as a whole, or more of its rows than so many."""
        found = set()
        for statement, step in self.of(about, tables):
            read, enough = rows_of(step), min(ENOUGH, self.parts.get(step["Relation Name"], ENOUGH))
            if (step["Node Type"] == "Seq Scan" and read >= enough) or read > most:
                found.add(f"{about}: {step['Node Type']} of {step['Relation Name']} read {read} rows: {statement}")
        return sorted(found)


def rows_of(step: dict[str, Any]) -> int:
    """How many rows a step read, whatever it did with them."""
    read = step["Actual Rows"] + step.get("Rows Removed by Filter", 0)
    return int((read + step.get("Rows Removed by Index Recheck", 0)) * step["Actual Loops"])


def steps(plan: dict[str, Any], divided: Collection[str]) -> Iterator[dict[str, Any]]:
    """Each step, and what was read of the parts of a divided table together, as one more."""
    yield plan
    below = plan.get("Plans", ())
    if plan["Node Type"] in ("Append", "Merge Append"):
        for name in {each.get("Relation Name") for each in below} & set(divided):
            read = sum(rows_of(each) for each in below if each.get("Relation Name") == name)
            yield {"Node Type": plan["Node Type"], "Relation Name": name, "Actual Rows": read, "Actual Loops": 1}
    for each in below:
        yield from steps(each, divided)


@dataclass
class Country:
    told: Told
    database: Database
    visitor: Visitor
    clients: list[UUID]
    site: SiteId

    def does(self, about: str, act: Callable[[], Any]) -> Any:
        self.told.about = about
        try:
            return act()
        finally:
            self.told.about = ""


@pytest.fixture
def country(database_url: str, vault: Vault, tmp_path: Path) -> Iterator[Country]:
    """A small country with a past, whose plans are told; somebody with every role is signed in at one of its sites."""
    plain = Database(database_url, vault)
    made = build(plain, clients=CLIENTS, years=YEARS, sites=SITES)
    live(plain, made)
    count_behind(plain)
    people = due_today(plain)
    site = SiteId(people[0][2])
    open_for_bookings(plain, made, [site])
    address = database_url.replace("+psycopg", "")
    with psycopg.connect(address, autocommit=True) as connection:
        connection.execute("""
            INSERT INTO role_grant (id, account_id, site_id, role)
            SELECT gen_random_uuid(), account_id, site_id, role FROM (SELECT account_id, site_id FROM role_grant
                WHERE role = 'pharmacist') AS people
            CROSS JOIN unnest(ARRAY['doctor', 'nurse', 'reception', 'evaluator', 'administrator']) AS role
            ON CONFLICT DO NOTHING""")
        lost = "UPDATE message SET state = 'failed', changed_at = now() WHERE abs(hashtext(reason_key)) % 3 = 0"
        connection.execute("SET session_replication_role = replica")
        assert connection.execute(lost).rowcount > ENOUGH, "texts are lost everywhere"
        connection.execute("ANALYZE")
        counts = {name: connection.execute(f"SELECT count(*) FROM {name}").fetchone()[0] for name in GROWING}
        leaves = connection.execute(
            """SELECT p.relname, i.inhrelid::regclass::text FROM pg_inherits i JOIN pg_class p ON p.oid = i.inhparent
            WHERE p.relkind = 'p' AND p.relnamespace = 'public'::regnamespace"""
        ).fetchall()
        parts: dict[str, int] = {}
        for name, leaf in leaves:
            (rows,) = connection.execute(f"SELECT count(*) FROM {leaf}").fetchone() or (0,)
            if leaf.startswith("month_") and rows <= AT_A_SITE:
                continue  # a month that is to come, or of which there are a few days
            parts[name] = min(rows, parts.get(name, rows))
    plain.close()
    beside = fill(address, site)
    assert min(beside.values()) >= ENOUGH, beside
    assert min(counts.values()) >= ENOUGH, counts
    assert min(parts.values(), default=ENOUGH) > AT_A_SITE, parts
    told = Told(parts=parts)
    database = Database(database_url, vault)
    for engine in database._engines:
        event.listen(engine, "connect", told.attach)
    visitor = Visitor(create_app(demo_settings(tmp_path), database))
    with visitor.client:
        assert visitor.signs_in(f"at-{people[0][1].lower()}", PASSWORD).status_code == 303
        yield Country(told, database, visitor, [each[0] for each in people if each[2] == site], site)
    database.close()


def pages() -> list[str]:
    """Every page and answer that needs no more than its address."""
    table = Path(__file__).with_name("permissions.csv").read_text("utf-8").splitlines()
    rows = [row for row in csv.reader(table) if row and row[0] == "GET"]
    paths = {row[1] for row in rows if "{" not in row[1] and not row[1].endswith((".pdf", ".zip", ".csv", ".json"))}
    return sorted(path for path in paths if not path.startswith(APART))


def test_no_act_of_the_day_and_no_page_reads_a_growing_table_as_a_whole(country: Country, tmp_path: Path) -> None:
    visitor, clients, wrong = country.visitor, country.clients, []
    client, other = clients[0], clients[1]
    asks: dict[str, Callable[[], Any]] = {
        "who is signed in": lambda: visitor.get("/api/queue"),
        "an arrival": lambda: visitor.send("POST", "/api/arrivals", {"client_id": str(client)}),
        "the counter's page after a scan": lambda: visitor.get(f"/counter/clients/{client}"),
        "a dose, with its register line and its entry in the trail": lambda: visitor.send(
            "POST",
            f"/api/clients/{client}/supplies",
            {"key": "a dose to explain", "observed": True, "identified_by": "photo", "well": True},
        ),
        "a client's times": lambda: visitor.get(f"/reception/clients/{client}"),
        "a booking": lambda: visitor.send(
            "POST", "/api/bookings", {"client_id": str(other), "starts_at": tomorrow(country)}
        ),
        "the record as the doctor reads it": lambda: visitor.get(f"/consulting/clients/{client}"),
        "a name that is looked for": lambda: visitor.post("/counter/find", {"sought": "C12"}),
    }
    for about, ask in asks.items():
        answer = country.does(about, ask)
        assert answer.status_code < 400, (about, answer.status_code, answer.text[:400])
        assert about in {said for said, _ in country.told.plans}, f"{about}: no plan was told"
        wrong += country.told.too_much(about, AT_A_SITE)

    closed = country.does("a day is closed at the counter", lambda: closes_at_the_counter(country))
    assert closed.status_code == 303, text_of(closed)
    wrong += country.told.too_much("a day is closed at the counter", OF_A_SITE)

    now = datetime.now(UTC)
    by_the_clock = {
        "the outbox is looked at": lambda: jobs.send_texts(country.database, ConsoleGateway(), lambda: now),
        "reminders are queued": lambda: jobs.queue_reminders(country.database, lambda: now),
        "who must not travel in vain": lambda: jobs.warn_before_travel(country.database, lambda: now),
        "alerts are passed on": lambda: jobs.pass_alerts_on(country.database, lambda: now),
        "a site's night": lambda: sleeps(country, now, tmp_path),
        "weekly times are booked": lambda: jobs.book_weekly(country.database, lambda: now),
        "the waiting list is worked": lambda: clockwork.work_waiting_list(country.database, now),
        "what nobody asked for is written": lambda: clockwork.write_of_itself(country.database, now),
    }
    for about, work in by_the_clock.items():
        country.does(about, work)
        wrong += country.told.too_much(about, OF_A_SITE if about in ALL_DAYS else AT_A_SITE, GROWING)

    of_one = papers(visitor, clients[2]) | forms(visitor, country.database, clients[3], tomorrow(country, 10))
    for about, ask in of_one.items():
        answer = country.does(about, ask)
        assert answer.status_code < 400 or about.endswith("goals.pdf"), (about, answer.status_code, text_of(answer))
        wrong += country.told.too_much(about, AT_A_SITE)

    for path in pages():
        answer = country.does(path, lambda path=path: visitor.get(path))
        assert answer.status_code < 500, (path, answer.text[:400])
        if not path.startswith(WHOLE):
            heavy = any(path == each or path.startswith(f"{each}/") for each in HEAVY)
            wrong += country.told.too_much(path, 10**9 if heavy else AT_A_SITE)
    assert not wrong, "\n".join(wrong)

    with country.database.reading() as session:
        country.does("no index", lambda: session.scalar(text("SELECT count(*) FROM client WHERE sex = 'other'")))
    assert country.told.too_much("no index", AT_A_SITE), "what has no index is found"


_PACKS = """
INSERT INTO downtime_setting (site_id, password_sealed, days_ahead, copy_to, set_by, set_at)
    SELECT site_id, :sealed, 3, '', account_id, now() FROM role_grant WHERE site_id = :site LIMIT 1
"""


def tomorrow(country: Country, hour: int = 9) -> str:
    with country.database.reading() as session:
        starts = session.scalar(text("SELECT zone FROM place WHERE id = :site"), {"site": country.site})
    at = datetime.now(ZoneInfo(str(starts))) + timedelta(days=1)
    return at.replace(hour=hour, minute=0, second=0, microsecond=0).isoformat()


def closes_at_the_counter(country: Country) -> Any:
    """The pharmacist's own close, behind the second wall, with every lot measured as the register has it."""
    with country.database.reading() as session:
        lots = session.execute(text("SELECT id, balance FROM lot WHERE site_id = :site"), {"site": country.site}).all()
    return country.visitor.post("/counter/close", {f"bulk_{lot}": str(balance) for lot, balance in lots})


def sleeps(country: Country, now: datetime, data: Path) -> None:
    """The night after `now` at another site: its day is closed, its safe looked at, its pack made, and so on."""
    with country.database.reading() as session:
        place = next(each for each in sites_here(session) if each.id != country.site)
    with country.database.writing() as session:
        sealed = session.vault.seal("downtime_setting.password", place.id, "papaya on the verandah")
        session.execute(text(_PACKS), {"site": place.id, "sealed": sealed})
    jobs.run_night(country.database, lambda: now + timedelta(days=1), site=place, data=data)
    with country.database.reading() as session:
        failed = session.execute(text("SELECT job, failure FROM job_run WHERE failure <> ''")).all()
        ran = set(session.scalars(text("SELECT job FROM job_run")))
    assert failed == [], failed
    assert {"close day", "assess take-home", "look at the safe", "judge health", "downtime pack"} <= ran, ran
