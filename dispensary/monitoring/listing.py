"""Who at a site has a test that is late or soon due, a grave result, a day to look, or no medicine for today."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum

from sqlalchemy import select

from dispensary.clients.models import Client
from dispensary.database import ReadSession
from dispensary.monitoring.due import When
from dispensary.monitoring.findings import Severity
from dispensary.monitoring.judged import Caused, judge
from dispensary.monitoring.judging import Seen, due_of, rules_of, see, setting_of
from dispensary.monitoring.late import late_today
from dispensary.monitoring.queries import open_alerts
from dispensary.monitoring.treatment_models import Medication, ScheduledLook
from dispensary.staff.rules import Role
from dispensary.units import ClientId, SiteId


class Kind(StrEnum):
    """The lists, in the order in which a page offers them."""

    MINE = "mine"
    """An open alert of health for the reader's work, or passed on to it."""
    LOOK = "look"
    """A day to look has come: the effect of a medicine comes or goes."""
    LATE = "late"
    SOON = "soon"
    ALT = "alt"
    QTC = "qtc"
    VIRAL_LOAD = "viral-load"
    NO_MEDICINE = "no-medicine"
    """What was refilled of a treatment has run out."""


@dataclass(frozen=True, repr=False)
class Listed:
    """Why a client is on a list. The smaller the weight, the sooner somebody should act."""

    kind: Kind
    weight: int
    client_id: ClientId
    number: str
    name: str
    what: str
    """The test, the treatment, or the sentence that the rule says."""
    on: date
    """Since when, or when it is due."""
    advice: str = ""
    rule: str = ""
    """Of a test that is due the rule that says so; of an alert that was passed on whose it is."""


@dataclass(frozen=True)
class _Why:
    kind: Kind
    weight: int
    client_id: ClientId
    what: str
    on: date
    advice: str = ""
    rule: str = ""


_FOUND = {"alt": Kind.ALT, "hy": Kind.ALT, "tb-alt": Kind.ALT, "qtc": Kind.QTC, "viral-load": Kind.VIRAL_LOAD}
_WEIGHT = {Severity.URGENT: 0, Severity.WARNING: 2}


def listed(
    session: ReadSession, *, site_id: SiteId, today: date, roles: Collection[Role] = frozenset()
) -> list[Listed]:
    """Every reason of everybody in treatment, and the open alerts of these roles; the gravest first.

    It is read from what is known now, not from what the last night wrote: a result that was entered a moment ago
    counts. Only for those who treat.
    """
    found = [*_reasons(session, site_id, today), *_alerts(session, site_id, roles)]
    session.vault.know({each.client_id for each in found})
    who = {
        row.id: (row.number, session.vault.open("client.name", row.id, row.name_sealed))
        for row in session.execute(
            select(Client.id, Client.number, Client.name_sealed).where(
                Client.id.in_({each.client_id for each in found})
            )
        )
    }
    rows = [
        Listed(each.kind, each.weight, each.client_id, *who[each.client_id], each.what, each.on, each.advice, each.rule)
        for each in found
    ]
    return sorted(rows, key=lambda row: (row.weight, row.on, row.number, row.kind))


def _reasons(session: ReadSession, site_id: SiteId, today: date) -> Iterator[_Why]:
    rules, setting = rules_of(session, site_id=site_id), setting_of(session, site_id=site_id)
    for client_id, seen in see(session, site_id=site_id, on=today).items():
        for due in due_of(seen, rules):
            when = due.when(today)
            if when is not When.LATER:
                is_late = when is When.LATE
                kind = Kind.LATE if is_late else Kind.SOON
                yield _Why(kind, 3 if is_late else 5, client_id, due.test, due.on, rule=due.rule.source)
        for each in judge(seen.health, today, setting):
            if each.finding.kind in _FOUND and each.finding.severity in _WEIGHT:
                yield _Why(
                    _FOUND[each.finding.kind],
                    _WEIGHT[each.finding.severity],
                    client_id,
                    each.finding.sentence,
                    _measured_on(seen, each) or today,
                    each.finding.advice,
                )
    for late in late_today(session, site_id=site_id, today=today):
        yield _Why(Kind.NO_MEDICINE, 1, late.client_id, late.kind, late.runs_out)
    yield from _looks(session, site_id, today)


def _alerts(session: ReadSession, site_id: SiteId, roles: Collection[Role]) -> Iterator[_Why]:
    own = {role.value for role in roles}
    for alert in open_alerts(session, site_id=site_id):
        if alert.rule and own & {alert.role, alert.escalated_to}:
            weight = {"urgent": 0, "warning": 2}.get(alert.severity, 4)
            passed_on = alert.role if alert.role not in own else ""
            day = alert.opened_at.date()
            client_id = ClientId(alert.client_id)
            yield _Why(Kind.MINE, weight, client_id, alert.sentence, day, alert.advice, passed_on)


def _measured_on(seen: Seen, each: Caused) -> date | None:
    """The day of the newest result that a finding rests on."""
    rests_on = set(each.evidence)
    days = [known.on for results in seen.health.results.values() for known in results if str(known.id) in rests_on]
    return max(days, default=None)


def _looks(session: ReadSession, site_id: SiteId, today: date) -> Iterator[_Why]:
    rows = session.execute(
        select(ScheduledLook.client_id, ScheduledLook.on_day, ScheduledLook.why)
        .join(Medication, Medication.id == ScheduledLook.medication_id)
        .where(ScheduledLook.site_id == site_id, ScheduledLook.done_at.is_(None), ScheduledLook.on_day <= today)
        .order_by(ScheduledLook.on_day)
    )
    for row in rows:
        overdue = row.on_day < today - timedelta(days=1)
        yield _Why(Kind.LOOK, 1 if overdue else 2, ClientId(row.client_id), row.why, row.on_day)


def counts(rows: Sequence[Listed]) -> dict[Kind, int]:
    """How many clients stand on each list."""
    return {kind: len({row.client_id for row in rows if row.kind is kind}) for kind in Kind}
