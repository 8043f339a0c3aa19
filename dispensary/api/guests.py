"""Guest stays: asked for, arranged, answered by home, ended."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Annotated
from uuid import UUID

import msgspec
from litestar import get, post
from litestar.params import FromPath, JSONBody
from litestar.types import ControllerRouterHandler

from dispensary.clients.guest_models import GuestStay
from dispensary.clients.guest_rules import StayState
from dispensary.clients.guests import StayShown, stay_at, stays_at
from dispensary.database import ReadSession
from dispensary.staff.queries import Place
from dispensary.supplies.guests import Asked, answer, arrange, ask, end, stay_state
from dispensary.units import ClientId
from dispensary.web.given import TheActor, TheClock, TheDatabase, TheSite
from dispensary.web.guards import requires_dispenser, requires_guest_arranger

Note = Annotated[str, msgspec.Meta(min_length=1, max_length=500)]
Key = Annotated[str, msgspec.Meta(min_length=8, max_length=80)]
Code = Annotated[str, msgspec.Meta(min_length=1, max_length=12)]


class StayWanted(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """The dose days of a stay, both included, and whether bottles may be given there."""

    key: Key
    first_day: date
    last_day: date
    bottles: bool = False
    reason: Note

    def asked(self) -> Asked:
        return Asked(self.first_day, self.last_day, self.bottles, self.reason)


class StayRequest(StayWanted, kw_only=True):
    """A client of another site stands here: their number, and the code of their home."""

    number: Annotated[str, msgspec.Meta(min_length=1, max_length=24)]
    home: Code


class StayArranged(StayWanted, kw_only=True):
    """Home arranges a stay elsewhere; `confirmed`: order, last dose, bottles and holds were looked at."""

    guest: Code
    confirmed: bool = False


class StayAnswer(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Home's answer: accepted and confirmed, or refused with a reason."""

    accepted: bool
    bottles: bool = False
    confirmed: bool = False
    refusal: Annotated[str, msgspec.Meta(max_length=500)] = ""


class StayEnd(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Why it ends before its time."""

    reason: Note


class StayView(msgspec.Struct):
    """A stay as both sites see it. `client_id` opens the client at the guest site on its days alone."""

    id: UUID
    client_id: UUID
    number: str
    home: str
    guest: str
    first_day: date
    last_day: date | None
    """Nothing while a satellite of home gives the doses from now on."""
    bottles: bool
    reason: str
    state: StayState
    asked_at: datetime
    verified_at: datetime | None
    refusal: str
    ended_at: datetime | None
    end_reason: str


def _view(shown: StayShown, today: date) -> StayView:
    row = shown.stay
    return StayView(
        id=row.id,
        client_id=row.client_id,
        number=shown.number,
        home=shown.home,
        guest=shown.guest,
        first_day=row.from_day,
        last_day=max(last, row.from_day - timedelta(days=1)) if (last := shown.last_day) else None,
        bottles=row.bottles,
        reason=row.reason,
        state=stay_state(row, today),
        asked_at=row.asked_at,
        verified_at=row.verified_at,
        refusal=row.refusal,
        ended_at=row.ended_at,
        end_reason=row.end_reason,
    )


def _read(session: ReadSession, site: Place, row: GuestStay, at: datetime) -> StayView:
    return _view(stay_at(session, site_id=site.id, stay_id=row.id), site.dose_day(at))


@get("/guests", sync_to_thread=True, operation_id="listGuestStays", tags=["guests"], guards=[requires_guest_arranger])
def listed(database: TheDatabase, site: TheSite, clock: TheClock) -> list[StayView]:
    """The stays that this site has to do with, as home or as guest site, which are not over."""
    today = site.dose_day(clock())
    with database.reading() as session:
        return [_view(each, today) for each in stays_at(session, site_id=site.id, until_after=today)]


@post("/guests", sync_to_thread=True, operation_id="askForGuestStay", tags=["guests"], guards=[requires_dispenser])
def asked(
    data: JSONBody[StayRequest], database: TheDatabase, actor: TheActor, site: TheSite, clock: TheClock
) -> StayView:
    """Asks another site to verify its client as a guest here. The same key gets the same stay."""
    at = clock()
    return database.write(
        lambda session: _read(
            session,
            site,
            ask(
                session,
                actor=actor,
                number=data.number,
                home_code=data.home,
                asked=data.asked(),
                key=data.key,
                at=at,
            ),
            at,
        )
    )


@post(
    "/clients/{client_id:uuid}/guests",
    sync_to_thread=True,
    operation_id="arrangeGuestStay",
    tags=["guests"],
    guards=[requires_guest_arranger],
)
def arranged(
    client_id: FromPath[UUID],
    data: JSONBody[StayArranged],
    database: TheDatabase,
    actor: TheActor,
    site: TheSite,
    clock: TheClock,
) -> StayView:
    """Arranges and verifies a stay of one's own client at another site. The same key gets the same stay."""
    at = clock()
    return database.write(
        lambda session: _read(
            session,
            site,
            arrange(
                session,
                actor=actor,
                client_id=ClientId(client_id),
                guest_code=data.guest,
                asked=data.asked(),
                confirmed=data.confirmed,
                key=data.key,
                at=at,
            ),
            at,
        )
    )


@post(
    "/guests/{stay_id:uuid}/answer",
    sync_to_thread=True,
    operation_id="answerGuestStay",
    tags=["guests"],
    guards=[requires_guest_arranger],
)
def answered(
    stay_id: FromPath[UUID],
    data: JSONBody[StayAnswer],
    database: TheDatabase,
    actor: TheActor,
    site: TheSite,
    clock: TheClock,
) -> StayView:
    """Home's answer, once. 403 for anybody but home."""
    at = clock()
    return database.write(
        lambda session: _read(
            session,
            site,
            answer(
                session,
                actor=actor,
                stay_id=stay_id,
                accepted=data.accepted,
                bottles=data.bottles,
                confirmed=data.confirmed,
                refusal=data.refusal,
                at=at,
            ),
            at,
        )
    )


@post(
    "/guests/{stay_id:uuid}/end",
    sync_to_thread=True,
    operation_id="endGuestStay",
    tags=["guests"],
    guards=[requires_guest_arranger],
)
def ended(
    stay_id: FromPath[UUID],
    data: JSONBody[StayEnd],
    database: TheDatabase,
    actor: TheActor,
    site: TheSite,
    clock: TheClock,
) -> StayView:
    """Ends a stay before its time, or withdraws a request, from either site."""
    at = clock()
    return database.write(
        lambda session: _read(session, site, end(session, actor=actor, stay_id=stay_id, reason=data.reason, at=at), at)
    )


HANDLERS: list[ControllerRouterHandler] = [listed, asked, arranged, answered, ended]
