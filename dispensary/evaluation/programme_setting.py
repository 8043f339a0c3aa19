"""Setting the programme's own figures: from when stock is low, what a site is filled up to, when one is off-line."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select

from dispensary.database import WriteSession
from dispensary.evaluation.rollup import setting_of
from dispensary.evaluation.rollup_models import ProgrammeSetting
from dispensary.refusals import BadInput, NotAllowed, Refusal
from dispensary.staff import audit
from dispensary.staff.branch_queries import sites_run_by
from dispensary.staff.models import Site
from dispensary.staff.rules import Act, Actor


def set_programme(
    session: WriteSession, *, actor: Actor, low: int, target: int, keep: int, silent_hours: int, at: datetime
) -> ProgrammeSetting:
    """Sets them for every site, in days and hours. Raises NotAllowed for anybody who does not run all, and BadInput."""
    assert actor.account_id is not None, "a person sets it"
    every = set(session.scalars(select(Site.id)))
    if not actor.may(Act.RUN_SITE) or not every <= sites_run_by(session, actor.account_id):
        raise NotAllowed(
            Refusal("not-your-branch", "Only an administrator of every site may do this.", "Ask whoever runs all.")
        )
    if not low <= target <= keep:
        raise BadInput(
            Refusal(
                "days-of-stock",
                "A site is filled up to no less than what is low, and its giver keeps no less than that.",
                "Let the three grow from the first to the last.",
                field="target_days",
            )
        )
    setting = setting_of(session) or ProgrammeSetting(only_one=1)
    setting.low_days, setting.target_days, setting.keep_days = low, target, keep
    setting.silent_hours, setting.set_by, setting.set_at = silent_hours, actor.account_id, at
    session.add(setting)
    session.flush()
    details = {"low": low, "target": target, "keep": keep, "silent_hours": silent_hours}
    audit.record(
        session, actor=actor, act="set programme", subject="site", subject_id=actor.site_id, at=at, details=details
    )
    return setting
