"""Verifying a pass: whose pickup a scanned or typed text opens, or why it opens none. It redeems nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import func, select

from dispensary.clients.models import Client
from dispensary.database import ReadSession, WriteSession
from dispensary.refusals import Refusal, Refused
from dispensary.staff import audit
from dispensary.staff.models import Account, Site
from dispensary.staff.rules import Actor
from dispensary.supplies import passes
from dispensary.supplies.models import PassAttempt, Pickup, PickupPass
from dispensary.supplies.pass_models import PassSetting
from dispensary.supplies.pickups import OUT
from dispensary.units import AccountId, ClientId, SiteId

MOST_WRONG_CODES = 10
WRONG_CODES_WITHIN = timedelta(minutes=10)


@dataclass(frozen=True)
class PassRules:
    """What a site has set for passes and for who collects."""

    cards: bool = True
    agent_months: int = 0
    """Nothing but one collection at a time, unless the site sets months: no source that was read gives a figure."""


def pass_rules(session: ReadSession, site_id: SiteId) -> PassRules:
    """What holds at the site."""
    kept = session.get(PassSetting, site_id)
    return PassRules(kept.cards, kept.agent_months) if kept else PassRules()


def set_pass_rules(session: WriteSession, *, actor: Actor, rules: PassRules, at: datetime) -> None:
    """Sets what holds at the site from now on. Consents that were signed before hold as they were signed."""
    kept = session.get(PassSetting, actor.site_id)
    if kept is None:
        session.add(PassSetting(site_id=actor.site_id, cards=rules.cards, agent_months=rules.agent_months))
    else:
        kept.cards, kept.agent_months = rules.cards, rules.agent_months
    session.flush()
    details = {"cards": rules.cards, "agent_months": rules.agent_months}
    audit.record(
        session, actor=actor, act="set pass rules", subject="site", subject_id=actor.site_id, at=at, details=details
    )


@dataclass(frozen=True)
class Verified:
    """Whose pass it is, before anything is handed over."""

    pickup_id: UUID
    client_id: ClientId
    pass_id: UUID


def verify_pass(
    session: ReadSession,
    *,
    site_id: SiteId,
    text: str,
    at: datetime,
    carried: bool = False,
    typed_at: datetime | None = None,
) -> Verified:
    """Whose pickup a scanned or typed pass opens. It redeems nothing. Raises Refused: each reason has its own code.

    At a home the bottles are with their carrier (`carried`), at a counter in the safe: a pass opens there alone. What
    happened at a home may be entered late: `typed_at` is then the moment by which guessing is counted.
    """
    vault = session.vault
    reading = passes.read(vault, text)
    if reading in _UNREADABLE:
        raise Refused(_UNREADABLE[reading])
    found = select(PickupPass, Pickup, Site).join(Pickup, Pickup.id == PickupPass.pickup_id)
    found = found.join(Site, Site.id == PickupPass.site_id)
    if reading is passes.Reading.CODE:
        _refuse_guessing(session, site_id, typed_at or at)
        digests = passes.code_digests(vault, site_id, text)
        found = found.where(PickupPass.site_id == site_id, PickupPass.code_digest.in_(digests))
    else:
        found = found.where(PickupPass.token_digest.in_(passes.token_digests(vault, text)))
    row = session.execute(found.order_by(PickupPass.issued_at.desc()).limit(1)).one_or_none()
    if row is None:
        raise Refused(Refusal("pass-unknown", "No pickup waits for this pass.", "Find the client by name or number."))
    the_pass, pickup, site = row
    refusal = (
        _why_not(the_pass, site_id, site, at, carried=carried)
        or _not_like_this(session, the_pass, site, reading, text, at)
        or _elsewhere(the_pass, pickup, carried=carried)
    )
    if refusal:
        raise Refused(refusal)
    return Verified(pickup.id, pickup.client_id, the_pass.id)


@dataclass(frozen=True)
class OpenedPass:
    """A live pass as its holder sees it."""

    pass_id: UUID
    client_id: ClientId
    valid_until: datetime
    zone: str


def opened_pass(session: ReadSession, *, link: str, at: datetime) -> OpenedPass:
    """The live pass that this link opens, from the day it was issued to its end. Raises Refused for any other."""
    nothing = Refused(Refusal("pass-unknown", "There is nothing here, or not any more."))
    if passes.read(session.vault, link) is not passes.Reading.LINK:
        raise nothing
    row = session.execute(
        select(PickupPass.id, Pickup.client_id, PickupPass.valid_until, Site.zone)
        .join(Pickup, Pickup.id == PickupPass.pickup_id)
        .join(Site, Site.id == PickupPass.site_id)
        .where(PickupPass.token_digest.in_(passes.token_digests(session.vault, link)))
        .where(PickupPass.ended_at.is_(None), PickupPass.valid_until > at)
    ).one_or_none()
    if row is None:
        raise nothing
    return OpenedPass(*row)


def _local(site: Site, moment: datetime) -> str:
    return f"{moment.astimezone(ZoneInfo(site.zone)):%H:%M}"


def _why_not(the_pass: PickupPass, site_id: SiteId, site: Site, at: datetime, *, carried: bool) -> Refusal | None:
    """What ended this pass, or keeps it from opening here and now."""
    about: dict[str, object] = {"pass": the_pass.id}
    ended = the_pass.ended_at or at
    if the_pass.site_id != site_id:
        return Refusal("pass-other-site", f"This pass is for site {site.code}.", "Send the client there.", about)
    if the_pass.end_reason == "redeemed":
        return Refusal(
            "pass-used",
            f"This pass was used before: at {_local(site, ended)} on {ended.astimezone(ZoneInfo(site.zone)).date()}.",
            "Hand nothing over. Look at the record: who collected, and when.",
            {**about, "redeemed_at": ended.isoformat(timespec="minutes")},
        )
    if the_pass.end_reason == "wrong_person":
        return Refusal(
            "pass-stopped",
            f"This pass was stopped at {_local(site, ended)}: somebody else than the client showed it.",
            "Hand nothing over by it. Once the client is known by photo or identifier, issue a new one.",
            about,
        )
    if the_pass.end_reason == "revoked":
        return Refusal("pass-revoked", "This pass was replaced or withdrawn.", "Ask for the newer one.", about)
    # What was handed over at a home in time is entered afterwards, when the night has ended the pass.
    if at > the_pass.valid_until or (the_pass.end_reason == "expired" and not carried):
        return Refusal("pass-expired", "This pass has expired.", "Give today's dose; prepare the bottles again.", about)
    if at < the_pass.valid_from:
        return Refusal("pass-too-early", "This pass is for a later day.", "Give today's dose at the counter.", about)
    return None


def _not_like_this(
    session: ReadSession, the_pass: PickupPass, site: Site, reading: passes.Reading, text: str, at: datetime
) -> Refusal | None:
    """Why a live pass does not open by what was shown of it."""
    if reading is passes.Reading.SCREEN and not passes.is_fresh(text, at):
        drawn = passes.drawn_at(text)
        return Refusal(
            "pass-photographed",
            f"This is a picture of a screen from {_local(site, drawn)}.",
            "Ask for the phone itself or for the code, and compare the photo before anything is handed over.",
            {"pass": the_pass.id, "drawn_at": drawn.isoformat(timespec="minutes")},
        )
    if reading is passes.Reading.CARD and not pass_rules(session, SiteId(site.id)).cards:
        return replace(CARDS_OFF, evidence={"pass": the_pass.id})
    return None


def _elsewhere(the_pass: PickupPass, pickup: Pickup, *, carried: bool) -> Refusal | None:
    """Why the bottles are not where the pass is shown."""
    if pickup.state == "out" and not carried:
        return replace(OUT, evidence={"pass": the_pass.id})
    if pickup.state != "out" and carried:
        return Refusal(
            "pickup-not-out",
            "These bottles were not given to a carrier.",
            "The client collects them at the counter.",
            {"pass": the_pass.id},
        )
    return None


CARDS_OFF = Refusal(
    "pass-card-off", "This site takes no printed cards.", "Ask for the phone or for the code, and compare the photo."
)
_NO_PASS = Refusal("pass-unreadable", "This is not a pass.", "Scan again or type the code.")
_UNREADABLE = {
    passes.Reading.NOT_A_PASS: _NO_PASS,
    passes.Reading.LINK: _NO_PASS,
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
    session: WriteSession, *, site_id: SiteId, account_id: AccountId | None, refusal: Refusal, at: datetime
) -> None:
    """Keeps that a pass was refused, and which one where that is known.

    In a unit of work of its own, since the refusal undoes the one it arose in.
    """
    about = refusal.evidence.get("pass")
    session.add(
        PassAttempt(
            site_id=site_id,
            at=at,
            account_id=account_id,
            why=refusal.code,
            pass_id=about if isinstance(about, UUID) else None,
        )
    )
    session.flush()


@dataclass(frozen=True)
class RefusedPass:
    """A pass that was refused, as the list of a day has it."""

    at: datetime
    why: str
    by: str
    number: str
    """The client's, where the pass is known and the client belongs to this site."""
    client_id: ClientId | None


def refused_between(
    session: ReadSession, *, site_id: SiteId, since: datetime, until: datetime
) -> Sequence[RefusedPass]:
    """The passes that were refused at the site from one moment to another, the newest first."""
    rows = session.execute(
        select(PassAttempt.at, PassAttempt.why, Account.name, Client.number, Client.id)
        .outerjoin(Account, Account.id == PassAttempt.account_id)
        .outerjoin(PickupPass, PickupPass.id == PassAttempt.pass_id)
        .outerjoin(Pickup, Pickup.id == PickupPass.pickup_id)
        .outerjoin(Client, (Client.id == Pickup.client_id) & (Client.site_id == site_id))
        .where(PassAttempt.site_id == site_id, PassAttempt.at >= since, PassAttempt.at < until)
        .order_by(PassAttempt.at.desc(), PassAttempt.id.desc())
    )
    return [RefusedPass(at, why, by or "", number or "", client_id) for at, why, by, number, client_id in rows]
