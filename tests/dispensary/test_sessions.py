"""Sessions: days of a schedule, begun with consent, marked, moved, ended; who did not come; what a report tells."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select, text
from sqlalchemy.exc import IntegrityError

import notifications.service
from dispensary.care.plans import TIMES, BadPlan, Chosen, days_of, plans, usual
from dispensary.care.session_models import PlanBegun, PlanSession, SessionState
from dispensary.care.sessions import begin_plan, end_plan, mark_session, move_session, plans_of, sessions_until
from dispensary.clients.models import Task
from dispensary.clients.wish_rules import Wishes
from dispensary.clients.wishes import set_wishes
from dispensary.database import Database
from dispensary.evaluation.queries import Period
from dispensary.phone.reminding import remind_of_sessions
from dispensary.refusals import BadInput, NotThere, Refused
from dispensary.staff.queries import place as site_place
from dispensary.supplies.attendance import attendance_of
from dispensary.units import ClientId
from notifications.sealing import MESSAGE_BODY
from tests.builders import Clinic, clinic
from tests.dispensary.measured import asked, figures

MONDAY = date(2026, 11, 2)


@pytest.fixture
def place(database: Database, now: datetime) -> Clinic:
    return clinic(database, now)


@pytest.fixture
def client(place: Clinic) -> ClientId:
    return place.client()


class TestDays:
    @pytest.mark.parametrize(
        ("plan", "chosen", "days"),
        [
            ("before-sentence", [(3, 12)], ["2026-11-02", "2026-11-14", "2026-11-26"]),
            ("before-sentence", [(4, 12)], ["2026-11-02", "2026-11-14", "2026-11-26", "2026-12-08"]),
            ("after-sentence", [(4, 3)], ["2026-11-02", "2027-02-02", "2027-05-02", "2027-08-02"]),
            (
                "weekly-then-monthly",
                [(8, 7), (4, 2)],
                [
                    *("2026-11-02", "2026-11-09", "2026-11-16", "2026-11-23", "2026-11-30", "2026-12-07"),
                    *("2026-12-14", "2026-12-21", "2027-02-21", "2027-04-21", "2027-06-21", "2027-08-21"),
                ],
            ),
        ],
    )
    def test_follow_the_published_schedules(self, plan: str, chosen: list[tuple[int, int]], days: list[str]) -> None:
        found = days_of(plans()[plan], MONDAY, [Chosen(*each) for each in chosen])
        assert [day.isoformat() for day in found] == days

    def test_on_the_31st_do_not_drift_to_the_28th(self) -> None:
        found = days_of(plans()["after-sentence"], date(2026, 12, 31), [Chosen(4, 1)])
        assert [day.isoformat() for day in found] == ["2026-12-31", "2027-01-31", "2027-02-28", "2027-03-31"]

    @given(st.data())
    def test_are_as_many_as_were_chosen_in_order_and_within_the_plan_or_none(self, data: st.DataObject) -> None:
        plan = data.draw(st.sampled_from(list(plans().values())))
        number = st.integers(0, 13)
        chosen = [Chosen(data.draw(number), data.draw(number)) for _ in plan.part]
        fits = all(
            (part.times or TIMES)[0] <= each.times <= (part.times or TIMES)[1]
            and part.every[0] <= each.every <= part.every[1]
            for part, each in zip(plan.part, chosen, strict=True)
        )
        if not fits:
            with pytest.raises(BadPlan):
                days_of(plan, MONDAY, chosen)
            return
        days = days_of(plan, MONDAY, chosen)
        assert len(days) == sum(each.times for each in chosen)
        assert days[0] == MONDAY
        assert days == sorted(set(days))


def begun(place: Clinic, client: ClientId, plan: str = "before-sentence", **other: object) -> UUID:
    shipped = plans()[plan]
    given = {
        "first": place.today,
        "at_time": time(9, 30),
        "minutes": shipped.minutes[0] if shipped.minutes else 30,
        "chosen": usual(shipped),
        "agreed": True,
        "key": uuid4(),
        **other,
    }
    return place.database.write(
        lambda session: (
            begin_plan(
                session,
                actor=place.doctor,
                client_id=client,
                plan=plan,
                today=place.today,
                at=place.now,
                **given,  # type: ignore[arg-type]
            ).id
        )
    )


def sessions(place: Clinic, client: ClientId) -> list[PlanSession]:
    with place.database.reading() as session:
        return [each for running in plans_of(session, client_id=client) for each in running.sessions]


def marked(place: Clinic, client: ClientId, one: PlanSession, state: SessionState) -> PlanSession:
    with place.database.writing() as session:
        return mark_session(
            session,
            actor=place.doctor,
            client_id=client,
            session_id=one.id,
            state=state,
            today=place.today,
            at=place.now,
        )


def open_calls(place: Clinic) -> list[str]:
    with place.database.reading() as session:
        return list(session.scalars(select(Task.sentence).where(Task.done_at.is_(None))))


class TestAPlan:
    def test_is_begun_with_their_consent_once(self, place: Clinic, client: ClientId) -> None:
        key = uuid4()
        assert begun(place, client, key=key) == begun(place, client, key=key)
        assert [each.on_day - place.today for each in sessions(place, client)] == [
            timedelta(0),
            timedelta(12),
            timedelta(24),
        ]
        for wrong, field in (
            ({"agreed": False}, "agreed"),
            ({"first": place.today - timedelta(days=1)}, "first"),
            ({"minutes": 20}, "minutes"),
            ({"chosen": [Chosen(5, 12)]}, "times_1"),
            ({"chosen": [Chosen(3, 11)]}, "every_1"),
        ):
            with pytest.raises(BadInput) as refused:
                begun(place, client, **wrong)
            assert [each.field for each in refused.value.refusals] == [field]

    def test_has_no_figure_that_no_source_says(self, place: Clinic, client: ClientId) -> None:
        figures = {
            (each.key, number): (each.minutes, part.times)
            for each in plans().values()
            for number, part in enumerate(each.part, start=1)
        }
        assert figures == {
            ("before-sentence", 1): ((45, 60), (3, 4)),
            ("after-sentence", 1): (None, (4, 4)),
            ("weekly-then-monthly", 1): (None, (8, 9)),
            ("weekly-then-monthly", 2): (None, None),
            ("once", 1): (None, (1, 1)),
        }
        for plan, wrong, field in (
            ("after-sentence", {"minutes": 0}, "minutes"),
            ("after-sentence", {"minutes": 241}, "minutes"),
            ("weekly-then-monthly", {}, "times_2"),
            ("weekly-then-monthly", {"chosen": [Chosen(8, 7), Chosen(61, 1)]}, "times_2"),
        ):
            with pytest.raises(BadInput) as refused:
                begun(place, client, plan, **wrong)
            assert [each.field for each in refused.value.refusals] == [field]
        plan_id = begun(place, client, "weekly-then-monthly", minutes=25, chosen=[Chosen(8, 7), Chosen(5, 1)])
        with place.database.reading() as session:
            kept = session.get_one(PlanBegun, plan_id)
            assert (kept.minutes, kept.begun_by) == (25, place.doctor.account_id), "with the name of whoever said it"
        assert len(sessions(place, client)) == 13

    def test_that_ends_calls_off_what_is_left_and_nobody_missed_it(self, place: Clinic, client: ClientId) -> None:
        plan = begun(place, client)
        first, second, _ = sessions(place, client)
        marked(place, client, first, SessionState.ATTENDED)
        for _again in range(2):
            with place.database.writing() as session:
                end_plan(session, actor=place.doctor, client_id=client, plan_id=plan, at=place.now)
        assert [each.state for each in sessions(place, client)] == ["attended", "called_off", "called_off"]
        assert open_calls(place) == []
        with pytest.raises(Refused), place.database.writing() as session:
            move_session(
                session, actor=place.doctor, client_id=client, session_id=second.id, to=place.today, at_time=None,
                today=place.today, at=place.now,
            )  # fmt: skip
        for sentence in (
            "DELETE FROM plan_session",
            "UPDATE plan_session SET state = 'planned', marked_at = NULL, marked_by = NULL",
            "UPDATE plan_session SET on_day = on_day - 1",
            "UPDATE session_plan SET ended_at = NULL, ended_by = NULL",
        ):
            with pytest.raises(IntegrityError), place.database.writing() as session:
                session.execute(text(sentence))


class TestASession:
    def test_that_was_missed_is_asked_after_until_it_is_known(self, place: Clinic, client: ClientId) -> None:
        begun(place, client)
        first, second, _ = sessions(place, client)
        with pytest.raises(BadInput, match="still to come"):
            marked(place, client, second, SessionState.NOT_ATTENDED)
        marked(place, client, first, SessionState.NOT_ATTENDED)
        (call,) = open_calls(place)
        assert call.startswith(f"Did not come to the session of {place.today}")
        marked(place, client, first, SessionState.ATTENDED)
        assert open_calls(place) == []
        with pytest.raises(NotThere):
            marked(place, place.client(), first, SessionState.ATTENDED)

    def test_moves_alone_and_is_on_the_list_of_its_day(self, place: Clinic, client: ClientId) -> None:
        begun(place, client)
        _, second, third = sessions(place, client)

        def listed(ahead: int) -> list[UUID]:
            with place.database.reading() as session:
                day = place.today + timedelta(days=ahead)
                return [each.id for each in sessions_until(session, site_id=place.site_id, until=day)]

        assert second.id not in listed(11)
        with place.database.writing() as session:
            move_session(
                session, actor=place.doctor, client_id=client, session_id=second.id,
                to=place.today + timedelta(days=5), at_time=None, today=place.today, at=place.now,
            )  # fmt: skip
        assert listed(5)[-1] == second.id
        assert third.id not in listed(23)
        marked(place, client, sessions(place, client)[0], SessionState.ATTENDED)
        assert len(listed(0)) == 1, "marked today, it stays on today's list"
        assert len(listed(1)) == 0


def test_a_report_tells_to_how_many_sessions_they_came_and_nothing_of_them(place: Clinic, client: ClientId) -> None:
    begun(place, client)
    begun(
        place,
        client,
        "weekly-then-monthly",
        first=place.today + timedelta(days=1),
        chosen=[Chosen(8, 7), Chosen(4, 1)],
    )
    first, *_rest = sorted(sessions(place, client), key=lambda each: each.on_day)
    marked(place, client, first, SessionState.ATTENDED)
    place.move_on(13)
    due = [each for each in sessions(place, client) if each.on_day <= place.today and each.state == "planned"]
    assert len(due) == 3
    for each, state in zip(
        due, (SessionState.NOT_ATTENDED, SessionState.CALLED_OFF, SessionState.ATTENDED), strict=True
    ):
        marked(place, client, each, state)
    with place.database.reading() as session:
        found = attendance_of(
            session, client_id=client, first=place.today - timedelta(days=20), last=place.today + timedelta(days=300)
        )
    assert (len(found.sessions), len(found.sessions_kept)) == (3, 2), "neither called off nor still to come"
    counted = figures(asked(place, "sessions", period=Period(place.today - timedelta(days=20), place.today)))
    assert counted["attended"] == ("2", "3")


def test_an_agreed_session_is_reminded_of_as_a_booking_is(place: Clinic) -> None:
    """The evening before, or so many hours before as they wished; not in quiet hours, not twice, not what for."""
    with place.database.reading() as session:
        site = site_place(session, place.site_id)

    def reached(language: str, **wishes: object) -> ClientId:
        client = place.client()
        with place.database.writing() as session:
            notifications.service.set_contact(
                session, vault=session.vault, recipient_id=client, phone=f"+6012345678{len(told)}", language=language,
                region="MY", now=place.now, place_id=place.site_id,
            )  # fmt: skip
            set_wishes(session, actor=place.doctor, client_id=client, wishes=Wishes(**wishes), at=place.now)  # type: ignore[arg-type]
        told.append(client)
        return client

    told: list[ClientId] = []
    tomorrow = place.today + timedelta(days=1)
    usual_one, malay, hours, unwilling, called_off = (
        reached("en"), reached("ms"), reached("en", hours=2), reached("en", reminder=False), reached("en"),
    )  # fmt: skip
    for client in told:
        at_time = None if client == malay else time(9, 30)
        plan = begun(place, client, first=tomorrow, at_time=at_time)
        if client == called_off:
            with place.database.writing() as session:
                end_plan(session, actor=place.doctor, client_id=client, plan_id=plan, at=place.now)

    def at(day: date, hour: int, minute: int = 0) -> int:
        moment = datetime.combine(day, time(hour, minute), tzinfo=ZoneInfo(site.zone))
        return place.database.write(lambda session: remind_of_sessions(session, site=site, now=moment))

    assert at(place.today, 17, 59) == 0
    assert at(place.today, 18) == 2
    assert at(place.today, 18, 1) == 0
    assert at(tomorrow, 7, 29) == 0
    assert at(tomorrow, 7, 30) == 1
    assert at(tomorrow, 9, 31) == 0
    with place.database.reading() as session:
        rows = session.execute(
            text("SELECT recipient_id, kind, body_sealed, id FROM message ORDER BY created_at, kind")
        ).all()
        sent = {row.recipient_id: (row.kind, session.vault.open(MESSAGE_BODY, row.id, row.body_sealed)) for row in rows}
    assert set(sent) == {usual_one, malay, hours}
    assert unwilling not in sent
    assert "we meet on" in sent[usual_one][1]
    assert "09:30" in sent[usual_one][1]
    assert sent[malay][0] == "meeting_reminder_day"
    assert "kita berjumpa" in sent[malay][1]
    # A session that is begun after the evening before is fresh in everybody's mind.
    late = reached("en")
    place.now = datetime.combine(place.today, time(19), tzinfo=ZoneInfo(site.zone))
    begun(place, late, first=tomorrow)
    assert at(place.today, 20) == 0
