"""What some of the demonstration's people want to be texted about, and what was said after visits."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from random import Random
from uuid import UUID

from dispensary.clients.feedback_models import FeedbackAnswer
from dispensary.clients.wish_rules import Wishes
from dispensary.clients.wishes import set_wishes
from dispensary.database import WriteSession
from dispensary.staff.rules import Actor
from dispensary.units import ClientId

SAID = (
    Wishes(news=True, feedback=True, missed=True, reviews=True),
    Wishes(hours=2, news=True, missed=True),
    Wishes(reminder=False, feedback=True),
)
"""What they answered in turn; most have not been asked."""
_MONTHS = 4


def fill_wishes(session: WriteSession, *, actor: Actor, clients: Sequence[ClientId], now: datetime) -> None:
    """Every fourth was asked by reception, some days ago."""
    for number, client_id in enumerate(clients[1::4]):
        wishes = SAID[number % len(SAID)]
        at = now - timedelta(days=2 + number % 20)
        set_wishes(session, actor=actor, client_id=client_id, wishes=wishes, at=at)


def fill_answers(session: WriteSession, *, actor: Actor, today: date) -> None:
    """The longer the wait was, the longer it felt; each month the waits are a little shorter."""
    random = Random(6)
    month = today.replace(day=1)
    for ago in range(_MONTHS):
        for _ in range(9 + random.randrange(8)):
            waited = min(60, int(random.expovariate(1 / (9 + 5 * ago))) // 10 * 10)
            wait = 1 + (waited + random.randrange(20) > 20) + (waited + random.randrange(20) > 40)
            visit = random.choices((1, 2, 3), weights=(8 - wait, 2, wait))[0]
            session.add(
                FeedbackAnswer(
                    id=UUID(int=random.getrandbits(128), version=4),
                    site_id=actor.site_id,
                    month=month,
                    visit=visit,
                    wait=wait if random.random() < 0.85 else None,
                    waited=waited,
                )
            )
        month = (month - timedelta(days=1)).replace(day=1)
    session.flush()
