"""The page on which take-home is assessed, criterion by criterion, and decided, with the assessment beside it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from uuid import UUID

from litestar import get, post
from litestar.params import FromPath, FromQuery
from litestar.response import Response, Template
from litestar.types import ControllerRouterHandler

from dispensary.clients.circumstances import Circumstances, note_circumstances
from dispensary.database import WriteSession
from dispensary.desks.consulting import Consultation, about
from dispensary.refusals import Refused
from dispensary.staff.rules import Act
from dispensary.takehome.policy import MOST_PER_SUPPLY, MOST_PER_WEEK
from dispensary.takehome.service import assess_client
from dispensary.units import ClientId
from dispensary.web import consultation
from dispensary.web.forms import Form, one
from dispensary.web.given import TheActor, TheClock, TheDatabase, TheSite
from dispensary.web.guards import requires, requires_client_reader
from dispensary.web.templating import page
from dispensary.web.typed import Typed

JUDGED = "judged:"
"""What the fields begin with in which a practitioner answers a criterion; its name follows."""


@get("/consulting/clients/{client_id:uuid}/take-home", sync_to_thread=True, guards=[requires_client_reader])
def take_home(
    client_id: FromPath[UUID],
    database: TheDatabase,
    actor: TheActor,
    site: TheSite,
    clock: TheClock,
    done: FromQuery[str] = "",
) -> Template:
    """The newest assessment, what is in force, and the decision to be made."""
    return _take_home_page(Consultation(database, actor, site, ClientId(client_id), clock()), done=done)


def _take_home_page(
    here: Consultation, *, done: str = "", refused: Refused | None = None, typed: Mapping[str, Any] | None = None
) -> Template:
    record = here.opened(seen_on="take-home")
    assessment = record.assessment
    return page(
        "consulting/take_home.html",
        refused=refused,
        typed=typed,
        said=assessment.result if assessment else None,
        answers=assessment.inputs["history"]["judged"] if assessment else {},
        judged=[criterion for criterion in record.policy.criteria if criterion.judged] if record.policy else [],
        done=done,
        **about(here.actor, record),
    )


@post("/consulting/clients/{client_id:uuid}/assess", sync_to_thread=True, guards=[requires(Act.ENROL)])
def assess(
    client_id: FromPath[UUID],
    data: Form,
    database: TheDatabase,
    actor: TheActor,
    site: TheSite,
    clock: TheClock,
) -> Response[Any]:
    """Writes the circumstances down as they were told, and assesses by the policy that the site follows today."""
    here = Consultation(database, actor, site, ClientId(client_id), clock())

    def act(session: WriteSession) -> object:
        if one(data, "circumstances") == "asked":
            with Typed(data) as typed:
                told = Circumstances(
                    lockbox=typed.yes_no("lockbox"),
                    housing_stable=typed.yes_no("housing_stable"),
                    employed=typed.yes_no("employed"),
                    health_stable=typed.yes_no("health_stable"),
                )
            note_circumstances(session, actor=actor, client_id=here.client_id, told=told, at=here.now)
        return assess_client(
            session, actor=actor, client_id=here.client_id, on=here.today, at=here.now, judged=_answered(data)
        )

    return here.does(
        act,
        then="/take-home?done=assessed",
        else_again=lambda why: _take_home_page(here, refused=why, typed=data),
    )


def _answered(data: Mapping[str, Any]) -> dict[str, bool]:
    """What a practitioner answered, by criterion; those left open are not in it."""
    answers = {name.removeprefix(JUDGED): one(data, name) for name in data if name.startswith(JUDGED)}
    return {name: answer == "yes" for name, answer in answers.items() if answer in ("yes", "no")}


@post("/consulting/clients/{client_id:uuid}/decide", sync_to_thread=True, guards=[requires(Act.DECIDE_TAKE_HOME)])
def decide(
    client_id: FromPath[UUID],
    data: Form,
    database: TheDatabase,
    actor: TheActor,
    site: TheSite,
    clock: TheClock,
) -> Response[Any]:
    """Decides on the assessment that the doctor had before them."""
    here = Consultation(database, actor, site, ClientId(client_id), clock())

    def act(session: WriteSession) -> object:
        with Typed(data) as typed:
            last = typed.day_or_none("days_until")
            allowed = consultation.Allowed(
                assessment_id=typed.id("assessment_id"),
                days_from=typed.day("days_from"),
                until=last + timedelta(days=1) if last else None,
                per_supply=typed.whole("per_supply", 0, MOST_PER_SUPPLY),
                per_week=typed.whole_or_none("per_week", 0, MOST_PER_WEEK),
                reason=typed.text("reason", most=2000, required=False),
            )
        return consultation.decide_take_home(
            session, actor=actor, client_id=here.client_id, allowed=allowed, at=here.now
        )

    return here.does(act, then="?done=decided", else_again=lambda why: _take_home_page(here, refused=why, typed=data))


HANDLERS: list[ControllerRouterHandler] = [take_home, assess, decide]
