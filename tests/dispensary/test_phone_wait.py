"""WAIT by text: about how long it takes now, for who has come and for who thinks of coming; or that nobody can say."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

import scheduling.service
from dispensary.database import Database
from scheduling import calling
from tests.dispensary.phones import Line, line


@pytest.fixture
def phone_line(database: Database, now: datetime) -> Line:
    return line(database, now)


def works(phone_line: Line, people: int) -> None:
    """One window serves so many people, two minutes each, and then calls another one."""
    at = phone_line.at
    for served in range(people + 1):
        with phone_line.database.writing() as session:
            visit = scheduling.service.check_in(
                session, place_id=phone_line.site.id, holder_id=phone_line.clinic.client(), now=phone_line.at
            )
            calling.call(session, visit_id=visit.id, window=1, now=at)
            if served < people:
                at += timedelta(minutes=2)
                scheduling.service.finish(session, visit_id=visit.id, now=at)
    phone_line.at = at + timedelta(seconds=30)


@pytest.mark.parametrize("written", ["WAIT", "wait please", "giliran", "要等多久"])
def test_it_says_that_nobody_can_know_before_the_day_has_begun(phone_line: Line, written: str) -> None:
    client = phone_line.client()
    assert phone_line.says(client, written) == (
        "How long the wait is now we cannot say. You can come while we are open."
    )


def test_it_is_said_from_the_days_own_stamps(phone_line: Line) -> None:
    client = phone_line.client()
    works(phone_line, 6)
    assert phone_line.says(client, "wait") == "If you come now you wait about 2 min."


def test_who_has_come_is_told_their_number(phone_line: Line) -> None:
    client, other = phone_line.client(), phone_line.client()
    works(phone_line, 6)
    for each in (other, client):
        with phone_line.database.writing() as session:
            scheduling.service.check_in(session, place_id=phone_line.site.id, holder_id=each, now=phone_line.at)
    assert phone_line.says(client, "wait") == "Your number is 9. It is called in about 4 min."


def test_an_open_question_stays_open(phone_line: Line) -> None:
    client = phone_line.client()
    phone_line.says(client, "slots sat")
    phone_line.says(client, "wait")
    assert phone_line.says(client, "2").startswith("Booked: Sat 28 Nov at 07:45.")
