"""Whoever would travel for nothing is asked by text to call first: once, on the evening before, never at night."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import text

import notifications.service
from dispensary.database import Database
from dispensary.jobs import warn_before_travel
from dispensary.prescribing.service import hold_doses, release_hold
from dispensary.supplies.flags import clear_flag, set_flag
from dispensary.supplies.flags_models import StopFlag
from dispensary.supplies.flags_rules import FlagKind
from dispensary.supplies.forewarning import coming_day, is_time
from dispensary.units import ClientId
from tests.builders import Clinic, clinic

ZONE = ZoneInfo("Asia/Kuala_Lumpur")
TUESDAY = date(2026, 11, 24)


def clock(day: int, hour: int, minute: int = 0) -> datetime:
    return datetime(2026, 11, day, hour, minute, tzinfo=ZONE)


@pytest.fixture
def place(database: Database, now: datetime) -> Clinic:
    """Tuesday, seven in the morning."""
    return clinic(database, now)


@pytest.fixture
def client(place: Clinic) -> ClientId:
    return with_phone(place)


def with_phone(place: Clinic, *, consented: bool = True) -> ClientId:
    client = place.client()
    with place.database.writing() as session:
        notifications.service.set_contact(
            session,
            vault=session.vault,
            recipient_id=client,
            phone="+60123456789",
            language="en",
            region="MY",
            now=place.now,
            consented=consented,
        )
    return client


def stopped(
    place: Clinic, client: ClientId, ahead: int, *, kind: FlagKind = FlagKind.STOP_DOSE, last: int = 9
) -> StopFlag:
    with place.database.writing() as session:
        return set_flag(
            session,
            actor=place.doctor,
            client_id=client,
            kind=kind,
            sentence="see me before the dose",
            from_day=place.today + timedelta(days=ahead),
            last_day=place.today + timedelta(days=last),
            owner_id=None,
            owner_role=None,
            today=place.today,
            at=place.now,
        )


def warned(place: Clinic, at: datetime) -> int:
    return warn_before_travel(place.database, lambda: at)


def texts(place: Clinic) -> list[tuple[str, datetime]]:
    with place.database.reading() as session:
        rows = session.execute(text("SELECT kind, valid_until FROM message ORDER BY id"))
        return [(kind, until.astimezone(ZONE)) for kind, until in rows]


@pytest.mark.parametrize("kind", [FlagKind.STOP_DOSE, FlagKind.STOP_BOTTLES])
def test_a_stop_of_a_coming_day_is_told_once_on_the_evening_before(
    place: Clinic, client: ClientId, kind: FlagKind
) -> None:
    stopped(place, client, 2, kind=kind)

    assert warned(place, clock(25, 17, 59)) == 0
    assert warned(place, clock(25, 18)) == 1
    assert warned(place, clock(25, 18, 1)) == warned(place, clock(26, 8)) == 0
    assert texts(place) == [("call_first", clock(27, 0))]


def test_a_hold_is_told_too_and_none_that_was_released_or_cleared_before(place: Clinic, client: ClientId) -> None:
    flag = stopped(place, client, 1)
    with place.database.writing() as session:
        hold = hold_doses(
            session,
            actor=place.doctor,
            client_id=client,
            from_day=place.ahead(1)[0],
            until_day=None,
            reason="the recording of the heart is due",
            at=place.now,
        )
        clear_flag(session, actor=place.doctor, client_id=client, flag_id=flag.id, reason="seen", at=place.now)

    assert warned(place, clock(24, 18)) == 1
    with place.database.writing() as session:
        release_hold(session, actor=place.doctor, client_id=client, hold_id=hold.id, reason="recorded", at=place.now)
    assert warned(place, clock(25, 8)) == 0


def test_what_is_set_in_the_night_waits_for_the_morning(place: Clinic, client: ClientId) -> None:
    place.now = clock(24, 22)
    stopped(place, client, 1)

    assert warned(place, clock(24, 22, 1)) == warned(place, clock(25, 6, 59)) == 0
    assert warned(place, clock(25, 7)) == 1


def test_what_begins_today_is_told_for_tomorrow_and_not_when_it_is_over_by_then(place: Clinic) -> None:
    long, short = with_phone(place), with_phone(place)
    stopped(place, long, 0)
    stopped(place, short, 0, last=0)

    assert warned(place, clock(24, 12)) == 0
    assert warned(place, clock(24, 18)) == 1
    assert texts(place) == [("call_first", clock(26, 0))]


def test_a_message_to_say_and_a_client_who_wants_no_texts_send_nothing(place: Clinic, client: ClientId) -> None:
    stopped(place, client, 1, kind=FlagKind.SAY_FIRST)
    stopped(place, with_phone(place, consented=False), 1)
    stopped(place, place.client(), 1)

    assert warned(place, clock(24, 18)) == 0
    assert texts(place) == []


@pytest.mark.parametrize(
    ("first", "after", "day"),
    [(2, None, 2), (0, None, 1), (0, 1, None), (1, 2, 1), (-5, None, 1)],
    ids=["later", "today on", "today alone", "tomorrow alone", "long since"],
)
def test_the_first_coming_day_is_never_the_one_on_which_it_was_said(
    first: int, after: int | None, day: int | None
) -> None:
    def ahead(days: int | None) -> date | None:
        return None if days is None else TUESDAY + timedelta(days=days)

    assert coming_day(TUESDAY + timedelta(days=first), ahead(after), said_on=TUESDAY) == ahead(day)


@pytest.mark.parametrize(("hour", "yes"), [(17, False), (18, True), (20, True), (21, False)])
def test_the_evening_begins_at_six_and_ends_at_nine(hour: int, yes: bool) -> None:
    assert is_time(date(2026, 11, 25), zone=ZONE, now=clock(24, hour)) is yes
