"""Bottles called back at random, as a site's rule asks for it: everybody's turn comes, and nobody knows when."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta

from sqlalchemy import select, text
from sqlalchemy.dialects.postgresql import insert as upsert

from dispensary.clients.guests import away_on
from dispensary.database import ReadSession, WriteSession
from dispensary.refusals import BadInput, Refusal
from dispensary.staff import audit
from dispensary.staff.rules import Actor
from dispensary.staff.vault_keys import signer_at
from dispensary.supplies.loss_models import RecallSetting
from dispensary.supplies.models import Recall
from dispensary.supplies.random_rules import day_in, period_of
from dispensary.supplies.recalls import call_back
from dispensary.units import ClientId, DoseDay, SiteId

_AT_HOME = text("""
SELECT client_id FROM bottle WHERE state = 'handed_over' AND dose_day > :today
    AND client_id IN (SELECT id FROM client WHERE site_id = :site)
GROUP BY client_id HAVING count(DISTINCT dose_day) >= :least ORDER BY client_id
""")


def recall_rule(session: ReadSession, *, site_id: SiteId) -> RecallSetting | None:
    """How a site calls bottles back at random; nothing where it does not."""
    return session.get(RecallSetting, site_id)


def set_recall_rule(
    session: WriteSession,
    *,
    actor: Actor,
    from_bottles: int,
    per_year: int,
    within_days: int,
    source: str,
    at: datetime,
) -> None:
    """Sets how often chance calls bottles back, from how many on, and to be brought within how many days.

    Raises BadInput without the rule that asks for it, and for figures out of bounds.
    """
    faults = []
    if not source.strip():
        faults.append(
            Refusal(
                "source", "The rule that asks for it is missing.", "Write down where it stands.", field="recall_source"
            )
        )
    for name, figure, most in (
        ("from_bottles", from_bottles, 28),
        ("per_year", per_year, 12),
        ("within_days", within_days, 7),
    ):
        if not 1 <= figure <= most:
            faults.append(Refusal(name, f"{figure} is not between 1 and {most}.", "Correct it.", field=name))
    if faults:
        raise BadInput(*faults)
    assert actor.account_id is not None, "a person sets a site's rule"
    values = {
        "from_bottles": from_bottles,
        "per_year": per_year,
        "within_days": within_days,
        "source": source.strip(),
        "set_by": actor.account_id,
        "set_at": at,
    }
    session.execute(
        upsert(RecallSetting)
        .values(site_id=actor.site_id, **values)
        .on_conflict_do_update(index_elements=["site_id"], set_=values)
    )
    _write_down(session, actor, {name: value for name, value in values.items() if name not in ("set_by", "set_at")}, at)


def no_recall_rule(session: WriteSession, *, actor: Actor, at: datetime) -> None:
    """Chance calls nobody's bottles back any more."""
    found = session.get(RecallSetting, actor.site_id)
    if found is not None:
        session.delete(found)
        session.flush()
        _write_down(session, actor, {"ended": True}, at)


def _write_down(session: WriteSession, actor: Actor, details: dict[str, object], at: datetime) -> None:
    audit.record(
        session, actor=actor, act="set recall rule", subject="site", subject_id=actor.site_id, at=at, details=details
    )


def call_back_at_random(session: WriteSession, *, actor: Actor, today: DoseDay, at: datetime) -> int:
    """Calls back the bottles of everybody whose turn has come and who has enough of them. Returns how many people.

    Each client has one turn in each part of the year, on a day that follows from the key: nobody can foresee it, and
    no client is more likely to be called than another. One with too few bottles on that day is called later in the
    part, on the first day with enough; and one who is a guest elsewhere, when they are back. A count for cause in the
    same part counts as the turn.
    """
    rule = recall_rule(session, site_id=actor.site_id)
    if rule is None:
        return 0
    first, last = period_of(today, rule.per_year)
    called = 0
    asked = {"site": actor.site_id, "today": today, "least": rule.from_bottles}
    for client_id in session.scalars(_AT_HOME, asked).all():
        if today < _turn(session, client_id, first, last) or _was_called(session, client_id, first):
            continue
        bring_by = today + timedelta(days=rule.within_days)
        if away_on(session, client_id=ClientId(client_id), day=bring_by):
            continue
        call_back(
            session,
            actor=actor,
            client_id=ClientId(client_id),
            cause="check",
            from_day=today + timedelta(days=1),
            bring_by=bring_by,
            at=at,
        )
        called += 1
    return called


def _turn(session: ReadSession, client_id: ClientId, first: date, last: date) -> date:
    # A key that is added within the part of the year moves nobody's turn.
    signer = signer_at(session, datetime.combine(first, time.min, UTC))
    secret = signer.sign("recall.turn", client_id.bytes + first.isoformat().encode())
    return day_in(first, last, int.from_bytes(secret[:8], "big"))


def _was_called(session: ReadSession, client_id: ClientId, since: date) -> bool:
    found = select(Recall.id).where(Recall.client_id == client_id, Recall.cause == "check", Recall.called_on >= since)
    return session.scalar(found.limit(1)) is not None
