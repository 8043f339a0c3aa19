"""Who stopped coming: on the list by the site's days, texted once, called, visited by consent alone; welcome back."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as some
from sqlalchemy import select, text
from sqlalchemy.exc import IntegrityError

from dispensary.care.reaching import note_contact, who_needs_help
from dispensary.clients.contact_models import ContactNote
from dispensary.clients.contact_rules import CameOf, FollowUp, How, Step, Tried, Why, step_due, text_due
from dispensary.clients.contacts import contacts_of, follow_up_of, set_follow_up, write_contact
from dispensary.clients.wish_rules import Wishes
from dispensary.clients.wishes import set_wishes
from dispensary.database import Database
from dispensary.monitoring.models import Alert
from dispensary.phone.caring import tell_stopped
from dispensary.refusals import BadInput, NotAllowed, Refused
from dispensary.staff.rules import Actor, Role
from dispensary.supplies.stopped import without_dose
from dispensary.units import ClientId
from dispensary.web.dosing_acts import hold
from notifications.texts import CATALOGUES, render
from tests.dispensary.desk_place import Desks, desks
from tests.dispensary.phones import KL, Line, line
from tests.dispensary.visiting import text_of

ALL = FollowUp()


TODAY = date(2026, 11, 24)


def tried(ago: int, how: How = How.CALL, *, reached: bool = False) -> Tried:
    return Tried(TODAY - timedelta(days=ago), how, reached)


@pytest.mark.parametrize(
    ("days", "contacts", "wants", "due"),
    [
        (1, [], True, None),
        (3, [], True, Step.CALL),
        (6, [tried(0)], True, None),
        (9, [tried(6)], False, None),
        (10, [tried(7)], False, Step.CALL),
        (10, [tried(7, reached=True)], False, Step.CALL),
        (40, [tried(30), tried(23, reached=True), tried(16), tried(6)], False, None),
        (40, [tried(30), tried(23, reached=True), tried(16), tried(7)], False, Step.CALL),
        (7, [], True, Step.VISIT),
        (7, [tried(1)], True, Step.VISIT),
        (7, [tried(1)], False, None),
        (7, [], False, Step.CALL),
        (8, [tried(2, reached=True)], True, None),
        (13, [tried(7, reached=True)], True, Step.VISIT),
        (14, [tried(3, How.VISIT)], True, None),
        (18, [tried(7, How.VISIT)], True, Step.VISIT),
        (18, [tried(7, How.VISIT)], False, Step.CALL),
    ],
)
def test_what_is_due(days: int, contacts: list[Tried], wants: bool, due: Step | None) -> None:
    assert step_due(ALL, today=TODAY, days=days, tried=contacts, wants_visits=wants) is due


FIGURES = some.builds(
    FollowUp,
    text_day=some.none() | some.integers(1, 60),
    call_day=some.none() | some.integers(1, 60),
    visit_day=some.none() | some.integers(1, 60),
    again_days=some.integers(1, 60),
)
CONTACTS = some.lists(some.builds(tried, some.integers(0, 90), some.sampled_from(How), reached=some.booleans()))


@given(follow_up=FIGURES, call_day=some.integers(1, 60), days=some.integers(1, 200), contacts=CONTACTS,
       wants=some.booleans())  # fmt: skip
def test_whoever_is_away_and_unmet_for_longer_than_the_days_of_the_site_is_always_due(
    follow_up: FollowUp, call_day: int, days: int, contacts: list[Tried], wants: bool
) -> None:
    calls = replace(follow_up, call_day=call_day)
    lately = [each for each in contacts if (TODAY - each.on).days < calls.again_days]
    if days >= call_day and not lately:
        assert step_due(calls, today=TODAY, days=days, tried=contacts, wants_visits=wants) is not None


@given(follow_up=FIGURES, days=some.integers(1, 200), contacts=CONTACTS)
def test_nobody_who_did_not_agree_is_visited_and_nobody_is_written_to_late(
    follow_up: FollowUp, days: int, contacts: list[Tried]
) -> None:
    due = step_due(follow_up, today=TODAY, days=days, tried=contacts, wants_visits=False)
    assert due in (None, Step.CALL)
    if text_due(follow_up, days=days):
        assert follow_up.text_day is not None
        assert follow_up.text_day <= days


def test_the_text_is_short_and_names_nothing_in_any_language() -> None:
    for tag in CATALOGUES:
        body = render("caring", tag, {}, zone=KL)
        assert "1" in body
        assert len(body) <= 160


class TestAText:
    @pytest.fixture
    def here(self, database: Database, now: datetime) -> Line:
        return line(database, now)

    def away(self, here: Line, *, wants: bool = True) -> ClientId:
        client = here.client()
        here.clinic.give(client)
        with here.database.writing() as session:
            set_wishes(session, actor=here.clinic.pharmacist, client_id=client, wishes=Wishes(missed=wants), at=here.at)
        return client

    def told(self, here: Line, days: float) -> int:
        with here.database.writing() as session:
            return tell_stopped(session, site=here.site, now=here.at + timedelta(days=days))

    def test_goes_once_in_an_absence_to_whoever_wants_to_hear_it(self, here: Line) -> None:
        self.away(here)
        self.away(here, wants=False)
        assert self.told(here, 1.1) == 0, "today is not over"
        assert self.told(here, 1.99) == 0, "before the site opens, at seven"
        assert self.told(here, 2.1) == 1
        assert [self.told(here, days) for days in (2.2, 3.1, 6.1)] == [0, 0, 0]

    def test_is_answered_by_a_digit_that_asks_for_a_talk(self, here: Line) -> None:
        client = self.away(here)
        assert self.told(here, 2.1) == 1
        here.at += timedelta(days=2.2)
        assert "talk with you soon" in here.says(client, "1")

    def test_goes_again_in_the_next_absence_and_never_to_whoever_was_reached_or_is_withheld(self, here: Line) -> None:
        client, reached, held = self.away(here), self.away(here), self.away(here)
        with here.database.writing() as session:
            write_contact(
                session,
                actor=here.clinic.doctor,
                client_id=reached,
                reached=True,
                words="on the way",
                key=uuid4(),
                at=here.at + timedelta(days=1.5),
            )
            hold(
                session,
                actor=here.clinic.doctor,
                client_id=held,
                from_day=here.clinic.today + timedelta(days=1),
                until_day=None,
                reason="sleepy",
                today=here.clinic.today,
                at=here.at,
            )
        assert self.told(here, 2.1) == 1
        here.clinic.move_on(2)
        here.clinic.give(client)
        assert self.told(here, 2.2) == 0
        assert self.told(here, 4.1) == 1
        with here.database.reading() as session:
            assert session.scalars(text("SELECT recipient_id FROM message WHERE kind = 'caring'")).all() == [client] * 2

    def test_does_not_go_to_whoever_left_long_ago_nor_where_the_site_wants_none(self, here: Line) -> None:
        self.away(here)
        assert self.told(here, 20.1) == 0
        boss = Actor(here.clinic.doctor.account_id, here.site.id, frozenset({Role.ADMINISTRATOR}))
        with here.database.writing() as session:
            set_follow_up(session, actor=boss, days=FollowUp(None, 3, None, 4), at=here.at)
        assert self.told(here, 2.1) == 0
        with here.database.writing() as session, pytest.raises(NotAllowed):
            set_follow_up(session, actor=here.clinic.doctor, days=FollowUp(), at=here.at)
        with here.database.reading() as session:
            assert follow_up_of(session, here.site.id) == FollowUp(None, 3, None, 4)


def later(here: Desks, days: int) -> None:
    """Days pass, and whoever has a seat signs in again."""
    here.days_pass(days)
    for name, visitor in here.seated.items():
        assert visitor.signs_in(name).status_code == 303


class TestThePages:
    @pytest.fixture
    def here(self, database: Database, now: datetime, tmp_path: Path) -> Desks:
        return desks(database, now, tmp_path)

    @pytest.fixture
    def away(self, here: Desks) -> ClientId:
        client = here.place.client()
        here.place.give(client)
        here.days_pass(5)
        return client

    def test_list_whom_nobody_has_called_until_somebody_has(self, here: Desks, away: ClientId) -> None:
        nurse = here.seat(Role.NURSE)
        shown = text_of(nurse.get("/care/stopped?show=due"))
        assert "4 days without a dose" in shown
        assert "nobody has called" in shown
        at = f"/care/stopped/{away}"
        form = {"how": "call", "reached": "yes", "came_of": "comes_back", "why": "way", "words": "the bus fare"}
        assert nurse.post(f"{at}/contacts", form).headers["location"] == f"{at}?done=noted"
        assert "Everybody for whom it is time was called." in text_of(nurse.get("/care/stopped?show=due"))
        page = text_of(nurse.get(at))
        assert "comes back; the way, or what it costs" in page
        assert "the bus fare" in page
        with here.database.reading() as session:
            (note,) = session.scalars(select(ContactNote))
            assert (note.how, note.came_of, note.why) == (How.CALL, CameOf.COMES_BACK, Why.WAY)
            assert b"bus" not in note.words_sealed
            assert contacts_of(session, client_id=away)[0].words == "the bus fare"
        assert here.acts_about(away)[-2:] == ["noted contact", "looked at"]
        with pytest.raises(IntegrityError, match="taken back once"), here.database.writing() as session:
            session.execute(text("UPDATE contact_note SET why = ''"))

    def test_ask_again_after_a_try_and_after_a_talk_that_brought_nobody_back(self, here: Desks, away: ClientId) -> None:
        nurse, at = here.seat(Role.NURSE), f"/care/stopped/{away}/contacts"
        for form in ({"reached": "no"}, {"reached": "yes", "came_of": "comes_back"}, {"reached": "no"}):
            assert "Ahmad" in text_of(nurse.get("/care/stopped?show=due"))
            assert nurse.post(at, {"how": "call", **form}).status_code == 303
            assert "Everybody for whom it is time was called." in text_of(nurse.get("/care/stopped?show=due"))
            later(here, 6)
            assert "Everybody for whom it is time was called." in text_of(nurse.get("/care/stopped?show=due"))
            later(here, 1)
            assert "Ahmad" in text_of(nurse.get("/care/stopped?show=due"))
        assert "3 contacts, last on" in text_of(nurse.get("/care/stopped"))

    def test_keep_them_until_they_come_back_or_somebody_decides_otherwise_and_says_why(
        self, here: Desks, away: ClientId
    ) -> None:
        nurse, at = here.seat(Role.NURSE), f"/care/stopped/{away}/contacts"
        form = {"how": "call", "reached": "no", "stops": "yes", "words": " "}
        refused = nurse.post(at, form)
        assert refused.status_code == 422
        assert "Say why nobody follows them up any more." in text_of(refused)
        assert '<option value="yes" selected>' in refused.text
        assert nurse.post(at, {**form, "words": "Their sister says that they live in Johor now."}).status_code == 303
        assert here.acts_about(away)[-2:] == ["noted contact", "ended follow-up"]
        later(here, 30)
        assert "Ahmad" not in text_of(nurse.get("/care/stopped"))
        left = text_of(nurse.get("/care/stopped?show=left"))
        assert "Ahmad" in left
        assert "followed up no more" in left
        assert "live in Johor" in text_of(nurse.get(f"/care/stopped/{away}"))
        assert nurse.post(at, {"how": "talk", "reached": "yes", "words": "Is back in town."}).status_code == 303
        assert "Ahmad" in text_of(nurse.get("/care/stopped")), "the next contact takes it back"
        here.ordered(away, "80")
        here.place.give(away)
        later(here, 4)
        assert "Ahmad" in text_of(nurse.get("/care/stopped?show=due")), "another absence begins anew"

    def test_let_only_those_who_treat_decide_that(self, here: Desks, away: ClientId) -> None:
        peer = Actor(here.place.doctor.account_id, here.place.site_id, frozenset({Role.PEER_WORKER}))
        with here.database.writing() as session, pytest.raises(NotAllowed):
            write_contact(
                session, actor=peer, client_id=away, reached=False, words="moved", key=uuid4(), at=here.place.now,
                stops=True,
            )  # fmt: skip

    def test_call_a_nurse_for_whoever_needs_help_until_somebody_says_what_was_done(
        self, here: Desks, away: ClientId
    ) -> None:
        nurse, at = here.seat(Role.NURSE), f"/care/stopped/{away}"
        other = here.place.client()
        here.place.give(other)
        later(here, 5)
        form = {"how": "call", "reached": "yes", "came_of": "needs_help", "why": "ill", "words": ""}
        for key in (str(uuid4()), str(uuid4())):
            assert nurse.post(f"{at}/contacts", {**form, "key": key}).status_code == 303
        with here.database.reading() as session:
            (alert,) = session.scalars(select(Alert).where(Alert.client_id == away))
            assert (alert.role, alert.severity, alert.resolved_at) == ("nurse", "urgent", None)
        page = nurse.get("/care/stopped?show=due").text
        assert page.index(str(away)) < page.index("needs help today") < page.index(str(other))
        assert "tag-ok" not in page
        assert "They need help today." in text_of(nurse.get(at))
        said = text_of(here.doctor.get(f"/consulting/clients/{away}"))
        assert "They need help today, as they said to" in said
        assert "needs help today; ill" in said, "chosen without words it is read all the same"
        done = f"/consulting/clients/{away}/alerts/{alert.id}/resolve"
        assert here.doctor.post(done, {"resolution": ""}).status_code == 422
        assert here.doctor.post(done, {"resolution": "Was taken to hospital."}).status_code == 303
        page = nurse.get("/care/stopped")
        assert "They need help today." not in text_of(nurse.get(at))
        assert "tag-ok" not in page.text, "asked for and answered is not yet well"
        with here.database.writing() as session:
            note_contact(
                session, actor=here.place.doctor, client_id=away, reached=True, words="", key=uuid4(),
                at=here.place.now, came_of=CameOf.NEEDS_HELP,
            )  # fmt: skip
            assert who_needs_help(session, [away]) == {away}, "asked for again it is another alert"

    def test_show_at_the_counter_what_was_noted_while_they_stayed_away(self, here: Desks, away: ClientId) -> None:
        nurse, counter = here.seat(Role.NURSE), here.seat(Role.PHARMACIST)
        assert "What was noted" not in text_of(counter.get(f"/counter/clients/{away}"))
        form = {"how": "call", "reached": "yes", "came_of": "comes_back", "why": "way", "words": "the bus fare"}
        assert nurse.post(f"/care/stopped/{away}/contacts", form).status_code == 303
        said = text_of(counter.get(f"/counter/clients/{away}"))
        assert "What was noted while they stayed away" in said
        assert "comes back; the way, or what it costs" in said
        assert "the bus fare" in said

    def test_keep_what_was_typed_and_visit_nobody_who_did_not_agree(self, here: Desks, away: ClientId) -> None:
        nurse, at = here.seat(Role.NURSE), f"/care/stopped/{away}"
        refused = nurse.post(f"{at}/contacts", {"how": "visit", "reached": "no", "words": "rang twice"})
        assert refused.status_code == 409
        assert "They have not agreed to visits." in text_of(refused)
        assert 'value="rang twice"' in refused.text
        assert nurse.post(f"{at}/visits", {"agreed": "yes", "where": " "}).status_code == 422
        assert nurse.post(f"{at}/visits", {"agreed": "yes", "where": "Blue door, no uniform"}).status_code == 303
        assert nurse.post(f"{at}/contacts", {"how": "visit", "reached": "no", "words": ""}).status_code == 303
        assert nurse.post(f"{at}/visits", {"agreed": "no"}).status_code == 303
        page = text_of(nurse.get(at))
        assert "no visits" in page
        assert "Blue door" not in page

    def test_say_how_they_come_back_and_text_once(self, here: Desks, away: ClientId) -> None:
        doctor, at = here.doctor, f"/care/stopped/{away}"
        page = text_of(doctor.get(at))
        assert "They are welcome, today or any day." in page
        assert "Order again" in page
        assert "They get no texts" in text_of(doctor.post(f"{at}/text"))
        other = here.place.client()
        here.place.give(other)
        assert "They come" in text_of(doctor.get(f"/care/stopped/{other}"))
        assert doctor.post(f"/care/stopped/{other}/text").status_code == 404

    def test_the_office_sets_the_days(self, here: Desks, away: ClientId) -> None:
        boss = here.administrator
        assert boss.post("/office/care/follow-up", {"text_day": "0", "call_day": "3"}).status_code == 422
        form = {"text_day": "", "call_day": "10", "visit_day": "", "again_days": ""}
        assert "again_days" in boss.post("/office/care/follow-up", form).text
        form["again_days"] = "12"
        assert boss.post("/office/care/follow-up", form).headers["location"] == "/office/care?done=changed"
        assert 'value="10"' in boss.get("/office/care").text
        assert 'value="12"' in boss.get("/office/care").text
        assert "Nobody has stopped coming." in text_of(here.doctor.get("/care/stopped"))


def test_an_order_that_ran_out_takes_nobody_off_the_list(database: Database, now: datetime, tmp_path: Path) -> None:
    here = desks(database, now, tmp_path)
    client = here.enrolled("K1")
    here.ordered(client, "40", until=here.today + timedelta(days=2))
    here.place.give(client)
    here.days_pass(6)
    with database.reading() as session:
        (away,) = without_dose(session, site_id=here.place.site_id, today=here.today, least=1)
    assert (away.days, away.mg, away.ruling(None)) == (5, None, None)
    assert "No order is in force" in text_of(here.doctor.get(f"/care/stopped/{client}"))


def test_somebody_who_was_not_reached_has_said_nothing(database: Database, now: datetime, tmp_path: Path) -> None:
    here = desks(database, now, tmp_path)
    client = here.place.client()
    for wrong in ({"reached": False, "came_of": CameOf.UNDECIDED, "words": ""}, {"reached": True, "words": " "}):
        with pytest.raises(BadInput), database.writing() as session:
            write_contact(
                session,
                actor=here.place.doctor,
                client_id=client,
                key=uuid4(),
                at=now,
                **wrong,  # type: ignore[arg-type]
            )
    with pytest.raises(Refused), database.writing() as session:
        write_contact(
            session,
            actor=here.place.doctor,
            client_id=client,
            reached=False,
            words="",
            key=uuid4(),
            at=now,
            how=How.VISIT,
        )
