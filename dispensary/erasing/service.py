"""Erasing a client: the key of their own is destroyed, and with it every copy of what was sealed under it.

What the law of controlled drugs asks for stays: doses, register lines, days and counts, under a client number that
names nobody. So every figure, every export without names and every check of the house says what it said before.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import delete, func, select, text, update

import notifications.forgetting
from dispensary.clients.client_key_models import Erasure
from dispensary.clients.goal_step_models import GoalStep
from dispensary.clients.legal_holds import refuse_while_held
from dispensary.clients.models import Client, ClientGoal, ClientIndex, Episode
from dispensary.clients.service import the_client
from dispensary.database import ReadSession, WriteSession
from dispensary.erasing.rules import LONGEST_WORDS, Ground, may_erase
from dispensary.monitoring.incoming_models import ResultFile
from dispensary.phone.pins import end_pin
from dispensary.refusals import BadInput, NotAllowed, Refusal, Refused
from dispensary.resealing.moving import shred_what_the_house_sealed
from dispensary.staff import audit
from dispensary.staff.countersign import the_second_person
from dispensary.staff.queries import names_of
from dispensary.staff.retention import figure_of
from dispensary.staff.retention_rules import Kind
from dispensary.staff.rules import Act, Actor
from dispensary.supplies.agents_models import Agent
from dispensary.units import AccountId, ClientId, SiteId
from dispensary.wall import Door


@dataclass(frozen=True)
class Erased:
    """A line of the register of erasures."""

    number: str
    at: datetime
    ground: Ground
    authority: str
    by: str
    second: str


def erase(
    session: WriteSession,
    *,
    actor: Actor,
    client_id: ClientId,
    ground: Ground,
    authority: str,
    second_id: AccountId | None,
    pin: str,
    today: date,
    at: datetime,
) -> Erasure:
    """Makes unreadable for good what names or describes a client of the actor's site. A second person stands by.

    Erased once, they are found erased. Raises NotAllowed for anybody but a doctor or an administrator and under a
    legal hold, NotThere, BadInput with every reason, Refused while a text to them is on its way or results wait.
    """
    if actor.account_id is None or not actor.may(Act.ERASE):
        raise NotAllowed(
            Refusal("may-not-erase", "A doctor or an administrator of the site erases a client.", "Ask one of them.")
        )
    client = the_client(session, client_id, actor.site_id)
    if (known := session.get(Erasure, client_id)) is not None:
        return known
    refuse_while_held(session, client_id)
    faults = may_erase(
        in_treatment=_in_treatment(session, client_id, today),
        last_day=_last_day(session, client),
        keep_years=figure_of(session, site_id=actor.site_id, kind=Kind.CLIENTS),
        ground=ground,
        authority=authority,
        today=today,
    )
    if len(authority) > LONGEST_WORDS:
        faults += (Refusal("authority-long", f"Write at most {LONGEST_WORDS} letters.", field="authority"),)
    faults = faults or the_second_person(session, actor=actor, second_id=second_id, pin=pin, at=at)
    if faults:
        raise BadInput(*faults)
    assert second_id is not None, "the second person has just been proven"
    if session.scalar(select(ResultFile.id).filter_by(site_id=actor.site_id, closed_at=None).limit(1)) is not None:
        raise Refused(
            Refusal(
                "results-wait",
                "A file of results waits at this site, and may name this client.",
                "Take it or put it away first.",
            )
        )
    shred(session, client_id=client_id, day=today, at=at)
    erasure = Erasure(
        client_id=client_id,
        site_id=actor.site_id,
        at=at,
        ground=ground.value,
        authority_sealed=session.vault.seal("erasure.authority", client_id, authority.strip()),
        account_id=actor.account_id,
        second_id=second_id,
    )
    session.add(erasure)
    session.flush()
    audit.record(
        session,
        actor=actor,
        act="erased",
        subject="client",
        subject_id=client_id,
        at=at,
        details={"ground": ground.value, "second": second_id},
    )
    return erasure


def shred(
    session: WriteSession, *, client_id: ClientId, day: date, at: datetime, whatever_is_on_its_way: bool = False
) -> None:
    """Destroys the client's own key, and takes out of the rows what would otherwise stand there and open for nobody.

    Where a name stood it says when they were erased, for every list that has them. Asks nothing and writes down
    nothing; it finds the same when it is done twice, as it is in a backup that was brought back, whose texts that were
    on their way then are on no way any more.
    """
    vault = session.vault
    end_pin(session, client_ids=[client_id])  # before the number that it is for
    forgotten = notifications.forgetting.forget_recipient(
        session, vault=vault, recipient_id=client_id, now=at, whatever_is_on_its_way=whatever_is_on_its_way
    )
    if not forgotten:
        raise Refused(Refusal("text-on-its-way", "A text to this client is on its way.", "Try again in a few minutes."))
    session.execute(_SHRED, {"client": client_id, "at": at})
    with session.before_the_wall(Door.SHREDDING):
        shred_what_the_house_sealed(session, client_id)
    said = f"erased on {day}"
    session.execute(
        update(Client)
        .where(Client.id == client_id)
        .values(
            name_sealed=vault.seal("client.name", client_id, said),
            born_sealed=None,
            national_id_sealed=None,
            photo_sealed=None,
            second_identifier_sealed=None,
        )
    )
    session.execute(delete(ClientIndex).where(ClientIndex.client_id == client_id, ClientIndex.kind != "number"))
    for goal_id in session.scalars(select(ClientGoal.id).where(ClientGoal.client_id == client_id)):
        words = vault.seal("client_goal.words", goal_id, said)
        session.execute(update(ClientGoal).where(ClientGoal.id == goal_id).values(words_sealed=words))
    for step_id in session.scalars(select(GoalStep.id).where(GoalStep.client_id == client_id)):
        words = vault.seal("goal_step.words", step_id, said)
        session.execute(update(GoalStep).where(GoalStep.id == step_id).values(words_sealed=words))
    for agent_id, born in session.execute(select(Agent.id, Agent.birth_year).where(Agent.client_id == client_id)):
        sealed = {
            "name_sealed": vault.seal("agent.name", agent_id, said),
            "document_sealed": vault.seal("agent.document", agent_id, "-"),
            "born_sealed": vault.seal("agent.born", agent_id, f"{born}-01-01"),
            "photo_sealed": None,
        }
        session.execute(update(Agent).where(Agent.id == agent_id).values(**sealed))
    vault.forget(client_id)
    session.expire_all()


_SHRED = text("""
INSERT INTO client_key (client_id, wrapped_sealed, erased_at) VALUES (:client, NULL, :at)
ON CONFLICT (client_id) DO UPDATE SET wrapped_sealed = NULL, erased_at = EXCLUDED.erased_at
    WHERE client_key.erased_at IS NULL
""")


def _in_treatment(session: ReadSession, client_id: ClientId, today: date) -> bool:
    running = select(Episode.id).where(
        Episode.client_id == client_id, (Episode.ended_on.is_(None)) | (Episode.ended_on > today)
    )
    return session.scalar(running.limit(1)) is not None


def _last_day(session: ReadSession, client: Client) -> date:
    last = session.scalar(select(func.max(Episode.ended_on)).where(Episode.client_id == client.id))
    return last or client.made_at.date()


def erased_at(session: ReadSession, client_id: ClientId) -> datetime | None:
    """When the client was erased; nothing when they were not."""
    return session.scalar(select(Erasure.at).where(Erasure.client_id == client_id))


def erasures_at(session: ReadSession, *, site_id: SiteId, most: int = 200) -> Sequence[Erased]:
    """The site's register of erasures, the newest first."""
    rows = session.execute(
        select(Erasure, Client.number)
        .join(Client, Client.id == Erasure.client_id)
        .where(Erasure.site_id == site_id)
        .order_by(Erasure.at.desc(), Erasure.client_id)
        .limit(most)
    ).all()
    people = names_of(session, [each for erasure, _ in rows for each in (erasure.account_id, erasure.second_id)])
    return [
        Erased(
            number=number,
            at=erasure.at,
            ground=Ground(erasure.ground),
            authority=session.vault.open("erasure.authority", erasure.client_id, erasure.authority_sealed),
            by=people[erasure.account_id],
            second=people[erasure.second_id],
        )
        for erasure, number in rows
    ]
