"""Opening a site, or a satellite of one, from the branch in which it is to lie; and what it still lacks afterwards."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import time
from decimal import Decimal
from typing import Any

from babel import Locale
from babel.core import get_global
from litestar import get, post
from litestar.params import FromQuery
from litestar.response import Response, Template
from litestar.types import ControllerRouterHandler

from dispensary.database import Database, WriteSession
from dispensary.refusals import NotThere, Refusal, Refused
from dispensary.staff.branch_queries import known_nodes
from dispensary.staff.branch_rules import AREAS, Kind, Node, degrees, inherited, plain_code
from dispensary.staff.queries import Place
from dispensary.takehome.opening import Missing, NewSite, open_site
from dispensary.web.doing import done_or_again
from dispensary.web.forms import Form, key_of, one, several
from dispensary.web.given import TheActor, TheClock, TheDatabase, TheSettings, TheSite
from dispensary.web.guards import requires_administrator
from dispensary.web.templating import page
from dispensary.web.typed import Typed
from dispensary.words import _, language, on_screens
from notifications.texts import DRAFTS

PAGE = "/programme/sites/new"


def words_of_missing() -> dict[Missing, tuple[str, str]]:
    """What a site lacks as a page says it, and where it is seen to once one works there."""
    return {
        Missing.PHARMACIST: (_("Somebody who gives doses"), "/office/staff"),
        Missing.PRESCRIBER: (_("Somebody who prescribes"), "/office/staff"),
        Missing.HOURS: (_("Hours in which it is open"), "/office/hours"),
        Missing.STOCK: (_("Methadone in its safe: a pharmacist there receives it"), "/office/safe"),
        Missing.POLICY: (_("A take-home policy"), "/office/policies"),
    }


@get(PAGE, sync_to_thread=True, guards=[requires_administrator])
def form(database: TheDatabase, site: TheSite, at: FromQuery[str] = "") -> Template:
    """The form, with what the branch says of zone and language filled in."""
    return _form_page(database, site, at)


def _form_page(
    database: Database, site: Place, at: str, *, refused: Refused | None = None, typed: Mapping[str, Any] | None = None
) -> Template:
    with database.reading() as session:
        nodes = known_nodes(session)
    above = nodes.get(plain_code(at))
    if at.strip() and (above is None or above.kind is Kind.SATELLITE):
        raise NotThere(Refusal("no-branch", "There is no such branch.", "Look at the tree again."))
    return page(
        "office/new_site.html",
        above=above,
        lies_in=_path(above, nodes),
        satellite=above is not None and above.kind not in AREAS,
        zone=(inherited(above, nodes, "zone") if above else "") or site.zone,
        zones=sorted(zone for zone, land in get_global("zone_territories").items() if land == site.region),
        region=site.region,
        spoken=_first(inherited(above, nodes, "language") if above else "", site.language),
        languages=[(tag, _called(tag)) for tag in on_screens()],
        drafts=[(tag, _called(tag)) for tag in DRAFTS],
        refused=refused,
        typed=typed,
    )


def _path(above: Node | None, nodes: Mapping[str, Node]) -> Sequence[Node]:
    """From the country down to what the site is to lie in."""
    path: list[Node] = []
    while above is not None:
        path.insert(0, above)
        above = nodes.get(above.parent)
    return path


def _first(*tags: str) -> str:
    return next((tag for tag in tags if tag in on_screens()), "en")


def _called(tag: str) -> str:
    return Locale.parse(tag, sep="-" if "-" in tag else "_").get_display_name(language()) or tag


@post(PAGE, sync_to_thread=True, guards=[requires_administrator])
def opened(
    data: Form, database: TheDatabase, actor: TheActor, site: TheSite, settings: TheSettings, clock: TheClock
) -> Response[Any]:
    """Opens it; the page of the tree then has it, and what it still lacks."""
    parent = one(data, "parent")

    def act(session: WriteSession) -> str:
        places: dict[str, Decimal | None] = {}
        with Typed(data) as typed:
            for axis in ("lat", "lon"):
                try:
                    places[axis] = degrees(one(data, axis))
                except ValueError:
                    typed.fault(axis, "not-degrees", "This is not a number of degrees.", "Write it like 21.0285.")
            wanted = NewSite(
                code=typed.text("code", most=12, required=False),
                name=typed.text("name", most=120, required=False),
                parent=parent,
                zone=one(data, "zone"),
                region=typed.text("region", most=2, required=False),
                language=one(data, "language"),
                drafts=tuple(several(data, "drafts")),
                day_starts=typed.time("day_starts") if one(data, "day_starts") else time(),
                lat=places.get("lat"),
                lon=places.get("lon"),
            )
        return open_site(
            session, actor=actor, wanted=wanted, key=str(key_of(data)), factor=settings.production, at=clock()
        ).code

    return done_or_again(
        database,
        act,
        then=lambda code: f"/programme/tree?at={code}&done=opened",
        else_again=lambda refused: _form_page(database, site, parent, refused=refused, typed=data),
    )


HANDLERS: list[ControllerRouterHandler] = [form, opened]
