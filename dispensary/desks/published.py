"""The page of a programme's published figures: each with its source, and beside it what the records here come to."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from datetime import datetime

from litestar import get
from litestar.response import Response, Template
from litestar.types import ControllerRouterHandler
from sqlalchemy import select

from dispensary.database import Database
from dispensary.evaluation.small_cells import LEAST
from dispensary.evaluation.taken import note_looked, note_taken
from dispensary.published.keeping import kept
from dispensary.published.shapes import Publication
from dispensary.published.table import Line, programme_table, round_to
from dispensary.settings import Settings
from dispensary.staff.branch_queries import sites_run_by
from dispensary.staff.models import Site
from dispensary.staff.rules import Actor, Role
from dispensary.staff.sessions import sites_of_roles
from dispensary.units import plain
from dispensary.web.given import TheActor, TheClock, TheDatabase, TheSettings
from dispensary.web.guards import requires_overseer
from dispensary.web.templating import page

NAME = "published figures"


@dataclass(frozen=True)
class _Shown:
    """What somebody sees of it."""

    of: Publication
    lines: list[Line]
    """None while a site of the programme is not theirs to see: what is not in view would be counted as nothing."""
    unseen: int
    """Sites here that they do not see."""
    shielded: bool
    """Whether they look as an evaluator, to whom no figure of few people is told."""


def _shown(database: Database, actor: Actor, settings: Settings, now: datetime) -> _Shown:
    """Raises NotThere where nothing is published of this clinic."""
    assert actor.account_id is not None, "a person looks"
    of = kept(settings.data)
    with database.reading() as session:
        every = set(session.scalars(select(Site.id)))
        both = (Role.EVALUATOR, Role.ADMINISTRATOR)
        unseen = every - set(sites_of_roles(session, account_id=actor.account_id, roles=both))
        shielded = not every <= sites_run_by(session, actor.account_id)
        lines = [] if unseen else programme_table(session, of, now=now, least=LEAST if shielded else 1)
    return _Shown(of, lines, len(unseen), shielded)


@get("/programme/published", sync_to_thread=True, guards=[requires_overseer])
def published(database: TheDatabase, actor: TheActor, settings: TheSettings, clock: TheClock) -> Template:
    """Each published figure beside ours. The look is written down."""
    now = clock()
    shown = _shown(database, actor, settings, now)
    with database.writing() as session:
        note_looked(session, actor, NAME, now, {"programme": shown.of.title})
    told = [line for line in shown.lines if line.equal is not None]
    return page(
        "evaluation/published.html",
        of=shown.of,
        lines=shown.lines,
        unseen=shown.unseen,
        shielded=shown.shielded,
        least=LEAST,
        equal=sum(bool(line.equal) for line in told),
        told=len(told),
    )


@get("/programme/published.csv", sync_to_thread=True, guards=[requires_overseer])
def published_file(database: TheDatabase, actor: TheActor, settings: TheSettings, clock: TheClock) -> Response[str]:
    """The same as a table to take away; that somebody took it is written down."""
    now = clock()
    shown = _shown(database, actor, settings, now)
    with database.writing() as session:
        note_taken(session, actor=actor, name=NAME, at=now, asked={"programme": shown.of.title})
    written = io.StringIO()
    table = csv.writer(written, lineterminator="\r\n")
    table.writerow(["figure", "says", "published", "at_least", "ours", "unit", "equal", "why_not", "source"])
    for line in shown.lines:
        figure = line.figure
        mine = "" if line.ours is None else plain(round_to(line.ours, figure.decimals))
        equal = "" if line.equal is None else "yes" if line.equal else "no"
        why = figure.not_from_records or ("" if line.ours is not None else f"fewer than {LEAST} people")
        least = "yes" if figure.at_least else "no"
        row = [figure.key, figure.says, plain(figure.value), least, mine, figure.unit, equal, why, figure.source]
        table.writerow(row)
    headers = {"content-disposition": 'attachment; filename="published-figures.csv"'}
    return Response(written.getvalue(), media_type="text/csv", headers=headers)


HANDLERS: list[ControllerRouterHandler] = [published, published_file]
