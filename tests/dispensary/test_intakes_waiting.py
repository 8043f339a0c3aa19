"""Whoever came from outside and is heard no more of: seen on the day's page, closed as the right client, let go."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import IntegrityError

from dispensary.care.intake_closing import (
    Outcome,
    Waiting,
    close_intake,
    let_intakes_lapse,
    waiting_intakes,
    waits_long,
)
from dispensary.care.intake_consents import Agreement, note_consent
from dispensary.care.intake_models import Intake
from dispensary.care.intake_services import Given, give_service
from dispensary.care.intakes import Heard, Part, assess_part, parts_of, take_in
from dispensary.care.settings import INTAKE_DAYS, Reminders, set_reminders
from dispensary.clients.consent_rules import Signed
from dispensary.clients.legal_holds import lift_hold, set_hold
from dispensary.clients.rules import EntryRoute
from dispensary.database import Database
from dispensary.nights import let_go_of_old
from dispensary.refusals import BadInput, NotThere
from dispensary.staff.models import AuditEntry
from dispensary.staff.retention import set_period
from dispensary.staff.retention_rules import Kind
from dispensary.staff.rules import Role
from tests.builders import Clinic, clinic
from tests.dispensary.desk_place import Desks, desks
from tests.dispensary.visiting import text_of

NAMED = "num_nonnulls(name_sealed, reach_sealed, words_sealed, referrer_sealed, consent_sealed)"


@pytest.fixture
def place(database: Database, now: datetime) -> Clinic:
    return clinic(database, now)


@pytest.fixture
def here(database: Database, now: datetime, tmp_path: Path) -> Desks:
    return desks(database, now, tmp_path)


def came(place: Clinic, ago: int, name: str = "Minh") -> UUID:
    """Somebody who came so many days ago, sent by police, with an assessment of that day."""
    heard = Heard(name, EntryRoute.POLICE, "his aunt's shop", "a place to sleep", "Ward police", "folder 12")
    day, at = place.today - timedelta(days=ago), place.now - timedelta(days=ago)
    with place.database.writing() as session:
        intake = take_in(session, actor=place.doctor, heard=heard, today=day, at=at)
        assess_part(
            session, actor=place.doctor, intake_id=intake.id, part=Part.SOCIAL, words=f"{name} has no roof",
            services=[], key=uuid4(), today=day, at=at,
        )  # fmt: skip
        return intake.id


def keeps(place: Clinic, days: int | None) -> None:
    administrator = replace(place.doctor, roles=frozenset({Role.ADMINISTRATOR}))
    with place.database.writing() as session:
        set_period(
            session, actor=administrator, kind=Kind.INTAKES, figure=days, source="Decree 96, art. 4", at=place.now
        )


def night(place: Clinic, data: Path) -> None:
    let_go_of_old(place.database, data, lambda: place.now)
    place.move_on()


def outcomes(place: Clinic) -> list[tuple[str, bool]]:
    """What became of each, in their order, and whether anything of them is readable yet."""
    with place.database.reading() as session:
        rows = session.execute(
            text(f"""SELECT outcome, {NAMED} > 0 OR EXISTS (SELECT FROM intake_part p WHERE p.intake_id = intake.id
                AND p.words_sealed IS NOT NULL) FROM intake ORDER BY number""")
        )
        return [(outcome, named) for outcome, named in rows]


class TestTheDay:
    def test_knows_how_many_wait_since_when_and_for_long(self, place: Clinic) -> None:
        def waiting() -> Waiting:
            with place.database.reading() as session:
                return waiting_intakes(session, site_id=place.site_id, today=place.today)

        assert waiting() == Waiting(0, None, 0)
        for ago in (INTAKE_DAYS + 1, INTAKE_DAYS, 0):
            came(place, ago, f"Came {ago}")
        first = place.today - timedelta(days=INTAKE_DAYS + 1)
        assert waiting() == Waiting(3, first, 1)
        with place.database.writing() as session:
            administrator = replace(place.doctor, roles=frozenset({Role.ADMINISTRATOR}))
            set_reminders(session, actor=administrator, days=Reminders(intake_days=5), at=place.now)
        assert waiting() == Waiting(3, first, 2)
        assert not waits_long(place.today, place.today, 1)

    def test_says_so_on_its_page_and_the_list_proposes_to_close(self, here: Desks) -> None:
        nurse = here.seat(Role.NURSE)
        assert "from outside wait" not in text_of(nurse.get("/care"))
        late, new = came(here.place, INTAKE_DAYS + 3), came(here.place, 0, "Lan")
        day = text_of(nurse.get("/care"))
        assert "2 people from outside wait" in day
        assert "waiting long: 1" in day
        assert "Minh" not in day, "the day's page counts them, and names nobody"
        listed = nurse.get("/care/intakes")
        assert text_of(listed).count("waiting long") == 1
        assert f"/care/intakes/{late}#close" in listed.text
        assert "Reach them, or close it." in text_of(nurse.get(f"/care/intakes/{late}"))
        assert "Reach them, or close it." not in text_of(nurse.get(f"/care/intakes/{new}"))
        boss = here.administrator
        days = {"stuck_days": "60", "lost_days": "30"}
        assert boss.post("/office/care/reminders", {**days, "intake_days": "400"}).status_code == 422
        assert boss.post("/office/care/reminders", {**days, "intake_days": "30"}).status_code == 303
        assert "waiting long" not in text_of(nurse.get("/care/intakes"))


class TestClosedAsAClient:
    def test_the_page_shows_who_that_is_before_anything_is_sealed_for_them(self, here: Desks) -> None:
        nurse, intake = here.seat(Role.NURSE), came(here.place, 1)
        meant, mistyped = here.enrolled("H2000", "Minh Tran"), here.enrolled("H2001", "Somebody Else")
        at = f"/care/intakes/{intake}"
        first = nurse.post(f"{at}/close", {"outcome": "enrolled", "number": "h2001"})
        assert (first.status_code, "Somebody Else" in text_of(first)) == (200, True)
        assert ('value="h2001"' in first.text, 'value="enrolled" checked' in first.text) == (True, True)
        # The number is put right on the page that asks: that one is asked of anew.
        right = {"outcome": "enrolled", "number": "h2000"}
        second = nurse.post(f"{at}/close", {**right, "meant": str(mistyped)})
        assert (second.status_code, "Minh Tran" in text_of(second)) == (200, True)
        with here.database.reading() as session:
            assert session.get_one(Intake, intake).outcome == ""
            assert [*parts_of(session, client_id=mistyped), *parts_of(session, client_id=meant)] == []
        assert nurse.post(f"{at}/close", {**right, "meant": str(meant)}).status_code == 303
        with here.database.reading() as session:
            assert [words for _, words in parts_of(session, client_id=meant)] == ["Minh has no roof"]
        assert here.acts_about(mistyped)[-1] == "looked at", "whose name was shown can read that it was"

    def test_of_two_at_once_who_mean_different_clients_one_is_told(self, place: Clinic) -> None:
        intake, one, other = came(place, 1), place.client(), place.client()

        def closes(client: UUID) -> None:
            with place.database.writing() as session:
                close_intake(
                    session, actor=place.doctor, intake_id=intake, outcome=Outcome.ENROLLED, client_id=client,  # type: ignore[arg-type]
                    at=place.now,
                )  # fmt: skip

        closes(one)
        closes(one)
        with pytest.raises(NotThere):
            closes(other)


class TestLeftOpen:
    def test_stays_where_the_site_has_no_figure_and_goes_in_the_night_after_it(
        self, place: Clinic, tmp_path: Path
    ) -> None:
        came(place, 200)
        came(place, 89, "Lan")
        night(place, tmp_path)
        assert outcomes(place) == [("", True), ("", True)]
        keeps(place, 90)
        night(place, tmp_path)
        assert outcomes(place) == [("lapsed", False), ("", True)]
        night(place, tmp_path)
        assert outcomes(place) == [("lapsed", False), ("lapsed", False)]
        with place.database.reading() as session:
            kept = session.execute(text("SELECT number, route, came_on, closed_by FROM intake ORDER BY number")).all()
            assert [(number, route, by) for number, route, _, by in kept] == [(1, "police", None), (2, "police", None)]
            told = select(AuditEntry.act, AuditEntry.details).where(AuditEntry.account_id.is_(None))
            told = told.where(AuditEntry.act.in_(["closed intake", "let go what is past its time"]))
            acts = [(act, details) for act, details in session.execute(told.order_by(AuditEntry.seq))]
        gone = [("closed intake", '{"outcome":"lapsed"}'), ("let go what is past its time", '{"intakes":1}')]
        assert acts == gone * 2

    def test_is_counted_from_what_was_done_last(self, place: Clinic) -> None:
        intake = came(place, 100)
        yes = Agreement("Ward police", False, Signed.PAPER, "folder 13")
        with place.database.writing() as session:
            note_consent(
                session, actor=place.doctor, intake_id=intake, agreed=yes, today=place.today,
                at=place.now - timedelta(days=10),
            )  # fmt: skip
        given = came(place, 101)
        with place.database.writing() as session:
            give_service(
                session, actor=place.doctor, intake_id=given, given=Given.LEAFLET, service=None, key=uuid4(),
                today=place.today, at=place.now - timedelta(days=10),
            )  # fmt: skip
        for days, gone in ((20, 0), (9, 2), (9, 0)):
            with place.database.writing() as session:
                before = place.now - timedelta(days=days)
                assert let_intakes_lapse(session, site_id=place.site_id, before=before, at=place.now) == gone

    def test_stays_while_a_record_of_the_site_is_held(self, place: Clinic, tmp_path: Path) -> None:
        came(place, 100)
        keeps(place, 30)
        client = place.client()
        with place.database.writing() as session:
            hold = set_hold(
                session, actor=place.doctor, client_id=client, reason="Court 3", authority="Order 7", at=place.now
            )
        night(place, tmp_path)
        assert outcomes(place) == [("", True)]
        with place.database.writing() as session:
            lift_hold(session, actor=place.doctor, hold_id=hold.id, reason="Over", at=place.now)
        night(place, tmp_path)
        assert outcomes(place) == [("lapsed", False)]

    def test_is_nothing_that_somebody_can_choose(self, place: Clinic) -> None:
        intake = came(place, 1)
        with place.database.writing() as session, pytest.raises(BadInput, match="by hand"):
            close_intake(session, actor=place.doctor, intake_id=intake, outcome=Outcome.LAPSED, at=place.now)
        by_nobody = text(
            "UPDATE intake SET outcome = 'not_wanted', closed_at = now(), name_sealed = NULL, reach_sealed = NULL,"
            " words_sealed = NULL, referrer_sealed = NULL, consent_sealed = NULL"
        )
        with pytest.raises(IntegrityError, match="closed_by_somebody"), place.database.writing() as session:
            session.execute(by_nobody)
