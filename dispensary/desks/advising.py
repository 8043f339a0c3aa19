"""The office's page of what a slot should take, by the site's own stamps, and taking that over as the capacity."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from litestar import get, post
from litestar.response import Redirect, Response, Template
from litestar.types import ControllerRouterHandler

import scheduling.queries
import scheduling.service
from dispensary.database import Database, ReadSession, WriteSession
from dispensary.refusals import BadInput, Refusal, Refused
from dispensary.staff import audit
from dispensary.staff.queries import Place
from dispensary.web.forms import Form, one
from dispensary.web.given import TheActor, TheClock, TheDatabase, TheSite
from dispensary.web.guards import requires_administrator
from dispensary.web.templating import page
from dispensary.web.typed import Typed
from dispensary.words import weekday_names
from scheduling.advice import ENOUGH, Advice, SlotOfWeek, advise
from scheduling.rules import BadHours, Hours, NotFound
from scheduling.shares import brought_up
from scheduling.stamps import past_of, slots_of, week_on


@dataclass(frozen=True)
class Stretch:
    """One stretch of a weekday's hours, with the advice for each of its slots."""

    hours: Hours
    slots: Sequence[tuple[SlotOfWeek, Advice]]

    @property
    def least(self) -> Advice | None:
        """The advice of the slot that bears fewest people: what all slots of the stretch can take."""
        known = [advice for _, advice in self.slots if advice.advised]
        return min(known, key=lambda advice: advice.k) if known else None

    @property
    def changes(self) -> bool:
        return self.least is not None and self.least.k != self.hours.capacity

    @property
    def taken_over(self) -> Hours:
        """The hours with what is advised; of the places that are held no more than there are then."""
        if self.least is None:
            return self.hours
        held = brought_up(self.least.k, self.hours.held, booked=0).held
        return replace(self.hours, capacity=self.least.k, held=held)


def _stretches(session: ReadSession, site: Place, today: date, day: date) -> list[Stretch]:
    """The week in force on a day, with what the stamps up to yesterday advise; none for a site without hours."""
    try:
        week = week_on(scheduling.queries.timetable(session, site.id, day, day), day)
    except NotFound:
        return []
    slots = {hours: slots_of(hours) for hours in week}
    if not slots:
        return []
    advice = advise([slot for each in slots.values() for slot in each], past_of(session, site.id, today))
    return [Stretch(hours, [(slot, advice[slot]) for slot in each]) for hours, each in slots.items()]


def _seen(stretches: Sequence[Stretch]) -> str:
    """The advice as a form sends it back, so that nothing is taken over but what was shown."""
    return " ".join(str(each.taken_over.capacity) for each in stretches)


@get("/office/advice", sync_to_thread=True, guards=[requires_administrator])
def advice(database: TheDatabase, site: TheSite, clock: TheClock) -> Template:
    """For each weekday's hours: what a slot takes now, what it should take, and what that stands on."""
    return _advice_page(database, site, site.dose_day(clock()))


def _advice_page(
    database: Database,
    site: Place,
    today: date,
    *,
    refused: Refused | None = None,
    typed: Mapping[str, Any] | None = None,
) -> Template:
    with database.reading() as session:
        stretches = _stretches(session, site, today, today)
    counted = max((slot.counted for each in stretches for _, slot in each.slots), default=0)
    return page(
        "office/advice.html",
        refused=refused,
        typed=typed,
        today=today,
        stretches=stretches,
        seen=_seen(stretches),
        changes=any(each.changes for each in stretches),
        counted=counted,
        enough=ENOUGH,
        weekdays=weekday_names(),
    )


@post("/office/advice", sync_to_thread=True, guards=[requires_administrator])
def take_over(data: Form, database: TheDatabase, actor: TheActor, site: TheSite, clock: TheClock) -> Response[Any]:
    """Makes the advice the capacity from a day on: each stretch takes what its slowest slot bears. Bookings stay."""
    now = clock()
    today = site.dose_day(now)

    def act(session: WriteSession) -> None:
        with Typed(data) as typed:
            from_day = typed.day("from_day")
            if from_day < today:
                typed.fault("from_day", "begins-earlier", "New hours begin today or later.", "Correct the day.")
        stretches = _stretches(session, site, today, from_day)
        if _seen(stretches) != one(data, "seen"):
            raise BadInput(
                Refusal(
                    "other-advice",
                    "The hours or the advice of that day are not those that were shown.",
                    "Look at the advice again, or set the hours by hand.",
                    field="from_day",
                )
            )
        changed = [each for each in stretches if each.changes]
        if not changed:
            return
        week = [each.taken_over for each in stretches]
        try:
            scheduling.service.set_hours(session, place_id=site.id, hours=week, from_day=from_day)
        except BadHours as reason:
            raise BadInput(Refusal(reason.code, reason.sentence, "Correct the week.")) from None
        details = {"from": from_day, "capacities": [each.taken_over.capacity for each in stretches]}
        audit.record(
            session, actor=actor, act="took over advice", subject="site", subject_id=site.id, at=now, details=details
        )

    try:
        database.write(act)
    except Refused as refused:
        return _advice_page(database, site, today, refused=refused, typed=data)
    return Redirect("/office/hours?done=hours", status_code=303)


HANDLERS: list[ControllerRouterHandler] = [advice, take_over]
