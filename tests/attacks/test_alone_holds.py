"""A dose past a hold: the centre withholds it, the satellite cannot know and gives it, and home hears of it once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import select

from dispensary.monitoring.models import Alert
from dispensary.monitoring.service import resolve_alert
from dispensary.prescribing.service import hold_doses, release_hold
from dispensary.refusals import Refused
from dispensary.units import ClientId
from tests.attacks.boxes import Pair
from tests.builders import Clinic


def holds(home: Clinic, client_id: ClientId, *, minutes: int) -> UUID:
    """A prescriber withholds doses from today on until it is released, so many minutes from now."""
    with home.database.writing() as session:
        return hold_doses(
            session, actor=home.doctor, client_id=client_id, from_day=home.today, until_day=None,
            reason="a heart trace first", at=home.now + timedelta(minutes=minutes),
        ).id  # fmt: skip


def told(alone: Clinic, hold_id: UUID, client_id: ClientId) -> tuple[Any, ...]:
    """The alert of a dose of now past this hold as it has to be, but for its id."""
    when = alone.now.astimezone(ZoneInfo("Asia/Kuala_Lumpur"))
    return (
        client_id, f"older hold: {hold_id}", "urgent", "doctor", "HRP",
        f"Given while KLG was apart, while a prescriber held it: 80 mg taken at KLG on {when:%Y-%m-%d %H:%M}.",
    )  # fmt: skip


def alerts(pair: Pair, *, open: bool) -> list[tuple[Any, ...]]:
    return pair.centre.asks(
        """SELECT a.client_id, a.cause, a.severity, a.role, s.code, a.sentence FROM alert a
        JOIN site s ON s.id = a.site_id WHERE (resolved_at IS NULL) = :open ORDER BY a.cause""", open=open,
    )  # fmt: skip


def test_a_dose_past_a_hold_is_told_once_with_site_day_and_amount_and_stands_until_it_is_resolved(pair: Pair) -> None:
    carries, other, held, released, later = pair.theirs
    with pair.counters() as (home, alone):
        about, of_bottles = holds(home, held, minutes=0), holds(home, carries, minutes=0)
        over = holds(home, released, minutes=0)
        with home.database.writing() as session:
            release_hold(
                session, actor=home.doctor, client_id=released, hold_id=over, reason="well again",
                at=home.now + timedelta(minutes=2),
            )  # fmt: skip
        holds(home, later, minutes=8)
        alone.now += timedelta(minutes=5)
        both = sorted((told(alone, about, held), told(alone, of_bottles, carries)), key=lambda each: each[1])
        for client in (held, released, later, other):
            alone.give(client)
        alone.give(carries, take_home_days=alone.ahead(1))
        said = pair.joins()
        assert "2 open alerts for a doctor: given by an older order or decision, or past a stop" in said
        assert alerts(pair, open=True) == both

        # While it stands it is one, whatever is joined again, and whatever else was given past the same hold.
        alone.move_on()
        alone.give(held)
        for _ in range(2):
            assert "2 open alerts" in pair.joins()
        assert alerts(pair, open=True) == both
        trail = "SELECT count(*) FROM audit_entry WHERE act = 'found another dose while apart' AND subject_id = :who"
        assert pair.centre.asks(trail, who=held) == [(1,)]

        # What whoever resolves it has not heard of yet is told anew, though it was handed over before.
        pair.line_is_cut()
        alone.move_on()
        alone.give(held)
        with home.database.writing() as session:
            first = session.scalars(select(Alert.id).where(Alert.client_id == held)).one()
            resolve_alert(session, actor=home.doctor, alert_id=first, resolution="called, well", at=datetime.now(UTC))
        assert alerts(pair, open=True) == [each for each in both if each[0] != held]
        assert "2 open alerts" in pair.joins()
        anew = told(alone, about, held)
        assert [each for each in alerts(pair, open=True) if each[0] == held] == [anew]
        assert alerts(pair, open=False) == [each for each in both if each[0] == held]
        assert pair.centre.asks(trail, who=held) == [(2,)]

        # From the next cut on the box knows of the holds, and gives nothing past them.
        pair.cut()
        with pytest.raises(Refused, match="a heart trace first"):
            alone.give(later)
        alone.give(released)
    assert "2 open alerts" in pair.joins()
    pair.holds()
