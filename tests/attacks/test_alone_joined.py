"""Joining a satellite that stumbles: a refused row, a trail written anew, a command killed at each step, a lost box."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from datetime import UTC, timedelta

import psycopg
import pytest

from dispensary.apart import catalogue
from dispensary.embedded import discard_embedded
from dispensary.supplies.outage_entry import enter_line
from dispensary.supplies.outage_rules import PaperLine
from dispensary.units import ClientId, milligrams
from tests.attacks.boxes import Pair, at, closes
from tests.attacks.program import until
from tests.builders import Clinic

_KILLED_AT = """
import os, signal, sys
from dispensary.apart import joining
from dispensary.cli import main
step, when = sys.argv[1:3]
does = getattr(joining, step)
def dies(*args, **kept):
    if when == "before":
        os.kill(os.getpid(), signal.SIGKILL)
    does(*args, **kept)
    os.kill(os.getpid(), signal.SIGKILL)
setattr(joining, step, dies)
main(sys.argv[3:])
"""


def killed_at(pair: Pair, step: str, when: str, *more: str, script: str = _KILLED_AT) -> None:
    """`join` at the centre, killed before or after one of its steps."""
    ended = subprocess.run(
        [sys.executable, "-c", script, step, when, "join", "KLG", *more],
        env={
            **{name: value for name, value in os.environ.items() if name != "DATABASE_URL"},
            "DISPENSARY_DATA": str(pair.centre.data),
            "DISPENSARY_KEYS": str(pair.centre.keys),
        },
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ended.returncode == -signal.SIGKILL, ended.stderr


def past_the_guards(line: str, statement: str, *values: object) -> None:
    """A hand at PostgreSQL itself, as its superuser."""
    with psycopg.connect(line, autocommit=True) as hand:
        hand.execute("SET session_replication_role = replica")
        hand.execute(statement, values)


def doses_of_klg(pair: Pair) -> int:
    return len(pair.centre.asks("SELECT 1 FROM dose d JOIN site s ON s.id = d.site_id AND s.code = 'KLG'"))


def test_a_row_that_is_refused_is_named_and_the_join_goes_on_once_the_centre_is_mended(pair: Pair) -> None:
    with pair.counters() as (_, alone):
        alone.give(pair.theirs[0])
        closes(alone)
        alone.move_on()
        alone.give(pair.theirs[0])
    in_the_way = """INSERT INTO day_close (site_id, dose_day, closed_at, counted, observed, taken_home, missed, held,
        unclaimed) SELECT id, %s, now(), false, 0, 0, 0, 0, 0 FROM site WHERE code = 'KLG'"""
    past_the_guards(pair.centre.line, in_the_way, pair.here.main.today)
    said = pair.joins_in_vain("--within", "60")
    assert re.search(r"A row of KLG is refused here: day_close \(site_id \S+, dose_day \d{4}-\d\d-\d\d\)", said), said
    assert "duplicate key" in said
    assert "pk_day_close" in said
    assert "mend that" in said
    assert doses_of_klg(pair) == 1, "what came before it is here"

    past_the_guards(pair.centre.line, "DELETE FROM day_close WHERE observed = 0 AND NOT counted AND closed_by IS NULL")
    assert "KLG: " in pair.joins("--within", "60")
    assert doses_of_klg(pair) == 2
    pair.holds()


def test_a_trail_that_was_written_anew_at_the_box_so_that_it_fits_by_itself_is_named(pair: Pair) -> None:
    with pair.counters() as (_, alone):
        alone.give(pair.theirs[0])
        pair.joins()
        ((length,),) = pair.far.asks("SELECT length FROM audit_chain c JOIN site s ON s.id = site_id AND code = 'KLG'")
        with psycopg.connect(pair.far.line) as hand:
            hand.execute("SET session_replication_role = replica")
            site = "(SELECT id FROM site WHERE code = 'KLG')"
            hand.execute(f"UPDATE audit_entry SET act = 'nothing' WHERE site_id = {site} AND seq = %s", [length])
            hand.execute(
                f"UPDATE audit_entry e SET hash = link_of(e.previous, e) WHERE site_id = {site} AND seq = %s", [length]
            )
            hand.execute(
                f"UPDATE audit_chain SET head = (SELECT hash FROM audit_entry WHERE site_id = {site} AND seq = %s)"
                f" WHERE site_id = {site}",
                [length],
            )
        alone.give(pair.theirs[1])
    said = pair.joins_in_vain("--within", "60")
    assert f"Entry {length} of the audit trail of KLG is another one there than it came here" in said
    assert doses_of_klg(pair) == 1


def test_bringing_back_that_is_killed_at_any_step_is_brought_to_its_end_by_the_same_command(pair: Pair) -> None:
    with pair.counters() as (_, alone):
        alone.give(pair.theirs[0])
    line = ("--line", pair.far.line)
    for when in ("before", "after"):
        killed_at(pair, "_subscribe", when, *line)
    last = (*line, "--last")
    for step in ("_shut", "join", "_written_here_again"):
        killed_at(pair, step, "before", *last)
        killed_at(pair, step, "after", *last)
    apart = "SELECT until IS NULL FROM site_apart"
    assert pair.centre.asks(apart) == [(False,)], "it is written here, and its subscription is left"
    assert pair.centre.asks("SELECT subname FROM pg_subscription") == [("takehome_klg",)]
    assert "written here again" in pair.joins("--last")
    assert pair.centre.asks("SELECT subname FROM pg_subscription") == []
    assert pair.far.asks("SELECT slot_name FROM pg_replication_slots") == []
    assert "written here again" in pair.joins("--last")
    assert pair.centre.asks("SELECT count(*) FROM audit_entry WHERE act = 'site came back'") == [(1,)]
    assert "nothing to join" in pair.joins_in_vain()
    with pair.counters() as (home, _):
        at(pair.here.satellite, home.database).give(pair.theirs[1])
    assert doses_of_klg(pair) == 2
    assert "no row breaks a rule" in pair.centre.types("verify")


def test_a_slot_that_went_before_the_last_command_was_cut_off_is_in_nobodys_way(pair: Pair) -> None:
    killed_at(pair, "_written_here_again", "after", "--line", pair.far.line, "--last")
    pair.line_is_cut()
    with psycopg.connect(pair.far.line, autocommit=True) as there:
        idle = "SELECT 1 FROM pg_replication_slots WHERE NOT active"
        until(lambda: there.execute(idle).fetchone(), what="nobody reads the slot")
        there.execute("SELECT pg_drop_replication_slot('takehome_klg')")
    assert "written here again" in pair.joins("--last")
    assert pair.centre.asks("SELECT subname FROM pg_subscription") == []


def test_a_box_that_is_lost_leaves_what_came_and_a_list_of_where_its_paper_goes_on(pair: Pair) -> None:
    with pair.counters() as (home, alone):
        alone.give(pair.theirs[0])
        closes(alone)
        pair.joins()
        ((entries,),) = pair.centre.asks(
            "SELECT length FROM audit_chain c JOIN site s ON s.id = site_id AND code = 'KLG'"
        )
        pair.line_is_cut()
        came = alone.now
        for place in (home, alone):
            place.move_on()
        alone.give(pair.theirs[0])
        alone.give(pair.theirs[1])
    discard_embedded(pair.far.postgresql)
    for step in ("forget", "_written_here_again"):
        killed_at(pair, step, "before", "--lost")
        killed_at(pair, step, "after", "--lost")
    said = pair.centre.types("join", "KLG", "--lost")
    assert "KLG is written here again" in said
    assert f"Last hand-over: {came.astimezone(UTC):%Y-%m-%d %H:%M} UTC." in said
    assert re.search(r"Register, methadone [^:]+: to line 2 of", said)
    assert "4984 mL left." in said
    assert f"Audit trail: to entry {entries} of" in said
    assert f"Last day that was closed: {pair.here.main.today}." in said
    assert pair.centre.types("join", "KLG", "--lost") == said
    assert pair.centre.asks("SELECT count(*) FROM audit_entry WHERE act = 'site''s server was lost'") == [(1,)]
    assert pair.centre.asks("SELECT subname FROM pg_subscription") == []

    # The site works at the centre: what is on its paper is entered, and the next dose is given.
    with pair.centre.database() as database:
        again = at(pair.here.satellite, database)
        again.now += timedelta(minutes=2)
        again.move_on()
        enters(again, pair.theirs[0])
        enters(again, pair.theirs[1])
        again.move_on()
        again.give(pair.theirs[0])
        closes(again)
    assert "no row breaks a rule" in pair.centre.types("verify")
    assert doses_of_klg(pair) == 4


def enters(place: Clinic, client_id: ClientId) -> None:
    """A dose of the day is entered from the satellite's paper an hour later, and nothing is against it."""
    paper = PaperLine(
        client_id, place.today, place.now, observed=True, mg=milligrams("80"), bottle_days=(), lot_id=None,
        given_by=place.pharmacist.account_id, identified_by="photo",
    )  # fmt: skip

    place.database.write(
        lambda session: enter_line(
            session, actor=place.pharmacist, line=paper, seen="", zone="Asia/Kuala_Lumpur", key=f"paper-{client_id}",
            today=place.today, at=place.now + timedelta(hours=1),
        )
    )  # fmt: skip


@pytest.mark.parametrize("which", ["lend", "borrow", "join"])
def test_a_postgresql_that_is_too_old_is_refused_in_plain_words(
    pair: Pair, which: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    cut = pair.centre.folder / "new.cut"
    lend = ("lend", "KLG", cut, "--to", pair.public, "--key", pair.key)
    if which == "borrow":
        pair.centre.types(*lend)
    monkeypatch.setattr(catalogue, "NEEDED", 990000)
    ended = {
        "lend": lambda: pair.centre.tries(*lend),
        "borrow": lambda: pair.far.tries("borrow", cut, "--secret", pair.secret),
        "join": lambda: pair.centre.tries("join", "KLG", "--line", pair.far.line),
    }[which]()
    assert ended.exit_code == 2
    assert "needs PostgreSQL 99 or newer at both ends: this server is 18. Upgrade it first" in ended.output
