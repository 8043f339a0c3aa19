"""The office enters what somebody on the staff is accredited for, and ends it."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from litestar import post
from litestar.params import FromPath
from litestar.response import Response
from litestar.types import ControllerRouterHandler

from dispensary.database import WriteSession
from dispensary.desks.staffing import account_page
from dispensary.staff.accreditations import LONGEST, accredit, end_accreditation
from dispensary.units import AccountId
from dispensary.web.doing import done_or_again
from dispensary.web.forms import Form
from dispensary.web.given import TheActor, TheClock, TheDatabase, TheSite
from dispensary.web.guards import requires_administrator
from dispensary.web.typed import Typed


@post("/office/staff/{account_id:uuid}/accreditations", sync_to_thread=True, guards=[requires_administrator])
def add_accreditation(
    account_id: FromPath[UUID], data: Form, database: TheDatabase, actor: TheActor, site: TheSite, clock: TheClock
) -> Response[Any]:
    """Enters what somebody is accredited for, from the paper that was seen."""
    now = clock()

    def act(session: WriteSession) -> None:
        with Typed(data) as typed:
            kind = typed.text("kind", most=LONGEST)
            seen = typed.text("seen", most=LONGEST)
            from_day = typed.day("from_day")
            until_day = typed.day_or_none("until_day")
        accredit(
            session,
            actor=actor,
            account_id=AccountId(account_id),
            kind=kind,
            seen=seen,
            from_day=from_day,
            until_day=until_day,
            at=now,
        )

    return done_or_again(
        database,
        act,
        then=lambda _: f"/office/staff/{account_id}?done=accredited",
        else_again=lambda why: account_page(database, site, account_id, clock, actor=actor, refused=why, typed=data),
    )


@post(
    "/office/staff/{account_id:uuid}/accreditations/{accreditation_id:uuid}/end",
    sync_to_thread=True,
    guards=[requires_administrator],
)
def stop_accreditation(
    account_id: FromPath[UUID],
    accreditation_id: FromPath[UUID],
    data: Form,
    database: TheDatabase,
    actor: TheActor,
    site: TheSite,
    clock: TheClock,
) -> Response[Any]:
    """Ends it at once."""
    return done_or_again(
        database,
        lambda session: end_accreditation(
            session,
            actor=actor,
            account_id=AccountId(account_id),
            accreditation_id=accreditation_id,
            at=clock(),
        ),
        then=lambda _: f"/office/staff/{account_id}?done=accreditation-ended",
        else_again=lambda why: account_page(database, site, account_id, clock, actor=actor, refused=why, typed=data),
    )


HANDLERS: list[ControllerRouterHandler] = [add_accreditation, stop_accreditation]
