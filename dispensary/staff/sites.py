"""Use cases of the staff room: opening a site, and changing what it has set for itself."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, time
from zoneinfo import available_timezones

import phonenumbers
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from dispensary.database import WriteSession, broken_constraint
from dispensary.refusals import BadInput, Refusal, Refused
from dispensary.staff import audit
from dispensary.staff.models import Site
from dispensary.staff.rules import Actor, the_program
from dispensary.staff.service import refuse_unless_runs_site
from dispensary.units import Milligrams, SiteId, milligrams, new_id


def add_site(
    session: WriteSession,
    *,
    code: str,
    name: str,
    zone: str,
    region: str,
    at: datetime,
    language: str = "en",
    day_starts: time = time(0, 0),
    address: str = "",
    phone: str = "",
    prescriber_phone: str = "",
    jump_percent: int = 30,
    jump_mg: str | int | Milligrams = 20,
    missed_days_ask: int = 3,
    site_id: SiteId | None = None,
    opened_by: Actor | None = None,
) -> Site:
    """Adds a site with its zone, day boundary and guards; its audit chain begins with it. Refuses what cannot be.

    In the name of `opened_by`, or of the program. A site that people are to work at is opened by `open_site`
    (dispensary/takehome/opening.py), which does this and whatever else it begins with.
    """
    _refuse_impossible_site(zone=zone, region=region, day_starts=day_starts, name=name)
    _refuse_impossible_guards(jump_percent, missed_days_ask)
    site = Site(
        id=site_id or new_id(),
        code=code.strip().upper(),
        name=name.strip(),
        zone=zone,
        day_starts=day_starts,
        region=region.upper(),
        language=language,
        address=address.strip(),
        phone=phone.strip(),
        prescriber_phone=prescriber_phone.strip(),
        jump_percent=jump_percent,
        jump_mg=milligrams(jump_mg),
        missed_days_ask=missed_days_ask,
        opened_at=at,
    )
    session.add(site)
    try:
        session.flush()
    except IntegrityError as reason:
        raise _mapped(reason) from None
    actor = replace(opened_by, site_id=SiteId(site.id)) if opened_by else the_program(SiteId(site.id))
    audit.record(session, actor=actor, act="open site", subject="site", subject_id=site.id, at=at)
    return site


def _refuse_impossible_guards(jump_percent: int, missed_days_ask: int) -> None:
    refusals = []
    if not 1 <= jump_percent <= 100:
        refusals.append(Refusal("bad-jump", "The jump guard is 1 to 100 per cent.", field="jump_percent"))
    if not 1 <= missed_days_ask <= 5:
        refusals.append(
            Refusal("bad-missed-days", "After 1 to 5 missed days the prescriber is asked.", field="missed_days_ask")
        )
    if refusals:
        raise BadInput(*refusals)


def _refuse_impossible_site(*, zone: str, region: str, day_starts: time, name: str) -> None:
    refusals = []
    if not name.strip():
        refusals.append(Refusal("no-name", "The site has no name.", field="name"))
    if zone not in available_timezones():
        refusals.append(
            Refusal("bad-zone", f"“{zone}” is not a time zone.", "Write one such as Asia/Kuala_Lumpur.", field="zone")
        )
    refusals += faults_of_site(region=region, day_starts=day_starts)
    if refusals:
        raise BadInput(*refusals)


def faults_of_site(*, region: str, day_starts: time) -> Iterator[Refusal]:
    """What is wrong with the country of its telephone numbers and with its day boundary."""
    if region.upper() not in phonenumbers.SUPPORTED_REGIONS:
        yield Refusal("bad-region", f"“{region}” is not a country.", "Write two letters, such as MY.", field="region")
    if day_starts > time(12, 0):
        yield Refusal("bad-day-start", "A dose day starts between 00:00 and 12:00.", field="day_starts")


def _mapped(reason: IntegrityError) -> Refused:
    """What a person reads when the database refused a site."""
    constraint = broken_constraint(reason)
    if constraint == "uq_site_code":
        return Refused(Refusal("site-code-taken", "There is a site with this code already.", field="code"))
    if constraint == "ck_site_code":
        return BadInput(
            Refusal("bad-site-code", "A site's code has 1 to 12 capital letters, digits or dashes.", field="code")
        )
    raise reason


@dataclass(frozen=True)
class SiteFacts:
    """What a site has set for itself: how it is called and reached, and its guards."""

    name: str
    address: str
    phone: str
    prescriber_phone: str
    jump_percent: int
    jump_mg: Milligrams
    missed_days_ask: int


def change_site(session: WriteSession, *, actor: Actor, facts: SiteFacts, at: datetime) -> Site:
    """Changes what the actor's site has set for itself; what changed, from what to what, is in its audit trail.

    Raises NotAllowed for anybody but its administrator, and BadInput for a guard that is none.
    """
    refuse_unless_runs_site(actor, actor.site_id)
    site = session.scalar(select(Site).where(Site.id == actor.site_id).with_for_update(key_share=True))
    assert site is not None, "somebody is signed in at this site"
    _refuse_impossible_site(zone=site.zone, region=site.region, day_starts=site.day_starts, name=facts.name)
    _refuse_impossible_guards(facts.jump_percent, facts.missed_days_ask)
    wanted = {name: value.strip() if isinstance(value, str) else value for name, value in vars(facts).items()}
    changed = {name: [getattr(site, name), value] for name, value in wanted.items() if getattr(site, name) != value}
    for name, value in wanted.items():
        setattr(site, name, value)
    session.flush()
    if changed:
        audit.record(
            session, actor=actor, act="changed site", subject="site", subject_id=site.id, at=at, details=changed
        )
    return site
