"""However many programs run on one database, one of them leads, and a job runs once for its slot.

The leader holds a PostgreSQL advisory lock on a connection of its own, and loses it with that connection.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta

from sqlalchemy import Connection, text, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from dispensary.database import Database, WriteSession
from dispensary.schema import met
from dispensary.staff.models import JobRun
from dispensary.supplies.nightwatch import RETRY_AFTER

log = logging.getLogger(__name__)

_LEADER_LOCK = 7_301_443
MEET_EVERY = 30.0
"""Seconds between two looks at whether the database works with this program still."""

Clock = Callable[[], datetime]


class Leadership:
    """Whether this program is the one that runs the jobs. Ask each time: the lock goes with the connection."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._connection: Connection | None = None
        self._met_at: float | None = None
        self._needs = ""

    def held(self) -> bool:
        """Takes the lead when nobody has it, and says whether this program has it now.

        A program that the database has left behind while it ran, in an upgrade, gives it up to a newer one.
        """
        try:
            if self._is_left_behind():
                self.give_up()
                return False
            if self._connection is None:
                connection = self._database.engine.connect().execution_options(isolation_level="AUTOCOMMIT")
                if not connection.scalar(text("SELECT pg_try_advisory_lock(:key)"), {"key": _LEADER_LOCK}):
                    connection.close()
                    return False
                log.info("this program runs the jobs now")
                self._connection = connection
            else:
                self._connection.execute(text("SELECT 1"))
        except DBAPIError:
            self.give_up()
            return False
        return True

    def _is_left_behind(self) -> bool:
        if self._met_at is None or time.monotonic() - self._met_at >= MEET_EVERY:
            needs = met(self._database).needs
            if needs and needs != self._needs:
                log.error("this program runs no jobs: %s", needs)
            self._met_at, self._needs = time.monotonic(), needs
        return bool(self._needs)

    def give_up(self) -> None:
        """Lets another program take the lead, at once while the connection still works."""
        if self._connection is not None:
            with suppress(SQLAlchemyError):
                self._connection.execute(text("SELECT pg_advisory_unlock(:key)"), {"key": _LEADER_LOCK})
            self._connection.invalidate()  # never back into the pool: the lock would go back with it
            self._connection.close()
            self._connection = None


def run_once(
    database: Database,
    *,
    job: str,
    slot: str,
    clock: Clock,
    work: Callable[[WriteSession], dict[str, object]],
    retry_after: timedelta = RETRY_AFTER,
) -> bool:
    """Runs `work` in a unit of its own unless it has run for this slot; a failed run is repeated after an hour.

    Whether it ran is committed with what it did, so that it can neither be lost nor done twice. One that failed later
    than now failed by a clock that was wrong, and is repeated at once.
    """
    now = clock()
    with database.reading() as session:
        earlier = session.get(JobRun, (job, slot))
        if earlier and (not earlier.failure or now - retry_after < earlier.began_at <= now):
            return False
    try:
        with database.writing() as session:
            if not _begin(session, job, slot, now, failure=""):
                return False
            result = work(session)
            session.execute(
                update(JobRun).where(JobRun.job == job, JobRun.slot == slot).values(ended_at=clock(), result=result)
            )
    except Exception as reason:
        log.exception("job failed", extra={"job": job, "slot": slot})
        with database.writing() as session:
            _begin(session, job, slot, now, failure=f"{type(reason).__name__}: {str(reason)[:300]}")
        return False
    return True


def _begin(session: WriteSession, job: str, slot: str, at: datetime, *, failure: str) -> bool:
    """Marks the run; says no when another program has run it meanwhile."""
    begun = session.scalar(
        upsert(JobRun)
        .values(job=job, slot=slot, began_at=at, ended_at=None, failure=failure, result={})
        .on_conflict_do_update(
            index_elements=["job", "slot"],
            set_={"began_at": at, "ended_at": None, "failure": failure},
            where=JobRun.failure != "",
        )
        .returning(JobRun.job)
    )
    return begun is not None


def note_run(
    session: WriteSession, *, job: str, slot: str, began_at: datetime, ended_at: datetime, result: dict[str, object]
) -> None:
    """Notes what a person had done at once and not in its time, beside what ran by itself."""
    session.add(JobRun(job=job, slot=slot, began_at=began_at, ended_at=ended_at, failure="", result=result))
