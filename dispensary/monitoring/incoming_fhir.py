"""Results out of a FHIR R4 Observation, or a Bundle of them. Pure.

What is not of a result is passed over; an Observation that cannot be read is a fault of its own, and the others stand.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import TypeAlias

import msgspec

from dispensary.monitoring.incoming import Format, Incoming, Said, Sent, bounded, counted, unreadable, written
from dispensary.monitoring.incoming_csv import day_of

LOINC = "http://loinc.org"
UCUM = "http://unitsofmeasure.org"
SNOMED: Mapping[str, str] = {
    "10828004": "positive",
    "260373001": "positive",
    "260385009": "negative",
    "260415000": "negative",
    "82334004": "indeterminate",
}
"""Positive, detected, negative, not detected, indeterminate."""
_SAID: Mapping[str, Said] = {
    "final": Said.FINAL,
    "amended": Said.CORRECTED,
    "corrected": Said.CORRECTED,
    "entered-in-error": Said.WITHDRAWN,
    "cancelled": Said.NOT_FINAL,
    "registered": Said.NOT_FINAL,
    "preliminary": Said.NOT_FINAL,
    "unknown": Said.NOT_FINAL,
}


class _Struct(msgspec.Struct, rename="camel", kw_only=True):
    """A part of a resource. Fields that nobody reads here are passed over."""


class _Coding(_Struct):
    system: str = ""
    code: str = ""
    display: str = ""


class _Concept(_Struct):
    coding: list[_Coding] = []
    text: str = ""


class _Quantity(_Struct):
    value: Decimal | None = None
    comparator: str = ""
    unit: str = ""
    system: str = ""
    code: str = ""


class _Identifier(_Struct):
    value: str = ""


class _Reference(_Struct):
    reference: str = ""
    identifier: _Identifier | None = None


class _Range(_Struct):
    low: _Quantity | None = None
    high: _Quantity | None = None
    type: _Concept | None = None


class _Measured(_Struct):
    code: _Concept
    value_quantity: _Quantity | None = None
    value_codeable_concept: _Concept | None = None
    value_string: str | None = None
    value_integer: int | None = None
    reference_range: list[_Range] = []


class _Component(_Measured):
    pass


class _Observation(_Measured):
    status: str = ""
    id: str = ""
    identifier: list[_Identifier] = []
    subject: _Reference | None = None
    effective_date_time: str = ""
    component: list[_Component] = []


class _Person(_Struct):
    id: str = ""
    identifier: list[_Identifier] = []


class _Entry(_Struct):
    full_url: str = ""
    resource: msgspec.Raw = msgspec.Raw(b"null")


class _Bundle(_Struct):
    entry: list[_Entry] = []


class _Kind(_Struct):
    resource_type: str = ""


_People: TypeAlias = dict[str, tuple[str, ...]]


def read_fhir(content: bytes) -> Incoming:
    """Every Observation of the file; the line is its place in the bundle. Raises BadInput when it is no such file."""
    try:
        text = bounded(content).decode("utf-8-sig")
        kind = msgspec.json.decode(text, type=_Kind).resource_type
        if kind == "Observation":
            entries = [_Entry(resource=msgspec.Raw(text))]
        elif kind == "Bundle":
            entries = msgspec.json.decode(text, type=_Bundle).entry
        else:
            raise unreadable(f"This is no Observation and no Bundle, but “{kind[:40]}”.")
    except (msgspec.DecodeError, UnicodeError, RecursionError) as reason:
        raise unreadable(f"This is no FHIR in JSON: {str(reason)[:120]}.") from None
    people: _People = {}
    observations: list[tuple[int, msgspec.Raw]] = []
    results: list[Sent] = []
    for line, entry in enumerate(entries, start=1):
        if bytes(entry.resource) == b"null":
            continue
        try:
            what = msgspec.json.decode(entry.resource, type=_Kind).resource_type
            if what == "Patient":
                person = msgspec.json.decode(entry.resource, type=_Person)
                numbers = tuple(each.value for each in person.identifier if each.value)
                names = (f"Patient/{person.id}" if person.id else "", entry.full_url)
                people |= {name: numbers for name in names if name}
            elif what == "Observation":
                observations.append((line, entry.resource))
        except (msgspec.DecodeError, RecursionError) as reason:
            results.append(Sent(line=line, fault=f"The resource cannot be read: {str(reason)[:120]}."))
    for line, resource in observations:
        try:
            results += _of(line, msgspec.json.decode(resource, type=_Observation), people)
        except (msgspec.DecodeError, RecursionError) as reason:
            results.append(Sent(line=line, fault=f"The Observation cannot be read: {str(reason)[:120]}."))
    results.sort(key=lambda each: each.line)
    return Incoming(Format.FHIR, counted(results))


def _of(line: int, seen: _Observation, people: _People) -> list[Sent]:
    on, fault = day_of(seen.effective_date_time.strip(), "iso")
    said = _SAID.get(seen.status)
    if said is None:
        said, fault = Said.NOT_FINAL, f"The status “{seen.status[:30]}” is not known."
    given = next((each.value for each in seen.identifier if each.value), seen.id)
    subject = _numbers(seen.subject, people)
    measured: list[_Measured] = [*seen.component]
    if not seen.component or _has_value(seen):
        measured.insert(0, seen)
    sent = []
    for number, each in enumerate(measured):
        loinc = next((c.code for c in each.code.coding if c.system == LOINC), "")
        name = each.code.text or next((c.display or c.code for c in each.code.coding if c.display or c.code), "")
        value, unit, wrong = _value(each)
        lower, upper = _limits(each, unit)
        sent.append(
            Sent(
                line=line,
                numbers=subject,
                test=name,
                loinc=loinc,
                value=value,
                unit=unit,
                lower=lower,
                upper=upper,
                on=on,
                given=f"{given}#{loinc or name}" if given and number else given,
                panel=f"{line}",
                said=said,
                fault=fault or wrong,
            )
        )
    return sent


def _numbers(subject: _Reference | None, people: _People) -> tuple[str, ...]:
    if subject is None:
        return ()
    found = [subject.identifier.value] if subject.identifier and subject.identifier.value else []
    found += people.get(subject.reference, ())
    _, _, bare = subject.reference.rpartition("Patient/")
    if bare and bare != subject.reference and not found:
        found.append(bare)
    return tuple(found)


def _has_value(each: _Measured) -> bool:
    values = (each.value_quantity, each.value_codeable_concept, each.value_string, each.value_integer)
    return any(value is not None for value in values)


def _unit(quantity: _Quantity) -> str:
    return quantity.code if quantity.system == UCUM and quantity.code else quantity.unit or quantity.code


def _value(each: _Measured) -> tuple[str, str, str]:
    """The value, its unit, and what is wrong with them."""
    if (quantity := each.value_quantity) is not None:
        if quantity.value is None:
            return "", "", "There is no value."
        if quantity.comparator not in ("", "<", ">"):
            return "", "", f"A value “{quantity.comparator[:4]}” of something cannot be kept: enter it by hand."
        return f"{quantity.comparator}{written(quantity.value)}", _unit(quantity), ""
    if (concept := each.value_codeable_concept) is not None:
        word = next((SNOMED[c.code] for c in concept.coding if c.code in SNOMED), "")
        return word or concept.text or next((c.display for c in concept.coding if c.display), ""), "", ""
    if each.value_string is not None:
        return each.value_string, "", ""
    if each.value_integer is not None:
        return str(each.value_integer), "", ""
    return "", "", "There is no value."


def _limits(each: _Measured, unit: str) -> tuple[str, str]:
    """The laboratory's limits, where there is one range and it is in the unit of the value."""
    ranges = [one for one in each.reference_range if one.low or one.high]
    if len(ranges) != 1:
        return "", ""
    low, high = ranges[0].low, ranges[0].high
    same = all(_unit(limit) in ("", unit) for limit in (low, high) if limit)
    if not same:
        return "", ""
    return tuple(  # type: ignore[return-value]
        written(limit.value) if limit and limit.value is not None else "" for limit in (low, high)
    )
