"""The register's lines, and what every act in the safe begins with."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from uuid import UUID, uuid5

from sqlalchemy import select

from dispensary.database import ReadSession, WriteSession
from dispensary.refusals import BadInput, NotThere, Refusal, Refused
from dispensary.staff.models import Site
from dispensary.staff.rules import Actor
from dispensary.stock.models import Lot
from dispensary.stock.safe_models import StockSetting
from dispensary.units import AccountId, SiteId, new_id, plain

_LINE = """
INSERT INTO register_line (id, book_id, seq, lot_id, at, dose_day, kind, ml, consumed_ml, taken_home_ml, balance,
    lot_balance, supply_id, corrects_id, reason, account_id, second_id, transfer_id)
VALUES (%(id)s, %(book_id)s, 0, %(lot_id)s, %(at)s, %(dose_day)s, %(kind)s, %(ml)s, %(consumed_ml)s, %(taken_home_ml)s,
    0, 0, %(supply_id)s, %(corrects_id)s, %(reason)s, %(account_id)s, %(second_id)s, %(transfer_id)s)
"""


def write_line(
    session: WriteSession,
    *,
    actor: Actor,
    lot_id: UUID,
    book_id: UUID,
    kind: str,
    ml: Decimal,
    day: date,
    at: datetime,
    consumed_ml: Decimal = Decimal(0),
    taken_home_ml: Decimal = Decimal(0),
    supply_id: UUID | None = None,
    corrects_id: UUID | None = None,
    reason: str = "",
    account_id: AccountId | None = None,
    second_id: AccountId | None = None,
    transfer_id: UUID | None = None,
) -> UUID:
    """Adds a line to the register. PostgreSQL numbers it, moves both balances, and refuses one below zero."""
    line_id = new_id()
    session.run(
        _LINE,
        {
            "id": line_id,
            "book_id": book_id,
            "lot_id": lot_id,
            "at": at,
            "dose_day": day,
            "kind": kind,
            "ml": ml,
            "consumed_ml": consumed_ml,
            "taken_home_ml": taken_home_ml,
            "supply_id": supply_id,
            "corrects_id": corrects_id,
            "reason": reason,
            "account_id": account_id or actor.account_id,
            "second_id": second_id,
            "transfer_id": transfer_id,
        },
    )
    return line_id


def alone_in_safe(session: WriteSession, site_id: SiteId) -> Site:
    """The site, once no other act in its safe is under way: a repeated request waits here for the first one.

    A dose does not wait for it: the site is locked lightly, and the counter locks lots alone.
    """
    site = session.scalar(select(Site).where(Site.id == site_id).with_for_update(key_share=True))
    assert site is not None, "somebody is signed in at this site"
    return site


def id_for_key(site_id: SiteId, act: str, key: str) -> UUID:
    """The id that the row of an act with this key has: written again, it is the same row. Raises BadInput."""
    if not key:
        return new_id()
    if not 8 <= len(key) <= 80:
        raise BadInput(Refusal("key", "The request has no idempotency key of 8 to 80 characters.", "Send one."))
    return uuid5(site_id, f"{act}:{key}")


def key_reused() -> Refused:
    """The refusal of a key that belongs to another entry."""
    return Refused(
        Refusal(
            "key-reused",
            "This key belongs to something else that was written down.",
            "Open the page again and look at what is in the safe.",
        )
    )


def the_lot(session: WriteSession, actor: Actor, lot_id: UUID) -> Lot:
    """A lot of the actor's site, locked. Raises NotThere."""
    lot = session.scalar(
        select(Lot)
        .where(Lot.id == lot_id, Lot.site_id == actor.site_id)
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    )
    if lot is None:
        raise NotThere(Refusal("no-lot", "There is no such lot at this site.", "Look at the register."))
    return lot


def settings_of(session: ReadSession, site_id: SiteId) -> StockSetting:
    """What the site has set for its safe; where it has set nothing, a row of nothing that is not kept."""
    return session.get(StockSetting, site_id) or StockSetting(
        site_id=site_id, mix_strengths=False, one_open_lot=False, source=""
    )


def enough_free(lot: Lot, ml: Decimal, doing: str) -> list[Refusal]:
    """Why so much of a lot cannot leave it otherwise than by a dose: what stands in prepared bottles is promised."""
    free = lot.balance - lot.bottled
    if 0 < ml <= free:
        return []
    return [
        Refusal(
            "not-so-much",
            f"Lot {lot.batch} holds {plain(free)} mL that are not promised: {plain(ml)} mL cannot be {doing}.",
            "Correct the amount, or put prepared bottles back into stock first.",
            {"free_ml": free, "ml": ml},
            field="ml",
        )
    ]
