"""Opening a site: its place in the tree and in the timetable, what may be adopted there, and who runs it from then on.

A branch's page and the command line open one by the same function. What it still needs before it can serve anybody is
asked of `missing_at`; nothing of it is set by opening.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import StrEnum
from uuid import uuid5

from sqlalchemy import select

import scheduling.queries
import scheduling.service
from dispensary.database import ReadSession, WriteSession, through
from dispensary.refusals import BadInput, NotThere, Refusal
from dispensary.staff.branch_models import Area
from dispensary.staff.branch_queries import sites_run_by
from dispensary.staff.branch_rules import Kind, Node, faults_of_node, plain_code
from dispensary.staff.branches import At, branch_by_code, place_site, refuse_unless_runs_above
from dispensary.staff.factor_rules import Demand
from dispensary.staff.factor_setting import begin_with
from dispensary.staff.models import Account, RoleGrant, Site
from dispensary.staff.rules import Act, Actor, Role, may, the_program
from dispensary.staff.service import grant
from dispensary.staff.sites import add_site, faults_of_site
from dispensary.staff.text_languages import accept_language
from dispensary.stock.queries import lots
from dispensary.takehome.publishing import publish_policies
from dispensary.takehome.queries import policy_of
from dispensary.units import SiteId
from dispensary.wall import Door
from dispensary.words import on_screens
from notifications.texts import DRAFTS


@dataclass(frozen=True)
class NewSite:
    """What is said of a site that is to be opened."""

    code: str
    name: str
    parent: str
    """Code of the area that it lies in, or of the main site whose satellite it is; nothing for one that is alone."""
    zone: str
    """A satellite has that of its main site, whatever is said here; and its day boundary."""
    region: str
    """ISO 3166 country of national phone numbers."""
    language: str = "en"
    """Of its screens."""
    drafts: tuple[str, ...] = ()
    """Languages of texts of which no speaker has checked the words, and that it accepts from the beginning."""
    day_starts: time = time(0, 0)
    lat: Decimal | None = None
    lon: Decimal | None = None


@through(Door.OPENING)
def open_site(
    session: WriteSession, *, actor: Actor | None, wanted: NewSite, key: str = "", factor: bool, at: datetime
) -> Site:
    """Opens a site in the name of whoever runs all of what it lies in, or of the command line where nobody does.

    It is run by whoever runs the branch, and by whoever opens it where that is nobody. `factor`: its administrators
    are asked for a second factor from the first day. The same request with the same key is found opened. Raises
    BadInput with everything that is wrong, NotAllowed, and Refused for a code that is taken.
    """
    site_id = SiteId(uuid5(actor.account_id, f"site:{key}")) if actor and actor.account_id and key else None
    if site_id is not None and (known := session.get(Site, site_id)) is not None:
        return known
    to = _lies_in(session, wanted.parent)
    if actor is not None:
        refuse_unless_runs_above(session, actor, to)
    main = session.get(Site, to.site_id) if to and to.site_id else None
    if main is not None:
        wanted = replace(wanted, zone=main.zone, day_starts=main.day_starts)
    if faults := _faults(session, wanted, Kind.SATELLITE if main else Kind.MAIN):
        raise BadInput(*faults)
    site = add_site(
        session,
        site_id=site_id,
        code=wanted.code,
        name=wanted.name,
        zone=wanted.zone,
        region=wanted.region,
        language=wanted.language,
        day_starts=wanted.day_starts,
        opened_by=actor,
        at=at,
    )
    here = the_program(SiteId(site.id))
    begin(session, sites=[(SiteId(site.id), site.zone)], factor=factor, at=at)
    if to is not None or wanted.lat is not None:
        place_site(
            session, actor=here, site_id=site.id, parent=wanted.parent, lat=wanted.lat, lon=wanted.lon, at=at
        )  # fmt: skip
    if actor is not None and actor.account_id is not None:
        if site.id not in sites_run_by(session, actor.account_id):
            role = Role.ADMINISTRATOR
            grant(session, actor=here, account_id=actor.account_id, site_id=here.site_id, role=role, at=at)
        for tag in wanted.drafts:
            accept_language(session, actor=replace(actor, site_id=here.site_id), language=tag, at=at)
    return site


def begin(session: WriteSession, *, sites: Sequence[tuple[SiteId, str]], factor: bool, at: datetime) -> None:
    """What each site that was just opened begins with: a timetable without hours in its zone, and policies to adopt."""
    for site_id, zone in sites:
        scheduling.service.add_place(session, place_id=site_id, zone=zone)
        if factor:  # an administrator's account opens every other one
            begin_with(session, site_id=site_id, demand=Demand.ADMINISTRATORS, at=at)
    publish_policies(session, at=at)


def _lies_in(session: ReadSession, parent: str) -> At | None:
    if not parent.strip():
        return None
    try:
        return branch_by_code(session, parent)
    except NotThere as gone:
        raise BadInput(replace(gone.first, field="parent")) from None


def _faults(session: ReadSession, wanted: NewSite, kind: Kind) -> list[Refusal]:
    code = plain_code(wanted.code)
    node = Node(code, kind, wanted.parent, wanted.name.strip(), wanted.zone, lat=wanted.lat, lon=wanted.lon)
    faults = [*faults_of_node(node), *faults_of_site(region=wanted.region, day_starts=wanted.day_starts)]
    if not wanted.zone:
        faults.append(
            Refusal("bad-zone", "The time zone is missing.", "Write one such as Asia/Kuala_Lumpur.", field="zone")
        )
    if wanted.language not in on_screens():
        faults.append(Refusal("no-choice", "Screens have no such language.", "Choose one.", field="language"))
    if set(wanted.drafts) - set(DRAFTS):
        faults.append(Refusal("no-draft", "There is no draft of this language.", "Choose of the list.", field="drafts"))
    if session.scalar(select(Area.id).where(Area.code == code)) is not None:
        faults.append(Refusal("branch-code-taken", "An area has this code.", "Choose another.", field="code"))
    return faults


_SOON = timedelta(days=60)
"""Hours that begin so soon count: somebody has set when it opens."""


class Missing(StrEnum):
    """What a site cannot serve anybody without."""

    PHARMACIST = "pharmacist"
    """Somebody who may give doses."""
    PRESCRIBER = "prescriber"
    """Somebody who may order them; for a satellite its main site does."""
    HOURS = "hours"
    STOCK = "stock"
    POLICY = "policy"
    """Without one nobody gets bottles to take home; for a satellite the main site's decides."""


def missing_at(session: ReadSession, *, site_id: SiteId, today: date) -> tuple[Missing, ...]:
    """What the site still lacks before it can open, in the order in which it is best seen to; nothing when it can."""
    site = session.get_one(Site, site_id)
    works = session.execute(
        select(RoleGrant.account_id, RoleGrant.role)
        .join(Account, Account.id == RoleGrant.account_id)
        .where(RoleGrant.site_id == site_id, Account.left_at.is_(None))
    ).all()
    roles = {Role(role) for _, role in works}
    has = {
        Missing.PHARMACIST: may(roles, Act.DISPENSE),
        Missing.PRESCRIBER: bool(site.main_site_id) or may(roles, Act.ORDER),
        Missing.HOURS: bool(scheduling.queries.timetable(session, site_id, today, today + _SOON).openings),
        Missing.STOCK: bool(lots(session, site_id=site_id)),
        Missing.POLICY: bool(site.main_site_id) or policy_of(session, site_id, today) is not None,
    }
    return tuple(each for each in Missing if not has[each])
