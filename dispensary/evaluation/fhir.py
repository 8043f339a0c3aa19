"""Export of records as FHIR R4, in the layout of bulk data: one NDJSON file a resource type, and a manifest.

It has everybody who was in treatment within the period, and of it what was on record by the as-of moment. Rows come
from the server as they are written, client by client in the order of their pseudonyms, which says nothing of when they
enrolled.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlalchemy import text

from dispensary.database import ReadSession, through
from dispensary.evaluation import fhir_resources as fhir
from dispensary.evaluation.crowds import SHIELDED, UNTOLD, Shield, Traits, told_of
from dispensary.evaluation.fhir_resources import Resource, Tested, Who
from dispensary.evaluation.files import Export, Table
from dispensary.evaluation.known import DAYS, EPISODES, HOMES_BEFORE, ORDER_UNTIL, SITE_DAY
from dispensary.evaluation.queries import Period
from dispensary.evaluation.retention import check_moment
from dispensary.evaluation.stating import pseudonym, purpose_of, statement
from dispensary.evaluation.whom import left_out_says, windows_of
from dispensary.keys import Vault
from dispensary.staff.queries import Place
from dispensary.staff.vault_keys import signer_at
from dispensary.wall import Door

_ROWS_AT_ONCE = 5000

_PEOPLE = f"""
WITH site_day AS ({SITE_DAY}), known AS ({EPISODES})
SELECT client.id, client.sex, site.code AS site, min(known.began_on) AS entry
FROM client
JOIN ({HOMES_BEFORE}) AS home ON home.client_id = client.id
JOIN site ON site.id = home.site_id
JOIN site_day ON site_day.site_id = home.site_id
JOIN known ON known.client_id = client.id AND known.began_on <= site_day.today
WHERE client.made_at <= :as_of
GROUP BY client.id, client.sex, site.code
HAVING bool_or(known.began_on < :until_day AND coalesce(known.ended_on > :from_day, true))
"""

# Of each client the days of a window of their own: see crowds.py.
_ASKED = """unnest(CAST(:clients AS uuid[]), CAST(:from_days AS date[]), CAST(:until_days AS date[]))
    WITH ORDINALITY AS asked (client_id, from_day, until_day, place)"""

_EPISODES = f"""
SELECT asked.place, e.id, e.began_on, CASE WHEN e.ended_on <= :as_of_day THEN e.ended_on END AS ended_on
FROM {_ASKED} JOIN ({EPISODES}) AS e ON e.client_id = asked.client_id
WHERE e.began_on < asked.until_day AND coalesce(e.ended_on > asked.from_day, true) AND e.began_on <= :as_of_day
ORDER BY asked.place, e.began_on
"""

_ORDERS = f"""
SELECT asked.place, o.id, o.portions, lower(o.days) AS from_day,
    {ORDER_UNTIL} AS until_day,
    CASE WHEN o.ended_at <= :as_of THEN o.end_reason WHEN o.origin = 'import' THEN 'as_written' ELSE '' END
        AS end_reason,
    CASE WHEN o.origin <> 'import' THEN CAST(o.ordered_at AT TIME ZONE site.zone AS date) END AS authored_on
FROM {_ASKED} JOIN dose_order o ON o.client_id = asked.client_id JOIN site ON site.id = o.site_id
WHERE o.ordered_at <= :as_of AND (o.voided_at IS NULL OR o.voided_at > :as_of)
    AND lower(o.days) < asked.until_day
    AND coalesce(({ORDER_UNTIL}) > asked.from_day, true)
ORDER BY asked.place, lower(o.days), o.id
"""

# When imported history and what was entered from paper came on record: see known.py.
_ON_RECORD = """
    LEFT JOIN day_outcome brought_in ON s.origin = 'import' AND brought_in.client_id = d.client_id
        AND brought_in.dose_day = d.dose_day AND brought_in.portion = d.portion
    LEFT JOIN late_entry entered ON s.origin = 'outage' AND entered.supply_id = s.id
    WHERE CASE s.origin WHEN 'import' THEN brought_in.frozen_at WHEN 'outage' THEN entered.recorded_at ELSE s.at END
        <= :as_of
      AND (d.voided_at IS NULL OR d.voided_at > :as_of)
"""

_ADMINISTERED = f"""
SELECT asked.place, dose_day, portion, mg, order_id, outcome, extra
FROM {_ASKED} JOIN (
    SELECT d.client_id, d.dose_day, d.portion, d.mg, d.order_id, '' AS outcome, 0 AS extra
    FROM dose d JOIN supply s ON s.id = d.supply_id {_ON_RECORD} AND d.kind = 'observed'
    UNION ALL
    SELECT x.client_id, x.dose_day, 0, x.mg, NULL, '',
        row_number() OVER (PARTITION BY x.client_id, x.dose_day ORDER BY x.id)
    FROM extra_dose x JOIN supply s ON s.id = x.supply_id
    WHERE s.at <= :as_of AND (x.voided_at IS NULL OR x.voided_at > :as_of)
    UNION ALL
    SELECT client_id, dose_day, portion, NULL, NULL, outcome, 0 FROM ({DAYS}) AS closed
    WHERE outcome IN ('missed', 'held')
) AS doses USING (client_id)
WHERE dose_day >= asked.from_day AND dose_day < asked.until_day
ORDER BY asked.place, dose_day, extra, portion, outcome
"""

_DISPENSED = f"""
SELECT asked.place, d.supply_id, min(s.dose_day) AS on_day, sum(d.mg) AS mg, count(DISTINCT d.dose_day) AS days,
    array_agg(DISTINCT d.order_id) AS orders
FROM {_ASKED} JOIN dose d ON d.client_id = asked.client_id JOIN supply s ON s.id = d.supply_id {_ON_RECORD}
    AND d.kind = 'take_home' AND s.dose_day >= asked.from_day AND s.dose_day < asked.until_day
GROUP BY asked.place, d.supply_id ORDER BY asked.place, on_day, d.supply_id
"""

_OBSERVED = f"""
SELECT asked.place, r.id, r.analyte, r.taken_on, r.number, r.comparator, r.choice, r.replaces IS NOT NULL AS corrected
FROM {_ASKED} JOIN health_result r ON r.client_id = asked.client_id
WHERE r.entered_at <= :as_of AND num_nonnulls(r.number, r.choice) = 1
    AND NOT EXISTS (SELECT 1 FROM health_result n WHERE n.replaces = r.id AND n.entered_at <= :as_of)
    AND r.taken_on >= asked.from_day AND r.taken_on < asked.until_day
ORDER BY asked.place, r.taken_on, r.analyte, r.id
"""

_BOOKED = f"""
SELECT asked.place, b.id, CASE WHEN b.changed_at <= :as_of THEN b.state ELSE 'booked' END AS state,
    CAST(b.starts_at AT TIME ZONE place.zone AS date) AS on_day,
    CAST(extract(epoch FROM slot.ends_at - slot.starts_at) / 60 AS integer) AS minutes
FROM {_ASKED} JOIN booking b ON b.holder_id = asked.client_id JOIN place ON place.id = b.place_id
JOIN slot ON slot.place_id = b.place_id AND slot.starts_at = b.starts_at
WHERE b.made_at <= :as_of AND b.day >= asked.from_day AND b.day < asked.until_day
ORDER BY asked.place, on_day, b.id
"""

_SLOTS = """
SELECT s.place_id, s.starts_at, s.ends_at, (
    SELECT count(*) FROM booking b WHERE b.place_id = s.place_id AND b.starts_at = s.starts_at AND b.made_at <= :as_of
    AND (b.changed_at > :as_of OR b.state IN ('booked', 'arrived', 'missed'))) AS booked, s.capacity
FROM slot s WHERE s.place_id = ANY(CAST(:sites AS uuid[])) AND s.day >= :from_day AND s.day < :until_day
    AND EXISTS (SELECT 1 FROM booking b
        WHERE b.place_id = s.place_id AND b.starts_at = s.starts_at AND b.made_at <= :as_of)
ORDER BY s.place_id, s.starts_at
"""

SAYS: Mapping[str, str] = {
    "Patient": "clients in treatment within the period; a sex that too few share with them is unknown",
    "EpisodeOfCare": "their times in treatment that reach into it",
    "MedicationRequest": "their orders that reach into it",
    "MedicationAdministration": "portions swallowed at the counter; missed and held ones as not done, with the reason",
    "MedicationDispense": "doses handed over to be taken elsewhere, a resource for each hand-over",
    "Observation": "results that no later one had replaced",
    "Appointment": "bookings, by the day; none names its slot, nor its time of day",
    "Schedule": "the sites' slots, on days of the calendar",
    "Slot": "slots that were booked; busy when nobody else can",
}
"""The resource types, each with what its file has."""


@dataclass(frozen=True)
class FhirFigures:
    """What an export of records has."""

    clients: int
    resources: Mapping[str, int]


@through(Door.FIGURES)
def export_fhir(
    session: ReadSession,
    *,
    places: Sequence[Place],
    period: Period,
    as_of: datetime,
    now: datetime,
    tests: Mapping[str, Tested],
    path: Path,
    shield: Shield = SHIELDED,
) -> FhirFigures:
    """Writes the records of the sites' clients as NDJSON beside `path`, with the manifest. `tests` says what they are.

    Raises BadInput.
    """
    check_moment(period, as_of, now)
    purpose = purpose_of("fhir", places, period, as_of)
    bound = {
        "sites": [place.id for place in places],
        "days": [place.dose_day(as_of) for place in places],
        "as_of": as_of,
        "as_of_day": max((place.dose_day(as_of) for place in places), default=period.from_day),
        "from_day": period.from_day,
        "until_day": period.until_day,
    }
    people, left_out = _people(session, bound, purpose, shield)
    windows = windows_of(
        session, purpose, [who for who, _ in people], places=places, period=period, as_of=as_of, shield=shield
    )
    bound |= {
        "clients": list(windows),
        "from_days": [window.from_day for window in windows.values()],
        "until_days": [window.until_day for window in windows.values()],
    }
    signer = signer_at(session, as_of)
    records = _Records(session, bound, [who for _, who in people], partial(_name, signer, purpose), tests, places)
    with Export(path) as out:
        tables = [out.lines(f"-{kind}", SAYS[kind], make()) for kind, make in records.kinds().items()]
        figures = FhirFigures(len(people), {kind: table.rows for kind, table in zip(SAYS, tables, strict=True)})
        definition = {
            "name": "fhir",
            "version": "2",
            "says": "Records as FHIR R4 (4.0.1), one file a resource type.",
            "entry": f"{fhir.ENTRY}: what each client's day of entry is called; other days are counted from it",
        }
        said = statement("fhir", places, period, as_of, definition)
        said |= {
            "figures": {"clients": figures.clients, **figures.resources},
            "exclusions": [{"what": left_out_says(shield), "count": told_of(left_out, shield.least)}],
            "hidden": {"says": shield.said()},
            "parameters": {},
            **_bulk(tables, places, period, as_of),
        }
        out.manifest(said, tables)
    return figures


def _bulk(tables: Sequence[Table], places: Sequence[Place], period: Period, as_of: datetime) -> dict[str, object]:
    """What the manifest of FHIR's bulk data has: whatever reads such an export finds the files by it."""
    sites = " ".join(f"--site {code}" for code in sorted(place.code for place in places))
    last = period.until_day - timedelta(days=1)
    moment = as_of.astimezone(UTC)
    asked = f"--from {period.from_day} --to {last} --as-of {moment:%Y-%m-%dT%H:%M:%S}"
    return {
        "transactionTime": moment.isoformat(),
        "request": f"dispensary export fhir {asked} {sites}",
        "requiresAccessToken": False,
        "output": [
            {"type": kind, "url": table.name, "count": table.rows}
            for kind, table in zip(SAYS, tables, strict=True)
            if table.rows
        ],
        "error": [],
    }


def _name(vault: Vault, purpose: str, of: UUID) -> str:
    return pseudonym(vault, purpose, of)


def _people(
    session: ReadSession, bound: Mapping[str, Any], purpose: str, shield: Shield
) -> tuple[list[tuple[UUID, Who]], int]:
    """Everybody in the export by pseudonym, with their sex where enough others have it, and how many are left out."""
    rows = {row.id: row for row in session.execute(text(_PEOPLE), bound)}
    signer = signer_at(session, bound["as_of"])
    told = shield.among({row.id: Traits(f"{row.entry.year}", row.site, row.sex) for row in rows.values()})
    named = [
        (
            client,
            Who(
                pseudonym(signer, purpose, client),
                rows[client].entry,
                "unknown" if traits.sex == UNTOLD else traits.sex,
            ),
        )
        for client, traits in told.items()
    ]
    return sorted(named, key=lambda each: each[1].name), len(rows) - len(told)


@dataclass(frozen=True)
class _Records:
    """The resources of each type, made while they are read."""

    session: ReadSession
    bound: Mapping[str, Any]
    people: Sequence[Who]
    name: Callable[[UUID], str]
    tests: Mapping[str, Tested]
    places: Sequence[Place]

    def kinds(self) -> dict[str, Callable[[], Iterator[Resource]]]:
        """In the order of SAYS."""
        return {
            "Patient": lambda: map(fhir.patient, self.people),
            "EpisodeOfCare": self.episodes,
            "MedicationRequest": self.orders,
            "MedicationAdministration": self.administered,
            "MedicationDispense": self.dispensed,
            "Observation": self.observed,
            "Appointment": self.booked,
            "Schedule": self.schedules,
            "Slot": self.slots,
        }

    def rows(self, sql: str) -> Iterator[Any]:
        yield from self.session.execute(text(sql), self.bound, execution_options={"yield_per": _ROWS_AT_ONCE})

    def theirs(self, sql: str) -> Iterator[tuple[Who, Any]]:
        return ((self.people[row.place - 1], row) for row in self.rows(sql))

    def episodes(self) -> Iterator[Resource]:
        for who, row in self.theirs(_EPISODES):
            yield fhir.episode(who, self.name(row.id), row.began_on, row.ended_on)

    def orders(self) -> Iterator[Resource]:
        for who, row in self.theirs(_ORDERS):
            yield fhir.order(
                who,
                self.name(row.id),
                portions=row.portions,
                from_day=row.from_day,
                until_day=row.until_day,
                end_reason=row.end_reason,
                authored_on=row.authored_on,
            )

    def administered(self) -> Iterator[Resource]:
        for who, row in self.theirs(_ADMINISTERED):
            which = f"x{row.extra}" if row.extra else f"{row.portion}{row.outcome[:1]}"
            name = f"{who.name}.{(row.dose_day - who.entry).days}.{which}"
            if row.outcome:
                yield fhir.not_given(who, name, on=row.dose_day, outcome=row.outcome)
            else:
                ordered = self.name(row.order_id) if row.order_id else ""
                yield fhir.given(who, name, on=row.dose_day, mg=row.mg, order_name=ordered)

    def dispensed(self) -> Iterator[Resource]:
        for who, row in self.theirs(_DISPENSED):
            orders = sorted(self.name(each) for each in row.orders)
            name = self.name(row.supply_id)
            yield fhir.dispensed(who, name, on=row.on_day, mg=row.mg, days=row.days, orders=orders)

    def observed(self) -> Iterator[Resource]:
        for who, row in self.theirs(_OBSERVED):
            yield fhir.observation(
                who,
                self.name(row.id),
                test=self.tests[row.analyte],
                on=row.taken_on,
                number=row.number,
                comparator=row.comparator,
                choice=row.choice,
                corrected=row.corrected,
            )

    def booked(self) -> Iterator[Resource]:
        for who, row in self.theirs(_BOOKED):
            name = self.name(row.id)
            yield fhir.appointment(who, name, state=row.state, on=row.on_day, minutes=row.minutes)

    def schedules(self) -> Iterator[Resource]:
        spans: dict[UUID, tuple[datetime, datetime]] = {}
        for row in self.rows(_SLOTS):
            first, _ = spans.get(row.place_id, (row.starts_at, row.ends_at))
            spans[row.place_id] = (first, row.ends_at)
        for place in sorted(self.places, key=lambda each: each.code):
            if place.id in spans:
                yield fhir.schedule(self.name(place.id), place.code, *map(_utc, spans[place.id]))

    def slots(self) -> Iterator[Resource]:
        for row in self.rows(_SLOTS):
            schedule = self.name(row.place_id)
            name = f"{schedule}.{_utc(row.starts_at):%Y%m%d%H%M}"
            full = row.booked >= row.capacity
            yield fhir.slot(name, schedule, starts_at=_utc(row.starts_at), ends_at=_utc(row.ends_at), full=full)


def _utc(moment: datetime) -> datetime:
    return moment.astimezone(UTC)
