"""Resources of FHIR R4 (4.0.1) as the export writes them, from plain rows. Pure.

A client is a pseudonym, and each client's days are counted from their own entry: the day of entry is always the first
of January 2000, so that a date says how long after entry something was and nothing else. No text that a person wrote is
in a resource, and no time of day but that of a slot.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, Protocol

Resource = dict[str, Any]

ENTRY = date(2000, 1, 1)
"""What each client's day of entry is called."""
UCUM = "http://unitsofmeasure.org"
MG = {"unit": "mg", "system": UCUM, "code": "mg"}
DAYS = {"unit": "d", "system": UCUM, "code": "d"}
METHADONE = {
    "coding": [{"system": "http://www.whocc.no/atc", "code": "N07BC02", "display": "methadone"}],
    "text": "Methadone, oral",
}
UCUM_CODES: Mapping[str, str] = {
    "µmol/L": "umol/L",
    "10^9/L": "10*9/L",
    "copies/mL": "{copies}/mL",
    "cells/µL": "{cells}/uL",
    "IU/mL": "[IU]/mL",
    "": "1",
}
"""Units of results as UCUM writes them, where that differs."""
ORDER_STATES: Mapping[str, str] = {
    "": "active",
    "superseded": "completed",
    "as_written": "completed",
    "stopped": "stopped",
    "exit": "stopped",
}
BOOKING_STATES: Mapping[str, tuple[str, str]] = {
    "booked": ("booked", "accepted"),
    "arrived": ("fulfilled", "accepted"),
    "missed": ("noshow", "accepted"),
    "dropped": ("cancelled", "declined"),
    "moved": ("cancelled", "declined"),
}
"""What a booking's state is called: of the appointment, and of its participant."""
NOT_GIVEN: Mapping[str, str] = {"missed": "client absent", "held": "withheld by the prescriber"}


@dataclass(frozen=True, slots=True)
class Who:
    """A client in one export: their name there, their day of entry, and their sex where enough others have it."""

    name: str
    entry: date
    gender: str

    def day(self, on: date) -> str:
        """A day of theirs, counted from entry."""
        return (ENTRY + (on - self.entry)).isoformat()

    @property
    def reference(self) -> dict[str, str]:
        return {"reference": f"Patient/{self.name}"}


class Tested(Protocol):
    """What a test is called, the unit that is kept, and its LOINC codes where they are sure."""

    @property
    def name(self) -> str: ...

    @property
    def unit(self) -> str: ...

    @property
    def loinc(self) -> Sequence[str]: ...


def patient(who: Who) -> Resource:
    """The client, without anything but their sex."""
    return {"resourceType": "Patient", "id": who.name, "gender": who.gender}


def episode(who: Who, name: str, began_on: date, ended_on: date | None) -> Resource:
    """A time in treatment. `ended_on` is the first day without it; the period's end is the last day with it."""
    period = _period(who, began_on, ended_on)
    status = "finished" if ended_on is not None else "active"
    return {
        "resourceType": "EpisodeOfCare",
        "id": name,
        "status": status,
        "type": [{"text": "Opioid agonist maintenance treatment"}],
        "patient": who.reference,
        "period": period,
    }


def order(
    who: Who,
    name: str,
    *,
    portions: Sequence[Decimal],
    from_day: date,
    until_day: date | None,
    end_reason: str,
    authored_on: date | None,
) -> Resource:
    """An order: each portion of the day is an instruction of its own, in the order in which they are taken."""
    written: Resource = {
        "resourceType": "MedicationRequest",
        "id": name,
        "status": ORDER_STATES[end_reason],
        "intent": "order",
        "medicationCodeableConcept": METHADONE,
        "subject": who.reference,
        "dosageInstruction": [
            {
                "sequence": number,
                "timing": {"repeat": {"frequency": 1, "period": 1, "periodUnit": "d"}},
                "doseAndRate": [{"doseQuantity": {"value": mg, **MG}}],
            }
            for number, mg in enumerate(portions, start=1)
        ],
        "dispenseRequest": {"validityPeriod": _period(who, from_day, until_day)},
    }
    if authored_on is not None:
        written["authoredOn"] = who.day(authored_on)
    if until_day is not None:
        days = (until_day - from_day).days
        written["dispenseRequest"]["quantity"] = {"value": sum(portions) * days, **MG}
        written["dispenseRequest"]["expectedSupplyDuration"] = {"value": days, **DAYS}
    return written


def given(who: Who, name: str, *, on: date, mg: Decimal, order_name: str) -> Resource:
    """A portion that was swallowed at the counter."""
    return {
        **_administration(who, name, "completed", on),
        **({"request": {"reference": f"MedicationRequest/{order_name}"}} if order_name else {}),
        "dosage": {"dose": {"value": mg, **MG}},
    }


def not_given(who: Who, name: str, *, on: date, outcome: str) -> Resource:
    """A portion of a closed day that was missed or held."""
    return {**_administration(who, name, "not-done", on), "statusReason": [{"text": NOT_GIVEN[outcome]}]}


def dispensed(who: Who, name: str, *, on: date, mg: Decimal, days: int, orders: Sequence[str]) -> Resource:
    """Doses that were handed over to be taken elsewhere: mg in all, and for how many dose days."""
    return {
        "resourceType": "MedicationDispense",
        "id": name,
        "status": "completed",
        "medicationCodeableConcept": METHADONE,
        "subject": who.reference,
        "authorizingPrescription": [{"reference": f"MedicationRequest/{each}"} for each in orders],
        "quantity": {"value": mg, **MG},
        "daysSupply": {"value": days, **DAYS},
        "whenHandedOver": who.day(on),
    }


def observation(
    who: Who,
    name: str,
    *,
    test: Tested,
    on: date,
    number: Decimal | None,
    comparator: str,
    choice: str | None,
    corrected: bool,
) -> Resource:
    """A result, in the unit that is kept of this test."""
    code: Resource = {"text": test.name}
    if test.loinc:
        code = {"coding": [{"system": "http://loinc.org", "code": test.loinc[0]}], **code}
    written: Resource = {
        "resourceType": "Observation",
        "id": name,
        "status": "corrected" if corrected else "final",
        "code": code,
        "subject": who.reference,
        "effectiveDateTime": who.day(on),
    }
    if number is None:
        written["valueCodeableConcept"] = {"text": choice}
    else:
        compared = {"comparator": comparator} if comparator else {}
        unit = {"unit": test.unit} if test.unit else {}
        coded = {"system": UCUM, "code": UCUM_CODES.get(test.unit, test.unit)}
        written["valueQuantity"] = {"value": number, **compared, **unit, **coded}
    return written


def appointment(who: Who, name: str, *, state: str, on: date, minutes: int) -> Resource:
    """A booked slot: its day, counted from entry, and how long it is. FHIR wants a time, which is always midnight."""
    status, taking_part = BOOKING_STATES[state]
    start = datetime.combine(ENTRY + (on - who.entry), time())
    return {
        "resourceType": "Appointment",
        "id": name,
        "status": status,
        "start": f"{start.isoformat()}Z",
        "end": f"{(start + timedelta(minutes=minutes)).isoformat()}Z",
        "minutesDuration": minutes,
        "participant": [{"actor": who.reference, "status": taking_part}],
    }


def schedule(name: str, code: str, first: datetime, last: datetime) -> Resource:
    """When a site's slots are: nobody's, so its days are those of the calendar."""
    return {
        "resourceType": "Schedule",
        "id": name,
        "active": True,
        "actor": [{"display": f"Site {code}"}],
        "planningHorizon": {"start": first.isoformat(), "end": last.isoformat()},
    }


def slot(name: str, schedule_name: str, *, starts_at: datetime, ends_at: datetime, full: bool) -> Resource:
    """A slot that somebody booked; who did is not said, and no appointment names its slot."""
    return {
        "resourceType": "Slot",
        "id": name,
        "schedule": {"reference": f"Schedule/{schedule_name}"},
        "status": "busy" if full else "free",
        "start": starts_at.isoformat(),
        "end": ends_at.isoformat(),
    }


def _administration(who: Who, name: str, status: str, on: date) -> Resource:
    return {
        "resourceType": "MedicationAdministration",
        "id": name,
        "status": status,
        "medicationCodeableConcept": METHADONE,
        "subject": who.reference,
        "effectiveDateTime": who.day(on),
    }


def _period(who: Who, first: date, until: date | None) -> Resource:
    last = {"end": who.day(max(until - timedelta(days=1), first))} if until is not None else {}
    return {"start": who.day(first), **last}
