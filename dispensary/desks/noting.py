"""What happened at the counter, as a form says it: read field by field and handed to the act that writes it down."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from dispensary.database import WriteSession
from dispensary.desks.window import AtCounter
from dispensary.supplies import exceptions, mishaps
from dispensary.supplies.exceptions_rules import ExceptionKind
from dispensary.supplies.wrong_doses import MOST_HOURS, Wrong
from dispensary.units import AccountId
from dispensary.web import unusual_acts
from dispensary.web.forms import key_of, one, secret
from dispensary.web.typed import LONGEST_NOTE, Typed

_LONGEST_MINUTES = 24 * 60


def _vomited(session: WriteSession, here: AtCounter, data: Mapping[str, Any]) -> UUID:
    with Typed(data) as typed:
        dose_id = typed.id("dose_id")
        minutes = typed.whole("minutes", 0, _LONGEST_MINUTES)
        witnessed = typed.yes_no("witnessed")
        if witnessed is None:
            typed.fault("witnessed", "no-choice", "Nothing was chosen here.", "Choose one.")
    return exceptions.vomited(
        session,
        actor=here.actor,
        client_id=here.client_id,
        dose_id=dose_id,
        minutes=Decimal(minutes),
        witnessed=bool(witnessed),
        pregnant=one(data, "pregnant") == "yes",
        withdrawal=one(data, "withdrawal") == "yes",
        key=str(key_of(data)),
        today=here.today,
        at=here.now,
    ).id


def _intoxicated(session: WriteSession, here: AtCounter, data: Mapping[str, Any]) -> UUID:
    with Typed(data) as typed:
        observation = typed.text("observation", most=LONGEST_NOTE, required=False)
    return exceptions.withhold(
        session,
        actor=here.actor,
        client_id=here.client_id,
        observation=observation,
        key=str(key_of(data)),
        today=here.today,
        at=here.now,
    ).id


def _refused(session: WriteSession, here: AtCounter, data: Mapping[str, Any]) -> UUID:
    with Typed(data) as typed:
        reason = typed.text("reason", most=LONGEST_NOTE, required=False)
    return exceptions.dose_refused(
        session,
        actor=here.actor,
        client_id=here.client_id,
        reason=reason,
        key=str(key_of(data)),
        today=here.today,
        at=here.now,
    ).id


def _partly_taken(session: WriteSession, here: AtCounter, data: Mapping[str, Any]) -> UUID:
    with Typed(data) as typed:
        mg = typed.milligrams("mg")
        reason = typed.text("reason", most=LONGEST_NOTE)
        second_id = somebody(typed, data, "second_id")
    written, _ = unusual_acts.partly_taken(
        session,
        actor=here.actor,
        client_id=here.client_id,
        swallowed_mg=mg,
        reason=reason,
        second_id=second_id,
        second_pin=secret(data, "second_pin"),
        identified_by=one(data, "identified_by"),
        key=str(key_of(data)),
        today=here.today,
        at=here.now,
    )
    return written.id


def _spilled(session: WriteSession, here: AtCounter, data: Mapping[str, Any]) -> UUID:
    with Typed(data) as typed:
        reason = typed.text("reason", most=LONGEST_NOTE, required=False)
        second_id = somebody(typed, data, "second_id")
    return mishaps.spilled(
        session,
        actor=here.actor,
        client_id=here.client_id,
        reason=reason,
        second_id=second_id,
        second_pin=secret(data, "second_pin"),
        key=str(key_of(data)),
        today=here.today,
        at=here.now,
    ).id


def _late(session: WriteSession, here: AtCounter, data: Mapping[str, Any]) -> UUID:
    with Typed(data) as typed:
        words = typed.text("note", most=LONGEST_NOTE, required=False)
    return exceptions.late(
        session,
        actor=here.actor,
        client_id=here.client_id,
        note=words,
        key=str(key_of(data)),
        today=here.today,
        at=here.now,
    ).id


def _top_up(session: WriteSession, here: AtCounter, data: Mapping[str, Any]) -> UUID:
    with Typed(data) as typed:
        mg = typed.milligrams("mg")
        prescriber_id = somebody(typed, data, "prescriber_id")
        said = typed.text("said", most=LONGEST_NOTE, required=False)
    written, _ = unusual_acts.top_up(
        session,
        actor=here.actor,
        client_id=here.client_id,
        mg=mg,
        prescriber_id=prescriber_id,
        said=said,
        identified_by=one(data, "identified_by"),
        well=one(data, "well") == "yes",
        key=str(key_of(data)),
        today=here.today,
        at=here.now,
    )
    return written.id


def _wrong_dose(session: WriteSession, here: AtCounter, data: Mapping[str, Any]) -> UUID:
    with Typed(data) as typed:
        wrong = Wrong(
            given_mg=typed.milligrams("mg"),
            happened=typed.text("happened", most=LONGEST_NOTE),
            intoxicated=one(data, "intoxicated") == "yes",
            prescriber_id=somebody(typed, data, "prescriber_id"),
            said=typed.text("said", most=LONGEST_NOTE, required=False),
            observe_hours=typed.whole_or_none("observe_hours", 0, MOST_HOURS),
        )
    written, _ = unusual_acts.wrong_dose(
        session,
        actor=here.actor,
        client_id=here.client_id,
        wrong=wrong,
        key=str(key_of(data)),
        today=here.today,
        at=here.now,
    )
    return written.id


WRITES: Final[Mapping[str, Callable[[WriteSession, AtCounter, Mapping[str, Any]], UUID]]] = {
    ExceptionKind.VOMITED: _vomited,
    ExceptionKind.INTOXICATED: _intoxicated,
    ExceptionKind.REFUSED: _refused,
    ExceptionKind.PARTLY_TAKEN: _partly_taken,
    ExceptionKind.SPILLED: _spilled,
    ExceptionKind.LATE: _late,
    ExceptionKind.TOP_UP: _top_up,
    ExceptionKind.WRONG_DOSE: _wrong_dose,
}


def somebody(typed: Typed, data: Mapping[str, Any], field: str) -> AccountId | None:
    """Who was chosen; nothing when nobody was, which the act itself judges."""
    return AccountId(typed.id(field)) if one(data, field) else None
