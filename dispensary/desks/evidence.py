"""The evidence of an assessment as a person reads it: what each figure is called, and days written as days."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date

from dispensary.words import day_in_words, gettext

MOST_DAYS = 14


def _(message: str) -> str:
    return message  # marks a message for extraction; it is translated where it is shown


_CALLED = {
    "window_from": _("Counted from"),
    "covered_days": _("Days with a dose"),
    "missed_days": _("Days missed"),
    "partly_covered_days": _("Days with a part of the dose"),
    "longest_missed_run": _("Most days missed in a row"),
    "no_open_alerts": _("No open alert"),
    "open_alerts": _("Open alerts"),
    "lockbox": _("Lockbox"),
    "housing_stable": _("Stable housing"),
    "employed": _("Work or study"),
    "health_stable": _("Stable health"),
    "day_of_treatment": _("Day of treatment"),
    "adherence_percent": _("Per cent of days with a dose"),
    "dose_stable_days": _("Days with the same dose"),
    "months_of_treatment": _("Whole months of treatment"),
    "distance_km": _("Kilometres from home"),
    "consecutive_missed_days": _("Most days missed in a row"),
    "intoxicated_presentations": _("Days on which a dose was withheld for intoxication"),
    "intoxicated_days": _("Days on which a dose was withheld for intoxication"),
    "days_since_review": _("Days since the last review"),
    "last_review_on": _("Last review"),
    "guardian": _("Somebody vouches"),
    "employed_or_guardian": _("Work or study, or somebody who vouches"),
    "children_at_home": _("Children at home"),
    "no_children_at_home": _("No children at home"),
    "no_diversion_report": _("No report of diversion is open"),
    "diversion_reports": _("Open reports of diversion"),
    "bottles_are_returned": _("The site takes bottles back"),
    "unreturned_bottle_days": _("Bottles that did not come back, by their day"),
    "failed_recalls": _("Recalls that failed"),
    "overdue_recalls": _("Recalls that are overdue"),
    "agreement_signed_on": _("Agreement signed"),
    "first_dose_day": _("First dose"),
    "dose_stable_since": _("Same dose since"),
    "judged": _("A practitioner answered"),
}


def evidence(found: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    """Name and value of each figure, in the order in which the rule gave them."""
    for name, value in found.items():
        figure = name.removesuffix("_needed").removesuffix("_at_most")
        called = gettext(_CALLED.get(figure, figure.replace("_", " ")))
        if name.endswith("_needed"):
            called = gettext(_("%(what)s, needed")) % {"what": called}
        elif name.endswith("_at_most"):
            called = gettext(_("%(what)s, at most")) % {"what": called}
        yield called, _written(value)


def _written(value: object) -> str:
    if value is None:
        return gettext(_("not known"))
    if isinstance(value, bool):
        return gettext(_("yes")) if value else gettext(_("no"))
    if isinstance(value, list):
        written = [
            " ".join(_written(part) for part in one) if isinstance(one, list) else _written(one) for one in value
        ]
        more = len(written) - MOST_DAYS
        return (", ".join(written[:MOST_DAYS]) + (f" + {more}" if more > 0 else "")) or gettext(_("none"))
    try:
        return day_in_words(date.fromisoformat(str(value)), "yMMMd")
    except ValueError:
        return str(value)
