"""The site's lists of health: tests that are late or soon due, grave results, days to look, medicine that ran out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from litestar import get
from litestar.params import FromQuery
from litestar.response import Template
from litestar.types import ControllerRouterHandler

from dispensary.desks.consulting import acts_of, near_day, plain_day
from dispensary.desks.health_words import said_of
from dispensary.monitoring.listing import Kind, Listed, counts, listed
from dispensary.units import ClientId
from dispensary.web.consultation import looked_at_lists
from dispensary.web.given import TheActor, TheClock, TheDatabase, TheSite
from dispensary.web.guards import requires_health_watcher
from dispensary.web.templating import page

SHOWN = 20
"""Clients that are shown before somebody asks for all."""


def by_client(rows: Sequence[Listed]) -> list[Listed]:
    """The same, with all reasons of a client beside each other; whoever has the gravest comes first."""
    first: dict[ClientId, int] = {}
    for number, row in enumerate(rows):
        first.setdefault(row.client_id, number)
    return sorted(rows, key=lambda row: first[row.client_id])


def without_echo(rows: Sequence[Listed]) -> list[Listed]:
    """The same without the alerts that only say what another row says of the client."""
    said = {(row.client_id, row.what) for row in rows if row.kind is not Kind.MINE}
    return [row for row in rows if row.kind is not Kind.MINE or (row.client_id, row.what) not in said]


@dataclass(frozen=True)
class Reason:
    """A row of a client; of several days to look for the same medicine the first, and how many there are."""

    row: Listed
    times: int = 1


def folded(rows: Sequence[Listed]) -> list[Reason]:
    """A client's reasons, days to look for one effect in one line."""
    made: dict[tuple[Kind, str, str], Reason] = {}
    for row in rows:
        key = (row.kind, row.what, "" if row.kind is Kind.LOOK else row.on.isoformat())
        made[key] = Reason(made[key].row, made[key].times + 1) if key in made else Reason(row)
    return list(made.values())


@get("/consulting/health", sync_to_thread=True, guards=[requires_health_watcher])
def lists(
    database: TheDatabase,
    actor: TheActor,
    site: TheSite,
    clock: TheClock,
    show: FromQuery[str] = "",
    every: FromQuery[bool] = False,
) -> Template:
    """Everybody for whom something is to be done about their health; `show` narrows it to one list.

    Names stand beside what is known of HIV, hepatitis and TB: that somebody saw the list is written down.
    """
    now = clock()
    today = site.dose_day(now)
    kind = Kind(show) if show in list(Kind) else None
    with database.writing() as session:
        rows = listed(session, site_id=site.id, today=today, roles=actor.roles)
        looked_at_lists(session, actor=actor, at=now, which=show if kind else "all")
    chosen = [row for row in rows if row.kind is kind] if kind else without_echo(rows)
    people = [folded(list(each)) for _, each in groupby(by_client(chosen), key=lambda row: row.client_id)]
    shown = people if every else people[:SHOWN]
    return page(
        "consulting/health_lists.html",
        rows=shown,
        more=len(people) - len(shown),
        counts=counts(rows),
        show=kind,
        can=acts_of(actor),
        today=today,
        said=said_of(),
        near_day=near_day,
        plain_day=plain_day,
    )


HANDLERS: list[ControllerRouterHandler] = [lists]
