"""The letter that somebody carries to where they are referred: the place, what for, and no more than they wish.

It has no letterhead, no name of a site, and no word of why they come to us: whoever finds it, or reads it by chance,
learns nothing that the person did not choose to say. What is to be known besides, they tell there themselves.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime

from dispensary.care.referral_models import Service
from dispensary.supplies.printing.letter import Letter, letter_pdf
from dispensary.supplies.printing.wording import plain_day
from dispensary.supplies.told import Part
from dispensary.words import _, pgettext
from notifications.discretion import reveals


def services() -> Mapping[Service, str]:
    """For what somebody is referred, in the language of now."""
    return {
        Service.HIV_TEST: _("HIV test"),
        Service.ART: _("ART"),
        Service.HEPATITIS_C: _("Hepatitis C"),
        Service.TUBERCULOSIS: _("Tuberculosis"),
        Service.STI: _("STI"),
        Service.MENTAL_HEALTH: _("Mental health"),
        Service.HOSPITAL: _("Hospital"),
        Service.LEGAL_AID: _("Legal aid"),
        Service.SUPPORT_GROUP: _("Support group"),
        Service.VOCATIONAL: _("Work and training"),
    }


def referral_letter_pdf(
    *, place: str, service: Service, name: str, sent_on: date, language: str, printed_at: datetime
) -> bytes:
    """The letter on one sheet. `name` is a first name, where they wish that it stands there; empty for none.

    What they want to be called is left out where it would give away what the rest of the letter does not.
    """

    def letter() -> Letter:
        called = name.split()[0] if name.split() and not reveals(name.split()[0]) else ""
        about = [
            (pgettext("recipient", "To"), place),
            (_("For what"), services()[service]),
            *([(_("Name"), called)] if called else []),
            (_("Written on"), plain_day(sent_on)),
        ]
        return Letter(
            title=_("Please see whoever brings this letter"),
            sender=(),
            about=tuple(about),
            parts=(
                Part(
                    _("They come of their own accord."),
                    (
                        _("Please tell them what you can do for them, and when they can come again."),
                        _("What you would like to know of them, ask them: nothing else was told to you."),
                        _("You need not answer it. They tell us themselves, if they wish."),
                    ),
                ),
            ),
        )

    return letter_pdf(letter, made_at=printed_at, language=language)
