"""Looks that somebody should read through: many charts, outside the hours, watched records, other reasons, emergencies.

Each question is one query over a site's looks of some days, which an index of looks alone answers. A line is about one
person, one day and one kind; whoever reads it through writes down what they found, and nobody does so of their own.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import select, text

import scheduling.queries
from dispensary.clients.homes import number_then
from dispensary.database import ReadSession, WriteSession, through
from dispensary.looks.models import LookReason, LookReview
from dispensary.looks.rules import LONGEST_WORDS, Kind, Thresholds, many
from dispensary.looks.settings import thresholds_of
from dispensary.looks.watched import Watch, WatchKind, watches_of
from dispensary.refusals import BadInput, NotAllowed, NotThere, Refusal
from dispensary.staff import audit
from dispensary.staff.entry_models import BreakGlass
from dispensary.staff.models import Account, RoleGrant
from dispensary.staff.permission_rules import Act
from dispensary.staff.queries import Place, names_of
from dispensary.staff.rules import Actor
from dispensary.units import AccountId, SiteId, new_id
from dispensary.wall import Door

USUAL_OF = timedelta(days=60)
"""How far back one's usual day is measured (the house's own figure)."""

_CHARTS = text("""
SELECT account_id, ((at AT TIME ZONE :zone) - CAST(:starts AS interval))::date AS day, count(DISTINCT subject_id)
FROM audit_entry WHERE site_id = :site AND act = 'looked at' AND at >= :first AND at < :last AND account_id IS NOT NULL
GROUP BY 1, 2
""")
_OUTSIDE = text("""
SELECT account_id, ((at AT TIME ZONE :zone) - CAST(:starts AS interval))::date AS day, count(DISTINCT subject_id)
FROM audit_entry WHERE site_id = :site AND act = 'looked at' AND at >= :first AND at < :last AND account_id IS NOT NULL
    AND NOT CAST(:open AS tstzmultirange) @> at
GROUP BY 1, 2
""")
_WATCHED = text("""
SELECT DISTINCT e.account_id, ((e.at AT TIME ZONE :zone) - CAST(:starts AS interval))::date AS day, w.id
FROM audit_entry e JOIN watched_record w ON w.client_id = e.subject_id AND e.at >= w.set_at
    AND (w.ended_at IS NULL OR e.at < w.ended_at)
WHERE e.site_id = :site AND e.act = 'looked at' AND e.at >= :first AND e.at < :last AND e.account_id IS NOT NULL
""")


@dataclass(frozen=True)
class Review:
    """What somebody found who read it through."""

    words: str
    by: str
    at: datetime


@dataclass(frozen=True)
class Unusual:
    """One person's looks of one kind on one day."""

    account_id: AccountId
    who: str
    day: date
    kind: Kind
    charts: int
    about: tuple[str, ...]
    """Client numbers, where it is about some; or what was written as the reason."""
    review: Review | None


@dataclass(frozen=True)
class Summary:
    """A month in one line."""

    month: date
    found: int
    reviewed: int


def unusual_looks(session: ReadSession, *, site: Place, first: date, last: date) -> list[Unusual]:
    """Every line of a site for the days from first to last, the newest first, what nobody has read through before."""
    thresholds = thresholds_of(session, site_id=site.id)
    found: dict[tuple[UUID, date, Kind], tuple[int, tuple[str, ...]]] = {}
    for account_id, day, charts in _many(session, site, first, last, thresholds):
        found[account_id, day, Kind.MANY] = (charts, ())
    for account_id, day, charts in _outside(session, site, first, last, thresholds):
        found[account_id, day, Kind.OUTSIDE_HOURS] = (charts, ())
    for key, numbers in _watched(session, site, first, last).items():
        found[key] = (len(numbers), tuple(sorted(numbers)))
    for key, reasons in _reasons(session, site, first, last).items():
        found[key] = (len(reasons), tuple(reasons))
    for key, beside in _opened(session, site, first, last).items():
        found[key] = (0, tuple(beside))
    people = names_of(session, list({account_id for account_id, _, _ in found}))
    reviews = _reviews(session, site, first, last)
    lines = [
        Unusual(
            AccountId(account_id), people[account_id], day, kind, *counted, reviews.get((account_id, day, kind.value))
        )
        for (account_id, day, kind), counted in found.items()
    ]
    return sorted(lines, key=lambda line: (line.review is not None, -line.day.toordinal(), line.who, line.kind))


def summary(month: date, lines: list[Unusual]) -> Summary:
    """How many lines a month has, and how many of them somebody has read through."""
    return Summary(month.replace(day=1), len(lines), sum(line.review is not None for line in lines))


def _asked(site: Place, first: date, last: date) -> dict[str, object]:
    return {
        "site": site.id,
        "zone": site.zone,
        "starts": site.day_starts.isoformat(),
        "first": site.window_of(first)[0],
        "last": site.window_of(last)[1],
    }


def _many(
    session: ReadSession, site: Place, first: date, last: date, thresholds: Thresholds
) -> Iterator[tuple[UUID, date, int]]:
    rows = session.execute(_CHARTS, _asked(site, first - USUAL_OF, last)).all()
    days: dict[UUID, dict[date, int]] = defaultdict(dict)
    for account_id, day, charts in rows:
        days[account_id][day] = charts
    roles = _roles(session, site)
    for account_id, own in days.items():
        alike = [who for who in days if who != account_id and roles[who] & roles[account_id]]
        for day, charts in own.items():
            if not first <= day <= last:
                continue
            since = day - USUAL_OF
            usual = [n for each, n in own.items() if since <= each < day]
            of_role = [n for who in alike for each, n in days[who].items() if since <= each < day]
            if many(charts, own=usual, of_role=of_role, thresholds=thresholds):
                yield account_id, day, charts


def _roles(session: ReadSession, site: Place) -> Mapping[UUID, set[str]]:
    roles: dict[UUID, set[str]] = defaultdict(set)
    for account_id, role in session.execute(
        select(RoleGrant.account_id, RoleGrant.role).where(RoleGrant.site_id == site.id)
    ):
        roles[account_id].add(role)
    return roles


def _outside(
    session: ReadSession, site: Place, first: date, last: date, thresholds: Thresholds
) -> Iterator[tuple[UUID, date, int]]:
    """Looks of days on which the site does not open count too; a site whose hours nobody has set has none outside."""
    if not scheduling.queries.is_place(session, site.id):
        return
    zone, around = ZoneInfo(site.zone), timedelta(minutes=thresholds.minutes_around)
    known = scheduling.queries.timetable(session, site.id, first - timedelta(days=1), last + timedelta(days=1))
    ranges, day = [], first - timedelta(days=1)
    while day <= last + timedelta(days=1):
        for hours in known.hours_on(day):
            opens = datetime.combine(day, hours.opens, zone) - around
            closes = datetime.combine(day, hours.closes, zone) + around
            ranges.append(f"[{opens.isoformat()},{closes.isoformat()})")
        day += timedelta(days=1)
    if ranges:
        asked = {**_asked(site, first, last), "open": f"{{{','.join(ranges)}}}"}
        for account_id, day, charts in session.execute(_OUTSIDE, asked):
            yield account_id, day, charts


def _watched(session: ReadSession, site: Place, first: date, last: date) -> dict[tuple[UUID, date, Kind], set[str]]:
    watches = {each.id: each for each in watches_of(session, site_id=site.id, standing=False)}
    found: dict[tuple[UUID, date, Kind], set[str]] = defaultdict(set)
    for account_id, day, watch_id in session.execute(_WATCHED, _asked(site, first, last)):
        if watch_id in watches:  # another site watches its own
            one = watches[watch_id]
            found[account_id, day, _kind_of(one, account_id)].add(one.number)
    return found


def _kind_of(one: Watch, account_id: UUID) -> Kind:
    if one.account_id == account_id:
        return Kind.OWN_RECORD
    return Kind.COLLEAGUE if one.kind is WatchKind.STAFF else Kind.WATCHED


@through(Door.OWN_PAPERS)
def _reasons(session: ReadSession, site: Place, first: date, last: date) -> dict[tuple[UUID, date, Kind], list[str]]:
    kinds = {"other": Kind.OTHER_REASON, "emergency": Kind.EMERGENCY}
    found: dict[tuple[UUID, date, Kind], list[str]] = defaultdict(list)
    rows = session.execute(
        select(LookReason, number_then(SiteId(site.id), LookReason.client_id, LookReason.given_at))
        .where(LookReason.site_id == site.id, LookReason.day.between(first, last), LookReason.reason.in_(kinds))
        .order_by(LookReason.given_at)
    )
    for row, number in rows:
        words = _words(session, row)
        found[row.account_id, row.day, kinds[row.reason]].append(f"{number}: {words}" if words else number)
    return found


def _opened(session: ReadSession, site: Place, first: date, last: date) -> dict[tuple[UUID, date, Kind], list[str]]:
    """Sealed codes that were opened, by whom they made an administrator; who stood by is said."""
    found: dict[tuple[UUID, date, Kind], list[str]] = defaultdict(list)
    rows = session.execute(
        select(BreakGlass.opened_for, BreakGlass.opened_at, Account.name)
        .join(Account, Account.id == BreakGlass.opened_with)
        .where(
            BreakGlass.site_id == site.id,
            BreakGlass.opened_at >= site.window_of(first)[0],
            BreakGlass.opened_at < site.window_of(last)[1],
        )
        .order_by(BreakGlass.opened_at)
    )
    for account_id, at, beside in rows:
        if account_id is not None and at is not None:
            found[account_id, site.dose_day(at), Kind.SEALED_CODE].append(beside)
    return found


def _words(session: ReadSession, row: LookReason) -> str:
    return session.vault.open_unless_erased("look_reason.words", row.id, row.words_sealed)


def _reviews(session: ReadSession, site: Place, first: date, last: date) -> dict[tuple[UUID, date, str], Review]:
    rows = session.scalars(
        select(LookReview).where(LookReview.site_id == site.id, LookReview.day.between(first, last))
    ).all()
    people = names_of(session, [row.reviewed_by for row in rows])
    return {
        (row.account_id, row.day, row.kind): Review(
            session.vault.open("look_review.words", row.id, row.words_sealed), people[row.reviewed_by], row.reviewed_at
        )
        for row in rows
    }


def review(
    session: WriteSession, *, actor: Actor, account_id: AccountId, day: date, kind: str, words: str, at: datetime
) -> LookReview:
    """Keeps what the actor found when they read this through; once, and it stays.

    Raises NotAllowed for one's own looks and for anybody but an administrator, NotThere, or BadInput without words.
    """
    if actor.account_id is None or not actor.may(Act.RUN_SITE):
        raise NotAllowed(Refusal("may-not-review", "An administrator of the site reads looks through.", "Ask one."))
    if actor.account_id == account_id:
        raise NotAllowed(
            Refusal("own-looks", "These are your own looks: somebody else reads them through.", "Ask a colleague.")
        )
    if session.get(Account, account_id) is None or kind not in set(Kind) or day > at.date() + timedelta(days=1):
        raise NotThere(Refusal("no-such-look", "There is no such look.", "Open the page again."))
    if not words.strip() or len(words) > LONGEST_WORDS:
        sentence = f"Write in 1 to {LONGEST_WORDS} characters what you found."
        raise BadInput(Refusal("no-finding", sentence, "Whom you asked, and what they said.", field="words"))
    known = session.scalar(
        select(LookReview).where(
            LookReview.site_id == actor.site_id,
            LookReview.account_id == account_id,
            LookReview.day == day,
            LookReview.kind == kind,
        )
    )
    if known is not None:
        return known
    row_id = new_id()
    row = LookReview(
        id=row_id,
        site_id=actor.site_id,
        account_id=account_id,
        day=day,
        kind=kind,
        words_sealed=session.vault.seal("look_review.words", row_id, words.strip()),
        reviewed_by=actor.account_id,
        reviewed_at=at,
    )
    session.add(row)
    session.flush()
    audit.record(
        session,
        actor=actor,
        act="read unusual looks through",
        subject="account",
        subject_id=account_id,
        at=at,
        details={"day": day, "kind": kind},
    )
    return row
