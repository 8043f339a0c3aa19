"""A clinic with one of everything that a route can be asked for, somebody in each role, and a site apart."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

from httpx import Response
from litestar import Litestar
from sqlalchemy import text

import scheduling.service
from dispensary.app import create_app
from dispensary.care.referral_models import Service
from dispensary.care.referrals import refer
from dispensary.care.screenings import screen
from dispensary.clients.contact_rules import How, Why
from dispensary.clients.contacts import note_visit_wish, write_contact
from dispensary.clients.goal_steps import add_step
from dispensary.clients.goals import assign, set_goal
from dispensary.clients.tasks import open_task
from dispensary.database import Database
from dispensary.monitoring.service import open_alert
from dispensary.staff.models import Site
from dispensary.staff.rules import Role
from dispensary.supplies.carrying import count_out
from dispensary.supplies.pickups import prepare_pickup
from dispensary.supplies.recalls import call_back
from scheduling.rules import Hours
from tests.builders import Clinic, clinic
from tests.dispensary.guest_place import TwoSites, two_sites
from tests.dispensary.safe_place import received, sent
from tests.dispensary.unusual_place import vomited
from tests.dispensary.visiting import MovableClock, Visitor, demo_settings, hire

TABLE = Path(__file__).with_name("permissions.csv")
ROLES = [role.value for role in Role]
UNKNOWN = "00000000-0000-4000-8000-000000000000"
"""An id that is nobody's."""
CLINICAL_NOTE = "At home: 80 mg do not hold through the night, and HIV medicine is short."
"""What was found at a client's home, by somebody who treats them."""


@dataclass(frozen=True)
class Line:
    """A route and method, with what each role, nobody, and a closed screen is answered."""

    method: str
    route: str
    expected: Mapping[str, str]

    @property
    def named(self) -> str:
        return f"{self.method} {self.route}"


def lines() -> list[Line]:
    """The table as it stands in the file."""
    with TABLE.open(encoding="utf-8", newline="") as file:
        rows = csv.DictReader(row for row in file if row.strip() and not row.startswith("#"))
        return [Line(row.pop("method"), row.pop("route"), row) for row in rows]


def routes(app: Litestar) -> Iterator[tuple[str, str]]:
    """Every method and path of the application, as the table names them."""
    for route in app.routes:
        for handler in getattr(route, "route_handlers", ()):
            for method in handler.http_methods:
                if method != "OPTIONS":
                    yield method, route.path_format


class FilledPlace:
    """Two sites with one database; everything that has an id is at the first."""

    def __init__(self, database: Database, now: datetime, folder: Path) -> None:
        self.database = database
        self.clock = MovableClock(now)
        self.app = create_app(demo_settings(folder), database, self.clock)
        self.sites: TwoSites = two_sites(database, now)
        self.home: Clinic = self.sites.home
        self.people: dict[str, Visitor] = {}
        for role in Role:
            self._hired(role.value, self.home, role)
        self._hired("everything", self.home, *Role)
        apart = clinic(database, now, code="APART")
        self.client_elsewhere = str(apart.client())
        self._hired("elsewhere", apart, *Role)
        self._hired("spare", self.home, Role.NURSE)
        self.ids = self._filled(now)

    def _hired(self, known_as: str, place: Clinic, *roles: Role) -> None:
        with self.database.reading() as session:
            site = session.get_one(Site, place.site_id)
        name = known_as.replace(" ", "-")
        hire(self.database, site, name, roles, place.now)
        self.comes_again(known_as)

    def comes_again(self, known_as: str) -> None:
        """The same person signs in anew, in a browser of their own."""
        with self.database.writing() as session:
            session.execute(text("DELETE FROM sign_in_attempt"))  # what was tried before was the test's
        self.people[known_as] = Visitor(self.app, comes_back=False)
        answer = self.people[known_as].signs_in(known_as.replace(" ", "-"))
        assert answer.status_code == 303, answer.text

    def _filled(self, now: datetime) -> dict[str, str]:
        home, database = self.home, self.database
        everybody = self.people["everything"]
        client, collector, at_home, held = (home.client() for _ in range(4))
        for each in (client, collector, at_home):
            home.decide(each, per_supply=3)
        handed = home.give(client, take_home_days=home.ahead(1, 2))
        with database.writing() as session:
            valid = (now, now + timedelta(days=2))
            packed = [
                prepare_pickup(
                    session, actor=home.pharmacist, client_id=each, collect_on=home.today,
                    take_home_days=home.ahead(1, 2), valid=valid, today=home.today, at=now,
                )
                for each in (collector, at_home)
            ]  # fmt: skip
        with database.reading() as session:
            nurse = session.execute(text("SELECT id FROM account WHERE username = 'nurse'")).scalar_one()
            spare = session.execute(text("SELECT id FROM account WHERE username = 'spare'")).scalar_one()
            peer = session.execute(text("SELECT id FROM account WHERE username = 'peer-worker'")).scalar_one()
        counted = database.write(
            lambda session: count_out(
                session, actor=home.pharmacist, pickup_id=packed[1].pickup_id, carrier_id=nurse, bottles=2,
                today=home.today, at=now,
            ).id
        )  # fmt: skip
        exception = vomited(home, client, 5)
        transfer = sent(home, self.sites.guest, "100", lot_id=received(home, "SPARE", "500"))
        stay = self.sites.arrange(held)
        here: dict[str, Any] = {"actor": home.doctor, "client_id": client, "today": home.today, "at": now}
        with database.writing() as session:
            assign(session, actor=home.doctor, client_id=client, account_id=peer, at=now)
            goal = set_goal(session, words="see my brother", **here).id
            step = add_step(
                session, actor=home.doctor, client_id=client, goal_id=goal, words="call my mother", at=now
            ).id
            note_visit_wish(session, agreed=True, where="Blue door", **here)
            write_contact(
                session, actor=home.doctor, client_id=client, reached=True, words=CLINICAL_NOTE, key=uuid4(), at=now,
                how=How.VISIT, why=Why.DOSE,
            )  # fmt: skip
            referral = refer(
                session,
                service=Service.HIV_TEST,
                place="General hospital",
                agreed=True,
                ask_on=home.ahead(30)[0],
                **here,
            ).id
            recall = call_back(
                session, actor=home.doctor, client_id=client, cause="check", from_day=home.ahead(1)[0],
                bring_by=home.ahead(1)[0], at=now,
            ).id  # fmt: skip
            open_task(
                session, site_id=home.site_id, client_id=client, role=Role.NURSE, kind="call",
                sentence="Call about the form.", due_on=home.today, opened_by=home.doctor.account_id, at=now,
            )  # fmt: skip
            open_alert(
                session, site_id=home.site_id, client_id=client, cause="viral-load", severity="warning",
                role=Role.NURSE, sentence="A result asks for a look.", at=now,
            )  # fmt: skip
        of = f"/api/clients/{client}"
        today = home.today.isoformat()

        def made(path: str, **body: Any) -> Any:
            answer = everybody.send("POST", path, body)
            assert answer.status_code in (200, 201), (path, answer.text)
            return answer.json()

        flag = made(f"{of}/flags", kind="say_first", sentence="Ask how the week was.", owner_role="nurse")
        hold = made(f"/api/clients/{held}/holds", from_day=home.ahead(5)[0].isoformat(), reason="as agreed")
        assessed = made(f"{of}/assessments", judged={})
        medicine = made(f"{of}/medicines", substance="rifampicin", started_on=today)
        treatment = made(f"{of}/treatments", kind="art", substances=["tenofovir", "lamivudine"], started_on=today)
        result = made(
            f"{of}/results", key=str(uuid4()), taken_on=today, results=[{"test": "alt", "value": "30", "unit": "U/L"}]
        )
        support = made(f"{of}/support", key=str(uuid4()), on=today, kind="counselling")
        with database.writing() as session:
            hours = [Hours(weekday, time(7), time(7, 30), 30, 1) for weekday in range(7)]
            scheduling.service.set_hours(session, place_id=home.site_id, hours=hours, from_day=home.today)
        at_seven = [f"{day.isoformat()}T23:00:00Z" for day in home.ahead(0, 1)]
        dropped, booking = (made("/api/bookings", client_id=str(client), starts_at=each) for each in at_seven)
        wait = made("/api/waits", client_id=str(held), day=home.ahead(1)[0].isoformat())
        made(f"/api/bookings/{dropped['id']}/drop")
        offer = everybody.get("/api/waits").json()[0]["offer"]
        visit = made("/api/arrivals", client_id=str(client))
        with database.writing() as session:
            screening = screen(
                session,
                instrument="dast10",
                answers={f"q{n}": "no" for n in range(1, 11)},
                taken_on=home.today,
                key=uuid4(),
                **here,
            ).id
        ids = {
            "client_id": client, "supply_id": handed.supply_id, "pickup_id": packed[0].pickup_id,
            "carrying_id": counted, "exception_id": exception.id, "lot_id": home.lot_id, "transfer_id": transfer,
            "stay_id": stay, "goal_id": goal, "referral_id": referral, "recall_id": recall, "flag_id": flag["id"],
            "step_id": step,
            "hold_id": hold["id"], "assessment_id": assessed["id"], "wait_id": wait["id"], "visit_id": visit["id"],
            "medicine_id": medicine["id"], "treatment_id": treatment["id"], "result_id": result[0]["id"],
            "support_id": support["id"], "screening_id": screening,
            "account_id": spare, "booking_id": booking["id"], "offer_id": offer["id"],
        }  # fmt: skip
        rows = {
            "task_id": "SELECT id FROM task WHERE kind = 'call'",
            "alert_id": "SELECT id FROM alert WHERE client_id = :client",
            "order_id": "SELECT id FROM dose_order WHERE client_id = :client",
            "bottle_id": "SELECT id FROM bottle WHERE client_id = :client",
            "serial": "SELECT serial FROM bottle WHERE client_id = :client",
            "book_id": "SELECT id FROM register_book WHERE site_id = :site",
            "version_id": "SELECT id FROM policy_version",
            "medication_id": "SELECT id FROM medication WHERE client_id = :client",
        }
        of_here = {"client": client, "site": home.site_id}
        with database.reading() as session:
            for name, query in rows.items():
                ids[name] = session.execute(text(query), of_here).scalars().first()
        plain = {
            "day": today, "kind": "hiv", "what": "vomited", "number": UNKNOWN, "code": "alt", "name": "pack.pdf",
            "instrument": "dast10", "said": "done", "plan": "before-sentence",
            "token": "A" * 32, "gateway": "twilio", "owner": "client", "file_path": "app.css", "path": "x",
        }  # fmt: skip
        return {**{name: str(value) for name, value in ids.items()}, **plain}

    def path(self, route: str, **other: str) -> str:
        """The address of a route, with the ids that there are; what there is none of gets an id that is nobody's."""
        ids = {**self.ids, **other}
        return re.sub(r"\{(\w+)\}", lambda found: ids.get(found[1], UNKNOWN), route)

    def nobodys(self, route: str, **other: str) -> str:
        """The same address with ids that are nobody's."""
        plain = {name: other.get(name, UNKNOWN) for name in self.ids if name.endswith("_id")}
        return self.path(route, **{**plain, "serial": "A" * 16})

    def asks(self, who: Visitor, method: str, path: str) -> Response:
        """Asks once as a browser or a program would, with every token in order and nothing filled in."""
        carried = self._carried(who)
        headers = {"X-CSRFToken": carried["_csrf_token"], "X-Quiet": "1"}
        if method == "GET":
            return who.client.get(path, follow_redirects=False, headers=headers)
        if path.startswith("/api/"):
            return who.client.request(method, path, json={}, headers=headers)
        form = {"key": UNKNOWN, **carried}
        return who.client.request(method, path, data=form, follow_redirects=False, headers=headers)

    def _carried(self, who: Visitor) -> dict[str, str]:
        known: dict[str, str] | None = getattr(who, "carried", None)
        if known is None:
            known = who.drawn()
            who.carried = known  # type: ignore[attr-defined]
        return known
