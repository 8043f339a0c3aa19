"""What goes at night because its time is over, as far as the site has set one, and who may be erased because of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Final

from sqlalchemy import func, select, text

from dispensary.care.intake_closing import let_intakes_lapse
from dispensary.clients.client_key_models import Erasure
from dispensary.clients.legal_holds import held_clients
from dispensary.clients.models import Client, Episode
from dispensary.database import ReadSession, WriteSession
from dispensary.erasing.rules import kept_until
from dispensary.staff import audit
from dispensary.staff.queries import place
from dispensary.staff.retention import figure_of, periods_of
from dispensary.staff.retention_rules import Kind, before
from dispensary.staff.rules import the_program
from dispensary.supplies.outage_files import folder_of, forget_packs
from dispensary.supplies.outage_settings import downtime_of
from dispensary.units import SiteId

LET_GO: Final = "end of keeping"
"""The night's job."""
MOST_DUE = 200

_RESULT_LINES = text("""
UPDATE result_file SET left_out = '[]' WHERE site_id = :site AND closed_at < :before AND left_out <> '[]' RETURNING id
""")


@dataclass(frozen=True)
class Due:
    """Somebody whose record need not be kept any longer."""

    number: str
    last_day: date
    kept_until: date


def due(session: ReadSession, *, site_id: SiteId, today: date) -> Sequence[Due]:
    """Whose time is over by the site's own years, the longest ago first; nobody under a hold, nobody in treatment."""
    years = figure_of(session, site_id=site_id, kind=Kind.CLIENTS)
    if years is None:
        return []
    last = func.max(func.coalesce(Episode.ended_on, date.max)).label("last")
    rows = session.execute(
        select(Client.number, last)
        .join(Episode, Episode.client_id == Client.id)
        .where(Client.site_id == site_id, Client.id.not_in(held_clients(session)))
        .where(Client.id.not_in(select(Erasure.client_id)))
        .group_by(Client.id, Client.number)
        .having(last <= today)
        .order_by(last, Client.number)
    )
    over = (Due(number, day, kept_until(day, years)) for number, day in rows)
    return [each for each in over if each.kept_until <= today][:MOST_DUE]


def let_go(session: WriteSession, *, site_id: SiteId, data: Path, at: datetime) -> dict[str, object]:
    """Wipes what is past its time at a site, and says how much. Of a kind without a figure nothing goes.

    Lines of result files, and whoever came from outside, may be anybody: while a record of the site is under a legal
    hold, they stay.
    """
    periods, gone = periods_of(session, site_id=site_id), {}
    held = bool(held_clients(session, site_id=site_id))
    if (lines := periods.get(Kind.RESULT_LINES)) and not held:
        values = {"site": site_id, "before": before(lines.figure, at)}
        gone["result files"] = len(session.execute(_RESULT_LINES, values).all())
    if (left := periods.get(Kind.INTAKES)) and not held:
        gone["intakes"] = let_intakes_lapse(session, site_id=site_id, before=before(left.figure, at), at=at)
    if packs := periods.get(Kind.PACKS):
        code, copies = place(session, site_id).code, downtime_of(session, site_id=site_id).copy_to
        folders = [folder_of(data, code), *([Path(copies)] if copies else [])]
        gone["packs"] = sum(forget_packs(each, code=code, before=before(packs.figure, at)) for each in folders)
    found: dict[str, object] = {kind: number for kind, number in gone.items() if number}
    if found:
        audit.record(
            session,
            actor=the_program(site_id),
            act="let go what is past its time",
            subject="site",
            subject_id=site_id,
            at=at,
            details=found,
        )
    return found
