"""A client's treatments of HIV, tuberculosis or hepatitis C: their cover, their refills, and their end."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from litestar import get, post
from litestar.params import FromPath, FromQuery
from litestar.response import Response, Template
from litestar.types import ControllerRouterHandler
from sqlalchemy import select

from dispensary.database import WriteSession
from dispensary.desks.consulting import Consultation, about
from dispensary.desks.health import seen_health, when
from dispensary.desks.health_medicines import Kinds, ask_about, beside_fields, names_in, start_page
from dispensary.desks.health_words import said_of
from dispensary.monitoring.refills import MOST_DAYS
from dispensary.monitoring.treatment_models import Medication, Refill
from dispensary.refusals import NotThere, Refusal, Refused
from dispensary.staff.queries import names_of
from dispensary.units import ClientId
from dispensary.web import health_acts
from dispensary.web.forms import Form, key_of, one
from dispensary.web.given import TheActor, TheClock, TheDatabase, TheSite
from dispensary.web.guards import requires_health_watcher
from dispensary.web.templating import page
from dispensary.web.typed import LONGEST_NOTE, Typed

LONGEST_LIST = 400
MOST_SHOWN = 18
"""Refills that are listed, the newest first."""
SHOWN_REFILLS = 6
"""Those of them that stand open on the page; the earlier ones open by a press."""


@post("/consulting/clients/{client_id:uuid}/health/treatments", sync_to_thread=True, guards=[requires_health_watcher])
def start_treatment(
    client_id: FromPath[UUID], data: Form, database: TheDatabase, actor: TheActor, site: TheSite, clock: TheClock
) -> Response[Any]:
    """Begins a treatment with all its medicines."""
    here = Consultation(database, actor, site, ClientId(client_id), clock())

    def act(session: WriteSession) -> object:
        with Typed(data) as typed:
            kind = typed.choice("kind", Kinds)
            substances = names_in(typed.text("substances", most=LONGEST_LIST))
            began_on = typed.day("began_on")
            ask_about(typed, data, substances, field="substances")
        return health_acts.start_treatment(
            session,
            actor=actor,
            client_id=here.client_id,
            when=when(here),
            kind=kind.value,
            substances=substances,
            started_on=began_on,
        )

    return here.does(
        act, then="/health?done=treatment#medicines", else_again=lambda why: start_page(here, refused=why, typed=data)
    )


@get(
    "/consulting/clients/{client_id:uuid}/health/treatments/{treatment_id:uuid}",
    sync_to_thread=True,
    guards=[requires_health_watcher],
)
def treatment(
    client_id: FromPath[UUID],
    treatment_id: FromPath[UUID],
    database: TheDatabase,
    actor: TheActor,
    site: TheSite,
    clock: TheClock,
    done: FromQuery[str] = "",
) -> Template:
    """One treatment: cover of each medicine, refills, and the forms that add one, add a medicine, or end it."""
    return _treatment_page(Consultation(database, actor, site, ClientId(client_id), clock()), treatment_id, done=done)


def _treatment_page(
    here: Consultation,
    treatment_id: UUID,
    *,
    done: str = "",
    refused: Refused | None = None,
    typed: Mapping[str, Any] | None = None,
) -> Template:
    record, found = seen_health(here, seen_on="treatment")
    course = next((each for each in found.courses if each.treatment.id == treatment_id), None)
    if course is None:
        raise NotThere(Refusal("no-treatment", "The client has no such treatment now.", "Open their health again."))
    with here.database.reading() as session:
        refills = session.scalars(
            select(Refill)
            .join(Medication, Medication.id == Refill.medication_id)
            .where(Medication.treatment_id == treatment_id)
            .order_by(Refill.on_day.desc(), Refill.given_at.desc(), Refill.id)
            .limit(MOST_SHOWN)
        ).all()
        names = names_of(session, [each.given_by for each in refills if each.given_by])
    return page(
        "consulting/treatment.html",
        refused=refused,
        typed=typed,
        done=done,
        course=course,
        refills=refills,
        shown_refills=SHOWN_REFILLS,
        names=names,
        medicine_names=found.medicine_names,
        said=said_of(),
        **about(here.actor, record),
    )


@post(
    "/consulting/clients/{client_id:uuid}/health/treatments/{treatment_id:uuid}/refill",
    sync_to_thread=True,
    guards=[requires_health_watcher],
)
def refill(
    client_id: FromPath[UUID],
    treatment_id: FromPath[UUID],
    data: Form,
    database: TheDatabase,
    actor: TheActor,
    site: TheSite,
    clock: TheClock,
) -> Response[Any]:
    """Writes down a hand-over of so many days, or one dose that was swallowed here."""
    here = Consultation(database, actor, site, ClientId(client_id), clock())

    def act(session: WriteSession) -> None:
        with Typed(data) as typed:
            observed = one(data, "observed") == "yes"
            on = typed.day("on")
            days = 1 if observed else typed.whole("days", 1, MOST_DAYS)
            parts = typed.ids("parts")
            if not parts:
                typed.fault("parts", "no-medicine", "No medicine was chosen.", "Tick what was handed over.")
            key = key_of(data)
        for part in parts:
            health_acts.refill(
                session,
                actor=actor,
                client_id=here.client_id,
                medication_id=part,
                on=on,
                days=days,
                observed=observed,
                key=key,
                when=when(here),
            )

    return here.does(
        act,
        then=f"/health/treatments/{treatment_id}?done=refilled",
        else_again=lambda why: _treatment_page(here, treatment_id, refused=why, typed=data),
    )


@post(
    "/consulting/clients/{client_id:uuid}/health/treatments/{treatment_id:uuid}/stop",
    sync_to_thread=True,
    guards=[requires_health_watcher],
)
def stop_treatment(
    client_id: FromPath[UUID],
    treatment_id: FromPath[UUID],
    data: Form,
    database: TheDatabase,
    actor: TheActor,
    site: TheSite,
    clock: TheClock,
) -> Response[Any]:
    """Ends a treatment and each of its medicines."""
    here = Consultation(database, actor, site, ClientId(client_id), clock())

    def act(session: WriteSession) -> object:
        with Typed(data) as typed:
            stopped_on = typed.day("stopped_on")
            reason = typed.text("stop_reason", most=LONGEST_NOTE)
        return health_acts.stop_treatment(
            session,
            actor=actor,
            client_id=here.client_id,
            when=when(here),
            treatment_id=treatment_id,
            stopped_on=stopped_on,
            reason=reason,
        )

    return here.does(
        act,
        then="/health?done=ended#medicines",
        else_again=lambda why: _treatment_page(here, treatment_id, refused=beside_fields(why), typed=data),
    )


@post(
    "/consulting/clients/{client_id:uuid}/health/treatments/{treatment_id:uuid}/observed",
    sync_to_thread=True,
    guards=[requires_health_watcher],
)
def observe(
    client_id: FromPath[UUID],
    treatment_id: FromPath[UUID],
    data: Form,
    database: TheDatabase,
    actor: TheActor,
    site: TheSite,
    clock: TheClock,
) -> Response[Any]:
    """Says that doses of a treatment are swallowed at the counter, or that they are not any more."""
    here = Consultation(database, actor, site, ClientId(client_id), clock())
    observed = one(data, "observed") == "yes"
    return here.does(
        lambda session: health_acts.set_observed(
            session,
            actor=actor,
            client_id=here.client_id,
            treatment_id=treatment_id,
            observed=observed,
            when=when(here),
        ),
        then=f"/health/treatments/{treatment_id}?done={'observed' if observed else 'not-observed'}",
        else_again=lambda why: _treatment_page(here, treatment_id, refused=why, typed=data),
    )


@post(
    "/consulting/clients/{client_id:uuid}/health/refills/{refill_id:uuid}/void",
    sync_to_thread=True,
    guards=[requires_health_watcher],
)
def void(
    client_id: FromPath[UUID],
    refill_id: FromPath[UUID],
    data: Form,
    database: TheDatabase,
    actor: TheActor,
    site: TheSite,
    clock: TheClock,
) -> Response[Any]:
    """Takes a refill back that was written down by mistake."""
    here = Consultation(database, actor, site, ClientId(client_id), clock())
    with Typed(data) as typed:
        treatment_id = typed.id("treatment")

    def act(session: WriteSession) -> object:
        with Typed(data) as typed:
            reason = typed.text("void_reason", most=LONGEST_NOTE)
        return health_acts.void_refill(
            session, actor=actor, client_id=here.client_id, when=when(here), refill_id=refill_id, reason=reason
        )

    return here.does(
        act,
        then=f"/health/treatments/{treatment_id}?done=taken-back",
        else_again=lambda why: _treatment_page(here, treatment_id, refused=why, typed=data),
    )


HANDLERS: list[ControllerRouterHandler] = [start_treatment, treatment, refill, stop_treatment, observe, void]
