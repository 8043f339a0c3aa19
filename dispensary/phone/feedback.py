"""Two questions after a visit, once a month at most; the answers say neither who gave them nor on which day."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

from sqlalchemy import Date, cast, func, select, text, update
from sqlalchemy.dialects.postgresql import insert

import notifications.service
from dispensary.clients.feedback_models import FeedbackAnswer, FeedbackQuestion
from dispensary.database import ReadSession, WriteSession
from dispensary.staff.queries import Place
from dispensary.units import SiteId
from notifications.models import Message, State
from notifications.places import rules_of

AFTER: Final = timedelta(minutes=30)
WITHIN: Final = timedelta(hours=4)
"""The first question goes out so long after the visit ended: when somebody is on their way, and still remembers."""
A_DAY: Final = timedelta(days=1)
OPEN_FOR: Final = timedelta(hours=24)
EVERY: Final = timedelta(days=30)
"""Nobody is asked twice within this; the database holds it too."""
LEAST_SHOWN: Final = 5
"""What fewer people answered in a month is not broken down: a colleague might guess who it was. The house's own."""
BANDS: Final = (0, 10, 20, 30)
"""How long people had waited, in minutes: from each of these until the next; the last has no end."""

_SERVED = text("""
SELECT DISTINCT ON (v.holder_id) v.id, v.holder_id, v.arrived_at, v.started_at FROM visit v
JOIN text_wish w ON w.client_id = v.holder_id AND w.word = 'feedback' AND w.wanted
LEFT JOIN feedback_question q ON q.client_id = v.holder_id
WHERE v.place_id = :place AND v.day BETWEEN :first_day AND :last_day
    AND v.ended_at BETWEEN :first AND :last AND NOT v.left_unserved
    AND v.started_at >= v.arrived_at AND (q.asked_at IS NULL OR q.asked_at <= :long_ago)
    AND EXISTS (SELECT FROM episode e WHERE e.client_id = v.holder_id AND e.ended_on IS NULL)
    AND NOT EXISTS (SELECT FROM contact k JOIN conversation c ON c.phone_index = k.phone_index
        WHERE k.recipient_id = v.holder_id AND c.expires_at > :now)
ORDER BY v.holder_id, v.ended_at DESC
""")


def ask_after_visits(session: WriteSession, *, site: Place, now: datetime) -> int:
    """Puts the first question to those who were served a while ago, and want to be asked; says to how many.

    Not in the quiet hours of the site, and not while a phone has another question open: a digit must mean one thing.
    """
    zone = ZoneInfo(site.zone)
    quiet = rules_of(session, site.id).quiet
    if quiet is not None and quiet.until(now, zone) is not None:
        return 0
    asked = 0
    served = {
        "place": site.id,
        "first": now - WITHIN,
        "last": now - AFTER,
        "first_day": (now - WITHIN).astimezone(zone).date() - A_DAY,  # a day of the site begins when it says
        "last_day": now.astimezone(zone).date(),
        "long_ago": now - EVERY,
        "now": now,
    }
    for visit_id, client_id, arrived_at, started_at in session.execute(_SERVED, served).all():
        message = notifications.service.queue(
            session,
            vault=session.vault,
            recipient_id=client_id,
            kind="feedback_visit",
            reason_key=f"feedback:{visit_id}",
            fields={},
            zone=zone,
            now=now,
            valid_until=now + WITHIN,
        )
        if message is not None:
            _note(session, client_id, site.id, now, _tens(started_at - arrived_at))
            asked += 1
    return asked


def _tens(waited: timedelta) -> int:
    """Whole tens of minutes, up to an hour: exact minutes would tell whose visit it was."""
    return min(60, int(waited.total_seconds()) // 600 * 10)


def _note(session: WriteSession, client_id: UUID, site_id: SiteId, now: datetime, waited: int) -> None:
    values = {"site_id": site_id, "asked_at": now, "waited": waited, "open_until": now + OPEN_FOR}
    put = insert(FeedbackQuestion).values(client_id=client_id, **values)
    session.execute(put.on_conflict_do_update(index_elements=["client_id"], set_=values))
    session.expire_all()


def answer_visit(session: WriteSession, *, client_id: UUID, site: Place, number: int, at: datetime) -> UUID | None:
    """Takes the first answer, once: the id under which the second is added. Nothing when no question is open."""
    if not 1 <= number <= 3:
        return None
    question = session.get(FeedbackQuestion, client_id, with_for_update=True)
    if question is None or question.open_until is None or question.open_until <= at:
        return None
    question.open_until = None
    month = question.asked_at.astimezone(ZoneInfo(site.zone)).date().replace(day=1)
    answer_id = uuid4()
    session.add(
        FeedbackAnswer(
            id=answer_id, site_id=question.site_id, month=month, visit=number, wait=None, waited=question.waited
        )
    )
    session.flush()
    return answer_id


def answer_wait(session: WriteSession, *, answer_id: UUID, number: int) -> SiteId | None:
    """Adds the second answer to the first, once: the site that was visited. Nothing when there was none to add to."""
    if not 1 <= number <= 3:
        return None
    visited = session.scalar(
        update(FeedbackAnswer)
        .where(FeedbackAnswer.id == answer_id, FeedbackAnswer.wait.is_(None))
        .values(wait=number)
        .returning(FeedbackAnswer.site_id)
    )
    return None if visited is None else SiteId(visited)


@dataclass(frozen=True)
class Month:
    """What a site was told in a month."""

    month: date
    asked: int
    """How many were asked, as far as their texts went out."""
    answered: int
    visit: Sequence[int]
    """How many said good, fair and poor; empty when too few answered to be shown."""
    wait: Sequence[int]
    """How many said short, fair and too long; empty likewise."""


@dataclass(frozen=True)
class Told:
    """What a site was told, month by month, and what people said of the wait against what it was."""

    months: Sequence[Month]
    """The newest first."""
    said_of: Mapping[int, Sequence[int]]
    """For each of `BANDS`, how many who had waited that long said short, fair and too long; of months shown alone."""


def told(session: ReadSession, *, site: Place) -> Told:
    """What came of the questions at a site. Nothing in it tells one person from another."""
    asked = _asked(session, site)
    rows = session.execute(
        select(FeedbackAnswer.month, FeedbackAnswer.visit, FeedbackAnswer.wait, FeedbackAnswer.waited).where(
            FeedbackAnswer.site_id == site.id
        )
    ).all()
    months, said = [], {band: [0, 0, 0] for band in BANDS}
    for month in sorted({row.month for row in rows} | set(asked), reverse=True):
        those = [row for row in rows if row.month == month]
        if len(those) < LEAST_SHOWN:
            months.append(Month(month, asked.get(month, 0), len(those), (), ()))
            continue
        visit = [sum(row.visit == answer for row in those) for answer in (1, 2, 3)]
        wait = [sum(row.wait == answer for row in those) for answer in (1, 2, 3)]
        months.append(Month(month, asked.get(month, 0), len(those), visit, wait))
        for row in those:
            if row.wait is not None and row.waited is not None:
                said[max(band for band in BANDS if band <= row.waited)][row.wait - 1] += 1
    return Told(months, said)


def _asked(session: ReadSession, site: Place) -> Mapping[date, int]:
    local = cast(func.date_trunc("month", func.timezone(site.zone, Message.created_at)), Date)
    rows = session.execute(
        select(local, func.count())
        .where(
            Message.place_id == site.id,
            Message.kind == "feedback_visit",
            Message.state.not_in((State.FAILED, State.EXPIRED)),
        )
        .group_by(local)
    )
    return {month: int(count) for month, count in rows}
