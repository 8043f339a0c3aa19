"""Days at three sites, at random: register, bottles and coverage agree with a model that a child could keep."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from dispensary.database import Database, WriteSession
from dispensary.staff.rules import the_program
from dispensary.supplies import service, voiding
from dispensary.supplies.closing import close_day
from dispensary.supplies.returns import take_back
from dispensary.supplies.rules import Wanted
from dispensary.units import ClientId, DoseDay
from dispensary.verification.verifying import verify
from tests.builders import clinic
from tests.dispensary.three_sites import PIN, Done
from tests.dispensary.three_sites_rules import ThreeSites
from tests.dispensary.visiting import has_pin

OFTEN = (
    "a dose was given",
    "a dose was refused",
    "a bottle was carried home",
    "a bottle was returned_empty",
    "a bottle was returned_full",
    "a bottle was lost",
    "a supply was voided",
    "a void was refused",
    "bottles were called back",
    "stock was sent",
    "stock was destroyed",
    "a count was short",
    "a day was closed at the counter",
    "a day was closed by the night",
    "the power went in the middle of an act",
)
"""What random days bring again and again: a rule whose chance never comes tests nothing."""
EVERYTHING = (
    *OFTEN,
    "a bottle was destroyed",
    "a recall was passed",
    "a recall was failed",
    "a recall was cancelled",
    "a pickup was prepared",
    "a pickup was handed over",
    "a pickup was put back",
    "a voided pickup stands prepared again",
    "more than there is was not sent",
    "a transfer arrived",
    "a transfer arrived short",
    "a transfer was taken back",
    "a count was as expected",
    "a count was over",
)


def test_register_bottles_and_coverage_agree_after_random_days(database: Database, now: datetime) -> None:
    seen: Counter[str] = Counter()
    run_state_machine_as_test(
        lambda: ThreeSites(database, now, seen),
        settings=settings(
            max_examples=12,
            stateful_step_count=50,
            deadline=None,
            derandomize=True,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        ),
    )
    assert [what for what in OFTEN if not seen[what]] == [], seen


def test_everything_that_the_rules_know_really_happens(database: Database, now: datetime) -> None:
    """What chance brings rarely is done once by hand, before the same model."""
    seen: Counter[str] = Counter()
    three = ThreeSites(database, now, seen)
    three.begins()
    steps: list[Callable[[], None]] = [
        lambda: three.somebody_comes(0, 1),  # was there this morning
        lambda: three.calls_back(1),
        lambda: three.answers_a_recall(0, "right"),
        lambda: three.calls_back(1),
        lambda: three.answers_a_recall(0, "one short"),
        lambda: three.calls_back(2),
        lambda: three.answers_a_recall(0, "off"),
        lambda: three.brings_back(0, full=True),
        lambda: three.brings_back(0, full=False),
        lambda: three.loses(0, again=True),
        *(lambda n=n: three.destroys_what_came_back(n, right=True) for n in range(3)),
        lambda: three.voids(1, right=False),
        lambda: three.voids(1, right=True),
        lambda: three.sends(0, 1, "250.5"),
        lambda: three.sends(0, 1, "9000"),
        lambda: three.settles(0, arrives=True, less="0"),
        lambda: three.sends(1, 1, "100"),
        lambda: three.settles(0, arrives=True, less="1.5"),
        lambda: three.sends(2, 1, "100"),
        lambda: three.settles(0, arrives=False, less="0"),
        *(lambda gap=gap: three.counts_and_destroys(1, gap, right=True) for gap in ("0", "-2", "3.5")),
        lambda: three.a_day_passes_and_some_come(0, 0),
        lambda: three.closes(0, at_counter=True),
        lambda: three.closes(1, at_counter=False),
        lambda: three.a_day_passes_and_some_come(3, 0),
        *(lambda pick=pick: three.prepares(pick, 1, "was another") for pick in range(6)),
        lambda: three.puts_the_pickup_back(0),
        lambda: three.hands_the_pickup_over(0),
        lambda: three.closes(2, at_counter=True),
    ]
    for step in steps:
        step()
        three.the_register_says_what_there_is()
        three.the_days_are_covered_as_they_were_given()
        three.every_bottle_is_where_it_was_left()
    three.teardown()
    assert [what for what in EVERYTHING if not seen[what]] == [], seen


def _nothing(*_: object, **__: object) -> None:
    """A step that somebody left out."""


BUGS = {
    "the register is not written": ("dispensary.supplies.service.write_register", _nothing),
    "bottles are not moved": ("dispensary.supplies.returns.move_bottles", _nothing),
    "a full bottle still covers its day": ("dispensary.supplies.returns._uncover", _nothing),
    "a void credits nothing": ("dispensary.supplies.voiding._credit_lots", _nothing),
    "a void leaves the doses": ("dispensary.supplies.voiding._undo_doses", _nothing),
    "a void leaves the bottles": ("dispensary.supplies.voiding._undo_bottles", _nothing),
    "a closed day is not corrected": ("dispensary.supplies.voiding.day_was_otherwise", _nothing),
}


@pytest.mark.parametrize("bug", sorted(BUGS))
def test_a_bug_is_refused_by_postgresql_or_named_by_verify(
    database: Database, now: datetime, bug: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same day with one step left out somewhere, and PostgreSQL's own refusals switched off."""
    place = clinic(database, now)
    has_pin(database, place.doctor, PIN, now)
    carries, wrong, late = (place.client(mg="60") for _ in range(3))
    place.decide(carries, per_supply=6)
    place.decide(wrong, per_supply=6)
    monkeypatch.setattr(*BUGS[bug])

    def off(act: Callable[[WriteSession], Done]) -> Done:
        def unguarded(session: WriteSession) -> Done:
            session.execute(text("SET CONSTRAINTS ALL DEFERRED"))
            done = act(session)
            session.flush()
            # the guards that would judge at the commit are passed by, as a repair by hand would
            session.execute(text("SET LOCAL session_replication_role = replica"))
            return done

        return database.write(unguarded)

    def give(client: ClientId, *ahead: int) -> UUID:
        wanted = Wanted(observed=True, take_home_days=place.ahead(*ahead), identified_by="photo", well=True)
        return off(
            lambda session: service.dispense(
                session, actor=place.pharmacist, client_id=client, wanted=wanted, key=f"bug-{client}",
                today=place.today, at=place.now,
            ).supply_id
        )  # fmt: skip

    def void(supply: UUID, key: str) -> None:
        off(
            lambda session: voiding.void_supply(
                session, actor=place.pharmacist, supply_id=supply, reason="another was meant",
                second_id=place.doctor.account_id, pin=PIN, key=key, today=place.today, at=place.now,
            )
        )  # fmt: skip

    def a_day() -> None:
        give(carries, 1, 2)
        with database.reading() as session:
            bottle = session.execute(text("SELECT id FROM bottle ORDER BY dose_day LIMIT 1")).scalar_one()
        off(
            lambda session: take_back(
                session, actor=place.pharmacist, client_id=carries, bottles=[(bottle, True)], reason="travels",
                today=place.today, at=place.now,
            )
        )  # fmt: skip
        void(give(wrong, 1), "void-now-1")
        supply = give(late)
        off(
            lambda session: close_day(
                session, actor=the_program(place.site_id), day=place.today, today=place.today, counts=None,
                at=place.now,
            )
        )  # fmt: skip
        place.now += timedelta(days=1)
        place.today = DoseDay(place.today + timedelta(days=1))
        void(supply, "void-late-1")

    try:
        a_day()
    except (IntegrityError, AssertionError):
        return  # refused before anything was kept
    with database.reading() as session:
        assert list(verify(session, now=place.now)), f"nobody noticed that {bug}"
