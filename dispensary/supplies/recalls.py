"""Bottles at home are called back, counted, and found right or not. Nothing else follows by itself."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date, datetime, time, timedelta
from typing import Final
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import select

import notifications.service
from dispensary.clients.guests import away_on
from dispensary.clients.models import Task
from dispensary.clients.service import lock_client
from dispensary.clients.tasks import finish_task, open_task
from dispensary.database import ReadSession, WriteSession
from dispensary.monitoring.service import open_alert
from dispensary.prescribing.rules import MOST_PORTIONS
from dispensary.refusals import BadInput, NotThere, Refusal, Refused
from dispensary.staff import audit
from dispensary.staff.models import Site
from dispensary.staff.rules import Actor, Role, dose_day
from dispensary.supplies.bottle_rules import BottleState
from dispensary.supplies.bottle_states import move_bottles
from dispensary.supplies.exceptions_rules import expected_at_count
from dispensary.supplies.models import Bottle, Recall
from dispensary.supplies.returns import OutThere, bottles_out
from dispensary.units import ClientId, DoseDay

CAUSES: Final = ("dose_changed", "restart", "stopped", "check")
FARTHEST: Final = timedelta(days=28)
_TASK = "Bottles are called back: count them, and take back what is full."


def call_back(
    session: WriteSession,
    *,
    actor: Actor,
    client_id: ClientId,
    cause: str,
    from_day: date,
    bring_by: date,
    at: datetime,
) -> Recall:
    """Calls back the bottles for a dose day and later ones, to be brought by a day; the counter has a task for it.

    While a recall is open another call gives the open one back, from the earlier of both days: there is one thing to
    bring. A client who agreed to texts is asked to come, without a word of why. Raises BadInput for a cause or days
    that do not fit, Refused when the client has no such bottle, or is a guest elsewhere on the day to bring them by.
    """
    lock_client(session, client_id, actor.site_id)
    site = session.get_one(Site, actor.site_id)
    today = dose_day(site.zone, site.day_starts, at)
    if (still := open_recall(session, client_id=client_id)) is not None:
        if from_day < still.from_day:
            _from_earlier(session, actor, still, from_day, at)
        return still
    _asked_well(cause, bring_by, today)
    if away := away_on(session, client_id=client_id, day=bring_by):
        raise Refused(is_away(*away, bring_by))
    out = bottles_out(session, client_id=client_id, first=max(today, DoseDay(from_day)))
    if not out:
        raise Refused(
            Refusal(
                "nothing-at-home",
                f"The client has no bottle for {from_day} or later.",
                "There is nothing to call back.",
                {"from": from_day},
            )
        )
    recall = Recall(
        site_id=actor.site_id,
        client_id=client_id,
        cause=cause,
        from_day=from_day,
        called_on=today,
        bring_by=bring_by,
        called_by=actor.account_id,
        called_at=at,
    )
    session.add(recall)
    session.flush()
    _called(session, actor, out, at)
    open_task(
        session,
        site_id=actor.site_id,
        client_id=client_id,
        role=Role.PHARMACIST,
        kind="recall",
        sentence=_TASK,
        due_on=bring_by,
        opened_by=actor.account_id,
        at=at,
    )
    zone = ZoneInfo(site.zone)
    notifications.service.queue(
        session,
        vault=session.vault,
        recipient_id=client_id,
        kind="come_by",
        reason_key=f"recall:{recall.id}",
        fields={"day": bring_by},
        zone=zone,
        now=at,
        valid_until=datetime.combine(bring_by + timedelta(days=1), time(), zone),
    )
    details = {"recall": recall.id, "cause": cause, "from": from_day, "bring_by": bring_by, "bottles": len(out)}
    audit.record(
        session, actor=actor, act="called back bottles", subject="client", subject_id=client_id, at=at, details=details
    )
    return recall


def is_away(code: str, until: date, bring_by: date) -> Refusal:
    """Why nothing can be brought by a day."""
    return Refusal(
        "recall-guest-away",
        f"The client is a guest at {code} until {until}, and cannot bring bottles here by {bring_by}.",
        f"Choose {until} or a later day, or end the stay first.",
        {"guest_at": code, "until": until},
        field="bring_by",
    )


def _from_earlier(session: WriteSession, actor: Actor, recall: Recall, from_day: date, at: datetime) -> None:
    before, recall.from_day = recall.from_day, from_day
    session.flush()
    out = bottles_out(session, client_id=ClientId(recall.client_id), first=DoseDay(from_day))
    _called(session, actor, [bottle for bottle in out if bottle.day < before], at)
    details = {"recall": recall.id, "from": from_day, "before": before}
    audit.record(
        session,
        actor=actor,
        act="called back earlier bottles too",
        subject="client",
        subject_id=recall.client_id,
        at=at,
        details=details,
    )


def _called(session: WriteSession, actor: Actor, out: Sequence[OutThere], at: datetime) -> None:
    move_bottles(
        session,
        actor=actor,
        bottle_ids=[bottle.bottle_id for bottle in out if bottle.state == BottleState.HANDED_OVER],
        into=BottleState.RECALLED,
        at=at,
    )


def _asked_well(cause: str, bring_by: date, today: DoseDay) -> None:
    faults = []
    if cause not in CAUSES:
        faults.append(Refusal("cause", f"“{cause}” is not a cause of a recall.", "Choose one.", field="cause"))
    if not timedelta() <= bring_by - today <= FARTHEST:
        faults.append(
            Refusal(
                "bring-by",
                f"Bottles are brought between today and {today + FARTHEST}, not by {bring_by}.",
                "Choose another day. One or two days is common.",
                field="bring_by",
            )
        )
    if faults:
        raise BadInput(*faults)


def open_recall(session: ReadSession, *, client_id: ClientId) -> Recall | None:
    """The recall that the client has not answered yet."""
    return session.scalar(select(Recall).where(Recall.client_id == client_id, Recall.state == "open"))


def expected_full(
    session: ReadSession, *, client_id: ClientId, today: DoseDay, recall: Recall | None
) -> Callable[[int], int]:
    """How many full bottles the client must have, once so many portions of today have been taken (0: none as yet).

    By what they were given and have not brought back; of a recall, those that it asks for.
    """
    out = [(bottle.day, bottle.portion) for bottle in bottles_out(session, client_id=client_id, first=today)]
    from_day = None if recall is None else recall.from_day
    return lambda taken: expected_at_count(out, today, portions_taken=taken, from_day=from_day)


def expected_by_portion(
    session: ReadSession, *, client_id: ClientId, today: DoseDay, recall: Recall | None
) -> dict[int, int]:
    """The same for nothing taken as yet (0), and for each of today's bottles that changes the number."""
    expected = expected_full(session, client_id=client_id, today=today, recall=recall)
    found = {taken: expected(taken) for taken in range(MOST_PORTIONS + 1)}
    return {taken: full for taken, full in found.items() if taken == 0 or full != found[taken - 1]}


def count(
    session: WriteSession,
    *,
    actor: Actor,
    recall_id: UUID,
    counted_full: int,
    portions_taken: int,
    note: str = "",
    today: DoseDay,
    at: datetime,
) -> Recall:
    """Writes down how many full bottles were counted, seals and volumes checked, against how many there must be.

    `portions_taken` is the last portion of today that was taken, none as yet when it is 0; bottles of days before
    the first one that was called back are not counted.
    As many: passed. Fewer or more: failed, with a note, and the prescriber is told; they decide what follows. A
    repeated count with the same number gets the first answer. Raises BadInput when a difference has no note, Refused
    when the recall is closed otherwise.
    """
    recall = _the_recall(session, actor, recall_id)
    if recall.state in ("passed", "failed") and recall.counted_full == counted_full:
        return recall
    _still_open(recall)
    if not 0 <= counted_full <= 200:
        raise BadInput(Refusal("counted", "Count the full bottles.", "Write a number.", field="counted_full"))
    client_id = ClientId(recall.client_id)
    expected = expected_full(session, client_id=client_id, today=today, recall=recall)(portions_taken)
    right = counted_full == expected
    if not right and not note.strip():
        raise BadInput(
            Refusal(
                "count-differs",
                f"{counted_full} full bottles were counted; there must be {expected}.",
                "Count again and look at each label. If it stays so, write down what the client says.",
                {"expected": expected, "counted": counted_full},
                field="note",
            )
        )
    recall.expected_full, recall.counted_full = expected, counted_full
    _end(session, actor, recall, "passed" if right else "failed", note, at)
    if not right:
        open_alert(
            session,
            site_id=actor.site_id,
            client_id=client_id,
            cause=f"recall:{recall.id}",
            severity="urgent",
            role=Role.DOCTOR,
            sentence=f"Bottles at home were counted: {counted_full} full, {expected} expected. {note.strip()}",
            at=at,
        )
    details = {"recall": recall.id, "expected": expected, "counted": counted_full}
    audit.record(
        session, actor=actor, act="counted bottles", subject="client", subject_id=client_id, at=at, details=details
    )
    return recall


def call_off(session: WriteSession, *, actor: Actor, recall_id: UUID, note: str, at: datetime) -> Recall:
    """Ends a recall without a count, with the reason. Raises BadInput without one, Refused when it is not open."""
    recall = _the_recall(session, actor, recall_id)
    _still_open(recall)
    if not note.strip():
        raise BadInput(Refusal("note", "Say why nothing is counted.", "Write a sentence.", field="note"))
    _end(session, actor, recall, "cancelled", note, at)
    audit.record(
        session,
        actor=actor,
        act="called off recall",
        subject="client",
        subject_id=recall.client_id,
        at=at,
        details={"recall": recall.id},
    )
    return recall


def _the_recall(session: WriteSession, actor: Actor, recall_id: UUID) -> Recall:
    """The recall, after its client is locked: the order in which every act at the counter locks."""
    client_id = session.scalar(select(Recall.client_id).where(Recall.id == recall_id, Recall.site_id == actor.site_id))
    if client_id is None:
        raise NotThere(Refusal("no-recall", "There is no such recall at this site.", "Open the client again."))
    lock_client(session, ClientId(client_id), actor.site_id)
    return session.scalars(
        select(Recall).where(Recall.id == recall_id).with_for_update().execution_options(populate_existing=True)
    ).one()


def _still_open(recall: Recall) -> None:
    if recall.state != "open":
        raise Refused(Refusal("recall-closed", "This recall is closed.", "Open the client again."))


def _end(session: WriteSession, actor: Actor, recall: Recall, state: str, note: str, at: datetime) -> None:
    recall.state, recall.note = state, note.strip()
    recall.closed_by, recall.closed_at = actor.account_id, at
    session.flush()
    still = session.scalars(
        select(Bottle.id).where(Bottle.client_id == recall.client_id, Bottle.state == BottleState.RECALLED)
    ).all()
    move_bottles(session, actor=actor, bottle_ids=still, into=BottleState.HANDED_OVER, at=at, note=f"recall {state}")
    tasks = session.scalars(
        select(Task.id).where(Task.client_id == recall.client_id, Task.kind == "recall", Task.done_at.is_(None))
    ).all()
    for task_id in tasks:
        finish_task(session, actor=actor, task_id=task_id, outcome=f"recall {state}", at=at)
