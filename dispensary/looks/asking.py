"""Asking why before a record is shown: whether it is asked, and the reason that was given.

A reason holds for one person, one client and one day. It stands in the trail by its code; words are sealed in a table,
since an entry of the trail holds no name.
"""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import LiteralString

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert

from dispensary.clients.models import Client
from dispensary.clients.own_keys import sealed_for
from dispensary.database import WriteSession
from dispensary.looks.models import LookReason
from dispensary.looks.rules import RECENT_DAYS, Reason, Standing, Why, asked_why, fault_of
from dispensary.refusals import BadInput, NotThere, Refusal
from dispensary.staff import audit
from dispensary.staff.rules import Actor
from dispensary.straight import Straight
from dispensary.units import ClientId, new_id

_STANDING = """
SELECT c.id, c.site_id = %(site)s,
    EXISTS (SELECT 1 FROM guest_stay g WHERE g.client_id = c.id AND g.guest_site_id = %(site)s
        AND g.until_day > %(since)s AND (g.ended_on IS NULL OR g.ended_on > %(since)s)),
    EXISTS (SELECT 1 FROM watched_record w WHERE w.client_id = c.id AND w.ended_at IS NULL),
    EXISTS (SELECT 1 FROM visit v WHERE v.holder_id = c.id AND v.place_id = %(site)s AND v.day = %(today)s)
        OR EXISTS (SELECT 1 FROM booking b WHERE b.holder_id = c.id AND b.place_id = %(site)s AND b.day = %(today)s
            AND b.state IN ('booked', 'arrived', 'missed')),
    EXISTS (SELECT 1 FROM dose_order o WHERE o.client_id = c.id AND o.voided_at IS NULL AND o.days @> %(today)s),
    EXISTS (SELECT 1 FROM task t WHERE t.client_id = c.id AND t.done_at IS NULL)
        OR EXISTS (SELECT 1 FROM alert a WHERE a.client_id = c.id AND a.resolved_at IS NULL)
        OR EXISTS (SELECT 1 FROM pickup p WHERE p.client_id = c.id AND p.state IN ('prepared', 'out'))
        OR EXISTS (SELECT 1 FROM referral r WHERE r.client_id = c.id AND r.closed_at IS NULL)
        OR EXISTS (SELECT 1 FROM recall r WHERE r.client_id = c.id AND r.state = 'open')
        OR EXISTS (SELECT 1 FROM dose_exception e WHERE e.client_id = c.id AND e.closed_at IS NULL)
        OR EXISTS (SELECT 1 FROM scheduled_look s WHERE s.client_id = c.id AND s.done_at IS NULL),
    EXISTS (SELECT 1 FROM supply s WHERE s.client_id = c.id AND s.dose_day > %(since)s)
        OR EXISTS (SELECT 1 FROM visit v WHERE v.holder_id = c.id AND v.day > %(since)s)
        OR EXISTS (SELECT 1 FROM booking b WHERE b.holder_id = c.id AND b.day > %(since)s)
        OR EXISTS (SELECT 1 FROM episode e WHERE e.client_id = c.id AND e.began_on > %(since)s)
        OR EXISTS (SELECT 1 FROM dose_order o WHERE o.client_id = c.id AND o.voided_at IS NULL
            AND (o.days && daterange(%(since)s, NULL) OR o.ordered_at::date > %(since)s)),
    EXISTS (SELECT 1 FROM looked_after m WHERE m.client_id = c.id AND m.account_id = %(account)s
        AND m.ended_at IS NULL),
    (SELECT reason FROM look_reason l WHERE l.account_id = %(account)s AND l.client_id = c.id
        AND l.site_id = %(site)s AND l.day = %(today)s)
FROM client c WHERE c.id ="""

WHOSE: dict[str, LiteralString] = {
    "client_id": "SELECT %(id)s::uuid",
    "pickup_id": "SELECT client_id FROM pickup WHERE id = %(id)s",
    "supply_id": "SELECT client_id FROM supply WHERE id = %(id)s",
    "home_visit_id": "SELECT client_id FROM home_visit WHERE id = %(id)s",
    "carrying_id": "SELECT client_id FROM carrying WHERE id = %(id)s",
    "stay_id": "SELECT client_id FROM guest_stay WHERE id = %(id)s",
    "move_id": "SELECT client_id FROM client_move WHERE id = %(id)s",
    "report_id": "SELECT client_id FROM bottle_report WHERE id = %(id)s",
    "agent_id": "SELECT client_id FROM agent WHERE id = %(id)s",
    "serial": "SELECT client_id FROM bottle WHERE serial = %(id)s",
}
"""By which part of an address a record is opened, and whose it is."""
_ASKED: dict[str, LiteralString] = {name: f"{_STANDING} ({whose})" for name, whose in WHOSE.items()}

_reason: ContextVar[str] = ContextVar("reason for looking", default="")


@dataclass(frozen=True)
class Asked:
    """Whose record is opened, and why a reason is needed first; `given` is the one that was given already."""

    client_id: ClientId
    whys: tuple[Why, ...]
    given: str

    @property
    def needs_reason(self) -> bool:
        return bool(self.whys) and not self.given


def reason_asked(
    glance: Straight, *, actor: Actor, opened_by: str, value: object, today: date, at_counter: bool
) -> Asked | None:
    """Whether whoever opens a record by this part of an address is asked why first; None where there is no such record.

    One query outside any transaction: it is asked for every page about a client.
    """
    if actor.account_id is None:
        return None
    asked = {
        "id": value,
        "site": actor.site_id,
        "account": actor.account_id,
        "today": today,
        "since": today - timedelta(days=RECENT_DAYS),
    }
    row = glance.run(_ASKED[opened_by], asked).fetchone()
    if row is None:
        return None
    client_id, *known, given = row
    home, guest, watched, here, due, is_open, recent, mine = known
    standing = Standing(home, guest, watched, here, due, is_open, recent, mine)
    if not home and not guest and not _ever_here(glance, client_id, actor):
        return None  # another site's client, as unknown here as nobody: the page itself says so
    return Asked(ClientId(client_id), asked_why(standing, at_counter=at_counter), given or "")


def _ever_here(glance: Straight, client_id: ClientId, actor: Actor) -> bool:
    stay = "SELECT 1 FROM guest_stay WHERE client_id = %(client)s AND guest_site_id = %(site)s LIMIT 1"
    return glance.run(stay, {"client": client_id, "site": actor.site_id}).fetchone() is not None


def give_reason(
    session: WriteSession,
    *,
    actor: Actor,
    client_id: ClientId,
    reason: str,
    words: str,
    whys: tuple[Why, ...],
    day: date,
    at: datetime,
) -> None:
    """Keeps why the actor opens this record today; the first reason of the day stays, however often one is given.

    Raises BadInput, or NotThere for a client who does not exist.
    """
    if faults := fault_of(reason, words):
        raise BadInput(*faults)
    if session.scalar(select(Client.id).where(Client.id == client_id)) is None:
        raise NotThere(Refusal("no-client", "There is no such client.", "Look at the card again."))
    row_id, words, whose = new_id(), words.strip(), sealed_for(session, client_id)
    kept = session.scalar(
        insert(LookReason)
        .values(
            id=row_id,
            site_id=actor.site_id,
            account_id=actor.account_id,
            client_id=client_id,
            day=day,
            reason=Reason(reason).value,
            asked_for=[why.value for why in whys],
            words_sealed=session.vault.seal("look_reason.words", row_id, words, of=whose) if words else None,
            given_at=at,
        )
        .on_conflict_do_nothing(index_elements=["account_id", "client_id", "site_id", "day"])
        .returning(LookReason.id)
    )
    if kept is not None:
        details = {"reason": reason, "asked": [why.value for why in whys], "words": bool(words)}
        audit.record(
            session,
            actor=actor,
            act="said why they look",
            subject="client",
            subject_id=client_id,
            at=at,
            details=details,
        )


def looks_for(reason: str) -> None:
    """From now on, in this request, looks are written down with this reason; with none where it is empty."""
    _reason.set(reason)


def with_reason(details: dict[str, object]) -> dict[str, object]:
    """The details of a look, with the reason for which this request looks where one was asked for."""
    reason = _reason.get()
    return {**details, "reason": reason} if reason else details
