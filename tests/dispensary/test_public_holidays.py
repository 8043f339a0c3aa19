"""The office closes on public holidays and opens again; who is booked hears of it, and bottles follow the policy."""

from __future__ import annotations

import re
from datetime import date, datetime, time, timedelta
from pathlib import Path
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from httpx import Response
from sqlalchemy import select, text, update

import notifications.queries
import notifications.service
import scheduling.queries
import scheduling.service
from dispensary.database import Database
from dispensary.phone.tasks import NOT_RECEIVED, OPEN_AGAIN, SHUT, tasks
from dispensary.refusals import Refused
from dispensary.staff.models import AuditEntry, Site
from dispensary.staff.rules import Role
from dispensary.supplies.models import Dose
from dispensary.takehome.publishing import publish
from dispensary.units import ClientId, DoseDay
from notifications.models import Message, State
from scheduling.rules import Hours
from tests.builders import clinic
from tests.dispensary.desk_place import CLINIC_POLICY, Desks, desks
from tests.dispensary.policy_documents import document_of
from tests.dispensary.visiting import text_of

CHRISTMAS, TERRITORY = date(2026, 12, 25), date(2027, 2, 1)
KUALA_LUMPUR = "14"
ROOT = Path(__file__).parents[2]
WEEK = [Hours(weekday, time(7), time(10), 15, 4) for weekday in range(6)]


@pytest.fixture
def here(database: Database, now: datetime, tmp_path: Path) -> Desks:
    """A site in Kuala Lumpur on Tuesday 22 December 2026, three days before Christmas, open from Monday to Saturday."""
    here = desks(database, now, tmp_path)
    here.days_pass(28)
    with database.writing() as session:
        scheduling.service.set_hours(
            session, place_id=here.place.site_id, hours=WEEK, from_day=here.today - timedelta(days=28)
        )
    return here


def closes(here: Desks, *days: date, part: str = KUALA_LUMPUR) -> Response:
    return here.administrator.post("/office/holidays", {"part": part, "holiday": [day.isoformat() for day in days]})


def closure_on(here: Desks, day: date) -> UUID | None:
    with here.database.reading() as session:
        shut = scheduling.queries.closure_on(session, here.place.site_id, day)
        return shut.id if shut else None


def reopens(here: Desks, day: date) -> str:
    """Opens the closure of a day; what the page says then."""
    answer = here.administrator.post("/office/closures/reopen", {"closure": str(closure_on(here, day))})
    assert answer.status_code == 303
    return text_of(here.administrator.get(answer.headers["location"]))


def offered(here: Desks, part: str | None = KUALA_LUMPUR) -> list[str]:
    """The days that the page has a box for."""
    page = here.administrator.get("/office/hours" + ("" if part is None else f"?part={part}")).text
    return re.findall(r'name="holiday" value="([\d-]+)"', page)


def booked(here: Desks, day: date, phone: str = "", hour: int = 8) -> ClientId:
    """A client with a booking, and with a phone if one is given."""
    client = here.place.client()
    at = here.place.now
    with here.database.writing() as session:
        if phone:
            notifications.service.set_contact(
                session, vault=session.vault, recipient_id=client, phone=phone, language="en", region="MY", now=at
            )
        starts_at = datetime.combine(day, time(hour), ZoneInfo("Asia/Kuala_Lumpur"))
        scheduling.service.book(
            session, place_id=here.place.site_id, holder_id=client, starts_at=starts_at, now=at, channel="desk"
        )
    return client


def texts(here: Desks, phone: str) -> list[str]:
    with here.database.reading() as session:
        return [each.body for each in notifications.queries.texts_with(session, vault=session.vault, phone=phone)]


def to_do(here: Desks) -> list[tuple[str, ClientId]]:
    with here.database.reading() as session:
        return [(each.cause, each.client_id) for each in tasks(session, site_id=here.place.site_id, at=here.place.now)]


class TestTheList:
    def test_it_has_a_year_of_the_holidays_of_the_chosen_part_each_open_or_closed(self, here: Desks) -> None:
        said = text_of(here.administrator.get(f"/office/hours?part={KUALA_LUMPUR}"))

        assert "Fri 25 Dec 2026 Christmas Day open" in said
        assert "Mon 1 Feb 2027 Federal Territory Day open" in said
        assert "Sun 7 Feb 2027 Chinese New Year (Second Day) weekly rest" in said
        days = offered(here)
        assert days == sorted(set(days))
        assert "2027-02-07" not in days, "what is shut anyway needs no closing"
        assert all(here.today.isoformat() <= day <= "2027-12-22" for day in days)

    def test_a_part_that_was_not_chosen_has_not_its_days(self, here: Desks) -> None:
        assert TERRITORY.isoformat() not in offered(here, "")
        assert TERRITORY.isoformat() not in offered(here, "01")
        assert "2027-03-23" in offered(here, "01"), "the birthday of the Sultan of Johor"

    def test_the_part_is_remembered_once_holidays_were_closed_for_it(self, here: Desks) -> None:
        assert TERRITORY.isoformat() not in offered(here, None)
        closes(here, CHRISTMAS)

        page = here.administrator.get("/office/hours").text

        assert f'<option value="{KUALA_LUMPUR}" selected>' in page
        assert TERRITORY.isoformat() in offered(here, None)
        assert TERRITORY.isoformat() not in offered(here, ""), "and can be chosen otherwise"

    def test_a_part_that_does_not_exist_is_refused_and_the_country_shown(self, here: Desks) -> None:
        answer = here.administrator.get("/office/hours?part=99")

        assert answer.status_code == 422
        assert "no-subdivision" in answer.text
        assert 'name="holiday" value="2026-12-25"' in answer.text

    def test_a_country_without_a_calendar_says_so_and_keeps_its_closures(self, here: Desks) -> None:
        with here.database.writing() as session:
            session.execute(update(Site).values(region="AC"))

        answer = here.administrator.get("/office/hours")

        assert answer.status_code == 200
        assert "No public holidays are known for AC. Enter them as closures." in text_of(answer)
        assert closes(here, CHRISTMAS, part="").status_code == 422

    def test_holidays_are_named_in_the_language_of_the_site(self, here: Desks) -> None:
        with here.database.writing() as session:
            session.execute(update(Site).values(language="ms"))

        assert "Hari Wilayah Persekutuan" in text_of(here.administrator.get(f"/office/hours?part={KUALA_LUMPUR}"))

    def test_a_site_that_nobody_can_book_at_yet_closes_on_them_all_the_same(self, here: Desks) -> None:
        with here.database.writing() as session:
            session.execute(text("TRUNCATE opening, closure, place CASCADE"))
        assert CHRISTMAS.isoformat() in offered(here)

        closes(here, CHRISTMAS)

        assert closure_on(here, CHRISTMAS) is not None
        assert CHRISTMAS.isoformat() not in offered(here)

    @pytest.mark.parametrize("role", [role for role in Role if role is not Role.ADMINISTRATOR])
    def test_only_an_administrator_closes_and_opens(self, here: Desks, role: Role) -> None:
        for path in ("/office/holidays", "/office/closures/reopen"):
            assert here.seat(role).post(path, {"holiday": CHRISTMAS.isoformat()}).status_code == 403
        assert closure_on(here, CHRISTMAS) is None


class TestClosing:
    def test_several_at_once_are_each_a_closure_of_that_name(self, here: Desks) -> None:
        for _ in range(2):
            answer = closes(here, TERRITORY, CHRISTMAS)
            assert answer.headers["location"] == "/office/hours?done=holidays"

        with here.database.reading() as session:
            known = scheduling.queries.timetable(session, here.place.site_id, CHRISTMAS, TERRITORY)
            details = session.scalars(
                select(AuditEntry.details).where(AuditEntry.act == "closed public holidays")
            ).all()
        assert [(shut.first_day, shut.last_day, shut.reason) for shut in known.closures] == [
            (CHRISTMAS, CHRISTMAS, "Christmas Day"),
            (TERRITORY, TERRITORY, "Federal Territory Day"),
        ]
        assert details == ['{"days":["2026-12-25","2027-02-01"],"part":"14","region":"MY","texted":0}']
        said = text_of(here.administrator.get("/office/hours?done=holidays"))
        assert "Fri 25 Dec 2026 Christmas Day closed Open again" in said
        assert "None is planned." in said, "a holiday that is closed stands in one place"
        assert CHRISTMAS.isoformat() not in offered(here)

    def test_who_is_booked_gets_one_text_and_who_gets_none_is_on_the_front_desks_list(self, here: Desks) -> None:
        booked(here, CHRISTMAS, "+60123456789")
        silent = booked(here, CHRISTMAS, hour=9)
        booked(here, date(2026, 12, 26), "+60123456780")
        for _ in range(2):
            closes(here, CHRISTMAS)

        assert texts(here, "+60123456789") == [
            "We will be closed on Fri 25 Dec. Please do not come then. Reply SLOTS for other times."
        ]
        assert texts(here, "+60123456780") == []
        assert to_do(here) == [(SHUT, silent)]
        assert "2 bookings fall outside the hours" in text_of(here.administrator.get("/office/hours"))

    def test_a_day_within_another_closure_is_named_by_it_and_left_alone(self, here: Desks) -> None:
        with here.database.writing() as session:
            scheduling.service.close(
                session,
                place_id=here.place.site_id,
                first_day=date(2026, 12, 24),
                last_day=date(2026, 12, 26),
                reason="no water",
            )

        closes(here, CHRISTMAS)

        said = text_of(here.administrator.get(f"/office/hours?part={KUALA_LUMPUR}"))
        assert "Christmas Day closed: no water" in said
        with here.database.reading() as session:
            known = scheduling.queries.timetable(session, here.place.site_id, CHRISTMAS, CHRISTMAS)
        assert [shut.reason for shut in known.closures] == ["no water"]

    @pytest.mark.parametrize(
        ("form", "code"),
        [
            ({}, "no-days"),
            ({"holiday": ""}, "no-holiday"),
            ({"holiday": "2026-12-24"}, "no-holiday"),  # a day, and no holiday
            ({"holiday": ["2026-12-25", "2025-12-25"]}, "no-holiday"),  # one that has passed
            ({"holiday": "2027-02-01", "part": ""}, "no-holiday"),  # a holiday of another part
            ({"holiday": "2026-12-25", "part": "99"}, "no-subdivision"),
        ],
    )
    def test_what_is_no_holiday_here_is_refused_and_nothing_is_closed(
        self, here: Desks, form: dict[str, object], code: str
    ) -> None:
        answer = here.administrator.post("/office/holidays", {"part": KUALA_LUMPUR, **form})

        assert answer.status_code == 422
        assert code in answer.text
        assert closure_on(here, CHRISTMAS) is None
        assert closure_on(here, TERRITORY) is None
        week = re.findall(r'name="days_0" value="\d" checked', answer.text)
        assert len(week) == 6, "the hours are shown as they are"


class TestOpeningAgain:
    def test_its_slots_are_there_again_and_the_page_says_what_became_of_the_bookings(self, here: Desks) -> None:
        stays, leaves = booked(here, CHRISTMAS), booked(here, CHRISTMAS, hour=9)
        closes(here, CHRISTMAS)
        with here.database.writing() as session:
            (theirs,) = scheduling.queries.bookings_of(session, leaves, here.place.now)
            scheduling.service.drop(session, booking_id=theirs.id, now=here.place.now)

        said = reopens(here, CHRISTMAS)

        assert "Open again: Fri 25 Dec 2026." in said
        assert "1 booking on it stands." in said
        assert "1 person gave up or moved a booking; it stays so." in said
        assert "Fri 25 Dec 2026 Christmas Day open" in said
        with here.database.reading() as session:
            free = {slot.free for slot in scheduling.queries.slots_on(session, here.place.site_id, CHRISTMAS)}
            still = scheduling.queries.bookings_on(session, here.place.site_id, CHRISTMAS)
        assert free == {3, 4}
        assert [booking.holder_id for booking in still] == [stays]
        assert here.acts_about(here.place.site_id)[-2:] == ["closed public holidays", "opened site again"]

    def test_a_text_that_still_waits_is_withdrawn_and_nobody_has_to_tell_anything(self, here: Desks) -> None:
        booked(here, CHRISTMAS, "+60123456789")
        closes(here, CHRISTMAS)

        reopens(here, CHRISTMAS)

        with here.database.reading() as session:
            (waiting,) = session.scalars(select(Message))
            assert (waiting.state, waiting.error_code, waiting.next_attempt_at) == (State.EXPIRED, "withdrawn", None)
        assert to_do(here) == [], f"neither {OPEN_AGAIN} nor {NOT_RECEIVED}"

    def test_whoever_was_told_by_somebody_is_told_by_the_front_desk(self, here: Desks) -> None:
        silent = booked(here, CHRISTMAS)
        closes(here, CHRISTMAS)

        reopens(here, CHRISTMAS)

        assert to_do(here) == [(SHUT, silent), (OPEN_AGAIN, silent)]

    def test_closed_once_more_it_is_told_once_more(self, here: Desks) -> None:
        booked(here, CHRISTMAS, "+60123456789")
        closes(here, CHRISTMAS)
        reopens(here, CHRISTMAS)
        closes(here, CHRISTMAS)

        with here.database.reading() as session:
            states = session.scalars(select(Message.state).order_by(Message.id)).all()
        assert states == [State.EXPIRED, State.QUEUED]

    def test_pressed_twice_it_says_that_the_closure_is_not_there(self, here: Desks) -> None:
        closes(here, CHRISTMAS)
        closure = {"closure": str(closure_on(here, CHRISTMAS))}

        first = here.administrator.post("/office/closures/reopen", closure)
        second = here.administrator.post("/office/closures/reopen", closure)

        assert first.headers["location"] == "/office/hours?done=opened&first=2026-12-25&last=2026-12-25"
        assert second.headers["location"] == "/office/hours?done=open"
        assert "not there any more" in text_of(here.administrator.get(second.headers["location"]))

    @pytest.mark.parametrize(("closure", "status"), [("", 422), ("x", 422), (str(UUID(int=1)), 303)])
    def test_a_closure_that_never_was_opens_nothing(self, here: Desks, closure: str, status: int) -> None:
        closes(here, CHRISTMAS)

        assert here.administrator.post("/office/closures/reopen", {"closure": closure}).status_code == status
        assert closure_on(here, CHRISTMAS) is not None

    def test_one_of_another_site_stays(self, here: Desks) -> None:
        there = clinic(here.database, here.place.now, code="SAT").site_id
        with here.database.writing() as session:
            scheduling.service.close(
                session, place_id=there, first_day=CHRISTMAS, last_day=CHRISTMAS, reason="no water"
            )
            theirs = scheduling.queries.newest_closure(session, there, CHRISTMAS, CHRISTMAS)

        answer = here.administrator.post("/office/closures/reopen", {"closure": str(theirs)})

        assert answer.headers["location"] == "/office/hours?done=open"
        with here.database.reading() as session:
            assert scheduling.queries.newest_closure(session, there, CHRISTMAS, CHRISTMAS) == theirs

    def test_one_that_is_over_is_refused(self, here: Desks) -> None:
        closes(here, CHRISTMAS)
        closure = {"closure": str(closure_on(here, CHRISTMAS))}
        here.days_pass(4)
        here.administrator.signs_in("administrator")

        answer = here.administrator.post("/office/closures/reopen", closure)

        assert answer.status_code == 409
        assert "closure-over" in answer.text
        assert closure_on(here, CHRISTMAS) is not None

    def test_any_closure_has_the_button_and_a_day_that_stays_shut_is_said(self, here: Desks) -> None:
        days = {"first_day": "2026-12-24", "last_day": "2026-12-27", "closure_reason": "no water"}
        closes(here, CHRISTMAS)
        here.administrator.post("/office/closures", days)

        said = reopens(here, date(2026, 12, 26))

        assert "Open again: Thu 24 Dec 2026 – Sun 27 Dec 2026." in said
        assert "Still closed, by another closure or the weekly rest: Fri 25 Dec 2026, Sun 27 Dec 2026" in said


class TestBottles:
    def proposed(self, here: Desks, client: ClientId) -> list[str]:
        page = here.seat(Role.PHARMACIST).get(f"/counter/clients/{client}").text
        return re.findall(r'name="take_home_days" value="([\d-]+)"', page)

    def decided(self, here: Desks, policy: str, version: str = "1") -> ClientId:
        """A client of this policy who may carry two bottles a week."""
        here.follow(policy, version)
        client = here.place.client()
        here.place.decide(client, per_supply=6, per_week=2)
        return client

    def test_a_holiday_adds_a_bottle_to_the_week_where_the_policy_keeps_closed_days_apart(self, here: Desks) -> None:
        client = self.decided(here, CLINIC_POLICY)
        assert self.proposed(here, client) == ["2026-12-23", "2026-12-24"]

        closes(here, CHRISTMAS)

        assert self.proposed(here, client) == ["2026-12-23", "2026-12-24", "2026-12-25"]
        days = tuple(DoseDay(date(2026, 12, day)) for day in (23, 24, 25))
        here.place.give(client, take_home_days=days)
        with here.database.reading() as session:
            carried = select(Dose.dose_day, Dose.closed_day).where(Dose.client_id == client, Dose.kind == "take_home")
            assert sorted(session.execute(carried).all()) == list(zip(days, (False, False, True), strict=True))

    def test_and_none_where_it_does_not(self, here: Desks) -> None:
        client = self.decided(here, "PING-AN-ADHERENCE", "2")

        closes(here, CHRISTMAS)

        assert self.proposed(here, client) == ["2026-12-23", "2026-12-24"]
        days = tuple(DoseDay(date(2026, 12, day)) for day in (23, 24, 25))
        with pytest.raises(Refused) as refused:
            here.place.give(client, take_home_days=days)
        assert refused.value.first.code == "take-home-per-week"

    @pytest.mark.parametrize(
        ("limit", "days"),
        [("", ["23", "24", "25", "26", "27", "28", "29"]), ("closed_days_in_a_row = 1", ["23", "24", "25"])],
    )
    def test_of_closed_days_in_a_row_only_so_many_are_apart_as_the_policy_says(
        self, here: Desks, limit: str, days: list[str]
    ) -> None:
        own = document_of(CLINIC_POLICY).replace('version = "1"', 'version = "own"')
        own = own.replace("closed_days_apart = true", f"closed_days_apart = true\n{limit}")
        with here.database.writing() as session:
            publish(session, document=own, at=here.place.now)
        client = self.decided(here, CLINIC_POLICY, "own")
        days_off = {"first_day": "2026-12-24", "last_day": "2026-12-25", "closure_reason": "no water"}
        here.administrator.post("/office/closures", days_off)

        found = self.proposed(here, client)

        assert found == [f"2026-12-{day}" for day in days]
        here.place.give(client, take_home_days=tuple(DoseDay(date.fromisoformat(day)) for day in found))
        with here.database.reading() as session:
            carried = select(Dose.dose_day, Dose.closed_day).where(Dose.client_id == client, Dose.kind == "take_home")
            apart = {day.day for day, closed_day in session.execute(carried) if closed_day}
        assert apart == ({24} if limit else {24, 25, 27}), "the 27th is a Sunday"

    def test_a_holiday_that_is_opened_again_adds_none_any_more(self, here: Desks) -> None:
        client = self.decided(here, CLINIC_POLICY)
        closes(here, CHRISTMAS)

        reopens(here, CHRISTMAS)

        assert self.proposed(here, client) == ["2026-12-23", "2026-12-24"]


def test_the_handbook_explains_every_refusal_of_the_page_and_no_other() -> None:
    page = (ROOT / "docs" / "handbook" / "administrator.md").read_text("utf-8")
    (hours,) = [section for section in re.split(r"\n(?=## )", page) if "`no-holiday`" in section]
    explained = re.findall(r"`([a-z-]+)`", hours)
    sources = ("desks/opening.py", "desks/holidays.py", "web/typed.py")
    written = {
        code
        for name in sources
        for code in re.findall(r'(?:Refusal\(|fault\(\s*f?"[^"]*",|fault\(name,)\s*"([a-z-]+)"', source_of(name))
    }
    of_scheduling = {"bad-hours", "bad-closure", "closure-over", "no-subdivision", "no-calendar"}
    of_other_pages = {"no-choice", "bad-number", "bad-amount", "not-a-moment"}  # read by forms that this page has not

    assert {"no-days", "no-holiday", "begins-earlier", "missing", "no-id"} <= written
    assert set(explained) == (written | of_scheduling) - of_other_pages


def source_of(name: str) -> str:
    return (ROOT / "dispensary" / name).read_text("utf-8")
