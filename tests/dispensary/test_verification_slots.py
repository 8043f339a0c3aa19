"""Damage to held places, weekly times, the waiting list and offers is found and named."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import datetime, time

import pytest

import scheduling.service
import scheduling.standing
import scheduling.waitlist
from dispensary.database import Database
from dispensary.phone import front_desk
from scheduling.shares import held_of
from tests.dispensary.phones import Line, kl, line, week
from tests.dispensary.test_verification import damage, findings

DAMAGES: list[tuple[str, str]] = [
    (
        "ALTER TABLE slot DROP CONSTRAINT ck_slot_shares; UPDATE slot SET held_booked = '{}' WHERE held_booked <> '{}'",
        r"held for shift has 1 bookings, counts 0",
    ),
    ("UPDATE booking SET share = 'new' WHERE given", r"held for shift has 0 bookings, counts 1"),
    ("DELETE FROM offer WHERE state = 'open'", r"has 1 bookings, counts 2, and takes 2"),
    ("DELETE FROM audit_entry WHERE act = 'gave held place'", r"was given a place held for shift, and nobody"),
    (
        "DROP INDEX uq_offer_one_open; INSERT INTO offer SELECT gen_random_uuid(), wait_id, place_id, holder_id, "
        "starts_at, share, made_at, expires_at, state, NULL, NULL FROM offer WHERE state = 'open'",
        r"2 places are kept at once for holder",
    ),
    (
        "UPDATE offer SET state = 'taken', settled_at = now(), booking_id = (SELECT id FROM booking LIMIT 1)",
        r"offer .* was taken, and booking .* is not of that place",
    ),
    ("UPDATE wait SET day = day + 1", r"is about another place, holder or day"),
    (
        "DROP INDEX uq_wait_one_a_day; INSERT INTO wait SELECT gen_random_uuid(), place_id, holder_id, day, starts_at, "
        "groups, channel, asked_at, state, NULL FROM wait",
        r"stands in line 2 times",
    ),
    ("UPDATE standing SET at = at + interval '15 minutes'", r"was made from a weekly time that does not say so"),
    (
        "INSERT INTO standing_skip SELECT standing_id, day FROM booking WHERE standing_id IS NOT NULL LIMIT 1",
        r"was made from a weekly time that does not say so",
    ),
    (
        "ALTER TABLE standing DROP CONSTRAINT ex_standing_one_a_weekday; INSERT INTO standing SELECT "
        "gen_random_uuid(), holder_id, place_id, weekday, at, from_day, NULL, NULL, NULL, channel, made_at, changed_at "
        "FROM standing LIMIT 1",
        r"are on the same weekday",
    ),
]


@pytest.fixture
def here(database: Database, now: datetime) -> Line:
    """A held place that was given, a weekly time, somebody in line, and a place that is kept for them."""
    here = line(database, now)
    first, weekly, waits, given = (here.client() for _ in range(4))
    with database.writing() as session:
        hours = [replace(each, held=held_of({"shift": 1}) if each.weekday == 4 else ()) for each in week()]
        scheduling.service.set_hours(session, place_id=here.site.id, hours=hours, from_day=here.site.dose_day(now))
        front_desk.book_for(
            session,
            actor=here.clinic.pharmacist,
            site=here.site,
            client_id=given,
            starts_at=kl(27, 7),
            at=now,
        )
    here.fill(kl(27, 8), 1)
    with database.writing() as session:
        front_desk.book_for(
            session,
            actor=here.clinic.pharmacist,
            site=here.site,
            client_id=first,
            starts_at=kl(27, 8),
            at=now,
            give=True,
        )
        scheduling.standing.set_weekly(
            session,
            place_id=here.site.id,
            holder_id=weekly,
            weekdays=[2],
            at=time(9),
            now=now,
            channel="desk",
        )
    here.fill(kl(26, 7), 1)
    kept = here.book(here.clinic.client(), kl(26, 7))
    with database.writing() as session:
        scheduling.waitlist.ask(
            session,
            place_id=here.site.id,
            holder_id=waits,
            day=kept.day,
            starts_at=kept.starts_at,
            channel="desk",
            now=now,
        )
        scheduling.service.drop(session, booking_id=kept.id, now=now)
    return here


def test_a_place_with_all_of_it_has_no_finding(here: Line) -> None:
    assert findings(here.database, here.at) == []


@pytest.mark.parametrize(("sql", "expected"), DAMAGES, ids=range(len(DAMAGES)))
def test_damage_is_found_and_named(here: Line, sql: str, expected: str) -> None:
    damage(here.clinic, sql)
    found = findings(here.database, here.at)
    assert any(re.search(expected, finding) for finding in found), found
