"""The whole act at the counter: the supply or the pass, the end of the visit, and the text that goes with it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, timedelta
from types import MappingProxyType
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import select

import notifications.service
import scheduling.service
from dispensary.clients.guests import home_of
from dispensary.clients.tasks import open_task
from dispensary.database import WriteSession
from dispensary.refusals import Refusal, Refused
from dispensary.staff import audit
from dispensary.staff.rules import Actor, Role
from dispensary.supplies import passes
from dispensary.supplies.flags import answer_messages
from dispensary.supplies.models import PickupPass
from dispensary.supplies.pickups import (
    Prepared,
    end_passes,
    issue_pass,
    live_pass,
    prepare_pickup,
    signer_of,
    waiting_pickup,
)
from dispensary.supplies.rules import Wanted
from dispensary.supplies.safety_rules import Found
from dispensary.supplies.service import Handed, dispense
from dispensary.supplies.shown import Shown
from dispensary.supplies.verifying import record_refused_pass
from dispensary.units import ClientId, DoseDay
from notifications.models import Message

NO_ANSWERS: Mapping[UUID, bool] = MappingProxyType({})
_ASKS: Mapping[str, tuple[Role, str]] = {
    Found.ASKS_DOCTOR: (Role.DOCTOR, "the doctor"),
    Found.ASKS_COUNSELLOR: (Role.NURSE, "a counsellor"),
}
"""Whose work it is when a client asks for somebody at the counter."""


def hand_over(
    session: WriteSession,
    *,
    actor: Actor,
    client_id: ClientId,
    wanted: Wanted,
    key: str,
    today: DoseDay,
    zone: str,
    at: datetime,
    shown: Shown | None = None,
    answers: Mapping[UUID, bool] = NO_ANSWERS,
) -> Handed:
    """Dispenses, ends the visit of a client who waits, and tells them by text when a pickup was collected.

    Messages that were answered in the same gesture are kept with the supply (`answer_messages`), and whom the client
    asked for gets a task for today.

    The text lets a client notice that somebody else collected in their name. All of it commits together.
    """
    handed = dispense(
        session, actor=actor, client_id=client_id, wanted=wanted, key=key, today=today, at=at, shown=shown
    )
    if not handed.repeated:
        scheduling.service.finish_for(session, place_id=actor.site_id, holder_id=client_id, now=at)
        answer_messages(session, actor=actor, client_id=client_id, answers=answers, supply_id=handed.supply_id, at=at)
        _asked_for(session, actor, client_id, wanted, today, at)
        if wanted.pickup_id:
            notifications.service.queue(
                session,
                vault=session.vault,
                recipient_id=client_id,
                kind="collected",
                reason_key=f"collected:{handed.supply_id}",
                fields={"at": at},
                zone=ZoneInfo(zone),
                now=at,
                valid_until=at + timedelta(hours=12),
            )
    return handed


def _asked_for(
    session: WriteSession, actor: Actor, client_id: ClientId, wanted: Wanted, today: DoseDay, at: datetime
) -> None:
    if wanted.well or wanted.found not in _ASKS:
        return
    role, whom = _ASKS[wanted.found]
    open_task(
        session,
        site_id=home_of(session, client_id),
        client_id=client_id,
        role=role,
        kind="other",
        sentence=f"Asks to speak to {whom}: {wanted.observation.strip()}",
        due_on=today,
        opened_by=actor.account_id,
        at=at,
    )


def prepare_and_tell(
    session: WriteSession,
    *,
    actor: Actor,
    client_id: ClientId,
    collect_on: DoseDay,
    take_home_days: Sequence[DoseDay],
    valid: tuple[datetime, datetime],
    public_base_url: str,
    zone: str,
    today: DoseDay,
    at: datetime,
) -> Prepared:
    """Prepares a pickup and texts its code and its page to the client. Both commit together."""
    prepared = prepare_pickup(
        session,
        actor=actor,
        client_id=client_id,
        collect_on=collect_on,
        take_home_days=take_home_days,
        valid=valid,
        today=today,
        at=at,
    )
    _tell_ready(
        session,
        client_id=client_id,
        pass_id=prepared.pass_id,
        reason_key=f"pickup:{prepared.pass_id}",
        public_base_url=public_base_url,
        zone=zone,
        at=at,
        until=valid[1],
    )
    return prepared


def _tell_ready(
    session: WriteSession,
    *,
    client_id: ClientId,
    pass_id: UUID,
    reason_key: str,
    public_base_url: str,
    zone: str,
    at: datetime,
    until: datetime,
) -> bool:
    """Queues the text with the code and the link of a pass; whether there was somebody to text."""
    signer = signer_of(session, pass_id)
    code, link = passes.code_of(signer, pass_id), passes.link_of(signer, pass_id)
    notifications.service.queue(
        session,
        vault=session.vault,
        recipient_id=client_id,
        kind="pickup_ready",
        reason_key=reason_key,
        fields={"code": passes.spoken(code), "link": f"{public_base_url}/p/{link}"},
        zone=ZoneInfo(zone),
        now=at,
        valid_until=until,
    )
    return _is_told(session, reason_key)


def _is_told(session: WriteSession, reason_key: str) -> bool:
    """Whether a text for this reason is in the outbox, from now or from an earlier press."""
    return session.scalar(select(Message.id).where(Message.reason_key == reason_key)) is not None


def issue_again(
    session: WriteSession,
    *,
    actor: Actor,
    pickup_id: UUID,
    key: str,
    valid: Callable[[date], tuple[datetime, datetime]],
    public_base_url: str,
    zone: str,
    at: datetime,
) -> bool:
    """Issues a new pass for a pickup whose old one was lost or stopped, and texts it; whether a text goes out.

    Once for each key: a second press finds the pass issued. Raises NotThere when the pickup does not wait any more.
    """
    pickup = waiting_pickup(session, pickup_id=pickup_id, site_id=actor.site_id)
    issued = session.scalar(select(PickupPass).where(PickupPass.pickup_id == pickup_id, PickupPass.key == key))
    if issued is not None:
        return _is_told(session, f"pickup:{issued.id}")
    window = valid(pickup.collect_on)
    issued = issue_pass(session, actor=actor, pickup=pickup, valid=window, at=at, key=key)
    told = _tell_ready(
        session,
        client_id=ClientId(pickup.client_id),
        pass_id=issued.id,
        reason_key=f"pickup:{issued.id}",
        public_base_url=public_base_url,
        zone=zone,
        at=at,
        until=window[1],
    )
    audit.record(
        session,
        actor=actor,
        act="issued pass",
        subject="client",
        subject_id=pickup.client_id,
        at=at,
        details={"pickup": pickup_id, "pass": issued.id},
    )
    return told


def tell_again(
    session: WriteSession,
    *,
    actor: Actor,
    pickup_id: UUID,
    key: str,
    public_base_url: str,
    zone: str,
    at: datetime,
) -> bool:
    """Texts the code and the link of the live pass once more, once for each key; whether there is somebody to text.

    Raises NotThere when the pickup does not wait any more, Refused when no pass of it is live.
    """
    pickup = waiting_pickup(session, pickup_id=pickup_id, site_id=actor.site_id)
    live = live_pass(session, pickup_id=pickup_id)
    if live is None or live.valid_until <= at:
        raise Refused(Refusal("no-pass", "No pass is live for this pickup.", "Issue a new one."))
    told = _tell_ready(
        session,
        client_id=ClientId(pickup.client_id),
        pass_id=live.id,
        reason_key=f"pickup:{live.id}:again:{key}",
        public_base_url=public_base_url,
        zone=zone,
        at=at,
        until=live.valid_until,
    )
    details = {"pickup": pickup_id, "pass": live.id}
    audit.record(
        session, actor=actor, act="texted pass", subject="client", subject_id=pickup.client_id, at=at, details=details
    )
    return told


def not_this_person(
    session: WriteSession, *, actor: Actor, pickup_id: UUID, zone: str, today: DoseDay, at: datetime
) -> None:
    """Stops the pass of a pickup that somebody else than its client showed: nothing is handed over by it any more.

    It is written down as a refused pass, and the client is asked by a text that says nothing more to come by. The
    bottles go on waiting. Pressed twice, it happens once. Raises NotThere when the pickup does not wait any more.
    """
    pickup = waiting_pickup(session, pickup_id=pickup_id, site_id=actor.site_id)
    live = live_pass(session, pickup_id=pickup_id)
    if live is None:
        return
    end_passes(session, pickup_id=pickup_id, reason="wrong_person", at=at)
    shown = Refusal("wrong-person", "Somebody else than the client showed this pass.", evidence={"pass": live.id})
    record_refused_pass(session, site_id=actor.site_id, account_id=actor.account_id, refusal=shown, at=at)
    notifications.service.queue(
        session,
        vault=session.vault,
        recipient_id=pickup.client_id,
        kind="come_by",
        reason_key=f"come-by:{live.id}",
        fields={"day": max(pickup.collect_on, today)},
        zone=ZoneInfo(zone),
        now=at,
        valid_until=at + timedelta(hours=12),
    )
    details = {"pickup": pickup_id, "pass": live.id}
    audit.record(
        session, actor=actor, act="stopped pass", subject="client", subject_id=pickup.client_id, at=at, details=details
    )
