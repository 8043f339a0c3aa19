"""What clients said about texts: kept by group with who wrote it down and when, and followed from that moment on."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert

import notifications.service
from dispensary.clients.service import the_client
from dispensary.clients.wish_models import SendingSetting, TextWish
from dispensary.clients.wish_rules import DEFAULTS, KINDS_OF, LEAST_HOURS, MOST_HOURS, REVIEW_DAYS, Group, Wishes
from dispensary.database import ReadSession, WriteSession
from dispensary.refusals import BadInput, Refusal
from dispensary.staff import audit
from dispensary.staff.models import Account
from dispensary.staff.rules import Actor
from dispensary.staff.service import refuse_unless_runs_site
from dispensary.units import ClientId, SiteId


@dataclass(frozen=True)
class Said:
    """One answer of a client, and who wrote it down when."""

    group: Group
    by: str
    at: datetime


def wishes_of(session: ReadSession, client_id: ClientId) -> Wishes:
    """Which texts the client wants."""
    return wishes_of_all(session, [client_id]).get(client_id, DEFAULTS)


def wishes_of_all(session: ReadSession, clients: Collection[ClientId]) -> Mapping[ClientId, Wishes]:
    """The same of those among these clients who were asked, in one read; for the others the defaults hold."""
    found: dict[ClientId, Wishes] = {}
    rows = session.scalars(select(TextWish).where(TextWish.client_id.in_(set(clients))))
    for row in rows:
        before = found.get(row.client_id, DEFAULTS)
        found[row.client_id] = before.with_(Group(row.word), wanted=row.wanted, hours=row.hours)
    return found


def said_of(session: ReadSession, client_id: ClientId) -> Sequence[Said]:
    """What the client was asked, the latest answer first; nothing of a group about which nobody has asked them."""
    rows = session.execute(
        select(TextWish.word, Account.name, TextWish.set_at)
        .join(Account, Account.id == TextWish.set_by)
        .where(TextWish.client_id == client_id)
        .order_by(TextWish.set_at.desc(), TextWish.word)
    )
    return [Said(Group(word), name, at) for word, name, at in rows]


def set_wishes(session: WriteSession, *, actor: Actor, client_id: ClientId, wishes: Wishes, at: datetime) -> None:
    """Keeps what the client said of each group of texts. What is not wanted any more, and waits, is not sent.

    An answer that stands keeps who wrote it down first. Raises NotThere, and BadInput for hours that no reminder has.
    """
    client = the_client(session, client_id, actor.site_id)
    if wishes.hours is not None and not (wishes.reminder and LEAST_HOURS <= wishes.hours <= MOST_HOURS):
        sentence = f"A reminder goes out {LEAST_HOURS} to {MOST_HOURS} hours before the time."
        raise BadInput(Refusal("reminder-hours", sentence, "Correct the hours.", field="reminder_hours"))
    rows = session.scalars(select(TextWish).where(TextWish.client_id == client.id))
    stands = {Group(row.word): (row.wanted, row.hours) for row in rows}
    changed: dict[str, object] = {}
    for group in Group:
        answer = (wishes.wants(group), wishes.hours if group is Group.REMINDER else None)
        if stands.get(group) == answer:
            continue
        values = {"wanted": answer[0], "hours": answer[1], "set_by": actor.account_id, "set_at": at}
        put = insert(TextWish).values(client_id=client.id, word=group.value, **values)
        session.execute(put.on_conflict_do_update(index_elements=["client_id", "word"], set_=values))
        changed[group.value] = answer[1] if answer[1] is not None else answer[0]
    if not changed:
        return
    session.expire_all()
    unwanted = [kind for group in Group if not wishes.wants(group) for kind in KINDS_OF[group]]
    notifications.service.withdraw(session, recipient_id=client_id, kinds=unwanted, now=at)
    audit.record(
        session,
        actor=actor,
        act="set wishes about texts",
        subject="client",
        subject_id=client_id,
        at=at,
        details=changed,
    )


def review_days(session: ReadSession, site_id: SiteId) -> int:
    """How many days before a review is due its client is told at this site."""
    setting = session.get(SendingSetting, site_id)
    return setting.review_days if setting is not None else REVIEW_DAYS


def set_review_days(session: WriteSession, *, actor: Actor, days: int, at: datetime) -> None:
    """Sets it. Raises NotAllowed and BadInput."""
    refuse_unless_runs_site(actor, actor.site_id)
    if not 1 <= days <= 30:
        raise BadInput(Refusal("review-days", "It is 1 to 30 days.", "Correct it.", field="review_days"))
    if review_days(session, actor.site_id) == days:
        return
    put = insert(SendingSetting).values(site_id=actor.site_id, review_days=days)
    session.execute(put.on_conflict_do_update(index_elements=["site_id"], set_={"review_days": days}))
    session.expire_all()
    audit.record(
        session,
        actor=actor,
        act="set days before a review",
        subject="site",
        subject_id=actor.site_id,
        at=at,
        details={"days": days},
    )
