"""Other medicines of a client: started, switched, stopped; what each does to methadone is said at once."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
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
from dispensary.desks.health_words import said_of
from dispensary.monitoring.interactions import known_as, meant, plain_name, rows
from dispensary.monitoring.treatment_models import Medication, Treatment
from dispensary.refusals import BadInput, NotThere, Refusal, Refused
from dispensary.units import ClientId
from dispensary.web import health_acts
from dispensary.web.doing import done_or_again
from dispensary.web.forms import Form, one
from dispensary.web.given import TheActor, TheClock, TheDatabase, TheSite
from dispensary.web.guards import requires_health_watcher
from dispensary.web.templating import page
from dispensary.web.typed import LONGEST_NOTE, Typed

UNKNOWN = "unknown-medicine"
_BETWEEN_MEDICINES = re.compile(r"[,;\n]| \+ ")


class Kinds(StrEnum):
    """Treatments that are kept, as a form sends them."""

    ART = "art"
    TB = "tb"
    HCV = "hcv"


def known_names() -> list[str]:
    """The names that the table of interactions has, to be chosen from while typing."""
    return sorted({name for row in rows() for name in (*row.names, *row.classes)})


def names_in(typed: str) -> list[str]:
    """The medicines of a list as people write it: one a line, or with commas."""
    return [" ".join(name.split()) for name in _BETWEEN_MEDICINES.split(typed) if name.strip()]


def ask_about(typed: Typed, data: Mapping[str, Any], names: Sequence[str], *, field: str) -> None:
    """Asks once about each name that the table of interactions does not have: perhaps another was meant.

    Whoever is sure of it has it kept, with an alert that it is unknown.
    """
    if one(data, "sure") == "yes":
        return
    for name in names:
        if name and not known_as(name):
            perhaps = meant(name)
            typed.fault(
                field,
                UNKNOWN,
                f"Nothing is known here about “{name}” and methadone. That is not to say that it is safe.",
                f"Did you mean {perhaps}? Correct it, or say that the name is right."
                if perhaps
                else "Look at the name again; if it is right, say so, and ask a pharmacist.",
            )


def _of(session: WriteSession, treatment: Treatment, substance: str) -> Medication:
    """The medicine of this name that runs as part of a treatment."""
    running = (Medication.treatment_id == treatment.id, Medication.stopped_on.is_(None))
    return session.scalars(select(Medication).where(*running, Medication.name == plain_name(substance))).one()


def _asks_sure(refused: Refused | None, typed: Mapping[str, Any] | None) -> bool:
    asked = refused is not None and any(each.code == UNKNOWN for each in refused.refusals)
    return asked or one(typed or {}, "sure") == "yes"


@get("/consulting/clients/{client_id:uuid}/health/medicines", sync_to_thread=True, guards=[requires_health_watcher])
def start_form(
    client_id: FromPath[UUID],
    database: TheDatabase,
    actor: TheActor,
    site: TheSite,
    clock: TheClock,
    of: FromQuery[str] = "",
) -> Template:
    """The forms that start a medicine, with `of` as part of a treatment that runs, or a whole treatment."""
    return start_page(Consultation(database, actor, site, ClientId(client_id), clock()), of=of)


def start_page(
    here: Consultation,
    *,
    of: str = "",
    refused: Refused | None = None,
    typed: Mapping[str, Any] | None = None,
) -> Template:
    """Both forms, each with what was refused and typed when something was."""
    record, found = seen_health(here, seen_on="medicines")
    return page(
        "consulting/start_medicine.html",
        refused=refused,
        typed=typed,
        health=found,
        kinds=list(Kinds),
        of=of,
        known=known_names(),
        asks_sure=_asks_sure(refused, typed),
        of_treatment="substances" in (typed or {}),
        said=said_of(),
        **about(here.actor, record),
    )


@post("/consulting/clients/{client_id:uuid}/health/medicines", sync_to_thread=True, guards=[requires_health_watcher])
def start(
    client_id: FromPath[UUID], data: Form, database: TheDatabase, actor: TheActor, site: TheSite, clock: TheClock
) -> Response[Any]:
    """Writes down that a medicine was started, alone or in a treatment that runs."""
    here = Consultation(database, actor, site, ClientId(client_id), clock())

    def act(session: WriteSession) -> Medication:
        with Typed(data) as typed:
            substance = typed.text("substance", most=120)
            started_on = typed.day("started_on")
            part_of = typed.id("treatment_id") if one(data, "treatment_id") else None
            ask_about(typed, data, [substance], field="substance")
        if part_of is not None:
            changed = health_acts.switch(
                session,
                actor=actor,
                client_id=here.client_id,
                treatment_id=part_of,
                stop=(),
                start=[substance],
                on=started_on,
                reason="",
                when=when(here),
            )
            return _of(session, changed, substance)
        return health_acts.start_medicine(
            session,
            actor=actor,
            client_id=here.client_id,
            when=when(here),
            substance=substance,
            started_on=started_on,
        )

    return _moved(here, act, lambda why: start_page(here, refused=why, typed=data), "started")


def _moved(
    here: Consultation, act: Callable[[WriteSession], Medication], again: Callable[[Refused], Template], done: str
) -> Response[Any]:
    """Goes on to the page of health, with what the medicine does at its top."""
    to = f"/consulting/clients/{here.client_id}/health"
    return done_or_again(
        here.database, act, then=lambda row: f"{to}?done={done}&about_medicine={row.id}", else_again=again
    )


@get(
    "/consulting/clients/{client_id:uuid}/health/medicines/{medication_id:uuid}",
    sync_to_thread=True,
    guards=[requires_health_watcher],
)
def medicine(
    client_id: FromPath[UUID],
    medication_id: FromPath[UUID],
    database: TheDatabase,
    actor: TheActor,
    site: TheSite,
    clock: TheClock,
) -> Template:
    """One medicine: what it does, and the forms that stop it or put another in its place."""
    return _medicine_page(Consultation(database, actor, site, ClientId(client_id), clock()), medication_id)


def _medicine_page(
    here: Consultation,
    medication_id: UUID,
    *,
    refused: Refused | None = None,
    typed: Mapping[str, Any] | None = None,
) -> Template:
    record, found = seen_health(here, seen_on="medicine")
    part = next((each for each in found.parts if each.medicine.id == medication_id), None)
    if part is None:
        raise NotThere(Refusal("no-medicine", "The client does not take this now.", "Open their health again."))
    return page(
        "consulting/medicine.html",
        refused=refused,
        typed=typed,
        part=part,
        known=known_names(),
        asks_sure=_asks_sure(refused, typed),
        switching="substance" in (typed or {}),
        said=said_of(),
        **about(here.actor, record),
    )


@post(
    "/consulting/clients/{client_id:uuid}/health/medicines/{medication_id:uuid}/stop",
    sync_to_thread=True,
    guards=[requires_health_watcher],
)
def stop(
    client_id: FromPath[UUID],
    medication_id: FromPath[UUID],
    data: Form,
    database: TheDatabase,
    actor: TheActor,
    site: TheSite,
    clock: TheClock,
) -> Response[Any]:
    """Ends a medicine, with the alert of what changes back."""
    here = Consultation(database, actor, site, ClientId(client_id), clock())

    def act(session: WriteSession) -> Medication:
        with Typed(data) as typed:
            stopped_on = typed.day("stopped_on")
            reason = typed.text("stop_reason", most=LONGEST_NOTE)
        return health_acts.stop_medicine(
            session,
            actor=actor,
            client_id=here.client_id,
            when=when(here),
            medication_id=medication_id,
            stopped_on=stopped_on,
            reason=reason,
        )

    return _moved(
        here, act, lambda why: _medicine_page(here, medication_id, refused=beside_fields(why), typed=data), "stopped"
    )


def beside_fields(refused: Refused) -> Refused:
    """The same refusal beside the fields of the pages here, where a service calls the reason otherwise."""
    names = {"reason": "stop_reason"}
    moved = [
        Refusal(each.code, each.sentence, each.remedy, each.evidence, field=names.get(each.field, each.field))
        for each in refused.refusals
    ]
    return BadInput(*moved) if isinstance(refused, BadInput) else Refused(*moved)


@post(
    "/consulting/clients/{client_id:uuid}/health/medicines/{medication_id:uuid}/switch",
    sync_to_thread=True,
    guards=[requires_health_watcher],
)
def switch(
    client_id: FromPath[UUID],
    medication_id: FromPath[UUID],
    data: Form,
    database: TheDatabase,
    actor: TheActor,
    site: TheSite,
    clock: TheClock,
) -> Response[Any]:
    """Ends a medicine and starts another in its place."""
    here = Consultation(database, actor, site, ClientId(client_id), clock())

    def act(session: WriteSession) -> Medication:
        with Typed(data) as typed:
            substance = typed.text("substance", most=120)
            switched_on = typed.day("switched_on")
            reason = typed.text("switch_reason", most=LONGEST_NOTE)
            ask_about(typed, data, [substance], field="substance")
        earlier = session.get(Medication, medication_id)
        if earlier is None or earlier.treatment_id is None or plain_name(substance) == earlier.name:
            raise BadInput(
                Refusal("same-medicine", "It is the same medicine.", "Write the other one.", field="substance")
            )
        changed = health_acts.switch(
            session,
            actor=actor,
            client_id=here.client_id,
            treatment_id=earlier.treatment_id,
            stop=[medication_id],
            start=[substance],
            on=switched_on,
            reason=reason,
            when=when(here),
        )
        return _of(session, changed, substance)

    def again(why: Refused) -> Template:
        return _medicine_page(here, medication_id, refused=why, typed=data)

    return _moved(here, act, again, "started")


HANDLERS: list[ControllerRouterHandler] = [start_form, start, medicine, stop, switch]
