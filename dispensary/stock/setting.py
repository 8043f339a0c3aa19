"""What the administrator sets for the safe: how far a count may differ, when stock is low, what may be mixed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from dispensary.database import WriteSession
from dispensary.refusals import BadInput, Refusal
from dispensary.staff import audit
from dispensary.staff.rules import Actor
from dispensary.staff.service import refuse_unless_runs_site
from dispensary.stock.safe_models import StockSetting
from dispensary.stock.service import alone_in_safe
from dispensary.units import Millilitres

MOST_DAYS = 120


@dataclass(frozen=True)
class SafeFacts:
    """A site's own figures. Each figure may be left open: nothing is then allowed, warned of or mixed by itself."""

    tolerance_percent: Decimal | None
    tolerance_ml: Millilitres | None
    days_of_stock: int | None
    mix_strengths: bool
    one_open_lot: bool
    source: str


def change_safe(session: WriteSession, *, actor: Actor, facts: SafeFacts, at: datetime) -> StockSetting:
    """Changes what the actor's site has set for its safe; what changed, from what to what, is in its audit trail.

    Raises NotAllowed for anybody but its administrator, BadInput for a figure that is none or has no source.
    """
    refuse_unless_runs_site(actor, actor.site_id)
    faults = []
    if facts.tolerance_percent is not None and not 0 <= facts.tolerance_percent <= 100:
        faults.append(Refusal("bad-percent", "This is 0 to 100 per cent.", field="tolerance_percent"))
    if facts.days_of_stock is not None and not 1 <= facts.days_of_stock <= MOST_DAYS:
        faults.append(Refusal("bad-days", f"This is 1 to {MOST_DAYS} days.", field="days_of_stock"))
    figures = (facts.tolerance_percent, facts.tolerance_ml)
    if any(figure is not None for figure in figures) and not facts.source.strip():
        faults.append(
            Refusal(
                "no-source",
                "Write where these figures come from.",
                "No source gives one for every clinic: name your own rule, and who agreed to it.",
                field="source",
            )
        )
    if faults:
        raise BadInput(*faults)
    alone_in_safe(session, actor.site_id)
    kept = session.get(StockSetting, actor.site_id)
    if kept is None:
        kept = StockSetting(site_id=actor.site_id, mix_strengths=False, one_open_lot=False, source="", set_at=at)
        session.add(kept)
    wanted = {**vars(facts), "source": facts.source.strip()}
    changed = {name: [getattr(kept, name), value] for name, value in wanted.items() if getattr(kept, name) != value}
    for name, value in wanted.items():
        setattr(kept, name, value)
    if changed:
        kept.set_by, kept.set_at = actor.account_id, at
    session.flush()
    if changed:
        audit.record(
            session, actor=actor, act="changed safe", subject="site", subject_id=actor.site_id, at=at, details=changed
        )
    return kept
