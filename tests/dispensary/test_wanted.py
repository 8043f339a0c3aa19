"""What clients wanted and nobody has begun: in sight until it begins or is let go; a no is never anybody's duty."""

from __future__ import annotations

import copy
from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from dispensary.care.offer_models import Answer, Settled
from dispensary.care.offers import answer_offer, offer
from dispensary.care.pathways import OfferKind, read_pathways, shipped
from dispensary.care.plans import plans, usual
from dispensary.care.referral_models import Outcome, Service
from dispensary.care.referrals import close_referral, refer
from dispensary.care.screenings import screen, take_back
from dispensary.care.sessions import begin_plan
from dispensary.care.wanted import settle_offer, wanted_at, wanted_of
from dispensary.clients.rules import ExitReason
from dispensary.database import Database
from dispensary.documents import BadDocument
from dispensary.monitoring.sources import document
from dispensary.refusals import NotAllowed, NotThere
from dispensary.staff.rules import Role
from dispensary.units import ClientId
from dispensary.web.dosing_acts import leave
from tests.builders import Clinic, clinic
from tests.dispensary.desk_place import Desks, desks
from tests.dispensary.visiting import text_of

LATER = timedelta(minutes=1)


@pytest.fixture
def place(database: Database, now: datetime) -> Clinic:
    return clinic(database, now)


@pytest.fixture
def here(database: Database, now: datetime, tmp_path: Path) -> Desks:
    return desks(database, now, tmp_path)


def offered(
    place: Clinic,
    client: ClientId,
    what: str,
    answer: Answer = Answer.ACCEPTED,
    *,
    after: timedelta = timedelta(),
    screening: UUID | None = None,
) -> UUID:
    with place.database.writing() as session:
        return offer(
            session, actor=place.doctor, client_id=client, what=what, answer=answer, screening_id=screening,
            key=uuid4(), today=place.today, at=place.now + after,
        ).id  # fmt: skip


def wanted(place: Clinic) -> list[str]:
    with place.database.reading() as session:
        return [each.offer.key for each in wanted_at(session, site_id=place.site_id)]


def test_of_whoever_has_died_it_stands_on_no_list(place: Clinic) -> None:
    dead, living = place.client(), place.client()
    for client in (dead, living):
        offered(place, client, "support_group")
    assert wanted(place) == ["support_group"] * 2
    with place.database.writing() as session:
        leave(
            session, actor=place.doctor, client_id=dead, ended_on=place.today, reason=ExitReason.DIED,
            sessions_go_on=False, at=place.now + LATER,
        )  # fmt: skip
    assert wanted(place) == ["support_group"]


def sent(place: Clinic, client: ClientId, service: Service) -> UUID:
    with place.database.writing() as session:
        return refer(
            session, actor=place.doctor, client_id=client, service=service, place="Klinik Bukit", agreed=True,
            ask_on=place.today, today=place.today, at=place.now,
        ).id  # fmt: skip


def begun(place: Clinic, client: ClientId, plan: str, first: date | None = None) -> None:
    with place.database.writing() as session:
        begin_plan(
            session, actor=place.doctor, client_id=client, plan=plan, first=first or place.today, at_time=None,
            minutes=45, chosen=usual(plans()[plan]), agreed=True, key=uuid4(), today=place.today, at=place.now,
        )  # fmt: skip


def asked(place: Clinic, client: ClientId) -> UUID:
    """SRQ-20, of which every answer is no."""
    answers = {f"q{n}": "no" for n in range(1, 21)}
    with place.database.writing() as session:
        return screen(
            session, actor=place.doctor, client_id=client, instrument="srq20", answers=answers, taken_on=place.today,
            key=uuid4(), today=place.today, at=place.now,
        ).id  # fmt: skip


def settled(place: Clinic, client: ClientId, offer_id: UUID, how: Settled = Settled.SEEN_TO) -> None:
    with place.database.writing() as session:
        settle_offer(session, actor=place.doctor, client_id=client, offer_id=offer_id, how=how, at=place.now)


class TestWanted:
    def test_a_specialist_stays_until_somebody_is_referred_for_that(self, place: Clinic) -> None:
        client = place.client()
        sent(place, client, Service.MENTAL_HEALTH)
        offered(place, client, "specialist")
        place.move_on()
        assert wanted(place) == ["specialist"]
        sent(place, client, Service.SUPPORT_GROUP)
        sent(place, place.client(), Service.HOSPITAL)
        assert wanted(place) == ["specialist"], "another service, or another client, is not what they wanted"
        referral = sent(place, client, Service.HOSPITAL)
        assert wanted(place) == []
        with place.database.writing() as session:
            close_referral(
                session, actor=place.doctor, client_id=client, referral_id=referral, outcome=Outcome.WITHDRAWN,
                attended_on=None, today=place.today, at=place.now,
            )  # fmt: skip
        assert wanted(place) == [], "what became of it is the referral's own"

    def test_a_referral_of_before_is_none_of_it(self, place: Clinic) -> None:
        client = place.client()
        sent(place, client, Service.HOSPITAL)
        place.move_on()
        offered(place, client, "specialist")
        assert wanted(place) == ["specialist"]

    def test_sessions_stay_until_a_plan_of_that_kind_begins(self, place: Clinic) -> None:
        client = place.client()
        for what in ("brief_intervention", "sessions"):
            offered(place, client, what)
        begun(place, client, "once")
        assert wanted(place) == ["sessions"]
        begun(place, client, "before-sentence")
        assert wanted(place) == []

    def test_an_assessment_stays_until_it_is_asked_by_another_screening_than_led_to_it(self, place: Clinic) -> None:
        client = place.client()
        first = asked(place, client)
        offered(place, client, "severity", screening=first)
        assert wanted(place) == ["severity"]
        place.move_on()
        second = asked(place, client)
        assert wanted(place) == []
        with place.database.writing() as session:
            take_back(
                session, actor=place.doctor, client_id=client, screening_id=second, reason="another client's",
                at=place.now,
            )  # fmt: skip
        assert wanted(place) == ["severity"], "one that was taken back has begun nothing"

    def test_information_begins_nothing(self, place: Clinic) -> None:
        client = place.client()
        for key, each in shipped().offers.items():
            if each.kind is OfferKind.INFORMATION:
                offered(place, client, key)
        assert wanted(place) == []


class TestANo:
    def test_is_never_a_duty_and_neither_is_a_thought(self, place: Clinic) -> None:
        client = place.client()
        thinks = offered(place, client, "specialist", Answer.OPEN)
        offered(place, client, "support_group", Answer.DECLINED)
        assert wanted(place) == []
        with place.database.writing() as session:
            answer_offer(
                session, actor=place.doctor, client_id=client, offer_id=thinks, answer=Answer.DECLINED, at=place.now
            )
        assert wanted(place) == []

    def test_to_the_same_offer_later_takes_the_yes_of_before_away(self, place: Clinic) -> None:
        client = place.client()
        offered(place, client, "specialist")
        assert wanted(place) == ["specialist"]
        offered(place, client, "specialist", Answer.DECLINED, after=LATER)
        assert wanted(place) == []
        offered(place, client, "specialist", after=LATER * 2)
        assert wanted(place) == ["specialist"], "once, however often it was said"

    @pytest.mark.parametrize("how", Settled)
    def test_and_what_was_seen_to_are_noted_once(self, place: Clinic, how: Settled) -> None:
        client, other = place.client(), place.client()
        row = offered(place, client, "specialist")
        for _ in range(2):
            settled(place, client, row, how)
        assert wanted(place) == []
        with place.database.reading() as session:
            assert wanted_of(session, client_id=client) == []
        opposite = next(each for each in Settled if each is not how)
        for late in (
            lambda: settled(place, client, row, opposite),
            lambda: settled(place, other, row, how),
            lambda: settled(place, client, offered(place, client, "support_group", Answer.DECLINED), how),
        ):
            with pytest.raises(NotThere):
                late()
        evaluator = replace(place.doctor, roles=frozenset({Role.EVALUATOR}))
        with place.database.writing() as session, pytest.raises(NotAllowed):
            settle_offer(session, actor=evaluator, client_id=client, offer_id=row, how=how, at=place.now)
        for statement in (
            "UPDATE service_offer SET settled_how = 'seen_to', settled_at = now(), settled_by = answered_by",
            "UPDATE service_offer SET settled_how = NULL, settled_at = NULL, settled_by = NULL"
            " WHERE settled_at IS NOT NULL",
        ):
            with pytest.raises(IntegrityError), place.database.writing() as session:
                session.execute(text(statement))


class TestTheDocument:
    @pytest.mark.parametrize(
        ("key", "changed"),
        [
            ("specialist", {"service": ""}),
            ("specialist", {"plans": ["once"]}),
            ("sessions", {"plans": []}),
            ("sessions", {"plans": ["weekly"]}),
            ("severity", {"instruments": ["cage"]}),
            ("leaflet", {"service": "hospital"}),
        ],
    )
    def test_names_for_each_offer_by_what_there_is_it_begins(self, key: str, changed: dict[str, Any]) -> None:
        table = copy.deepcopy(document("pathways", room="dispensary.care"))
        row = next(each for each in table["offer"] if each["key"] == key)
        row.update(changed)
        with pytest.raises(BadDocument, match=f"Offer {key}"):
            read_pathways(table)


def test_the_day_shows_it_opens_its_form_and_lets_it_go(here: Desks) -> None:
    nurse, place = here.seat(Role.NURSE), here.place
    client = place.client()
    assert "wanted, not begun" not in text_of(nurse.get("/care"))
    offered(place, client, "specialist")
    offered(place, client, "sessions")
    brief = offered(place, client, "brief_intervention")
    day = nurse.get("/care")
    assert "3 offers wanted, not begun" in text_of(day)
    assert f'href="/consulting/clients/{client}?service=hospital#referrals"' in day.text
    assert f'href="/care/clients/{client}/begin/once"' in day.text
    assert f'href="/care/clients/{client}?begin=true#sessions"' in day.text

    form = nurse.get(f"/consulting/clients/{client}?service=hospital").text
    assert '<option value="hospital" selected>' in form
    assert '<details class="more" open><summary>Refer them' in form
    plain = nurse.get(f"/consulting/clients/{client}?service=nowhere").text
    assert '<details class="more" open><summary>Refer them' not in plain
    assert "open><summary>Begin sessions" in nurse.get(f"/care/clients/{client}?begin=true").text

    at = f"/care/clients/{client}"
    assert nurse.post(f"{at}/offers/{brief}/settle", {"how": "forgotten"}).status_code == 422
    back = nurse.post(f"{at}/offers/{brief}/settle", {"how": "not_wanted", "back": "day"})
    assert back.headers["location"] == "/care#wanted"
    assert "2 offers wanted, not begun" in text_of(nurse.get("/care"))
    sent_to = {"service": "hospital", "place": "Hospital Besar", "ask_on": here.today.isoformat(), "agreed": "yes"}
    assert nurse.post(f"/consulting/clients/{client}/referrals", sent_to).status_code == 303
    assert "1 offer wanted, not begun" in text_of(nurse.get("/care"))
    page = text_of(nurse.get(at))
    assert "no longer wanted" in page
    assert here.acts_about(client).count("noted offer not wanted") == 1
