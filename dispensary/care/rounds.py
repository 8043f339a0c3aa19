"""The round of a day as its readers see it: the visits with whom they are to and where, and those of other days."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import ColumnElement, SQLColumnExpression, func, select

from dispensary.care.visit_models import HomeVisit
from dispensary.clients.contacts import Wish, visit_wishes
from dispensary.clients.living import alive
from dispensary.clients.models import Client
from dispensary.database import ReadSession
from dispensary.staff.models import Account
from dispensary.units import AccountId, ClientId, SiteId


@dataclass(frozen=True, repr=False)
class OnRound:
    """A visit of a round, with whom it is to and where."""

    visit: HomeVisit
    number: str
    called: str
    """The first of their names."""
    where: str
    """Where to come and how to behave there; empty once they have taken it back."""
    visitor: str


def round_of(session: ReadSession, *, site_id: SiteId, on: date, visitor_id: AccountId | None = None) -> list[OnRound]:
    """The visits of a day, by who goes and in their turn; of one visitor where asked. Nobody goes to who has died."""
    of_day = (HomeVisit.on_day == on, HomeVisit.state != "called_off")
    going = (HomeVisit.state != "planned") | alive(HomeVisit.client_id)
    order = (Account.name, HomeVisit.turn, HomeVisit.id)
    return _rows(session, site_id, visitor_id, *of_day, going, order=order)


def called_off_on(
    session: ReadSession, *, site_id: SiteId, on: date, visitor_id: AccountId | None = None
) -> list[OnRound]:
    """The visits of a day to which nobody goes, to take that back where it was a mistake."""
    of_day = (HomeVisit.on_day == on, HomeVisit.state == "called_off", alive(HomeVisit.client_id))
    return _rows(session, site_id, visitor_id, *of_day, order=(Account.name, HomeVisit.turn, HomeVisit.id))


def not_written_down(
    session: ReadSession, *, site_id: SiteId, before: date, visitor_id: AccountId | None = None
) -> list[OnRound]:
    """The visits whose day has passed and of which nobody has said what became of them, the oldest first."""
    return _rows(session, site_id, visitor_id, *_passed(before), order=(HomeVisit.on_day, Account.name, HomeVisit.turn))


def count_not_written_down(session: ReadSession, *, site_id: SiteId, before: date) -> int:
    """How many of them there are at a site."""
    return session.scalar(select(func.count()).where(HomeVisit.site_id == site_id, *_passed(before))) or 0


def _passed(before: date) -> tuple[ColumnElement[bool], ...]:
    return (HomeVisit.on_day < before, HomeVisit.state == "planned")


def _rows(
    session: ReadSession,
    site_id: SiteId,
    visitor_id: AccountId | None,
    *wanted: ColumnElement[bool],
    order: tuple[SQLColumnExpression[Any], ...],
) -> list[OnRound]:
    rows = select(HomeVisit, Client, Account.name).where(HomeVisit.site_id == site_id, *wanted)
    rows = rows.join(Client, Client.id == HomeVisit.client_id).join(Account, Account.id == HomeVisit.visitor_id)
    if visitor_id is not None:
        rows = rows.where(HomeVisit.visitor_id == visitor_id)
    found = session.execute(rows.order_by(*order)).all()
    session.vault.know([client.id for _, client, _ in found])
    wishes = visit_wishes(session, [ClientId(client.id) for _, client, _ in found])
    return [_on_round(session, visit, client, name, wishes.get(ClientId(client.id))) for visit, client, name in found]


def _on_round(session: ReadSession, visit: HomeVisit, client: Client, visitor: str, wish: Wish | None) -> OnRound:
    name = session.vault.open("client.name", client.id, client.name_sealed).split()
    where = wish.where if wish is not None and wish.agreed else ""
    return OnRound(visit, client.number, name[0] if name else client.number, where, visitor)


def planned_ahead(session: ReadSession, *, site_id: SiteId, after: date) -> Sequence[tuple[date, int]]:
    """The days after this one for which visits are planned, and how many."""
    ahead = select(HomeVisit.on_day, func.count()).where(
        HomeVisit.site_id == site_id,
        HomeVisit.on_day > after,
        HomeVisit.state == "planned",
        alive(HomeVisit.client_id),
    )
    return [(day, count) for day, count in session.execute(ahead.group_by(HomeVisit.on_day).order_by(HomeVisit.on_day))]
