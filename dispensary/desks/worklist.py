"""Who waits for a doctor or a nurse at a site, and why: read for everybody at once, one statement a reason."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import ClassVar
from uuid import UUID

from sqlalchemy import select, text

from dispensary.clients.goals import Keeps, looked_after_by
from dispensary.clients.models import Client
from dispensary.database import ReadSession
from dispensary.monitoring.queries import open_alerts
from dispensary.prescribing.adopting import guideline_of
from dispensary.prescribing.guideline import Ruling
from dispensary.prescribing.sections import Topic, Verdict
from dispensary.staff.models import Site
from dispensary.supplies.stopped import without_dose
from dispensary.units import AccountId, ClientId, SiteId

ENDS_WITHIN = timedelta(days=7)
"""An order whose last day is this near is on the list: a site that opens once a week still sees it in time."""


class Kind(StrEnum):
    """The kinds of reasons, in the order in which the page offers them."""

    ALERT = "alert"
    MISHAP = "mishap"
    ABSENT = "absent"
    REDUCED = "reduced"
    ORDER = "order"
    TAKE_HOME = "take-home"
    AGENT = "agent"
    TASK = "task"


class Whose(StrEnum):
    """Whose clients are listed: everybody's, those whom the reader has taken on, or those whom nobody has."""

    EVERYBODY = ""
    MINE = "mine"
    NOBODY = "nobody"


@dataclass(frozen=True)
class Reason:
    """One reason why a client is on the list."""

    kind: ClassVar[Kind]
    weight: int
    """The smaller, the sooner somebody must act."""


@dataclass(frozen=True)
class AlertIsOpen(Reason):
    kind = Kind.ALERT
    severity: str
    sentence: str
    role: str
    """Who must act on it."""
    passed_on_to: str = ""
    """Who must act on it too, because nobody of its role has read it in time."""
    of_health: bool = False
    """Whether a rule of health opened it, so that it is answered on the client's page of health."""


@dataclass(frozen=True)
class DosesAreBlocked(Reason):
    """After a wrong dose no further one leaves the counter until a prescriber has reviewed it."""

    kind = Kind.MISHAP
    what: str
    day: date


@dataclass(frozen=True)
class IsAbsent(Reason):
    kind = Kind.ABSENT
    day: date
    """The last day with a dose."""
    days: int
    """Whole days without one since."""
    ordered_since: bool
    """Whether the prescriber has ordered again, knowing of it."""
    ruling: Ruling | None
    """What the guideline says that the site follows; nothing when it follows none for missed days."""


@dataclass(frozen=True)
class DoseIsReduced(Reason):
    """Less than the order is given, as a prescriber agreed by telephone, until one orders again."""

    kind = Kind.REDUCED
    mg: Decimal
    day: date


@dataclass(frozen=True)
class OrderEnds(Reason):
    kind = Kind.ORDER
    day: date | None
    """Its last day; nothing when there never was an order."""


@dataclass(frozen=True)
class TakeHomeDiffers(Reason):
    """The newest assessment says something other than what is in force, and no doctor has decided on it."""

    kind = Kind.TAKE_HOME
    proposed: tuple[int, int | None]
    """Days at once and days a week."""
    decided: tuple[int, int | None] | None

    @property
    def rises(self) -> bool:
        """Whether the assessment says more than what is in force."""
        return _size(self.proposed) > _size(self.decided or (0, 0))


@dataclass(frozen=True)
class TakeHomeIsSuspended(Reason):
    kind = Kind.TAKE_HOME
    review_on: date


@dataclass(frozen=True)
class AgentAwaits(Reason):
    """The client has signed that somebody collects for them, and no prescriber has agreed to it yet."""

    kind = Kind.AGENT
    signed_on: date
    last_day: date


@dataclass(frozen=True)
class TaskIsDue(Reason):
    kind = Kind.TASK
    task_id: UUID
    what: str
    sentence: str
    role: str
    due_on: date


@dataclass(frozen=True, repr=False)
class Waits:
    """A client on the list with every reason, the gravest first."""

    client_id: ClientId
    number: str
    name: str
    taken: Mapping[AccountId, Keeps]
    """Who of the staff looks after the client, who has them longest first."""
    reasons: tuple[Reason, ...]


def _size(allowed: tuple[int, int | None]) -> tuple[int, int]:
    """Days a week and days at once, so that no take-home is one thing, however it was written."""
    per_supply, per_week = allowed
    return ((7 if per_week is None else per_week), per_supply) if per_supply and per_week != 0 else (0, 0)


# Everybody in treatment at the site today; what follows reads along with it.
_HERE = "e.site_id = :site AND e.began_on <= :today AND (e.ended_on IS NULL OR e.ended_on > :today)"

# An order that somebody stopped is a gap that somebody chose, and nobody's task.
_ORDERS = text(f"""
SELECT e.client_id, upper(last.days) - 1 AS day
FROM episode e
LEFT JOIN LATERAL (SELECT o.days, o.end_reason FROM dose_order o
    WHERE o.episode_id = e.id AND o.voided_at IS NULL ORDER BY lower(o.days) DESC LIMIT 1) last ON true
WHERE {_HERE} AND (last.days IS NULL OR (last.end_reason = 'as_written' AND upper(last.days) - 1 <= :soon))
""")

# What a doctor has decided on the newest assessment is no proposal any more, whatever was decided. While take-home is
# suspended or granted once, what was usual before is not what is in force, and nothing is proposed against it.
_TAKE_HOME = text(f"""
SELECT e.client_id, said.per_supply, said.per_week, d.id AS decision, d.per_supply AS has, d.per_week AS has_a_week
FROM episode e
CROSS JOIN LATERAL (SELECT * FROM assessment WHERE assessment.client_id = e.client_id
    ORDER BY made_at DESC, id DESC LIMIT 1) a
CROSS JOIN LATERAL (SELECT CAST(a.result -> 'allowance' ->> 'per_supply' AS int) AS per_supply,
    CAST(a.result -> 'allowance' ->> 'per_week' AS int) AS per_week) said
LEFT JOIN decision d ON d.episode_id = e.id AND d.voided_at IS NULL AND d.days @> CAST(:today AS date)
WHERE {_HERE} AND a.episode_id = e.id AND said.per_supply IS NOT NULL
    AND coalesce(d.kind, 'grant') IN ('grant', 'by_law')
    AND NOT EXISTS (SELECT 1 FROM decision about WHERE about.assessment_id = a.id)
    AND (said.per_supply, said.per_week) IS DISTINCT FROM (d.per_supply, d.per_week)
""")

_SUSPENDED = text(f"""
SELECT e.client_id, d.review_on
FROM episode e
JOIN decision d ON d.episode_id = e.id AND d.voided_at IS NULL AND d.days @> CAST(:today AS date)
WHERE {_HERE} AND d.kind = 'suspension'
""")

_BLOCKED = text("""
SELECT x.client_id, x.kind, x.dose_day FROM dose_exception x JOIN client c ON c.id = x.client_id
WHERE c.site_id = :site AND x.closed_at IS NULL AND x.blocks
""")

_REDUCED = text(f"""
SELECT e.client_id, r.mg, r.from_day
FROM episode e JOIN reduction r ON r.episode_id = e.id AND r.ended_at IS NULL
WHERE {_HERE}
""")

# A consent that was agreed to, revoked or is over waits for nobody; of several for one client the newest speaks.
_AGENTS = text(f"""
SELECT DISTINCT ON (e.client_id) e.client_id, c.signed_on, c.last_day
FROM episode e JOIN agent_consent c ON c.client_id = e.client_id
WHERE {_HERE} AND c.agreed_at IS NULL AND c.revoked_at IS NULL AND c.last_day >= :today
ORDER BY e.client_id, c.recorded_at DESC, c.id DESC
""")

# What another desk has to do is on this list once it is late.
_TASKS = text("""
SELECT id, client_id, kind, sentence, role, due_on FROM task
WHERE site_id = :site AND done_at IS NULL
    AND due_on <= CASE WHEN role IN ('doctor', 'nurse') THEN CAST(:today AS date) ELSE CAST(:today AS date) - 1 END
ORDER BY due_on, opened_at
""")

_ALERT_WEIGHT = {"urgent": 0, "warning": 2}


def waiting(session: ReadSession, *, site_id: SiteId, today: date) -> list[Waits]:
    """Everybody who waits for somebody, each once with every reason; the gravest first, then by client number."""
    found: dict[ClientId, list[Reason]] = defaultdict(list)
    for client_id, reason in _reasons(session, site_id, today):
        found[client_id].append(reason)
    session.vault.know(found)
    taken = looked_after_by(session, found)
    listed = [
        Waits(
            client_id=client_id,
            number=number,
            name=session.vault.open("client.name", client_id, name),
            taken=taken.get(client_id, {}),
            reasons=tuple(sorted(found[client_id], key=lambda reason: reason.weight)),
        )
        for client_id, number, name in session.execute(
            select(Client.id, Client.number, Client.name_sealed).where(Client.id.in_(list(found)))
        )
    ]
    return sorted(listed, key=lambda waits: (waits.reasons[0].weight, waits.number))


def chosen(listed: list[Waits], whose: Whose, reader: AccountId | None) -> list[Waits]:
    """Those of the list whom the reader asked for."""
    if whose is Whose.MINE:
        return [row for row in listed if reader in row.taken]
    if whose is Whose.NOBODY:
        return [row for row in listed if not row.taken]
    return listed


def _reasons(session: ReadSession, site_id: SiteId, today: date) -> Iterator[tuple[ClientId, Reason]]:
    asked = {"site": site_id, "today": today}
    for alert in open_alerts(session, site_id=site_id):
        weight = _ALERT_WEIGHT.get(alert.severity, 5)
        yield (
            ClientId(alert.client_id),
            AlertIsOpen(weight, alert.severity, alert.sentence, alert.role, alert.escalated_to, bool(alert.rule)),
        )
    for row in session.execute(_BLOCKED, {"site": site_id}):
        yield ClientId(row.client_id), DosesAreBlocked(0, row.kind, row.dose_day)
    yield from _absent(session, site_id, today)
    for row in session.execute(_REDUCED, asked):
        yield ClientId(row.client_id), DoseIsReduced(2, row.mg, row.from_day)
    for row in session.execute(_ORDERS, {**asked, "soon": today + ENDS_WITHIN}):
        ends_now = row.day is None or row.day <= today
        yield ClientId(row.client_id), OrderEnds(1 if ends_now else 3, row.day)
    for row in session.execute(_TAKE_HOME, asked):
        decided = (row.has, row.has_a_week) if row.decision else None
        differs = TakeHomeDiffers(4, (row.per_supply, row.per_week), decided)
        if _size(differs.proposed) != _size(decided or (0, 0)):
            yield ClientId(row.client_id), differs
    for row in session.execute(_SUSPENDED, asked):
        yield ClientId(row.client_id), TakeHomeIsSuspended(2 if row.review_on <= today else 5, row.review_on)
    for row in session.execute(_AGENTS, asked):
        yield ClientId(row.client_id), AgentAwaits(3, row.signed_on, row.last_day)
    for row in session.execute(_TASKS, asked):
        weight = 2 if row.due_on < today else 3
        yield ClientId(row.client_id), TaskIsDue(weight, row.id, row.kind, row.sentence, row.role, row.due_on)


def _absent(session: ReadSession, site_id: SiteId, today: date) -> Iterator[tuple[ClientId, Reason]]:
    """Who has been without a dose for so long that the order does not simply count on.

    The guideline that the site follows says from which day on that is; without one, the site's own figure.
    """
    guideline = guideline_of(session, site_id, Topic.MISSED, today)
    least = 1 if guideline else session.scalar(select(Site.missed_days_ask).where(Site.id == site_id))
    for row in without_dose(session, site_id=site_id, today=today, least=least or 1):
        ruling = row.ruling(guideline)
        if row.mg is not None and (ruling is None or ruling.answer is not Verdict.ALLOW):
            yield row.client_id, IsAbsent(1, row.last_day, row.days, row.ordered_since, ruling)
