"""A contact that was entered in error is taken back on the page where it was noted: they are followed up again."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy import select

from dispensary.care.reopening import take_contact_back
from dispensary.clients.contact_models import ContactNote
from dispensary.clients.contacts import contacts_of
from dispensary.clients.taken_back_rules import Wrong
from dispensary.database import Database
from dispensary.refusals import NotAllowed, NotThere, Refused
from dispensary.staff.rules import Actor, Role
from dispensary.units import ClientId
from tests.dispensary.desk_place import Desks, desks
from tests.dispensary.test_visits import agreed, ended, planned
from tests.dispensary.visiting import text_of


@pytest.fixture
def here(database: Database, now: datetime, tmp_path: Path) -> Desks:
    return desks(database, now, tmp_path)


@pytest.fixture
def away(here: Desks) -> ClientId:
    client = here.place.client()
    here.place.give(client)
    here.days_pass(5)
    return client


def test_the_page_takes_it_back_once_and_they_are_due_again(here: Desks, away: ClientId) -> None:
    nurse, at = here.seat(Role.NURSE), f"/care/stopped/{away}"
    form = {"how": "call", "reached": "yes", "came_of": "comes_back", "words": "somebody else's words"}
    assert nurse.post(f"{at}/contacts", form).status_code == 303
    assert "Everybody for whom it is time was called." in text_of(nurse.get("/care/stopped?show=due"))
    with here.database.reading() as session:
        (noted,) = contacts_of(session, client_id=away)
    page = nurse.get(at)
    assert f"{at}/contacts/{noted.id}/back" in page.text
    unsaid = nurse.post(f"{at}/contacts/{noted.id}/back", {"back": str(noted.id)})
    assert (unsaid.status_code, "somebody else" in text_of(unsaid)) == (422, True), "without a reason it stays"

    gone = nurse.post(f"{at}/contacts/{noted.id}/back", {"why": "another"})
    assert gone.headers["location"] == f"{at}?done=back"
    assert "somebody else's words" not in text_of(nurse.get(at))
    assert "Ahmad" in text_of(nurse.get("/care/stopped?show=due")), "nobody has called them"
    again = nurse.post(f"{at}/contacts/{noted.id}/back", {"why": "twice"})
    assert again.status_code == 303
    assert here.acts_about(away).count("took contact back") == 1
    with here.database.reading() as session:
        (row,) = session.scalars(select(ContactNote))
        assert (row.void_reason, row.words_sealed != b"") == (Wrong.ANOTHER, True)
    assert nurse.post(f"{at}/contacts/{uuid4()}/back", {"why": "twice"}).status_code == 404


def test_nobody_is_left_alone_for_a_reason_that_was_somebody_elses(here: Desks, away: ClientId) -> None:
    nurse, at = here.seat(Role.NURSE), f"/care/stopped/{away}"
    stops = {"how": "call", "reached": "no", "stops": "yes", "words": "They have moved to Johor."}
    assert nurse.post(f"{at}/contacts", stops).status_code == 303
    assert "Ahmad" not in text_of(nurse.get("/care/stopped"))
    with here.database.reading() as session:
        (noted,) = contacts_of(session, client_id=away)
    assert nurse.post(f"{at}/contacts/{noted.id}/back", {"why": "another"}).status_code == 303
    assert "Ahmad" in text_of(nurse.get("/care/stopped"))


def test_two_at_once_do_it_once_and_only_those_who_treat(here: Desks, away: ClientId) -> None:
    nurse, place = here.seat(Role.NURSE), here.place
    nurse.post(f"/care/stopped/{away}/contacts", {"how": "call", "reached": "no"})
    other = place.client()
    with here.database.reading() as session:
        (noted,) = contacts_of(session, client_id=away)

    def back(actor: Actor, client: ClientId = away) -> None:
        with here.database.writing() as session:
            take_contact_back(
                session, actor=actor, client_id=client, contact_id=noted.id, why=Wrong.TWICE, at=place.now
            )

    peer = Actor(place.doctor.account_id, place.site_id, frozenset({Role.PEER_WORKER}))
    with pytest.raises(NotAllowed):
        back(peer)
    with pytest.raises(NotThere):
        back(place.doctor, other)
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(back, [place.doctor, place.doctor]))
    assert here.acts_about(away).count("took contact back") == 1


def test_what_was_found_at_a_visit_goes_with_the_visit(here: Desks, away: ClientId) -> None:
    agreed(here.place, client=away)
    visit = planned(here.place, away)
    ended(here.place, visit)
    nurse = here.seat(Role.NURSE)
    with here.database.reading() as session:
        (noted,) = contacts_of(session, client_id=away)
    assert f"/contacts/{noted.id}/back" not in nurse.get(f"/care/stopped/{away}").text
    with pytest.raises(Refused) as refused, here.database.writing() as session:
        take_contact_back(
            session, actor=here.place.doctor, client_id=away, contact_id=noted.id, why=Wrong.TWICE, at=here.place.now
        )
    assert refused.value.first.code == "contact-of-visit"
