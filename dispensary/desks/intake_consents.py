"""What whoever sent somebody may hear: the yes is written down, taken back, and each telling put on the register."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from litestar import post
from litestar.params import FromPath
from litestar.response import Response
from litestar.types import ControllerRouterHandler

from dispensary.care.intake_consents import Agreement, end_consent, note_consent, tell_referrer
from dispensary.care.intakes import LONGEST_LINE
from dispensary.clients.consent_rules import Information, Revoked, Signed
from dispensary.database import WriteSession
from dispensary.desks.intakes import HERE, AtIntakes, requires_intakes
from dispensary.staff.rules import Act
from dispensary.web.doing import done_or_again
from dispensary.web.forms import Form, key_of, one
from dispensary.web.given import TheActor, TheClock, TheDatabase, TheSite
from dispensary.web.guards import requires
from dispensary.web.typed import Typed

_AT_MOST = (Information.PRESENCE, Information.ATTENDANCE)
"""What whoever sent somebody can hear at most."""


@post(f"{HERE}/{{intake_id:uuid}}/consent", sync_to_thread=True, guards=[requires_intakes])
def agree(
    intake_id: FromPath[UUID], data: Form, database: TheDatabase, actor: TheActor, site: TheSite, clock: TheClock
) -> Response[Any]:
    """Writes down what they agree to, to whom, how they signed it, and until when."""
    here = AtIntakes(database, actor, site, clock())

    def act(session: WriteSession) -> None:
        with Typed(data) as typed:
            kind = typed.choice("kind", Information)
            if kind not in _AT_MOST:
                typed.fault("kind", "not-told", "Nothing else is told of somebody who is no client.", "Choose one.")
            agreed = Agreement(
                recipient=typed.text("recipient", most=LONGEST_LINE),
                days=kind is Information.ATTENDANCE,
                signed=typed.choice("signed", Signed),
                signature=typed.text("signature", most=LONGEST_LINE),
                until_day=typed.day_or_none("until_day"),
            )
        today = site.dose_day(here.now)
        note_consent(session, actor=actor, intake_id=intake_id, agreed=agreed, today=today, at=here.now)

    return done_or_again(
        database,
        act,
        then=lambda _: f"{HERE}/{intake_id}?done=agreed",
        else_again=lambda why: here.shown(intake_id, refused=why, typed=data),
    )


@post(f"{HERE}/{{intake_id:uuid}}/consent/end", sync_to_thread=True, guards=[requires_intakes])
def take_back(
    intake_id: FromPath[UUID], data: Form, database: TheDatabase, actor: TheActor, site: TheSite, clock: TheClock
) -> Response[Any]:
    """Ends it at once: they said so, wrote so, or what it was for has come."""
    here = AtIntakes(database, actor, site, clock())

    def act(session: WriteSession) -> None:
        with Typed(data) as typed:
            how = typed.choice("how", Revoked)
        end_consent(session, actor=actor, intake_id=intake_id, how=how, at=here.now)

    return done_or_again(
        database,
        act,
        then=lambda _: f"{HERE}/{intake_id}?done=ended",
        else_again=lambda why: here.shown(intake_id, refused=why, typed=data),
    )


@post(f"{HERE}/{{intake_id:uuid}}/tell", sync_to_thread=True, guards=[requires(Act.REPORT_PROGRESS)])
def tell(
    intake_id: FromPath[UUID], data: Form, database: TheDatabase, actor: TheActor, site: TheSite, clock: TheClock
) -> Response[Any]:
    """Puts on the register that whoever sent them hears that they came; the page then has the sentence to say."""
    here = AtIntakes(database, actor, site, clock())
    days = one(data, "days") == "yes"

    def act(session: WriteSession) -> object:
        return tell_referrer(
            session,
            actor=actor,
            intake_id=intake_id,
            days=days,
            key=key_of(data),
            today=site.dose_day(here.now),
            at=here.now,
        )

    return done_or_again(
        database,
        act,
        then=lambda _: f"{HERE}/{intake_id}?done={'told-days' if days else 'told'}",
        else_again=lambda why: here.shown(intake_id, refused=why, typed=data),
    )


HANDLERS: list[ControllerRouterHandler] = [agree, take_back, tell]
