"""Stock between two sites: sent, on its way, received there or taken back."""

from __future__ import annotations

from datetime import date, datetime
from uuid import UUID

import msgspec
from litestar import get, post
from litestar.params import FromPath, FromQuery, JSONBody
from litestar.types import ControllerRouterHandler

from dispensary.api.exceptions import Amount, Key, Words
from dispensary.api.safe import MAY_MOVE, MAY_READ, or_none, volume
from dispensary.database import ReadSession
from dispensary.stock import transfers
from dispensary.stock.safe_models import StockTransfer
from dispensary.stock.transfers import Transfer, the_transfer
from dispensary.units import SiteId, plain
from dispensary.web import safe_acts
from dispensary.web.given import TheActor, TheClock, TheDatabase, TheSite


class SendRequest(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Stock for another site. `carried_by`: who carries it, or the number of the seal."""

    key: Key
    lot_id: UUID
    to_site_id: UUID
    ml: Amount
    carried_by: Words


class ReceiptRequest(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """What was measured of what arrived."""

    measured_ml: Amount
    reason: Words = ""


class ReasonRequest(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Why it did not leave."""

    reason: Words


class TransferAnswer(msgspec.Struct):
    """A transfer as both sites read it; `state` is in_transit, received or taken_back."""

    id: UUID
    number: str
    state: str
    from_site: str
    to_site: str
    batch: str
    strength: str
    expires_on: date
    ml: str
    measured_ml: str | None
    sent_at: datetime
    settled_at: datetime | None
    carried_by: str
    reason: str


def _transfer(session: ReadSession, row: StockTransfer, site_id: SiteId) -> TransferAnswer:
    return _told(the_transfer(session, site_id=site_id, transfer_id=row.id))


def _told(one: Transfer) -> TransferAnswer:
    row = one.row
    return TransferAnswer(
        id=row.id,
        number=row.number,
        state=row.state,
        from_site=one.from_code,
        to_site=one.to_code,
        batch=row.batch,
        strength=plain(row.strength),
        expires_on=row.expires_on,
        ml=plain(row.ml),
        measured_ml=or_none(row.measured_ml),
        sent_at=row.sent_at,
        settled_at=row.settled_at,
        carried_by=row.carried_by,
        reason=row.reason,
    )


@get("/transfers", sync_to_thread=True, operation_id="listTransfers", tags=["stock"], guards=MAY_READ)
def transfer_list(database: TheDatabase, site: TheSite, in_transit: FromQuery[bool] = False) -> list[TransferAnswer]:
    """What the site sent and what is or was on its way to it, the newest first; with `in_transit`, only that."""
    with database.reading() as session:
        return [_told(one) for one in transfers.transfers(session, site_id=site.id, in_transit_only=in_transit)]


@post("/transfers", sync_to_thread=True, operation_id="sendStock", tags=["stock"], guards=MAY_MOVE)
def send(
    data: JSONBody[SendRequest], database: TheDatabase, actor: TheActor, site: TheSite, clock: TheClock
) -> TransferAnswer:
    """Sends stock to another site, once for its key: in nobody's balance until it is received or taken back."""
    now = clock()
    ml = volume(data.ml, "ml")
    return database.write(
        lambda session: _transfer(
            session,
            transfers.send(
                session,
                actor=actor,
                lot_id=data.lot_id,
                to_site_id=SiteId(data.to_site_id),
                ml=ml,
                carried_by=data.carried_by,
                key=data.key,
                day=site.dose_day(now),
                at=now,
            ),
            site.id,
        )
    )


@post(
    "/transfers/{transfer_id:uuid}/receipt",
    sync_to_thread=True,
    operation_id="receiveTransfer",
    tags=["stock"],
    guards=MAY_MOVE,
)
def receive(
    transfer_id: FromPath[UUID],
    data: JSONBody[ReceiptRequest],
    database: TheDatabase,
    actor: TheActor,
    site: TheSite,
    clock: TheClock,
) -> TransferAnswer:
    """Receives what another site sent. 409 when it was received or taken back before."""
    now = clock()
    measured = volume(data.measured_ml, "measured_ml", zero=True)
    return database.write(
        lambda session: _transfer(
            session,
            safe_acts.receive_transfer(
                session,
                actor=actor,
                transfer_id=transfer_id,
                measured=measured,
                reason=data.reason,
                today=site.dose_day(now),
                at=now,
            ),
            site.id,
        )
    )


@post(
    "/transfers/{transfer_id:uuid}/take-back",
    sync_to_thread=True,
    operation_id="takeBackTransfer",
    tags=["stock"],
    guards=MAY_MOVE,
)
def take_back(
    transfer_id: FromPath[UUID],
    data: JSONBody[ReasonRequest],
    database: TheDatabase,
    actor: TheActor,
    site: TheSite,
    clock: TheClock,
) -> TransferAnswer:
    """Takes back what never left. 409 when it was received or taken back before."""
    now = clock()
    return database.write(
        lambda session: _transfer(
            session,
            transfers.take_back(
                session, actor=actor, transfer_id=transfer_id, reason=data.reason, day=site.dose_day(now), at=now
            ),
            site.id,
        )
    )


HANDLERS: list[ControllerRouterHandler] = [transfer_list, send, receive, take_back]
