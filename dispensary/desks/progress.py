"""A progress report: on which days a client came, of those agreed; to whom their consent names, and of nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from litestar import get, post
from litestar.params import FromPath
from litestar.response import Response, Template
from litestar.types import ControllerRouterHandler

from dispensary.clients.consent_rules import Information, told_by
from dispensary.clients.consents import consents_of
from dispensary.clients.disclosure_models import Release
from dispensary.clients.queries import face_at
from dispensary.clients.telling import tell_by_consent
from dispensary.database import ReadSession, WriteSession
from dispensary.desks.disclosing import said
from dispensary.desks.telling import paper_or_again, what_of
from dispensary.desks.window import AtCounter
from dispensary.refusals import Refusal, Refused
from dispensary.staff.rules import Act
from dispensary.supplies.told import USUAL_DAYS, Period
from dispensary.units import ClientId
from dispensary.web.forms import Form, key_of, named, one
from dispensary.web.given import TheActor, TheClock, TheDatabase, TheSite
from dispensary.web.guards import requires
from dispensary.web.templating import page

_PAGE = "/consulting/clients/{client_id:uuid}/disclosing/progress"
_ATTENDANCE = frozenset({Information.ATTENDANCE})


def _page(here: AtCounter, *, refused: Refused | None = None, typed: Mapping[str, Any] | None = None) -> Template:
    def read(session: ReadSession) -> dict[str, Any]:
        found = consents_of(session, client_id=here.client_id)
        return {
            "face": face_at(session, site_id=here.site.id, client_id=here.client_id),
            "consents": [
                each for each in found if each.holds(here.today) and Information.ATTENDANCE in told_by(each.rule.kinds)
            ],
        }

    return page(
        "disclosure/progress.html",
        **said(here),
        **here.sees(read, seen_on="progress report"),
        first=here.today - USUAL_DAYS,
        last=here.today,
        refused=refused,
        typed=typed,
    )


@get(_PAGE, sync_to_thread=True, guards=[requires(Act.REPORT_PROGRESS)])
def progress_form(
    client_id: FromPath[UUID], database: TheDatabase, actor: TheActor, site: TheSite, clock: TheClock
) -> Template:
    """To which recipient of a consent that names attendance, and of which days."""
    return _page(AtCounter(database, actor, site, ClientId(client_id), clock()))


@post(f"{_PAGE}.pdf", sync_to_thread=True, guards=[requires(Act.REPORT_PROGRESS)], status_code=200)
def progress(
    client_id: FromPath[UUID], data: Form, database: TheDatabase, actor: TheActor, site: TheSite, clock: TheClock
) -> Response[Any]:
    """The report: counts and days, with the notice. Without a consent that names attendance there is none."""
    here = AtCounter(database, actor, site, ClientId(client_id), clock())

    def line(session: WriteSession, period: Period) -> Release:
        consent_id = named(data, "on")
        if consent_id is None:
            raise Refused(
                Refusal(
                    "no-consent-to-report",
                    "Nobody is told on which days a client came without their consent.",
                    "Ask them; take the consent to this recipient, then write the report.",
                    field="on",
                )
            )
        return tell_by_consent(
            session,
            actor=actor,
            client_id=here.client_id,
            consent_id=consent_id,
            kinds=_ATTENDANCE,
            event_not_come=one(data, "event_not_come") == "yes",
            what=what_of(_ATTENDANCE, period),
            key=key_of(data),
            today=here.today,
            at=here.now,
            by=Act.REPORT_PROGRESS,
        )

    return paper_or_again(here, line, data=data, else_again=lambda why: _page(here, refused=why, typed=data))


HANDLERS: list[ControllerRouterHandler] = [progress_form, progress]
