"""The demonstration's own questions with two months of answers, and groups that a peer worker and a nurse led."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from uuid import NAMESPACE_URL, uuid5

from dispensary.care.meetings import About, note_meeting
from dispensary.clients.surveys import open_survey, shipped_questions, type_in
from dispensary.database import WriteSession
from dispensary.staff.rules import Actor, Role
from dispensary.units import ClientId

_SHEETS = (
    *({"respect": "yes", "asked": "yes", "hours": "partly", "private": "yes", "help": "yes", "again": "yes"},) * 5,
    *({"respect": "yes", "asked": "partly", "hours": "no", "private": "yes", "help": "yes", "again": "yes"},) * 3,
    {"respect": "partly", "asked": "no", "hours": "no", "help": "partly", "again": "unsure"},
)
"""What was typed from paper in each of the last two months; the last left one question out."""


def asks(
    session: WriteSession,
    actors: Mapping[Role, Actor],
    theirs: Sequence[ClientId],
    others: Sequence[ClientId],
    *,
    address: str,
    today: date,
    now: datetime,
) -> None:
    """Opens the house's questions and types sheets in; `theirs` are the peer worker's clients, `others` are not."""
    nurse, peer = actors[Role.NURSE], actors[Role.PEER_WORKER]
    begun = now - timedelta(days=70)
    open_survey(session, actor=actors[Role.ADMINISTRATOR], document=shipped_questions(), address=address, at=begun)
    for months in (2, 1):
        day = today.replace(day=1)
        for _ in range(months):
            day = (day - timedelta(days=1)).replace(day=1)
        at = now - (today - day)
        for sheet in _SHEETS:
            type_in(session, actor=nurse, given=sheet, today=day, at=at)
    for number, (leader, about, clients, besides) in enumerate(
        ((peer, About.SUPPORT, theirs[:3], 4), (nurse, About.FAMILY, others[:2], 6), (peer, About.WORK, theirs[1:4], 2))
    ):
        on = today - timedelta(days=3 + 7 * number)
        note_meeting(
            session,
            actor=leader,
            about=about,
            on=on,
            clients=clients,
            others=besides,
            key=uuid5(NAMESPACE_URL, f"takehome-demonstration group {number}"),
            today=on,
            at=now - timedelta(days=3 + 7 * number),
        )
