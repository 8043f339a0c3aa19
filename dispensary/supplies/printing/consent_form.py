"""A consent on paper in the client's language: who, what, to whom, what for, until when, and how it is taken back.

The elements are those of 42 CFR 2.31(a), in plain words; the client keeps one copy.
"""

from __future__ import annotations

from datetime import datetime

from dispensary.clients.consent_rules import Asked, Information, Signed
from dispensary.clients.consent_words import information
from dispensary.clients.consents import Agreed
from dispensary.clients.queries import Face
from dispensary.database import ReadSession
from dispensary.staff.models import Site
from dispensary.supplies.printing.disclosure import sender, who
from dispensary.supplies.printing.letter import Letter, letter_pdf
from dispensary.supplies.printing.wording import moment, plain_day
from dispensary.supplies.told import Part
from dispensary.units import ClientId
from dispensary.words import SOURCE, _, catalogues
from notifications.queries import contact_details


def language_of(session: ReadSession, client_id: ClientId) -> str:
    """The language in which the client reads the form: that of their texts where the program has its words."""
    contact = contact_details(session, vault=session.vault, recipient_id=client_id)
    return contact.language if contact and contact.language in catalogues() else SOURCE


def asked_by(agreed: Agreed) -> Asked:
    """A consent that was taken, as it was asked for."""
    rule = agreed.rule
    return Asked(
        kinds=agreed.kinds,
        recipient_kind=rule.recipient_kind,
        recipient=rule.recipient,
        purpose=agreed.purpose,
        from_day=rule.from_day,
        until_day=rule.until_day,
        until_event=agreed.until_event,
        signed=agreed.signed,
        signature=agreed.signature,
    )


def consent_pdf(
    *, site: Site, face: Face, asked: Asked, language: str, printed_at: datetime, taken: Agreed | None = None
) -> bytes:
    """The form, filled in: to be signed, or, once it is `taken`, as it was signed."""

    def letter() -> Letter:
        words = information()
        until = plain_day(asked.until_day) if asked.until_day else asked.until_event
        about = [
            (_("I am"), who(face)),
            (_("Who may tell"), site.name),
            (_("To whom"), asked.recipient),
            (_("What"), ", ".join(words[kind] for kind in Information if kind in asked.kinds)),
            (_("What for"), asked.purpose),
            (_("From"), plain_day(asked.from_day)),
            (_("Until"), until),
        ]
        if taken is not None and taken.rule.revoked_at is not None:
            about.append((_("Taken back"), moment(taken.rule.revoked_at, site.zone)))
        on_screen = taken is not None and asked.signed is Signed.SCREEN
        if on_screen and taken is not None:
            about.append((_("Signed on the screen"), f"{asked.signature}, {moment(taken.taken_at, site.zone)}"))
        return Letter(
            title=_("What may be told about me"),
            sender=sender(site),
            about=tuple(about),
            parts=(Part(_("What I should know"), _rights(site)),),
            sign=() if on_screen else (_("My signature, and the day"), _("Who explained it to me")),
            foot=_("Printed %(at)s. One copy is for the client.", at=moment(printed_at, site.zone)),
        )

    return letter_pdf(letter, made_at=printed_at, language=language)


def _rights(site: Site) -> tuple[str, ...]:
    how = (
        _(
            "I can take this back at any time, by a word at any desk, a letter, or a call to %(phone)s.",
            phone=site.phone,
        )
        if site.phone
        else _("I can take this back at any time, by a word at any desk or a letter.")
    )
    return (
        how,
        _("It ends at that moment. What was told before cannot be made untold."),
        _("I need not agree. My doses and my treatment do not depend on it."),
        _("Nothing else is told, and nobody else is told, than what stands here."),
        _("Whoever receives it is told in writing that they may not pass it on."),
        _("Every time that something is told, it is written down, and I can ask to see it."),
    )
