"""The notice that goes with whatever leaves with a client's name: chosen by the site, or written by it."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from importlib.resources import files
from uuid import UUID

from sqlalchemy import select

from dispensary.clients.disclosure_models import DisclosureNotice
from dispensary.database import ReadSession, WriteSession
from dispensary.refusals import BadInput, Refusal
from dispensary.staff import audit
from dispensary.staff.rules import Actor
from dispensary.staff.service import refuse_unless_runs_site
from dispensary.units import SiteId

DEFAULT = "plain-1"
LONGEST_NOTICE = 3000
LONGEST_SOURCE = 300


@dataclass(frozen=True)
class Notice:
    """What the paper says to whoever receives it, and what that rests on."""

    key: str
    source: str
    words: Mapping[str, str]
    """By language; the site's own has one for all."""

    def said(self, language: str) -> str:
        """The notice in this language, else in English, else as the site wrote it."""
        return self.words.get(language) or self.words.get("en") or next(iter(self.words.values()))


@cache
def shipped_notices() -> Mapping[str, Notice]:
    """Those that come with the program, by key."""
    text = files("dispensary.clients").joinpath("figures/notices.toml").read_text(encoding="utf-8")
    read = tomllib.loads(text)["notice"]
    return {one["key"]: Notice(one["key"], one["source"], one["words"]) for one in read}


def notice_of(session: ReadSession, *, site_id: SiteId) -> Notice:
    """The notice in force at a site: the newest that it has set, else the house's own plain words."""
    chosen = select(DisclosureNotice).where(DisclosureNotice.site_id == site_id)
    newest = session.scalars(chosen.order_by(DisclosureNotice.set_at.desc(), DisclosureNotice.id.desc())).first()
    if newest is None:
        return shipped_notices()[DEFAULT]
    if newest.shipped:
        return shipped_notices()[newest.shipped]
    return Notice(str(newest.id), newest.source, {"": newest.words})


def notice_with(session: ReadSession, key: str) -> Notice:
    """The notice that a line of the register names, whatever is in force today."""
    if key in shipped_notices():
        return shipped_notices()[key]
    row = session.get_one(DisclosureNotice, UUID(key))
    return Notice(key, row.source, {"": row.words})


def set_notice(session: WriteSession, *, actor: Actor, shipped: str, words: str, source: str, at: datetime) -> None:
    """Sets the site's notice from now on: one that comes with the program, or its own words with their source.

    What left before keeps the notice that it left with. Raises NotAllowed for anybody but the site's administrator, and
    BadInput for a key that nobody knows or words without a source.
    """
    refuse_unless_runs_site(actor, actor.site_id)
    own, source = words.strip(), source.strip()
    if shipped and shipped not in shipped_notices():
        raise BadInput(Refusal("no-such-notice", "There is no such notice.", "Choose one.", field="notice"))
    if not shipped:
        faults = []
        if not own or len(own) > LONGEST_NOTICE:
            sentence = f"Write the notice, in at most {LONGEST_NOTICE} letters."
            faults.append(Refusal("notice-words", sentence, "Or choose one above.", field="words"))
        if not source or len(source) > LONGEST_SOURCE:
            sentence = "Say what the words rest on, such as the law and its section."
            faults.append(Refusal("notice-source", sentence, field="source"))
        if faults:
            raise BadInput(*faults)
    current = notice_of(session, site_id=actor.site_id)
    if (shipped and current.key == shipped) or (
        not shipped and (current.words.get(""), current.source) == (own, source)
    ):
        return
    assert actor.account_id is not None, "an administrator has an account"
    row = DisclosureNotice(
        site_id=actor.site_id,
        shipped=shipped,
        words="" if shipped else own,
        source="" if shipped else source,
        set_by=actor.account_id,
        set_at=at,
    )
    session.add(row)
    session.flush()
    audit.record(
        session,
        actor=actor,
        act="set disclosure notice",
        subject="site",
        subject_id=actor.site_id,
        at=at,
        details={"notice": shipped or row.id},
    )
