"""What a site sets for its texts: quiet hours, what they may cost in a day, how long their words are kept."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Final

from dispensary.clients.legal_holds import held_clients
from dispensary.database import WriteSession
from dispensary.phone.moving import forget_unanswered
from dispensary.refusals import BadInput, NotAllowed, Refusal
from dispensary.staff import audit
from dispensary.staff.queries import sites
from dispensary.staff.rules import Act, Actor
from dispensary.units import SiteId
from notifications.forgetting import AT_ONCE, end_conversations, wipe_inbound, wipe_messages
from notifications.places import rules_of, set_rules
from notifications.waiting import LEAST_KEEP_DAYS, MOST_KEEP_DAYS, TextRules

FORGET_TEXTS: Final = "wipe texts"
_LARGEST_PRICE, _LARGEST_CAP = Decimal(100_000), Decimal(1_000_000_000)


def set_text_rules(session: WriteSession, *, actor: Actor, rules: TextRules, at: datetime) -> None:
    """Sets them for the actor's site, also for texts that wait.

    Raises NotAllowed for anybody but its administrator, BadInput with everything that does not fit.
    """
    if not actor.may(Act.RUN_SITE) or actor.account_id is None:
        raise NotAllowed(Refusal("not-allowed", "The site's administrator sets this.", "Ask them."))
    faults = []
    if rules.quiet is not None and rules.quiet.begins == rules.quiet.ends:
        faults.append(
            Refusal("quiet", "They begin and end at the same time.", "Leave both empty for none.", field="quiet_until")
        )
    if rules.price is not None and not 0 <= rules.price < _LARGEST_PRICE:
        faults.append(Refusal("price", "This is not a price.", "Write a number such as 0.05.", field="price"))
    if rules.cap is not None and not 0 <= rules.cap < _LARGEST_CAP:
        faults.append(Refusal("cap", "This is not an amount of money.", "Write a number such as 20.", field="cap"))
    if rules.cap is not None and rules.price is None:
        faults.append(Refusal("price", "Without a price nothing is counted.", "Write what one costs.", field="price"))
    if len(rules.currency) > 3:
        faults.append(Refusal("currency", "Three letters at most.", "For example MYR.", field="currency"))
    if not LEAST_KEEP_DAYS <= rules.keep_days <= MOST_KEEP_DAYS:
        faults.append(
            Refusal("keep-days", f"From {LEAST_KEEP_DAYS} to {MOST_KEEP_DAYS} days.", field="keep_days"),
        )
    if faults:
        raise BadInput(*faults)
    set_rules(session, place_id=actor.site_id, rules=rules, now=at)
    quiet = f"{rules.quiet.begins:%H:%M}-{rules.quiet.ends:%H:%M}" if rules.quiet else ""
    details = {"quiet": quiet, "price": _said(rules.price), "cap": _said(rules.cap), "keep_days": rules.keep_days}
    audit.record(
        session, actor=actor, act="set text rules", subject="site", subject_id=actor.site_id, at=at, details=details
    )


def _said(amount: Decimal | None) -> str | None:
    return None if amount is None else str(amount)


def forget_old_texts(session: WriteSession, *, site_id: SiteId, at: datetime) -> dict[str, object]:
    """Wipes what names a person in texts that are older than the site keeps them.

    A text that came in belongs to no site: it is kept for as long as the site that keeps texts longest.
    Under a legal hold nothing is wiped: neither a client's own texts, nor what came from or went to their number.
    """
    keeping, wiped = held_clients(session), 0
    for place_id in (site_id, None):
        while some := wipe_messages(session, vault=session.vault, place_id=place_id, now=at, keeping=keeping):
            wiped += some
            if some < AT_ONCE:
                break
    longest = max(rules_of(session, site.id).keep_days for site in sites(session))
    came_in = wipe_inbound(session, keep_days=longest, now=at, keeping=keeping)
    end_conversations(session, now=at)
    forget_unanswered(session, at=at)
    return {"texts": wiped, "came_in": came_in}
