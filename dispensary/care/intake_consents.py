"""What whoever sent somebody may hear of them: that they came, by their own consent, and nothing that was found.

They are no clients yet, so that a consent stands with what they came with. It is read by the same rule as a client's:
it names to whom, how much, and until when; they take it back by a word, and from then on it covers nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, datetime
from uuid import UUID

from sqlalchemy import select

from dispensary.care.intake_models import Intake, IntakeRelease
from dispensary.care.intakes import LONGEST_LINE, open_intake, person, refuse_others
from dispensary.clients.consent_rules import Consent, Information, RecipientKind, Revoked, Signed, Telling, covers
from dispensary.clients.disclosing import Ground, Line, put_on_register
from dispensary.clients.disclosure_models import Release
from dispensary.database import ReadSession, WriteSession
from dispensary.refusals import BadInput, NotAllowed, Refusal, Refused
from dispensary.staff import audit
from dispensary.staff.rules import Act, Actor

_NOBODY_HEARS = Refusal(
    "no-consent",
    "They have not agreed that anybody hears of them: whoever sent them is told nothing.",
    "Ask them, and write their yes down first; a no costs nothing. A demand is written down under “Legal demand”.",
    field="tell",
)


@dataclass(frozen=True, repr=False)
class Agreement:
    """What somebody agrees to: whoever it names hears that they came."""

    recipient: str
    """To whom, and nobody else."""
    days: bool
    """On which days too."""
    signed: Signed
    signature: str
    """Where the paper is kept, or the name that they wrote."""
    until_day: date | None = None
    """Its last day; nothing where it lasts until this is closed."""

    def faults(self, today: date) -> list[Refusal]:
        """What is missing of it, field by field."""
        faults = []
        for field, typed, sentence in (
            ("recipient", self.recipient, "It does not say to whom."),
            ("signature", self.signature, "It does not say how it was signed."),
        ):
            if not typed.strip():
                faults.append(Refusal(f"{field}-missing", sentence, "Fill it in.", field=field))
            elif len(typed.strip()) > LONGEST_LINE:
                faults.append(
                    Refusal("too-long", f"This is longer than {LONGEST_LINE} letters.", "Shorten it.", field=field)
                )
        if self.until_day is not None and self.until_day < today:
            faults.append(Refusal("ended-already", "It has ended already.", "Correct the day.", field="until_day"))
        return faults


def note_consent(
    session: WriteSession, *, actor: Actor, intake_id: UUID, agreed: Agreement, today: date, at: datetime
) -> Intake:
    """Writes down what they agree to now. It takes the place of what they agreed to before; the same again is found.

    Who sent them stays as it was said, whomever it names. Raises NotAllowed, BadInput with a fault a field, NotThere.
    """
    refuse_others(actor)
    if faults := agreed.faults(today):
        raise BadInput(*faults)
    intake = open_intake(session, actor, intake_id)
    recipient, signature = agreed.recipient.strip(), agreed.signature.strip()
    same = (told_to(session, intake), _opened(session, intake, "consent")) == (recipient, signature)
    terms = (agreed.days, agreed.signed.value, agreed.until_day)
    holds = intake.consent_at is not None and intake.consent_ended_at is None
    if holds and same and terms == (intake.consent_days, intake.consent_signed, intake.consent_until):
        return intake
    intake.consent_sealed = session.vault.seal("intake.consent", intake.id, signature)
    another = recipient != _opened(session, intake, "referrer")
    intake.consent_to_sealed = session.vault.seal("intake.consent_to", intake.id, recipient) if another else None
    intake.consent_days, intake.consent_signed, intake.consent_until = terms
    intake.consent_by, intake.consent_at = person(actor), at
    intake.consent_ended_how = intake.consent_ended_by = intake.consent_ended_at = None
    session.flush()
    audit.record(
        session,
        actor=actor,
        act="noted consent of intake",
        subject="intake",
        subject_id=intake.id,
        at=at,
        details={"days": agreed.days, "signed": agreed.signed.value, "until": agreed.until_day},
    )
    return intake


def end_consent(session: WriteSession, *, actor: Actor, intake_id: UUID, how: Revoked, at: datetime) -> Intake:
    """Ends it at once: from this moment nobody hears anything. What was told before stays told.

    Whoever presses again finds it ended. Raises NotAllowed, Refused where nothing was agreed to, NotThere.
    """
    refuse_others(actor)
    intake = open_intake(session, actor, intake_id)
    if intake.consent_at is None:
        raise Refused(Refusal("no-consent", "They have agreed to nothing.", "Nobody is told anything.", field="how"))
    if intake.consent_ended_at is None:
        intake.consent_ended_how, intake.consent_ended_by, intake.consent_ended_at = how.value, person(actor), at
        session.flush()
        audit.record(
            session,
            actor=actor,
            act="ended consent of intake",
            subject="intake",
            subject_id=intake.id,
            at=at,
            details={"how": how.value},
        )
    return intake


def why_not_told(
    session: ReadSession, intake: Intake, *, kinds: frozenset[Information], today: date, at: datetime
) -> Refusal | None:
    """Nothing where their consent covers it; else why not, by the rule that reads every consent."""
    recipient = told_to(session, intake)
    if intake.consent_at is None or intake.consent_sealed is None or not recipient:
        return _NOBODY_HEARS
    rule = Consent(
        kinds=frozenset({Information.PRESENCE, *([Information.ATTENDANCE] if intake.consent_days else [])}),
        recipient_kind=RecipientKind.OTHER,
        recipient=recipient,
        from_day=intake.came_on,
        until_day=intake.consent_until,
        revoked_at=intake.consent_ended_at,
    )
    when = max(at, intake.consent_ended_at or at)  # whoever pressed before the end and comes after it is late
    refusal = covers(rule, Telling(kinds, RecipientKind.OTHER, recipient, today, when))
    if refusal is None or refusal.code != "consent-revoked":
        return refusal and replace(refusal, field="tell")
    sentence = "They have taken their consent back: whoever sent them is told nothing."
    return replace(refusal, sentence=sentence, remedy="Ask them; a no costs nothing.", field="tell")


def tell_referrer(
    session: WriteSession, *, actor: Actor, intake_id: UUID, days: bool, key: UUID, today: date, at: datetime
) -> Release:
    """Puts on the register that whoever sent them is told that they came; with `days`, on which days too.

    It gives nothing out itself: the page then says the sentence. Raises Refused without their consent and from its end
    on, NotAllowed, NotThere.
    """
    if actor.account_id is None or not actor.may(Act.REPORT_PROGRESS):
        raise NotAllowed(
            Refusal("may-not-tell", "Your work at this site does not include telling this.", "Ask a doctor.")
        )
    intake = open_intake(session, actor, intake_id)
    of_theirs = select(Release).join(IntakeRelease, IntakeRelease.release_id == Release.id)
    same = (IntakeRelease.intake_id == intake.id, Release.key == key, Release.account_id == actor.account_id)
    known = session.scalar(of_theirs.where(*same))
    if known is not None:
        return known
    kinds = frozenset({Information.PRESENCE, Information.ATTENDANCE} if days else {Information.PRESENCE})
    if refusal := why_not_told(session, intake, kinds=kinds, today=today, at=at):
        raise Refused(refusal)
    release = put_on_register(
        session,
        actor=actor,
        clients=[],
        line=Line(
            f"intake {intake.number}: that they came" + (", and on which days" if days else ""),
            Ground.CONSENT,
            authority=_opened(session, intake, "consent"),
            recipient=told_to(session, intake),
            reason="They agreed that these hear of it.",
            kinds=kinds,
            key=key,
        ),
        at=at,
    )
    session.add(IntakeRelease(release_id=release.id, intake_id=intake.id, consent_at=intake.consent_at))
    session.flush()
    audit.record(
        session,
        actor=actor,
        act="told referrer",
        subject="intake",
        subject_id=intake.id,
        at=at,
        details={"release": release.id, "days": days},
    )
    return release


def told_to(session: ReadSession, intake: Intake) -> str:
    """Whom the consent lets hear of them: whomever it names, who is whoever sent them where it names nobody else."""
    return _opened(session, intake, "consent_to") or _opened(session, intake, "referrer")


def _opened(session: ReadSession, intake: Intake, column: str) -> str:
    sealed: bytes | None = getattr(intake, f"{column}_sealed")
    return session.vault.open(f"intake.{column}", intake.id, sealed) if sealed else ""
