"""Reads what was not as usual: of a client, of a day, and whom the counter has to see again or to observe."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy import ColumnElement, Select, or_, select
from sqlalchemy.orm import aliased

from dispensary.clients.guests import served_at
from dispensary.clients.homes import number_then
from dispensary.clients.models import Client
from dispensary.database import ReadSession, through
from dispensary.staff.models import Account
from dispensary.supplies.exceptions_rules import SEEN_AGAIN
from dispensary.supplies.models import Dose, DoseException, ExtraDose, Supply
from dispensary.units import ClientId, SiteId
from dispensary.wall import Door


@dataclass(frozen=True)
class Unusual:
    """One exception, with who it is about, who wrote it down, who was called, and what was given under it."""

    row: DoseException
    number: str
    initials: str
    """Of whoever wrote it down."""
    prescriber: str
    extra: ExtraDose | None

    @property
    def client_id(self) -> ClientId:
        return ClientId(self.row.client_id)

    @property
    def words(self) -> str:
        """What somebody wrote of it, whatever its kind."""
        details = self.row.details
        return str(next((details[name] for name in _WORDS if details.get(name)), ""))

    @property
    def ruled(self) -> str:
        """What the site's guideline said, and where that stands written; empty without a guideline."""
        ruling = self.row.ruling
        return f"{ruling['sentence']} ({ruling['source']})" if ruling else ""

    @property
    def ruled_mg(self) -> Decimal | None:
        """The most that the guideline gives; nothing where it has no figure."""
        mg = (self.row.ruling or {}).get("mg")
        return Decimal(mg) if mg is not None else None

    @property
    def consequences(self) -> list[str]:
        return list((self.row.ruling or {}).get("consequences", ()))

    @property
    def awaits_answer(self) -> bool:
        """Whether a prescriber has still to be called about it."""
        return self.row.closed_at is None and self.row.prescriber_id is None

    @property
    def to_give_mg(self) -> Decimal | None:
        """What was allowed to be given again and was not given yet."""
        waits = self.row.closed_at is None and self.extra is None and self.row.kind == "vomited"
        return self.row.allowed_mg if waits else None


_WORDS = ("observation", "reason", "note", "happened")


def _unusual(
    number: ColumnElement[str] | None = None,
) -> Select[DoseException, str, str, str, ExtraDose]:
    prescriber = aliased(Account)
    return (
        select(DoseException, Client.number if number is None else number, Account.initials, prescriber.name, ExtraDose)
        .join(Client, Client.id == DoseException.client_id)
        .join(Account, Account.id == DoseException.recorded_by)
        .outerjoin(prescriber, prescriber.id == DoseException.prescriber_id)
        .outerjoin(ExtraDose, (ExtraDose.exception_id == DoseException.id) & ExtraDose.voided_at.is_(None))
        .order_by(DoseException.recorded_at, DoseException.id)
    )


def _read(session: ReadSession, chosen: Select[DoseException, str, str, str, ExtraDose]) -> list[Unusual]:
    return [
        Unusual(row, number, initials, prescriber or "", extra)
        for row, number, initials, prescriber, extra in session.execute(chosen)
    ]


def unusual_of(session: ReadSession, *, client_id: ClientId, today: date) -> Sequence[Unusual]:
    """What was not as usual with a client today, and what is still open of earlier days; in the order of the clock."""
    chosen = _unusual().where(
        DoseException.client_id == client_id,
        or_(DoseException.dose_day == today, DoseException.closed_at.is_(None)),
    )
    return _read(session, chosen)


@through(Door.OWN_PAPERS)
def unusual_on(session: ReadSession, *, site_id: SiteId, day: date) -> Sequence[Unusual]:
    """Everything of a site's dose day that was not as usual, in the order of the clock."""
    number = number_then(site_id, DoseException.client_id, DoseException.recorded_at)
    chosen = _unusual(number).where(DoseException.site_id == site_id, DoseException.dose_day == day)
    return _read(session, chosen)


def to_see_again(session: ReadSession, *, site_id: SiteId, day: date) -> Sequence[Unusual]:
    """Whose dose of the day is still to be given after all: withheld for now, refused, spilled."""
    chosen = _unusual().where(
        DoseException.site_id == site_id,
        served_at(site_id, day),
        DoseException.dose_day == day,
        DoseException.closed_at.is_(None),
        DoseException.kind.in_(SEEN_AGAIN),
    )
    return _read(session, chosen)


def awaiting_review(session: ReadSession, *, site_id: SiteId, today: date) -> Sequence[Unusual]:
    """Who was given another dose than ordered and has not been reviewed since; the longest open first.

    Of those whom this counter serves today: what happened to a guest is also home's to see.
    """
    chosen = _unusual().where(served_at(site_id, today), DoseException.closed_at.is_(None), DoseException.blocks)
    return _read(session, chosen)


@dataclass(frozen=True)
class HadToday:
    """A dose that the client has for today."""

    dose_id: UUID
    mg: Decimal
    kind: str
    at: datetime


def had_today(session: ReadSession, *, client_id: ClientId, today: date) -> Sequence[HadToday]:
    """The doses for today, the latest hand-over first."""
    rows = session.execute(
        select(Dose.id, Dose.mg, Dose.kind, Supply.at)
        .join(Supply, Supply.id == Dose.supply_id)
        .where(Dose.client_id == client_id, Dose.dose_day == today, Dose.voided_at.is_(None))
        .order_by(Supply.at.desc(), Dose.portion)
    )
    return [HadToday(*row) for row in rows]
