"""Calling those who wait: the next one, again, back into the queue when they are not there, and out of it.

A visit's row is locked by whoever calls it, so that two windows never call the same person. Calling the next twice
calls two; both stand at the window until they are served or found not to be there. A caller who may have to ask again
says by a key that it is the same call (`first_answer`, `keep_answer`).
"""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import func, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from scheduling import rows, waiting
from scheduling.acts_models import QueueAct
from scheduling.models import WAITS, Booking, QueueSetting, Visit
from scheduling.queries import day_at
from scheduling.queue_rules import QueueRules, refuse
from scheduling.rules import MOST_PEOPLE, NotFound


def set_queue_rules(session: Session, *, place_id: UUID, rules: QueueRules) -> None:
    """Sets how the place calls those who wait, from the next call on. Raises BadHours (`bad-queue`) and NotFound."""
    refuse(rules)
    rows.lock_place(session, place_id)
    values = {
        "walk_in_minutes": rules.walk_in_minutes,
        "back_minutes": rules.back_minutes,
        "most_skips": rules.most_skips,
        "missed_in_a_row": rules.missed_in_a_row,
        "groups": [vars(group) for group in rules.groups],
        "windows": list(rules.windows),
    }
    row = insert(QueueSetting).values(place_id=place_id, **values)
    session.execute(row.on_conflict_do_update(index_elements=["place_id"], set_=values))
    session.expire_all()


def first_answer(session: Session, *, place_id: UUID, key: UUID, act: str) -> Visit | None:
    """Whose visit this act was about when it was done under this key before; nothing when it has yet to be done.

    Of two that ask at once with the same key the second waits here until the first has ended.
    """
    session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(f"{place_id}{key}{act}", 0))))
    done = session.get(QueueAct, (place_id, key, act), populate_existing=True)
    return None if done is None else session.get(Visit, done.visit_id, populate_existing=True)


def keep_answer(session: Session, *, visit: Visit, key: UUID, act: str, now: datetime) -> None:
    """Remembers that this act was done under this key, in the unit that did it."""
    session.add(QueueAct(place_id=visit.place_id, key=key, act=act, visit_id=visit.id, done_at=now))
    session.flush()


def call_next(session: Session, *, place_id: UUID, window: int, now: datetime) -> Visit | None:
    """Calls the next who waits to a window, or nobody when none waits; two windows never call the same person."""
    check_window(window)
    day = day_at(session, place_id, now)
    visit = session.scalar(
        select(Visit)
        .outerjoin(Booking, Booking.id == Visit.booking_id)
        .where(Visit.place_id == place_id, Visit.day == day, text(WAITS))
        .order_by(*waiting.calling_order(now, waiting.queue_rules(session, place_id)))
        .limit(1)
        .with_for_update(of=Visit, skip_locked=True),
        execution_options={"populate_existing": True},
    )
    if visit is not None:
        _called(session, visit, window, now)
    return visit


def call(session: Session, *, visit_id: UUID, window: int, now: datetime) -> Visit:
    """Calls somebody again, or out of turn: the first call's time stays, the window is the latest. Raises NotFound.

    Once the visit has started, calling changes nothing.
    """
    check_window(window)
    visit = rows.lock_visit(session, visit_id)
    if visit.started_at is None and visit.ended_at is None:
        visit.aside_at = None
        _called(session, visit, window, now)
    return visit


def _called(session: Session, visit: Visit, window: int, now: datetime) -> None:
    visit.called_at, visit.last_called_at, visit.at_window = visit.called_at or now, now, window
    visit.calls, visit.back_at = visit.calls + 1, None
    session.flush()


def skip(session: Session, *, visit_id: UUID, now: datetime) -> Visit:
    """They were called and are not there: back into the queue, where others are called first for some minutes.

    Their turn stays what it was. After so many calls in vain as the place has set they are set aside until a person
    was asked. Who waits already, is being served or has ended stays as they are. Raises NotFound.
    """
    visit = rows.lock_visit(session, visit_id)
    if visit.at_window is None or visit.started_at is not None or visit.ended_at is not None:
        return visit
    rules = waiting.queue_rules(session, visit.place_id)
    visit.at_window, visit.skips = None, visit.skips + 1
    visit.back_at = now + timedelta(minutes=rules.back_minutes)
    visit.aside_at = now if visit.skips % rules.most_skips == 0 else None
    session.flush()
    return visit


def put_back(session: Session, *, visit_id: UUID) -> Visit:
    """Somebody was asked and is there: who was set aside or called waits again, in their old turn. Raises NotFound."""
    visit = rows.lock_visit(session, visit_id)
    if visit.started_at is None and visit.ended_at is None:
        visit.at_window = visit.back_at = visit.aside_at = None
        session.flush()
    return visit


def leave(session: Session, *, visit_id: UUID, now: datetime) -> Visit:
    """They left without being served; a visit that has ended stays as it is. Raises NotFound."""
    visit = rows.lock_visit(session, visit_id)
    if visit.ended_at is None:
        visit.ended_at, visit.left_unserved = now, True
        session.flush()
    return visit


def give_group(session: Session, *, visit_id: UUID, word: str) -> Visit:
    """Says by a word of the place's list why they come sooner, or by none that they do not. Raises NotFound.

    A word that is not on the list (any more) is kept, and nobody comes sooner by it.
    """
    visit = rows.lock_visit(session, visit_id)
    if visit.started_at is None and visit.ended_at is None:
        visit.group_word = word
        visit.priority = waiting.queue_rules(session, visit.place_id).minutes_of(word)
        session.flush()
    return visit


def give_start(session: Session, *, visit_id: UUID, minutes: int) -> Visit:
    """Says by how many minutes they come sooner and not why; with 0 they come as others do. Raises NotFound."""
    visit = rows.lock_visit(session, visit_id)
    if visit.started_at is None and visit.ended_at is None:
        visit.group_word, visit.priority = "", minutes
        session.flush()
    return visit


def check_window(window: int) -> None:
    """Raises NotFound for a number that no window can have."""
    if not 1 <= window <= MOST_PEOPLE:
        raise NotFound("no-window", "There is no such window.")
