"""In which languages a site writes its texts: those that a speaker has checked, and the drafts that it has accepted."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, select

from dispensary.database import ReadSession, WriteSession
from dispensary.refusals import BadInput, Refusal
from dispensary.staff import audit
from dispensary.staff.rules import Actor
from dispensary.staff.service import refuse_unless_runs_site
from dispensary.staff.text_language_models import TextLanguage
from dispensary.units import SiteId
from notifications.texts import CATALOGUES, Status


@dataclass(frozen=True)
class Spoken:
    """A language that there are texts in, and whether this site writes it."""

    tag: str
    draft: bool
    accepted: TextLanguage | None

    @property
    def on(self) -> bool:
        return not self.draft or self.accepted is not None


def text_languages(session: ReadSession, *, site_id: SiteId) -> list[Spoken]:
    """Every language, checked ones first, as this site has it."""
    rows = session.scalars(select(TextLanguage).where(TextLanguage.site_id == site_id))
    accepted = {row.language: row for row in rows}
    return [Spoken(tag, status is Status.DRAFT, accepted.get(tag)) for tag, status in CATALOGUES.items()]


def accept_language(session: WriteSession, *, actor: Actor, language: str, at: datetime) -> None:
    """Has a draft language written at the actor's site, in the name of whoever accepts it. Once accepted it stays so.

    Raises NotAllowed, and BadInput for what is no draft.
    """
    _refuse_what_is_no_draft(actor, language)
    if session.get(TextLanguage, (actor.site_id, language)) is not None:
        return
    session.add(TextLanguage(site_id=actor.site_id, language=language, accepted_by=actor.account_id, accepted_at=at))
    session.flush()
    _record(session, actor, "accepted language of texts", language, at)


def withdraw_language(session: WriteSession, *, actor: Actor, language: str, at: datetime) -> None:
    """Has it written no more: whoever reads it is written to in the site's own language. Raises as accepting does."""
    _refuse_what_is_no_draft(actor, language)
    gone = session.execute(
        delete(TextLanguage)
        .where(TextLanguage.site_id == actor.site_id, TextLanguage.language == language)
        .returning(TextLanguage.language)
    )
    if gone.all():
        _record(session, actor, "withdrew language of texts", language, at)


def begin_with(session: WriteSession, *, site_id: SiteId, languages: Iterable[str], at: datetime) -> None:
    """What a demonstration accepts as it opens."""
    for language in languages:
        session.add(TextLanguage(site_id=site_id, language=language, accepted_by=None, accepted_at=at))
    session.flush()


def _refuse_what_is_no_draft(actor: Actor, language: str) -> None:
    refuse_unless_runs_site(actor, actor.site_id)
    if CATALOGUES.get(language) is not Status.DRAFT:
        raise BadInput(Refusal("no-draft", "There is no draft of this language.", "Choose one of the list."))


def _record(session: WriteSession, actor: Actor, act: str, language: str, at: datetime) -> None:
    audit.record(
        session,
        actor=actor,
        act=act,
        subject="site",
        subject_id=actor.site_id,
        at=at,
        details={"language": language},
    )
