"""Damage to what clients wish of texts is found and named."""

from __future__ import annotations

import re
from datetime import datetime
from uuid import uuid4

import pytest

from dispensary.clients.wish_rules import Wishes
from dispensary.clients.wishes import set_wishes
from dispensary.database import Database
from dispensary.phone.clockwork import write_of_itself
from dispensary.phone.news import send_news
from dispensary.staff.rules import Actor, Role
from tests.dispensary.phones import Line, kl, line
from tests.dispensary.test_own_texts import visited
from tests.dispensary.test_verification import damage, findings

COPY = (
    "INSERT INTO message SELECT (jsonb_populate_record(m, jsonb_build_object('id', gen_random_uuid(), "
    "'reason_key', gen_random_uuid()))).* FROM message m WHERE kind = '{}'"
)
DAMAGES: list[tuple[str, str]] = [
    ("DELETE FROM text_wish WHERE word = 'news'", r"of kind news was queued for client .*, who had not asked"),
    (
        "UPDATE text_wish SET wanted = false, set_at = set_at - interval '1 day' WHERE word = 'missed'",
        r"of kind missed_today was queued for client",
    ),
    (COPY.format("feedback_visit"), r"was asked about a visit 2 times within thirty days"),
    (COPY.format("missed_today"), r"was told 2 times that they were missed on 2026-11-24"),
    ("UPDATE message SET kind = 'closure' WHERE kind = 'news'", r"carried news .*, and is none of that kind"),
]


@pytest.fixture
def here(database: Database, now: datetime) -> Line:
    """Somebody who wants every text had news, was asked after a visit, and somebody was missed."""
    here = line(database, now)
    served, missed = here.client(), here.client()
    office = Actor(here.clinic.doctor.account_id, here.site.id, frozenset({Role.ADMINISTRATOR}))
    everything = Wishes(missed=True, news=True, feedback=True)
    with database.writing() as session:
        for client in (served, missed):
            set_wishes(session, actor=here.clinic.pharmacist, client_id=client, wishes=everything, at=now)
    here.book(missed, kl(24, 9))
    here.book(missed, kl(26, 9))
    visited(here, served, kl(24, 8, 50), kl(24, 9), kl(24, 9, 5))
    with database.writing() as session:
        send_news(session, actor=office, site=here.site, words="We open at nine.", key=uuid4(), at=kl(24, 8))
    assert write_of_itself(database, kl(24, 10, 1)) == 2
    return here


def test_wishes_that_were_kept_have_no_finding(here: Line) -> None:
    assert findings(here.database, kl(24, 10, 2)) == []


@pytest.mark.parametrize(("statement", "said"), DAMAGES, ids=[str(n) for n in range(len(DAMAGES))])
def test_damage_is_found_and_named(here: Line, statement: str, said: str) -> None:
    damage(here.clinic, statement)
    assert any(re.search(said, finding) for finding in findings(here.database, kl(24, 10, 2)))
