"""The administrator's office: the site at a glance, whether everything runs, and the audit trail."""

from __future__ import annotations

from datetime import timedelta
from itertools import islice

from litestar import get
from litestar.params import FromQuery
from litestar.response import Template
from litestar.types import ControllerRouterHandler

import notifications.queries
import scheduling.queries
from dispensary.desks import oversight
from dispensary.staff.audit import broken_links
from dispensary.staff.models import Site
from dispensary.staff.queries import colleagues
from dispensary.staff.rules import Act
from dispensary.supplies.outage_settings import has_password
from dispensary.takehome.policy import parse
from dispensary.takehome.queries import policy_of
from dispensary.web.given import TheActor, TheClock, TheDatabase, TheSite
from dispensary.web.guards import requires_administrator
from dispensary.web.templating import page
from scheduling.rules import NotFound

FAILURES_OF = timedelta(days=7)
TEXTS_OF = timedelta(days=30)
MOST_BROKEN = 20
"""Broken links that are named at once; where one is, the next hundred follow from it."""


@get("/office", sync_to_thread=True, guards=[requires_administrator])
def office(database: TheDatabase, site: TheSite, clock: TheClock) -> Template:
    """The site, who works there, when it is open today, what runs by itself."""
    now = clock()
    today = site.dose_day(now)
    with database.reading() as session:
        followed = policy_of(session, site.id, today)
        try:
            hours = scheduling.queries.opening_times(session, site.id, today)
            closure = scheduling.queries.closure_on(session, site.id, today)
            homeless = len(oversight.bookings_outside_hours(session, site_id=site.id, today=today))
        except NotFound:
            hours, closure, homeless = [], None, 0
        return page(
            "office/office.html",
            today=today,
            site=session.get_one(Site, site.id),
            staff=[each for each in colleagues(session, site.id) if each.left_at is None],
            policy=parse(followed.document) if followed else None,
            hours=hours,
            closure=closure,
            homeless=homeless,
            has_pack=has_password(session, site_id=site.id),
            jobs=oversight.jobs(session, since=now - FAILURES_OF),
            texts=notifications.queries.counts(session, place_id=site.id, since=now - TEXTS_OF),
            texts_of=TEXTS_OF.days,
            entries=oversight.length_of_chain(session, site_id=site.id),
        )


@get("/office/audit", sync_to_thread=True, guards=[requires_administrator])
def audit_trail(
    database: TheDatabase,
    actor: TheActor,
    site: TheSite,
    before: FromQuery[int | None] = None,
    check: FromQuery[bool] = False,
) -> Template:
    """The newest entries; with `check`, the whole chain is computed anew and whatever does not fit is named."""
    with database.reading() as session:
        clinical = actor.may(Act.LOOK_AT_CLIENT)
        entries = oversight.entries(session, site_id=site.id, clinical=clinical, before=before)
        broken = list(islice(broken_links(session, site_id=site.id), MOST_BROKEN)) if check else []
        length = oversight.length_of_chain(session, site_id=site.id)
    return page(
        "office/audit.html",
        entries=entries,
        earlier=entries[-1].seq if entries and entries[-1].seq > 1 else None,
        before=before,
        checked=check,
        broken=broken,
        length=length,
    )


HANDLERS: list[ControllerRouterHandler] = [office, audit_trail]
