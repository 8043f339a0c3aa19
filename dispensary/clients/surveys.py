"""A site's own questions to its clients: on paper at the desk or by a link after a visit, answered by nobody known.

Nothing here knows a client. A ticket is drawn by chance, is kept as its digest, and is removed in the same moment in
which its answer is added, so that nothing leads from one to the other.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from hashlib import sha256
from typing import Final
from uuid import UUID, uuid4

from sqlalchemy import delete, func, select

from dispensary.clients.survey_models import Survey, SurveyAnswer, SurveyTicket
from dispensary.clients.survey_rules import Answered, Questions, Results, chosen, read_questions, results
from dispensary.database import ReadSession, WriteSession
from dispensary.documents import BadDocument, shipped_documents
from dispensary.refusals import BadInput, NotAllowed, NotThere, Refusal
from dispensary.staff import audit
from dispensary.staff.rules import Act, Actor
from dispensary.units import SiteId, new_id
from notifications.discretion import reveals

GOOD_FOR: Final = timedelta(days=14)
"""How long the link of a text, or a slip, can be answered: the house's own."""
_SIGNS: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_LONG: Final = 10


@dataclass(frozen=True)
class Open:
    """The questions that a site asks now."""

    survey: Survey
    questions: Questions


def shipped_questions() -> str:
    """The house's own document, for a site to begin with."""
    return shipped_documents("dispensary.clients", "survey_documents")[0]


def open_survey(session: WriteSession, *, actor: Actor, document: str, address: str, at: datetime) -> Survey:
    """Asks these questions from now on, and no longer those before. The same document again changes nothing.

    `address` is where this house is reached by a phone, before `/s/`.

    Raises NotAllowed for anybody but the site's administrator, BadInput with every problem of the document.
    """
    _refuse_unless_runs(actor)
    words = document.replace("\r\n", "\n").strip() + "\n"
    try:
        read_questions(words, reveals)
    except BadDocument as reason:
        raise BadInput(
            *(Refusal("bad-survey", each, "Correct the document.", field="document") for each in reason.problems)
        ) from None
    session.execute(select(func.pg_advisory_xact_lock(func.hashtext(f"survey {actor.site_id}"))))
    before = _open_row(session, actor.site_id)
    if before is not None and before.document == words:
        return before
    if before is not None:
        _close(session, before, actor, at)
    assert actor.account_id is not None, "people ask"
    last = session.scalar(select(func.max(Survey.version)).where(Survey.site_id == actor.site_id)) or 0
    survey = Survey(
        id=new_id(),
        site_id=actor.site_id,
        version=last + 1,
        document=words,
        address=address,
        opened_by=actor.account_id,
        opened_at=at,
    )
    session.add(survey)
    session.flush()
    _write_down(session, actor, "opened survey", at, {"survey": survey.id, "version": survey.version})
    return survey


def close_survey(session: WriteSession, *, actor: Actor, at: datetime) -> None:
    """Asks nothing of the site's own any more; what was answered stays. Raises NotAllowed."""
    _refuse_unless_runs(actor)
    before = _open_row(session, actor.site_id)
    if before is not None:
        _close(session, before, actor, at)
        _write_down(session, actor, "closed survey", at, {"survey": before.id, "version": before.version})


def asked_now(session: ReadSession, *, site_id: SiteId) -> Open | None:
    """What a site asks now; nothing where it asks nothing of its own."""
    survey = _open_row(session, site_id)
    return None if survey is None else Open(survey, read_questions(survey.document, reveals))


def type_in(session: WriteSession, *, actor: Actor, given: Mapping[str, str], today: date, at: datetime) -> None:
    """Keeps the answers of one sheet of paper. That somebody typed a sheet is on the trail; what stood on it is not.

    Raises NotAllowed for who does not work with clients here, NotThere where the site asks nothing, BadInput.
    """
    if actor.account_id is None or not any(actor.may(act) for act in TYPES_IN):
        raise NotAllowed(Refusal("no-survey", "Your work at this site does not include this.", "Ask a nurse."))
    asked = asked_now(session, site_id=actor.site_id)
    if asked is None:
        raise NotThere(Refusal("no-survey-open", "Nothing is asked now.", "The administrator opens a survey."))
    _keep(session, asked, given, today)
    _write_down(session, actor, "typed survey sheet", at, {"survey": asked.survey.id})


TYPES_IN: Final = (Act.CARE, Act.LOOK_AFTER_OWN, Act.EXPORT)
"""Whoever works with clients or counts answers may type a sheet: it is about nobody."""


def new_link(session: WriteSession, *, site_id: SiteId, at: datetime) -> str | None:
    """Where somebody, nobody knows who, can answer once; nothing where the site asks nothing now."""
    survey = _open_row(session, site_id)
    if survey is None:
        return None
    over = delete(SurveyTicket).where(SurveyTicket.survey_id == survey.id, SurveyTicket.good_until <= at)
    session.execute(over)
    ticket = "".join(secrets.choice(_SIGNS) for _ in range(_LONG))
    session.add(SurveyTicket(digest=_digest(ticket), survey_id=survey.id, good_until=at + GOOD_FOR))
    session.flush()
    return f"{survey.address}/s/{ticket}"


def asked_by(session: ReadSession, *, ticket: str, at: datetime) -> Open:
    """The questions behind a ticket. Raises NotThere alike for one that never was, was used, is over, or whose survey
    is closed."""
    found = session.get(SurveyTicket, _digest(ticket))
    survey = session.get(Survey, found.survey_id) if found is not None and found.good_until > at else None
    if survey is None or survey.closed_at is not None:
        raise NotThere(Refusal("no-ticket", "There is nothing here.", "Ask at the desk."))
    return Open(survey, read_questions(survey.document, reveals))


def answer(session: WriteSession, *, ticket: str, given: Mapping[str, str], today: date, at: datetime) -> None:
    """Takes the answers of a ticket, once; nothing leads from it to them. Raises NotThere and BadInput."""
    asked = asked_by(session, ticket=ticket, at=at)
    used = session.execute(
        delete(SurveyTicket).where(SurveyTicket.digest == _digest(ticket)).returning(SurveyTicket.survey_id)
    ).scalar_one_or_none()
    if used is None:
        raise NotThere(Refusal("no-ticket", "There is nothing here.", "Ask at the desk."))
    _keep(session, asked, given, today)


@dataclass(frozen=True)
class Told:
    """A version of a site's questions and what came of it."""

    survey: Survey
    questions: Questions
    results: Results


def told_by_surveys(session: ReadSession, *, site_id: SiteId, today: date) -> list[Told]:
    """Every version of a site that was asked, the newest first, with what can be shown of it."""
    surveys = select(Survey).where(Survey.site_id == site_id).order_by(Survey.version.desc())
    return [_told(session, survey, today) for survey in session.scalars(surveys).all()]


def told_to_all(session: ReadSession, *, survey_id: UUID, on: Callable[[SiteId], date]) -> Told:
    """What came of a survey that is closed, for whoever answered it; `on` is a site's day.

    Counts as the staff see them, of whole months of `LEAST_SHOWN` people, and nothing else. Raises NotThere alike for
    one that never was, is still open, or has nothing that can be shown.
    """
    survey = session.get(Survey, survey_id)
    if survey is not None and survey.closed_at is not None:
        told = _told(session, survey, on(SiteId(survey.site_id)))
        if told.results.people:
            return told
    raise NotThere(Refusal("no-results", "There is nothing here.", "Ask at the desk."))


def last_told(session: ReadSession, *, site_id: SiteId, today: date) -> Told | None:
    """What came of the newest closed survey of a site that has something to show."""
    told = told_by_surveys(session, site_id=site_id, today=today)
    return next((each for each in told if each.survey.closed_at is not None and each.results.people), None)


def _told(session: ReadSession, survey: Survey, today: date) -> Told:
    questions = read_questions(survey.document, reveals)
    rows = session.execute(select(SurveyAnswer.month, SurveyAnswer.answers).where(SurveyAnswer.survey_id == survey.id))
    answered = [Answered(month, answers) for month, answers in rows]
    return Told(survey, questions, results(questions, answered, today=today))


def _keep(session: WriteSession, asked: Open, given: Mapping[str, str], today: date) -> None:
    answers, faults = chosen(asked.questions, given)
    if faults:
        raise BadInput(*faults)
    session.add(SurveyAnswer(id=uuid4(), survey_id=asked.survey.id, month=today.replace(day=1), answers=answers))
    session.flush()


def _open_row(session: ReadSession, site_id: SiteId | UUID) -> Survey | None:
    return session.scalar(select(Survey).where(Survey.site_id == site_id, Survey.closed_at.is_(None)))


def _close(session: WriteSession, survey: Survey, actor: Actor, at: datetime) -> None:
    survey.closed_by, survey.closed_at = actor.account_id, at
    session.execute(delete(SurveyTicket).where(SurveyTicket.survey_id == survey.id))
    session.flush()


def _digest(ticket: str) -> bytes:
    """Read as it is said: without blanks, in capitals, O and I as the digits that they look like."""
    plain = "".join(ticket.split()).upper().translate(str.maketrans("OIL", "011"))
    return sha256(plain[:40].encode()).digest()


def _refuse_unless_runs(actor: Actor) -> None:
    if actor.account_id is None or not actor.may(Act.RUN_SITE):
        raise NotAllowed(Refusal("not-allowed", "The site's administrator sets this.", "Ask them."))


def _write_down(session: WriteSession, actor: Actor, act: str, at: datetime, details: dict[str, object]) -> None:
    audit.record(session, actor=actor, act=act, subject="site", subject_id=actor.site_id, at=at, details=details)
