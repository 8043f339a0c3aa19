"""A clinic's news: written by its administrator, looked at in every language, and sent to those who asked for news."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import func, select

import notifications.service
from dispensary.clients.models import Client, Episode
from dispensary.clients.news_models import News, NewsText
from dispensary.clients.wish_models import TextWish
from dispensary.clients.wish_rules import Group
from dispensary.database import ReadSession, WriteSession
from dispensary.refusals import BadInput, Refusal
from dispensary.staff import audit
from dispensary.staff.models import Account
from dispensary.staff.queries import Place
from dispensary.staff.rules import Actor
from dispensary.staff.service import refuse_unless_runs_site
from dispensary.units import ClientId, SiteId
from notifications.discretion import reveals
from notifications.figures import COLUMNS
from notifications.models import Contact, Message, State
from notifications.rules import ends_texts
from notifications.scripts import as_read
from notifications.segments import measure
from notifications.texts import CATALOGUES, fits, plain, render

WORTH_SENDING: Final = timedelta(days=2)
"""News that could not be sent within this is none any more."""
SHOWN: Final = 20


@dataclass(frozen=True)
class Preview:
    """A piece of news as it is sent in one language: the words as they were written, after that language's heading."""

    language: str
    text: str
    segments: int
    fits: bool


def preview(words: str, *, zone: ZoneInfo) -> list[Preview]:
    """The text in every language, whether it fits or not."""
    found = []
    for language in CATALOGUES:
        body = render("news", language, {"words": words}, zone=zone)
        found.append(Preview(language, body, measure(body).segments, fits(body)))
    return found


def refuse_bad_words(words: str, *, zone: ZoneInfo) -> str:
    """The words as they are kept: one line, nothing invisible in it. Raises BadInput with everything that is wrong.

    They may not give the treatment away, name a word at which numbers opt out, or be too long in any language: the
    same words follow a heading that is longer in some, and make a text of two segments at most.
    """
    kept = plain(words)
    if not kept:
        raise BadInput(Refusal("no-news", "There is nothing to send.", "Write the news.", field="words"))
    faults = []
    if given_away := reveals(kept):
        sentence = f"“{given_away}” gives away what kind of place writes."
        faults.append(Refusal("reveals", sentence, "Say it in other words.", field="words"))
    if ending := ends_texts(as_read(kept)):
        sentence = f"“{ending}” is a word by which people end their texts: some phones offer to answer it."
        faults.append(Refusal("ends-texts", sentence, "Say it in other words.", field="words"))
    if too_long := [each for each in preview(kept, zone=zone) if not each.fits]:
        sentence = f"It is too long for one text in {len(too_long)} languages."
        faults.append(Refusal("too-long", sentence, "Shorten it, or send it as two.", field="words"))
    if faults:
        raise BadInput(*faults)
    return kept


def readers(session: ReadSession, *, site_id: SiteId) -> list[ClientId]:
    """Who gets news of a site: its clients in treatment who asked for it and can be texted."""
    wanted = (
        select(Client.id)
        .join(TextWish, (TextWish.client_id == Client.id) & (TextWish.word == Group.NEWS.value) & TextWish.wanted)
        .join(Contact, Contact.recipient_id == Client.id)
        .join(Episode, (Episode.client_id == Client.id) & Episode.ended_on.is_(None))
        .where(Client.site_id == site_id, Contact.consented_at.is_not(None), Contact.opted_out_at.is_(None))
        .order_by(Client.id)
    )
    return [ClientId(each) for each in session.scalars(wanted)]


def send_news(session: WriteSession, *, actor: Actor, site: Place, words: str, key: UUID, at: datetime) -> int:
    """Sends it, once to each who wants it, and says to how many. The same key again sends nothing and says the same.

    Raises NotAllowed, BadInput for words that may not be sent, and when nobody wants news.
    """
    refuse_unless_runs_site(actor, site.id)
    zone = ZoneInfo(site.zone)
    kept = refuse_bad_words(words, zone=zone)
    session.execute(select(func.pg_advisory_xact_lock(func.hashtext(f"news {key}"))))
    if session.get(News, key) is not None:
        return _count(session, key)
    those = readers(session, site_id=site.id)
    if not those:
        sentence = "Nobody has asked for news, so nobody would get it."
        raise BadInput(Refusal("no-readers", sentence, "Reception asks clients whether they want it.", field="words"))
    session.add(News(id=key, site_id=site.id, words=kept, written_by=actor.account_id, sent_at=at))
    session.flush()
    for client_id in those:
        message_id = notifications.service.queue(
            session,
            vault=session.vault,
            recipient_id=client_id,
            kind="news",
            reason_key=f"news:{key}:{client_id}",
            fields={"words": kept},
            zone=zone,
            now=at,
            valid_until=at + WORTH_SENDING,
        )
        if message_id is not None:
            session.add(NewsText(message_id=message_id, news_id=key))
    session.flush()
    sent = _count(session, key)
    details = {"news": key, "texts": sent}
    audit.record(session, actor=actor, act="sent news", subject="site", subject_id=site.id, at=at, details=details)
    return sent


def _count(session: ReadSession, news_id: UUID) -> int:
    return session.scalar(select(func.count()).where(NewsText.news_id == news_id)) or 0


@dataclass(frozen=True)
class Sent:
    """A piece of news, and how far its texts have come."""

    words: str
    by: str
    at: datetime
    counts: Mapping[str, int]
    """By the names of `notifications.figures.COLUMNS`."""

    @property
    def texts(self) -> int:
        return sum(self.counts.values())


def history(session: ReadSession, *, site_id: SiteId) -> Sequence[Sent]:
    """The latest news of a site, the newest first."""
    rows = session.execute(
        select(News, Account.name)
        .join(Account, Account.id == News.written_by)
        .where(News.site_id == site_id)
        .order_by(News.sent_at.desc(), News.id)
        .limit(SHOWN)
    ).all()
    column_of = {state: name for name, states in COLUMNS.items() for state in states}
    counts = {news.id: dict.fromkeys(COLUMNS, 0) for news, _ in rows}
    states = session.execute(
        select(NewsText.news_id, Message.state, func.count())
        .join(Message, Message.id == NewsText.message_id)
        .where(NewsText.news_id.in_(counts))
        .group_by(NewsText.news_id, Message.state)
    )
    for news_id, state, count in states:
        counts[news_id][column_of[State(state)]] += count
    return [Sent(news.words, name, news.sent_at, counts[news.id]) for news, name in rows]
