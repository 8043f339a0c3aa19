"""The page that a client takes along: plain words in their language, and nothing on it that gives anything away."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from dispensary.database import Database
from dispensary.staff.models import Site
from dispensary.staff.rules import Role
from dispensary.supplies.printing.explained import Explained, explained, explained_pdf
from dispensary.takehome.deciding import decide
from dispensary.takehome.queries import last_assessment
from dispensary.takehome.service import assess_client
from dispensary.takehome.suspending import suspend
from dispensary.takehome.terms import Naloxone, Occasion
from dispensary.units import ClientId
from dispensary.web.consultation import Phone, reach
from notifications.discretion import reveals
from tests.dispensary.desk_place import Desks, desks
from tests.dispensary.visiting import text_of
from tests.paper import words_of


@pytest.fixture
def here(database: Database, now: datetime, tmp_path: Path) -> Desks:
    return desks(database, now, tmp_path)


@pytest.fixture
def client(here: Desks) -> ClientId:
    here.follow()
    return here.place.client()


def reads(here: Desks, client: ClientId, language: str) -> None:
    with here.database.writing() as session:
        phone = Phone(number="+60123456789", language=language, consented=True)
        reach(session, client_id=client, phone=phone, region="MY", at=here.place.now)


def decided(here: Desks, client: ClientId, per_supply: int, per_week: int | None = None, **more: Any) -> None:
    with here.database.writing() as session:
        assessed = assess_client(session, actor=here.place.doctor, client_id=client, on=here.today, at=here.place.now)
        decide(
            session,
            actor=here.place.doctor,
            assessment_id=assessed.id,
            days_from=here.today,
            days_until=more.pop("days_until", None),
            per_supply=per_supply,
            per_week=per_week,
            reason="so",
            naloxone=Naloxone.GIVEN,
            at=here.place.now,
            **more,
        )


def suspended(here: Desks, client: ClientId) -> None:
    with here.database.writing() as session:
        suspend(
            session,
            actor=here.place.doctor,
            client_id=client,
            from_day=here.today,
            reason="sold two bottles of methadone",
            review_on=here.today + timedelta(days=14),
            at=here.place.now,
        )


def page_of(here: Desks, client: ClientId) -> Explained:
    with here.database.reading() as session:
        site = session.get_one(Site, here.place.site_id)
        return explained(session, site=site, client_id=client, today=here.today)


def lines_of(page: Explained) -> list[str]:
    return [page.title, page.foot, *(line for part in page.parts for line in (part.heading, *part.lines))]


@pytest.mark.parametrize("language", ["en", "ms"])
def test_nothing_on_it_names_a_medicine_an_amount_a_clinic_or_a_person(
    here: Desks, client: ClientId, language: str
) -> None:
    reads(here, client, language)
    seen = [page_of(here, client)]
    decided(here, client, 6, 6, consecutive=3, weekdays=frozenset({1, 5}), review_on=here.today + timedelta(days=90))
    seen.append(page_of(here, client))
    decided(here, client, 10, days_until=here.today + timedelta(days=9), occasion=Occasion.ILLNESS)
    seen.append(page_of(here, client))
    suspended(here, client)
    seen.append(page_of(here, client))

    said = [line for page in seen for line in lines_of(page)]
    assert len(set(said)) > 12
    assert [line for line in said if reveals(line)] == []
    assert {page.language for page in seen} == {language}
    assert not any("sold" in line or "Somebody" in line for line in said)


def test_it_says_what_was_agreed_on_which_days_and_until_when(here: Desks, client: ClientId) -> None:
    review, until = here.today + timedelta(days=90), here.today + timedelta(days=30)
    decided(here, client, 4, 4, weekdays=frozenset({1, 2, 5}), review_on=review, days_until=until)

    agreed = page_of(here, client).parts[0].lines

    assert agreed == (
        "Each time you come, you can take along what you need for up to 4 days.",
        "That is up to 4 days at home in a week.",
        "Your days at home: Tuesday, Wednesday, Saturday.",
        "It holds until 23 December 2026.",
        "We look at it again together by 22 February 2027.",
    )


def test_who_reads_malay_gets_malay_and_who_reads_chinese_gets_english(here: Desks, client: ClientId) -> None:
    reads(here, client, "ms")
    decided(here, client, 2, 2, weekdays=frozenset({0}))
    malay = page_of(here, client)
    assert malay.title == "Apa yang dipersetujui, dan apa seterusnya"
    assert "Hari anda di rumah: Isnin." in lines_of(malay)
    english = {line for line in lines_of(malay) if re.search(r"\b(you|the|we)\b", line, re.IGNORECASE)}
    assert english == set()

    reads(here, client, "zh_Hans")
    assert page_of(here, client).title == "What was agreed, and what comes next"


def test_the_first_day_on_which_more_is_possible_is_the_one_of_the_assessment(here: Desks, client: ClientId) -> None:
    decided(here, client, 0, 0)
    with here.database.reading() as session:
        kept = last_assessment(session, client)
    assert kept is not None
    assert kept.result["next"] is not None
    said = " ".join(lines_of(page_of(here, client)))
    assert "At present you come on each day." in said
    assert kept.result["next"]["on"][-2:].lstrip("0") in said
    assert "A day missed is no fault" in said


def test_while_it_is_suspended_it_says_when_it_is_looked_at_again_and_no_reason(here: Desks, client: ClientId) -> None:
    decided(here, client, 6, 6)
    suspended(here, client)

    page = page_of(here, client)

    assert page.parts[0].lines == (
        "At present you come on each day.",
        "We look at it again together by 8 December 2026.",
    )
    assert [part.heading for part in page.parts] == ["What was agreed", "If something changes"]


def test_on_paper_it_says_the_same_and_the_same_bytes_each_time(here: Desks, client: ClientId) -> None:
    reads(here, client, "ms")
    decided(here, client, 6, 6, consecutive=3)
    page = page_of(here, client)

    paper = explained_pdf(page)

    assert paper == explained_pdf(page)
    printed = words_of(paper)
    for line in lines_of(page):
        assert line in printed


def test_a_long_page_goes_on_overleaf(here: Desks, client: ClientId) -> None:
    page = page_of(here, client)
    long = Explained(page.title, page.parts * 12, page.foot, page.day, page.language)
    assert words_of(explained_pdf(long)).count("If something changes") == 12


class TestThePage:
    def test_it_is_read_together_and_the_look_is_written_down(self, here: Desks, client: ClientId) -> None:
        decided(here, client, 6, 6)
        with here.database.writing() as session:
            session.execute(update(Site).values(name="Harapan Methadone Clinic", phone="+60 3 1234"))

        answer = here.doctor.get(f"/consulting/clients/{client}/take-home/explained")

        assert "Each time you come" in text_of(answer)
        assert "call +60 3 1234" in text_of(answer)
        assert "Harapan" not in answer.text
        assert here.acts_about(client)[-1] == "looked at"

    def test_on_paper_its_name_says_nothing(self, here: Desks, client: ClientId) -> None:
        answer = here.doctor.get(f"/consulting/clients/{client}/take-home/explained.pdf")

        assert answer.headers["content-type"] == "application/pdf"
        assert answer.headers["content-disposition"] == 'inline; filename="page.pdf"'
        assert answer.content.startswith(b"%PDF")

    def test_who_may_not_read_records_may_not_read_it(self, here: Desks, client: ClientId) -> None:
        path = f"/consulting/clients/{client}/take-home/explained"
        assert here.seat(Role.EVALUATOR).get(path).status_code == 403
        assert here.doctor.get(path.replace(str(client), str(here.place.site_id))).status_code == 404


def test_it_says_how_often_they_had_what_they_needed_and_what_would_help(here: Desks, client: ClientId) -> None:
    here.place.give(client)
    here.place.move_on()
    decided(here, client, 2, 2)
    with here.database.reading() as session:
        kept = last_assessment(session, client)
    assert kept is not None
    had, missed = kept.result["figures"]["covered_days"], len(kept.result["figures"]["missed_days"])

    said = " ".join(lines_of(page_of(here, client)))

    assert (had, missed) == (1, 0)
    assert "you had what you needed on 1 of 1 days." in said
    assert "a box at home that locks" in said
    assert "tell us about your home and your work" in said
