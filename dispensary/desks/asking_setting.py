"""What a site sets of care: who asks by which instrument, when it is due, its cut-off. It names no client."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from litestar import get, post
from litestar.params import FromQuery
from litestar.response import Response, Template
from litestar.types import ControllerRouterHandler

from dispensary.care.instrument_setting import MAY_ASK, MAY_USE, MOST_MONTHS, OWN_CUT_OFF, in_use, set_instrument
from dispensary.care.instruments import instruments
from dispensary.care.offers import followed
from dispensary.care.own_documents import pathways_there
from dispensary.database import Database, WriteSession
from dispensary.desks.care import band_word
from dispensary.desks.consulting import acts_of
from dispensary.refusals import Refused
from dispensary.staff.accreditations import LONGEST
from dispensary.staff.queries import Place, names_of
from dispensary.staff.rules import Act, Actor, Role
from dispensary.web.doing import done_or_again
from dispensary.web.forms import Form, one, several
from dispensary.web.given import TheActor, TheClock, TheDatabase, TheSite
from dispensary.web.guards import requires, requires_prescriber
from dispensary.web.templating import page
from dispensary.web.typed import LONGEST_NOTE, Typed

HERE = "/care/setting"


def setting_page(
    database: Database,
    site: Place,
    actor: Actor,
    *,
    done: str = "",
    refused: Refused | None = None,
    typed: Mapping[str, Any] | None = None,
) -> Template:
    """The page, with what was refused and typed when something was."""
    with database.reading() as session:
        used = in_use(session, site_id=site.id)
        follows = followed(session, site_id=site.id)
        signed = [each.own.set_by for each in used.values() if each.own] + ([follows.set_by] if follows else [])
        names = names_of(session, signed)
        there = pathways_there(session)
    return page(
        "care/asking_setting.html",
        refused=refused,
        typed=typed,
        done=done,
        used=used,
        names=names,
        follows=follows,
        pathways=there.pathways,
        offers=there.offers,
        band_word=band_word,
        instruments=instruments(),
        may_use=[role.value for role in MAY_USE],
        may_ask=[role.value for role in MAY_ASK],
        own_cut_off=OWN_CUT_OFF,
        can=acts_of(actor),
    )


@get(HERE, sync_to_thread=True, guards=[requires(Act.SET_HEALTH)])
def setting(database: TheDatabase, actor: TheActor, site: TheSite, done: FromQuery[str] = "") -> Template:
    """What the site follows now."""
    return setting_page(database, site, actor, done=done)


@post(f"{HERE}/instruments", sync_to_thread=True, guards=[requires_prescriber])
def change(data: Form, database: TheDatabase, actor: TheActor, site: TheSite, clock: TheClock) -> Response[Any]:
    """Sets one instrument. A doctor signs for it, by name."""

    def act(session: WriteSession) -> None:
        with Typed(data) as typed:
            key = typed.text("instrument")
            months = typed.whole_or_none("every_months", 1, MOST_MONTHS)
            cut_off = typed.whole_or_none("positive_from", 1, 20)
            accreditation = typed.text("accreditation", most=LONGEST, required=False)
            risk_role = typed.choice("risk_role", Role)
            reason = typed.text("reason", most=LONGEST_NOTE)
        set_instrument(
            session,
            actor=actor,
            key=key,
            used=one(data, "used") == "yes",
            every_months=months,
            positive_from=cut_off,
            roles=[Role(role) for role in several(data, "roles") if role in list(Role)],
            accreditation=accreditation,
            risk_role=risk_role,
            reason=reason,
            at=clock(),
            band_told=one(data, "band_told") == "yes",
        )

    return done_or_again(
        database,
        act,
        then=lambda _: f"{HERE}?done=instrument",
        else_again=lambda why: setting_page(database, site, actor, refused=why, typed=data),
    )


HANDLERS: list[ControllerRouterHandler] = [setting, change]
