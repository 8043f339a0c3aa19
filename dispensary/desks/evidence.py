"""The evidence of an assessment as a person reads it: what each figure is called, and days written as days."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date

from babel.dates import format_date

from dispensary.words import gettext, language

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
    "judged": _("A practitioner answered"),
}


def evidence(found: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    """Name and value of each figure, in the order in which the rule gave them."""
    for name, value in found.items():
        called = gettext(_CALLED.get(name.removesuffix("_needed"), name.replace("_", " ")))
        yield (
            (gettext(_("%(what)s, needed")) % {"what": called} if name.endswith("_needed") else called),
            _written(value),
        )


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
        return format_date(date.fromisoformat(str(value)), "d MMM y", locale=language())
    except ValueError:
        return str(value)
