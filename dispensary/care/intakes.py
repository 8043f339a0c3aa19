"""Entry from outside: somebody is heard before they are a client, and assessed as they want it.

Police or a court may send people to an assessment in place of detention. What they hear back, and by which consent, is
in `intake_consents`; how it ends, in `intake_closing`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import func, select, text

from dispensary.care.intake_models import Intake, IntakePart, IntakeRelease
from dispensary.care.referral_models import Service
from dispensary.clients.consent_rules import Signed
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


@dataclass(frozen=True, repr=False)
class Heard:
    """What somebody said of themselves, or who sent them said."""

    name: str
    route: EntryRoute
    reach: str = ""
    words: str = ""
    referrer: str = ""
    consent: str = ""
    """Where the signed paper is kept by which they let the referrer hear that they came, and on which days; empty for
    none. What else they agree to, or later, is written down by `note_consent`."""

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
    refuse_others(actor)
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

    agreed = bool(heard.consent.strip())
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
        consent_days=agreed,
        consent_signed=Signed.PAPER.value if agreed else None,
        consent_by=person(actor) if agreed else None,
        consent_at=at if agreed else None,
        taken_by=person(actor),
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
    refuse_others(actor)
    intake = open_intake(session, actor, intake_id)
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
            done_by=person(actor),
            done_at=at,
        )
    )
    session.flush()
    _write_down(session, actor, "assessed intake", intake, at, {"part": part.value})


def correct_intake(
    session: WriteSession, *, actor: Actor, intake_id: UUID, name: str, reach: str, seen: tuple[str, str], at: datetime
) -> Intake:
    """Puts right what they are called, or how they are reached. The trail says which of the two, and neither's words.

    `seen` is how the two stood on the page of whoever corrects: what they left alone stays as it is by now, and what
    somebody else has put otherwise meanwhile is not theirs to put right unseen. What stood there is kept nowhere.
    Raises NotAllowed, BadInput with a fault a field, Refused where it stands otherwise, NotThere once it is closed.
    """
    refuse_others(actor)
    if faults := Heard(name, EntryRoute.SELF, reach).faults():
        raise BadInput(*faults)
    intake = open_intake(session, actor, intake_id)
    said, changed = {"name": (name.strip(), seen[0].strip()), "reach": (reach.strip(), seen[1].strip())}, []
    for field, (now, was) in said.items():
        sealed: bytes | None = getattr(intake, f"{field}_sealed")
        stands = session.vault.open(f"intake.{field}", intake.id, sealed) if sealed else ""
        if now not in (was, stands):
            if stands != was:
                sentence = "Somebody else has put this right since the page was opened."
                raise Refused(Refusal("corrected-since", sentence, "Read how it stands now.", field=field))
            setattr(intake, f"{field}_sealed", session.vault.seal(f"intake.{field}", intake.id, now) if now else None)
            changed.append(field)
    if changed:
        session.flush()
        audit.record(
            session,
            actor=actor,
            act="corrected intake",
            subject="intake",
            subject_id=intake.id,
            at=at,
            details={"corrected": changed},
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
    told_by_this: bool
    """Whether somebody was, since the consent that stands: under another's no sentence is to be said."""


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
    told = select(Release.at).join(IntakeRelease).where(IntakeRelease.intake_id == intake_id)
    tellings = session.scalars(told).all()
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
        len(tellings),
        intake.consent_at is not None and any(each >= intake.consent_at for each in tellings),
    )


def parts_of(session: ReadSession, *, client_id: ClientId) -> list[tuple[IntakePart, str]]:
    """The assessments by which a client came, in their order. Ask for a client whom the reader may look at."""
    rows = select(IntakePart).where(IntakePart.client_id == client_id).order_by(IntakePart.done_at, IntakePart.id)
    return [
        (part, session.vault.open_unless_erased("intake_part.words", part.id, part.words_sealed, gone=ERASED))
        for part in session.scalars(rows)
    ]


def open_intake(session: WriteSession, actor: Actor, intake_id: UUID) -> Intake:
    """The open intake of the actor's site, held until the unit of work ends. Raises NotThere."""
    intake = session.get(Intake, intake_id, with_for_update=True)
    if intake is None or intake.site_id != actor.site_id or intake.outcome:
        raise _not_there()
    return intake


def _not_there() -> NotThere:
    return NotThere(Refusal("no-intake", "Nobody of this number waits.", "Look at the list again."))


def refuse_others(actor: Actor) -> None:
    """Raises NotAllowed for whoever takes nobody in."""
    if actor.account_id is None or not actor.may(Act.ENROL):
        raise NotAllowed(Refusal("no-intake-act", "Your work at this site does not include this.", "Ask a nurse."))


def person(actor: Actor) -> AccountId:
    """Who it is."""
    assert actor.account_id is not None, "people take people in"
    return actor.account_id


def _write_down(
    session: WriteSession, actor: Actor, act: str, intake: Intake, at: datetime, details: dict[str, object]
) -> None:
    audit.record(session, actor=actor, act=act, subject="intake", subject_id=intake.id, at=at, details=details)
