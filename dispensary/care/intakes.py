"""Entry from outside: somebody is heard before they are a client; whoever sent them is told nothing without consent.

Police or a court may send people to an assessment in place of detention. What they hear back is, by the person's own
written consent, that they came and on which days, and nothing that was found; each telling is on the register.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import func, select, text, update

from dispensary.care.intake_models import Intake, IntakePart, IntakeRelease
from dispensary.care.referral_models import Service
from dispensary.clients.consent_rules import Information
from dispensary.clients.disclosing import Ground, Line, put_on_register
from dispensary.clients.disclosure_models import Release
from dispensary.clients.rules import LONGEST_NAME, EntryRoute
from dispensary.database import ReadSession, WriteSession
from dispensary.keys import ERASED
from dispensary.refusals import BadInput, NotAllowed, NotThere, Refusal, Refused
from dispensary.staff import audit
from dispensary.staff.rules import Act, Actor
from dispensary.units import AccountId, ClientId, SiteId, new_id

LONGEST_WORDS = 1_000
LONGEST_LINE = 200


class Part(StrEnum):
    """What is assessed."""

    HEALTH = "health"
    LEGAL = "legal"
    SOCIAL = "social"
    """Home, work, family, money."""


class Outcome(StrEnum):
    """What became of it."""

    ENROLLED = "enrolled"
    ELSEWHERE = "elsewhere"
    """Other services than this one were what they wanted."""
    NOT_WANTED = "not_wanted"
    """They want nothing of it, which has no consequence from here."""
    NOT_REACHED = "not_reached"


@dataclass(frozen=True, repr=False)
class Heard:
    """What somebody said of themselves, or who sent them said."""

    name: str
    route: EntryRoute
    reach: str = ""
    words: str = ""
    referrer: str = ""
    consent: str = ""
    """Where the signed paper is kept by which they let the referrer hear that they came; empty for none."""

    def faults(self) -> list[Refusal]:
        """What is missing or too long, field by field."""
        faults = []
        if not self.name.strip():
            faults.append(
                Refusal("name-missing", "There is no name.", "A name that they want to be called by.", field="name")
            )
        for field, most in (
            ("name", LONGEST_NAME),
            ("reach", LONGEST_LINE),
            ("words", LONGEST_WORDS),
            ("referrer", LONGEST_LINE),
            ("consent", LONGEST_LINE),
        ):
            if len(getattr(self, field)) > most:
                faults.append(Refusal("too-long", f"This is longer than {most} letters.", "Shorten it.", field=field))
        if self.consent.strip() and not self.referrer.strip():
            sentence = "A consent names whom it lets hear of them."
            faults.append(Refusal("referrer-missing", sentence, "Write who sent them.", field="referrer"))
        return faults


def take_in(session: WriteSession, *, actor: Actor, heard: Heard, today: date, at: datetime) -> Intake:
    """Writes down that somebody came. The same name by the same person on the same day is found.

    Raises NotAllowed, BadInput with a fault a field.
    """
    _refuse_others(actor)
    if faults := heard.faults():
        raise BadInput(*faults)
    lock = {"site": f"intake {actor.site_id}"}
    session.execute(text("SELECT pg_advisory_xact_lock(hashtext(:site))"), lock)
    for known in session.scalars(
        select(Intake).where(
            Intake.site_id == actor.site_id,
            Intake.came_on == today,
            Intake.taken_by == actor.account_id,
            Intake.outcome == "",
        )
    ):
        if known.name_sealed and session.vault.open("intake.name", known.id, known.name_sealed) == heard.name.strip():
            return known
    intake_id = new_id()

    def sealed(column: str, words: str) -> bytes | None:
        return session.vault.seal(f"intake.{column}", intake_id, words.strip()) if words.strip() else None

    last = session.scalar(select(func.max(Intake.number)).where(Intake.site_id == actor.site_id)) or 0
    intake = Intake(
        id=intake_id,
        site_id=actor.site_id,
        number=last + 1,
        route=heard.route.value,
        came_on=today,
        name_sealed=sealed("name", heard.name),
        reach_sealed=sealed("reach", heard.reach),
        words_sealed=sealed("words", heard.words),
        referrer_sealed=sealed("referrer", heard.referrer),
        consent_sealed=sealed("consent", heard.consent),
        taken_by=_person(actor),
        taken_at=at,
        outcome="",
    )
    session.add(intake)
    session.flush()
    _write_down(session, actor, "took in", intake, at, {"route": heard.route.value})
    return intake


def assess_part(
    session: WriteSession,
    *,
    actor: Actor,
    intake_id: UUID,
    part: Part,
    words: str,
    services: Collection[str],
    key: UUID,
    today: date,
    at: datetime,
) -> None:
    """Writes down an assessment and the services that were offered for it. The same key again is the same one.

    Raises BadInput without words or for a service that there is not, NotAllowed, NotThere once it is closed.
    """
    _refuse_others(actor)
    intake = _open_intake(session, actor, intake_id)
    faults = []
    if not 0 < len(words.strip()) <= LONGEST_WORDS:
        faults.append(
            Refusal("part-words", "Say what was found.", f"At most {LONGEST_WORDS} letters.", field="part_words")
        )
    if set(services) - {each.value for each in Service}:
        faults.append(Refusal("no-service", "This is no service.", "Choose from the list.", field="services"))
    if faults:
        raise BadInput(*faults)
    if session.get(IntakePart, key) is not None:
        return
    session.add(
        IntakePart(
            id=key,
            intake_id=intake.id,
            kind=part.value,
            services=sorted(set(services)),
            words_sealed=session.vault.seal("intake_part.words", key, words.strip()),
            done_on=today,
            done_by=_person(actor),
            done_at=at,
        )
    )
    session.flush()
    _write_down(session, actor, "assessed intake", intake, at, {"part": part.value})


def tell_referrer(
    session: WriteSession, *, actor: Actor, intake_id: UUID, days: bool, key: UUID, at: datetime
) -> Release:
    """Puts on the register that whoever sent them is told that they came; with `days`, on which days too.

    It gives nothing out itself: the page then says the sentence. Raises Refused without their consent, NotAllowed,
    NotThere.
    """
    if actor.account_id is None or not actor.may(Act.REPORT_PROGRESS):
        raise NotAllowed(
            Refusal("may-not-tell", "Your work at this site does not include telling this.", "Ask a doctor.")
        )
    intake = _open_intake(session, actor, intake_id)
    known = session.scalar(select(Release).where(Release.key == key, Release.account_id == actor.account_id))
    if known is not None:
        return known
    if intake.consent_sealed is None or intake.referrer_sealed is None:
        raise Refused(
            Refusal(
                "no-consent",
                "They have not agreed that anybody hears of them: whoever sent them is told nothing.",
                "Ask them; a no costs nothing. A demand is written down under “Legal demand”.",
                field="tell",
            )
        )
    kinds = frozenset({Information.PRESENCE, Information.ATTENDANCE} if days else {Information.PRESENCE})
    release = put_on_register(
        session,
        actor=actor,
        clients=[],
        line=Line(
            f"intake {intake.number}: that they came" + (", and on which days" if days else ""),
            Ground.CONSENT,
            authority=session.vault.open("intake.consent", intake.id, intake.consent_sealed),
            recipient=session.vault.open("intake.referrer", intake.id, intake.referrer_sealed),
            reason="They were sent by them, and agreed to it.",
            kinds=kinds,
            key=key,
        ),
        at=at,
    )
    session.add(IntakeRelease(release_id=release.id, intake_id=intake.id))
    session.flush()
    _write_down(session, actor, "told referrer", intake, at, {"release": release.id, "days": days})
    return release


def close_intake(
    session: WriteSession,
    *,
    actor: Actor,
    intake_id: UUID,
    outcome: Outcome,
    client_id: ClientId | None = None,
    at: datetime,
) -> Intake:
    """Closes it, and wipes what names them: whoever became a client stands on the record now, and nobody else is kept.

    The assessments of whoever became a client stay in their words, sealed for them from now on. Raises BadInput where
    `enrolled` names no client, NotAllowed, NotThere.
    """
    _refuse_others(actor)
    known = session.get(Intake, intake_id, with_for_update=True)
    if known is not None and known.site_id == actor.site_id and known.outcome == outcome.value:
        return known
    intake = _open_intake(session, actor, intake_id)
    if (outcome is Outcome.ENROLLED) != (client_id is not None):
        raise BadInput(
            Refusal("which-client", "Say which client they are now.", "Their number, as on the card.", field="number")
        )
    parts = session.scalars(select(IntakePart).where(IntakePart.intake_id == intake.id).with_for_update()).all()
    for part in parts:
        kept = None
        if client_id is not None and part.words_sealed is not None:
            words = session.vault.open("intake_part.words", part.id, part.words_sealed)
            kept = session.vault.seal("intake_part.words", part.id, words, of=client_id)
        session.execute(
            update(IntakePart).where(IntakePart.id == part.id).values(words_sealed=kept, client_id=client_id)
        )
    intake.name_sealed = intake.reach_sealed = intake.words_sealed = None
    intake.referrer_sealed = intake.consent_sealed = None
    intake.outcome, intake.client_id = outcome.value, client_id
    intake.closed_by, intake.closed_at = _person(actor), at
    session.flush()
    session.expire_all()
    _write_down(session, actor, "closed intake", intake, at, {"outcome": outcome.value})
    if client_id is not None:
        audit.record(
            session,
            actor=actor,
            act="came by intake",
            subject="client",
            subject_id=client_id,
            at=at,
            details={"intake": intake.id},
        )
    return intake


@dataclass(frozen=True, repr=False)
class Shown:
    """An intake with its words opened."""

    intake: Intake
    heard: Heard
    parts: Sequence[tuple[IntakePart, str]]
    told: int
    """How often whoever sent them was told something."""


def intakes_open(session: ReadSession, *, site_id: SiteId) -> list[tuple[Intake, str, frozenset[str]]]:
    """The open intakes, the oldest first, each with the name and what was assessed."""
    waits = (
        select(Intake).where(Intake.site_id == site_id, Intake.outcome == "").order_by(Intake.came_on, Intake.number)
    )
    rows = session.scalars(waits).all()
    kinds = select(IntakePart.intake_id, func.array_agg(IntakePart.kind)).group_by(IntakePart.intake_id)
    found = session.execute(kinds.where(IntakePart.intake_id.in_([row.id for row in rows])))
    done: Mapping[UUID, Sequence[str]] = {intake_id: those for intake_id, those in found}  # noqa: C416
    return [
        (row, session.vault.open("intake.name", row.id, row.name_sealed or b""), frozenset(done.get(row.id, [])))
        for row in rows
    ]


def the_intake(session: ReadSession, *, site_id: SiteId, intake_id: UUID) -> Shown:
    """One intake of the site; once closed nothing names anybody any more. Raises NotThere."""
    intake = session.get(Intake, intake_id)
    if intake is None or intake.site_id != site_id:
        raise _not_there()

    def opened(column: str) -> str:
        sealed: bytes | None = getattr(intake, f"{column}_sealed")
        return session.vault.open(f"intake.{column}", intake_id, sealed) if sealed else ""

    parts = session.scalars(
        select(IntakePart).where(IntakePart.intake_id == intake_id).order_by(IntakePart.done_at, IntakePart.id)
    )
    told = select(func.count()).where(IntakeRelease.intake_id == intake_id)
    return Shown(
        intake,
        Heard(
            *(opened("name"), EntryRoute(intake.route)),
            *(opened(each) for each in ("reach", "words", "referrer", "consent")),
        ),
        [
            (part, session.vault.open("intake_part.words", part.id, part.words_sealed) if part.words_sealed else "")
            for part in parts
        ]
        if intake.client_id is None
        else [],
        session.scalar(told) or 0,
    )


def parts_of(session: ReadSession, *, client_id: ClientId) -> list[tuple[IntakePart, str]]:
    """The assessments by which a client came, in their order. Ask for a client whom the reader may look at."""
    rows = select(IntakePart).where(IntakePart.client_id == client_id).order_by(IntakePart.done_at, IntakePart.id)
    return [
        (part, session.vault.open_unless_erased("intake_part.words", part.id, part.words_sealed, gone=ERASED))
        for part in session.scalars(rows)
    ]


def _open_intake(session: WriteSession, actor: Actor, intake_id: UUID) -> Intake:
    intake = session.get(Intake, intake_id, with_for_update=True)
    if intake is None or intake.site_id != actor.site_id or intake.outcome:
        raise _not_there()
    return intake


def _not_there() -> NotThere:
    return NotThere(Refusal("no-intake", "Nobody of this number waits.", "Look at the list again."))


def _refuse_others(actor: Actor) -> None:
    if actor.account_id is None or not actor.may(Act.ENROL):
        raise NotAllowed(Refusal("no-intake-act", "Your work at this site does not include this.", "Ask a nurse."))


def _person(actor: Actor) -> AccountId:
    assert actor.account_id is not None, "people take people in"
    return actor.account_id


def _write_down(
    session: WriteSession, actor: Actor, act: str, intake: Intake, at: datetime, details: dict[str, object]
) -> None:
    audit.record(session, actor=actor, act=act, subject="intake", subject_id=intake.id, at=at, details=details)
