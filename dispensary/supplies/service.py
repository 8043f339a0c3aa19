"""Handing over: the observed dose and the bottles, in one act."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from dispensary.clients.guests import lock_at_counter
from dispensary.clients.service import no_episode
from dispensary.database import WriteSession
from dispensary.refusals import Refused
from dispensary.staff import audit
from dispensary.staff.rules import Actor
from dispensary.supplies.collecting import collector_of
from dispensary.supplies.exception_rows import seen_again
from dispensary.supplies.identity import how_known
from dispensary.supplies.moment import read_moment
from dispensary.supplies.packing import pack
from dispensary.supplies.pickups import end_passes, prepared_bottles, the_pickup
from dispensary.supplies.refilling import refills_refused, write_refills
from dispensary.supplies.rules import Wanted, doses_of, may_dispense
from dispensary.supplies.shown import Shown, not_as_shown, poured_otherwise
from dispensary.supplies.writing import (
    Handed,
    answer_of,
    answered,
    request_digest,
    told_as_refusals,
    write_doses,
    write_register,
    write_supply,
)
from dispensary.units import ClientId, DoseDay, new_id

__all__ = ["Handed", "dispense"]


def dispense(
    session: WriteSession,
    *,
    actor: Actor,
    client_id: ClientId,
    wanted: Wanted,
    key: str,
    today: DoseDay,
    at: datetime,
    shown: Shown | None = None,
) -> Handed:
    """Hands over what was asked, all of it or nothing, once for each key.

    Supply, doses, bottles, register lines, pickup, pass, refills and audit entry are one unit of work. Raises Refused
    with every reason, also when something else is due now than was `shown`; a repeated key with another content is
    refused.
    """
    asked = (client_id, wanted.observed, sorted(wanted.take_home_days), wanted.pickup_id)
    who = (wanted.collected_by, wanted.consent_id) if wanted.collected_by != "client" else ()
    digest = request_digest(key, *asked, *who, *_asked_besides(wanted))
    carried = wanted.collected_by == "carrier"
    lock_at_counter(session, client_id, actor.site_id, today)
    bottles = prepared_bottles(session, wanted.pickup_id, carried=carried) if wanted.pickup_id else []
    days = sorted({*wanted.take_home_days, *(DoseDay(bottle.dose_day) for bottle in bottles)})
    known = wanted.identified_by  # of an agent the document, which `collecting` judges
    if wanted.collected_by != "agent":
        known = how_known(session, client_id=client_id, said=known)
    wanted = replace(wanted, take_home_days=tuple(days), identified_by=known)
    reading = read_moment(session, site_id=actor.site_id, client_id=client_id, today=today, days=days, key=key)
    if reading.earlier:
        return answered(reading.earlier, digest)
    pickup = (
        the_pickup(session, wanted.pickup_id, site_id=actor.site_id, client_id=client_id, today=today, carried=carried)
        if wanted.pickup_id
        else None
    )
    collector, not_by_them = collector_of(
        session, actor=actor, client_id=client_id, wanted=wanted, bottles=len(bottles), today=today
    )
    faults = (
        *not_as_shown(reading.moment, wanted, shown),
        *may_dispense(reading.moment, wanted),
        *not_by_them,
        *refills_refused(session, actor=actor, client_id=client_id, wanted=wanted, today=today),
    )
    if faults:
        raise Refused(*faults)
    if reading.episode_id is None:
        raise no_episode()
    packed = pack(session, site_id=actor.site_id, plans=doses_of(reading.moment, wanted), bottles=bottles, day=today)
    drawn = {share.lot_id: share.ml for one in packed if one.plan.kind == "observed" for share in one.drawn}
    if faults := poured_otherwise(drawn, shown):
        raise Refused(*faults)
    supply_id = new_id()
    answer = answer_of(supply_id, packed, at)
    with told_as_refusals():
        write_supply(
            session,
            actor,
            supply_id=supply_id,
            client_id=client_id,
            episode_id=reading.episode_id,
            today=today,
            at=at,
            key=key,
            digest=digest,
            answer=answer,
            identified_by=wanted.identified_by,
            found="" if wanted.well else wanted.found,
            observation=wanted.observation,
            second_look=wanted.second_look,
            decision_id=reading.decision.id if reading.decision else None,
            pickup_id=pickup.id if pickup else None,
            collector=collector,
        )
        write_doses(session, actor, client_id, supply_id, packed, at)
        if pickup:
            pickup.state, pickup.closed_at = "collected", at
            end_passes(session, pickup_id=pickup.id, reason="redeemed", at=at)
        write_register(session, actor, supply_id, packed, today, at)
        if wanted.observed and reading.moment.waits:
            seen_again(session, actor=actor, client_id=client_id, outcome="seen again, dosed", today=today, at=at)
        session.flush()
    details = {"supply": supply_id, "doses": answer["doses"], "identified_by": wanted.identified_by}
    details |= {"collected_by": collector.by, "agent": collector.agent_id} if collector.by != "client" else {}
    audit.record(session, actor=actor, act="dispensed", subject="client", subject_id=client_id, at=at, details=details)
    with told_as_refusals():
        write_refills(
            session,
            actor=actor,
            client_id=client_id,
            wanted=wanted,
            supply_id=supply_id,
            key=key,
            today=today,
            at=at,
        )
    return Handed(supply_id, answer)


def _asked_besides(wanted: Wanted) -> tuple[object, ...]:
    """The refills as the digest of a request has them: nothing for a supply without any."""
    refills = sorted((str(each.medication_id), each.observed, each.days) for each in wanted.refills)
    return (refills,) if refills else ()
