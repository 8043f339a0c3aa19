"""The figures of a measure as MeasureReport resources of FHIR R4: one for each indicator and stratum. Pure.

A figure that is hidden is left out with the reason that FHIR has for it (`data-absent-reason` masked).
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from itertools import groupby
from typing import Any

from dispensary.evaluation.answering import ALL, Answer, Row
from dispensary.evaluation.measure import Figure

_POPULATION = "http://terminology.hl7.org/CodeSystem/measure-population"
_MASKED = [{"url": "http://hl7.org/fhir/StructureDefinition/data-absent-reason", "valueCode": "masked"}]


def measure_reports(found: Answer) -> Iterator[dict[str, Any]]:
    """A summary report for each indicator, with a stratifier for the strata that were asked for."""
    asked = found.asked
    figures = {each.key: each for each in asked.measure.indicators}
    for indicator, rows in groupby(found.rows, key=lambda row: row.indicator):
        several = list(rows)
        figure = figures[indicator].figure
        whole = next(row for row in several if set(row.strata) <= {ALL})
        split = [row for row in several if row is not whole]
        group: dict[str, Any] = {"code": {"text": figures[indicator].says}, **_figures(whole, figure)}
        if split:
            group["stratifier"] = [
                {
                    "code": [{"text": key} for key in asked.by],
                    "stratum": [
                        {
                            "component": [
                                {"code": {"text": key}, "value": {"text": level}}
                                for key, level in zip(asked.by, row.strata, strict=True)
                            ],
                            **_figures(row, figure),
                        }
                        for row in split
                    ],
                }
            ]
        yield {
            "resourceType": "MeasureReport",
            "id": f"{asked.measure.key}.{indicator}".replace("_", "-"),
            "status": "complete",
            "type": "summary",
            "measure": f"urn:takehome:measure:{asked.measure.key}|{asked.measure.version}",
            "date": asked.as_of.isoformat(),
            "period": {
                "start": asked.period.from_day.isoformat(),
                "end": (asked.period.until_day - timedelta(days=1)).isoformat(),
            },
            "group": [group],
        }


def _figures(row: Row, figure: Figure) -> dict[str, Any]:
    counted = [("numerator", row.numerator)] if figure is not Figure.MEDIAN and figure is not Figure.P95 else []
    counted += [("denominator", row.denominator)] if figure is not Figure.COUNT else []
    score = {} if figure is Figure.COUNT or row.value is None else {"measureScore": {"value": row.value}}
    hidden = {"measureScore": {"extension": _MASKED}} if not row.shown and figure is not Figure.COUNT else {}
    return {"population": [_population(name, count) for name, count in counted], **hidden, **score}


def _population(name: str, count: Decimal | None) -> dict[str, Any]:
    code = {"coding": [{"system": _POPULATION, "code": name}]}
    if count is None:
        return {"code": code, "_count": {"extension": _MASKED}}
    if count == count.to_integral_value():
        return {"code": code, "count": int(count)}
    # What is counted is an amount, such as days of time: FHIR counts whole things, so it is said in words.
    return {"code": {**code, "text": f"{count:f}"}}
