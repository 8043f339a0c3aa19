"""Figures as DHIS2 takes them: a data value set of a measure, by a mapping file that names what each figure is there.

The mapping is TOML: the data set, whether names are codes or uids, the organisation unit of each site, and an element
for each figure, with the category option combination of each stratum:

    dataSet = "OAMT_MONTHLY"
    scheme = "code"
    [orgUnits]
    HRP = "MY_KL_HRP"
    [[element]]
    indicator = "curr"
    figure = "numerator"
    dataElement = "OAMT_CURR"
    [element.options]
    female = "F"
    male = "M"

There is a payload for each site. A figure that is hidden is not sent. Values are strings, as DHIS2 wants them.
"""

from __future__ import annotations

import re
import tomllib
from calendar import monthrange
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal

import msgspec

from dispensary.evaluation.answering import ALL, Answer, Row
from dispensary.evaluation.queries import Period
from dispensary.refusals import BadInput, Refusal

UID = re.compile(r"[A-Za-z][A-Za-z0-9]{10}")


class Element(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What one figure of an indicator is in DHIS2."""

    indicator: str
    dataElement: str  # noqa: N815 - as DHIS2 and the file have it
    figure: Literal["numerator", "denominator", "value"] = "numerator"
    options: dict[str, str] = {}
    """The category option combination of each stratum: its levels with a comma, without the site's."""


class Names(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A mapping file: what things are called in DHIS2."""

    dataSet: str  # noqa: N815 - as DHIS2 and the file have it
    orgUnits: dict[str, str]  # noqa: N815
    element: list[Element]
    scheme: Literal["code", "uid"] = "code"
    everybody: str = ""
    """The category option combination of a figure that is not split; empty for the default one."""


@dataclass(frozen=True)
class ValueSets:
    """What is sent of each site, and how many figures are not, since they are hidden."""

    by_site: dict[str, dict[str, Any]]
    hidden: int


def read_mapping(path: Path) -> Names:
    """The mapping in a file. Raises BadInput with what is wrong in it."""
    try:
        mapping = msgspec.convert(tomllib.loads(path.read_text("utf-8")), Names)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, msgspec.ValidationError) as reason:
        raise BadInput(
            Refusal("mapping", f"{path} is no mapping: {reason}.", "Mend it; the handbook has one.", field="mapping")
        ) from None
    if mapping.scheme == "uid":
        named = [mapping.dataSet, *mapping.orgUnits.values()]
        named += [each for element in mapping.element for each in (element.dataElement, *element.options.values())]
        wrong = [name for name in named if not UID.fullmatch(name)]
        if wrong:
            sentence = f"No uid of DHIS2: {', '.join(wrong[:10])}."
            raise BadInput(Refusal("uid", sentence, "A uid has a letter and ten letters or digits.", field="mapping"))
    return mapping


def period_name(period: Period) -> str:
    """A month (202601), quarter (2026Q1), half (2026S1) or year (2026). Raises BadInput for any other stretch."""
    first, last = period.from_day, period.until_day - timedelta(days=1)
    months = (last.year - first.year) * 12 + last.month - first.month + 1
    whole = first.day == 1 and last == date(last.year, last.month, monthrange(last.year, last.month)[1])
    if whole and (first.month - 1) % months == 0:
        match months:
            case 1:
                return f"{first:%Y%m}"
            case 3:
                return f"{first.year}Q{(first.month + 2) // 3}"
            case 6:
                return f"{first.year}S{(first.month + 5) // 6}"
            case 12:
                return f"{first.year}"
    sentence = f"{first} to {last} is no period of DHIS2."
    raise BadInput(Refusal("period", sentence, "Ask for a calendar month, quarter, half or year.", field="period"))


def value_sets(found: Answer, names: Names) -> ValueSets:
    """The figures as a data value set for each site; of several sites they are split by site.

    Raises BadInput with every site, indicator and stratum that the mapping does not name rightly.
    """
    asked = found.asked
    period = period_name(asked.period)
    faults: dict[str, Refusal] = {}
    if "site" not in asked.by and len(asked.places) != 1:
        faults["by"] = Refusal("sites", "Several sites have no one unit.", "Split by site, or ask for one.", field="by")
    known = {indicator.key for indicator in asked.measure.indicators}
    for element in names.element:
        if element.indicator not in known:
            sentence = f"{asked.measure.key} has no indicator “{element.indicator}”."
            faults[sentence] = Refusal("indicator", sentence, f"It has {', '.join(sorted(known))}.", field="mapping")
    sent: dict[str, list[dict[str, str]]] = {}
    hidden = 0
    for element, row in _wanted(found, names):
        levels = dict(zip(asked.by, row.strata, strict=True))
        site = levels.pop("site", "") or asked.places[0].code
        if site not in names.orgUnits:
            faults[site] = Refusal("unit", f"Site {site} has no unit.", "Name it under orgUnits.", field="mapping")
        level = ",".join(levels.values())
        combination = element.options.get(level) if levels else names.everybody
        if combination is None:
            sentence = f"{element.indicator}: “{level}” has no category option combination."
            faults[sentence] = Refusal("option", sentence, "Name it under options.", field="mapping")
        value: Decimal | None = getattr(row, element.figure)
        if value is None:
            hidden += not row.shown
            continue
        option = {"categoryOptionCombo": combination} if combination else {}
        sent.setdefault(site, []).append({"dataElement": element.dataElement, **option, "value": f"{value:f}"})
    if faults:
        raise BadInput(*faults.values())
    day = asked.as_of.astimezone(UTC).date().isoformat()
    return ValueSets(
        {
            site: {
                "dataSet": names.dataSet,
                "completeDate": day,
                "period": period,
                "orgUnit": names.orgUnits[site],
                "dataValues": values,
            }
            for site, values in sorted(sent.items())
        },
        hidden,
    )


def _wanted(found: Answer, names: Names) -> Iterator[tuple[Element, Row]]:
    """Each figure that the mapping names: of each group where it is split, or else of everybody."""
    elements: dict[str, list[Element]] = {}
    for element in names.element:
        elements.setdefault(element.indicator, []).append(element)
    for row in found.rows:
        if (set(row.strata) <= {ALL}) == (not found.asked.by):
            for element in elements.get(row.indicator, ()):
                yield element, row
