"""What the clock does for a whole country beside the close of its day: each job of dispensary/jobs.py, all sites.

Each runs once as it is due, and once more when nothing is left to do: the second is what the leader pays for looking,
every so often, all day long. One program leads, and works at one site after the other, as here.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from datetime import time as of_day
from pathlib import Path
from zoneinfo import ZoneInfo

from sqlalchemy import text

from benchmarks.figures import Figure, say
from benchmarks.ground import Ground
from dispensary import jobs, nights
from dispensary.database import Database
from dispensary.evaluation.facts import count_behind
from dispensary.phone import clockwork
from dispensary.staff.queries import Place, sites

NIGHT_WITHIN = 3_600
"""Seconds for all that a night does at all sites: it begins at three and the counters open at six."""
CORE = 0.25
"""Of one core, what looking at all sites the whole day long may take of program and PostgreSQL together."""
Job = Callable[[], object]
_PACKS = """
INSERT INTO downtime_setting (site_id, password_sealed, days_ahead, copy_to, set_by, set_at)
    SELECT site_id, :sealed, 3, '', account_id, now() FROM role_grant WHERE site_id = :site LIMIT 1
"""
_POLICIES = """
INSERT INTO policy_adoption (id, site_id, policy_version_id, days, adopted_by, adopted_at)
    SELECT gen_random_uuid(), s.id, a.policy_version_id, a.days, a.adopted_by, a.adopted_at
    FROM policy_adoption a CROSS JOIN site s
    WHERE NOT EXISTS (SELECT FROM policy_adoption b WHERE b.site_id = s.id)
"""


def all_jobs(database: Database, data: Path, at: datetime) -> dict[str, tuple[float, Job]]:
    """Every job that works at each site or looks for what is due at any, with the seconds between two runs of it."""

    def clock() -> datetime:
        return at

    often = 300.0
    return {
        "close days": (often, lambda: nights.close_left_open(database, clock)),
        "assess take-home": (often, lambda: nights.assess_sites(database, clock)),
        "recall at random": (often, lambda: nights.recall_at_random(database, clock)),
        "look at the safe": (often, lambda: nights.look_at_safes(database, clock)),
        "judge health": (often, lambda: nights.judge_sites(database, clock)),
        "pass alerts on": (often, lambda: jobs.pass_alerts_on(database, clock)),
        "wipe texts": (often, lambda: nights.forget_texts(database, clock)),
        "end of keeping": (often, lambda: nights.let_go_of_old(database, data, clock)),
        "count for figures": (often, lambda: count_behind(database)),
        "anchors": (often, lambda: nights.anchor_trails(database, [data / "anchors"], clock)),
        "downtime packs": (60.0, lambda: nights.make_packs(database, data, clock)),
        "weekly times": (often, lambda: jobs.book_weekly(database, clock)),
        "own texts": (often, lambda: clockwork.write_of_itself(database, at)),
        "queue reminders": (30.0, lambda: jobs.queue_reminders(database, clock)),
        "warn before travel": (60.0, lambda: jobs.warn_before_travel(database, clock)),
        "waiting list": (20.0, lambda: clockwork.work_waiting_list(database, at)),
    }


def run_jobs(on: Ground, database: Database, *, of: str) -> Iterator[Figure]:
    """Runs each job on this country in the night after its last closed day, and once more at once."""
    with database.reading() as session:
        places = sites(session)
    _as_sites_are(database, places)
    data = on.folder / "data-clockwork"
    data.mkdir(exist_ok=True)
    at = _after_three(places[0])
    night, looking = 0.0, 0.0
    logging.getLogger("dispensary").setLevel(logging.ERROR)
    for name, (every, job) in all_jobs(database, data, at).items():
        for what in ("", ", once more, nothing due"):
            took, own, of_server = _timed(on, job)
            say(f"{of}: {name}{what}: {took:.2f} s; CPU {own:.2f} s here, {of_server:.2f} s PostgreSQL")
            yield Figure(of, f"{name}, {len(places)} sites{what}", took, "s")
            yield Figure(of, f"CPU of {name}{what}: the program's and PostgreSQL's", own + of_server, "s")
            night += 0 if what else took
            looking += (own + of_server) / every if what else 0
    yield Figure(of, f"all jobs of a night and an hour's packs, {len(places)} sites, one after the other", night, "s",
                 NIGHT_WITHIN)  # fmt: skip
    yield Figure(of, "of a core, what looking whether something is due takes", looking, "", CORE)


def _timed(on: Ground, job: Job) -> tuple[float, float, float]:
    """Seconds that it took, and processor seconds of this program and of PostgreSQL."""
    own, before, began = time.process_time(), on.cpu(), time.perf_counter()
    job()
    return time.perf_counter() - began, time.process_time() - own, on.cpu() - before


def _after_three(place: Place) -> datetime:
    """Half past three in the morning after today, by the clocks of the site."""
    zone = ZoneInfo(place.zone)
    return datetime.combine(datetime.now(zone).date() + timedelta(days=1), of_day(3, 30), tzinfo=zone)


def _as_sites_are(database: Database, places: Sequence[Place]) -> None:
    """Every site follows the policy of the first one, and has words that open its downtime pack."""
    with database.writing() as session:
        for place in places:
            sealed = session.vault.seal("downtime_setting.password", place.id, "papaya on the verandah")
            session.execute(text(_PACKS), {"site": place.id, "sealed": sealed})
        session.execute(text(_POLICIES))
