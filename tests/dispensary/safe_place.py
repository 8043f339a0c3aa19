"""The safe of the small clinic: deliveries, counts, transfers and destruction, as its pharmacist does them."""

from __future__ import annotations

import itertools
from datetime import date, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import select, text

from dispensary.stock import transfers
from dispensary.stock.counting import count_lot
from dispensary.stock.destroying import destroy
from dispensary.stock.models import Lot, StockCount
from dispensary.stock.receiving import Came, receive_lot
from dispensary.stock.safe_models import Destruction, StockSetting, StockTransfer
from dispensary.units import millilitres, strength
from dispensary.verification.verifying import verify
from tests.builders import Clinic
from tests.dispensary.visiting import has_pin

PIN = "271839"
_numbers = itertools.count(1)
PAPER = Came("Pharmaniaga", "Shah Alam", "DO-1")


def received(place: Clinic, batch: str, ml: str, *, mg_ml: str = "5", days: int = 300, **more: Any) -> UUID:
    """A lot that came in, and expires so many days from today."""
    with place.database.writing() as session:
        return receive_lot(
            session,
            actor=place.pharmacist,
            batch=batch,
            strength=strength(mg_ml),
            expires_on=place.today + timedelta(days=days),
            ml=millilitres(ml),
            day=place.today,
            at=place.now,
            **{"came": PAPER, **more},
        ).id


def sent(place: Clinic, to: Clinic, ml: str, *, lot_id: UUID | None = None, key: str = "") -> UUID:
    return place.database.write(
        lambda session: (
            transfers.send(
                session,
                actor=place.pharmacist,
                lot_id=lot_id or place.lot_id,
                to_site_id=to.site_id,
                ml=millilitres(ml),
                carried_by="seal 4711",
                key=key,
                day=place.today,
                at=place.now,
            ).id
        )
    )


def arrived(place: Clinic, transfer_id: UUID, measured: str, reason: str = "") -> StockTransfer:
    return place.database.write(
        lambda session: transfers.receive(
            session,
            actor=place.pharmacist,
            transfer_id=transfer_id,
            measured=millilitres(measured, zero=True),
            reason=reason,
            day=place.today,
            at=place.now,
        )
    )


def taken_back(place: Clinic, transfer_id: UUID, reason: str = "the van did not come") -> StockTransfer:
    return place.database.write(
        lambda session: transfers.take_back(
            session, actor=place.pharmacist, transfer_id=transfer_id, reason=reason, day=place.today, at=place.now
        )
    )


def with_pin(place: Clinic) -> Clinic:
    has_pin(place.database, place.doctor, PIN, place.now)
    return place


def destroyed(place: Clinic, ml: str, *, lot_id: UUID | None = None, **more: Any) -> Destruction:
    """Destroyed before the doctor, who proves it by the PIN of `with_pin`."""
    asked = {"reason": "expired", "method": "poured onto charcoal", "reference": "F-41/7", "pin": PIN, **more}
    return place.database.write(
        lambda session: destroy(
            session,
            actor=place.pharmacist,
            lot_id=lot_id or place.lot_id,
            ml=millilitres(ml),
            second_id=place.doctor.account_id,
            day=place.today,
            at=place.now,
            **asked,
        )
    )


def counted(place: Clinic, measured: str, *, lot_id: UUID | None = None, reason: str = "", **more: Any) -> StockCount:
    return place.database.write(
        lambda session: count_lot(
            session,
            actor=place.pharmacist,
            lot_id=lot_id or place.lot_id,
            measured=millilitres(measured, zero=True),
            reason=reason,
            day=place.today,
            at=place.now,
            **more,
        )
    )


def sets(place: Clinic, **figures: Any) -> None:
    """The site sets figures of its own."""
    with place.database.writing() as session:
        session.merge(
            StockSetting(
                **{
                    "site_id": place.site_id,
                    "mix_strengths": False,
                    "one_open_lot": False,
                    "source": "agreed with the doctor",
                    "set_at": place.now,
                    **figures,
                }
            )
        )


def balance(place: Clinic, lot_id: UUID | None = None) -> Decimal:
    with place.database.reading() as session:
        return session.execute(select(Lot.balance).where(Lot.id == (lot_id or place.lot_id))).scalar_one()


def lines(place: Clinic, lot_id: UUID | None = None) -> list[tuple[str, Decimal]]:
    """Kind and mL of a lot's lines, in order."""
    with place.database.reading() as session:
        rows = session.execute(
            text("SELECT kind, ml FROM register_line WHERE lot_id = :lot ORDER BY seq"), {"lot": lot_id or place.lot_id}
        )
        return [(row.kind, row.ml) for row in rows]


def one(place: Clinic, sql: str, **values: Any) -> Any:
    with place.database.reading() as session:
        return session.execute(text(sql), values).scalar_one()


def wrong(place: Clinic) -> list[str]:
    """What `dispensary verify` would say."""
    with place.database.reading() as session:
        return [str(finding) for finding in verify(session, now=place.now)]


def key() -> str:
    return f"safe-key-{next(_numbers):06d}"


def day_of(place: Clinic, days: int) -> date:
    return place.today + timedelta(days=days)
