"""The small clinic of builders.py, following guidelines, with what goes wrong at its counter."""

from __future__ import annotations

import itertools
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import select, text

from dispensary.prescribing.adopting import adopt_guideline
from dispensary.prescribing.models import Reduction
from dispensary.prescribing.sections import Topic
from dispensary.prescribing.service import order_dose
from dispensary.supplies import exceptions, extras, mishaps
from dispensary.supplies.calls import record_call
from dispensary.supplies.models import Dose, DoseException
from dispensary.supplies.writing import Handed
from dispensary.supplies.wrong_doses import Wrong, wrong_dose
from dispensary.units import ClientId, milligrams
from tests.builders import Clinic

_keys = itertools.count(1)


def key() -> str:
    return f"unusual-{next(_keys):06d}"


def follows(place: Clinic, topic: Topic, guideline: str) -> None:
    """The site follows a guideline that comes with the program, from today."""
    with place.database.writing() as session:
        adopt_guideline(
            session,
            actor=place.doctor,
            site_id=place.site_id,
            topic=topic,
            guideline=guideline,
            from_day=place.today,
            at=place.now,
        )


def orders(place: Clinic, client: ClientId, mg: str, *, ahead: int = 0, **more: Any) -> None:
    with place.database.writing() as session:
        order_dose(
            session,
            actor=place.doctor,
            client_id=client,
            mg=milligrams(mg),
            from_day=place.ahead(ahead)[0],
            reason="as agreed",
            second_look="looked at",
            today=place.today,
            at=place.now,
            **more,
        )


def todays_dose(place: Clinic, client: ClientId) -> UUID:
    with place.database.reading() as session:
        return session.scalars(
            select(Dose.id).where(Dose.client_id == client, Dose.dose_day == place.today, Dose.voided_at.is_(None))
        ).one()


def vomited(
    place: Clinic, client: ClientId, minutes: int, *, dose_id: UUID | None = None, **more: Any
) -> DoseException:
    asked = {"witnessed": True, "key": key(), **more}
    with place.database.writing() as session:
        return exceptions.vomited(
            session,
            actor=place.pharmacist,
            client_id=client,
            dose_id=dose_id or todays_dose(place, client),
            minutes=Decimal(minutes),
            today=place.today,
            at=place.now,
            **asked,
        )


def allowed(place: Clinic, about: DoseException, mg: str | None, **more: Any) -> DoseException:
    asked = {"prescriber_id": place.doctor.account_id, "said": "give it again", **more}
    with place.database.writing() as session:
        return exceptions.answer(
            session,
            actor=place.pharmacist,
            exception_id=about.id,
            allowed_mg=milligrams(mg) if mg else None,
            at=place.now,
            **asked,
        )


def replaced(place: Clinic, about: DoseException, *, with_key: str = "") -> Handed:
    return place.database.write(
        lambda session: extras.replace_dose(
            session,
            actor=place.pharmacist,
            exception_id=about.id,
            identified_by="photo",
            well=True,
            key=with_key or key(),
            today=place.today,
            at=place.now,
        )
    )


def topped_up(place: Clinic, client: ClientId, mg: str, **more: Any) -> Handed:
    asked = {"prescriber_id": place.doctor.account_id, "said": "add it today", "key": key(), **more}
    with place.database.writing() as session:
        return extras.top_up(
            session,
            actor=place.pharmacist,
            client_id=client,
            mg=milligrams(mg),
            identified_by="photo",
            well=True,
            today=place.today,
            at=place.now,
            **asked,
        )


def gave(place: Clinic, client: ClientId, mg: str, *, with_key: str = "", **more: Any) -> Handed:
    """Another amount than ordered was swallowed."""
    wrong = Wrong(**{"given_mg": milligrams(mg), "happened": "two cups were mixed up", **more})
    with place.database.writing() as session:
        return wrong_dose(
            session,
            actor=place.pharmacist,
            client_id=client,
            wrong=wrong,
            key=with_key or key(),
            today=place.today,
            at=place.now,
        )


def spilled(place: Clinic, client: ClientId, **more: Any) -> DoseException:
    asked = {"reason": "the cup fell", "second_id": None, "second_pin": "", "key": key(), **more}
    with place.database.writing() as session:
        return mishaps.spilled(
            session, actor=place.pharmacist, client_id=client, today=place.today, at=place.now, **asked
        )


def partly(place: Clinic, client: ClientId, mg: str, **more: Any) -> Handed:
    asked = {"reason": "felt sick", "second_id": None, "second_pin": "", "identified_by": "photo", "key": key(), **more}
    with place.database.writing() as session:
        return mishaps.partly_taken(
            session,
            actor=place.pharmacist,
            client_id=client,
            swallowed_mg=milligrams(mg),
            today=place.today,
            at=place.now,
            **asked,
        )


def called(place: Clinic, client: ClientId, mg: str, **more: Any) -> Reduction:
    asked = {"prescriber_id": place.doctor.account_id, "said": "half, and see me tomorrow", **more}
    with place.database.writing() as session:
        return record_call(
            session,
            actor=place.pharmacist,
            client_id=client,
            mg=milligrams(mg),
            today=place.today,
            at=place.now,
            **asked,
        )


def one(place: Clinic, sql: str, **values: object) -> Any:
    with place.database.reading() as session:
        return session.execute(text(sql), values).scalar_one()


def register(place: Clinic) -> list[tuple[str, Decimal]]:
    """The lines of the register but for the first, which received the lot."""
    with place.database.reading() as session:
        rows = session.execute(text("SELECT kind, ml FROM register_line WHERE seq > 1 ORDER BY seq"))
        return [(kind, ml) for kind, ml in rows]
