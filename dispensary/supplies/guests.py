"""Guest doses: a stay is asked for, verified or refused by home, and ended before its time; else it ends by itself."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID, uuid5

from sqlalchemy import func, select, update
from sqlalchemy.exc import IntegrityError

from dispensary.clients.guest_models import GuestStay
from dispensary.clients.guest_rules import LONGEST_STAY, Stay, StayState, faults_of_stay, state_of
from dispensary.clients.guests import lock_for_record, longest_stay
from dispensary.clients.numbers import with_number
from dispensary.clients.service import lock_client
from dispensary.database import ReadSession, WriteSession, broken_constraint, through
from dispensary.monitoring.models import Alert
from dispensary.monitoring.service import open_alert
from dispensary.refusals import BadInput, NotAllowed, NotThere, Refusal, Refused
from dispensary.staff import audit
from dispensary.staff.models import Site
from dispensary.staff.queries import Place, place, site_by_code
from dispensary.staff.rules import Act, Actor, Role
from dispensary.supplies.freezing import freeze_for
from dispensary.supplies.guest_facts import Facts, facts_of
from dispensary.supplies.models import DayClose
from dispensary.supplies.recalls import open_recall
from dispensary.units import AccountId, ClientId, SiteId
from dispensary.wall import Door


@dataclass(frozen=True)
class Asked:
    """What somebody asks for: from the first day to the last, both included, and whether bottles may be given there."""

    first: date
    last: date
    bottles: bool
    reason: str

    @property
    def until(self) -> date:
        return self.last + timedelta(days=1) if self.last < date.max else self.last


@through(Door.GUEST_STAYS)
def ask(
    session: WriteSession, *, actor: Actor, number: str, home_code: str, asked: Asked, key: str, at: datetime
) -> GuestStay:
    """Asks home, from the counter before which another site's client stands, to verify them as a guest here.

    Home has an alert until it answers; nothing is shown here and nothing is given before. The same request with the
    same key is found made. Raises BadInput with everything that is missing, NotThere when that site has no such client,
    Refused for days that another stay has.
    """
    home = site_by_code(session, home_code)
    if home.id == actor.site_id:
        raise BadInput(
            Refusal("own-client", "This is a client of this site.", "Find them by the number.", field="home")
        )
    client_id = with_number(session, site_id=SiteId(home.id), number=number)
    if client_id is None:
        raise NotThere(
            Refusal("no-client", f"{home.code} has no client with this number.", "Read the card.", field="number")
        )
    stay_id = id_of(actor, client_id, key)
    lock_for_record(session, ClientId(client_id))
    if (known := session.get(GuestStay, stay_id)) is not None:
        return known
    _asked_well(session, SiteId(home.id), actor.site_id, asked, at)
    stay = written(session, stay_id, ClientId(client_id), SiteId(home.id), actor.site_id, actor, asked, at)
    open_alert(
        session,
        site_id=SiteId(home.id),
        client_id=ClientId(client_id),
        cause=_cause_of(stay),
        severity="warning",
        role=Role.PHARMACIST,
        sentence=f"{_code(session, actor.site_id)} asks to give doses from {asked.first} to {asked.last}:"
        f" {asked.reason.strip()}",
        at=at,
    )
    _write_down(session, actor, stay, "asked for guest stay", at)
    return stay


@through(Door.GUEST_STAYS)
def arrange(
    session: WriteSession,
    *,
    actor: Actor,
    client_id: ClientId,
    guest_code: str,
    asked: Asked,
    confirmed: bool,
    key: str,
    at: datetime,
) -> GuestStay:
    """Arranges and verifies a stay of a client of this site at another one, in one act of home.

    From then on the guest site's counter serves the client on these days and no other does. The same request with the
    same key is found made. Raises as `ask` and `answer` do.
    """
    guest = site_by_code(session, guest_code)
    if guest.id == actor.site_id:
        raise BadInput(Refusal("own-site", "This is the client's home.", "Choose another site.", field="guest"))
    _answers_for(actor, actor.site_id)
    stay_id = id_of(actor, client_id, key)
    lock_sites(session, actor.site_id, SiteId(guest.id))
    lock_client(session, client_id, actor.site_id)
    if (known := session.get(GuestStay, stay_id)) is not None:
        return known
    _asked_well(session, actor.site_id, SiteId(guest.id), asked, at)
    facts = _confirmed(session, actor, client_id, asked.first, asked.until, confirmed=confirmed, at=at)
    stay = written(
        session, stay_id, client_id, actor.site_id, SiteId(guest.id), actor, asked, at, verified=facts.as_json()
    )
    _write_down(session, actor, stay, "verified guest stay", at)
    return stay


@through(Door.GUEST_STAYS)
def answer(
    session: WriteSession,
    *,
    actor: Actor,
    stay_id: UUID,
    accepted: bool,
    bottles: bool = False,
    confirmed: bool = False,
    refusal: str = "",
    at: datetime,
) -> GuestStay:
    """Home's answer, once: verified with what it confirms, or refused with a reason. Its alert ends with it.

    A stay begins with the first of its days that neither site has closed. Sent again by the same person it is found
    answered. Raises NotAllowed for anybody but home's pharmacists and prescribers, BadInput, NotThere, and Refused when
    it was answered, withdrawn or too late.
    """
    stay = _locked(session, actor, stay_id)
    _answers_for(actor, SiteId(stay.home_site_id))
    if actor.account_id in (stay.verified_by, stay.refused_by) and accepted is (stay.verified_by is not None):
        return stay
    home, guest = place(session, stay.home_site_id), place(session, stay.guest_site_id)
    if stay_state(stay, min(home.dose_day(at), guest.dose_day(at))) is not StayState.ASKED:
        raise Refused(Refusal("stay-answered", "This was answered, withdrawn, or is over.", "Open the list again."))
    if not accepted:
        if not refusal.strip():
            raise BadInput(Refusal("refusal", "Say why not.", "The other site reads it.", field="refusal"))
        stay.refused_by, stay.refused_at, stay.refusal = actor.account_id, at, refusal.strip()
    else:
        first = max(stay.from_day, first_open(session, home, guest, at))
        if first >= stay.until_day:
            raise Refused(Refusal("stay-over", "Its days have closed by now.", "Let it be asked for again."))
        client_id = ClientId(stay.client_id)
        facts = _confirmed(session, actor, client_id, first, stay.until_day, confirmed=confirmed, at=at)
        stay.from_day, stay.bottles, stay.confirmed = first, bottles, facts.as_json()
        stay.verified_by, stay.verified_at = actor.account_id, at
    session.flush()
    _settle(session, actor, stay, "verified" if accepted else f"refused: {refusal.strip()}", at)
    _write_down(session, actor, stay, "verified guest stay" if accepted else "refused guest stay", at)
    return stay


@through(Door.GUEST_STAYS)
def end(session: WriteSession, *, actor: Actor, stay_id: UUID, reason: str, at: datetime) -> GuestStay:
    """Ends a stay before its time, or withdraws a request that waits: from today on the client is home's again.

    Either site may. A day that home has closed meanwhile, as the guest site's, is frozen now. Sent again by the same
    person it is found ended. Raises BadInput without a reason, NotThere, and Refused for a stay that is over.
    """
    stay = _locked(session, actor, stay_id)
    if stay.ended_by is not None and (stay.ended_by, stay.end_reason) == (actor.account_id, reason.strip()):
        return stay
    if not reason.strip():
        raise BadInput(Refusal("end-reason", "Say why it ends now.", "A few words do.", field="end_reason"))
    today = place(session, actor.site_id).dose_day(at)
    if stay_state(stay, today) in (StayState.OVER, StayState.REFUSED, StayState.LAPSED):
        raise Refused(Refusal("stay-over", "This stay is over.", "Open the client again."))
    return _ended(session, actor, stay, reason.strip(), today, at)


def end_with_the_move(session: WriteSession, *, actor: Actor, client_id: ClientId, day: date, at: datetime) -> None:
    """Ends whatever a client's stays have left from the day on which they move, and withdraws what waits for an answer.

    The caller has locked both sites and the client, and has refused a move of whoever is a guest at a third site.
    """
    rows = select(GuestStay).where(
        GuestStay.client_id == client_id,
        GuestStay.refused_at.is_(None),
        GuestStay.ended_at.is_(None),
        GuestStay.until_day > day,
    )
    for stay in session.scalars(rows.order_by(GuestStay.from_day)).all():
        _ended(session, actor, stay, "the client moves to another site", day, at)


def _ended(session: WriteSession, actor: Actor, stay: GuestStay, reason: str, today: date, at: datetime) -> GuestStay:
    stay.ended_by, stay.ended_at, stay.end_reason = actor.account_id, at, reason
    stay.ended_on = stay.from_day if stay.verified_at is None else max(stay.from_day, today)
    session.flush()
    if stay.verified_at is not None:
        closed = select(DayClose.dose_day).where(
            DayClose.site_id == stay.home_site_id,
            DayClose.dose_day >= stay.ended_on,
            DayClose.dose_day < stay.until_day,
        )
        for day in session.scalars(closed.order_by(DayClose.dose_day)).all():
            freeze_for(session, client_id=ClientId(stay.client_id), day=day, at=at)
    _settle(session, actor, stay, f"withdrawn: {reason}", at)
    _write_down(session, actor, stay, "ended guest stay", at)
    return stay


def stay_state(stay: GuestStay, today: date) -> StayState:
    """What a stay is on a dose day of the site that asks."""
    until = min(stay.until_day, stay.ended_on or stay.until_day)
    return state_of(Stay(stay.from_day, until, stay.verified_at is not None, stay.refused_at is not None), today)


def id_of(actor: Actor, client_id: UUID, key: str) -> UUID:
    """The id of the stay that a request asks for: the same for the same key. Raises BadInput without a key."""
    if not 8 <= len(key) <= 80:
        raise BadInput(Refusal("key", "The request has no idempotency key of 8 to 80 characters.", "Send one."))
    return uuid5(actor.site_id, f"guest:{client_id}:{key}")


def lock_sites(session: WriteSession, *site_ids: SiteId) -> None:
    """No close of either site is under way from here on: it would freeze a day as the wrong site's."""
    session.execute(select(Site.id).where(Site.id.in_(site_ids)).order_by(Site.id).with_for_update(key_share=True))


def _locked(session: WriteSession, actor: Actor, stay_id: UUID) -> GuestStay:
    """The stay, both its sites and its client locked, for an account of one of the two. Raises NotThere."""
    stay = session.get(GuestStay, stay_id)
    if stay is None or actor.site_id not in (stay.home_site_id, stay.guest_site_id):
        raise NotThere(Refusal("no-stay", "There is no such stay at this site.", "Open the list again."))
    lock_sites(session, SiteId(stay.home_site_id), SiteId(stay.guest_site_id))
    lock_for_record(session, ClientId(stay.client_id))
    session.refresh(stay)
    return stay


def _answers_for(actor: Actor, home_id: SiteId) -> None:
    if actor.site_id != home_id or not actor.may(Act.ARRANGE_GUEST):
        raise NotAllowed(
            Refusal("home-answers", "A pharmacist or prescriber of the client's home answers this.", "Ask them.")
        )


def first_open(session: ReadSession, home: Place, guest: Place, at: datetime) -> date:
    """The first dose day that is still to be closed at both sites, and not over at either."""
    last = session.scalar(select(func.max(DayClose.dose_day)).where(DayClose.site_id.in_([home.id, guest.id])))
    today = min(home.dose_day(at), guest.dose_day(at))
    return max(today, last + timedelta(days=1)) if last else today


def _asked_well(session: ReadSession, home_id: SiteId, guest_id: SiteId, asked: Asked, at: datetime) -> None:
    home, guest = place(session, home_id), place(session, guest_id)
    first = first_open(session, home, guest, at)
    faults = faults_of_stay(
        first=asked.first,
        until=asked.until,
        today=first,
        farthest=first + timedelta(days=LONGEST_STAY),
        longest=longest_stay(session, site_id=home_id),
        reason=asked.reason,
    )
    if faults:
        raise BadInput(*faults)


def _confirmed(
    session: ReadSession,
    actor: Actor,
    client_id: ClientId,
    first: date,
    until: date,
    *,
    confirmed: bool,
    at: datetime,
) -> Facts:
    today = place(session, actor.site_id).dose_day(at)
    facts = facts_of(session, client_id=client_id, home_id=actor.site_id, today=today, first=first, until=until)
    faults = []
    if facts.order is None:
        faults.append(
            Refusal(
                "no-order",
                f"No order is in force for {first}: the other site could give nothing.",
                "The prescriber orders first.",
                {"day": first},
            )
        )
    recall = open_recall(session, client_id=client_id)
    if recall is not None and first <= recall.bring_by < until:
        faults.append(
            Refusal(
                "recall-open",
                f"Bottles are called back, to be brought here by {recall.bring_by}: on a day of the stay.",
                "Count them first, or call the recall off.",
                {"recall": recall.id, "bring_by": recall.bring_by},
            )
        )
    if not confirmed:
        faults.append(
            Refusal(
                "not-confirmed",
                "Nobody has confirmed the order, the last dose, the bottles and the holds.",
                "Look at the four, and say so.",
                field="confirmed",
            )
        )
    if faults:
        raise BadInput(*faults)
    return facts


def written(
    session: WriteSession,
    stay_id: UUID,
    client_id: ClientId,
    home_id: SiteId,
    guest_id: SiteId,
    actor: Actor,
    asked: Asked,
    at: datetime,
    *,
    verified: dict[str, Any] | None = None,
    satellite: bool = False,
) -> GuestStay:
    """Writes a stay down, agreed when it is `verified`. Raises Refused for days that another stay has."""
    assert actor.account_id is not None, "a person asks"
    stay = GuestStay(
        id=stay_id,
        client_id=client_id,
        home_site_id=home_id,
        guest_site_id=guest_id,
        from_day=asked.first,
        until_day=asked.until,
        satellite=satellite,
        bottles=asked.bottles,
        reason=asked.reason.strip(),
        asked_at_site_id=actor.site_id,
        asked_by=actor.account_id,
        asked_at=at,
        verified_by=AccountId(actor.account_id) if verified is not None else None,
        verified_at=at if verified is not None else None,
        confirmed=verified,
    )
    session.add(stay)
    try:
        session.flush()
    except IntegrityError as reason:
        if broken_constraint(reason) == "guest_stay_no_overlap":
            raise Refused(
                Refusal(
                    "stay-overlaps",
                    "The client is a guest, or asked for as one, on some of these days.",
                    "End or withdraw that stay first, or choose other days.",
                    field="from_day",
                )
            ) from None
        raise
    return stay


def _cause_of(stay: GuestStay) -> str:
    return f"guest stay:{stay.id}"


def _settle(session: WriteSession, actor: Actor, stay: GuestStay, words: str, at: datetime) -> None:
    session.execute(
        update(Alert)
        .where(Alert.client_id == stay.client_id, Alert.cause == _cause_of(stay), Alert.resolved_at.is_(None))
        .values(resolved_at=at, resolved_by=actor.account_id, resolution=words)
        .execution_options(synchronize_session=False)
    )


def _code(session: ReadSession, site_id: SiteId) -> str:
    return place(session, site_id).code


def _write_down(session: WriteSession, actor: Actor, stay: GuestStay, act: str, at: datetime) -> None:
    details = {"stay": stay.id, "from": stay.from_day, "until": stay.ended_on or stay.until_day}
    audit.record(session, actor=actor, act=act, subject="client", subject_id=stay.client_id, at=at, details=details)
