"""Entering what was measured, correcting it, and reading what stands."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import TypeAlias
from uuid import UUID

from sqlalchemy import Select, and_, or_, select, text
from sqlalchemy.orm import aliased

from dispensary.clients.homes import clients_of
from dispensary.clients.models import Client
from dispensary.clients.service import lock_client
from dispensary.database import ReadSession, WriteSession
from dispensary.monitoring.analytes import Analyte, BadValue, Value, analytes, read_value
from dispensary.monitoring.heart import Formula
from dispensary.monitoring.result_models import HealthResult, Laboratory, LaboratoryLimit
from dispensary.refusals import BadInput, NotThere, Refusal, Refused
from dispensary.staff import audit
from dispensary.staff.rules import Actor
from dispensary.units import ClientId, SiteId, new_id

EARLIEST = date(1980, 1, 1)
"""Before this day no result of anybody is entered."""
_Limits: TypeAlias = dict[str, tuple[Decimal | None, Decimal | None]]


@dataclass(frozen=True)
class Measurement:
    """One value as it was typed or sent. Limits are in the same unit."""

    analyte: str
    value: str
    unit: str = ""
    lower: str = ""
    upper: str = ""
    formula: Formula | None = None
    field: str = ""
    """Where it was typed, for what is refused."""
    source_key: str = ""
    """What names it where it came from, so that it is known when it is sent again; else it is named by its entry."""


@dataclass(frozen=True)
class Read:
    """A measurement as it is kept, in the unit of its test."""

    analyte: Analyte
    value: Value
    lower: Decimal | None
    upper: Decimal | None
    measurement: Measurement


def enter_results(
    session: WriteSession,
    *,
    actor: Actor,
    client_id: ClientId,
    taken_on: date,
    measurements: Sequence[Measurement],
    key: str,
    today: date,
    at: datetime,
    laboratory_id: UUID | None = None,
    source: str = "hand",
    sure: bool = False,
) -> Sequence[HealthResult]:
    """Keeps what was measured at once; the same `key` again is the same entry, and what stands is returned.

    An implausible value is kept only where somebody is `sure` of it. Without limits of its own, a result takes those
    of its laboratory. Raises BadInput, which names every fault and where, or NotThere.
    """
    lock_client(session, client_id, actor.site_id)
    known = _already(session, client_id, key)
    if known:
        return known
    read, faults = read_measurements(measurements, sure=sure)
    faults += day_faults(taken_on, today)
    if not measurements:
        faults.append(Refusal("nothing-measured", "No value was written.", "Write at least one.", field="value"))
    limits: _Limits = _limits(session, actor.site_id, client_id, laboratory_id) if laboratory_id else {}
    if faults:
        raise BadInput(*faults)
    panel = new_id()
    rows = []
    for number, each in enumerate(read):
        lower, upper = (each.lower, each.upper)
        if lower is None and upper is None:
            lower, upper = limits.get(each.analyte.code, (None, None))
        rows.append(
            HealthResult(
                id=new_id(),
                client_id=client_id,
                site_id=actor.site_id,
                analyte=each.analyte.code,
                taken_on=taken_on,
                number=each.value.number,
                comparator=each.value.comparator.value,
                choice=each.value.choice or None,
                lower=lower,
                upper=upper,
                laboratory_id=laboratory_id,
                panel=panel,
                formula=each.measurement.formula.value if each.measurement.formula else "",
                typed=f"{each.measurement.value} {each.measurement.unit}".strip(),
                source=source,
                source_key=each.measurement.source_key or f"{key}/{number}",
                replaces=None,
                reason="",
                entered_at=at,
                entered_by=actor.account_id,
            )
        )
    session.add_all(rows)
    session.flush()
    details: dict[str, object] = {
        "tests": sorted({each.analyte for each in rows}),
        "taken_on": taken_on.isoformat(),
        "source": source,
    }
    _write_down(session, actor, client_id, "entered results", at, details)
    return rows


def correct_result(
    session: WriteSession,
    *,
    actor: Actor,
    result_id: UUID,
    value: str,
    unit: str,
    reason: str,
    at: datetime,
    sure: bool = False,
    source: str = "hand",
) -> HealthResult:
    """Puts another value in the place of one, with a reason; without a value, takes it back. Both stay on record.

    The same correction again is the one that stands. Raises BadInput, Refused when it has been corrected otherwise
    meanwhile, or NotThere.
    """
    wrong = session.get(HealthResult, result_id)
    if wrong is None:
        raise NotThere(Refusal("no-result", "There is no such result here.", "Look at the client's results again."))
    lock_client(session, wrong.client_id, actor.site_id)
    typed = f"{value} {unit}".strip()
    earlier = session.scalar(select(HealthResult).where(HealthResult.replaces == result_id))
    if earlier is not None:
        if earlier.typed == typed and earlier.reason == reason.strip():
            return earlier
        raise Refused(
            Refusal("corrected-meanwhile", "This result has been corrected already.", "Look at the newer one.")
        )
    faults = [] if reason.strip() else [Refusal("reason", "Say why it is corrected.", "Write it.", field="reason")]
    read: list[Read] = []
    if value.strip():
        read, more = read_measurements([Measurement(wrong.analyte, value, unit, field="value")], sure=sure)
        faults += more
    if faults:
        raise BadInput(*faults)
    new = read[0].value if read else Value()
    row = HealthResult(
        id=new_id(),
        client_id=wrong.client_id,
        site_id=wrong.site_id,
        analyte=wrong.analyte,
        taken_on=wrong.taken_on,
        number=new.number,
        comparator=new.comparator.value,
        choice=new.choice or None,
        lower=wrong.lower,
        upper=wrong.upper,
        laboratory_id=wrong.laboratory_id,
        panel=wrong.panel,
        formula=wrong.formula,
        typed=typed,
        source=source,
        source_key=f"replaces {result_id}",
        replaces=result_id,
        reason=reason.strip(),
        entered_at=at,
        entered_by=actor.account_id,
    )
    session.add(row)
    session.flush()
    details: dict[str, object] = {"test": wrong.analyte, "result": str(result_id), "taken_back": not read}
    _write_down(session, actor, wrong.client_id, "corrected result", at, details)
    return row


def standing(*, client_ids: Iterable[ClientId] | None = None, site_id: SiteId | None = None) -> Select[HealthResult]:
    """The results that stand, of these clients or of a site: none that was corrected or taken back."""
    newer = aliased(HealthResult)
    found = select(HealthResult).where(
        ~select(newer.id).where(newer.replaces == HealthResult.id).exists(),
        or_(HealthResult.number.is_not(None), HealthResult.choice.is_not(None)),
    )
    if client_ids is not None:
        found = found.where(HealthResult.client_id.in_(list(client_ids)))
    return found if site_id is None else found.where(HealthResult.client_id.in_(clients_of(site_id)))


def results_of(session: ReadSession, *, client_id: ClientId) -> Sequence[HealthResult]:
    """A client's results that stand, the newest first. Only for pages of those who treat."""
    newest = (HealthResult.taken_on.desc(), HealthResult.entered_at.desc(), HealthResult.id)
    return session.scalars(standing(client_ids=[client_id]).order_by(*newest)).all()


def history_of(session: ReadSession, *, result: HealthResult) -> Sequence[HealthResult]:
    """A result and what it replaced, the newest first."""
    chain, seen = [result], result.replaces
    while seen is not None:
        earlier = session.get_one(HealthResult, seen)
        chain.append(earlier)
        seen = earlier.replaces
    return chain


def laboratory(session: WriteSession, *, actor: Actor, name: str) -> Laboratory:
    """The laboratory of this name at the site, made when there is none yet. Raises BadInput without a name."""
    named = " ".join(name.split())[:120]
    if not named:
        raise BadInput(Refusal("laboratory", "The laboratory has no name.", "Write it.", field="laboratory"))
    one_at_a_time = {"name": f"laboratory {actor.site_id} {named.casefold()}"}
    session.execute(text("SELECT pg_advisory_xact_lock(hashtext(:name))"), one_at_a_time)
    row = session.scalar(select(Laboratory).where(Laboratory.site_id == actor.site_id, Laboratory.name == named))
    if row is None:
        row = Laboratory(id=new_id(), site_id=actor.site_id, name=named)
        session.add(row)
        session.flush()
    return row


def set_limit(
    session: WriteSession,
    *,
    actor: Actor,
    laboratory_id: UUID,
    analyte: str,
    sex: str,
    lower: str,
    upper: str,
    unit: str,
    at: datetime,
) -> None:
    """Keeps a laboratory's limits of a test, from now on. Results keep those with which they were entered.

    Raises BadInput, NotThere.
    """
    place = session.get(Laboratory, laboratory_id)
    if place is None or place.site_id != actor.site_id:
        raise NotThere(Refusal("no-laboratory", "There is no such laboratory here."))
    known = analytes().get(analyte)
    if known is None or known.choices:
        raise BadInput(Refusal("analyte", "This test has no limits.", "Choose another.", field="analyte"))
    faults: list[Refusal] = []
    low, high = _limit(known, lower, unit, "lower", faults), _limit(known, upper, unit, "upper", faults)
    if not faults and low is None and high is None:
        faults.append(Refusal("no-limit", "No limit was written.", "Write one.", field="upper"))
    if low is not None and high is not None and low >= high:
        faults.append(Refusal("limits", "The lower limit is not below the upper.", "Look again.", field="lower"))
    if sex not in ("", "male", "female"):
        faults.append(Refusal("sex", "Limits are of everybody, men or women.", "Choose one.", field="sex"))
    if faults:
        raise BadInput(*faults)
    row = session.get(LaboratoryLimit, (laboratory_id, analyte, sex))
    if row is None:
        session.add(LaboratoryLimit(laboratory_id=laboratory_id, analyte=analyte, sex=sex, lower=low, upper=high))
    else:
        row.lower, row.upper = low, high
    session.flush()
    details = {"laboratory": place.name, "test": analyte, "sex": sex, "lower": str(low), "upper": str(high)}
    audit.record(
        session,
        actor=actor,
        act="set laboratory limit",
        subject="site",
        subject_id=actor.site_id,
        at=at,
        details=details,
    )


def _already(session: ReadSession, client_id: ClientId, key: str) -> Sequence[HealthResult]:
    first = and_(HealthResult.client_id == client_id, HealthResult.source_key == f"{key}/0")
    panel = select(HealthResult.panel).where(first).scalar_subquery()
    return session.scalars(
        select(HealthResult).where(HealthResult.panel == panel, HealthResult.replaces.is_(None))
    ).all()


def read_measurements(measurements: Sequence[Measurement], *, sure: bool) -> tuple[list[Read], list[Refusal]]:
    """What can be kept of these, and every fault; `implausible` is one unless somebody is sure."""
    read, faults = [], []
    for each in measurements:
        field = each.field or each.analyte
        analyte = analytes().get(each.analyte)
        if analyte is None:
            faults.append(Refusal("no-test", f"There is no test “{each.analyte}”.", "Choose one.", field=field))
            continue
        try:
            value = read_value(analyte, each.value, each.unit)
        except BadValue as reason:
            faults.append(Refusal("bad-value", str(reason), "Write it as on the report.", field=field))
            continue
        if value.number is not None and not sure and not analyte.is_plausible(value.number):
            sentence = f"{analyte.name} {each.value} {each.unit or analyte.unit} is unusual."
            faults.append(Refusal("implausible", sentence, "Look again; if it is right, say so.", field=field))
        lower = _limit(analyte, each.lower, each.unit, field, faults)
        upper = _limit(analyte, each.upper, each.unit, field, faults)
        read.append(Read(analyte, value, lower, upper, each))
    return read, faults


def _limit(analyte: Analyte, typed: str, unit: str, field: str, faults: list[Refusal]) -> Decimal | None:
    if not typed.strip() or analyte.choices:
        return None
    try:
        value = read_value(analyte, typed, unit).number
    except BadValue as reason:
        faults.append(Refusal("bad-limit", str(reason), "Write the limit as on the report.", field=field))
        return None
    return value


def day_faults(taken_on: date, today: date) -> list[Refusal]:
    """What is wrong with the day of a result."""
    if taken_on > today:
        return [
            Refusal("day-to-come", f"{taken_on} is still to come.", "Write the day it was taken.", field="taken_on")
        ]
    if taken_on < EARLIEST:
        return [Refusal("too-early", f"{taken_on} is too long ago.", "Look at the year again.", field="taken_on")]
    return []


def _limits(session: ReadSession, site_id: SiteId, client_id: ClientId, laboratory_id: UUID) -> _Limits:
    place = session.get(Laboratory, laboratory_id)
    if place is None or place.site_id != site_id:
        raise NotThere(Refusal("no-laboratory", "There is no such laboratory here.", field="laboratory"))
    sex = session.scalar(select(Client.sex).where(Client.id == client_id)) or ""
    rows = session.scalars(select(LaboratoryLimit).where(LaboratoryLimit.laboratory_id == laboratory_id))
    found: _Limits = {}
    for row in sorted(rows, key=lambda each: each.sex != ""):  # those of a sex come last, and count
        if row.sex in ("", sex):
            found[row.analyte] = (row.lower, row.upper)
    return found


def _write_down(
    session: WriteSession, actor: Actor, client_id: ClientId, act: str, at: datetime, details: dict[str, object]
) -> None:
    audit.record(session, actor=actor, act=act, subject="client", subject_id=client_id, at=at, details=details)
