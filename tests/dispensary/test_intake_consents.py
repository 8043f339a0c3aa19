"""What whoever sent somebody may hear: by their yes, until its end, and never afterwards, whoever was quicker."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path
from threading import Barrier
from time import monotonic, sleep
from uuid import UUID, uuid4

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import IntegrityError

from dispensary.care.intake_closing import Outcome, close_intake
from dispensary.care.intake_consents import Agreement, end_consent, note_consent, tell_referrer, told_to
from dispensary.care.intake_models import Intake, IntakeRelease
from dispensary.care.intakes import Heard, correct_intake, take_in, the_intake
from dispensary.clients.consent_rules import Information, Revoked, Signed
from dispensary.clients.disclosing import Ground, Line, put_on_register, register_of
from dispensary.clients.rules import EntryRoute
from dispensary.database import Database, WriteSession
from dispensary.refusals import BadInput, NotAllowed, NotThere, Refused
from dispensary.staff.models import AuditEntry
from dispensary.staff.rules import Role
from tests.builders import Clinic, clinic
from tests.dispensary.desk_place import Desks, desks
from tests.dispensary.visiting import text_of

POLICE = "Ward police, Sgt. Hoa"
YES = Agreement(POLICE, False, Signed.PAPER, "folder 12")
SOON = timedelta(seconds=1)


@pytest.fixture
def place(database: Database, now: datetime) -> Clinic:
    return clinic(database, now)


@pytest.fixture
def here(database: Database, now: datetime, tmp_path: Path) -> Desks:
    return desks(database, now, tmp_path)


def came(place: Clinic, referrer: str = POLICE, name: str = "Minh") -> UUID:
    with place.database.writing() as session:
        heard = Heard(name, EntryRoute.POLICE, "his aunt's shop", referrer=referrer)
        return take_in(session, actor=place.doctor, heard=heard, today=place.today, at=place.now).id


def agreed(place: Clinic, intake_id: UUID, what: Agreement = YES, after: timedelta = timedelta()) -> None:
    with place.database.writing() as session:
        note_consent(
            session, actor=place.doctor, intake_id=intake_id, agreed=what, today=place.today, at=place.now + after
        )


def ended(place: Clinic, intake_id: UUID, after: timedelta = SOON) -> None:
    with place.database.writing() as session:
        end_consent(session, actor=place.doctor, intake_id=intake_id, how=Revoked.SAID, at=place.now + after)


def told(
    place: Clinic, intake_id: UUID, *, days: bool = False, key: UUID | None = None, after: timedelta = timedelta()
) -> None:
    with place.database.writing() as session:
        tell_referrer(
            session, actor=place.doctor, intake_id=intake_id, days=days, key=key or uuid4(), today=place.today,
            at=place.now + after,
        )  # fmt: skip


def test_the_key_of_one_telling_is_none_of_anothers(place: Clinic) -> None:
    first, second, key = came(place), came(place, name="Lan"), uuid4()
    for each in (first, second):
        agreed(place, each)
    told(place, first, key=key)
    told(place, first, key=key)
    with pytest.raises(IntegrityError, match="uq_release_key"):
        told(place, second, key=key)
    assert len(lines(place)) == 1


def test_under_anothers_consent_nothing_is_said_to_have_been_told(place: Clinic) -> None:
    intake = came(place)
    agreed(place, intake)
    told(place, intake, after=SOON)
    agreed(place, intake, Agreement("His aunt", False, Signed.PAPER, "folder 13"), after=2 * SOON)
    with place.database.reading() as session:
        shown = the_intake(session, site_id=place.site_id, intake_id=intake)
    assert (shown.told, shown.told_by_this) == (1, False)


def lines(place: Clinic) -> list[tuple[object, ...]]:
    with place.database.reading() as session:
        return [(line.kinds, line.recipient, line.authority) for line in register_of(session, site_id=place.site_id)]


def trail_of(database: Database, intake_id: UUID) -> list[tuple[str, str]]:
    with database.reading() as session:
        rows = select(AuditEntry.act, AuditEntry.details).where(AuditEntry.subject_id == intake_id)
        return [(act, details) for act, details in session.execute(rows.order_by(AuditEntry.seq))]


class TestAYes:
    def test_that_comes_later_lets_that_much_be_told_to_them_and_no_more(self, place: Clinic) -> None:
        intake = came(place, referrer="")
        with pytest.raises(Refused, match="told nothing"):
            told(place, intake)
        for _ in range(2):
            agreed(place, intake)
        told(place, intake)
        with pytest.raises(Refused, match="does not name all of that"):
            told(place, intake, days=True)
        agreed(place, intake, Agreement(POLICE, True, Signed.SCREEN, "Minh T."), SOON)
        told(place, intake, days=True, after=SOON)
        assert lines(place) == [
            ((Information.PRESENCE, Information.ATTENDANCE), POLICE, "Minh T."),
            ((Information.PRESENCE,), POLICE, "folder 12"),
        ]
        acts = [act for act, _ in trail_of(place.database, intake)]
        assert acts == ["took in", *["noted consent of intake", "told referrer"] * 2], "the same yes is noted once"

    def test_says_what_is_missing_of_it(self, place: Clinic) -> None:
        intake = came(place)
        yesterday = place.today - timedelta(days=1)
        with pytest.raises(BadInput) as refused:
            agreed(place, intake, Agreement(" ", False, Signed.PAPER, "x" * 201, yesterday))
        assert [each.field for each in refused.value.refusals] == ["recipient", "signature", "until_day"]
        with place.database.writing() as session, pytest.raises(NotAllowed):
            note_consent(session, actor=place.pharmacist, intake_id=intake, agreed=YES, today=place.today, at=place.now)
        with pytest.raises(NotThere):
            agreed(place, uuid4())

    def test_ends_on_its_last_day(self, place: Clinic) -> None:
        intake = came(place)
        agreed(place, intake, Agreement(POLICE, False, Signed.PAPER, "folder 12", place.today))
        told(place, intake)
        place.move_on()
        with pytest.raises(Refused, match="ended on"):
            told(place, intake)
        assert len(lines(place)) == 1

    def test_is_taken_back_by_a_word_and_can_be_given_again(self, place: Clinic) -> None:
        intake = came(place)
        with pytest.raises(Refused, match="agreed to nothing"):
            ended(place, intake)
        agreed(place, intake)
        key = uuid4()
        told(place, intake, key=key)
        for _ in range(2):
            ended(place, intake)
        with pytest.raises(Refused, match="taken their consent back"):
            told(place, intake, after=SOON * 2)
        with pytest.raises(Refused, match="taken their consent back"):
            told(place, intake)  # pressed before the end, and come after it
        told(place, intake, key=key)  # the same form again is the line that is there
        assert len(lines(place)) == 1
        agreed(place, intake, after=SOON * 3)
        told(place, intake, after=SOON * 4)
        assert len(lines(place)) == 2

    def test_is_wiped_with_the_rest_when_it_is_closed(self, place: Clinic) -> None:
        intake = came(place)
        agreed(place, intake)
        ended(place, intake)
        with place.database.writing() as session:
            close_intake(session, actor=place.doctor, intake_id=intake, outcome=Outcome.NOT_WANTED, at=place.now + SOON)
        with place.database.reading() as session:
            row = session.get_one(Intake, intake)
            assert (row.name_sealed, row.referrer_sealed, row.consent_sealed) == (None, None, None)
        for late in (lambda: agreed(place, intake), lambda: ended(place, intake), lambda: told(place, intake)):
            with pytest.raises(NotThere):
                late()

    def test_that_a_program_of_before_writes_down_is_read_as_it_was_then(self, place: Clinic) -> None:
        intake = came(place)
        of_before = text("""INSERT INTO intake (id, site_id, number, route, came_on, name_sealed, referrer_sealed,
            consent_sealed, taken_by, taken_at, outcome) SELECT :id, site_id, number + 1, route, came_on, name_sealed,
            referrer_sealed, 'x', taken_by, taken_at, '' FROM intake WHERE id = :intake""")
        with place.database.writing() as session:
            session.execute(of_before, {"id": (other := uuid4()), "intake": intake})
            row = session.get_one(Intake, other)
            assert (row.consent_days, row.consent_signed, row.consent_until) == (True, "paper", None)
            assert (row.consent_by, row.consent_at) == (row.taken_by, row.taken_at)

    def test_the_database_itself_lets_no_end_be_undone_and_nothing_be_told_after_it(self, place: Clinic) -> None:
        intake, other = came(place), None
        agreed(place, intake)
        told(place, intake)
        ended(place, intake)
        for statement in (
            "UPDATE intake SET consent_ended_at = NULL, consent_ended_by = NULL, consent_ended_how = NULL",
            "UPDATE intake SET consent_days = true",
            "UPDATE intake SET words_sealed = 'x'",
            "UPDATE intake SET referrer_sealed = NULL",
        ):
            with pytest.raises(IntegrityError), place.database.writing() as session:
                session.execute(text(statement))
        with place.database.writing() as session:
            session.execute(text("ALTER TABLE intake_release DISABLE TRIGGER never_changed"))
            other = session.scalar(text("DELETE FROM intake_release RETURNING release_id"))
        with pytest.raises(IntegrityError, match="nothing without their consent"), place.database.writing() as session:
            session.add(IntakeRelease(release_id=other, intake_id=intake))


def waits_for_a_lock(database: Database, until: float) -> bool:
    waiting = text(
        "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
    )
    while monotonic() < until:
        with database.engine.connect() as connection:
            if connection.scalar(waiting):
                return True
        sleep(0.02)
    return False


class TestTwoAtOnce:
    def test_whoever_tells_while_it_is_being_taken_back_waits_and_is_refused(self, place: Clinic) -> None:
        intake = came(place)
        agreed(place, intake)
        with ThreadPoolExecutor(1) as hands:
            with place.database.writing() as session:
                end_consent(session, actor=place.doctor, intake_id=intake, how=Revoked.SAID, at=place.now + SOON)
                telling: Future[None] = hands.submit(told, place, intake)
                assert waits_for_a_lock(place.database, monotonic() + 20), "it waits for what becomes of the consent"
            with pytest.raises(Refused, match="taken their consent back"):
                telling.result()
        assert lines(place) == []

    def test_of_many_who_tell_and_one_who_ends_it_none_tells_afterwards(self, place: Clinic) -> None:
        intake = came(place)
        agreed(place, intake)
        start = Barrier(7)

        def tells(n: int) -> bool:
            start.wait()
            try:
                told(place, intake, after=timedelta(milliseconds=n))
            except Refused:
                return False
            return True

        def ends() -> int:
            start.wait()
            ended(place, intake)
            return len(lines(place))

        with ThreadPoolExecutor(7) as hands:
            ending = hands.submit(ends)
            said = list(hands.map(tells, range(6)))
        assert sum(said) == len(lines(place)) == ending.result(), "what was told was told before the end"


class TestSomebodyElse:
    AUNT = Agreement("His aunt", False, Signed.PAPER, "folder 13")

    def test_whom_it_names_hears_and_who_sent_them_stays_as_it_was_said(self, place: Clinic) -> None:
        intake = came(place)
        agreed(place, intake, self.AUNT)
        told(place, intake)
        with place.database.reading() as session:
            shown = the_intake(session, site_id=place.site_id, intake_id=intake)
            assert (shown.heard.referrer, told_to(session, shown.intake)) == (POLICE, "His aunt")
        assert [recipient for _, recipient, _ in lines(place)] == ["His aunt"]
        agreed(place, intake, YES, SOON)
        with place.database.reading() as session:
            assert told_to(session, session.get_one(Intake, intake)) == POLICE
        agreed(place, came(place, referrer=""), self.AUNT)

    def test_is_wiped_when_it_is_closed(self, place: Clinic) -> None:
        intake = came(place)
        agreed(place, intake, self.AUNT)
        with place.database.writing() as session:
            close_intake(session, actor=place.doctor, intake_id=intake, outcome=Outcome.NOT_WANTED, at=place.now)
        with place.database.reading() as session:
            row = session.get_one(Intake, intake)
            assert (row.consent_to_sealed, row.consent_sealed, row.referrer_sealed) == (None, None, None)

    def test_an_older_program_tells_nobody_by_it_and_its_own_consent_is_for_who_sent_them(self, place: Clinic) -> None:
        intake = came(place)
        agreed(place, intake, self.AUNT)
        with pytest.raises(IntegrityError, match="told nothing"), place.database.writing() as session:
            session.add(IntakeRelease(release_id=self.release(place, session), intake_id=intake))  # knows no consent_at
        with place.database.writing() as session:
            session.execute(text("UPDATE intake SET consent_at = consent_at + interval '1 minute'"))
        with place.database.reading() as session:
            assert told_to(session, session.get_one(Intake, intake)) == POLICE

    def test_postgresql_lets_nobody_be_told_after_the_last_day(self, place: Clinic) -> None:
        intake = came(place)
        agreed(place, intake, Agreement(POLICE, False, Signed.PAPER, "folder 12", place.today))
        with place.database.writing() as session:
            session.add(IntakeRelease(release_id=self.release(place, session), intake_id=intake))
        place.move_on()
        with pytest.raises(IntegrityError, match="told nothing"), place.database.writing() as session:
            session.add(IntakeRelease(release_id=self.release(place, session), intake_id=intake))

    def release(self, place: Clinic, session: WriteSession) -> UUID:
        line = Line(
            "intake", Ground.CONSENT, authority="folder", recipient=POLICE, reason="They agreed.",
            kinds=frozenset({Information.PRESENCE}), key=uuid4(),
        )  # fmt: skip
        return put_on_register(session, actor=place.doctor, clients=[], line=line, at=place.now).id


class TestAMistypedName:
    def corrected(self, place: Clinic, intake: UUID, name: str, reach: str, seen: tuple[str, str]) -> tuple[str, str]:
        with place.database.writing() as session:
            correct_intake(
                session, actor=place.doctor, intake_id=intake, name=name, reach=reach, seen=seen, at=place.now
            )
        with place.database.reading() as session:
            heard = the_intake(session, site_id=place.site_id, intake_id=intake).heard
        return heard.name, heard.reach

    def test_of_two_who_put_it_right_at_once_neither_undoes_the_other(self, place: Clinic) -> None:
        intake, seen = came(place), ("Minh", "his aunt's shop")
        assert self.corrected(place, intake, "Minh Anh", seen[1], seen) == ("Minh Anh", seen[1])
        assert self.corrected(place, intake, seen[0], "the school", seen) == ("Minh Anh", "the school")
        assert self.corrected(place, intake, "Minh Anh", "the school", seen) == ("Minh Anh", "the school")
        with pytest.raises(Refused, match="since the page was opened"):
            self.corrected(place, intake, "Min", "the school", seen)

    def test_is_put_right_and_the_trail_says_so_without_it(self, place: Clinic) -> None:
        intake = came(place)
        for _ in range(2):
            with place.database.writing() as session:
                correct_intake(
                    session,
                    actor=place.doctor,
                    intake_id=intake,
                    name="Minh Anh",
                    reach="",
                    seen=("Minh", "his aunt's shop"),
                    at=place.now,
                )
        with place.database.reading() as session:
            heard = the_intake(session, site_id=place.site_id, intake_id=intake).heard
        assert (heard.name, heard.reach, heard.referrer) == ("Minh Anh", "", POLICE)
        assert trail_of(place.database, intake)[1:] == [("corrected intake", '{"corrected":["name","reach"]}')]
        with place.database.writing() as session, pytest.raises(BadInput, match="no name"):
            correct_intake(
                session, actor=place.doctor, intake_id=intake, name=" ", reach="", seen=("Minh Anh", ""), at=place.now
            )
        with place.database.writing() as session, pytest.raises(NotAllowed):
            correct_intake(
                session,
                actor=place.pharmacist,
                intake_id=intake,
                name="X",
                reach="",
                seen=("Minh Anh", ""),
                at=place.now,
            )


def test_the_page_writes_the_yes_down_tells_and_ends_it(here: Desks) -> None:
    nurse = here.seat(Role.NURSE)
    at = nurse.post("/care/intakes", {"name": "Min", "route": "police"}).headers["location"].split("?")[0]
    assert "no consent" in text_of(nurse.get(at))
    refused = nurse.post(f"{at}/tell", {"days": "yes"})
    assert (refused.status_code, "told nothing" in text_of(refused)) == (409, True)
    assert '<input type="radio" name="kind" value="attendance" checked' in refused.text, "what was wanted stays"

    wrong = nurse.post(f"{at}/consent", {"recipient": POLICE, "kind": "results", "signed": "paper", "signature": ""})
    assert (wrong.status_code, f'value="{POLICE}"' in wrong.text) == (422, True)
    said = {"recipient": POLICE, "kind": "attendance", "signed": "paper", "signature": "folder 12"}
    assert "Nobody was told yet." in text_of(nurse.get(nurse.post(f"{at}/consent", said).headers["location"]))
    told_at = nurse.post(f"{at}/tell", {"days": "yes"}).headers["location"]
    assert "They came, first on" in text_of(nurse.get(told_at))

    assert nurse.post(f"{at}/correct", {"name": "", "reach": "the shop"}).status_code == 422
    page = nurse.get(at).text
    assert 'name="seen_name" value="Min"' in page
    seen = {"seen_name": "Min", "seen_reach": ""}
    right = nurse.post(f"{at}/correct", {"name": "Minh", "reach": "the shop", **seen})
    assert "Minh" in text_of(nurse.get(right.headers["location"]))
    late = nurse.post(f"{at}/correct", {"name": "Mink", "reach": "the shop", **seen})
    assert (late.status_code, 'value="Mink"' in late.text) == (409, True)
    assert 'name="seen_name" value="Minh"' in late.text, "what stands now has been seen then"

    assert nurse.post(f"{at}/consent/end", {"how": "shouted"}).status_code == 422
    over = nurse.get(nurse.post(f"{at}/consent/end", {"how": "said"}).headers["location"])
    assert "Nothing is told by it from now on." in text_of(over)
    assert f'action="{at}/tell"' not in over.text
    assert "They came, first on" not in text_of(nurse.get(told_at)), "nothing to say any more, whoever goes back"
    late = nurse.post(f"{at}/tell", {})
    assert (late.status_code, "taken their consent back" in text_of(late)) == (409, True)
    assert "intake 1: that they came" in text_of(here.doctor.get("/disclosure"))
    acts = here.acts_about(UUID(at.rpartition("/")[2]))
    assert {"noted consent of intake", "told referrer", "corrected intake", "ended consent of intake"} <= {*acts}
