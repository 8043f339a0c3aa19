"""The referral directory of a site: where clients can be sent for what; kept by hand or taken from a file."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import func, select

from dispensary.care.centre_models import HealthCentre
from dispensary.care.centre_rules import Place, read_places
from dispensary.care.referral_models import Service
from dispensary.database import ReadSession, WriteSession
from dispensary.refusals import BadInput, NotAllowed, NotThere, Refusal
from dispensary.staff import audit
from dispensary.staff.rules import Act, Actor
from dispensary.units import SiteId, new_id

SERVICES = tuple(each.value for each in Service)


def keep_centre(session: WriteSession, *, actor: Actor, place: Place, at: datetime) -> HealthCentre:
    """Puts a place into the directory, or changes the one of that code, which is offered again by it.

    Raises BadInput for what is missing, too long, unknown, or a name that another one has; NotAllowed.
    """
    _refuse_others(actor)
    if faults := place.faults(SERVICES):
        raise BadInput(*faults)
    kept = _keep(session, actor, place, at)
    _write_down(session, actor, at, {"centre": kept.id, "services": list(place.services)})
    return kept


def import_centres(session: WriteSession, *, actor: Actor, content: bytes, at: datetime) -> int:
    """Takes a file in: each place by its code; says how many. All or nothing: BadInput names every line; NotAllowed."""
    _refuse_others(actor)
    places, faults = read_places(content, SERVICES)
    if faults:
        raise BadInput(*faults[:20])
    for place in places:
        _keep(session, actor, place, at)
    _write_down(session, actor, at, {"places": len(places)})
    return len(places)


def close_centre(session: WriteSession, *, actor: Actor, centre_id: UUID, at: datetime) -> None:
    """Offers a place no more; what was referred to it stays. Raises NotAllowed, NotThere."""
    _refuse_others(actor)
    centre = session.get(HealthCentre, centre_id, with_for_update=True)
    if centre is None or centre.site_id != actor.site_id:
        raise NotThere(Refusal("no-centre", "There is no such place.", "Look at the list again."))
    if centre.open:
        assert actor.account_id is not None, "people keep the directory"
        centre.open, centre.changed_by, centre.changed_at = False, actor.account_id, at
        session.flush()
        _write_down(session, actor, at, {"centre": centre.id, "open": False})


def centres_of(session: ReadSession, *, site_id: SiteId) -> Sequence[HealthCentre]:
    """The places that are offered, by name."""
    offered = select(HealthCentre).where(HealthCentre.site_id == site_id, HealthCentre.open)
    return session.scalars(offered.order_by(HealthCentre.name, HealthCentre.id)).all()


def centre_named(session: ReadSession, *, site_id: SiteId, name: str) -> HealthCentre | None:
    """The offered place of this name, whatever its capitals."""
    named = select(HealthCentre).where(
        HealthCentre.site_id == site_id, HealthCentre.open, func.lower(HealthCentre.name) == func.lower(name)
    )
    return session.scalar(named)


def _keep(session: WriteSession, actor: Actor, place: Place, at: datetime) -> HealthCentre:
    code = func.lower(HealthCentre.code) == func.lower(place.code)
    known = session.scalar(select(HealthCentre).where(HealthCentre.site_id == actor.site_id, code).with_for_update())
    namesake = centre_named(session, site_id=actor.site_id, name=place.name)
    if namesake is not None and (known is None or namesake.id != known.id):
        said = f"“{place.name}” is in the directory as {namesake.code}."
        raise BadInput(Refusal("centre-known", said, "Use that code, or another name.", field="name"))
    assert actor.account_id is not None, "people keep the directory"
    centre = known or HealthCentre(id=new_id(), site_id=actor.site_id, code=place.code)
    centre.name, centre.services, centre.open = place.name, list(place.services), True
    centre.address, centre.phone = place.address, place.phone
    centre.changed_by, centre.changed_at = actor.account_id, at
    session.add(centre)
    session.flush()
    return centre


def _refuse_others(actor: Actor) -> None:
    if actor.account_id is None or not (actor.may(Act.ENROL) or actor.may(Act.RUN_SITE)):
        raise NotAllowed(Refusal("not-allowed", "Your work at this site does not include this.", "Ask a colleague."))


def _write_down(session: WriteSession, actor: Actor, at: datetime, details: dict[str, object]) -> None:
    audit.record(
        session, actor=actor, act="kept directory", subject="site", subject_id=actor.site_id, at=at, details=details
    )
