"""Other treatments and medicines of a client: started, switched, stopped, and all of them read."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date
from typing import Annotated, Literal, TypeVar
from uuid import UUID

import msgspec
from litestar import get, post
from litestar.params import FromPath, JSONBody
from litestar.types import ControllerRouterHandler

from dispensary.api.results import Reason
from dispensary.clients.service import lock_client
from dispensary.database import Database, ReadSession, WriteSession
from dispensary.monitoring.interactions import Moment, interaction
from dispensary.monitoring.refills import refills_of
from dispensary.monitoring.treatment_models import Medication, Refill, ScheduledLook, Treatment
from dispensary.monitoring.treatments import medicines_of, open_looks_of, treatments_of
from dispensary.units import ClientId
from dispensary.web import health_acts
from dispensary.web.consultation import looked_at
from dispensary.web.given import TheActor, TheClock, TheDatabase, TheSite
from dispensary.web.guards import requires_health_watcher
from dispensary.web.health_acts import When
from dispensary.web.typed import Typed

Substance = Annotated[str, msgspec.Meta(min_length=1, max_length=120)]
Substances = Annotated[list[Substance], msgspec.Meta(max_length=12)]
Kind = Literal["art", "tb", "hcv"]


class TreatmentRequest(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """A treatment with its medicines, from a day on."""

    kind: Kind
    substances: Annotated[list[Substance], msgspec.Meta(min_length=1, max_length=12)]
    started_on: date


class SwitchRequest(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """On one day these medicines of the treatment stop, by id, and those start, by name."""

    on: date
    stop: Annotated[list[UUID], msgspec.Meta(max_length=12)] = []
    start: Substances = []
    reason: Reason


class StopRequest(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """The first day without it, and why."""

    stopped_on: date
    reason: Reason


class MedicineRequest(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Something that the client takes beside methadone."""

    substance: Substance
    started_on: date


class RefillAnswer(msgspec.Struct):
    """A refill; `voided` when it was taken back."""

    id: UUID
    medicine_id: UUID
    on: date
    days: int
    observed: bool
    voided: bool
    supply: UUID | None
    """The hand-over of methadone that it came with."""


class MedicineAnswer(msgspec.Struct):
    """A medicine, and in `says` what its start, or its stop where it has stopped, does with methadone."""

    id: UUID
    treatment_id: UUID | None
    substance: str
    started_on: date
    stopped_on: date | None
    stop_reason: str
    says: list[str]


class TreatmentAnswer(msgspec.Struct):
    """A treatment; its medicines name it."""

    id: UUID
    kind: str
    started_on: date
    stopped_on: date | None
    stop_reason: str
    observed: bool


class LookAnswer(msgspec.Struct):
    """A day to look; `found` is empty until somebody has."""

    id: UUID
    medicine_id: UUID
    on: date
    why: str
    found: str


class TreatedAnswer(msgspec.Struct):
    """All that a client takes or took beside methadone, and the open days to look."""

    treatments: list[TreatmentAnswer]
    medicines: list[MedicineAnswer]
    refills: list[RefillAnswer]
    looks: list[LookAnswer]


def _medicine(row: Medication) -> MedicineAnswer:
    moment = Moment.STOP if row.stopped_on else Moment.START
    return MedicineAnswer(
        row.id,
        row.treatment_id,
        row.substance,
        row.started_on,
        row.stopped_on,
        row.stop_reason,
        [each.sentence for each in interaction(row.substance, moment)],
    )


def treatment_told(row: Treatment) -> TreatmentAnswer:
    return TreatmentAnswer(row.id, row.kind, row.started_on, row.stopped_on, row.stop_reason, row.observed)


def refill_told(row: Refill) -> RefillAnswer:
    return RefillAnswer(
        row.id, row.medication_id, row.on_day, row.days, row.observed, row.voided_at is not None, row.supply_id
    )


def look_told(row: ScheduledLook) -> LookAnswer:
    return LookAnswer(row.id, row.medication_id, row.on_day, row.why, row.found)


def _all(session: ReadSession, client_id: ClientId) -> TreatedAnswer:
    return TreatedAnswer(
        treatments=[treatment_told(each) for each in treatments_of(session, client_id=client_id)],
        medicines=[_medicine(each) for each in medicines_of(session, client_id=client_id)],
        refills=[refill_told(each) for each in refills_of(session, client_id=client_id)],
        looks=[look_told(each) for each in open_looks_of(session, client_id=client_id)],
    )


Row = TypeVar("Row")
Answer = TypeVar("Answer")


def does(
    database: Database, act: Callable[[WriteSession], Row], answer: Callable[[Row], Answer], **days: date
) -> Answer:
    """Does one act in a unit of work, unless a day lies beyond any that somebody can mean."""
    with Typed({}) as typed:
        for field, day in days.items():
            typed.near(field, day)
    return database.write(lambda session: answer(act(session)))


def _said(substances: Sequence[str]) -> list[str]:
    return [each for each in substances if each.strip()]


@get(
    "/clients/{client_id:uuid}/medicines",
    sync_to_thread=True,
    operation_id="listMedicines",
    tags=["health"],
    guards=[requires_health_watcher],
)
def listed(client_id: FromPath[UUID], database: TheDatabase, actor: TheActor, clock: TheClock) -> TreatedAnswer:
    """Treatments, medicines, refills and days to look of a client. The look is written down."""
    now = clock()

    def look(session: WriteSession) -> TreatedAnswer:
        lock_client(session, ClientId(client_id), actor.site_id)
        found = _all(session, ClientId(client_id))
        looked_at(session, actor=actor, client_id=ClientId(client_id), at=now, page="medicines")
        return found

    return database.write(look)


@post(
    "/clients/{client_id:uuid}/treatments",
    sync_to_thread=True,
    operation_id="startTreatment",
    tags=["health"],
    guards=[requires_health_watcher],
)
def start_treatment(
    client_id: FromPath[UUID],
    data: JSONBody[TreatmentRequest],
    database: TheDatabase,
    actor: TheActor,
    site: TheSite,
    clock: TheClock,
) -> TreatmentAnswer:
    """Begins a treatment. 409 when one of its kind runs; the same request again gets the same treatment."""
    now = clock()
    return does(
        database,
        lambda session: health_acts.start_treatment(
            session,
            actor=actor,
            client_id=ClientId(client_id),
            kind=data.kind,
            substances=_said(data.substances),
            started_on=data.started_on,
            when=When(site.dose_day(now), now),
        ),
        treatment_told,
        started_on=data.started_on,
    )


@post(
    "/clients/{client_id:uuid}/treatments/{treatment_id:uuid}/switch",
    sync_to_thread=True,
    operation_id="switchTreatment",
    tags=["health"],
    status_code=200,
    guards=[requires_health_watcher],
)
def switch(
    client_id: FromPath[UUID],
    treatment_id: FromPath[UUID],
    data: JSONBody[SwitchRequest],
    database: TheDatabase,
    actor: TheActor,
    site: TheSite,
    clock: TheClock,
) -> TreatmentAnswer:
    """Changes medicines of a treatment, wholly or not at all. The same request again changes nothing."""
    now = clock()
    return does(
        database,
        lambda session: health_acts.switch(
            session,
            actor=actor,
            client_id=ClientId(client_id),
            treatment_id=treatment_id,
            stop=data.stop,
            start=_said(data.start),
            on=data.on,
            reason=data.reason,
            when=When(site.dose_day(now), now),
        ),
        treatment_told,
        on=data.on,
    )


@post(
    "/clients/{client_id:uuid}/treatments/{treatment_id:uuid}/stop",
    sync_to_thread=True,
    operation_id="stopTreatment",
    tags=["health"],
    status_code=200,
    guards=[requires_health_watcher],
)
def stop_treatment(
    client_id: FromPath[UUID],
    treatment_id: FromPath[UUID],
    data: JSONBody[StopRequest],
    database: TheDatabase,
    actor: TheActor,
    site: TheSite,
    clock: TheClock,
) -> TreatmentAnswer:
    """Ends a treatment and its medicines. Ended already, it stays as it was."""
    now = clock()
    return does(
        database,
        lambda session: health_acts.stop_treatment(
            session,
            actor=actor,
            client_id=ClientId(client_id),
            treatment_id=treatment_id,
            stopped_on=data.stopped_on,
            reason=data.reason,
            when=When(site.dose_day(now), now),
        ),
        treatment_told,
        stopped_on=data.stopped_on,
    )


@post(
    "/clients/{client_id:uuid}/medicines",
    sync_to_thread=True,
    operation_id="startMedicine",
    tags=["health"],
    guards=[requires_health_watcher],
)
def start_medicine(
    client_id: FromPath[UUID],
    data: JSONBody[MedicineRequest],
    database: TheDatabase,
    actor: TheActor,
    site: TheSite,
    clock: TheClock,
) -> MedicineAnswer:
    """Writes down that a client takes something; the answer says what it does with methadone, or that it is unknown."""
    now = clock()
    return does(
        database,
        lambda session: health_acts.start_medicine(
            session,
            actor=actor,
            client_id=ClientId(client_id),
            substance=data.substance,
            started_on=data.started_on,
            when=When(site.dose_day(now), now),
        ),
        _medicine,
        started_on=data.started_on,
    )


@post(
    "/clients/{client_id:uuid}/medicines/{medicine_id:uuid}/stop",
    sync_to_thread=True,
    operation_id="stopMedicine",
    tags=["health"],
    status_code=200,
    guards=[requires_health_watcher],
)
def stop_medicine(
    client_id: FromPath[UUID],
    medicine_id: FromPath[UUID],
    data: JSONBody[StopRequest],
    database: TheDatabase,
    actor: TheActor,
    site: TheSite,
    clock: TheClock,
) -> MedicineAnswer:
    """Writes down that a client does not take something any more. Stopped already, it stays as it was."""
    now = clock()
    return does(
        database,
        lambda session: health_acts.stop_medicine(
            session,
            actor=actor,
            client_id=ClientId(client_id),
            medication_id=medicine_id,
            stopped_on=data.stopped_on,
            reason=data.reason,
            when=When(site.dose_day(now), now),
        ),
        _medicine,
        stopped_on=data.stopped_on,
    )


HANDLERS: list[ControllerRouterHandler] = [
    listed,
    start_treatment,
    switch,
    stop_treatment,
    start_medicine,
    stop_medicine,
]
