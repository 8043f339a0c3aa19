"""Care around the dose in the demonstration: questionnaires that are due and that were answered, sessions of today."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime, time, timedelta
from uuid import NAMESPACE_URL, uuid5

from dispensary.care.instrument_setting import MAY_USE, set_instrument
from dispensary.care.instruments import instruments, questions
from dispensary.care.offer_models import Answer
from dispensary.care.offers import follow_pathway, offer
from dispensary.care.plans import Chosen, plans, usual
from dispensary.care.screenings import screen
from dispensary.care.sessions import begin_plan
from dispensary.database import WriteSession
from dispensary.staff.rules import Actor, Role
from dispensary.units import ClientId

_WHY = "The demonstration's own, to have something to see; no figure of it is anybody's finding."
_SCORES = ((13, 360), (9, 250), (6, 120), (4, 20))
"""How many of the twenty questions were answered by yes, so many days ago."""


def cares(
    session: WriteSession,
    actors: Mapping[Role, Actor],
    clients: Sequence[tuple[ClientId, date]],
    *,
    today: date,
    now: datetime,
) -> None:
    """Sets what is asked how often, and asks: the first client over a year, others once; sessions and an offer.

    `clients` are those who are in treatment, each with the day on which they were enrolled.
    """
    doctor, nurse = actors[Role.DOCTOR], actors[Role.NURSE]
    for key, cut_off in (("srq20", 8), ("dast10", None)):
        set_instrument(
            session,
            actor=doctor,
            key=key,
            used=True,
            every_months=6,
            positive_from=cut_off,
            roles=MAY_USE[:2],
            accreditation="",
            risk_role=Role.DOCTOR,
            reason=_WHY,
            at=now,
        )
    follow_pathway(session, actor=doctor, pathway="who-assist", reason=_WHY, at=now)

    def asked(client_id: ClientId, instrument: str, yes: int, ago: int) -> None:
        asks = questions(instruments()[instrument])
        risk = {"srq20": 16}.get(instrument)
        answers = {each.name: "yes" if n < yes and n != risk else "no" for n, each in enumerate(asks)}
        screen(
            session,
            actor=nurse,
            client_id=client_id,
            instrument=instrument,
            answers=answers,
            taken_on=today - timedelta(days=ago),
            key=uuid5(NAMESPACE_URL, f"{client_id} {instrument} {ago}"),
            today=today,
            at=now - timedelta(days=ago),
        )

    long = [client_id for client_id, began in clients if today - began >= timedelta(days=360)]
    for yes, ago in _SCORES:
        asked(long[0], "srq20", yes, ago)
    for number, (client_id, began) in enumerate(clients):
        # Most were asked within half a year; every ninth is due today.
        ago = min(20 + number, (today - began).days) if number % 9 else min(200, (today - began).days)
        asked(client_id, "dast10", number % 7, ago)
        if client_id != long[0]:
            asked(client_id, "srq20", number % 8, min(30 + number, (today - began).days))
    for number, (client_id, at_time) in enumerate(((long[0], time(9)), (long[1], time(10, 30)), (long[2], None))):
        plan = plans()["before-sentence" if number else "weekly-then-monthly"]
        begin_plan(
            session,
            actor=nurse,
            client_id=client_id,
            plan=plan.key,
            first=today,
            at_time=at_time,
            minutes=plan.minutes[0] if plan.minutes else 30,
            chosen=[Chosen(each.times or 4, each.every) for each in usual(plan)],
            agreed=True,
            key=uuid5(NAMESPACE_URL, f"{client_id} sessions"),
            today=today,
            at=now,
        )
    offer(
        session,
        actor=nurse,
        client_id=long[3],
        what="support_group",
        answer=Answer.OPEN,
        screening_id=None,
        key=uuid5(NAMESPACE_URL, f"{long[3]} offer"),
        today=today,
        at=now,
    )
