"""The number that a site's clients write to: set by its administrator, printed on what clients take along."""

from __future__ import annotations

import re
from datetime import datetime

import phonenumbers
from phonenumbers import NumberParseException, PhoneNumberFormat

from dispensary.database import ReadSession, WriteSession
from dispensary.refusals import BadInput, Refusal
from dispensary.staff import audit
from dispensary.staff.models import Site
from dispensary.staff.phone_line_models import PhoneLine
from dispensary.staff.rules import Actor
from dispensary.staff.service import refuse_unless_runs_site
from dispensary.units import SiteId

_SHORT_CODE = re.compile(r"[0-9]{3,8}")


def set_phone_line(session: WriteSession, *, actor: Actor, typed: str, at: datetime) -> None:
    """Keeps the number of the actor's site; nothing typed takes it away. Raises NotAllowed, and BadInput for no number.

    Who may be written to is not changed by it: the gateway sends from the number that it was given.
    """
    refuse_unless_runs_site(actor, actor.site_id)
    site = session.get_one(Site, actor.site_id, with_for_update=True)
    kept = session.get(PhoneLine, site.id)
    before, number = kept.number if kept else "", _kept_as(typed.strip(), site.region)
    if before == number:
        return
    if kept is not None and not number:
        session.delete(kept)
    elif kept is not None:
        kept.number = number
    else:
        session.add(PhoneLine(site_id=site.id, number=number))
    session.flush()
    audit.record(
        session,
        actor=actor,
        act="changed phone line",
        subject="site",
        subject_id=site.id,
        at=at,
        details={"number": [before, number]},
    )


def phone_line(session: ReadSession, *, site_id: SiteId, region: str) -> str:
    """The site's number as people of its country dial it; empty when none is set."""
    kept = session.get(PhoneLine, site_id)
    if kept is None or not kept.number.startswith("+"):
        return kept.number if kept else ""
    number = phonenumbers.parse(kept.number)
    home = number.country_code == phonenumbers.country_code_for_region(region)
    return phonenumbers.format_number(number, PhoneNumberFormat.NATIONAL if home else PhoneNumberFormat.INTERNATIONAL)


def _kept_as(typed: str, region: str) -> str:
    if not typed or _SHORT_CODE.fullmatch(typed):
        return typed
    try:
        number = phonenumbers.parse(typed[:40], region)
    except NumberParseException:
        raise _no_number() from None
    if not phonenumbers.is_valid_number(number) or number.extension:
        raise _no_number()
    return phonenumbers.format_number(number, PhoneNumberFormat.E164)


def _no_number() -> BadInput:
    return BadInput(
        Refusal(
            "bad-phone-line",
            "This is not a number that people can write to.",
            "Type it as it is dialled, or the short code that the network gave you.",
            field="number",
        )
    )
