"""Verifying a pass: whose pickup a scanned or typed text opens, or why it opens none. It redeems nothing."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import func, select

from dispensary.database import ReadSession, WriteSession
from dispensary.refusals import Refusal, Refused
from dispensary.staff.models import Site
from dispensary.supplies import passes
from dispensary.supplies.models import PassAttempt, Pickup, PickupPass
from dispensary.units import AccountId, ClientId, SiteId

MOST_WRONG_CODES = 10
WRONG_CODES_WITHIN = timedelta(minutes=10)


@dataclass(frozen=True)
class Verified:
    """Whose pass it is, before anything is handed over."""

    pickup_id: UUID
    client_id: ClientId


def verify_pass(session: ReadSession, *, site_id: SiteId, text: str, at: datetime) -> Verified:
    """Whose pickup a scanned or typed pass opens. It redeems nothing. Raises Refused: each reason has its own code."""
    vault = session.vault
    reading = passes.read(vault, text)
    if reading in _UNREADABLE:
        raise Refused(_UNREADABLE[reading])
    found = select(PickupPass, Pickup, Site.code).join(Pickup, Pickup.id == PickupPass.pickup_id)
    found = found.join(Site, Site.id == PickupPass.site_id)
    if reading is passes.Reading.CODE:
        _refuse_guessing(session, site_id, at)
        digest = passes.code_digest(vault, site_id, text)
        found = found.where(PickupPass.site_id == site_id, PickupPass.code_digest == digest)
    else:
        found = found.where(PickupPass.token_digest == passes.token_digest(vault, text))
    row = session.execute(found.order_by(PickupPass.issued_at.desc()).limit(1)).one_or_none()
    if row is None:
        raise Refused(Refusal("pass-unknown", "No pickup waits for this pass.", "Find the client by name or number."))
    the_pass, pickup, site_code = row
    refusal = _why_not(the_pass, site_id, site_code, at)
    if refusal:
        raise Refused(refusal)
    return Verified(pickup.id, pickup.client_id)


@dataclass(frozen=True)
class OpenedPass:
    """A live pass as its holder sees it."""

    pass_id: UUID
    client_id: ClientId
    valid_until: datetime
    zone: str


def opened_pass(session: ReadSession, *, token: str, at: datetime) -> OpenedPass:
    """The live pass that this token shows, from the day it was issued to its end. Raises Refused for any other."""
    if passes.read(session.vault, token) is not passes.Reading.TOKEN:
        raise Refused(_UNREADABLE[passes.Reading.NOT_A_PASS])
    row = session.execute(
        select(PickupPass.id, Pickup.client_id, PickupPass.valid_until, Site.zone)
        .join(Pickup, Pickup.id == PickupPass.pickup_id)
        .join(Site, Site.id == PickupPass.site_id)
        .where(PickupPass.token_digest == passes.token_digest(session.vault, token))
        .where(PickupPass.ended_at.is_(None), PickupPass.valid_until > at)
    ).one_or_none()
    if row is None:
        raise Refused(Refusal("pass-unknown", "No pickup waits for this pass."))
    return OpenedPass(*row)


def _why_not(the_pass: PickupPass, site_id: SiteId, site_code: str, at: datetime) -> Refusal | None:
    if the_pass.site_id != site_id:
        return Refusal("pass-other-site", f"This pass is for site {site_code}.", "Send the client there.")
    if the_pass.end_reason == "redeemed":
        when = the_pass.ended_at.isoformat(timespec="minutes") if the_pass.ended_at else ""
        return Refusal(
            "pass-used",
            "This pass was used before.",
            "Hand nothing over. Look at the record: who collected, and when.",
            {"redeemed_at": when},
        )
    if the_pass.end_reason == "revoked":
        return Refusal("pass-revoked", "This pass was replaced or withdrawn.", "Ask for the newer one.")
    if the_pass.end_reason == "expired" or at > the_pass.valid_until:
        return Refusal("pass-expired", "This pass has expired.", "Give today's dose; prepare the bottles again.")
    if at < the_pass.valid_from:
        return Refusal("pass-too-early", "This pass is for a later day.", "Give today's dose at the counter.")
    return None


_UNREADABLE = {
    passes.Reading.NOT_A_PASS: Refusal("pass-unreadable", "This is not a pass.", "Scan again or type the code."),
    passes.Reading.BOTTLE: Refusal("pass-is-bottle", "This is the label of a bottle, not a pass.", "Scan the pass."),
    passes.Reading.BOTTLE_MISTYPED: Refusal(
        "bottle-mistyped", "The bottle's number has a wrong digit.", "Scan the label again, or type its 16 digits."
    ),
    passes.Reading.MISTYPED: Refusal("code-mistyped", "The code has a wrong digit.", "Type its eight digits again."),
    passes.Reading.TAMPERED: Refusal(
        "pass-tampered", "This pass was not issued here: its signature is wrong.", "Keep it and tell the administrator."
    ),
}


def _refuse_guessing(session: ReadSession, site_id: SiteId, at: datetime) -> None:
    wrong = session.scalar(
        select(func.count())
        .select_from(PassAttempt)
        .where(PassAttempt.site_id == site_id, PassAttempt.at > at - WRONG_CODES_WITHIN)
        .where(PassAttempt.why == "pass-unknown")
    )
    if wrong is not None and wrong >= MOST_WRONG_CODES:
        raise Refused(
            Refusal(
                "code-throttled",
                f"{wrong} wrong codes were typed at this site in the last ten minutes.",
                "Find the client by name or number, or wait.",
            )
        )


def record_refused_pass(
    session: WriteSession, *, site_id: SiteId, account_id: AccountId | None, why: str, at: datetime
) -> None:
    """Keeps that a pass was refused: in a unit of work of its own, since the refusal undoes the one it arose in."""
    session.add(PassAttempt(site_id=site_id, at=at, account_id=account_id, why=why))
    session.flush()
