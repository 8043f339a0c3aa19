"""What each site's night does, once: its day is closed, everybody assessed and judged, its safe looked at.

Each function works at every site where it is due, in one unit of work a site, and says at how many it was done. What
fails is kept in `job_run` and tried again after an hour. Where `at` names a site, that one alone is looked at.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path

import structlog
from sqlalchemy import select

from dispensary.database import Database, WriteSession
from dispensary.erasing.letting_go import LET_GO, let_go
from dispensary.leading import Clock, run_once
from dispensary.monitoring.judging import judge_health
from dispensary.phone.text_rules import FORGET_TEXTS, forget_old_texts
from dispensary.reporting import monthly
from dispensary.settings import Reports, TimeStamps
from dispensary.staff.anchor_models import AuditAnchor
from dispensary.staff.anchoring import ANCHOR, Kept, anchors_of, make_anchor, write_files
from dispensary.staff.models import Site
from dispensary.staff.queries import Place, sites_here
from dispensary.staff.rules import the_program
from dispensary.staff.stamping import Fetch, NoStamp, ask_by_http, stamp
from dispensary.stock.discrepancies import look
from dispensary.supplies.closing import close_day
from dispensary.supplies.models import DayClose
from dispensary.supplies.nightwatch import ASSESS, CLOSE_AFTER, CLOSE_DAY, RECALL, RETRY_AFTER, slot
from dispensary.supplies.outage_making import DOWNTIME_PACK, make_pack
from dispensary.supplies.outage_settings import has_password
from dispensary.supplies.queries import day_close_of
from dispensary.supplies.random_recalls import call_back_at_random
from dispensary.takehome.nightly import assess_everybody
from dispensary.takehome.queries import policy_of
from dispensary.units import DoseDay

log = structlog.get_logger(__name__)

LOOK = "look at the safe"
KEEP_ANCHORS = "keep anchors"
JUDGE = "judge health"

PACK_AFTER_CLOSE = timedelta(hours=1)
"""For how long after a close its own pack is still made, when the program was off meanwhile."""
PACK_OF_CLOSE = timedelta(days=3)
"""A close of an older day waits for the pack of the hour: what is carried home was told by the closes since."""


def close_left_open(
    database: Database, clock: Clock, *, at: Place | None = None, retry_after: timedelta = RETRY_AFTER
) -> int:
    """Closes, at each site, the dose day before today's when the counter did not: its missed days are frozen.

    The count of the safe stays due. A failure is kept in `job_run` and tried again after an hour. Where `at` names a
    site, that one alone is looked at.
    """
    now = clock()
    closed = 0
    with database.reading() as session:
        places = [at] if at else sites_here(session)
        opened = {site: site.dose_day(session.get_one(Site, site.id).opened_at) for site in places}
    for site, first_day in opened.items():
        yesterday = DoseDay(site.dose_day(now - CLOSE_AFTER) - timedelta(days=1))
        if yesterday >= first_day:
            work = partial(_close, site=site, day=yesterday, at=now)
            closed += run_once(
                database, job=CLOSE_DAY, slot=slot(site, yesterday), clock=clock, work=work, retry_after=retry_after
            )
    return closed


def _close(session: WriteSession, *, site: Place, day: DoseDay, at: datetime) -> dict[str, object]:
    if day_close_of(session, site_id=site.id, day=day) is not None:
        return {"closed": "at the counter"}
    done = close_day(session, actor=the_program(site.id), day=day, today=site.dose_day(at), counts=None, at=at)
    return {"closed": "by the night", "missed": done.missed}


def assess_sites(
    database: Database, clock: Clock, *, at: Place | None = None, retry_after: timedelta = RETRY_AFTER
) -> int:
    """Assesses, once a night, everybody at each site whose day before is closed, by the policy that it follows then.

    A site whose day could not be closed waits for that: what was missed is known when the day is frozen.
    """
    now = clock()
    assessed = 0
    with database.reading() as session:
        days = {site: site.dose_day(now - CLOSE_AFTER) for site in ([at] if at else sites_here(session))}
        ready = [
            (site, day)
            for site, day in days.items()
            if day_close_of(session, site_id=site.id, day=DoseDay(day - timedelta(days=1))) is not None
        ]
    for site, day in ready:
        work = partial(assess, site=site, day=day, at=now)
        assessed += run_once(
            database, job=ASSESS, slot=slot(site, day), clock=clock, work=work, retry_after=retry_after
        )
    return assessed


def assess(session: WriteSession, *, site: Place, day: DoseDay, at: datetime) -> dict[str, object]:
    """Assesses everybody at a site by the policy that it follows on this day; nobody where it follows none."""
    if policy_of(session, site.id, day) is None:
        return {"assessed": 0, "policy": None}
    return assess_everybody(session, actor=the_program(site.id), site_id=site.id, on=day, at=at).as_json()


def look_at_safes(
    database: Database, clock: Clock, *, at: Place | None = None, retry_after: timedelta = RETRY_AFTER
) -> int:
    """Looks, once a night at each site, for what must not be in its safe; what is found greets the counter.

    It looks also while the day before could not be closed, and then once more when that is closed at last.
    """
    now = clock()
    looked = 0
    with database.reading() as session:
        slots = {}
        for site in [at] if at else sites_here(session):
            day = site.dose_day(now - CLOSE_AFTER)
            closed = day_close_of(session, site_id=site.id, day=DoseDay(day - timedelta(days=1))) is not None
            slots[site] = slot(site, day) + (" after the close" if closed else "")
    for site, name in slots.items():
        work = partial(_look, site=site, at=now)
        looked += run_once(database, job=LOOK, slot=name, clock=clock, work=work, retry_after=retry_after)
    return looked


def _look(session: WriteSession, *, site: Place, at: datetime) -> dict[str, object]:
    return {"discrepancies": len(look(session, actor=the_program(site.id), at=at))}


def judge_sites(
    database: Database, clock: Clock, *, at: Place | None = None, retry_after: timedelta = RETRY_AFTER
) -> int:
    """Judges, once a night at each site, everybody's health: alerts are opened or raised, tests that are due named."""
    now = clock()
    ran = 0
    with database.reading() as session:
        days = {site: site.dose_day(now - CLOSE_AFTER) for site in ([at] if at else sites_here(session))}
    for site, day in days.items():
        work = partial(_judge, site=site, day=day, at=now)
        ran += run_once(database, job=JUDGE, slot=slot(site, day), clock=clock, work=work, retry_after=retry_after)
    return ran


def _judge(session: WriteSession, *, site: Place, day: date, at: datetime) -> dict[str, object]:
    return judge_health(session, site_id=site.id, on=day, at=at).as_json()


def forget_texts(
    database: Database, clock: Clock, *, at: Place | None = None, retry_after: timedelta = RETRY_AFTER
) -> int:
    """Wipes, once a night at each site, what names a person in texts that are older than the site keeps them."""
    now = clock()
    ran = 0
    with database.reading() as session:
        days = {site: site.dose_day(now - CLOSE_AFTER) for site in ([at] if at else sites_here(session))}
    for site, day in days.items():
        work = partial(forget_old_texts, site_id=site.id, at=now)
        ran += run_once(
            database, job=FORGET_TEXTS, slot=slot(site, day), clock=clock, work=work, retry_after=retry_after
        )
    return ran


def let_go_of_old(
    database: Database, data: Path, clock: Clock, *, at: Place | None = None, retry_after: timedelta = RETRY_AFTER
) -> int:
    """Lets go, once a night at each site, of what is past the time that the site has set for it."""
    now, ran = clock(), 0
    with database.reading() as session:
        days = {site: site.dose_day(now - CLOSE_AFTER) for site in ([at] if at else sites_here(session))}
    for site, day in days.items():
        work = partial(let_go, site_id=site.id, data=data, at=now)
        ran += run_once(database, job=LET_GO, slot=slot(site, day), clock=clock, work=work, retry_after=retry_after)
    return ran


def write_reports(
    database: Database,
    reports: Reports | None,
    clock: Clock,
    *,
    at: Place | None = None,
    retry_after: timedelta = RETRY_AFTER,
) -> int:
    """Writes, once a month for each site, the report of the month before, when its last day is closed; or does nothing.

    A month whose last day stays open is told after three days all the same.
    """
    if reports is None:
        return 0
    now, written = clock(), 0
    with database.reading() as session:
        due = []
        for site in [at] if at else sites_here(session):
            today = site.dose_day(now - CLOSE_AFTER)
            month, last = monthly.month_before(today), DoseDay(today.replace(day=1) - timedelta(days=1))
            opened = site.dose_day(session.get_one(Site, site.id).opened_at)
            closed = day_close_of(session, site_id=site.id, day=last) is not None
            if opened <= last and (closed or today > last + monthly.WAITS):
                due.append((site, month))
    for site, month in due:
        work = partial(monthly.write_report, site=site, month=month, reports=reports, at=now)
        name = monthly.slot_of(site, month)
        written += run_once(database, job=monthly.JOB, slot=name, clock=clock, work=work, retry_after=retry_after)
    return written


def recall_at_random(
    database: Database, clock: Clock, *, at: Place | None = None, retry_after: timedelta = RETRY_AFTER
) -> int:
    """Calls bottles back, once a day at each site that has such a rule, from whoever chance has chosen for the day."""
    now = clock()
    with database.reading() as session:
        days = {site: site.dose_day(now - CLOSE_AFTER) for site in ([at] if at else sites_here(session))}
    ran = 0
    for site, day in days.items():
        work = partial(_recall, site=site, day=day, at=now)
        ran += run_once(database, job=RECALL, slot=slot(site, day), clock=clock, work=work, retry_after=retry_after)
    return ran


def _recall(session: WriteSession, *, site: Place, day: DoseDay, at: datetime) -> dict[str, object]:
    return {"called": call_back_at_random(session, actor=the_program(site.id), today=day, at=at)}


def make_packs(
    database: Database, data: Path, clock: Clock, *, at: Place | None = None, retry_after: timedelta = RETRY_AFTER
) -> int:
    """Makes each site's downtime pack every hour, and once more within a minute of a close; none without a password.

    A failure is kept in `job_run`, greets whoever works there, and is tried again after an hour: the next pack anyway.
    """
    now = clock()
    with database.reading() as session:
        places = [s for s in ([at] if at else sites_here(session)) if has_password(session, site_id=s.id)]
        just_closed = {
            row.site_id: row.dose_day
            for row in session.scalars(
                select(DayClose)
                .where(DayClose.site_id.in_([site.id for site in places]))
                .where(DayClose.dose_day >= now.date() - PACK_OF_CLOSE, DayClose.closed_at > now - PACK_AFTER_CLOSE)
            )
        }
    made = 0
    for site in places:
        slots = [f"{site.code} {now.astimezone(UTC):%Y-%m-%d %H}h"]
        if site.id in just_closed:
            slots.append(f"{site.code} close {just_closed[site.id]}")
        work = partial(make_pack, site_id=site.id, today=site.dose_day(now), data=data, at=now)
        for name in slots:
            made += run_once(database, job=DOWNTIME_PACK, slot=name, clock=clock, work=work, retry_after=retry_after)
    return made


ANCHORS_KEPT_AT_HAND = 40
"""Days whose anchors are written again where a folder lacks them, as after a disk was exchanged."""
STAMPED_AT_ONCE = 50
"""Anchors for which one round asks for a time stamp; each may take as long as the authority does."""


def anchor_trails(
    database: Database,
    folders: Sequence[Path],
    clock: Clock,
    *,
    at: Place | None = None,
    retry_after: timedelta = RETRY_AFTER,
) -> int:
    """Writes down, once a night at each site, how its audit chain ends, and puts the line into every folder.

    A folder that takes no file fails by itself: the anchor is made, and the file is tried again. All but the first
    folder must be there already, since a disk that is not plugged in would otherwise be a folder of this one.
    """
    now, made = clock(), 0
    with database.reading() as session:
        days = {site: site.dose_day(now - CLOSE_AFTER) for site in ([at] if at else sites_here(session))}
    for site, day in days.items():
        name = slot(site, day)
        work = partial(_anchor, site=site, day=day, at=now)
        made += run_once(database, job=ANCHOR, slot=name, clock=clock, work=work, retry_after=retry_after)
        keep = partial(_keep_anchors, site=site, folders=folders)
        run_once(database, job=KEEP_ANCHORS, slot=name, clock=clock, work=keep, retry_after=retry_after)
    return made


def _anchor(session: WriteSession, *, site: Place, day: date, at: datetime) -> dict[str, object]:
    return {"length": make_anchor(session, site_id=site.id, day=day, at=at).length}


def _keep_anchors(session: WriteSession, *, site: Place, folders: Sequence[Path]) -> dict[str, object]:
    kept = anchors_of(session, site_id=site.id, last=ANCHORS_KEPT_AT_HAND)
    return {"files": sum(_put_away(kept, folder, made_here=folder == folders[0]) for folder in folders)}


def _put_away(kept: Sequence[Kept], folder: Path, *, made_here: bool) -> int:
    if not made_here and not folder.is_dir():
        raise FileNotFoundError(f"the second folder for anchors is not there: {folder}")
    return write_files(folder, kept)


def stamp_anchors(
    database: Database, authority: TimeStamps, folders: Sequence[Path], clock: Clock, *, fetch: Fetch = ask_by_http
) -> int:
    """Asks for the time stamps that are lacking, and says how many came; what fails is asked for again the next time.

    No unit of work is open while the authority is asked, and no night waits for it.
    """
    since = clock() - timedelta(days=ANCHORS_KEPT_AT_HAND)
    with database.reading() as session:
        places = {site.id: site for site in sites_here(session)}
        lacking = [
            (row.site_id, row.day)
            for row in session.scalars(
                select(AuditAnchor)
                .where(AuditAnchor.stamp.is_(None), AuditAnchor.made_at > since)
                .order_by(AuditAnchor.day.desc())
                .limit(STAMPED_AT_ONCE)
            )
        ]
        by_site = {site_id: anchors_of(session, site_id=site_id, last=ANCHORS_KEPT_AT_HAND) for site_id, _ in lacking}
    came = 0
    for site_id, day in lacking:
        anchor = next(each.anchor for each in by_site[site_id] if each.anchor.day == day)
        try:
            stamped = stamp(anchor, authority, fetch=fetch)
        except NoStamp as reason:
            log.warning("no time stamp for an anchor", site=places[site_id].code, why=str(reason))
            return came
        with database.writing() as session:
            row = session.get_one(AuditAnchor, (site_id, day))
            row.stamp, row.stamped_at = stamped.response, stamped.at
            session.flush()
            kept = anchors_of(session, site_id=site_id, last=ANCHORS_KEPT_AT_HAND)
        came += 1
        for folder in folders:
            try:
                _put_away(kept, folder, made_here=folder == folders[0])
            except OSError as reason:
                log.warning("a time stamp could not be written beside its anchor", why=reason.strerror)
    return came
