"""Rows of flexible dosing, written past the services, as a mistake in one of them would write them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import insert, text
from sqlalchemy.exc import DBAPIError

from dispensary.database import WriteSession, broken_constraint
from dispensary.prescribing.models import Reduction
from dispensary.supplies.models import Dose, DoseException, ExtraDose, Supply
from dispensary.units import ClientId, DoseDay, new_id
from tests.builders import Clinic


def refused(here: Clinic, work: Callable[[WriteSession], object]) -> str:
    """The name under which PostgreSQL refuses this, and everything of the unit with it."""
    with pytest.raises(DBAPIError) as reason:
        here.database.write(work)
    return broken_constraint(reason.value)


def scalar(here: Clinic, statement: str, **values: object) -> Any:
    with here.database.reading() as session:
        return session.execute(text(statement), values).scalar_one()


def episode(session: WriteSession, client: ClientId) -> UUID:
    found: UUID = session.execute(text("SELECT id FROM episode WHERE client_id = :c"), {"c": client}).scalar_one()
    return found


def supply(session: WriteSession, here: Clinic, client: ClientId, **other: Any) -> UUID:
    row = {
        "id": new_id(),
        "site_id": here.site_id,
        "client_id": client,
        "episode_id": episode(session, client),
        "dose_day": here.today,
        "at": here.now,
        "key": str(new_id()),
        "request_sha256": b"",
        "identified_by": "photo",
        "dispensed_by": here.pharmacist.account_id,
        "answer": {},
        **other,
    }
    session.execute(insert(Supply).values(**row))
    assert isinstance(row["id"], UUID)
    return row["id"]


def dose(session: WriteSession, here: Clinic, client: ClientId, day: DoseDay, mg: str, **other: Any) -> UUID:
    order = session.execute(
        text("SELECT id, portions FROM dose_order WHERE client_id = :c AND voided_at IS NULL AND days @> :day"),
        {"c": client, "day": day},
    ).one()
    row = {
        "id": new_id(),
        "site_id": here.site_id,
        "client_id": client,
        "order_id": order.id,
        "dose_day": day,
        "portion": 1,
        "portions": len(order.portions),
        "kind": "observed",
        "mg": mg,
        "ml": 1,
        "lot_id": here.lot_id,
        **other,
    }
    row.setdefault("supply_id", supply(session, here, client) if "supply_id" not in other else None)
    session.execute(insert(Dose).values(**row))
    assert isinstance(row["id"], UUID)
    return row["id"]


def agree(session: WriteSession, here: Clinic, client: ClientId, mg: str, first: DoseDay) -> UUID:
    reduction = new_id()
    session.execute(
        insert(Reduction).values(
            id=reduction,
            episode_id=episode(session, client),
            client_id=client,
            site_id=here.site_id,
            from_day=first,
            mg=mg,
            ruling={},
            agreed_with=here.doctor.account_id,
            said="half",
            recorded_by=here.pharmacist.account_id,
            recorded_at=here.now,
        )
    )
    return reduction


def exception(session: WriteSession, here: Clinic, client: ClientId, kind: str, **other: Any) -> UUID:
    row = {
        "id": new_id(),
        "site_id": here.site_id,
        "client_id": client,
        "dose_day": here.today,
        "kind": kind,
        "details": {},
        "recorded_by": here.pharmacist.account_id,
        "recorded_at": here.now,
        **other,
    }
    session.execute(insert(DoseException).values(**row))
    assert isinstance(row["id"], UUID)
    return row["id"]


def extra(session: WriteSession, here: Clinic, client: ClientId, about: UUID, kind: str, mg: str, **o: Any) -> UUID:
    row = {
        "id": new_id(),
        "exception_id": about,
        "site_id": here.site_id,
        "client_id": client,
        "dose_day": here.today,
        "kind": kind,
        "mg": mg,
        "ml": 1,
        "lot_id": here.lot_id,
        **o,
    }
    if "supply_id" not in row:
        row["supply_id"] = supply(session, here, client)
    session.execute(insert(ExtraDose).values(**row))
    assert isinstance(row["id"], UUID)
    return row["id"]


def allowed(here: Clinic, mg: str) -> dict[str, Any]:
    return {"prescriber_id": here.doctor.account_id, "said": f"{mg} mg", "allowed_mg": mg}


def vomited(session: WriteSession, here: Clinic, client: ClientId, mg: str, dose_mg: str = "80") -> UUID:
    taken = dose(session, here, client, here.today, dose_mg)
    return exception(session, here, client, "vomited", dose_id=taken, **allowed(here, mg))
