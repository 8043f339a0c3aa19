"""Which guideline a site follows for each topic of dosing, from which day on, kept word for word."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from hashlib import sha256

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import Range

from dispensary.database import ReadSession, WriteSession
from dispensary.documents import BadDocument
from dispensary.prescribing.guideline import Guideline, guidelines, parse, shipped_guidelines
from dispensary.prescribing.models import GuidelineAdoption
from dispensary.prescribing.sections import TOLD_OF, Topic
from dispensary.refusals import BadInput, NotAllowed, NotThere, Refusal, Refused
from dispensary.staff import audit
from dispensary.staff.models import Site
from dispensary.staff.queries import place
from dispensary.staff.rules import Actor
from dispensary.units import SiteId

LONGEST_DOCUMENT = 100_000


def adopt_guideline(
    session: WriteSession,
    *,
    actor: Actor,
    site_id: SiteId,
    topic: Topic,
    guideline: str = "",
    document: str = "",
    from_day: date,
    at: datetime,
) -> GuidelineAdoption:
    """The site follows a guideline for a topic from a day on: a shipped one by its name, or a document of its own.

    The one before ends there; what was adopted for that day or a later one is replaced. Days that have passed under a
    guideline keep it. A superseded guideline may be adopted; a draft may not, since it gives no figures. The same
    again from the same day changes nothing. Raises BadInput, NotThere, NotAllowed or Refused.
    """
    if actor.site_id != site_id:
        raise NotAllowed(Refusal("other-site", "A guideline is adopted at the site itself.", "Switch to that site."))
    words = document or _shipped(guideline)
    chosen = _parsed(words)
    _refuse_silent(chosen, topic)
    _refuse_out_of_force(chosen, from_day)
    session.execute(select(Site.id).where(Site.id == site_id).with_for_update(key_share=True))
    followed = session.scalars(
        select(GuidelineAdoption)
        .where(GuidelineAdoption.site_id == site_id, GuidelineAdoption.topic == topic.value)
        .where(func.coalesce(func.upper(GuidelineAdoption.days), date.max) > from_day)
        .order_by(func.lower(GuidelineAdoption.days))
    ).all()
    if len(followed) == 1 and followed[0].document == words and followed[0].days.lower == from_day:
        return followed[0]
    _end(session, followed, from_day, today=place(session, site_id).dose_day(at))
    adopted = GuidelineAdoption(
        site_id=site_id,
        topic=topic.value,
        guideline=chosen.guideline,
        version=chosen.version,
        document=words,
        sha256=sha256(words.encode()).digest(),
        days=Range(from_day, None, bounds="[)"),
        adopted_by=actor.account_id,
        adopted_at=at,
    )
    session.add(adopted)
    session.flush()
    details = {"topic": topic.value, "guideline": chosen.guideline, "version": chosen.version, "from": from_day}
    audit.record(
        session, actor=actor, act="adopted guideline", subject="site", subject_id=site_id, at=at, details=details
    )
    return adopted


def leave_guideline(
    session: WriteSession, *, actor: Actor, site_id: SiteId, topic: Topic, from_day: date, at: datetime
) -> None:
    """The site follows no guideline for a topic from a day on. Raises NotAllowed, or Refused for a day that passed."""
    if actor.site_id != site_id:
        raise NotAllowed(Refusal("other-site", "A guideline is left at the site itself.", "Switch to that site."))
    session.execute(select(Site.id).where(Site.id == site_id).with_for_update(key_share=True))
    followed = session.scalars(
        select(GuidelineAdoption)
        .where(GuidelineAdoption.site_id == site_id, GuidelineAdoption.topic == topic.value)
        .where(func.coalesce(func.upper(GuidelineAdoption.days), date.max) > from_day)
    ).all()
    if not followed:
        return
    _end(session, followed, from_day, today=place(session, site_id).dose_day(at))
    details = {"topic": topic.value, "from": from_day}
    audit.record(session, actor=actor, act="left guideline", subject="site", subject_id=site_id, at=at, details=details)


def guideline_of(session: ReadSession, site_id: SiteId, topic: Topic, day: date) -> Guideline | None:
    """The guideline that a site follows for a topic on a day, as it was adopted; nothing when it follows none."""
    document = session.scalar(
        select(GuidelineAdoption.document).where(
            GuidelineAdoption.site_id == site_id,
            GuidelineAdoption.topic == topic.value,
            GuidelineAdoption.days.contains(day),
        )
    )
    return parse(document) if document is not None else None


@dataclass(frozen=True)
class Followed:
    """A guideline that a site follows, followed or will follow for a topic."""

    adoption: GuidelineAdoption
    guideline: Guideline


def adoptions_of(session: ReadSession, site_id: SiteId, topic: Topic | None = None) -> Sequence[Followed]:
    """Everything that a site adopted, the newest first within its topic."""
    wanted = select(GuidelineAdoption).where(GuidelineAdoption.site_id == site_id)
    if topic is not None:
        wanted = wanted.where(GuidelineAdoption.topic == topic.value)
    rows = session.scalars(wanted.order_by(GuidelineAdoption.topic, func.lower(GuidelineAdoption.days).desc()))
    return [Followed(row, parse(row.document)) for row in rows]


def _shipped(name: str) -> str:
    if name not in guidelines():
        known = ", ".join(guidelines())
        raise NotThere(
            Refusal("no-guideline", f"No guideline {name or '(none)'} is known.", f"Known: {known}.", field="guideline")
        )
    return next(words for words in shipped_guidelines() if parse(words).guideline == name)


def _parsed(document: str) -> Guideline:
    if len(document) > LONGEST_DOCUMENT:
        raise BadInput(Refusal("guideline-long", "The document is too long to be a guideline.", field="document"))
    try:
        return parse(document)
    except BadDocument as reason:
        raise BadInput(
            *(
                Refusal("guideline-problem", problem, "Correct the document.", field="document")
                for problem in reason.problems
            )
        ) from None


def _refuse_silent(guideline: Guideline, topic: Topic) -> None:
    if guideline.section(topic) is None:
        raise Refused(
            Refusal(
                "guideline-silent",
                f"{guideline.guideline} says nothing of {TOLD_OF[topic]}.",
                "Choose another guideline for this topic.",
                field="guideline",
            )
        )
    if not guideline.answers(topic):
        raise Refused(
            Refusal(
                "guideline-draft",
                f"What {guideline.guideline} says of {TOLD_OF[topic]} is a draft that nobody has confirmed: "
                "it gives no figures.",
                "Choose another guideline, or publish your own document with figures that a clinician signs for.",
                field="guideline",
            )
        )


def _refuse_out_of_force(guideline: Guideline, day: date) -> None:
    """Not before it was in force. One that has been superseded since may still be followed: the site says so."""
    if guideline.effective_from is not None and day < guideline.effective_from:
        raise Refused(
            Refusal(
                "guideline-not-in-force",
                f"{guideline.guideline} is in force from {guideline.effective_from} on, not on {day}.",
                "Choose another guideline or a later day.",
                field="from_day",
            )
        )


def _end(session: WriteSession, followed: Sequence[GuidelineAdoption], from_day: date, *, today: date) -> None:
    if followed and from_day < today:
        raise Refused(
            Refusal(
                "guideline-backdated",
                f"Another guideline was followed on {from_day}, which has passed.",
                "Adopt the guideline from today or a later day.",
                field="from_day",
            )
        )
    for adoption in followed:
        begins = adoption.days.lower
        if begins is not None and begins < from_day:
            adoption.days = Range(begins, from_day, bounds="[)")
        else:
            session.delete(adoption)
    session.flush()
