"""What a visitor can try in the demonstration today, each with the number of a client whom it is about."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

from sqlalchemy import select, text

from dispensary.clients.models import Client
from dispensary.database import ReadSession
from dispensary.desks.worklist import IsAbsent, TakeHomeDiffers, TakeHomeIsSuspended, waiting
from dispensary.prescribing.sections import Counter
from dispensary.supplies.pickups import live_pass, shown
from dispensary.supplies.queries import pickups_on
from dispensary.supplies.unusual import to_see_again, unusual_on
from dispensary.units import SiteId


@dataclass(frozen=True)
class ToTry:
    """A prepared pickup that a visitor can collect today."""

    number: str
    code: str
    token: str
    bottles: int


def to_try(session: ReadSession, *, site_id: SiteId, today: date) -> list[ToTry]:
    """The prepared pickups of today with what opens them."""
    found = []
    for each in pickups_on(session, site_id=site_id, day=today):
        live = live_pass(session, pickup_id=each.pickup.id)
        if live is not None:
            token, code = shown(session, live.id)
            number = session.scalar(select(Client.number).where(Client.id == each.pickup.client_id)) or ""
            found.append(ToTry(number, code, token, len(each.bottles)))
    return found


@dataclass(frozen=True)
class ToSee:
    """Something that is not as usual today: whose desk it is on, and what there is to do."""

    username: str
    number: str
    words: str


_OTHERS = text("""
SELECT 'recall' AS what, c.number FROM recall r JOIN client c ON c.id = r.client_id
WHERE r.site_id = :site AND r.state = 'open' AND r.bring_by = :today
UNION ALL
SELECT p.kind, c.number FROM dose_plan p JOIN client c ON c.id = p.client_id
WHERE p.site_id = :site AND EXISTS (SELECT FROM dose_order o
    WHERE o.plan_id = p.id AND o.voided_at IS NULL AND o.days @> CAST(:today AS date))
UNION ALL
SELECT d.kind, c.number FROM decision d JOIN client c ON c.id = d.client_id
WHERE d.site_id = :site AND d.kind = 'one_off' AND d.voided_at IS NULL AND d.days @> CAST(:today AS date)
UNION ALL
SELECT 'guest', c.number || '@' || h.code FROM guest_stay g JOIN client c ON c.id = g.client_id
JOIN site h ON h.id = g.home_site_id
WHERE g.guest_site_id = :site AND g.verified_at IS NOT NULL AND g.days @> CAST(:today AS date)
    AND NOT EXISTS (SELECT FROM dose d WHERE d.client_id = g.client_id AND d.dose_day = CAST(:today AS date)
        AND d.voided_at IS NULL)
ORDER BY 2
""")


def to_see(session: ReadSession, *, site_id: SiteId, today: date) -> list[ToSee]:
    """One client for each thing that is not as usual, as it stands now: what is done is not there any more.

    Each is another client where there is one.
    """
    found = defaultdict[str, list[str]](list)
    for what, number in _unusual(session, site_id, today):
        found[what].append(number)
    seen = list[ToSee]()
    for what, username, words in WORDS:
        told = {one.number for one in seen}
        numbers = [number for number in found[what] if number not in told] or found[what]
        if numbers:
            seen.append(ToSee(username, numbers[0], words))
    return seen


WORDS = (
    ("less", "pharmacist", "comes back after days away: call the prescriber, and give less"),
    ("anew", "pharmacist", "comes back after more days away: no dose before the doctor has ordered anew"),
    ("vomited", "pharmacist", "vomited the dose this morning: call the prescriber, and give again what is allowed"),
    ("withheld", "pharmacist", "was not well enough for a dose this morning: see them again today"),
    ("wrong_dose", "pharmacist", "was given too much this morning, and is observed"),
    ("guest", "pharmacist", "is a guest from another site for some days: find them by this number, and give the dose"),
    ("recall", "pharmacist", "brings bottles back today: count them"),
    ("titration", "doctor", "has a plan, and is seen before tomorrow's rise"),
    ("taper", "doctor", "comes off it slowly, by a plan: look at it, or end it"),
    ("up", "doctor", "may carry more, as the night has found: decide"),
    ("down", "doctor", "should carry less, as the night has found: decide"),
    ("suspended", "doctor", "carries nothing for now: look, or restore it"),
    ("one_off", "doctor", "travels this week, with bottles granted once"),
)


def _unusual(session: ReadSession, site_id: SiteId, today: date) -> Iterator[tuple[str, str]]:
    for row in waiting(session, site_id=site_id, today=today):
        for reason in row.reasons:
            match reason:
                case IsAbsent(ordered_since=False, ruling=ruling) if ruling is not None:
                    yield ("less" if ruling.instruction == Counter.REDUCED_AFTER_CALL else "anew"), row.number
                case TakeHomeDiffers(rises=rises):
                    yield ("up" if rises else "down"), row.number
                case TakeHomeIsSuspended():
                    yield "suspended", row.number
    for one in unusual_on(session, site_id=site_id, day=today):
        if one.row.closed_at is None and one.row.kind in ("vomited", "wrong_dose"):
            yield one.row.kind, one.number
    for one in to_see_again(session, site_id=site_id, day=today):
        yield "withheld", one.number
    for what, number in session.execute(_OTHERS, {"site": site_id, "today": today}):
        yield str(what), str(number)
