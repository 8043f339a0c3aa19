"""What runs when, without anybody asking: texts are sent, reminders queued, days closed, everybody assessed.

APScheduler keeps the time, in memory. However many programs run on one database, one of them is the leader: it holds a
PostgreSQL advisory lock on a connection of its own, and loses it with that connection. No clock decides who leads.

A clock that jumps on makes every job due once. One that goes back would let each of them wait for as long as it went
back, and no text would be sent meanwhile: so whoever waits longer than its interval is due at once (`keep_up`).
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from threading import Event, Thread
from zoneinfo import ZoneInfo

from apscheduler.events import EVENT_SCHEDULER_SHUTDOWN
from apscheduler.schedulers.background import BackgroundScheduler
from sqlalchemy.exc import DBAPIError

import notifications.sending
from dispensary.backups.making import back_up, public_keys
from dispensary.backups.own_keys import forget_erased_keys
from dispensary.clients.demands_over import DEMANDS, remove_demands_over
from dispensary.database import Database, WriteSession
from dispensary.evaluation.facts import count_behind
from dispensary.leading import Clock, Leadership, run_once
from dispensary.monitoring.alerts import escalate
from dispensary.nights import (
    anchor_trails,
    assess_sites,
    close_left_open,
    forget_texts,
    judge_sites,
    let_go_of_old,
    look_at_safes,
    make_packs,
    recall_at_random,
    stamp_anchors,
    write_reports,
)
from dispensary.parts.coming import make_months, standings
from dispensary.phone import clockwork, reminding
from dispensary.phone.seeing_first import ask_before_queue
from dispensary.resealing.moving import seal_anew
from dispensary.settings import Backups, Reports, Settings
from dispensary.staff.queries import BACKUP, Place, sites_here
from dispensary.staff.sessions import forget_ended
from dispensary.supplies.forewarning import ask_to_call_first
from dispensary.supplies.nightwatch import CLOSE_AFTER, slot
from notifications.gateways import Gateway
from notifications.gateways.console import ConsoleGateway

log = logging.getLogger(__name__)

WEEKLY = "book weekly times"
MONTHS = "months to come"
_SOON = timedelta(seconds=20)

SEND_FOR = timedelta(seconds=30)
"""For how long one run of the sender goes on: a slow gateway must not keep the program from ending."""


LOOK_AT_THE_CLOCK = 10
"""Every so many seconds, by a clock that nobody sets, jobs are looked at that a wall clock has left waiting."""


def gateway_from(settings: Settings) -> Gateway | None:
    """The way to phones: the one that is set up, else in a demonstration the console, which feeds the telephone page.

    A clinic without a gateway has none: its texts stay in the outbox, unsent, until they expire; the office sees them.
    """
    return settings.gateway or (None if settings.production else ConsoleGateway())


def anchor_folders(data: Path, second: Path | None) -> list[Path]:
    """Where the anchors of the audit trail lie: in the data folder, and in a second one where that is set."""
    return [data / "anchors", *([second] if second else [])]


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
    scheduler.add_job(led(lambda: let_go_of_old(database, settings.data, clock)), id="end of keeping", **soon)
    scheduler.add_job(led(lambda: count_behind(database)), id="count for figures", **soon)
    scheduler.add_job(led(lambda: write_reports(database, settings.reports, clock)), id="monthly reports", **soon)
    anchors = anchor_folders(settings.data, settings.anchors)
    scheduler.add_job(led(lambda: anchor_trails(database, anchors, clock)), id="anchors", **soon)
    if authority := settings.time_stamps:
        stamping = led(lambda: stamp_anchors(database, authority, anchors, clock))
        scheduler.add_job(stamping, id="time stamps", **{**soon, "minutes": 30})
    scheduler.add_job(led(lambda: make_packs(database, settings.data, clock)), id="downtime packs", **often)
    scheduler.add_job(
        led(lambda: clockwork.work_waiting_list(database, clock())), "interval", seconds=20, id="waiting list"
    )
    scheduler.add_job(led(lambda: clockwork.write_of_itself(database, clock())), "interval", minutes=5, id="own texts")
    scheduler.add_job(led(lambda: book_weekly(database, clock)), id="weekly times", **soon)
    scheduler.add_job(led(lambda: forget_sign_ins(database, clock)), "interval", hours=6, id="forget sign-ins")
    scheduler.add_job(led(lambda: forget_demands(database, clock)), "interval", hours=6, id="forget demands")
    scheduler.add_job(led(lambda: make_months_to_come(database, clock)), id="months to come", **soon)
    if backups := settings.backups:
        scheduler.add_job(led(lambda: back_up_nightly(database, backups, settings.data, clock)), id="back up", **soon)
        scheduler.add_job(led(lambda: forget_erased(database, backups, clock)), id="forget erased", **often)
    elif settings.production:
        log.warning("no backup is set up: a broken disk loses everything")
    ended = Event()
    scheduler.add_listener(lambda _: ended.set(), EVENT_SCHEDULER_SHUTDOWN)
    scheduler.start()
    Thread(target=_keep_up_until, args=(scheduler, ended), name="clock", daemon=True).start()
    return scheduler


def keep_up(scheduler: BackgroundScheduler, now: datetime) -> list[str]:
    """Makes every job due now that would wait longer than its interval, as after the clock went back; says which."""
    late = []
    for job in scheduler.get_jobs():
        if job.next_run_time is not None and job.next_run_time - now > job.trigger.interval:
            job.modify(next_run_time=now)
            late.append(job.id)
    return late


def _keep_up_until(scheduler: BackgroundScheduler, ended: Event) -> None:
    while not ended.wait(LOOK_AT_THE_CLOCK):
        if late := keep_up(scheduler, datetime.now(UTC)):
            log.warning("the clock went back: jobs that waited for it are due", extra={"jobs": len(late)})


def book_weekly(database: Database, clock: Clock) -> int:
    """Books everybody's weekly times, once a night at each site. Cut short, it is done again from where it was."""
    now, ran = clock(), 0
    for site in clockwork.bookable_sites(database):
        night, work = slot(site, site.dose_day(now - CLOSE_AFTER)), partial(clockwork.nightly, database, site, now)
        ran += run_once(database, job=WEEKLY, slot=night, clock=clock, work=work)
    return ran


def make_months_to_come(database: Database, clock: Clock) -> bool:
    """Makes, once a night by the clocks of the first site, the months to come of tables that lie in months.

    Says whether it did. A clinic's tables lie in none. What cannot be done in a night is left to the next one: nobody
    waits for it by day.
    """
    now = clock()
    with database.reading() as session:
        places = sites_here(session)
    if not places or not standings(database):
        return False
    today = now.astimezone(UTC).date()

    def work(session: WriteSession) -> dict[str, object]:
        return {"made": make_months(database, today=today)}

    night = places[0].dose_day(now - CLOSE_AFTER)
    name = f"night of {night}"
    return run_once(database, job=MONTHS, slot=name, clock=clock, work=work, retry_after=timedelta(days=1))


def back_up_nightly(database: Database, backups: Backups, data: Path, clock: Clock) -> bool:
    """Makes the night's backup, once a night by the clocks of the first site, and says whether it did.

    Before the first site is opened there is nothing to lose. A failure is tried again after an hour.
    """
    now = clock()
    with database.reading() as session:
        places = sites_here(session)
    if not places:
        return False

    def work(session: WriteSession) -> dict[str, object]:
        into, sealed_to, copy_to = backups.folder, backups.sealed_to, backups.copy_to
        made = back_up(database, into=into, sealed_to=sealed_to, data=data, at=now, copy_to=copy_to)
        return made.as_json()

    night = places[0].dose_day(now - CLOSE_AFTER)
    return run_once(database, job=BACKUP, slot=f"night of {night}", clock=clock, work=work)


def forget_erased(database: Database, backups: Backups, clock: Clock) -> bool:
    """After an erasure no file beside the backups has that client's key any more, a minute later."""
    folders = [folder for folder in (backups.folder, backups.copy_to) if folder is not None]
    return forget_erased_keys(database, folders=folders, sealed_to=public_keys(backups.sealed_to), at=clock())


def forget_sign_ins(database: Database, clock: Clock) -> None:
    """Removes sign-ins that have ended and failed attempts that no longer count."""
    with database.writing() as session:
        forget_ended(session, at=clock())


def forget_demands(database: Database, clock: Clock) -> int:
    """Removes legal demands about nobody whose site's period for records is over, and says how many.

    The words of those that were answered about a client come under that client's own key before.
    """
    seal_anew(database, tables=DEMANDS)
    with database.writing() as session:
        return remove_demands_over(session, at=clock())


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


def pass_alerts_on(database: Database, clock: Clock) -> int:
    """Shows to the next role, too, what nobody of its own has read in time. Says how many alerts those were."""
    now, passed = clock(), 0
    with database.reading() as session:
        places = sites_here(session)
    for site in places:
        with database.writing() as session:
            passed += escalate(session, site_id=site.id, at=now)
    return passed


def run_night(
    database: Database,
    clock: Clock,
    *,
    site: Place,
    data: Path,
    reports: Reports | None = None,
    anchors: Path | None = None,
) -> None:
    """Does at once, at one site, whatever can greet its people as undone, also when it was tried a moment ago."""
    close_left_open(database, clock, at=site, retry_after=timedelta(0))
    assess_sites(database, clock, at=site, retry_after=timedelta(0))
    look_at_safes(database, clock, at=site, retry_after=timedelta(0))
    recall_at_random(database, clock, at=site, retry_after=timedelta(0))
    make_packs(database, data, clock, at=site, retry_after=timedelta(0))
    judge_sites(database, clock, at=site, retry_after=timedelta(0))
    forget_texts(database, clock, at=site, retry_after=timedelta(0))
    let_go_of_old(database, data, clock, at=site, retry_after=timedelta(0))
    write_reports(database, reports, clock, at=site, retry_after=timedelta(0))
    anchor_trails(database, anchor_folders(data, anchors), clock, at=site, retry_after=timedelta(0))
