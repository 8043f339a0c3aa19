"""What is heard of a referral: the place takes them, is full, or tells back; and referrals that nobody hears of."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from uuid import UUID

from sqlalchemy import func, select, true

from dispensary.care.centre_models import ReferralWord
from dispensary.care.referral_models import Outcome, Referral
from dispensary.care.settings import reminders_of
from dispensary.clients.homes import clients_of
from dispensary.clients.service import lock_client
from dispensary.database import ReadSession, WriteSession
from dispensary.keys import ERASED
from dispensary.refusals import BadInput, NotThere, Refusal
from dispensary.staff import audit
from dispensary.staff.rules import Actor
from dispensary.units import ClientId, SiteId

LONGEST_WORDS = 500


class Heard(StrEnum):
    """What was heard."""

    ACCEPTED = "accepted"
    """The place expects them."""
    FULL = "full"
    """The place cannot take them: another one is to be found."""
    FEEDBACK = "feedback"
    """What the client, or the place with their consent, told of it."""


@dataclass(frozen=True)
class Word:
    """Something that was heard."""

    heard: Heard
    on: date
    words: str


def note_word(
    session: WriteSession,
    *,
    actor: Actor,
    client_id: ClientId,
    referral_id: UUID,
    heard: Heard,
    words: str,
    on: date,
    key: UUID,
    today: date,
    at: datetime,
) -> None:
    """Writes down what was heard of a referral. The same key again is the same word.

    Raises BadInput for feedback without words, or a day before the referral or to come; NotThere.
    """
    words = words.strip()
    faults = []
    if len(words) > LONGEST_WORDS or (heard is Heard.FEEDBACK and not words):
        sentence = "Say in a few words what was told."
        faults.append(Refusal("referral-words", sentence, f"At most {LONGEST_WORDS} letters.", field="words"))
    lock_client(session, client_id, actor.site_id)
    referral = session.get(Referral, referral_id)
    if referral is None or referral.client_id != client_id:
        raise NotThere(Refusal("no-referral", "There is no such referral.", "Look at the client's page again."))
    if not referral.sent_on <= on <= today:
        sentence = "It was heard on a day from the referral to today."
        faults.append(Refusal("heard-on", sentence, "Correct the day.", field="heard_on"))
    if faults:
        raise BadInput(*faults)
    if session.get(ReferralWord, key) is not None:
        return
    assert actor.account_id is not None, "people hear of it"
    session.add(
        ReferralWord(
            id=key,
            referral_id=referral_id,
            client_id=client_id,
            kind=heard.value,
            on_day=on,
            words_sealed=session.vault.seal("referral_word.words", key, words, of=client_id),
            noted_by=actor.account_id,
            noted_at=at,
        )
    )
    session.flush()
    details = {"referral": referral_id, "heard": heard.value}
    audit.record(
        session, actor=actor, act="heard of referral", subject="client", subject_id=client_id, at=at, details=details
    )


def words_of(session: ReadSession, referrals: Collection[UUID]) -> Mapping[UUID, Sequence[Word]]:
    """What was heard of each of these referrals, in the order of the days. Ask for clients whom the reader may see."""
    found: dict[UUID, list[Word]] = defaultdict(list)
    rows = select(ReferralWord).where(ReferralWord.referral_id.in_(list(referrals)))
    for row in session.scalars(rows.order_by(ReferralWord.on_day, ReferralWord.noted_at)):
        words = session.vault.open_unless_erased("referral_word.words", row.id, row.words_sealed, gone=ERASED)
        found[row.referral_id].append(Word(Heard(row.kind), row.on_day, words))
    return found


@dataclass(frozen=True)
class StillOpen:
    """An open referral, when somebody last heard of it, and what."""

    referral: Referral
    last_word: date
    accepted: bool
    full: bool

    def lost(self, today: date, days: int) -> bool:
        """Whether nobody has heard of it for more than so many days."""
        return self.last_word < today - timedelta(days=days)


def still_open(session: ReadSession, *, site_id: SiteId) -> list[StillOpen]:
    """The site's open referrals, the longest silence first."""
    heard = func.max(ReferralWord.on_day)
    last = func.greatest(Referral.sent_on, heard)  # of nothing heard, `greatest` leaves it out
    accepted = func.bool_or(ReferralWord.kind == Heard.ACCEPTED.value)
    full = func.bool_or(ReferralWord.kind == Heard.FULL.value)
    rows = (
        select(Referral, last, accepted, full)
        .outerjoin(ReferralWord, ReferralWord.referral_id == Referral.id)
        .where(Referral.client_id.in_(clients_of(site_id)), Referral.closed_at.is_(None))
        .group_by(Referral.id)
        .order_by(last, Referral.id)
    )
    return [
        StillOpen(referral, day, bool(takes), bool(was_full))
        for referral, day, takes, was_full in session.execute(rows)
    ]


def lost(session: ReadSession, *, site_id: SiteId, today: date) -> list[StillOpen]:
    """Those of them without word for more than the site's days."""
    days = reminders_of(session, site_id).lost_days
    return [each for each in still_open(session, site_id=site_id) if each.lost(today, days)]


@dataclass(frozen=True)
class Cascade:
    """How far the referrals for one service came."""

    service: str
    sent: int
    expected: int
    """The place expected the client, or saw them."""
    attended: int
    lost: int
    """Open, and without word for more than the site's days."""


def cascades(session: ReadSession, *, site_id: SiteId, since: date, today: date) -> list[Cascade]:
    """The referrals that a site has made since a day, by service, the most first. It names nobody."""
    silent = today - timedelta(days=reminders_of(session, site_id).lost_days)
    heard = (
        select(
            func.max(ReferralWord.on_day).label("on"),
            func.bool_or(ReferralWord.kind == Heard.ACCEPTED.value).label("accepted"),
        )
        .where(ReferralWord.referral_id == Referral.id)
        .lateral()
    )
    went = Referral.outcome == Outcome.ATTENDED.value
    lost_ones = Referral.closed_at.is_(None) & (func.greatest(Referral.sent_on, heard.c.on) < silent)
    rows = (
        select(
            Referral.service,
            func.count().label("sent"),
            func.count().filter(went | heard.c.accepted),
            func.count().filter(went),
            func.count().filter(lost_ones),
        )
        .join(heard, true())
        .where(Referral.site_id == site_id, Referral.sent_on >= since)
        .group_by(Referral.service)
        .order_by(func.count().desc(), Referral.service)
    )
    return [Cascade(*row) for row in session.execute(rows)]
