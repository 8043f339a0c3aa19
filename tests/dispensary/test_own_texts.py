"""Texts that the clinic sends of itself: who is missed, who sees reception first, a review ahead, a visit."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

import scheduling.service
from dispensary.clients.surveys import open_survey, shipped_questions
from dispensary.clients.tasks import open_task
from dispensary.clients.wish_rules import Wishes
from dispensary.clients.wishes import set_review_days, set_wishes
from dispensary.database import Database
from dispensary.phone import tasks
from dispensary.phone.clockwork import write_of_itself
from dispensary.phone.feedback import told
from dispensary.phone.seeing_first import ask_before_queue, ask_to_see_first
from dispensary.prescribing.service import hold_doses
from dispensary.refusals import BadInput
from dispensary.staff.queries import Place
from dispensary.staff.queries import place as place_of
from dispensary.staff.rules import Actor, Role
from dispensary.supplies.forewarning import ask_to_call_first
from dispensary.units import ClientId, SiteId
from notifications.service import set_contact
from tests.builders import clinic
from tests.dispensary.phones import Line, kl, line

ALL = Wishes(missed=True, reviews=True, feedback=True)


@pytest.fixture
def here(database: Database, now: datetime) -> Line:
    """Tuesday the 24th, seven in the morning, at a clinic that closes at ten."""
    return line(database, now)


def place(here: Line, site_id: SiteId) -> Place:
    with here.database.reading() as session:
        return place_of(session, site_id)


def asked(here: Line, wishes: Wishes = ALL, phone: str | None = None) -> ClientId:
    client = here.client(phone)
    with here.database.writing() as session:
        set_wishes(session, actor=here.clinic.pharmacist, client_id=client, wishes=wishes, at=here.at)
    return client


def sent(here: Line, at: datetime) -> int:
    here.at = at
    return write_of_itself(here.database, at)


def causes(here: Line) -> list[str]:
    with here.database.reading() as session:
        return [task.cause for task in tasks.tasks(session, site_id=here.site.id, at=here.at)]


def visited(here: Line, client: ClientId, arrived: datetime, started: datetime, ended: datetime) -> None:
    with here.database.writing() as session:
        visit = scheduling.service.check_in(session, place_id=here.site.id, holder_id=client, now=arrived)
        session.flush()
        session.execute(
            text(
                "UPDATE visit SET called_at = :started, last_called_at = :started, calls = 1, at_window = 1,"
                " started_at = :started, ended_at = :ended WHERE id = :id"
            ),
            {"started": started, "ended": ended, "id": visit.id},
        )


class TestMissed:
    def test_once_after_closing_to_who_has_a_place_ahead_and_one_in_answer_is_a_task(self, here: Line) -> None:
        client = asked(here)
        here.book(client, kl(24, 8))
        here.book(client, kl(26, 8))

        assert sent(here, kl(24, 9, 59)) == 0
        assert sent(here, kl(24, 10, 1)) == 1
        assert sent(here, kl(24, 10, 6)) == 0
        assert here.bodies()[-1].startswith("We did not see you today. Your place on Thu 26 Nov is kept.")
        assert here.says(client, "1") == "Thank you. Somebody will talk with you soon."
        assert causes(here) == [tasks.TALK]
        assert here.booked(client)[-1] == kl(26, 8)

    def test_on_a_shared_phone_it_is_the_one_who_was_missed(self, here: Line) -> None:
        client = asked(here)
        here.client(here.numbers[client])
        here.book(client, kl(24, 8))
        here.book(client, kl(26, 8))
        sent(here, kl(24, 10, 1))
        here.says(client, "1")
        with here.database.reading() as session:
            assert [task.client_id for task in tasks.tasks(session, site_id=here.site.id, at=here.at)] == [client]

    def test_nobody_who_came_has_the_dose_is_held_has_left_has_no_next_place_or_never_asked_for_it(
        self, here: Line
    ) -> None:
        came, dosed, held, left, last = (asked(here) for _ in range(5))
        silent = here.client()
        for number, client in enumerate((came, dosed, held, left, last, silent)):
            here.book(client, kl(24, 8, 15 * (number % 3)))
            if client != last:
                here.book(client, kl(26, 8, 15 * (number % 3)))
        here.clinic.give(dosed)
        with here.database.writing() as session:
            scheduling.service.check_in(session, place_id=here.site.id, holder_id=came, now=here.at)
            hold_doses(
                session,
                actor=here.clinic.doctor,
                client_id=held,
                from_day=here.clinic.today,
                until_day=None,
                reason="the recording of the heart is due",
                at=here.at,
            )
            session.execute(
                text("UPDATE episode SET ended_on = :day, exit_reason = 'transferred' WHERE client_id = :client"),
                {"day": here.clinic.today, "client": left},
            )
        assert sent(here, kl(24, 10, 1)) == 0

    def test_not_on_a_day_on_which_the_site_did_not_open(self, here: Line) -> None:
        client = asked(here)
        here.book(client, kl(24, 8))
        here.book(client, kl(26, 8))
        with here.database.writing() as session:
            scheduling.service.close(
                session, place_id=here.site.id, first_day=kl(24, 0).date(), last_day=kl(24, 0).date(), reason="water"
            )
        assert sent(here, kl(24, 10, 1)) == 0


class TestReceptionFirst:
    def hold(self, here: Line, client: ClientId) -> None:
        with here.database.writing() as session:
            hold_doses(
                session,
                actor=here.clinic.doctor,
                client_id=client,
                from_day=here.clinic.ahead(1)[0],
                until_day=None,
                reason="the recording of the heart is due",
                at=here.at,
            )

    def before_queue(self, here: Line, at: datetime) -> int:
        here.at = at
        with here.database.writing() as session:
            return ask_before_queue(session, now=at)

    def test_a_hold_that_goes_on_is_told_to_whoever_is_booked_and_reception_learns_no_reason(self, here: Line) -> None:
        client, without = here.client(), here.client()
        self.hold(here, client)
        self.hold(here, without)
        here.book(client, kl(25, 8))
        here.book(client, kl(27, 8))

        with here.database.writing() as session:
            assert ask_to_call_first(session, now=kl(24, 18)) == 2
        assert self.before_queue(here, kl(24, 18)) == 0, "for its first day they are asked to call"
        assert self.before_queue(here, kl(26, 17, 59)) == 0
        assert self.before_queue(here, kl(26, 18)) == 1
        assert self.before_queue(here, kl(26, 18, 1)) == 0
        assert here.bodies()[-1] == "Please see reception before you queue on Fri 27 Nov."
        assert causes(here) == [tasks.SENT_FIRST]
        with here.database.reading() as session:
            (task,) = tasks.tasks(session, site_id=here.site.id, at=here.at)
        assert "heart" not in task.sentence

    def test_what_reception_must_settle_is_told_at_once_or_the_evening_before_until_it_is_done(
        self, here: Line
    ) -> None:
        client = here.client()
        here.book(client, kl(24, 9))
        here.book(client, kl(26, 8))
        with here.database.writing() as session:
            ask_to_see_first(
                session,
                actor=here.clinic.pharmacist,
                site=here.site,
                client_id=client,
                note="a new card is ready",
                at=here.at,
            )
        assert here.bodies() == ["Please see reception before you queue on Tue 24 Nov."]
        assert causes(here) == [tasks.SEE_FIRST]
        assert self.before_queue(here, kl(25, 18)) == 1
        with here.database.writing() as session:
            tasks.settle(
                session,
                actor=here.clinic.pharmacist,
                client_id=client,
                cause=tasks.SEE_FIRST,
                resolution="given",
                at=here.at,
            )
        here.book(client, kl(27, 8))
        assert self.before_queue(here, kl(26, 18)) == 0

    def test_it_says_what_is_to_be_settled(self, here: Line) -> None:
        client = here.client()
        with here.database.writing() as session, pytest.raises(BadInput, match="what is to be settled"):
            ask_to_see_first(
                session, actor=here.clinic.pharmacist, site=here.site, client_id=client, note=" ", at=here.at
            )


class TestReviews:
    def test_are_told_once_for_each_day_that_is_due_by_day_and_without_what_they_are_of(self, here: Line) -> None:
        client, silent = asked(here, replace(ALL, missed=False)), here.client()
        with here.database.writing() as session:
            for who in (client, silent):
                for ahead in (0, 5, 12):
                    open_task(
                        session,
                        site_id=here.site.id,
                        client_id=who,
                        role=Role.DOCTOR,
                        kind="review",
                        sentence="Take-home is to be reviewed.",
                        due_on=here.clinic.today + timedelta(days=ahead),
                        opened_by=None,
                        at=here.at,
                    )
        assert sent(here, kl(24, 9)) == 0
        assert sent(here, kl(24, 10)) == 1
        assert sent(here, kl(25, 12)) == 0
        assert here.bodies() == ["It is time to sit down together. Please ask for it when you come, by Sun 29 Nov."]
        office = Actor(here.clinic.doctor.account_id, here.site.id, frozenset({Role.ADMINISTRATOR}))
        with here.database.writing() as session:
            set_review_days(session, actor=office, days=14, at=here.at)
        assert sent(here, kl(25, 13)) == 1


class TestFeedback:
    def test_two_digits_are_kept_without_the_person_and_a_month_passes_before_the_next(self, here: Line) -> None:
        client, silent = asked(here, replace(ALL, missed=False)), here.client()
        for who in (client, silent):
            visited(here, who, kl(24, 7, 10), kl(24, 7, 35), kl(24, 7, 40))
        assert sent(here, kl(24, 8)) == 0
        assert sent(here, kl(24, 8, 15)) == 1
        assert here.says(client, "7") == "Nothing was changed. Reply MENU for what you can write."
        assert here.says(client, "2") == "Thank you. And the wait? Reply 1 short, 2 fair or 3 too long."
        assert here.says(client, "3") == "Thank you. Your answer helps us."
        assert here.says(client, "3").startswith("Nothing was changed"), "it is answered once"
        with here.database.reading() as session:
            rows = session.execute(text("SELECT month::text, visit, wait, waited FROM feedback_answer")).all()
            assert [tuple(row) for row in rows] == [("2026-11-01", 2, 3, 20)]
            assert session.execute(text("SELECT count(*) FROM audit_entry WHERE act LIKE '%by text'")).scalar() == 0
        here.at = kl(28, 7)
        visited(here, client, kl(28, 7), kl(28, 7), kl(28, 7, 5))
        assert sent(here, kl(28, 8)) == 0
        with pytest.raises(IntegrityError, match="once in thirty days"), here.database.writing() as session:
            session.execute(text("UPDATE feedback_question SET asked_at = asked_at + interval '29 days'"))
        with pytest.raises(IntegrityError, match="an answer stands"), here.database.writing() as session:
            session.execute(text("UPDATE feedback_answer SET visit = 1"))

    def test_on_a_phone_that_two_sites_share_the_link_asks_the_questions_of_the_site_that_was_visited(
        self, here: Line
    ) -> None:
        first = asked(here)
        there = clinic(here.database, here.at, code="KLG")
        second = there.client()
        with here.database.writing() as session:
            set_contact(
                session, vault=session.vault, recipient_id=second, phone=here.numbers[first], language="en",
                region="MY", now=here.at, place_id=there.site_id,
            )  # fmt: skip
            set_wishes(session, actor=there.pharmacist, client_id=second, wishes=ALL, at=here.at)
        other = Line(there, place(here, there.site_id), here.at, {second: here.numbers[first]})
        for visit, client, link in ((other, second, True), (here, first, False)):
            with here.database.writing() as session:
                runs = Actor(visit.clinic.doctor.account_id, visit.site.id, frozenset({Role.ADMINISTRATOR}))
                if link:
                    open_survey(
                        session, actor=runs, document=shipped_questions(), address="https://go.example", at=here.at
                    )
            here.at = visit.at = here.at.replace(hour=7, minute=10)
            visited(visit, client, here.at, here.at, here.at + timedelta(minutes=20))
            assert sent(here, here.at + timedelta(hours=1)) == 1
            here.says(first, "2")
            assert ("https://go.example/s/" in here.says(first, "3")) is link, visit.site.code
            here.at += timedelta(days=1)

    def test_a_digit_that_chooses_a_time_is_no_answer_and_a_late_one_is_none(self, here: Line) -> None:
        client = asked(here)
        visited(here, client, kl(24, 7, 10), kl(24, 7, 15), kl(24, 7, 40))
        assert sent(here, kl(24, 8, 15)) == 1
        assert here.says(client, "SLOTS FRI").startswith("Free:")
        assert here.says(client, "1").startswith("Booked:")
        here.at = kl(25, 9)
        assert here.says(client, "2").startswith("Nothing was changed")
        with here.database.reading() as session:
            assert session.execute(text("SELECT count(*) FROM feedback_answer")).scalar() == 0

    def test_nobody_is_asked_while_the_phone_has_another_question_open(self, here: Line) -> None:
        client = asked(here)
        visited(here, client, kl(24, 7, 10), kl(24, 7, 15), kl(24, 7, 40))
        here.says(client, "SLOTS")
        assert sent(here, kl(24, 8, 15)) == 0

    def test_few_answers_of_a_month_are_not_broken_down(self, here: Line) -> None:
        with here.database.writing() as session:
            for month, people in (("2026-10-01", 5), ("2026-11-01", 4)):
                session.execute(
                    text(
                        "INSERT INTO feedback_answer SELECT gen_random_uuid(), :site, :month, 1, 3, 40"
                        " FROM generate_series(1, :people)"
                    ),
                    {"site": here.site.id, "month": month, "people": people},
                )
        with here.database.reading() as session:
            found = told(session, site=here.site)
        assert [(each.answered, list(each.visit), list(each.wait)) for each in found.months] == [
            (4, [], []),
            (5, [5, 0, 0], [0, 0, 5]),
        ]
        assert found.said_of == {0: [0, 0, 0], 10: [0, 0, 0], 20: [0, 0, 0], 30: [0, 0, 5]}
