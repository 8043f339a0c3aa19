"""Languages of texts that nobody has checked: off until the site accepts them, and what is read until then."""

from __future__ import annotations

from datetime import datetime

import pytest
from sqlalchemy import select

from dispensary.database import Database
from dispensary.refusals import BadInput, NotAllowed
from dispensary.staff.models import AuditEntry, Site
from dispensary.staff.rules import Actor, Role
from dispensary.staff.text_languages import accept_language, text_languages, withdraw_language
from notifications.texts import CATALOGUES, DRAFTS
from tests.dispensary.phones import Line, line

KEPT = "Nothing was changed. Reply MENU for what you can write."


@pytest.fixture
def phone_line(database: Database, now: datetime) -> Line:
    return line(database, now)


def administrator(phone_line: Line) -> Actor:
    pharmacist = phone_line.clinic.pharmacist
    return Actor(pharmacist.account_id, phone_line.site.id, frozenset({Role.ADMINISTRATOR}))


def withdrawn(phone_line: Line, *languages: str) -> None:
    with phone_line.database.writing() as session:
        for language in languages:
            withdraw_language(session, actor=administrator(phone_line), language=language, at=phone_line.at)


def test_a_client_whose_language_is_off_is_written_to_in_the_sites_own(phone_line: Line) -> None:
    client = phone_line.client(language="th")
    assert phone_line.says(client, "ไม่") != KEPT
    withdrawn(phone_line, "th")
    assert phone_line.says(client, "ไม่") == KEPT
    with phone_line.database.writing() as session:
        session.get_one(Site, phone_line.site.id).language = "ms"
    assert phone_line.says(client, "ไม่").startswith("Tiada perubahan")
    withdrawn(phone_line, "ms")
    assert phone_line.says(client, "ไม่") == KEPT


def test_what_they_write_is_understood_all_the_same(phone_line: Line) -> None:
    client = phone_line.client(language="th")
    withdrawn(phone_line, "th")
    assert phone_line.says(client, "จองวันศุกร์ 7 โมง").startswith("Booked: Fri 27 Nov at 07:00.")


def test_a_language_that_is_accepted_again_is_written_from_then_on(phone_line: Line) -> None:
    client = phone_line.client(language="vi")
    withdrawn(phone_line, "vi")
    for _ in range(2):
        with phone_line.database.writing() as session:
            accept_language(session, actor=administrator(phone_line), language="vi", at=phone_line.at)
    assert phone_line.says(client, "không").startswith("Không có gì thay đổi")
    with phone_line.database.reading() as session:
        acts = session.scalars(select(AuditEntry.act).where(AuditEntry.subject_id == phone_line.site.id)).all()
    assert acts.count("withdrew language of texts") == 1
    assert acts.count("accepted language of texts") == 1


def test_every_language_is_listed_with_whether_it_is_on(phone_line: Line) -> None:
    withdrawn(phone_line, "lo")
    with phone_line.database.reading() as session:
        listed = {each.tag: each.on for each in text_languages(session, site_id=phone_line.site.id)}
    assert listed == {tag: tag != "lo" for tag in CATALOGUES}
    assert "en" not in DRAFTS


def test_what_is_no_draft_or_not_theirs_to_decide_is_refused(phone_line: Line) -> None:
    with phone_line.database.writing() as session, pytest.raises(BadInput):
        accept_language(session, actor=administrator(phone_line), language="en", at=phone_line.at)
    with phone_line.database.writing() as session, pytest.raises(NotAllowed):
        accept_language(session, actor=phone_line.clinic.pharmacist, language="th", at=phone_line.at)
