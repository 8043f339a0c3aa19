"""The referral directory: by hand and by file, all or nothing; what is heard of a referral, and who is lost."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import IntegrityError

from dispensary.care.centre_models import HealthCentre, ReferralWord
from dispensary.care.centre_rules import Place, read_places
from dispensary.care.centres import SERVICES, centres_of, close_centre, import_centres, keep_centre
from dispensary.care.referral_models import Outcome, Referral, Service
from dispensary.care.referral_words import Cascade, Heard, cascades, lost, note_word, words_of
from dispensary.care.referrals import close_referral, refer
from dispensary.database import Database
from dispensary.refusals import BadInput, NotThere
from dispensary.units import ClientId
from tests.builders import Clinic, clinic
from tests.dispensary.desk_place import Desks, day, desks
from tests.dispensary.measured import asked, figures
from tests.dispensary.visiting import text_of

FILE = "code;name;services;address;phone\n" + "".join(
    f"K{number:02d};Puskesmas {number};hiv_test hepatitis_c;Jalan {number};021-{number}\n" for number in range(42)
)


@pytest.mark.parametrize(
    ("content", "wrong"),
    [
        (b"\xff\xfe\x00", "not in UTF-8"),
        (b"code,name\nA,B\n", "no column “services”"),
        (b"code,name,services\n", "no line below"),
        (b"code,name,services\nA,B,hiv_test\na,C,art\n", "stands on line 2 too"),
        (b"code,name,services\nA,,hiv_test\n", "Line 2, name: This is missing."),
        (b"code,name,services\nA,B,hiv_test dentist\n", "“dentist” is no service"),
        (b"code,name,services\nA,B,\n", "It offers nothing"),
        (b"code,name,services\nA," + b"x" * 121 + b",art\n", "longer than 120"),
        (b"x" * 1_000_001, "larger than 1 MB"),
    ],
)
def test_a_file_that_is_wrong_is_refused_with_its_line(content: bytes, wrong: str) -> None:
    places, faults = read_places(content, SERVICES)
    assert places == []
    assert wrong in " ".join(each.sentence for each in faults)
    assert all(each.field == "file" for each in faults)


@pytest.fixture
def place(database: Database, now: datetime) -> Clinic:
    return clinic(database, now)


class TestTheDirectory:
    def test_takes_a_file_of_forty_two_twice_and_nothing_of_one_that_is_wrong(self, place: Clinic) -> None:
        for content in (FILE, FILE.replace("Jalan 7", "Jalan Baru")):
            with place.database.writing() as session:
                assert import_centres(session, actor=place.doctor, content=content.encode(), at=place.now) == 42
        wrong = FILE + "N1;New place;art;;\nN2;Other;dentist;;\n"
        with pytest.raises(BadInput, match="no service"), place.database.writing() as session:
            import_centres(session, actor=place.doctor, content=wrong.encode(), at=place.now)
        with place.database.reading() as session:
            found = centres_of(session, site_id=place.site_id)
            assert len(found) == 42
            assert {each.address for each in found if each.code == "K07"} == {"Jalan Baru"}

    def test_has_a_name_once_and_offers_what_is_open(self, place: Clinic) -> None:
        tebet = Place("T1", "Puskesmas Tebet", ("hiv_test",))
        with place.database.writing() as session:
            kept = keep_centre(session, actor=place.doctor, place=tebet, at=place.now).id
        with pytest.raises(BadInput, match="as T1"), place.database.writing() as session:
            keep_centre(session, actor=place.doctor, place=Place("T2", "puskesmas tebet", ("art",)), at=place.now)
        with place.database.writing() as session:
            close_centre(session, actor=place.doctor, centre_id=kept, at=place.now)
            assert centres_of(session, site_id=place.site_id) == []
            with pytest.raises(NotThere):
                close_centre(session, actor=place.doctor, centre_id=uuid4(), at=place.now)
            keep_centre(session, actor=place.doctor, place=tebet, at=place.now)
            assert len(centres_of(session, site_id=place.site_id)) == 1


def sent(place: Clinic, client: ClientId, to: str = "Puskesmas 7", service: Service = Service.HIV_TEST) -> Referral:
    with place.database.writing() as session:
        return refer(
            session,
            actor=place.doctor,
            client_id=client,
            service=service,
            place=to,
            agreed=True,
            ask_on=place.today + timedelta(days=14),
            today=place.today,
            at=place.now,
        )


def heard(place: Clinic, client: ClientId, referral: Referral, what: Heard, words: str = "", days: int = 0) -> None:
    with place.database.writing() as session:
        note_word(
            session,
            actor=place.doctor,
            client_id=client,
            referral_id=referral.id,
            heard=what,
            words=words,
            on=place.today + timedelta(days=days),
            key=uuid4(),
            today=place.today,
            at=place.now,
        )


def referral_of(place: Clinic, client: ClientId) -> Referral:
    with place.database.reading() as session:
        return session.scalars(select(Referral).where(Referral.client_id == client)).one()


class TestAReferral:
    def test_knows_its_place_of_the_directory_and_is_lost_when_nobody_hears(self, place: Clinic) -> None:
        with place.database.writing() as session:
            import_centres(session, actor=place.doctor, content=FILE.encode(), at=place.now)
        client, other, gone = place.client(), place.client(), place.client()
        first, second, third = (sent(place, client, "puskesmas  7"), sent(place, other), sent(place, gone))
        assert (first.place, first.centre_id is not None) == ("Puskesmas 7", True)
        assert sent(place, client, "Elsewhere").centre_id is None

        def listed() -> list[tuple[ClientId, bool]]:
            with place.database.reading() as session:
                rows = lost(session, site_id=place.site_id, today=place.today)
                return [(ClientId(row.referral.client_id), row.accepted) for row in rows if row.referral.centre_id]

        place.move_on(20)
        heard(place, other, second, Heard.ACCEPTED)
        with place.database.writing() as session:
            close_referral(
                session,
                actor=place.doctor,
                client_id=gone,
                referral_id=third.id,
                outcome=Outcome.WITHDRAWN,
                attended_on=None,
                today=place.today,
                at=place.now,
            )
        assert listed() == []
        place.move_on(11)
        assert listed() == [(client, False)]
        place.move_on(20)
        assert listed() == [(client, False), (other, True)]
        assert figures(asked(place, "referrals"))["accepted"] == ("1", "4")

    def test_is_counted_by_service_from_being_sent_to_having_gone(self, place: Clinic) -> None:
        first, second, third, fourth = (place.client() for _each in range(4))
        went, hopes, silent = sent(place, first), sent(place, second), sent(place, third)
        sent(place, fourth, service=Service.ART)
        place.move_on(2)
        heard(place, first, went, Heard.FULL)
        heard(place, second, hopes, Heard.ACCEPTED)
        heard(place, second, hopes, Heard.ACCEPTED, days=-1)  # twice heard, it is one referral
        with place.database.writing() as session:
            close_referral(
                session, actor=place.doctor, client_id=first, referral_id=went.id, outcome=Outcome.ATTENDED,
                attended_on=place.today, today=place.today, at=place.now,
            )  # fmt: skip
        place.move_on(31)
        heard(place, fourth, referral_of(place, fourth), Heard.FEEDBACK, "waits for a letter")

        def counted(since: date) -> list[Cascade]:
            with place.database.reading() as session:
                return cascades(session, site_id=place.site_id, since=since, today=place.today)

        assert counted(silent.sent_on) == [Cascade("hiv_test", 3, 2, 1, 2), Cascade("art", 1, 0, 0, 0)]
        assert counted(silent.sent_on + timedelta(days=1)) == []

    def test_is_heard_of_in_sealed_words_that_stay(self, place: Clinic) -> None:
        client, other = place.client(), place.client()
        referral = sent(place, client)
        heard(place, client, referral, Heard.FEEDBACK, "kind people there")
        with place.database.reading() as session:
            (row,) = session.scalars(select(ReferralWord))
            assert b"kind" not in row.words_sealed
            assert [word.words for word in words_of(session, [referral.id])[referral.id]] == ["kind people there"]
        for wrong, match in (
            ({"what": Heard.FEEDBACK}, "few words"),
            ({"what": Heard.FULL, "days": 1}, "from the referral"),
            ({"what": Heard.FULL, "days": -1}, "from the referral"),
        ):
            with pytest.raises(BadInput, match=match):
                heard(place, client, referral, **wrong)  # type: ignore[arg-type]
        with pytest.raises(NotThere):
            heard(place, other, referral, Heard.FULL)
        for statement in (
            "UPDATE referral_word SET kind = 'full'",
            "DELETE FROM referral_word",
            "UPDATE referral SET centre_id = NULL, outcome = 'withdrawn', closed_at = sent_at, closed_by = sent_by,"
            " place = 'x'",
        ):
            with pytest.raises(IntegrityError), place.database.writing() as session:
                session.execute(text(statement))


def test_the_pages(database: Database, now: datetime, tmp_path: Path) -> None:
    here: Desks = desks(database, now, tmp_path)
    doctor = here.doctor
    wrong = doctor.post("/care/centres", {"code": "T1", "name": "Tebet clinic", "address": "Jalan 5"})
    assert (wrong.status_code, 'value="Tebet clinic"' in wrong.text) == (422, True)
    assert "It offers nothing" in text_of(wrong)
    kept = doctor.post("/care/centres", {"code": "T1", "name": "Tebet clinic", "services": ["art", "sti"]})
    assert kept.headers["location"] == "/care/centres?done=kept"
    boss = here.administrator
    taken = boss.client.post(
        "/care/centres/file",
        data=boss.drawn(),
        files={"file": ("places.csv", FILE.encode(), "text/csv")},
        follow_redirects=False,
    )
    assert taken.headers["location"] == "/care/centres?done=file"
    shown = text_of(boss.get("/care/centres"))
    assert "43 places" in shown
    with database.reading() as session:
        centre = session.scalar(select(HealthCentre.id).where(HealthCentre.code == "T1"))
    assert boss.post(f"/care/centres/{centre}/close").status_code == 303
    client = here.place.client()
    at = f"/consulting/clients/{client}"
    assert '<option value="Puskesmas 41">' in doctor.get(at).text
    assert "Tebet clinic" not in doctor.get(at).text
    form = {"service": "hiv_test", "place": "Puskesmas 41", "ask_on": day(14, here), "agreed": "yes"}
    doctor.post(f"{at}/referrals", form)
    with database.reading() as session:
        referral = session.scalar(select(Referral.id))
    words = f"{at}/referrals/{referral}/words"
    refused = doctor.post(words, {"word": str(referral), "heard": "feedback", "words": "", "heard_on": day(0, here)})
    assert (refused.status_code, "few words" in text_of(refused)) == (422, True)
    assert doctor.post(words, {"heard": "accepted", "words": "Tuesday", "heard_on": day(0, here)}).status_code == 303
    assert "the place expects them – Tuesday" in text_of(doctor.get(at))
    assert "No referral is lost." in text_of(doctor.get("/care/referrals"))
    assert "Expected there" in text_of(doctor.get("/care/referrals"))
    here.days_pass(31)
    assert doctor.signs_in("doctor").status_code == 303
    listed = text_of(doctor.get("/care/referrals"))
    assert "no word for 31 days" in listed
    assert "expected there" in listed
