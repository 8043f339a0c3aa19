"""What a site sets about watching health: intervals of due tests, how results are judged, its laboratories."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import select

from dispensary.database import ReadSession, WriteSession
from dispensary.monitoring import due
from dispensary.monitoring.due_models import DueSetting, HealthSetting, QuietRule
from dispensary.monitoring.judged import MAY_BE_QUIET
from dispensary.monitoring.result_models import Laboratory, LaboratoryLimit
from dispensary.monitoring.sources import figures
from dispensary.refusals import BadInput, NotThere, Refusal
from dispensary.staff import audit
from dispensary.staff.rules import Actor
from dispensary.units import SiteId

MOST_MONTHS = 120


def set_due(
    session: WriteSession,
    *,
    actor: Actor,
    rule: str,
    every_months: int | None,
    ignored: bool,
    reason: str,
    at: datetime,
) -> None:
    """Gives a rule of due tests the site's own interval, has it ignored, or lets it stand again as it ships.

    Whoever sets it signs for it with a reason: a draft has no interval before. Raises BadInput, NotThere.
    """
    known = next((each for each in due.rules() if each.key == rule), None)
    if known is None:
        raise NotThere(Refusal("no-rule", f"There is no rule “{rule}”.", "Open the page again."))
    as_shipped = every_months is None and not ignored
    if not as_shipped and not reason.strip():
        raise BadInput(Refusal("reason", "Say what it rests on.", "Name a guideline, or your reason.", field="reason"))
    if every_months is not None and not 1 <= every_months <= MOST_MONTHS:
        raise BadInput(
            Refusal("months", f"An interval is 1 to {MOST_MONTHS} months.", "Correct it.", field="every_months")
        )
    row = session.get(DueSetting, (actor.site_id, rule), with_for_update=True)
    if as_shipped:
        if row is not None:
            session.delete(row)
    else:
        kept = row or DueSetting(site_id=actor.site_id, rule=rule)
        kept.every_months, kept.ignored, kept.reason = every_months, ignored, reason.strip()
        kept.set_by, kept.set_at = actor.account_id, at
        session.add(kept)
    session.flush()
    _write_down(session, actor, "set due tests", at, {"rule": rule, "every_months": every_months, "ignored": ignored})


def set_health(
    session: WriteSession,
    *,
    actor: Actor,
    viral_load_version: str,
    adherence_percent: int,
    urgent_hours: int,
    warning_hours: int,
    at: datetime,
) -> HealthSetting:
    """Keeps how the site judges and after how many hours an alert that nobody has read is passed on.

    Raises BadInput.
    """
    faults = []
    if viral_load_version not in figures().viral_load:
        faults.append(
            Refusal("version", "There is no such version.", "Choose one of the list.", field="viral_load_version")
        )
    for field, value, least, most in (
        ("adherence_percent", adherence_percent, 50, 100),
        ("urgent_hours", urgent_hours, 1, 720),
        ("warning_hours", warning_hours, 1, 2160),
    ):
        if not least <= value <= most:
            faults.append(Refusal("bounds", f"It lies from {least} to {most}.", "Correct it.", field=field))
    if faults:
        raise BadInput(*faults)
    row = session.get(HealthSetting, actor.site_id, with_for_update=True) or HealthSetting(site_id=actor.site_id)
    row.viral_load_version, row.adherence_percent = viral_load_version, adherence_percent
    row.urgent_hours, row.warning_hours = urgent_hours, warning_hours
    row.set_by, row.set_at = actor.account_id, at
    session.add(row)
    session.flush()
    details: dict[str, object] = {
        "viral_load": viral_load_version,
        "adherence_percent": adherence_percent,
        "urgent_hours": urgent_hours,
        "warning_hours": warning_hours,
    }
    _write_down(session, actor, "set health rules", at, details)
    return row


def set_quiet(session: WriteSession, *, actor: Actor, rule: str, quiet: bool, reason: str, at: datetime) -> None:
    """Lets the warnings of a rule open no alert here, or again. A prescriber signs for it with a reason.

    Raises BadInput, NotThere.
    """
    if rule not in MAY_BE_QUIET:
        raise NotThere(Refusal("no-rule", f"The warnings of “{rule}” always open an alert.", "Open the page again."))
    if quiet and not reason.strip():
        raise BadInput(
            Refusal("reason", "Say why they are not needed.", "Say who sees to it instead.", field="quiet_reason")
        )
    row = session.get(QuietRule, (actor.site_id, rule), with_for_update=True)
    if quiet:
        kept = row or QuietRule(site_id=actor.site_id, rule=rule)
        kept.reason, kept.set_by, kept.set_at = reason.strip(), actor.account_id, at
        session.add(kept)
    elif row is not None:
        session.delete(row)
    session.flush()
    _write_down(session, actor, "set quiet rule", at, {"rule": rule, "quiet": quiet})


def quiet_rules(session: ReadSession, *, site_id: SiteId) -> Mapping[str, QuietRule]:
    """The rules whose warnings open no alert here."""
    rows = session.scalars(select(QuietRule).where(QuietRule.site_id == site_id))
    return {row.rule: row for row in rows}


def health_setting(session: ReadSession, *, site_id: SiteId) -> HealthSetting:
    """What the site has set, or what stands where it has set nothing."""
    return session.get(HealthSetting, site_id) or HealthSetting(
        site_id=site_id, viral_load_version="WHO-2023", adherence_percent=95, urgent_hours=24, warning_hours=168
    )


def due_settings(session: ReadSession, *, site_id: SiteId) -> Mapping[str, DueSetting]:
    """The rules that the site follows otherwise than they ship, by their keys."""
    rows = session.scalars(select(DueSetting).where(DueSetting.site_id == site_id))
    return {row.rule: row for row in rows}


@dataclass(frozen=True)
class WithLimits:
    """A laboratory and its reference limits, by test and sex."""

    laboratory: Laboratory
    limits: Sequence[LaboratoryLimit]


def laboratories(session: ReadSession, *, site_id: SiteId) -> list[WithLimits]:
    """The laboratories of a site by name, each with its limits."""
    rows = session.scalars(select(Laboratory).where(Laboratory.site_id == site_id).order_by(Laboratory.name)).all()
    limits: dict[UUID, list[LaboratoryLimit]] = {row.id: [] for row in rows}
    for limit in session.scalars(
        select(LaboratoryLimit)
        .where(LaboratoryLimit.laboratory_id.in_(list(limits)))
        .order_by(LaboratoryLimit.analyte, LaboratoryLimit.sex)
    ):
        limits[limit.laboratory_id].append(limit)
    return [WithLimits(row, limits[row.id]) for row in rows]


def _write_down(session: WriteSession, actor: Actor, act: str, at: datetime, details: dict[str, object]) -> None:
    audit.record(session, actor=actor, act=act, subject="site", subject_id=actor.site_id, at=at, details=details)
