"""The letter that somebody carries to where they are referred: it says what for, and gives nothing else away."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest

from dispensary.care.referral_models import Outcome, Service
from dispensary.care.referrals import close_referral, refer
from dispensary.database import Database
from dispensary.staff.models import Site
from dispensary.staff.rules import Role
from dispensary.supplies.printing.referral_letter import referral_letter_pdf, services
from dispensary.words import spoken
from notifications.discretion import reveals
from tests.dispensary.desk_place import Desks, desks
from tests.notifications.test_texts import BANNED
from tests.paper import pages_of, words_of

PLACE = "Biro Bantuan Guaman, Jalan Bukit 4"
LANGUAGES = ("en", "ms")


def printed(now: datetime, service: Service, language: str, name: str = "", place: str = PLACE) -> str:
    pdf = referral_letter_pdf(
        place=place, service=service, name=name, sent_on=now.date(), language=language, printed_at=now
    )
    assert len(pages_of(pdf)) == 1
    return words_of(pdf)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("service", Service)
def test_it_says_where_and_what_for_and_no_word_besides_gives_anything_away(
    now: datetime, service: Service, language: str
) -> None:
    words = printed(now, service, language, "Minh Tran")
    with spoken(language):
        what_for = services()[service]
    assert PLACE in words
    assert words.count(what_for) == 1
    rest = words.replace(what_for, " ")
    assert (reveals(rest), BANNED.search(rest)) == ("", None), rest


def test_the_first_name_stands_there_where_they_wish_it_and_nowhere_else(now: datetime) -> None:
    assert "Minh" in printed(now, Service.LEGAL_AID, "en", "Minh Tran")
    assert "Tran" not in printed(now, Service.LEGAL_AID, "en", "Minh Tran")
    assert "Name" not in printed(now, Service.LEGAL_AID, "en")
    assert "Name" not in printed(now, Service.LEGAL_AID, "en", "Methadon-Joe")


def test_it_speaks_the_language_of_the_place(now: datetime) -> None:
    assert "Please see whoever brings this letter" in printed(now, Service.VOCATIONAL, "en")
    assert "Sila temui pembawa surat ini" in printed(now, Service.VOCATIONAL, "ms")


def test_it_is_printed_from_the_page_while_the_referral_is_open_and_the_trail_says_so(
    database: Database, now: datetime, tmp_path: Path
) -> None:
    here: Desks = desks(database, now, tmp_path)
    nurse, client = here.seat(Role.NURSE), here.enrolled("H2000", "Minh Tran")
    place = here.place
    with database.writing() as session:
        sent = refer(
            session, actor=place.doctor, client_id=client, service=Service.LEGAL_AID, place=PLACE, agreed=True,
            ask_on=here.today + timedelta(days=7), today=here.today, at=place.now,
        )  # fmt: skip
        site = session.get_one(Site, place.site_id)
        of_the_house = (site.name, site.code, place.doctor.name, "H2000", "Tran")
    at = f"/consulting/clients/{client}"
    assert f'action="{at}/referrals/{sent.id}/letter.pdf"' in nurse.get(at).text

    named = nurse.post(f"{at}/referrals/{sent.id}/letter.pdf", {"named": "yes"})
    assert (named.status_code, named.headers["content-type"]) == (200, "application/pdf")
    words = words_of(named.content)
    assert {PLACE, "Legal aid", "Minh"} <= {each for each in (PLACE, "Legal aid", "Minh") if each in words}
    assert [each for each in of_the_house if each and each in words] == []
    unnamed = words_of(nurse.post(f"{at}/referrals/{sent.id}/letter.pdf", {}).content)
    assert "Minh" not in unnamed
    assert here.acts_about(client).count("printed referral letter") == 2

    assert nurse.post(f"{at}/referrals/{uuid4()}/letter.pdf", {}).status_code == 404
    other = here.enrolled("H2001", "Somebody Else")
    assert nurse.post(f"/consulting/clients/{other}/referrals/{sent.id}/letter.pdf", {}).status_code == 404
    with database.writing() as session:
        close_referral(
            session, actor=place.doctor, client_id=client, referral_id=sent.id, outcome=Outcome.WITHDRAWN,
            attended_on=None, today=here.today, at=place.now,
        )  # fmt: skip
    assert nurse.post(f"{at}/referrals/{sent.id}/letter.pdf", {}).status_code == 404
