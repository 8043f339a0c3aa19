"""The office's page of take-home policies: what is published, what the site follows, a version of its own."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any
from uuid import UUID

from litestar import get, post
from litestar.params import FromQuery
from litestar.response import Redirect, Response, Template
from litestar.types import ControllerRouterHandler
from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import Range

from dispensary.database import Database, WriteSession
from dispensary.desks.consulting import plain_day
from dispensary.desks.figures import kind_words
from dispensary.documents import Status
from dispensary.refusals import NotThere, Refusal, Refused
from dispensary.staff import audit
from dispensary.staff.queries import Place
from dispensary.takehome.models import PolicyAdoption, PolicyVersion
from dispensary.takehome.policy import Policy, parse
from dispensary.takehome.publishing import adopt as adopt_policy
from dispensary.takehome.publishing import publish as publish_policy
from dispensary.web.forms import Form
from dispensary.web.given import TheActor, TheClock, TheDatabase, TheSite
from dispensary.web.guards import requires_administrator
from dispensary.web.templating import page
from dispensary.web.typed import Typed
from dispensary.words import _


@get("/office/policies", sync_to_thread=True, guards=[requires_administrator])
def policies(
    database: TheDatabase,
    site: TheSite,
    clock: TheClock,
    done: FromQuery[str] = "",
    copy: FromQuery[UUID | None] = None,
) -> Template:
    """Every published version with its parameters. `copy` puts one into the form, to be changed and published anew."""
    return _policies_page(database, site, site.dose_day(clock()), done=done, copy=copy)


def _policies_page(
    database: Database,
    site: Place,
    today: date,
    *,
    done: str = "",
    copy: UUID | None = None,
    refused: Refused | None = None,
    typed: Mapping[str, Any] | None = None,
) -> Template:
    with database.reading() as session:
        versions = session.scalars(select(PolicyVersion).order_by(PolicyVersion.policy, PolicyVersion.version)).all()
        adoptions = session.scalars(
            select(PolicyAdoption)
            .where(PolicyAdoption.site_id == site.id)
            .where(func.coalesce(func.upper(PolicyAdoption.days), date.max) > today)
            .order_by(func.lower(PolicyAdoption.days))
        ).all()
    followed = {adoption.policy_version_id: adoption.days.lower for adoption in adoptions}
    published = [(version, parse(version.document)) for version in versions]
    published.sort(key=lambda each: (each[0].id not in followed, _STANDING.index(each[1].status)))
    copied = next((version.document for version in versions if version.id == copy), "")
    return page(
        "office/policies.html",
        refused=refused,
        typed=typed,
        published=published,
        followed=followed,
        in_force=_in_force,
        kinds=kind_words(),
        today=today,
        copied=copied,
        done=done,
    )


_STANDING = (Status.ACTIVE, Status.DRAFT, Status.SUPERSEDED)
"""What a site can follow comes first, what was once in force last."""


def _in_force(policy: Policy) -> str:
    """From when to when a policy is or was in force, as a person reads it."""
    first, end = policy.effective_from, policy.effective_to
    said = {"first": first and plain_day(first), "last": end and plain_day(end - timedelta(days=1))}
    if first and end:
        return _("in force from %(first)s to %(last)s", **said)
    if first:
        return _("in force from %(first)s", **said)
    return _("in force until %(last)s", **said) if end else _("no day is named")


@post("/office/policies/adopt", sync_to_thread=True, guards=[requires_administrator])
def adopt(data: Form, database: TheDatabase, actor: TheActor, site: TheSite, clock: TheClock) -> Response[Any]:
    """The site follows a version from a day on. Decisions made before stay until the doctor decides again."""
    now = clock()
    today = site.dose_day(now)

    def act(session: WriteSession) -> None:
        with Typed(data) as typed:
            version_id, from_day = typed.id("version"), typed.day("from_day")
        chosen = session.get(PolicyVersion, version_id)
        if chosen is None:
            raise NotThere(Refusal("no-policy", "There is no such policy.", "Choose one of the list.", field="version"))
        followed = session.scalar(
            select(PolicyAdoption).where(
                PolicyAdoption.site_id == site.id, PolicyAdoption.days == Range(from_day, None, bounds="[)")
            )
        )
        if followed is None or followed.policy_version_id != chosen.id:
            adopt_policy(
                session,
                actor=actor,
                site_id=site.id,
                policy=chosen.policy,
                version=chosen.version,
                from_day=from_day,
                at=now,
            )

    try:
        database.write(act)
    except Refused as refused:
        return _policies_page(database, site, today, refused=refused, typed=data)
    return Redirect("/office/policies?done=adopted", status_code=303)


@post("/office/policies", sync_to_thread=True, guards=[requires_administrator])
def publish(data: Form, database: TheDatabase, actor: TheActor, site: TheSite, clock: TheClock) -> Response[Any]:
    """Publishes a version of the site's own. It affects nobody until it is adopted."""
    now = clock()
    document = data.get("document")
    text = document.replace("\r\n", "\n") if isinstance(document, str) else ""

    def act(session: WriteSession) -> None:
        kept = publish_policy(session, document=text, at=now)
        details = {"policy": kept.policy, "version": kept.version, "sha256": kept.sha256.hex()}
        audit.record(
            session, actor=actor, act="published policy", subject="policy", subject_id=kept.id, at=now, details=details
        )

    try:
        database.write(act)
    except Refused as refused:
        return _policies_page(database, site, site.dose_day(now), refused=refused, typed=data)
    return Redirect("/office/policies?done=published", status_code=303)


HANDLERS: list[ControllerRouterHandler] = [policies, adopt, publish]
