"""Judging the health of everybody at a site, or of one client: a few statements, however many they are.

What is read for everybody is read at once; the rules are pure and take no time beside it. A night's run and the entry
of one result are the same work.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from fractions import Fraction
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy import delete, insert, select, text

from dispensary.database import ReadSession, WriteSession
from dispensary.documents import Status
from dispensary.monitoring import due as due_rules
from dispensary.monitoring.adherence import Fill
from dispensary.monitoring.alerts import keep_alerts
from dispensary.monitoring.analytes import Comparator
from dispensary.monitoring.due import Due, DueRule
from dispensary.monitoring.due_models import DueTest, HealthSetting, QuietRule
from dispensary.monitoring.interactions import Effect, known_as
from dispensary.monitoring.judged import (
    ADHERENCE_DAYS,
    Caused,
    Health,
    Known,
    Part,
    Running,
    Setting,
    Supported,
    judge,
    worth_an_alert,
)
from dispensary.monitoring.viral import NEWEST
from dispensary.units import ClientId, SiteId

SATISFIED_BY: Mapping[str, tuple[str, ...]] = {"liver": ("alt",), "ecg": ("qt", "qtc")}
"""Which tests count as the one that a rule of due tests speaks of; any other counts as itself."""


@dataclass(frozen=True)
class Judged:
    """What a run came to."""

    clients: int
    opened: int
    raised: int
    late: int
    """How many tests are late."""

    def as_json(self) -> dict[str, object]:
        return {"clients": self.clients, "opened": self.opened, "raised": self.raised, "late": self.late}


@dataclass(frozen=True)
class Seen:
    """A client's health, and since when each circumstance holds that makes a test due."""

    health: Health
    circumstances: Mapping[str, date]


_PEOPLE = """
SELECT client.id, client.sex, client.birth_year, episode.began_on
FROM client JOIN episode ON episode.client_id = client.id
    AND episode.began_on <= :on AND (episode.ended_on IS NULL OR episode.ended_on > :on)
WHERE client.site_id = :site AND (:everybody OR client.id = ANY(:clients))
"""

# Of each test the newest few: a run of high viral loads, a trend of ALT; of the others the last one counts.
_RESULTS = """
SELECT id, client_id, analyte, taken_on, number, comparator, choice, upper, panel, formula FROM (
    SELECT r.*, row_number() OVER (
        PARTITION BY r.client_id, r.analyte ORDER BY r.taken_on DESC, r.entered_at DESC, r.id DESC
    ) AS newest
    FROM health_result r
    WHERE r.client_id IN (SELECT id FROM client WHERE site_id = :site)
        AND (:everybody OR r.client_id = ANY(:clients)) AND r.taken_on <= :on
        AND (r.number IS NOT NULL OR r.choice IS NOT NULL)
        AND NOT EXISTS (SELECT FROM health_result newer WHERE newer.replaces = r.id)
) AS numbered
WHERE newest <= CASE WHEN analyte IN ('viral_load', 'heart_rate') THEN 8 WHEN analyte = 'alt' THEN 3 ELSE 1 END
ORDER BY client_id, analyte, newest DESC
"""

_CONDITIONS = """
SELECT c.client_id, c.kind, c.noted_on FROM client_condition c JOIN client ON client.id = c.client_id
WHERE client.site_id = :site AND (:everybody OR c.client_id = ANY(:clients))
    AND c.noted_on <= :on AND (c.ended_on IS NULL OR c.ended_on > :on)
"""

_TREATMENTS = """
SELECT id, client_id, kind, started_on FROM treatment
WHERE site_id = :site AND (:everybody OR client_id = ANY(:clients))
    AND started_on <= :on AND (stopped_on IS NULL OR stopped_on > :on)
"""

# Those that are taken; of a treatment also those that were switched for others in the time over which it is counted.
_MEDICINES = f"""
SELECT id, client_id, treatment_id, substance, name, started_on, stopped_on,
    stopped_on IS NULL OR stopped_on > :on AS taken,
    count(*) OVER (PARTITION BY treatment_id, name) > 1 AS again FROM medication
WHERE site_id = :site AND (:everybody OR client_id = ANY(:clients)) AND started_on <= :on
    AND (stopped_on IS NULL OR stopped_on > CAST(:on AS date)
        - CASE WHEN treatment_id IS NULL THEN 0 ELSE {ADHERENCE_DAYS} END)
"""

_REFILLS = """
SELECT refill.medication_id, refill.on_day, refill.days FROM refill
JOIN medication ON medication.id = refill.medication_id
WHERE medication.site_id = :site AND (:everybody OR medication.client_id = ANY(:clients))
    AND medication.treatment_id IS NOT NULL AND refill.voided_at IS NULL AND refill.on_day <= :on
    AND refill.on_day > CAST(:on AS date) - 800
"""

_SUPPORT = """
SELECT id, client_id, on_day FROM adherence_support
WHERE client_id IN (SELECT id FROM client WHERE site_id = :site)
    AND (:everybody OR client_id = ANY(:clients)) AND voided_at IS NULL
    AND on_day <= :on AND on_day > CAST(:on AS date) - 800
ORDER BY on_day
"""

# Since when the ordered dose has been above 100 mg without a day below: the order of today, and those before it.
_ABOVE_100 = """
SELECT client_id, max(began) AS since FROM (
    SELECT o.client_id, CASE WHEN lag(o.mg > 100) OVER w IS DISTINCT FROM true THEN lower(o.days) END AS began, o.mg,
        last_value(o.mg) OVER (PARTITION BY o.client_id ORDER BY lower(o.days)
            ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING) AS now_mg
    FROM dose_order o
    WHERE o.client_id IN (SELECT id FROM client WHERE site_id = :site)
        AND (:everybody OR o.client_id = ANY(:clients)) AND o.voided_at IS NULL
        AND lower(o.days) <= :on
    WINDOW w AS (PARTITION BY o.client_id ORDER BY lower(o.days))
) AS orders WHERE now_mg > 100 AND mg > 100 GROUP BY client_id
"""


def see(
    session: ReadSession, *, site_id: SiteId, on: date, client_ids: Sequence[ClientId] | None = None
) -> dict[ClientId, Seen]:
    """The health of everybody in treatment at a site on a day, or of these clients of it."""
    asked = {"site": site_id, "on": on, "everybody": client_ids is None, "clients": list(client_ids or ())}

    def rows(sql: str) -> Sequence[Any]:
        return session.execute(text(sql), asked).all()

    results: dict[ClientId, dict[str, list[Known]]] = defaultdict(lambda: defaultdict(list))
    for row in rows(_RESULTS):
        results[row.client_id][row.analyte].append(
            Known(
                row.id,
                row.taken_on,
                row.number,
                Comparator(row.comparator),
                row.choice or "",
                row.upper,
                row.panel,
                row.formula,
            )
        )
    fills: dict[UUID, list[Fill]] = defaultdict(list)
    for row in rows(_REFILLS):
        fills[row.medication_id].append(Fill(row.on_day, row.days))
    medicines: dict[ClientId, list[Any]] = defaultdict(list)
    parts: dict[UUID, dict[str, Part]] = defaultdict(dict)
    for row in rows(_MEDICINES):
        if row.taken:
            medicines[row.client_id].append(row)
        if row.treatment_id is not None:
            name = f"{row.substance} from {row.started_on}" if row.again else row.substance
            parts[row.treatment_id][name] = Part(fills[row.id], row.started_on, row.stopped_on)
    treatments: dict[ClientId, dict[str, Running]] = defaultdict(dict)
    for row in rows(_TREATMENTS):
        treatments[row.client_id][row.kind] = Running(row.started_on, parts[row.id])
    conditions: dict[ClientId, dict[str, date]] = defaultdict(dict)
    for row in rows(_CONDITIONS):
        conditions[row.client_id][row.kind] = row.noted_on
    support: dict[ClientId, list[Supported]] = defaultdict(list)
    for row in rows(_SUPPORT):
        support[row.client_id].append(Supported(row.id, row.on_day))
    above = {row.client_id: row.since for row in rows(_ABOVE_100)}
    seen = {}
    for row in rows(_PEOPLE):
        health = Health(
            sex=row.sex if row.sex in ("male", "female") else "",
            age=on.year - row.birth_year if row.birth_year else None,
            results=results[row.id],
            treatments=treatments[row.id],
            medicines=[each.substance for each in medicines[row.id]],
            support=support[row.id],
        )
        since = _circumstances(
            row.began_on, conditions[row.id], treatments[row.id], medicines[row.id], above.get(row.id)
        )
        seen[row.id] = Seen(health, since)
    return seen


def _circumstances(
    began_on: date,
    conditions: Mapping[str, date],
    treatments: Mapping[str, Running],
    medicines: Sequence[Any],
    above_100: date | None,
) -> dict[str, date]:
    since: dict[str, date] = {"episode": began_on, "episode_start": began_on, **conditions}
    for kind, running in treatments.items():
        since[kind] = running.since
    if "art" in treatments:
        since["art_start"] = treatments["art"].since
    hepatitis = [conditions[kind] for kind in ("hepatitis_b", "hepatitis_c") if kind in conditions]
    if "tb" in treatments:
        since["tb_treatment_start"] = treatments["tb"].since
        if hepatitis:
            since["tb_treatment+hepatitis"] = treatments["tb"].since
    else:
        since["no_tb_treatment"] = began_on
    if "hiv" not in conditions:
        since["no_hiv"] = began_on
    if "hepatitis_c" not in conditions:
        since["no_hepatitis_c"] = began_on
    if above_100 is not None:
        since["dose_above_100"] = above_100
    lengthening = [m.started_on for m in medicines if any(Effect.QT in r.effects for r in known_as(m.substance))]
    if lengthening:
        since["qt_medicine"] = since["qt_medicine_start"] = max(lengthening)
    return since


def rules_of(session: ReadSession, *, site_id: SiteId) -> list[DueRule]:
    """The rules of due tests as the site follows them: with its own intervals, without those that it does not."""
    own = {
        row.rule: row
        for row in session.execute(
            text("SELECT rule, every_months, ignored FROM due_setting WHERE site_id = :site"), {"site": site_id}
        )
    }
    rules = []
    for rule in due_rules.rules():
        set_here = own.get(rule.key)
        if set_here is None:
            rules.append(rule)
        elif not set_here.ignored:
            active = {"status": Status.ACTIVE, "confidence": "site", "source": "Set by the site"}
            rules.append(msgspec.structs.replace(rule, every_months=set_here.every_months, **active))
    return rules


def due_of(seen: Seen, rules: Sequence[DueRule]) -> list[Due]:
    """What is due for a client by these rules."""
    tests = {rule.test for rule in rules}
    done = {
        test: [each.on for code in SATISFIED_BY.get(test, (test,)) for each in seen.health.results.get(code, ())]
        for test in tests
    }
    return due_rules.due(seen.circumstances, done, by=rules)


def setting_of(session: ReadSession, *, site_id: SiteId) -> Setting:
    """What the site judges by."""
    row = session.get(HealthSetting, site_id)
    quiet = frozenset(session.scalars(select(QuietRule.rule).where(QuietRule.site_id == site_id)))
    if row is None:
        return Setting(NEWEST, quiet=quiet)
    return Setting(row.viral_load_version, Fraction(row.adherence_percent, 100), quiet)


def judge_health(
    session: WriteSession,
    *,
    site_id: SiteId,
    on: date,
    at: datetime,
    client_ids: Sequence[ClientId] | None = None,
) -> Judged:
    """Judges everybody at the site, or these clients: alerts are opened or raised, and what is due is written anew."""
    seen = see(session, site_id=site_id, on=on, client_ids=client_ids)
    setting, rules = setting_of(session, site_id=site_id), rules_of(session, site_id=site_id)
    found: dict[ClientId, list[Caused]] = {}
    rows: list[dict[str, object]] = []
    late = 0
    for client_id, each in seen.items():
        grave = worth_an_alert(judge(each.health, on, setting), setting.quiet)
        if grave:
            found[client_id] = grave
        for due in due_of(each, rules):
            late += due.on < on
            rows.append(
                {
                    "client_id": client_id,
                    "test": due.test,
                    "site_id": site_id,
                    "due_on": due.on,
                    "rule": due.rule.key,
                    "judged_on": on,
                }
            )
    gone = delete(DueTest).where(DueTest.site_id == site_id)
    if client_ids is not None:
        gone = gone.where(DueTest.client_id.in_(list(client_ids)))
    session.execute(gone.execution_options(synchronize_session=False))
    if rows:
        session.execute(insert(DueTest), rows)
    changed = keep_alerts(session, found, site_id=site_id, at=at)
    return Judged(len(seen), changed.opened, changed.raised, late)
