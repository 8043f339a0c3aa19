from __future__ import annotations

import re
from datetime import datetime, timedelta
from pathlib import Path
from typing import ClassVar
from uuid import UUID

import pytest
from sqlalchemy import select

from dispensary.clients.models import Episode
from dispensary.database import Database
from dispensary.monitoring.models import Alert
from dispensary.monitoring.service import open_alert
from dispensary.prescribing.models import Hold
from dispensary.staff.rules import Role, the_program
from dispensary.supplies.closing import close_day
from dispensary.units import ClientId
from tests.dispensary.desk_place import Desks, day, desks
from tests.dispensary.visiting import text_of


@pytest.fixture
def here(database: Database, now: datetime, tmp_path: Path) -> Desks:
    return desks(database, now, tmp_path)


@pytest.fixture
def client(here: Desks) -> ClientId:
    return here.place.client()


def at(client_id: ClientId, below: str = "") -> str:
    return f"/consulting/clients/{client_id}{below}"


def close(here: Desks) -> None:
    with here.database.writing() as session:
        close_day(
            session,
            actor=the_program(here.place.site_id),
            day=here.place.today,
            today=here.place.today,
            counts=None,
            at=here.place.now,
        )


class TestTheClientsPage:
    def test_every_look_is_written_down_with_who_looked(self, here: Desks, client: ClientId) -> None:
        before = here.acts_about(client)

        assert here.doctor.get(at(client)).status_code == 200
        assert here.doctor.get(at(client, "/order")).status_code == 200
        assert here.doctor.get(at(client, "/take-home")).status_code == 200

        assert here.acts_about(client) == [*before, "looked at", "looked at", "looked at"]

    def test_a_client_of_another_site_is_not_there_and_nobody_has_looked(
        self, here: Desks, tmp_path: Path, now: datetime
    ) -> None:
        other = desks(here.database, now, tmp_path, code="SAT").place.client()

        for below in ("", "/order", "/take-home"):
            assert here.doctor.get(at(other, below)).status_code == 404
        assert "looked at" not in here.acts_about(other)

    def test_it_says_the_dose_in_force_and_the_orders_before_and_to_come(self, here: Desks) -> None:
        client = here.enrolled("H1")
        here.ordered(client, "40")
        here.days_pass(3)
        here.ordered(client, "50")

        said = text_of(here.doctor.get(at(client)))

        assert "50 mg from 27 Nov 2026" in said
        assert "All orders 50 mg from 27 Nov 2026 titration Dr. Lim Wei, Fri 27 Nov 2026, 07:00 · Print" in said
        assert "40 mg 24 Nov 2026 – 26 Nov 2026 titration Dr. Lim Wei, Tue 24 Nov 2026, 07:00 · Print" in said

    def test_each_day_is_told_by_shape_in_the_drawing_and_by_words_in_the_table(self, here: Desks) -> None:
        client = here.place.client()
        here.place.decide(client, per_supply=2)
        here.place.give(client, take_home_days=here.place.ahead(1))
        close(here)
        for _ in range(2):
            here.days_pass(1)
            close(here)

        page = here.doctor.get(at(client)).text

        svg = re.search(r'<svg viewBox="0 0 1224 .*?</svg>', page, re.DOTALL)
        assert svg is not None
        assert [svg[0].count(f'class="{mark}"') for mark in ("mark-observed", "mark-take-home", "mark-missed")] == [
            1,
            1,
            1,
        ]
        assert len({"<circle", "<path", "<rect"} & set(re.findall(r"<\w+", svg[0]))) >= 2
        said = text_of(here.doctor.get(at(client)))
        for words in ("taken at the counter 1", "carried home 1", "missed 1", "24 Nov 2026 24 Nov 2026 1 taken at"):
            assert words in said

    @pytest.mark.parametrize(("months", "name"), [(1, "The last month"), (6, "The last 6 months"), (7, "3 months")])
    def test_it_reaches_as_far_back_as_asked(self, here: Desks, client: ClientId, months: int, name: str) -> None:
        assert name in text_of(here.doctor.get(at(client, f"?months={months}")))

    def test_nothing_in_it_needs_a_style_or_a_script_within_the_page(self, here: Desks, client: ClientId) -> None:
        here.follow()
        for path in (
            "/consulting",
            at(client),
            at(client, "/order"),
            at(client, "/take-home"),
            "/consulting/clients/new",
        ):
            page = here.doctor.get(path).text
            assert not re.search(r'\sstyle="|<style|\son\w+="|<script(?![^>]*\ssrc=)', page), path

    def test_days_without_a_dose_are_said_until_there_is_one(self, here: Desks, client: ClientId) -> None:
        here.place.give(client)
        here.days_pass(3)
        assert "2 days without a dose until today" in text_of(here.doctor.get(at(client)))

        here.place.give(client)

        assert "without a dose until today" not in text_of(here.doctor.get(at(client)))

    def test_who_may_not_order_is_offered_no_order(self, here: Desks, client: ClientId) -> None:
        page = here.seat(Role.PHARMACIST).get(at(client)).text

        assert "Change the dose" not in page
        assert "Hold the dose" not in page
        assert "Assess now" not in page


class TestHolds:
    BECAUSE: ClassVar = {"release_reason": "ECG is well"}

    def asked(self, here: Desks, **changed: str) -> dict[str, str]:
        return {"hold_from": day(0, here), "hold_last": "", "hold_reason": "chest pain, ECG first", **changed}

    def holds(self, here: Desks) -> list[Hold]:
        with here.database.reading() as session:
            return list(session.scalars(select(Hold).order_by(Hold.placed_at)))

    def test_a_held_dose_is_refused_at_the_counter_until_the_hold_ends(self, here: Desks, client: ClientId) -> None:
        answer = here.doctor.post(at(client, "/holds"), self.asked(here))

        assert (answer.status_code, answer.headers["location"]) == (303, at(client, "?done=held"))
        pharmacist = here.seat(Role.PHARMACIST)
        refusals = pharmacist.send("GET", f"/api/clients/{client}").json()["refusals"]
        assert [refusal["code"] for refusal in refusals] == ["held"]

        here.doctor.post(at(client, f"/holds/{self.holds(here)[0].id}/release"), self.BECAUSE)

        assert pharmacist.send("GET", f"/api/clients/{client}").json()["refusals"] == []

    def test_the_last_day_is_included(self, here: Desks, client: ClientId) -> None:
        here.doctor.post(at(client, "/holds"), self.asked(here, hold_last=day(2, here)))

        assert self.holds(here)[0].days.upper == here.today + timedelta(days=3)
        assert "24 Nov 2026 – 26 Nov 2026: chest pain" in text_of(here.doctor.get(at(client)))

    def test_sent_twice_it_is_one_hold_and_released_twice_it_is_released(self, here: Desks, client: ClientId) -> None:
        for _ in range(2):
            assert here.doctor.post(at(client, "/holds"), self.asked(here)).status_code == 303
        (held,) = self.holds(here)

        for _ in range(2):
            assert here.doctor.post(at(client, f"/holds/{held.id}/release"), self.BECAUSE).status_code == 303
        assert "ended Tue 24 Nov 2026, 07:00, Doctor: ECG is well" in text_of(here.doctor.get(at(client)))

    def test_refused_the_page_comes_again_with_what_was_typed(self, here: Desks, client: ClientId) -> None:
        answer = here.doctor.post(at(client, "/holds"), self.asked(here, hold_reason="", hold_last="2026-13-01"))

        assert answer.status_code == 422
        assert "“2026-13-01” is not a day." in text_of(answer)
        assert re.search(r'<details class="more" open', answer.text)
        assert self.holds(here) == []

    def test_it_does_not_end_without_a_reason(self, here: Desks, client: ClientId) -> None:
        here.doctor.post(at(client, "/holds"), self.asked(here))

        assert here.doctor.post(at(client, f"/holds/{self.holds(here)[0].id}/release")).status_code == 422
        assert self.holds(here)[0].released_at is None

    def test_a_day_that_has_passed_is_not_held(self, here: Desks, client: ClientId) -> None:
        assert here.doctor.post(at(client, "/holds"), self.asked(here, hold_from=day(-1, here))).status_code == 422

    def test_a_hold_of_another_client_is_not_there(self, here: Desks, client: ClientId) -> None:
        here.doctor.post(at(client, "/holds"), self.asked(here))
        other = here.place.client()

        assert here.doctor.post(at(other, f"/holds/{self.holds(here)[0].id}/release"), self.BECAUSE).status_code == 404

    def test_a_nurse_places_none(self, here: Desks, client: ClientId) -> None:
        assert here.seat(Role.NURSE).post(at(client, "/holds"), self.asked(here)).status_code == 403


class TestAlerts:
    @pytest.fixture
    def alert(self, here: Desks, client: ClientId) -> UUID:
        with here.database.writing() as session:
            open_alert(
                session,
                site_id=here.place.site_id,
                client_id=client,
                cause="ecg",
                severity="urgent",
                role=Role.DOCTOR,
                sentence="ECG is due.",
                at=here.place.now,
            )
        with here.database.reading() as session:
            return session.scalars(select(Alert.id)).one()

    def test_it_stays_until_somebody_says_what_was_done(self, here: Desks, client: ClientId, alert: UUID) -> None:
        path = at(client, f"/alerts/{alert}/resolve")
        assert here.doctor.post(path, {"resolution": " "}).status_code == 422
        assert "ECG is due." in text_of(here.doctor.get(at(client)))

        assert here.doctor.post(path, {"resolution": "QTc 430 ms"}).status_code == 303

        said = text_of(here.doctor.get(at(client)))
        assert "Close this alert" not in said
        assert "24 Nov 2026 urgent alert: ECG is due. QTc 430 ms" in said
        assert here.acts_about(client).count("resolved alert") == 1

    def test_sent_twice_it_is_closed_once_and_another_word_is_too_late(
        self, here: Desks, client: ClientId, alert: UUID
    ) -> None:
        path = at(client, f"/alerts/{alert}/resolve")
        for _ in range(2):
            assert here.doctor.post(path, {"resolution": "QTc 430 ms"}).status_code == 303

        assert here.doctor.post(path, {"resolution": "something else"}).status_code == 404
        assert here.acts_about(client).count("resolved alert") == 1

    def test_it_is_closed_on_its_own_clients_page_alone(self, here: Desks, alert: UUID) -> None:
        other = here.place.client()

        assert here.doctor.post(at(other, f"/alerts/{alert}/resolve"), {"resolution": "x"}).status_code == 404


class TestTheEndOfAStay:
    def test_a_doctor_ends_it_for_a_reason_and_the_page_says_so(self, here: Desks, client: ClientId) -> None:
        form = {"ended_on": day(0, here), "exit_reason": "transferred"}

        for _ in range(2):
            assert here.doctor.post(at(client, "/end"), form).status_code == 303

        with here.database.reading() as session:
            episode = session.scalars(select(Episode)).one()
        assert (episode.ended_on, episode.exit_reason) == (here.today, "transferred")
        assert here.acts_about(client).count("ended episode") == 1
        page = here.doctor.get(at(client)).text
        assert "not in treatment since" in page
        assert "Change the dose" not in page

    @pytest.mark.parametrize(
        "changed", [{"exit_reason": ""}, {"exit_reason": "relapse"}, {"ended_on": "2099-01-01"}, {"ended_on": ""}]
    )
    def test_without_a_reason_that_there_is_or_a_day_that_has_come_it_goes_on(
        self, here: Desks, client: ClientId, changed: dict[str, str]
    ) -> None:
        form = {"ended_on": day(0, here), "exit_reason": "died", **changed}

        assert here.doctor.post(at(client, "/end"), form).status_code == 422

        with here.database.reading() as session:
            assert session.scalars(select(Episode)).one().ended_on is None
