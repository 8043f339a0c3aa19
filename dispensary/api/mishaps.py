"""What goes wrong with a dose and moves stock: spilled, partly taken, given on top or again, another amount given."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated
from uuid import UUID

import msgspec
from litestar import post
from litestar.params import FromPath, JSONBody
from litestar.types import ControllerRouterHandler

from dispensary.api.exceptions import Amount, ExceptionAnswer, Key, Known, Words, answer_of, told
from dispensary.database import Database, WriteSession
from dispensary.supplies import mishaps
from dispensary.supplies.models import DoseException
from dispensary.supplies.writing import Handed
from dispensary.supplies.wrong_doses import MOST_HOURS, Wrong
from dispensary.units import AccountId, ClientId, DoseDay
from dispensary.web import unusual_acts
from dispensary.web.given import TheActor, TheClock, TheDatabase, TheSite
from dispensary.web.guards import requires_dispenser
from dispensary.web.typed import Typed
from dispensary.web.unusual_acts import as_read

Secret = Annotated[str, msgspec.Meta(max_length=128)]


class SpilledRequest(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Today's portion was lost before anything of it was swallowed. `second_id`: who else saw it.

    `second_pin`: what that person typed: their own PIN, or their password where they have no PIN.
    """

    key: Key
    reason: Words
    second_id: UUID | None = None
    second_pin: Secret = ""


class PartlyTakenRequest(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """So many mg of today's portion were swallowed; the rest was lost. The second person as with what was spilled."""

    key: Key
    mg: Amount
    reason: Words
    identified_by: Known
    second_id: UUID | None = None
    second_pin: Secret = ""


class TopUpRequest(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """More today, after the dose was increased; as a named prescriber allows."""

    key: Key
    mg: Amount
    prescriber_id: UUID
    said: Words
    identified_by: Known
    well: bool = False


class WrongDoseRequest(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Another amount than ordered was swallowed: `mg` in all. The call may be written down with it, or afterwards."""

    key: Key
    mg: Amount
    happened: Words
    intoxicated: bool = False
    prescriber_id: UUID | None = None
    said: Words = ""
    observe_hours: Annotated[int, msgspec.Meta(ge=0, le=MOST_HOURS)] | None = None


class ReplacementRequest(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """What was allowed of a vomited dose is given again."""

    key: Key
    identified_by: Known
    well: bool = False


def _handed(
    database: Database, today: DoseDay, act: Callable[[WriteSession], tuple[DoseException, Handed]]
) -> ExceptionAnswer:
    """Does the act, and answers with the exception and the supply that was written with it."""

    def work(session: WriteSession) -> ExceptionAnswer:
        about, handed = act(session)
        return answer_of(as_read(session, about=about), today, handed)

    return database.write(work)


def _somebody(account_id: UUID | None) -> AccountId | None:
    return AccountId(account_id) if account_id else None


@post(
    "/clients/{client_id:uuid}/exceptions/spilled",
    sync_to_thread=True,
    operation_id="noteSpilled",
    tags=["exceptions"],
    guards=[requires_dispenser],
)
def spilled(
    client_id: FromPath[UUID],
    data: JSONBody[SpilledRequest],
    database: TheDatabase,
    actor: TheActor,
    site: TheSite,
    clock: TheClock,
) -> ExceptionAnswer:
    """Writes off today's portion, which can be poured again. What was recorded as given is undone."""
    at = clock()
    today = site.dose_day(at)
    return told(
        database,
        today,
        lambda session: mishaps.spilled(
            session,
            actor=actor,
            client_id=ClientId(client_id),
            reason=data.reason,
            second_id=_somebody(data.second_id),
            second_pin=data.second_pin,
            key=data.key,
            today=today,
            at=at,
        ),
    )


@post(
    "/clients/{client_id:uuid}/exceptions/partly-taken",
    sync_to_thread=True,
    operation_id="notePartlyTaken",
    tags=["exceptions"],
    guards=[requires_dispenser],
)
def partly_taken(
    client_id: FromPath[UUID],
    data: JSONBody[PartlyTakenRequest],
    database: TheDatabase,
    actor: TheActor,
    site: TheSite,
    clock: TheClock,
) -> ExceptionAnswer:
    """Records today's portion as what was swallowed of it; the rest is written off and the prescriber told."""
    at = clock()
    today = site.dose_day(at)
    with Typed({"mg": data.mg}) as typed:
        mg = typed.milligrams("mg")
    return _handed(
        database,
        today,
        lambda session: unusual_acts.partly_taken(
            session,
            actor=actor,
            client_id=ClientId(client_id),
            swallowed_mg=mg,
            reason=data.reason,
            second_id=_somebody(data.second_id),
            second_pin=data.second_pin,
            identified_by=data.identified_by,
            key=data.key,
            today=today,
            at=at,
        ),
    )


@post(
    "/clients/{client_id:uuid}/exceptions/top-up",
    sync_to_thread=True,
    operation_id="topUp",
    tags=["exceptions"],
    guards=[requires_dispenser],
)
def top_up(
    client_id: FromPath[UUID],
    data: JSONBody[TopUpRequest],
    database: TheDatabase,
    actor: TheActor,
    site: TheSite,
    clock: TheClock,
) -> ExceptionAnswer:
    """Gives more on the day on which the dose was increased after it had been taken."""
    at = clock()
    today = site.dose_day(at)
    with Typed({"mg": data.mg}) as typed:
        mg = typed.milligrams("mg")
    return _handed(
        database,
        today,
        lambda session: unusual_acts.top_up(
            session,
            actor=actor,
            client_id=ClientId(client_id),
            mg=mg,
            prescriber_id=AccountId(data.prescriber_id),
            said=data.said,
            identified_by=data.identified_by,
            well=data.well,
            key=data.key,
            today=today,
            at=at,
        ),
    )


@post(
    "/clients/{client_id:uuid}/exceptions/wrong-dose",
    sync_to_thread=True,
    operation_id="noteWrongDose",
    tags=["exceptions"],
    guards=[requires_dispenser],
)
def wrong_dose(
    client_id: FromPath[UUID],
    data: JSONBody[WrongDoseRequest],
    database: TheDatabase,
    actor: TheActor,
    site: TheSite,
    clock: TheClock,
) -> ExceptionAnswer:
    """Records that another amount than ordered was swallowed. After more than ordered, no dose leaves unreviewed."""
    at = clock()
    today = site.dose_day(at)
    with Typed({"mg": data.mg}) as typed:
        mg = typed.milligrams("mg")
    wrong = Wrong(
        given_mg=mg,
        happened=data.happened,
        intoxicated=data.intoxicated,
        prescriber_id=_somebody(data.prescriber_id),
        said=data.said,
        observe_hours=data.observe_hours,
    )
    return _handed(
        database,
        today,
        lambda session: unusual_acts.wrong_dose(
            session,
            actor=actor,
            client_id=ClientId(client_id),
            wrong=wrong,
            key=data.key,
            today=today,
            at=at,
        ),
    )


@post(
    "/exceptions/{exception_id:uuid}/replacement",
    sync_to_thread=True,
    operation_id="giveAgain",
    tags=["exceptions"],
    guards=[requires_dispenser],
)
def give_again(
    exception_id: FromPath[UUID],
    data: JSONBody[ReplacementRequest],
    database: TheDatabase,
    actor: TheActor,
    site: TheSite,
    clock: TheClock,
) -> ExceptionAnswer:
    """Gives again, once, what a prescriber allowed of a vomited dose, and closes the exception."""
    at = clock()
    today = site.dose_day(at)
    return _handed(
        database,
        today,
        lambda session: unusual_acts.give_again(
            session,
            actor=actor,
            exception_id=exception_id,
            identified_by=data.identified_by,
            well=data.well,
            key=data.key,
            today=today,
            at=at,
        ),
    )


HANDLERS: list[ControllerRouterHandler] = [spilled, partly_taken, top_up, wrong_dose, give_again]
