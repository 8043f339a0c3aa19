"""The rules that places have set for their texts."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date, datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from notifications.models import Message, PlaceRules
from notifications.waiting import DEFAULTS, PRICE_CAP, Quiet, RulesOf, TextRules


def rules_of(session: Session, place_id: UUID | None) -> TextRules:
    """What holds for the texts of a place."""
    return rules_of_all(session, [place_id]).get(place_id, DEFAULTS) if place_id is not None else DEFAULTS


def rules_of_all(session: Session, places: Collection[UUID]) -> RulesOf:
    """What those of these places have set that have set anything."""
    if not places:
        return {}
    rows = session.scalars(select(PlaceRules).where(PlaceRules.place_id.in_(places)))
    return {row.place_id: _rules(row) for row in rows}


def _rules(row: PlaceRules) -> TextRules:
    quiet = None
    if row.quiet_from is not None and row.quiet_until is not None:
        quiet = Quiet(row.quiet_from, row.quiet_until)
    return TextRules(quiet, row.price, row.currency, row.cap, row.keep_days)


def set_rules(session: Session, *, place_id: UUID, rules: TextRules, now: datetime) -> None:
    """Sets what holds for the texts of a place from now on, also for those that wait."""
    values = {
        "quiet_from": rules.quiet.begins if rules.quiet else None,
        "quiet_until": rules.quiet.ends if rules.quiet else None,
        "price": rules.price,
        "currency": rules.currency,
        "cap": rules.cap,
        "keep_days": rules.keep_days,
        "changed_at": now,
    }
    session.execute(
        insert(PlaceRules)
        .values(place_id=place_id, **values)
        .on_conflict_do_update(index_elements=[PlaceRules.place_id], set_=values)
    )


def spent(session: Session, *, place_id: UUID, day: date) -> Decimal:
    """What the texts of a place have cost on a local day so far, those in hand and unknown ones included."""
    total = select(func.sum(Message.charge)).where(Message.place_id == place_id, Message.charged_on == day)
    return session.scalar(total) or Decimal(0)


def waiting_for_money(session: Session, *, place_id: UUID) -> int:
    """How many texts of a place wait because the day's money is spent."""
    waiting = (
        select(func.count())
        .select_from(Message)
        .where(Message.place_id == place_id, Message.next_attempt_at.is_not(None), Message.error_code == PRICE_CAP)
    )
    return session.scalar(waiting) or 0
