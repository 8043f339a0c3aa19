"""The column vocabulary: the base of the clinic's tables and the types that they are declared with."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any
from uuid import UUID

from sqlalchemy import Date, DateTime, MetaData, Numeric, String, Text, Uuid
from sqlalchemy.dialects.postgresql import BYTEA, DATERANGE, JSONB, Range
from sqlalchemy.orm import DeclarativeBase, mapped_column

from dispensary.units import AccountId, ClientId, DoseDay, Milligrams, Millilitres, SiteId, Strength, new_id

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}

Id = Annotated[UUID, mapped_column(Uuid, primary_key=True, default=new_id)]
Sealed = Annotated[bytes, mapped_column(BYTEA)]
"""A field sealed by the vault for this table, column and row."""
Digest = Annotated[bytes, mapped_column(BYTEA)]
Days = Annotated[Range[date], mapped_column(DATERANGE)]
"""Dose days from the first (inclusive) to the end (exclusive, or open)."""
Moment = Annotated[datetime, mapped_column(DateTime(timezone=True))]


class Base(DeclarativeBase):
    """The clinic's tables. Times are timestamptz, amounts exact, dose days dates."""

    metadata = MetaData(naming_convention=NAMING)
    type_annotation_map = {  # noqa: RUF012 - SQLAlchemy reads it from the class
        datetime: DateTime(timezone=True),
        date: Date,
        DoseDay: Date,
        Decimal: Numeric,
        Milligrams: Numeric(7, 2),
        Millilitres: Numeric(10, 3),
        Strength: Numeric(7, 3),
        UUID: Uuid,
        SiteId: Uuid,
        ClientId: Uuid,
        AccountId: Uuid,
        str: Text,
        StrEnum: String(40),
        dict[str, Any]: JSONB,
        list[str]: JSONB,
    }
