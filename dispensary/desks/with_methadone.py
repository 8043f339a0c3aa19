"""Medicine of other treatments on the counter's page of a client: one line for each, and what is handed over of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from dispensary.database import ReadSession
from dispensary.desks.next_time import next_time
from dispensary.desks.window import AtCounter, Opened
from dispensary.monitoring.refill_rules import WithIt
from dispensary.monitoring.refills import MOST_DAYS
from dispensary.monitoring.with_methadone import CourseHere, courses_here
from dispensary.web.forms import one, several
from dispensary.web.typed import Typed


def courses_at(session: ReadSession, here: AtCounter, opened: Opened) -> Sequence[CourseHere]:
    """The client's treatments that run, held against the next day on which they come. A guest's are not shown.

    Prepared bottles of today leave today: the next day is the one after them.
    """
    window, today = opened.window, here.today
    if opened.is_guest or not window.there.treatments:
        return ()
    given = set(window.reading.moment.covered)
    given |= {bottle.dose_day for each in window.waiting if each.pickup.collect_on == today for bottle in each.bottles}
    tomorrow = first_free = today + timedelta(days=1)
    while first_free in given:
        first_free += timedelta(days=1)
    comes = next_time(
        session,
        place=here.site,
        client_id=here.client_id,
        waiting=window.waiting,
        first_free=first_free,
        earliest=tomorrow,
        now=here.now,
    )
    return courses_here(session, site_id=here.site.id, client_id=here.client_id, today=today, next_day=comes.day)


def refills_typed(typed: Typed, data: Mapping[str, Any]) -> tuple[WithIt, ...]:
    """What was ticked of other treatments: the medicines that the page showed, each for its own days or for all's.

    Nought days leave a medicine out.
    """
    wanted: list[WithIt] = []
    for treatment in typed.ids("with_it"):
        wanted += _handed(typed, data, treatment)
    for treatment in typed.ids("here_too"):
        wanted += [WithIt(medicine, observed=True) for medicine in _shown(typed, data, f"swallow_{treatment}")]
    return tuple(wanted)


def _handed(typed: Typed, data: Mapping[str, Any], treatment: UUID) -> list[WithIt]:
    parts = _shown(typed, data, f"parts_{treatment}")
    own = {medicine: typed.whole_or_none(f"days_{medicine}", 0, MOST_DAYS) for medicine in parts}
    all_of_it = typed.whole_or_none(f"days_{treatment}", 1, MOST_DAYS)
    if any(days is None and not one(data, f"days_{medicine}") for medicine, days in own.items()) and not one(
        data, f"days_{treatment}"
    ):
        typed.fault(f"days_{treatment}", "days", "It does not say for how many days.", "Write the days.")
    days_of = {medicine: all_of_it if days is None else days for medicine, days in own.items()}
    if not any(days_of.values()):
        typed.fault(f"days_{treatment}", "days", "No medicine would be handed over.", "Write the days, or untick it.")
    return [WithIt(medicine, days) for medicine, days in days_of.items() if days]


def _shown(typed: Typed, data: Mapping[str, Any], name: str) -> list[UUID]:
    """The medicines that the page showed under this name."""
    try:
        return [UUID(each) for field in several(data, name) for each in field.split()]
    except ValueError:
        typed.fault(name, "no-id", "The page has lost what it showed.", "Open the client again.")
        return []
