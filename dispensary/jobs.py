"""What runs when, without anybody asking: texts are sent, reminders queued, days closed, everybody assessed.

APScheduler keeps the time, in memory. However many programs run on one database, one of them is the leader: it holds a
PostgreSQL advisory lock on a connection of its own, and loses it with that connection.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path
from zoneinfo import ZoneInfo

from apscheduler.schedulers.background import BackgroundScheduler
from sqlalchemy import select
from sqlalchemy.exc import DBAPIError

import notifications.sending
from dispensary.backups.making import back_up
from dispensary.database import Database, WriteSession
from dispensary.evaluation.facts import count_behind
from dispensary.leading import Clock, Leadership, run_once
from dispensary.monitoring.alerts import escalate
from dispensary.monitoring.judging import judge_health
from dispensary.phone import clockwork, reminding
from dispensary.phone.seeing_first import ask_before_queue
from dispensary.phone.text_rules import FORGET_TEXTS, forget_old_texts
from dispensary.reporting import monthly
from dispensary.settings import Backups, Reports, Settings
from dispensary.staff.models import Site
from dispensary.staff.queries import BACKUP, Place, sites
from dispensary.staff.rules import the_program
from dispensary.staff.sessions import forget_ended
from dispensary.stock.discrepancies import look
from dispensary.supplies.closing import close_day
from dispensary.supplies.forewarning import ask_to_call_first
from dispensary.supplies.models import DayClose
from dispensary.supplies.nightwatch import ASSESS, CLOSE_AFTER, CLOSE_DAY, RECALL, RETRY_AFTER, slot
from dispensary.supplies.outage_making import DOWNTIME_PACK, make_pack
from dispensary.supplies.outage_settings import has_password
from dispensary.supplies.queries import day_close_of
from dispensary.supplies.random_recalls import call_back_at_random
from dispensary.takehome.nightly import assess_everybody
from dispensary.takehome.queries import policy_of
from dispensary.units import DoseDay
from notifications.gateways import Gateway
from notifications.gateways.console import ConsoleGateway

log = logging.getLogger(__name__)

LOOK = "look at the safe"
WEEKLY = "book weekly times"
JUDGE = "judge health"
_SOON = timedelta(seconds=20)

PACK_AFTER_CLOSE = timedelta(hours=1)
"""For how long after a close its own pack is still made, when the program was off meanwhile."""

SEND_FOR = timedelta(seconds=30)
"""For how long one run of the sender goes on: a slow gateway must not keep the program from ending."""


def gateway_from(settings: Settings) -> Gateway | None:
    """The way to phones: the one that is set up, else in a demonstration the console, which feeds the telephone page.

    A clinic without a gateway has none: its texts stay in the outbox, unsent, until they expire; the office sees them.
    """
    return settings.gateway or (None if settings.production else ConsoleGateway())


def start_jobs(database: Database, settings: Settings, clock: Clock) -> BackgroundScheduler:
    """Starts the clockwork. Call `shutdown()` on it to end."""
    leadership = Leadership(database)
    gateway = gateway_from(settings)
    scheduler = BackgroundScheduler(
        timezone=ZoneInfo("UTC"), job_defaults={"coalesce": True, "misfire_grace_time": None, "max_instances": 1}
    )

    def led(work: Callable[[], object]) -> Callable[[], None]:
        def run() -> None:
            if leadership.held():
                try:
                    work()
                except DBAPIError as reason:
                    log.warning("a job met the database's refusal", extra={"error": type(reason.orig).__name__})

        return run

    if gateway is not None:
        scheduler.add_job(led(lambda: send_texts(database, gateway, clock)), "interval", seconds=2, id="send texts")
    else:
        log.warning("no way to send texts is set up: they wait in the outbox and expire")
    scheduler.add_job(led(lambda: queue_reminders(database, clock)), "interval", seconds=30, id="queue reminders")
    scheduler.add_job(led(lambda: warn_before_travel(database, clock)), "interval", minutes=1, id="warn before travel")
    # What was due while the program was off is done soon after it starts, so that nobody is greeted by it for long.
    soon = {"next_run_time": datetime.now(UTC) + _SOON, "trigger": "interval", "minutes": 5}
    often = {**soon, "minutes": 1}
    scheduler.add_job(led(lambda: close_left_open(database, clock)), id="close days", **soon)
    scheduler.add_job(led(lambda: assess_sites(database, clock)), id="assess take-home", **soon)
    scheduler.add_job(led(lambda: recall_at_random(database, clock)), id="recall at random", **soon)
    scheduler.add_job(led(lambda: look_at_safes(database, clock)), id="look at the safe", **soon)
    scheduler.add_job(led(lambda: judge_sites(database, clock)), id="judge health", **soon)
    scheduler.add_job(led(lambda: pass_alerts_on(database, clock)), id="pass alerts on", **soon)
    scheduler.add_job(led(lambda: forget_texts(database, clock)), id="wipe texts", **soon)
    scheduler.add_job(led(lambda: count_behind(database)), id="count for figures", **soon)
    scheduler.add_job(led(lambda: write_reports(database, settings.reports, clock)), id="monthly reports", **soon)
    scheduler.add_job(led(lambda: make_packs(database, settings.data, clock)), id="downtime packs", **often)
    scheduler.add_job(
        led(lambda: clockwork.work_waiting_list(database, clock())), "interval", seconds=20, id="waiting list"
    )
    scheduler.add_job(led(lambda: clockwork.write_of_itself(database, clock())), "interval", minutes=5, id="own texts")
    scheduler.add_job(led(lambda: book_weekly(database, clock)), id="weekly times", **soon)
    scheduler.add_job(led(lambda: forget_sign_ins(database, clock)), "interval", hours=6, id="forget sign-ins")
    if backups := settings.backups:
        scheduler.add_job(led(lambda: back_up_nightly(database, backups, settings.data, clock)), id="back up", **soon)
    elif settings.production:
        log.warning("no backup is set up: a broken disk loses everything")
    scheduler.start()
    return scheduler


def book_weekly(database: Database, clock: Clock) -> int:
    """Books everybody's weekly times, once a night at each site. Cut short, it is done again from where it was."""
    now, ran = clock(), 0
    for site in clockwork.bookable_sites(database):
        night, work = slot(site, site.dose_day(now - CLOSE_AFTER)), partial(clockwork.nightly, database, site, now)
        ran += run_once(database, job=WEEKLY, slot=night, clock=clock, work=work)
    return ran


def back_up_nightly(database: Database, backups: Backups, data: Path, clock: Clock) -> bool:
    """Makes the night's backup, once a night by the clocks of the first site, and says whether it did.

    Before the first site is opened there is nothing to lose. A failure is tried again after an hour.
    """
    now = clock()
    with database.reading() as session:
        places = sites(session)
    if not places:
        return False

    def work(session: WriteSession) -> dict[str, object]:
        into, sealed_to, copy_to = backups.folder, backups.sealed_to, backups.copy_to
        made = back_up(database, into=into, sealed_to=sealed_to, data=data, at=now, copy_to=copy_to)
        return made.as_json()

    night = places[0].dose_day(now - CLOSE_AFTER)
    return run_once(database, job=BACKUP, slot=f"night of {night}", clock=clock, work=work)


def forget_sign_ins(database: Database, clock: Clock) -> None:
    """Removes sign-ins that have ended and failed attempts that no longer count."""
    with database.writing() as session:
        forget_ended(session, at=clock())


def send_texts(database: Database, gateway: Gateway, clock: Clock) -> int:
    """Sends the texts that are due, for half a minute at most, and says how many were taken in hand."""
    claimed, until = 0, clock() + SEND_FOR
    while True:
        done = notifications.sending.send_due(database.writing, vault=database.vault, gateway=gateway, now=clock)
        claimed += done.claimed
        if not done.more or clock() > until:
            return claimed


def queue_reminders(database: Database, clock: Clock) -> int:
    """Queues a reminder for each booking whose time for it has come; says how many were queued."""
    with database.writing() as session:
        return reminding.queue_reminders(session, now=clock())


def warn_before_travel(database: Database, clock: Clock) -> int:
    """Asks clients by text to call before they come, where a stop or a hold begins on the day to come.

    Where one goes on, or reception has something to settle, whoever is booked is asked to see reception first.
    """
    with database.writing() as session:
        called = ask_to_call_first(session, now=clock())
    with database.writing() as session:
        return called + ask_before_queue(session, now=clock())


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
        places = [at] if at else sites(session)
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
        days = {site: site.dose_day(now - CLOSE_AFTER) for site in ([at] if at else sites(session))}
        ready = [
            (site, day)
            for site, day in days.items()
            if day_close_of(session, site_id=site.id, day=DoseDay(day - timedelta(days=1))) is not None
        ]
    for site, day in ready:
        work = partial(_assess, site=site, day=day, at=now)
        assessed += run_once(
            database, job=ASSESS, slot=slot(site, day), clock=clock, work=work, retry_after=retry_after
        )
    return assessed


def _assess(session: WriteSession, *, site: Place, day: DoseDay, at: datetime) -> dict[str, object]:
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
        for site in [at] if at else sites(session):
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
        days = {site: site.dose_day(now - CLOSE_AFTER) for site in ([at] if at else sites(session))}
    for site, day in days.items():
        work = partial(_judge, site=site, day=day, at=now)
        ran += run_once(database, job=JUDGE, slot=slot(site, day), clock=clock, work=work, retry_after=retry_after)
    return ran


def _judge(session: WriteSession, *, site: Place, day: date, at: datetime) -> dict[str, object]:
    return judge_health(session, site_id=site.id, on=day, at=at).as_json()


def pass_alerts_on(database: Database, clock: Clock) -> int:
    """Shows to the next role, too, what nobody of its own has read in time. Says how many alerts those were."""
    now, passed = clock(), 0
    with database.reading() as session:
        places = sites(session)
    for site in places:
        with database.writing() as session:
            passed += escalate(session, site_id=site.id, at=now)
    return passed


def forget_texts(
    database: Database, clock: Clock, *, at: Place | None = None, retry_after: timedelta = RETRY_AFTER
) -> int:
    """Wipes, once a night at each site, what names a person in texts that are older than the site keeps them."""
    now = clock()
    ran = 0
    with database.reading() as session:
        days = {site: site.dose_day(now - CLOSE_AFTER) for site in ([at] if at else sites(session))}
    for site, day in days.items():
        work = partial(forget_old_texts, site_id=site.id, at=now)
        ran += run_once(
            database, job=FORGET_TEXTS, slot=slot(site, day), clock=clock, work=work, retry_after=retry_after
        )
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
        for site in [at] if at else sites(session):
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


def run_night(database: Database, clock: Clock, *, site: Place, data: Path, reports: Reports | None = None) -> None:
    """Does at once, at one site, whatever can greet its people as undone, also when it was tried a moment ago."""
    close_left_open(database, clock, at=site, retry_after=timedelta(0))
    assess_sites(database, clock, at=site, retry_after=timedelta(0))
    look_at_safes(database, clock, at=site, retry_after=timedelta(0))
    recall_at_random(database, clock, at=site, retry_after=timedelta(0))
    make_packs(database, data, clock, at=site, retry_after=timedelta(0))
    judge_sites(database, clock, at=site, retry_after=timedelta(0))
    forget_texts(database, clock, at=site, retry_after=timedelta(0))
    write_reports(database, reports, clock, at=site, retry_after=timedelta(0))


def recall_at_random(
    database: Database, clock: Clock, *, at: Place | None = None, retry_after: timedelta = RETRY_AFTER
) -> int:
    """Calls bottles back, once a day at each site that has such a rule, from whoever chance has chosen for the day."""
    now = clock()
    with database.reading() as session:
        days = {site: site.dose_day(now - CLOSE_AFTER) for site in ([at] if at else sites(session))}
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
        places = [s for s in ([at] if at else sites(session)) if has_password(session, site_id=s.id)]
        just_closed = {
            row.site_id: row.dose_day
            for row in session.scalars(select(DayClose).where(DayClose.closed_at > now - PACK_AFTER_CLOSE))
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
