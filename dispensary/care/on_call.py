"""Who of the staff is on call on which days, and at which number."""

from __future__ import annotations

from datetime import date, datetime
from typing import Final
from uuid import UUID

from sqlalchemy import delete, select

from dispensary.care.visit_models import OnCall
from dispensary.care.visits import AHEAD
from dispensary.database import ReadSession, WriteSession
from dispensary.refusals import BadInput, NotAllowed, Refusal
from dispensary.staff import audit
from dispensary.staff.models import Account
from dispensary.staff.queries import refused_stranger
from dispensary.staff.rules import Act, Actor
from dispensary.units import AccountId, SiteId, new_id

LONGEST_PHONE: Final = 40


def put_on_call(
    session: WriteSession,
    *,
    actor: Actor,
    account_id: AccountId,
    first: date,
    last: date,
    phone: str,
    at: datetime,
) -> None:
    """Puts a colleague on call for some days. The same again is found. Raises NotAllowed, BadInput."""
    setter = _refuse_others(actor)
    number = " ".join(phone.split())
    faults = []
    if not 0 < len(number) <= LONGEST_PHONE:
        faults.append(Refusal("phone", "There is no number to call.", "A number of the clinic.", field="phone"))
    if not first <= last <= first + AHEAD:
        faults.append(
            Refusal("on-call-days", "It ends on its first day or in the next months.", "Correct it.", field="last_day")
        )
    stranger = refused_stranger(session, account_id=account_id, site_id=actor.site_id, field="account_id")
    if stranger is not None:
        faults.append(stranger)
    if faults:
        raise BadInput(*faults)
    same = select(OnCall.id).where(
        OnCall.site_id == actor.site_id,
        OnCall.account_id == account_id,
        OnCall.first_day == first,
        OnCall.last_day == last,
        OnCall.phone == number,
    )
    if session.scalar(same.limit(1)) is not None:
        return
    row = OnCall(
        id=new_id(),
        site_id=actor.site_id,
        account_id=account_id,
        first_day=first,
        last_day=last,
        phone=number,
        set_by=setter,
        set_at=at,
    )
    session.add(row)
    session.flush()
    details = {"account": account_id, "from": first, "until": last}
    audit.record(
        session, actor=actor, act="put on call", subject="site", subject_id=actor.site_id, at=at, details=details
    )


def take_off_call(session: WriteSession, *, actor: Actor, on_call_id: UUID, at: datetime) -> None:
    """Takes a line off the list of who is on call; one that is not there is nothing to say. Raises NotAllowed."""
    _refuse_others(actor)
    gone = session.scalar(
        delete(OnCall).where(OnCall.id == on_call_id, OnCall.site_id == actor.site_id).returning(OnCall.account_id)
    )
    if gone is not None:
        details = {"account": gone}
        audit.record(
            session, actor=actor, act="took off call", subject="site", subject_id=actor.site_id, at=at, details=details
        )


def on_call(session: ReadSession, *, site_id: SiteId, today: date) -> list[tuple[OnCall, str]]:
    """Who can be called today and from now on, the soonest first, with their names."""
    rows = (
        select(OnCall, Account.name)
        .join(Account, Account.id == OnCall.account_id)
        .where(OnCall.site_id == site_id, OnCall.last_day >= today)
        .order_by(OnCall.first_day, Account.name, OnCall.id)
    )
    return [(row, name) for row, name in session.execute(rows)]


def _refuse_others(actor: Actor) -> AccountId:
    if actor.account_id is None or not actor.may(Act.ENROL):
        raise NotAllowed(Refusal("no-visits-act", "Your work at this site does not include this.", "Ask a nurse."))
    return actor.account_id
