"""The office's page of anchors: the line of each night, to glue into a register, and a line to compare."""

from __future__ import annotations

from typing import Any

from litestar import get, post
from litestar.response import Response, Template
from litestar.types import ControllerRouterHandler

from dispensary.database import Database
from dispensary.refusals import BadInput, Refusal, Refused
from dispensary.staff.anchor_rules import BadAnchor, read_anchor
from dispensary.staff.anchoring import anchors_of, unlike_anchors
from dispensary.staff.queries import Place
from dispensary.supplies.printing.explained import Explained, Part, explained_pdf
from dispensary.supplies.printing.wording import plain_day
from dispensary.units import DoseDay
from dispensary.web.forms import Form, one
from dispensary.web.given import TheClock, TheDatabase, TheSettings, TheSite
from dispensary.web.guards import requires_administrator
from dispensary.web.paper import pdf
from dispensary.web.templating import page
from dispensary.words import _, language

SHOWN = 14
PRINTED = 31
LONGEST_LINE = 200


def _page(
    database: Database, site: Place, settings: TheSettings, *, fits: bool | None = None, **given: Any
) -> Template:
    with database.reading() as session:
        kept = anchors_of(session, site_id=site.id, last=SHOWN)
    return page(
        "office/anchors.html",
        kept=kept,
        second=settings.anchors is not None,
        stamped=settings.time_stamps is not None,
        fits=fits,
        longest=LONGEST_LINE,
        **given,
    )


@get("/office/anchors", sync_to_thread=True, guards=[requires_administrator])
def anchors(database: TheDatabase, site: TheSite, settings: TheSettings) -> Template:
    """The newest anchors of the site."""
    return _page(database, site, settings)


@post("/office/anchors", sync_to_thread=True, guards=[requires_administrator])
def compare(data: Form, database: TheDatabase, site: TheSite, settings: TheSettings) -> Template:
    """Says whether a line from a register fits the trail as it is now. It changes nothing."""
    try:
        anchor = read_anchor(one(data, "line")[:LONGEST_LINE])
    except BadAnchor as reason:
        refusal = Refusal("bad-anchor", str(reason), "Read the line once more.", field="line")
        return _page(database, site, settings, refused=BadInput(refusal), typed=data)
    with database.reading() as session:
        unlike = list(unlike_anchors(session, [anchor], whose="this line"))
    if unlike:
        refusal = Refusal("trail-changed", f"{unlike[0][0].upper()}{unlike[0][1:]}.", "Keep the database as it is.")
        return _page(database, site, settings, fits=False, refused=Refused(refusal), typed=data)
    return _page(database, site, settings, fits=True, typed=data)


@get("/office/anchors.pdf", sync_to_thread=True, guards=[requires_administrator])
def on_paper(database: TheDatabase, site: TheSite, clock: TheClock) -> Response[bytes]:
    """The lines of the last month, to be glued into the paper register."""
    today: DoseDay = site.dose_day(clock())
    with database.reading() as session:
        kept = anchors_of(session, site_id=site.id, last=PRINTED)
    sheet = Explained(
        title=_("Audit anchors"),
        parts=tuple(
            Part(
                plain_day(each.anchor.day),
                (f"{each.anchor.code} {each.anchor.day} {each.anchor.length}", each.anchor.spoken),
            )
            for each in kept
        ),
        foot=_("Printed on %(day)s.", day=plain_day(today)),
        day=today,
        language=language(),
    )
    return pdf(explained_pdf(sheet), f"anchors-{today}.pdf")


HANDLERS: list[ControllerRouterHandler] = [anchors, compare, on_paper]
