"""Visits whose day has passed unwritten, and that are moved: to another day, person or turn, by one of two at once."""

from __future__ import annotations

import ast
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from sqlalchemy import event, text
from sqlalchemy.exc import IntegrityError

import dispensary
from dispensary.care.rounds import count_not_written_down, not_written_down, round_of
from dispensary.care.visit_models import HomeVisit
from dispensary.care.visits import call_visit_off, move_visit, put_turn
from dispensary.database import Database
from dispensary.refusals import BadInput, NotAllowed, NotThere, Refused
from dispensary.staff.rules import Actor, Role
from dispensary.units import AccountId
from tests.builders import Clinic, clinic
from tests.dispensary.desk_place import Desks, day, desks
from tests.dispensary.test_visits import agreed, ended, planned
from tests.dispensary.visiting import text_of


@pytest.fixture
def place(database: Database, now: datetime) -> Clinic:
    return clinic(database, now)


def moved(place: Clinic, visit: UUID, to: int, seen: int = 0, visitor: AccountId | None = None) -> HomeVisit:
    assert place.pharmacist.account_id is not None
    with place.database.writing() as session:
        return move_visit(
            session,
            actor=place.doctor,
            visit_id=visit,
            to=place.today + timedelta(days=to),
            visitor_id=visitor or place.pharmacist.account_id,
            seen=(place.today + timedelta(days=seen), place.pharmacist.account_id),
            today=place.today,
            at=place.now,
        )


def on(place: Clinic, days: int) -> list[tuple[int, UUID]]:
    """The turns of a day's round."""
    with place.database.reading() as session:
        found = round_of(session, site_id=place.site_id, on=place.today + timedelta(days=days))
        return [(row.visit.turn, row.visit.id) for row in found]


def late(place: Clinic) -> list[UUID]:
    with place.database.reading() as session:
        found = not_written_down(session, site_id=place.site_id, before=place.today)
        assert count_not_written_down(session, site_id=place.site_id, before=place.today) == len(found)
        return [row.visit.id for row in found]


class TestAVisitWhoseDayHasPassed:
    def test_waits_to_be_written_down_and_is_late_or_nobody_went(self, place: Clinic) -> None:
        three = [agreed(place) for _ in range(3)]
        first, second, third = [planned(place, client) for client in three]
        assert late(place) == []
        place.move_on(2)
        assert late(place) == [first, second, third]
        ended(place, first)
        with place.database.writing() as session:
            call_visit_off(session, actor=place.doctor, visit_id=second, at=place.now)
        assert late(place) == [third]
        moved(place, third, 1, seen=-2)
        assert late(place) == []
        assert on(place, -2) == [(1, first)]
        assert on(place, 1) == [(1, third)]


class TestMoving:
    def test_puts_it_last_in_the_new_round_and_in_no_other(self, place: Clinic) -> None:
        visit, there = planned(place, agreed(place)), planned(place, agreed(place), 3)
        for _ in range(2):
            assert moved(place, visit, 3).turn == 2
        assert on(place, 0) == []
        assert on(place, 3) == [(1, there), (2, visit)]
        assert place.doctor.account_id is not None
        assert moved(place, visit, 3, seen=3, visitor=place.doctor.account_id).turn == 1
        with place.database.reading() as session:
            moves = session.execute(text("SELECT count(*) FROM audit_entry WHERE act = 'moved visit'")).scalar_one()
        assert moves == 2

    def test_goes_to_no_day_or_person_that_a_new_visit_would_not(self, place: Clinic) -> None:
        client = agreed(place)
        visit, _other = planned(place, client), planned(place, client, 2)
        for to, said in ((-1, "next months"), (93, "next months")):
            with pytest.raises(BadInput, match=said):
                moved(place, visit, to)
        with pytest.raises(BadInput, match="do not work here"):
            moved(place, visit, 1, visitor=AccountId(uuid4()))
        with pytest.raises(Refused, match="Another visit to them"):
            moved(place, visit, 2)
        agreed(place, agreed=False, client=client)
        with pytest.raises(Refused, match="not agreed"):
            moved(place, visit, 1)
        with pytest.raises(IntegrityError, match="has not agreed"), place.database.writing() as session:
            session.execute(text("UPDATE home_visit SET on_day = on_day + 1 WHERE id = :id"), {"id": visit})
        assert [id_ for _, id_ in on(place, 0)] == [visit]

    def test_by_two_at_once_is_won_by_one_and_the_other_is_told(self, place: Clinic) -> None:
        visit = planned(place, agreed(place))

        def move(to: int) -> str:
            try:
                moved(place, visit, to)
            except Refused as refused:
                return refused.first.sentence
            return "moved"

        with ThreadPoolExecutor(2) as hands:
            said = list(hands.map(move, (3, 5)))
        assert sorted(each == "moved" for each in said) == [False, True]
        won = (3, 5)[said.index("moved")]
        (lost,) = [each for each in said if each != "moved"]
        assert lost == (
            f"Somebody else has moved this visit: Aishah binti Yusof goes on {place.today + timedelta(days=won)}."
        )
        assert [id_ for _, id_ in on(place, won)] == [visit]

    def test_is_nothing_that_undoes_what_was_written_down(self, place: Clinic) -> None:
        visit = planned(place, agreed(place))
        ended(place, visit)
        with pytest.raises(NotThere):
            moved(place, visit, 1)
        for change in ("on_day = on_day + 1", "visitor_id = planned_by", "turn = 7", "purpose = 'other'"):
            with pytest.raises(IntegrityError), place.database.writing() as session:
                session.execute(text(f"UPDATE home_visit SET {change}"))


class TestTurns:
    def put(self, place: Clinic, visit: UUID, *, earlier: bool, seen: int, actor: Actor | None = None) -> None:
        with place.database.writing() as session:
            put_turn(
                session,
                actor=actor or place.pharmacist,
                visit_id=visit,
                earlier=earlier,
                seen=seen,
                at=place.now,
            )

    def test_change_with_the_neighbour_alone_once_for_a_press(self, place: Clinic) -> None:
        first, second, third = [planned(place, agreed(place)) for _ in range(3)]
        ended(place, second)
        for _ in range(2):
            self.put(place, third, earlier=True, seen=3)
        assert on(place, 0) == [(1, third), (2, second), (3, first)], "who was visited keeps the turn"
        self.put(place, third, earlier=True, seen=1)
        self.put(place, first, earlier=False, seen=3)
        assert on(place, 0) == [(1, third), (2, second), (3, first)]
        with pytest.raises(NotThere):
            self.put(place, second, earlier=True, seen=2)

    def test_of_another_visitor_are_theirs_or_whoever_plans(self, place: Clinic) -> None:
        visit = planned(place, agreed(place))
        other = Actor(AccountId(uuid4()), place.site_id, frozenset({Role.PHARMACIST}), "Other", "OT")
        with pytest.raises(NotAllowed):
            self.put(place, visit, earlier=True, seen=1, actor=other)

    def test_of_one_round_are_not_lost_when_two_change_them_at_once(self, place: Clinic) -> None:
        visits = [planned(place, agreed(place)) for _ in range(5)]
        with ThreadPoolExecutor(5) as hands:
            list(hands.map(lambda n: self.put(place, visits[n], earlier=n % 2 == 0, seen=n + 1), range(5)))
        assert [turn for turn, _ in on(place, 0)] == [1, 2, 3, 4, 5]
        assert {id_ for _, id_ in on(place, 0)} == set(visits)


def test_the_pages_of_what_is_late_and_moved(database: Database, now: datetime, tmp_path: Path) -> None:
    here: Desks = desks(database, now, tmp_path)
    nurse = here.seat(Role.NURSE)
    one, two = agreed(here.place), agreed(here.place)
    first, second = planned(here.place, one), planned(here.place, two)
    assert "not written down yet" not in text_of(nurse.get("/care"))
    here.days_pass(2)
    assert nurse.signs_in("nurse").status_code == 303
    assert "2 visits are not written down yet" in text_of(nurse.get("/care"))
    page = nurse.get("/care/visits")
    assert "2 visits are not written down yet" in text_of(page)
    assert f"/care/visits/{first}/done" in page.text, "what was found can be written down still"
    seen = {"seen_day": day(-2, here), "seen_visitor": str(here.place.pharmacist.account_id)}
    move = {**seen, "to_day": day(1, here), "to_visitor": str(here.place.pharmacist.account_id)}
    moved_to = nurse.post(f"/care/visits/{first}/move", move)
    assert moved_to.headers["location"] == f"/care/visits?on={day(1, here)}&done=moved"
    assert "1 visit is not written down yet" in text_of(nurse.get("/care"))
    lost = nurse.post(f"/care/visits/{first}/move", {**move, "to_day": day(2, here)})
    assert lost.status_code == 409
    assert "Somebody else has moved this visit: Aishah binti Yusof goes on" in text_of(lost)
    wrong = nurse.post(f"/care/visits/{second}/move", {**move, "to_day": day(99, here)})
    assert (wrong.status_code, f'value="{day(99, here)}"' in wrong.text) == (422, True), "what was typed is kept"
    nurse.post(f"/care/visits/{second}/move", {**move, "to_day": day(1, here)})
    assert [id_ for _, id_ in on(here.place, 1)] == [first, second]
    turned = nurse.post(f"/care/visits/{second}/turn", {"way": "earlier", "seen_turn": "2"})
    assert turned.headers["location"] == f"/care/visits?on={day(1, here)}"
    assert [id_ for _, id_ in on(here.place, 1)] == [second, first]
    assert nurse.post(f"/care/visits/{second}/turn", {"way": "up", "seen_turn": "1"}).status_code == 422
    assert "not written down yet" not in text_of(nurse.get("/care"))


def test_visits_that_are_planned_in_the_same_moment_have_a_turn_each(place: Clinic) -> None:
    clients = [agreed(place) for _ in range(8)]
    with ThreadPoolExecutor(8) as hands:
        list(hands.map(lambda client: planned(place, client, 1), clients))
    assert sorted(turn for turn, _ in on(place, 1)) == list(range(1, 9))


def test_a_round_is_read_at_once_however_long_it_is(place: Clinic) -> None:
    def statements(visits: int) -> int:
        for _ in range(visits):
            planned(place, agreed(place))
        said: list[str] = []
        heard = lambda *seen: said.append(seen[2])  # noqa: E731
        event.listen(place.database.engine, "before_cursor_execute", heard)
        try:
            on(place, 0)
        finally:
            event.remove(place.database.engine, "before_cursor_execute", heard)
        return len(said)

    assert statements(1) == statements(6)


def test_nothing_moves_a_visit_or_calls_it_off_past_the_bottles_that_go_along() -> None:
    """Who asks for it asks `supplies.visits`; `care` is on a lower floor, and knows of no bottle."""
    house = Path(dispensary.__file__).parent
    past = [
        str(file.relative_to(house))
        for file in house.rglob("*.py")
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.ImportFrom)
        and (
            (node.module == "dispensary.care" and any(each.name == "visits" for each in node.names))
            or (
                node.module == "dispensary.care.visits"
                and {"call_visit_off", "move_visit"} & {each.name for each in node.names}
            )
        )
    ]
    assert past == ["supplies/visits.py"]
