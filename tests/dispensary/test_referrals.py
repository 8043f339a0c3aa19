"""Referrals: sent with consent, asked after, closed once; the page, the list, the measure, the guards."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import IntegrityError

from dispensary.care.referral_models import Outcome, Referral, Service
from dispensary.care.referrals import close_referral, refer
from dispensary.clients.models import Task
from dispensary.database import Database
from dispensary.refusals import BadInput, NotThere
from dispensary.units import ClientId
from tests.builders import Clinic, clinic, enrolled
from tests.dispensary.desk_place import Desks, day, desks
from tests.dispensary.measured import asked, figures


@pytest.fixture
def place(database: Database, now: datetime) -> Clinic:
    return clinic(database, now)


@pytest.fixture
def client(place: Clinic) -> ClientId:
    with place.database.writing() as session:
        return enrolled(session, place, mg="80", began=place.today)


def sent(here: Clinic, client: ClientId, service: Service = Service.HEPATITIS_C, **other: object) -> Referral:
    given = {"place": "Puskesmas  Tebet", "agreed": True, "ask_on": here.today + timedelta(days=14), **other}
    with here.database.writing() as session:
        return refer(
            session,
            actor=here.doctor,
            client_id=client,
            service=service,
            today=here.today,
            at=here.now,
            **given,  # type: ignore[arg-type]
        )


def closed(place: Clinic, client: ClientId, referral: Referral, outcome: Outcome, went: int | None = None) -> Referral:
    with place.database.writing() as session:
        return close_referral(
            session,
            actor=place.doctor,
            client_id=client,
            referral_id=referral.id,
            outcome=outcome,
            attended_on=None if went is None else place.today + timedelta(days=went),
            today=place.today,
            at=place.now,
        )


def open_tasks(place: Clinic) -> list[str]:
    with place.database.reading() as session:
        return list(session.scalars(select(Task.sentence).where(Task.done_at.is_(None))))


class TestReferring:
    def test_the_nurses_list_asks_whether_they_went_until_it_is_known(self, place: Clinic, client: ClientId) -> None:
        referral = sent(place, client)
        assert (referral.place, referral.outcome) == ("Puskesmas Tebet", "")
        assert open_tasks(place) == ["Ask whether they went to Puskesmas Tebet (hepatitis c)"]
        place.move_on(3)
        done = closed(place, client, referral, Outcome.ATTENDED, -1)
        assert (done.outcome, done.attended_on) == ("attended", place.today - timedelta(days=1))
        assert open_tasks(place) == []

    def test_the_same_is_not_sent_twice_however_many_press_at_once(self, place: Clinic, client: ClientId) -> None:
        with ThreadPoolExecutor(8) as hands:
            ids = {each.id for each in hands.map(lambda _: sent(place, client, place="puskesmas tebet"), range(8))}
        assert len(ids) == 1
        assert len(open_tasks(place)) == 1
        assert sent(place, client, Service.HIV_TEST).id not in ids

    @pytest.mark.parametrize(
        ("wrong", "field"),
        [
            ({"place": "  "}, "place"),
            ({"place": "x" * 121}, "place"),
            ({"agreed": False}, "agreed"),
            ({"ask_on": -1}, "ask_on"),
            ({"ask_on": 367}, "ask_on"),
        ],
    )
    def test_without_a_place_a_consent_or_a_day_nothing_is_sent(
        self, place: Clinic, client: ClientId, wrong: dict[str, object], field: str
    ) -> None:
        if isinstance(days := wrong.get("ask_on"), int):
            wrong = {"ask_on": place.today + timedelta(days=days)}
        with pytest.raises(BadInput) as refused:
            sent(place, client, **wrong)
        assert [each.field for each in refused.value.refusals] == [field]
        assert open_tasks(place) == []

    @pytest.mark.parametrize("went", [None, -1, 1])
    def test_a_visit_has_a_day_between_the_referral_and_today(
        self, place: Clinic, client: ClientId, went: int | None
    ) -> None:
        referral = sent(place, client)
        with pytest.raises(BadInput, match="day on which they went"):
            closed(place, client, referral, Outcome.ATTENDED, went)

    def test_it_is_closed_once(self, place: Clinic, client: ClientId) -> None:
        referral = sent(place, client)
        first = closed(place, client, referral, Outcome.WITHDRAWN)
        assert closed(place, client, referral, Outcome.WITHDRAWN).closed_at == first.closed_at
        with pytest.raises(NotThere):
            closed(place, client, referral, Outcome.NOT_ATTENDED)
        for sentence in (
            "UPDATE referral SET outcome = 'not_attended'",
            "UPDATE referral SET place = 'elsewhere'",
            "DELETE FROM referral",
            "TRUNCATE referral CASCADE",
        ):
            with pytest.raises(IntegrityError), place.database.writing() as session:
                session.execute(text(sentence))

    def test_its_place_stays_when_it_is_closed(self, place: Clinic, client: ClientId) -> None:
        sent(place, client)
        closes = "outcome = 'withdrawn', closed_at = sent_at, closed_by = sent_by, centre_id = gen_random_uuid()"
        with pytest.raises(IntegrityError, match="closed once"), place.database.writing() as session:
            session.execute(text(f"UPDATE referral SET {closes}"))

    def test_somebody_else_s_client_is_not_there(self, place: Clinic, client: ClientId) -> None:
        referral = sent(place, client)
        with place.database.writing() as session:
            other = enrolled(session, place, mg="80", began=place.today)
        with pytest.raises(NotThere):
            closed(place, other, referral, Outcome.WITHDRAWN)


def test_the_measure_counts_what_was_known_at_the_moment(place: Clinic) -> None:
    with place.database.writing() as session:
        clients = [enrolled(session, place, mg="80", began=place.today) for _ in range(3)]
    referrals = [sent(place, client, service) for client in clients for service in (Service.HIV_TEST, Service.ART)]
    then = place.now
    place.move_on(10)
    closed(place, clients[0], referrals[0], Outcome.ATTENDED, -6)
    closed(place, clients[1], referrals[2], Outcome.ATTENDED, -2)
    closed(place, clients[2], referrals[4], Outcome.NOT_ATTENDED)
    before = place.now
    place.move_on(400)
    found = figures(asked(place, "referrals", as_of=before))
    assert found == {
        "sent": ("6", "None"),
        "known": ("3", "6"),
        "accepted": ("2", "6"),
        "attended": ("2", "6"),
        "overdue": ("0", "6"),
        "days_median": ("None", "2"),
    }
    assert figures(asked(place, "referrals"))["overdue"] == ("3", "6")
    assert figures(asked(place, "referrals", as_of=then))["known"] == ("0", "6")
    rows = {
        row.strata[0]: f"{row.numerator} of {row.denominator}"
        for row in asked(place, "referrals", as_of=before, by=("service",)).rows
        if row.indicator == "attended"
    }
    assert rows == {"all": "2 of 6", "art": "0 of 3", "hiv_test": "2 of 3"}
    median = next(row.value for row in asked(place, "referrals", as_of=before).rows if row.indicator == "days_median")
    assert median == 4


class TestThePage:
    @pytest.fixture
    def here(self, database: Database, now: datetime, tmp_path: Path) -> Desks:
        return desks(database, now, tmp_path)

    @pytest.fixture
    def at(self, here: Desks) -> str:
        with here.database.writing() as session:
            return f"/consulting/clients/{enrolled(session, here.place, mg='80', began=here.today)}"

    def test_refers_keeps_what_was_typed_and_notes_what_became_of_it(self, here: Desks, at: str) -> None:
        wrong = here.doctor.post(f"{at}/referrals", {"service": "", "place": "Klinik Yayasan", "ask_on": day(14, here)})
        assert wrong.status_code == 422
        assert 'value="Klinik Yayasan"' in wrong.text
        right = {"service": "legal_aid", "place": "Klinik Yayasan", "ask_on": day(14, here), "agreed": "yes"}
        assert here.doctor.post(f"{at}/referrals", right).headers["location"].endswith("?done=referred#referrals")
        page = here.doctor.get(at).text
        assert "Legal aid</strong>, Klinik Yayasan" in page
        with here.database.reading() as session:
            (referral,) = session.scalars(select(Referral))
        path = f"{at}/referrals/{referral.id}/close"
        late = {"referral": str(referral.id), "outcome": "attended", "attended_on": day(1, here)}
        refused = here.doctor.post(path, late)
        assert (refused.status_code, f'value="{day(1, here)}"' in refused.text) == (422, True)
        assert here.doctor.post(path, {**late, "attended_on": day(0, here)}).status_code == 303
        assert "1 earlier referral" in here.doctor.get(at).text
