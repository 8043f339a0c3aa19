"""Bookings over HTTP and by text while the server, PostgreSQL and the whole computer are killed.

Whoever got an answer has what it said; whoever asks again, not knowing, gets the first answer and nothing twice.
"""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from datetime import time as clock
from typing import Any
from uuid import uuid4
from zoneinfo import ZoneInfo

import httpx
import pytest
from sqlalchemy import func, select, text

import scheduling.queries
import scheduling.service
from dispensary.database import Database
from dispensary.staff.rules import Role, the_program
from dispensary.staff.service import add_account
from dispensary.units import ClientId
from dispensary.verification.verifying import verify
from notifications.models import Inbound, Message
from notifications.service import set_contact
from scheduling.models import Booking, BookingState
from scheduling.rules import Hours
from tests.attacks.program import PATIENCE, Program, until
from tests.attacks.test_killed_mid_dose import PASSWORD, strike
from tests.builders import Clinic, clinic, enrolled

PEOPLE, HANDS, ROUNDS = 32, 8, 8
BLOWS = ("server", "backend", "postgresql", "power")
KL = ZoneInfo("Asia/Kuala_Lumpur")


@dataclass
class Week:
    """Half of the people are booked by a desk, the others write; each asks until there is an answer."""

    url: str
    people: list[ClientId]
    starts: list[datetime]
    told: dict[ClientId, dict[str, Any] | None] = field(default_factory=dict)
    """By the last answer of the desk, the booking that each has now."""
    texts: set[str] = field(default_factory=set)
    trouble: Counter[str] = field(default_factory=Counter)
    answers: Counter[int] = field(default_factory=Counter)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        with httpx.Client(base_url=self.url, timeout=PATIENCE) as desk:
            token = desk.get("/api/session").json()["csrf_token"]
            form = {"username": "reception", "password": PASSWORD}
            desk.post("/api/session", json=form, headers={"X-CSRFToken": token}).raise_for_status()
            token = desk.get("/api/session").json()["csrf_token"]
            self.signed_in = {"cookies": dict(desk.cookies), "headers": {"X-CSRFToken": token}}

    def goes_by(self) -> None:
        with ThreadPoolExecutor(HANDS) as hands:
            list(hands.map(self._hand, range(HANDS)))

    def _hand(self, number: int) -> None:
        chance = random.Random(number)
        mine = self.people[number::HANDS]
        with httpx.Client(base_url=self.url, timeout=PATIENCE, **self.signed_in) as desk:
            for _ in range(ROUNDS):
                for person in mine:
                    (self._desk if number % 2 else self._text)(desk, person, chance)

    def _desk(self, desk: httpx.Client, person: ClientId, chance: random.Random) -> None:
        has = self.told.get(person)
        start = {"starts_at": chance.choice(self.starts).isoformat()}
        if has is None:
            answer = self._insist(desk, "/api/bookings", json={"client_id": str(person), **start})
            booked = answer.json() if answer.status_code == 201 else None
        elif chance.random() < 0.5:
            answer = self._insist(desk, f"/api/bookings/{has['id']}/move", json=start)
            booked = answer.json() if answer.status_code == 200 else has
        else:
            answer = self._insist(desk, f"/api/bookings/{has['id']}/drop")
            booked = None if answer.status_code == 200 else has
        assert answer.status_code in (200, 201, 409), answer.text
        self.told[person] = booked

    def _text(self, desk: httpx.Client, person: ClientId, chance: random.Random) -> None:
        start, key = chance.choice(self.starts).astimezone(KL), str(uuid4())
        words = chance.choice((f"BOOK {start:%a} {start:%H.%M}", f"MOVE {start:%a} {start:%H.%M}", "DROP", "OK"))
        form = {"_csrf_token": self.signed_in["headers"]["X-CSRFToken"], "key": key, "text": words}
        answer = self._insist(desk, f"/telephone/{person}/texts", data=form)
        assert answer.status_code == 303, answer.text
        self.texts.add(key)

    def _insist(self, desk: httpx.Client, path: str, **body: Any) -> httpx.Response:
        give_up, wait = time.monotonic() + PATIENCE, 0.02
        while time.monotonic() < give_up:
            try:
                answer = desk.post(path, follow_redirects=False, **body)
                if answer.status_code != 503:
                    with self.lock:
                        self.answers[answer.status_code] += 1
                    return answer
                self.trouble["503"] += 1
            except httpx.TransportError:
                self.trouble["connection"] += 1
            time.sleep(wait)
            wait = min(2 * wait, 0.5)
        raise AssertionError(f"{path} was never answered: {self.trouble}")


def opened(database: Database) -> Clinic:
    """A site with ten slots a day for two, somebody at reception, and people with phones."""
    place = clinic(database, datetime.now(UTC))
    with database.writing() as session:
        add_account(
            session,
            actor=the_program(place.site_id),
            site_id=place.site_id,
            username="reception",
            name="Aishah binti Yusof",
            initials="AY",
            password=PASSWORD,
            roles=[Role.RECEPTION],
            at=place.now,
        )
        hours = [Hours(weekday, clock(7), clock(9, 30), 15, 2) for weekday in range(7)]
        scheduling.service.set_hours(session, place_id=place.site_id, hours=hours, from_day=place.today)
        for number in range(PEOPLE):
            person = enrolled(session, place, mg="80", began=place.today)
            set_contact(
                session,
                vault=session.vault,
                recipient_id=person,
                phone=f"+6012{5_000_000 + number}",
                language="en",
                region="MY",
                now=place.now,
            )
    return place


@pytest.fixture
def week(program: Program) -> Week:
    program.start()
    with program.database() as database:
        place = opened(database)
        day = place.today + timedelta(days=2)
        with database.reading() as session:
            starts = [each.starts_at for each in scheduling.queries.slots_on(session, place.site_id, day)]
    return Week(program.url, place.clients[-PEOPLE:], starts)


def test_no_booking_is_lost_or_doubled_when_everything_is_killed(program: Program, week: Week) -> None:
    in_all = PEOPLE * ROUNDS
    with ThreadPoolExecutor(1) as beside:
        goes_by = beside.submit(week.goes_by)
        for number, blow in enumerate(BLOWS, 1):
            mark = number * in_all // (len(BLOWS) + 2)
            until(lambda mark=mark: sum(week.answers.values()) >= mark or goes_by.done(), what=f"{mark} were answered")
            strike(program, blow)
        goes_by.result()
    assert sum(week.answers.values()) == in_all
    assert week.trouble, "somebody was hit"

    until(program.is_ready, what="the program is ready")
    with program.database() as database, database.reading() as session:
        assert [str(each) for each in verify(session, now=datetime.now(UTC))] == []
        assert scheduling.queries.discrepancies(session) == []
        has = {
            booking.holder_id: booking
            for booking in session.scalars(select(Booking).where(Booking.state == BookingState.BOOKED))
        }
        for person, told in week.told.items():
            stands = has.get(person)
            assert (str(stands.id) if stands else None) == (told["id"] if told else None), person
        moved = session.scalar(select(func.count()).where(Booking.state == BookingState.MOVED))
        assert moved == session.scalar(select(func.count()).where(Booking.moved_from.is_not(None)))
        assert session.scalar(select(func.count()).select_from(Inbound)) == len(week.texts)
        answered = session.scalar(select(func.count()).where(Message.is_reply))
        assert answered == len(week.texts), "each text was answered once"
        doubled = text("SELECT count(*) - count(DISTINCT reason_key) FROM message")
        assert session.scalar(doubled) == 0
