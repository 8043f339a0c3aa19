"""Results out of HL7 version 2 messages of the kind ORU^R01. Pure.

The library parts segments and fields and undoes escapes; what a field means is read here, strictly.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import date

import hl7

from dispensary.monitoring.incoming import Format, Incoming, Said, Sent, bounded, counted, limits_of, unreadable

_SAID: Mapping[str, Said] = {"F": Said.FINAL, "C": Said.CORRECTED, "D": Said.WITHDRAWN, "W": Said.WITHDRAWN}
_TYPES = ("NM", "SN", "ST", "CE", "CWE", "CNE", "TX", "IS")
_DAY = re.compile(r"(\d{4})(\d\d)(\d\d)(?:\d{2,6}(?:\.\d+)?)?(?:[+-]\d{4})?", re.ASCII)


def read_hl7(content: bytes) -> Incoming:
    """Every OBX of every message; the line is that of its segment. Raises BadInput when there is no message."""
    try:
        text = bounded(content).decode("utf-8-sig")
    except UnicodeError:
        text = content.decode("latin-1")  # what older laboratories send
    lines = [line.strip("\x0b\x1c \t\x00") for line in re.split(r"\r\n|\r|\n", text)]
    if next((line for line in lines if line), "")[:3] not in ("MSH", "FHS", "BHS"):
        raise unreadable("This is no HL7 message: it does not begin with MSH.")
    results: list[Sent] = []
    message: list[tuple[int, str]] = []
    for number, line in enumerate(lines, start=1):
        if line.startswith("MSH") and message:
            results += _of(message)
            message = []
        if line.startswith("MSH") or (message and line and line[:3] not in ("FTS", "BTS", "FHS", "BHS")):
            message.append((number, line))
    if message:
        results += _of(message)
    return Incoming(Format.HL7, counted(results))


class _Message:
    """One message as the library parsed it, with the line of each segment."""

    def __init__(self, lines: Sequence[tuple[int, str]]) -> None:
        self.parsed = hl7.parse("\r".join(line for _, line in lines))  # type: ignore[no-untyped-call]
        _, self.field, self.repeat, self.component, self.sub = self.parsed.separators[:5]
        self.segments = list(zip((number for number, _ in lines), self.parsed, strict=True))

    def texts(self, segment: hl7.Segment, number: int) -> list[str]:
        """The repetitions of a field as they stand."""
        if number >= len(segment):
            return []
        whole = str(segment[number])
        return whole.split(self.repeat) if whole else []

    def parts(self, text: str) -> list[str]:
        """The components of one repetition, escapes undone."""
        return [str(self.parsed.unescape(part)).strip() for part in text.split(self.component)]

    def first(self, segment: hl7.Segment, number: int) -> list[str]:
        found = self.texts(segment, number)
        return self.parts(found[0]) if found else [""]


def _of(lines: Sequence[tuple[int, str]]) -> list[Sent]:
    begins = lines[0][0]
    try:
        message = _Message(lines)
        return _results(message, begins)
    except Exception as reason:  # the library raises of several kinds, some of them Python's own
        return [Sent(line=begins, fault=f"The message cannot be read: {type(reason).__name__}.")]


def _results(message: _Message, begins: int) -> list[Sent]:
    kind = message.first(message.segments[0][1], 9)
    if kind[0] != "ORU":
        return [Sent(line=begins, fault=f"This is no message of results, but “{'^'.join(kind)[:20]}”.")]
    numbers: tuple[str, ...] = ()
    on: tuple[date | None, str] = (None, "The day is missing.")
    order, results = "", []
    for line, segment in message.segments:
        name = str(segment[0])
        if name == "PID":
            several = [*message.texts(segment, 3), *message.texts(segment, 2)]
            numbers = tuple(parts[0] for text in several if (parts := message.parts(text))[0])
            on, order = (None, "The day is missing."), ""
        elif name == "OBR":
            order = message.first(segment, 3)[0] or message.first(segment, 2)[0]
            on = _day(message.first(segment, 7)[0])
        elif name == "OBX":
            results.append(_sent(message, line, segment, numbers, order, on))
    return results or [Sent(line=begins, fault="The message has no result.")]


def _sent(
    message: _Message,
    line: int,
    segment: hl7.Segment,
    numbers: tuple[str, ...],
    order: str,
    ordered_on: tuple[date | None, str],
) -> Sent:
    code = [*message.first(segment, 3), "", "", "", "", ""]
    loinc = next((code[at] for at in (0, 3) if code[at + 2] == "LN"), "")
    own = message.first(segment, 14)[0]
    on, fault = _day(own) if own else ordered_on
    kind = message.first(segment, 2)[0]
    values = message.texts(segment, 5)
    value = ""
    if kind not in _TYPES:
        fault = fault or f"Values of the kind “{kind[:10]}” are not read."
    elif len(values) != 1:
        fault = fault or ("There are several values in one." if values else "There is no value.")
    else:
        value, wrong = _value(kind, message.parts(values[0]))
        fault = fault or wrong
    lower, upper = limits_of(message.first(segment, 7)[0])
    part = message.first(segment, 4)[0]
    return Sent(
        line=line,
        numbers=numbers,
        test=code[1] or code[0],
        loinc=loinc,
        value=value,
        unit=message.first(segment, 6)[0],
        lower=lower,
        upper=upper,
        on=on,
        given=f"{order}/{code[0] or code[1]}/{part}" if order else "",
        panel=f"{order} {numbers[:1]} {part}",
        said=_SAID.get(message.first(segment, 11)[0], Said.NOT_FINAL),
        fault=fault,
    )


def _value(kind: str, parts: Sequence[str]) -> tuple[str, str]:
    """The value, and what is wrong with it."""
    if kind == "SN":
        comparator, number, *more = [*parts, "", ""][:4]
        if comparator not in ("", "=", "<", ">") or any(more):
            return "", f"A value “{' '.join(parts)[:20].strip()}” cannot be kept: enter it by hand."
        return f"{comparator.replace('=', '')}{number}", ""
    if kind in ("CE", "CWE", "CNE"):
        return next((part for part in (*parts[1:2], *parts[:1]) if part), ""), ""
    return parts[0], ""


def _day(text: str) -> tuple[date | None, str]:
    found = _DAY.fullmatch(text)
    if found is None:
        return None, f"“{text[:20]}” is not a day." if text else "The day is missing."
    try:
        return date(*(int(part) for part in found.groups())), ""
    except ValueError:
        return None, f"There is no day “{text[:20]}”."
