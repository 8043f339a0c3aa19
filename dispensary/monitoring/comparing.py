"""A file of results, compared with what is here: whose each value is, whether it is new, and what speaks against it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import TypeAlias
from uuid import UUID

from sqlalchemy import or_, select

from dispensary.clients.models import Client
from dispensary.clients.rules import plain_number
from dispensary.database import ReadSession
from dispensary.monitoring.analytes import Analyte
from dispensary.monitoring.incoming import Incoming, Mapped, Said, Sent, meant_by
from dispensary.monitoring.result_models import HealthResult, Laboratory
from dispensary.monitoring.results import Measurement, Read, day_faults, read_measurements
from dispensary.staff.rules import Actor
from dispensary.units import ClientId, SiteId


class Verdict(StrEnum):
    """What becomes of a line."""

    NEW = "new"
    CORRECTS = "corrects"
    WITHDRAWS = "withdraws"
    ALREADY = "already here"
    UNKNOWN = "unknown"
    """A test that no rule knows, or a result that is not final: left out, and listed."""
    QUESTION = "question"
    """It is taken when somebody says that it is right."""
    FAULT = "fault"


TAKEN = (Verdict.NEW, Verdict.CORRECTS, Verdict.WITHDRAWS)
LEFT_OUT = (Verdict.UNKNOWN, Verdict.QUESTION, Verdict.FAULT)


@dataclass(frozen=True)
class Line:
    """One value of a file, and what becomes of it. `place` numbers the values of the file from 1."""

    place: int
    sent: Sent
    verdict: Verdict
    why: str = ""
    client_id: ClientId | None = None
    read: Read | None = None
    stands: UUID | None = None
    """The result that is corrected or taken back."""

    @property
    def number(self) -> str:
        return self.sent.numbers[0] if self.sent.numbers else ""

    def as_json(self) -> dict[str, object]:
        """As it is listed when it was left out."""
        sent = self.sent
        told = {"line": sent.line, "number": self.number, "test": sent.test or sent.loinc, "value": sent.value}
        return {**told, "unit": sent.unit, "on": sent.on.isoformat() if sent.on else "", "why": self.why}


_Value: TypeAlias = tuple[Decimal | None, str, str]
_Day: TypeAlias = tuple[ClientId, str, date]


class Comparison:
    """One look at a file, with all that it has to be compared with."""

    def __init__(
        self,
        session: ReadSession,
        actor: Actor,
        laboratory: Laboratory,
        mapped: Mapped,
        incoming: Incoming,
        today: date,
        sure: frozenset[int],
    ) -> None:
        self.laboratory, self.mapped, self.incoming = laboratory, mapped, incoming
        self.today, self.sure = today, sure
        self.clients = _clients(session, actor.site_id, incoming)
        self.rows = _rows(session, set(self.clients.values()), incoming, self._key)
        self.newer = {row.replaces: row for row in self.rows if row.replaces is not None}
        self.by_key = {(row.client_id, row.source_key): row for row in self.rows}
        self.by_day: dict[_Day, list[HealthResult]] = defaultdict(list)
        for row in self.rows:
            self.by_day[row.client_id, row.analyte, row.taken_on].append(row)
        self.before: dict[_Day, list[Line]] = defaultdict(list)
        self.keys: dict[tuple[ClientId, str], Line] = {}

    def lines(self) -> list[Line]:
        return [self._line(place, sent) for place, sent in enumerate(self.incoming.results, start=1)]

    def _key(self, sent: Sent) -> str:
        """What names the very result, where the laboratory names it."""
        return f"{self.laboratory.id}/{sent.given}" if sent.given else ""

    def _line(self, place: int, sent: Sent) -> Line:
        analyte, unit = meant_by(sent, self.mapped.tests)
        faults = [sent.fault] if sent.fault else []
        known = {self.clients[number] for each in sent.numbers if (number := plain_number(each)) in self.clients}
        if len(known) != 1:
            faults.append(_unknown_client(sent, len(known)))
        client_id = next(iter(known)) if len(known) == 1 else None
        ours = self.laboratory.name.casefold()
        if sent.laboratory and " ".join(sent.laboratory.split()).casefold() != ours:
            faults.append(f"It is of another laboratory, “{sent.laboratory[:40]}”.")
        if sent.on is not None:
            faults += [each.sentence for each in day_faults(sent.on, self.today)]
        if analyte is None and client_id is not None and not faults:
            name = sent.test or sent.loinc or "without a name"
            return Line(place, sent, Verdict.UNKNOWN, f"No rule knows the test “{name[:60]}”.", client_id)
        if sent.said is Said.NOT_FINAL and not faults:
            return Line(place, sent, Verdict.UNKNOWN, "The laboratory says that it is not final.", client_id)
        if faults or analyte is None or client_id is None or sent.on is None:
            return Line(place, sent, Verdict.FAULT, " ".join(faults), client_id)
        if sent.said is Said.WITHDRAWN:
            return self._withdrawn(place, sent, client_id)
        return self._read(place, sent, analyte, unit, client_id, sent.on)

    def _withdrawn(self, place: int, sent: Sent, client_id: ClientId) -> Line:
        row = self.by_key.get((client_id, self._key(sent)))
        standing = self._standing(row) if row is not None else None
        if standing is None:
            return Line(place, sent, Verdict.UNKNOWN, "It is taken back, and was never here.", client_id)
        if _value_of(standing) == _NOTHING:
            return Line(place, sent, Verdict.ALREADY, "It was taken back already.", client_id)
        return Line(place, sent, Verdict.WITHDRAWS, "It is taken back.", client_id, stands=standing.id)

    def _read(self, place: int, sent: Sent, analyte: Analyte, unit: str, client_id: ClientId, on: date) -> Line:
        if not analyte.choices and analyte.unit and not unit:
            return Line(place, sent, Verdict.FAULT, f"{analyte.name} has no unit.", client_id)
        if sent.loinc in analyte.loinc_log and unit not in analyte.logs:
            return Line(place, sent, Verdict.FAULT, f"{sent.loinc} is of logarithms, “{unit}” is not.", client_id)
        measurement = Measurement(
            analyte.code, sent.value, unit, sent.lower, sent.upper, source_key=self._named(sent, analyte, on, client_id)
        )
        kept, faults = read_measurements([measurement], sure=False)
        grave = [each.sentence for each in faults if each.code != "implausible"]
        if grave or not kept:
            return Line(place, sent, Verdict.FAULT, " ".join(grave) or "There is no value.", client_id)
        if kept[0].lower is not None and kept[0].upper is not None and kept[0].lower >= kept[0].upper:
            return Line(place, sent, Verdict.FAULT, "The lower limit is not below the upper.", client_id)
        line = self._compared(Line(place, sent, Verdict.NEW, "", client_id, kept[0]), (client_id, analyte.code, on))
        doubts = [each.sentence for each in faults] if line.verdict in (Verdict.NEW, Verdict.CORRECTS) else []
        if doubts and place not in self.sure:
            line = Line(place, sent, Verdict.QUESTION, " ".join(doubts), client_id, kept[0])
        if line.verdict in TAKEN:
            self.before[client_id, analyte.code, on].append(line)
            self.keys[client_id, measurement.source_key] = line
        return line

    def _named(self, sent: Sent, analyte: Analyte, on: date, client_id: ClientId) -> str:
        if sent.given:
            return self._key(sent)
        several = len(self.by_day[client_id, analyte.code, on]) + len(self.before[client_id, analyte.code, on])
        return f"{self.laboratory.id}/{analyte.code}/{on}/{several}"

    def _compared(self, line: Line, day: _Day) -> Line:
        """The line, compared with what is here and with what stands before it in the file."""
        assert line.read is not None
        value = _kept(line.read)

        def found(verdict: Verdict, why: str, stands: UUID | None = None) -> Line:
            return Line(line.place, line.sent, verdict, why, line.client_id, line.read, stands)

        key = (day[0], line.read.measurement.source_key)
        twin = self.keys.get(key) if line.sent.given else None
        twin = twin or next((one for one in self.before[day] if one.read and _kept(one.read) == value), None)
        if twin is not None and twin.read is not None:
            if _kept(twin.read) == value and twin.sent.on == line.sent.on:
                return found(Verdict.ALREADY, f"It says again what line {twin.sent.line} says.")
            return found(Verdict.FAULT, f"Line {twin.sent.line} says something else of the same result.")
        row = self.by_key.get(key) if line.sent.given else None
        standing = self._standing(row) if row is not None else None
        if row is not None and standing is not None:
            if (row.analyte, row.taken_on) != (day[1], day[2]):
                return found(Verdict.FAULT, "The laboratory sent this result before, of another day or test.")
            if _value_of(standing) == value or (_value_of(row) == value and line.sent.said is Said.FINAL):
                return found(Verdict.ALREADY, "It was sent before.")
            if line.sent.said is Said.CORRECTED:
                return found(Verdict.CORRECTS, f"It corrects {standing.typed or 'what was taken back'}.", standing.id)
            return found(Verdict.FAULT, f"The laboratory sent {row.typed} before, and does not say that it corrects.")
        same_day = self.by_day[day]
        if any(_value_of(each) == value for each in same_day):
            return found(Verdict.ALREADY, "It is here already.")
        others = [each for each in same_day if each.id not in self.newer and _value_of(each) != _NOTHING]
        if line.sent.said is Said.CORRECTED and len(others) == 1:
            return found(Verdict.CORRECTS, f"It corrects {others[0].typed}.", others[0].id)
        if (others or self.before[day]) and line.place not in self.sure:
            said = others[0].typed if others else self.before[day][0].sent.value
            return found(Verdict.QUESTION, f"Of this day there is another value, {said}.")
        return line

    def _standing(self, row: HealthResult) -> HealthResult:
        while (newer := self.newer.get(row.id)) is not None:
            row = newer
        return row


_NOTHING: _Value = (None, "", "")
_PLACES = Decimal("0.000001")


def _value_of(row: HealthResult) -> _Value:
    return row.number, row.comparator, row.choice or ""


def _kept(read: Read) -> _Value:
    value = read.value
    number = None if value.number is None else value.number.quantize(_PLACES)
    return number, value.comparator.value, value.choice


def _unknown_client(sent: Sent, known: int) -> str:
    if known > 1:
        return "Its numbers are of different clients."
    number = sent.numbers[0][:24] if sent.numbers else ""
    return f"There is no client “{number}” here." if number else "The client is missing."


def _clients(session: ReadSession, site_id: SiteId, incoming: Incoming) -> dict[str, ClientId]:
    numbers = {plain_number(each) for sent in incoming.results for each in sent.numbers}
    found = session.execute(
        select(Client.number, Client.id).where(Client.site_id == site_id, Client.number.in_(sorted(numbers)))
    )
    return {number: ClientId(client_id) for number, client_id in found}


def _rows(
    session: ReadSession, clients: Collection[ClientId], incoming: Incoming, key_of: Callable[[Sent], str]
) -> Sequence[HealthResult]:
    """All that was ever kept of these clients on these days, or under these names, in the order of its entry."""
    days = {sent.on for sent in incoming.results if sent.on is not None}
    keys = {key_of(sent) for sent in incoming.results if sent.given}
    named = select(HealthResult.taken_on).where(
        HealthResult.client_id.in_(list(clients)), HealthResult.source_key.in_(sorted(keys))
    )
    return session.scalars(
        select(HealthResult)
        .where(
            HealthResult.client_id.in_(list(clients)),
            or_(HealthResult.taken_on.in_(sorted(days)), HealthResult.taken_on.in_(named)),
        )
        .order_by(HealthResult.entered_at, HealthResult.id)
    ).all()
