"""Measures of reaching people: contacts by reason and outcome, who came back, visits at home, groups, and entries."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import uuid4

import pytest

from dispensary.care.intake_closing import Outcome, close_intake
from dispensary.care.intake_services import Given, give_service, take_service_back
from dispensary.care.intakes import Heard, Part, assess_part, take_in
from dispensary.care.meetings import About, note_meeting
from dispensary.care.referral_models import Service
from dispensary.care.visits import Purpose, call_visit_off, end_visit, plan_visit
from dispensary.clients.contact_rules import CameOf, How, Why
from dispensary.clients.contacts import note_visit_wish, write_contact
from dispensary.clients.rules import EntryRoute
from dispensary.clients.taken_back_rules import Wrong
from dispensary.database import Database
from dispensary.evaluation.answering import ALL
from dispensary.prescribing.service import order_dose
from dispensary.units import ClientId, milligrams
from tests.builders import Clinic, clinic
from tests.dispensary.measured import asked, figures


@pytest.fixture
def here(database: Database, now: datetime) -> Clinic:
    return clinic(database, now)


def split(here: Clinic, key: str, by: str, indicator: str, **how: object) -> dict[str, str]:
    found = asked(here, key, by=(by,), **how)  # type: ignore[arg-type]
    return {
        row.strata[0]: f"{row.numerator}" for row in found.rows if row.indicator == indicator and row.strata[0] != ALL
    }


def contact(
    here: Clinic, client: ClientId, *, reached: bool = True, why: Why | None = None, came_of: CameOf | None = None,
    how: How = How.CALL,
) -> None:  # fmt: skip
    with here.database.writing() as session:
        write_contact(
            session, actor=here.doctor, client_id=client, reached=reached, words="Spoke." if reached else "",
            key=uuid4(), at=here.now, how=how, came_of=came_of, why=why,
        )  # fmt: skip


def comes(here: Clinic, client: ClientId) -> None:
    """They come after days without a dose: the prescriber orders again, and they have it."""
    with here.database.writing() as session:
        order_dose(
            session, actor=here.doctor, client_id=client, mg=milligrams("80"), from_day=here.today, reason="again",
            second_look="away", today=here.today, at=here.now,
        )  # fmt: skip
    here.give(client)


class TestContacts:
    def test_are_counted_by_their_reason_and_by_what_came_of_them(self, here: Clinic) -> None:
        one, two = here.client(), here.client()
        contact(here, one, reached=False)
        contact(here, one, why=Why.WAY, came_of=CameOf.COMES_BACK)
        contact(here, two, why=Why.WORK, came_of=CameOf.UNDECIDED, how=How.TALK)
        here.now += timedelta(minutes=1)
        contact(here, two, why=Why.WORK)
        contact(here, here.client(), reached=False)
        found = figures(asked(here, "contacts"))
        assert {key: found[key] for key in ("contacts", "reached", "people", "people_reached")} == {
            "contacts": ("5", "None"), "reached": ("3", "5"), "people": ("3", "None"), "people_reached": ("2", "3"),
        }  # fmt: skip
        assert split(here, "contacts", "reason", "contacts") == {"way": "1", "work": "2", "not reached": "2"}
        assert split(here, "contacts", "outcome", "contacts") == {
            "comes_back": "1", "undecided": "1", "not asked": "1", "not reached": "2",
        }  # fmt: skip
        assert split(here, "contacts", "outcome", "people_reached") == {
            "comes_back": "1", "not asked": "1", "not reached": "0",
        }  # fmt: skip
        assert split(here, "contacts", "how", "contacts") == {"call": "4", "talk": "1"}
        before = figures(asked(here, "contacts", as_of=here.now - timedelta(minutes=2)))
        assert before["contacts"] == ("0", "None")

    def test_who_was_reached_while_away_came_back_or_not_and_is_waited_for(self, here: Clinic) -> None:
        back, never, late, there, new = (here.client() for _ in range(5))
        for client in (back, never, late, there):
            here.give(client)
        here.move_on(1)
        contact(here, new)
        here.move_on(3)
        comes(here, there)
        for client in (back, never, late, there):
            contact(here, client, came_of=CameOf.COMES_BACK)
        reached_at = here.now
        here.move_on(10)
        comes(here, back)
        here.move_on(19)
        young = asked(here, "contacts")
        assert figures(young)["back"] == ("0", "0"), "of nobody it is known yet, of whoever came back neither"
        assert dict(young.told()) == {
            "clients who were reached while away so lately that it is not known who comes back": "3"
        }
        here.move_on(1)
        assert figures(asked(here, "contacts"))["back"] == ("1", "3")
        assert figures(asked(here, "contacts", back_days="9"))["back"] == ("0", "3")
        here.move_on(1)
        comes(here, late)
        assert figures(asked(here, "contacts"))["back"] == ("1", "3"), "on the 31st day it is late"
        assert figures(asked(here, "contacts", back_days="31"))["back"] == ("2", "3")
        assert figures(asked(here, "contacts", as_of=reached_at))["back"] == ("0", "0")

    def test_fewer_than_five_people_are_hidden(self, here: Clinic) -> None:
        for _ in range(6):
            contact(here, here.client(), why=Why.WAY, came_of=CameOf.COMES_BACK)
        contact(here, here.client(), why=Why.DETAINED, came_of=CameOf.NOT_NOW)
        shown = split(here, "contacts", "reason", "contacts", least=5)
        assert shown["detained"] == shown["way"] == "None"


class TestVisits:
    def test_who_was_met_of_those_that_are_written_down(self, here: Clinic) -> None:
        visits = []
        for n in range(5):
            client = here.client()
            with here.database.writing() as session:
                note_visit_wish(
                    session, actor=here.doctor, client_id=client, agreed=True, where="Blue door", today=here.today,
                    at=here.now,
                )  # fmt: skip
                assert here.doctor.account_id is not None
                visits.append(
                    plan_visit(
                        session, actor=here.doctor, client_id=client, visitor_id=here.doctor.account_id, on=here.today,
                        purpose=Purpose.STOPPED if n else Purpose.LOOK, today=here.today, at=here.now,
                    ).id
                )  # fmt: skip
        planned = here.now
        here.now += timedelta(minutes=5)
        with here.database.writing() as session:
            for visit, met in zip(visits, (True, True, False), strict=False):
                end_visit(
                    session, actor=here.doctor, visit_id=visit, met=met, found="well" if met else "", key=uuid4(),
                    today=here.today, at=here.now,
                )  # fmt: skip
            call_visit_off(session, actor=here.doctor, visit_id=visits[3], at=here.now)
        assert figures(asked(here, "home-visits")) == {
            "agreed": ("4", "None"), "met": ("2", "3"), "unknown": ("1", "4"), "called_off": ("1", "5"),
            "people": ("2", "None"),
        }  # fmt: skip
        assert figures(asked(here, "home-visits", as_of=planned))["unknown"] == ("5", "5")
        assert split(here, "home-visits", "purpose", "met") == {"look": "1", "stopped": "1"}


def test_a_group_session_counts_clients_and_others(here: Clinic) -> None:
    clients = [here.client() for _ in range(3)]
    for about, came, others in ((About.SUPPORT, clients, 4), (About.SUPPORT, clients[:1], 0), (About.FAMILY, [], 2)):
        with here.database.writing() as session:
            note_meeting(
                session, actor=here.doctor, about=about, on=here.today, clients=came, others=others, key=uuid4(),
                today=here.today, at=here.now,
            )  # fmt: skip
    assert figures(asked(here, "group-sessions")) == {
        "sessions": ("3", "None"), "attended": ("4", "None"), "others": ("6", "None"), "clients": ("3", "None"),
    }  # fmt: skip
    assert split(here, "group-sessions", "about", "sessions") == {"support": "2", "family": "1"}
    assert figures(asked(here, "group-sessions", as_of=here.now - timedelta(seconds=1)))["sessions"] == ("0", "None")


def test_entries_from_outside_by_who_sent_them_and_what_became_of_them(here: Clinic) -> None:
    ends: tuple[tuple[EntryRoute, Outcome | None], ...] = (
        (EntryRoute.POLICE, Outcome.ENROLLED),
        (EntryRoute.POLICE, Outcome.NOT_WANTED),
        (EntryRoute.COURT, None),
        (EntryRoute.POLICE, Outcome.ELSEWHERE),
    )
    intakes = []
    with here.database.writing() as session:
        for n, (route, _) in enumerate(ends):
            intakes.append(
                take_in(session, actor=here.doctor, heard=Heard(f"Name {n}", route), today=here.today, at=here.now).id
            )
        for part, services in ((Part.HEALTH, ["hiv_test"]), (Part.LEGAL, [])):
            assess_part(
                session, actor=here.doctor, intake_id=intakes[0], part=part, words="what was found", services=services,
                key=uuid4(), today=here.today, at=here.now,
            )  # fmt: skip
        for intake, given, service in (
            (intakes[0], Given.LEAFLET, None),
            (intakes[1], Given.REFERRAL, Service.LEGAL_AID),
            (intakes[2], Given.TALK, None),
        ):
            give_service(
                session, actor=here.doctor, intake_id=intake, given=given, service=service, key=(key := uuid4()),
                today=here.today, at=here.now,
            )  # fmt: skip
        take_service_back(
            session, actor=here.doctor, intake_id=intakes[2], entry_id=key, why=Wrong.NEVER,
            at=here.now + timedelta(minutes=1),
        )  # fmt: skip
    came = here.now
    here.now += timedelta(minutes=5)
    client = here.client()
    with here.database.writing() as session:
        for intake, (_, outcome) in zip(intakes, ends, strict=True):
            if outcome is not None:
                close_intake(
                    session, actor=here.doctor, intake_id=intake, outcome=outcome, at=here.now,
                    client_id=client if outcome is Outcome.ENROLLED else None,
                )  # fmt: skip
    found = figures(asked(here, "intakes"))
    assert found == {
        "came": ("4", "None"), "assessed": ("1", "4"), "health": ("1", "4"), "legal": ("1", "4"), "social": ("0", "4"),
        "offered": ("1", "4"), "given": ("2", "4"), "referred": ("1", "4"), "open": ("1", "4"),
        "enrolled": ("1", "3"), "elsewhere": ("1", "3"),
        "not_wanted": ("1", "3"), "not_reached": ("0", "3"), "lapsed": ("0", "3"),
    }  # fmt: skip
    assert split(here, "intakes", "route", "came") == {"police": "3", "court": "1"}
    assert split(here, "intakes", "outcome", "came") == {
        "enrolled": "1", "not_wanted": "1", "elsewhere": "1", "open": "1",
    }  # fmt: skip
    before = figures(asked(here, "intakes", as_of=came))
    assert (before["open"], before["given"]) == (("4", "4"), ("3", "4"))
