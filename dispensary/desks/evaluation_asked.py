"""What an evaluator's page was asked: sites, period and moment out of the address, each fault for its own field."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from litestar import Request

from dispensary.database import ReadSession
from dispensary.evaluation.queries import Period
from dispensary.refusals import BadInput, Refusal
from dispensary.staff.queries import Place, sites_as
from dispensary.staff.rules import Actor, Role
from dispensary.web.forms import one
from dispensary.web.typed import Typed
from dispensary.words import _

EVERY_SITE = "all"
_FIELDS = {"until": "last", "from": "first", "gap_days": "gap"}
"""What rules call a field, and what it is called on the page."""


@dataclass(frozen=True)
class Asked:
    """Of whom, of when, and what was known when."""

    places: tuple[Place, ...]
    period: Period
    as_of: datetime
    site: str
    """As the address has it: `all`, or a code."""

    @property
    def last_day(self) -> date:
        return self.period.until_day - timedelta(days=1)

    def query(self, **more: object) -> str:
        """The address's part that asks the same again, to the moment."""
        said = {
            "first": self.period.from_day,
            "last": self.last_day,
            "as_of": self.as_of.astimezone(UTC).isoformat().replace("+00:00", "Z"),
            "site": self.site,
            **more,
        }
        return urlencode([(key, value) for key, value in said.items() if value not in ("", None)], doseq=True)

    def as_json(self) -> dict[str, object]:
        """The same for the audit trail."""
        return {
            "sites": sorted(place.code for place in self.places),
            "first": self.period.from_day,
            "last": self.last_day,
            "as_of": self.as_of.astimezone(UTC).isoformat(),
        }


def form_of(request: Request[Any, Any, Any]) -> dict[str, Any]:
    """What the address asks, each field as text, or as several where it was sent more than once."""
    query = request.query_params
    return {key: values[0] if len(values := query.getall(key)) == 1 else values for key in dict.fromkeys(query)}


def sites_of_evaluator(session: ReadSession, actor: Actor) -> list[Place]:
    """The sites whose figures this person may see, by code: those at which they are an evaluator."""
    return sites_as(session, actor.account_id, Role.EVALUATOR) if actor.account_id else []


def typed_on_page(form: Mapping[str, Any], site: Place) -> dict[str, Any]:
    """What goes back into the fields: a moment as the site's clock has it."""
    typed = dict(form)
    try:
        moment = datetime.fromisoformat(one(form, "as_of"))
    except ValueError:
        return typed
    if moment.tzinfo is not None:
        typed["as_of"] = moment.astimezone(ZoneInfo(site.zone)).replace(tzinfo=None).isoformat(timespec="seconds")
    return typed


def read(form: Mapping[str, Any], *, site: Place, seen: Sequence[Place], now: datetime, days: int = 365) -> Asked:
    """The question's frame: so many days to yesterday, here, as of now, where nothing is said. Raises BadInput."""
    yesterday = site.dose_day(now) - timedelta(days=1)
    as_of = now
    with Typed(form) as typed:
        last = typed.day_or_none("last") or yesterday
        first = typed.day_or_none("first") or last - timedelta(days=days - 1)
        written = one(form, "as_of")
        if written:
            try:
                as_of = datetime.fromisoformat(written)
                as_of = as_of if as_of.tzinfo else as_of.replace(tzinfo=ZoneInfo(site.zone))
                as_of.astimezone(UTC)
            except (ValueError, OverflowError):
                typed.fault(
                    "as_of", "not-a-moment", f"“{written[:20]}” is not a moment.", "Write it like 2026-11-24T08:00."
                )
            else:
                if as_of > now:
                    typed.fault(
                        "as_of", "to-come", "This moment is still to come.", "Choose one by now, or leave it empty."
                    )
        if last < first:
            typed.fault("last", "no-days", "The period ends before it begins.", "Correct the days.")
        chosen = one(form, "site") or site.code
        places = list(seen) if chosen == EVERY_SITE else [each for each in seen if each.code == chosen.upper()]
        if not places:
            typed.fault("site", "no-site", f"You do not evaluate a site “{chosen[:20]}”.", "Choose one of the list.")
    return Asked(tuple(places), Period(first, last + timedelta(days=1)), as_of.astimezone(UTC), chosen)


def on_page(refused: BadInput) -> BadInput:
    """The same refusal about the fields as the page calls them."""
    return BadInput(
        *(
            Refusal(each.code, each.sentence, each.remedy, each.evidence, _FIELDS.get(each.field, each.field))
            for each in refused.refusals
        )
    )


def site_choices(seen: Sequence[Place]) -> list[tuple[str, str]]:
    """The sites as a list to choose from; all of them together first, where there are several."""
    every = [(EVERY_SITE, _("All %(num)s sites", num=len(seen)))] if len(seen) > 1 else []
    return [*every, *((place.code, f"{place.code} {place.name}") for place in seen)]
