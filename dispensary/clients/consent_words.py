"""Kinds of information, of recipients and of grounds as a person reads them, in the language that is spoken."""

from __future__ import annotations

from dispensary.clients.consent_rules import Information, RecipientKind, Revoked
from dispensary.clients.disclosing import Ground
from dispensary.words import _


def information() -> dict[Information, str]:
    """What each kind is, short enough for a tick box."""
    return {
        Information.PRESENCE: _("that they are a client here"),
        Information.ATTENDANCE: _("on which days they came"),
        Information.DOSES: _("doses: ordered, taken, at home"),
        Information.RESULTS: _("results of tests, and medicines"),
        Information.WHOLE: _("the whole record"),
    }


def recipients() -> dict[RecipientKind, str]:
    """What kind of person or place is told."""
    return {
        RecipientKind.COURT: _("a court or its clinic"),
        RecipientKind.TREATMENT: _("a doctor, hospital or other treatment"),
        RecipientKind.SOCIAL: _("a social, probation or work service"),
        RecipientKind.FAMILY: _("family or a friend"),
        RecipientKind.EMPLOYER: _("an employer"),
        RecipientKind.LAWYER: _("their lawyer"),
        RecipientKind.OTHER: _("somebody else"),
    }


def endings() -> dict[Revoked, str]:
    """How a consent ends before its day."""
    return {
        Revoked.SAID: _("they said so"),
        Revoked.WRITTEN: _("they wrote it"),
        Revoked.EVENT: _("what it was to last until has come"),
    }


def grounds() -> dict[Ground, str]:
    """Why something left."""
    return {
        Ground.CONSENT: _("with their consent"),
        Ground.RESEARCH: _("for an approved study"),
        Ground.AUDIT: _("for an audit or evaluation"),
        Ground.EMERGENCY: _("in a medical emergency"),
        Ground.COURT_ORDER: _("by a court's order"),
    }
