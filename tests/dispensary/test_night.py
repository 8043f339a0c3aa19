"""What the night left undone greets everybody at the site until it is done, and nobody else."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from dispensary.database import Database, WriteSession
from dispensary.jobs import run_night
from dispensary.leading import run_once
from dispensary.nights import LOOK, assess_sites, close_left_open, look_at_safes, make_packs, recall_at_random
from dispensary.staff.queries import Place
from dispensary.staff.queries import place as site_of
from dispensary.staff.rules import Role
from dispensary.supplies.nightwatch import RECALL, Undone, undone
from dispensary.supplies.outage_making import DOWNTIME_PACK
from tests.dispensary.desk_place import Desks, desks
from tests.dispensary.visiting import text_of

GREETING = "Tue 24 Nov 2026 was not closed by itself."


@pytest.fixture
def here(database: Database, now: datetime, tmp_path: Path) -> Desks:
    """Wednesday, seven in the morning; nobody closed the first day, and no program ran in the night."""
    place = desks(database, now, tmp_path)
    place.place.client()
    place.days_pass(1)
    return place


def site(here: Desks) -> Place:
    with here.database.reading() as session:
        return site_of(session, here.place.site_id)


def night(here: Desks) -> None:
    run_night(here.database, here.clock, site=site(here), data=here.app.state["settings"].data)


def looked(here: Desks, *, at: datetime | None = None) -> tuple[Undone, ...]:
    place = site(here)
    return here.database.glance(lambda glance: undone(glance, site=place, now=at or here.clock()))


def test_a_job_that_never_ran_greets_once_it_is_overdue_and_is_gone_once_it_ran(here: Desks) -> None:
    midnight = here.clock() - timedelta(hours=7)
    assert looked(here, at=midnight + timedelta(hours=2, minutes=29)) == ()
    (one,) = looked(here)
    assert (one.job, one.failure, one.again_at) == ("close day", "", None)

    with here.database.writing() as session:
        session.execute(text("DELETE FROM policy_adoption"))
    close_left_open(here.database, here.clock)
    assert looked(here) == (), "a site that follows no policy of take-home owes no assessment"
    here.follow()
    assert [one.job for one in looked(here)] == ["assess take-home"]
    assess_sites(here.database, here.clock)
    assert looked(here) == ()


def test_a_new_site_owes_nothing_and_a_day_that_the_counter_closed_is_done(
    here: Desks, database: Database, tmp_path: Path
) -> None:
    fresh = desks(database, here.clock(), tmp_path, code="SAT")
    assert looked(fresh) == ()


def test_a_failure_says_when_it_is_tried_again_and_an_administrator_tries_at_once(here: Desks) -> None:
    with here.database.writing() as session:
        session.execute(text("ALTER TABLE day_outcome ADD CONSTRAINT broken CHECK (outcome = 'none')"))
    close_left_open(here.database, here.clock)
    (one,) = looked(here)
    assert "broken" in one.failure
    assert one.again_at == here.clock() + timedelta(hours=1)

    pharmacist, administrator = here.seat(Role.PHARMACIST), here.administrator
    for visitor, path in ((pharmacist, "/counter"), (administrator, "/office"), (here.doctor, "/consulting")):
        said = text_of(visitor.get(path))
        assert GREETING in said
        assert "Tried again at 08:00." in said
        assert ("Try now" in said) is (visitor is administrator)
    assert pharmacist.post("/office/night").status_code == 403

    with here.database.writing() as session:
        session.execute(text("ALTER TABLE day_outcome DROP CONSTRAINT broken"))
    assert close_left_open(here.database, here.clock) == 0, "within the hour it is not tried by itself"
    assert administrator.post("/office/night").status_code == 303
    assert GREETING not in text_of(administrator.get("/office"))
    assert looked(here) == ()


def test_it_is_looked_up_every_few_seconds_and_not_for_every_page(here: Desks) -> None:
    pharmacist = here.seat(Role.PHARMACIST)
    assert GREETING in text_of(pharmacist.get("/counter"))
    night(here)
    assert GREETING in text_of(pharmacist.get("/counter"))
    here.clock.goes_on(seconds=15)
    assert GREETING not in text_of(pharmacist.get("/counter"))


def fails(here: Desks, job: str, slot: str, *, well: bool = False) -> None:
    """A job of the clockwork runs, and does not go well unless somebody says so."""

    def work(session: WriteSession) -> dict[str, object]:
        if not well:
            raise RuntimeError("the disk is full")
        return {}

    run_once(here.database, job=job, slot=slot, clock=here.clock, work=work, retry_after=timedelta(0))


@pytest.mark.parametrize(
    ("job", "slot", "said"),
    [
        ("recall at random", "HRP 2026-11-25", "Chance did not choose whose bottles are counted on Wed 25 Nov 2026."),
        ("look at the safe", "HRP 2026-11-25", "The safe was not looked at on Wed 25 Nov 2026."),
        ("downtime pack", "HRP 2026-11-24 23h", "The pack for an outage was not made on Wed 25 Nov 2026."),
        ("something new", "HRP 2026-11-25", "A job failed on Wed 25 Nov 2026: something new."),
    ],
    ids=["recall", "safe", "pack", "unknown"],
)
def test_any_job_of_the_site_that_failed_last_greets_until_it_went_well(
    here: Desks, job: str, slot: str, said: str
) -> None:
    night(here)
    with here.database.writing() as session:
        session.execute(text("DELETE FROM job_run WHERE job = :job"), {"job": job})
    fails(here, job, slot)
    (one,) = looked(here)
    assert (one.job, one.failure) == (job, "RuntimeError: the disk is full")
    assert one.again_at == here.clock() + timedelta(hours=1)
    assert said in text_of(here.seat(Role.PHARMACIST).get("/counter"))

    fails(here, job, slot, well=True)
    assert looked(here) == ()


def test_a_failure_is_superseded_by_a_later_slot_and_never_greets_at_another_site(here: Desks, tmp_path: Path) -> None:
    fresh = desks(here.database, here.clock(), tmp_path, code="HRP2")
    night(here)
    fails(here, "downtime pack", "HRP 2026-11-24 23h")
    assert [one.job for one in looked(here)] == ["downtime pack"]
    assert looked(fresh) == ()

    here.clock.goes_on(seconds=3600)
    fails(here, "downtime pack", "HRP2 2026-11-25 00h", well=True)
    assert [one.job for one in looked(here)] == ["downtime pack"], "another site's success is not ours"
    fails(here, "downtime pack", "HRP 2026-11-25 00h", well=True)
    assert looked(here) == ()


@pytest.mark.parametrize(
    ("job", "slot", "again"),
    [
        (RECALL, "HRP 2026-11-25", lambda here, data: recall_at_random(here.database, here.clock)),
        (LOOK, "HRP 2026-11-25 after the close", lambda here, data: look_at_safes(here.database, here.clock)),
        (DOWNTIME_PACK, "HRP 2026-11-24 23h", lambda here, data: make_packs(here.database, data, here.clock)),
    ],
    ids=["recall", "safe", "pack"],
)
def test_the_administrator_tries_at_once_whatever_greets(
    here: Desks, job: str, slot: str, again: Callable[[Desks, Path], int]
) -> None:
    data = here.app.state["settings"].data
    words = "words that open a pack"
    said = {"password": words, "again": words, "days_ahead": "2", "copy_to": ""}
    assert here.administrator.post("/office/downtime", said).status_code == 303
    night(here)
    with here.database.writing() as session:
        session.execute(text("DELETE FROM job_run WHERE job = :job AND slot = :slot"), {"job": job, "slot": slot})
    fails(here, job, slot)
    assert [one.job for one in looked(here)] == [job]
    assert again(here, data) == 0, "within the hour it is not tried by itself"

    assert here.administrator.post("/office/night").status_code == 303
    assert looked(here) == ()
