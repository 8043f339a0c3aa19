"""What was measured: a client's results, entered, corrected and read by those who treat."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated
from uuid import UUID

import msgspec
from litestar import get, post
from litestar.params import FromPath, JSONBody
from litestar.types import ControllerRouterHandler

from dispensary.clients.service import lock_client
from dispensary.database import WriteSession
from dispensary.monitoring.analytes import analytes
from dispensary.monitoring.heart import Formula
from dispensary.monitoring.result_models import HealthResult
from dispensary.monitoring.results import Measurement, results_of
from dispensary.units import ClientId, plain
from dispensary.web import health_acts
from dispensary.web.consultation import looked_at
from dispensary.web.given import TheActor, TheClock, TheDatabase, TheSite
from dispensary.web.guards import requires_health_watcher
from dispensary.web.health_acts import When
from dispensary.web.typed import Typed

Amount = Annotated[str, msgspec.Meta(max_length=60)]
Unit = Annotated[str, msgspec.Meta(max_length=40)]
Name = Annotated[str, msgspec.Meta(max_length=120)]
Reason = Annotated[str, msgspec.Meta(min_length=1, max_length=500)]


class MeasuredRequest(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """A value as the report has it: decimal text such as `34`, `<40`, or a choice such as `positive`.

    Limits are in the same unit; an empty unit is the one that is kept of the test.
    """

    test: Annotated[str, msgspec.Meta(min_length=1, max_length=40)]
    value: Amount
    unit: Unit = ""
    lower: Amount = ""
    upper: Amount = ""
    formula: Formula | None = None


class ResultsRequest(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """What was measured on a day. `sure`: unusual values among them are right. The same `key` is the same entry."""

    key: UUID
    taken_on: date
    results: Annotated[list[MeasuredRequest], msgspec.Meta(min_length=1, max_length=60)]
    laboratory: Name = ""
    sure: bool = False


class CorrectionRequest(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """The value that is right, or none where the result is taken back; and why."""

    value: Amount = ""
    unit: Unit = ""
    reason: Reason
    sure: bool = False


class ResultAnswer(msgspec.Struct):
    """A result: `value` in the `unit` that is kept, or the choice; limits in the same unit; `typed` as it came."""

    id: UUID
    test: str
    name: str
    taken_on: date
    value: str
    comparator: str
    unit: str
    lower: str | None
    upper: str | None
    formula: str
    laboratory_id: UUID | None
    typed: str
    source: str
    replaces: UUID | None
    reason: str
    entered_at: datetime


@get(
    "/clients/{client_id:uuid}/results",
    sync_to_thread=True,
    operation_id="listResults",
    tags=["health"],
    guards=[requires_health_watcher],
)
def listed(client_id: FromPath[UUID], database: TheDatabase, actor: TheActor, clock: TheClock) -> list[ResultAnswer]:
    """The results of a client that stand, the newest first. The look is written down."""
    now = clock()

    def look(session: WriteSession) -> list[ResultAnswer]:
        lock_client(session, ClientId(client_id), actor.site_id)
        found = [told(each) for each in results_of(session, client_id=ClientId(client_id))]
        looked_at(session, actor=actor, client_id=ClientId(client_id), at=now, page="results")
        return found

    return database.write(look)


@post(
    "/clients/{client_id:uuid}/results",
    sync_to_thread=True,
    operation_id="enterResults",
    tags=["health"],
    guards=[requires_health_watcher],
)
def enter(
    client_id: FromPath[UUID],
    data: JSONBody[ResultsRequest],
    database: TheDatabase,
    actor: TheActor,
    site: TheSite,
    clock: TheClock,
) -> list[ResultAnswer]:
    """Keeps what was measured, and judges it at once. 422 names each fault as `results.0` and so on.

    `implausible` asks for a second look: send it again with `sure` where it is right.
    """
    now = clock()
    with Typed({}) as typed:
        typed.near("taken_on", data.taken_on)
    measured = [
        Measurement(
            analyte=each.test,
            value=each.value,
            unit=each.unit,
            lower=each.lower,
            upper=each.upper,
            formula=each.formula,
            field=f"results.{number}",
        )
        for number, each in enumerate(data.results)
    ]
    return database.write(
        lambda session: [
            told(each)
            for each in health_acts.enter(
                session,
                actor=actor,
                client_id=ClientId(client_id),
                taken_on=data.taken_on,
                measurements=measured,
                laboratory=data.laboratory,
                sure=data.sure,
                key=data.key,
                when=When(site.dose_day(now), now),
            )
        ]
    )


@post(
    "/clients/{client_id:uuid}/results/{result_id:uuid}/correct",
    sync_to_thread=True,
    operation_id="correctResult",
    tags=["health"],
    guards=[requires_health_watcher],
)
def correct(
    client_id: FromPath[UUID],
    result_id: FromPath[UUID],
    data: JSONBody[CorrectionRequest],
    database: TheDatabase,
    actor: TheActor,
    site: TheSite,
    clock: TheClock,
) -> ResultAnswer:
    """Puts another value in the place of one, or takes it back; both stay on record.

    409 when it has been corrected otherwise meanwhile. The same correction again is the one that stands.
    """
    now = clock()
    return database.write(
        lambda session: told(
            health_acts.correct(
                session,
                actor=actor,
                client_id=ClientId(client_id),
                result_id=result_id,
                value=data.value,
                unit=data.unit,
                reason=data.reason,
                sure=data.sure,
                when=When(site.dose_day(now), now),
            )
        )
    )


def told(row: HealthResult) -> ResultAnswer:
    """A result as the API tells it."""
    analyte = analytes().get(row.analyte)
    return ResultAnswer(
        id=row.id,
        test=row.analyte,
        name=analyte.name if analyte else row.analyte,
        taken_on=row.taken_on,
        value=row.choice or ("" if row.number is None else plain(row.number)),
        comparator=row.comparator,
        unit=analyte.unit if analyte else "",
        lower=None if row.lower is None else plain(row.lower),
        upper=None if row.upper is None else plain(row.upper),
        formula=row.formula,
        laboratory_id=row.laboratory_id,
        typed=row.typed,
        source=row.source,
        replaces=row.replaces,
        reason=row.reason,
        entered_at=row.entered_at,
    )


HANDLERS: list[ControllerRouterHandler] = [listed, enter, correct]
