"""The route list of a round of visits: by turn, whom, where, what is carried, and room for what was found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from dispensary.staff.models import Site
from dispensary.supplies.printing.report import Report, report
from dispensary.supplies.printing.table import Column
from dispensary.supplies.printing.wording import long_day
from dispensary.words import _, ngettext


@dataclass(frozen=True)
class Stop:
    """One visit of the round. It names the client by number and first name, and says nothing of treatment."""

    turn: int
    number: str
    called: str
    where: str
    bottles: int
    """Sealed bottles that go along, counted out to whoever carries them; none where nothing is brought."""


def route_list_pdf(
    stops: Sequence[Stop], *, visitor: str, on_call: Sequence[str], site: Site, day: date, printed_at: datetime
) -> bytes:
    """The PDF of one visitor's round. It is carried by hand and comes back to be destroyed, as it says itself."""

    def draw(on: Report) -> None:
        on.heading(f"{visitor}, {long_day(day)}")
        on.line(_("Show it to nobody. Bring it back, and have it destroyed."))
        for line in on_call:
            on.line(_("On call: %(who)s", who=line))
        if not stops:
            on.line(_("Nobody is visited on this day."))
            return
        table = on.table(
            Column(_("Turn"), 14),
            Column(_("Who"), 40),
            Column(_("Where, and how to behave there"), 110),
            Column(_("Carried"), 34),
            Column(_("Time, and found"), 75),
        )
        for stop in stops:
            carried = ngettext("%(n)s bottle", "%(n)s bottles", stop.bottles) % {"n": stop.bottles}
            table.row(str(stop.turn), f"{stop.called} {stop.number}", stop.where, carried if stop.bottles else "", "")

    return report(draw, lambda: _("Visits"), site=site, printed_at=printed_at)
