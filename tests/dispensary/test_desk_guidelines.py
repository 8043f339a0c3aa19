"""The office's page of dosing guidelines: followed by topic, drafts closed, a document of the site's own."""

from __future__ import annotations

from datetime import date, datetime
from pathlib import Path

import pytest

from dispensary.database import Database
from dispensary.prescribing.adopting import guideline_of
from dispensary.prescribing.guideline import Guideline
from dispensary.prescribing.sections import Topic
from dispensary.staff.rules import Role
from tests.dispensary.desk_place import Desks, day, desks
from tests.dispensary.visiting import text_of

PAGE = "/office/guidelines"
OWN = """
guideline = "OUR-COMMITTEE"
version = "1"
jurisdiction = "MY"
title = "Missed days"
source_date = "2026"

[missed]
source = "Our committee"
confidence = "high"
status = "active"

[[missed.rows]]
first = 1
instruction = "do_not_supply"
"""


@pytest.fixture
def here(database: Database, now: datetime, tmp_path: Path) -> Desks:
    return desks(database, now, tmp_path)


def asked(here: Desks, **given: str) -> dict[str, str]:
    return {"topic": "missed", "guideline": "AU-NAT-2003", "from_day": day(0, here), **given}


def followed(here: Desks, on: date, topic: Topic = Topic.MISSED) -> Guideline | None:
    with here.database.reading() as session:
        return guideline_of(session, here.place.site_id, topic, on)


def test_a_site_that_follows_nothing_is_told_so_for_each_topic(here: Desks) -> None:
    said = text_of(here.administrator.get(PAGE))

    assert said.count("none: the prescriber decides") == len(Topic)
    assert "AU-NAT-2003, s3-3.5" in said


def test_a_guideline_is_followed_for_one_topic_alone(here: Desks) -> None:
    answer = here.administrator.post(PAGE, asked(here))

    assert answer.headers["location"] == "/office/guidelines?done=adopted"
    kept = followed(here, here.today)
    assert kept is not None
    assert kept.guideline == "AU-NAT-2003"
    assert followed(here, here.today, Topic.VOMITED) is None
    assert "✓ AU-NAT-2003 since" in text_of(here.administrator.get(PAGE))
    assert here.acts_about(here.place.site_id)[-1] == "adopted guideline"


def test_a_draft_cannot_be_chosen_and_is_refused_when_it_is_sent(here: Desks) -> None:
    assert 'value="NSW-2018" disabled' in here.administrator.get(PAGE).text

    answer = here.administrator.post(PAGE, asked(here, guideline="NSW-2018"))

    assert "is a draft that nobody has confirmed" in text_of(answer)
    assert followed(here, here.today) is None


def test_a_document_of_the_sites_own_is_followed_word_for_word(here: Desks) -> None:
    here.administrator.post(PAGE, asked(here, guideline="", document=OWN))

    kept = followed(here, here.today)
    assert kept is not None
    assert kept.guideline == "OUR-COMMITTEE"


def test_each_problem_of_a_document_is_said_and_what_was_typed_stays(here: Desks) -> None:
    typed = OWN.replace("instruction", "instrucshun") + "\nsurprise = 1"

    answer = here.administrator.post(PAGE, asked(here, guideline="", document=typed))

    said = text_of(answer)
    assert "instrucshun" in said
    assert "surprise" in said
    assert "instrucshun" in answer.text[answer.text.index("<textarea") :]
    assert followed(here, here.today) is None


def test_a_site_may_stop_following_one(here: Desks) -> None:
    here.administrator.post(PAGE, asked(here))
    here.administrator.post(PAGE, asked(here, guideline="none", from_day=day(1, here)))

    assert followed(here, here.today) is not None
    assert followed(here, date.fromisoformat(day(1, here))) is None


@pytest.mark.parametrize("role", [role for role in Role if role is not Role.ADMINISTRATOR])
def test_nobody_else_chooses_a_guideline(here: Desks, role: Role) -> None:
    assert here.seat(role).get(PAGE).status_code == 403
    assert here.seat(role).post(PAGE, asked(here)).status_code == 403
