"""The pages of health: what is entered, what is said at once, who answers an alert, and who never sees any of it."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest
from litestar.handlers import HTTPRouteHandler
from sqlalchemy import select

from dispensary.database import Database
from dispensary.desks import health as health_desk
from dispensary.desks import (
    health_cascades,
    health_figures,
    health_lists,
    health_medicines,
    health_results,
    health_setting,
    health_support,
    health_treatments,
)
from dispensary.monitoring.alerts import escalate
from dispensary.monitoring.models import Alert
from dispensary.monitoring.result_models import HealthResult, Laboratory
from dispensary.monitoring.treatment_models import Medication, Refill, ScheduledLook, Treatment
from dispensary.staff.rules import Act, Role, may
from dispensary.takehome.queries import history_of
from dispensary.units import ClientId
from tests.dispensary.desk_place import Desks, day, desks
from tests.dispensary.visiting import text_of

MODULES = (
    health_desk,
    health_results,
    health_medicines,
    health_treatments,
    health_lists,
    health_cascades,
    health_figures,
    health_setting,
    health_support,
)


@pytest.fixture
def here(database: Database, now: datetime, tmp_path: Path) -> Desks:
    return desks(database, now, tmp_path)


@pytest.fixture
def client(here: Desks) -> ClientId:
    return here.place.client()


def at(client_id: ClientId, below: str = "") -> str:
    return f"/consulting/clients/{client_id}/health{below}"


def all_of(here: Desks, table: type) -> list:  # type: ignore[type-arg]
    with here.database.reading() as session:
        return list(session.scalars(select(table)))


def enters(here: Desks, client: ClientId, ago: int = 0, **values: str):  # type: ignore[no-untyped-def]
    return here.doctor.post(at(client, "/results"), {"taken_on": day(-ago, here), **values})


def starts(here: Desks, client: ClientId, name: str, **more: str):  # type: ignore[no-untyped-def]
    return here.doctor.post(at(client, "/medicines"), {"substance": name, "started_on": day(0, here), **more})


def later(here: Desks, days: int) -> None:
    """Days pass, after which the doctor signs in again."""
    here.days_pass(days)
    assert here.doctor.signs_in("doctor").status_code == 303


class TestResults:
    def test_several_are_entered_at_once_and_what_follows_stands_on_the_page(
        self, here: Desks, client: ClientId
    ) -> None:
        enters(here, client, ago=40, alt="50", alt_upper="40")
        answer = enters(here, client, alt="240", alt_upper="40", bilirubin="0.8", bilirubin_unit="mg/dL")
        assert answer.headers["location"] == at(client, "?done=entered")
        said = text_of(here.doctor.get(answer.headers["location"]))
        assert "ALT 240 U/L, 6 times the upper limit, rising." in said
        assert "Urgent review." in said
        assert "13.68" in said
        assert "looked at" in here.acts_about(client)
        page = here.doctor.get(at(client)).text
        assert '<polyline class="spark-line"' in page
        assert "style=" not in page

    def test_everything_typed_stays_when_it_is_refused_and_an_unusual_value_asks_once(
        self, here: Desks, client: ClientId
    ) -> None:
        typed = {"alt": "many", "platelets": "2", "ast": "31", "laboratory": "Makmal Jaya"}
        refused = enters(here, client, **typed)
        assert refused.status_code == 422
        for value in typed.values():
            assert f'value="{value}"' in refused.text
        assert "is unusual" in refused.text
        assert "The unusual values are right" in refused.text
        assert all_of(here, HealthResult) == []
        assert enters(here, client, **{**typed, "alt": "30", "sure": "yes"}).status_code == 303
        assert len(all_of(here, HealthResult)) == 3
        assert [row.name for row in all_of(here, Laboratory)] == ["Makmal Jaya"]

    def test_the_same_form_twice_is_one_entry(self, here: Desks, client: ClientId) -> None:
        for _ in range(2):
            enters(here, client, alt="30", key="018f0000-0000-7000-8000-000000000001")
        assert len(all_of(here, HealthResult)) == 1

    def test_a_value_is_corrected_and_taken_back_and_both_stay_readable(self, here: Desks, client: ClientId) -> None:
        enters(here, client, alt="240", alt_upper="40")
        (wrong,) = all_of(here, HealthResult)
        path = at(client, f"/results/{wrong.id}/correct")
        refused = here.doctor.post(path, {"test": "alt", "value": "24"})
        assert refused.status_code == 422
        here.doctor.post(path, {"test": "alt", "value": "24", "unit": "U/L", "reason": "a slip"})
        said = text_of(here.doctor.get(at(client, "/tests/alt")))
        assert "24 U/L" in said
        assert "before: 240 U/L" in said
        assert "corrected: a slip" in said
        newest = next(row for row in all_of(here, HealthResult) if row.replaces)
        here.doctor.post(
            at(client, f"/results/{newest.id}/correct"), {"test": "alt", "take_back": "yes", "reason": "not theirs"}
        )
        assert "taken back" in text_of(here.doctor.get(at(client, "/tests/alt")))

    def test_another_site_s_client_is_not_there(self, here: Desks, now: datetime, tmp_path: Path) -> None:
        stranger = desks(here.database, now, tmp_path, code="SAT").place.client()
        for below in ("", "/results", "/medicines", "/tests/alt"):
            assert here.doctor.get(at(stranger, below)).status_code == 404
        assert enters(here, stranger, alt="30").status_code == 404
        assert all_of(here, HealthResult) == []


class TestMedicines:
    def test_what_it_does_is_said_at_once_when_it_starts_and_when_it_stops(self, here: Desks, client: ClientId) -> None:
        answer = starts(here, client, "efavirenz")
        said = text_of(here.doctor.get(answer.headers["location"]))
        assert "efavirenz: methadone falls by 52 to 57 %" in said
        assert "It is written down as started." in said
        (medicine,) = all_of(here, Medication)
        assert len(all_of(here, ScheduledLook)) == 2
        here.doctor.post(
            at(client, f"/medicines/{medicine.id}/stop"), {"stopped_on": day(0, here), "stop_reason": "not tolerated"}
        )
        assert "efavirenz has stopped: methadone rises again" in text_of(here.doctor.get(at(client)))

    def test_an_unknown_name_asks_what_was_meant_before_it_is_kept(self, here: Desks, client: ClientId) -> None:
        refused = starts(here, client, "efavirens")
        assert "Did you mean efavirenz?" in text_of(refused)
        assert 'value="efavirens"' in refused.text
        assert all_of(here, Medication) == []
        assert starts(here, client, "efavirens", sure="yes").status_code == 303
        assert "Nothing is known here about “efavirens” and methadone" in text_of(here.doctor.get(at(client)))

    def test_sedation_and_qt_add_up_over_the_whole_list(self, here: Desks, client: ClientId) -> None:
        for name in ("diazepam", "alcohol", "haloperidol"):
            starts(here, client, name)
        said = text_of(here.doctor.get(at(client)))
        assert "Slow the breathing, together with methadone: " in said
        assert "Lengthen the QT time, together with methadone: haloperidol." in said

    def test_a_switch_ends_one_and_starts_the_other_in_the_same_treatment(self, here: Desks, client: ClientId) -> None:
        begun = {"kind": "art", "substances": "efavirenz, lamivudine\ntenofovir", "began_on": day(0, here)}
        for _ in range(2):
            assert here.doctor.post(at(client, "/treatments"), begun).status_code == 303
        old = next(row for row in all_of(here, Medication) if row.name == "efavirenz")
        form = {"substance": "dolutegravir", "switched_on": day(0, here), "switch_reason": "withdrawal"}
        for _ in range(2):
            assert here.doctor.post(at(client, f"/medicines/{old.id}/switch"), form).status_code == 303
        rows = {row.name: row for row in all_of(here, Medication)}
        assert rows["efavirenz"].stopped_on == here.today
        assert rows["dolutegravir"].treatment_id == rows["lamivudine"].treatment_id
        assert len(rows) == 4

    def test_refills_are_written_down_once_counted_for_each_part_and_taken_back(
        self, here: Desks, client: ClientId
    ) -> None:
        begun = {"kind": "art", "substances": "lamivudine, dolutegravir", "began_on": day(0, here)}
        here.doctor.post(at(client, "/treatments"), begun)
        (treatment,) = all_of(here, Treatment)
        parts = [str(row.id) for row in all_of(here, Medication)]
        path = at(client, f"/treatments/{treatment.id}")
        assert "No medicine was chosen." in text_of(
            here.doctor.post(f"{path}/refill", {"on": day(0, here), "days": "30"})
        )
        form = {"on": day(0, here), "days": "30", "parts": parts, "key": "018f0000-0000-7000-8000-000000000002"}
        for _ in range(2):
            assert here.doctor.post(f"{path}/refill", form).status_code == 303
        assert len(all_of(here, Refill)) == 2
        later(here, 10)
        said = text_of(here.doctor.get(at(client)))
        assert "Covered on 100 % of the last 10 days. Lasts until" in said
        here.doctor.post(
            at(client, f"/refills/{all_of(here, Refill)[0].id}/void"),
            {"treatment": str(treatment.id), "void_reason": "for another client"},
        )
        assert "for another client" in text_of(here.doctor.get(path))
        here.doctor.post(f"{path}/stop", {"stopped_on": day(0, here), "stop_reason": "moves away"})
        assert {row.stopped_on for row in all_of(here, Medication)} == {here.today}

    def test_who_has_looked_says_what_they_saw(self, here: Desks, client: ClientId) -> None:
        starts(here, client, "efavirenz")
        look = all_of(here, ScheduledLook)[0]
        for _ in range(2):
            here.doctor.post(at(client, f"/looks/{look.id}"), {"found": "No sign of withdrawal."})
        assert sorted(row.found for row in all_of(here, ScheduledLook)) == ["", "No sign of withdrawal."]
        assert here.acts_about(client).count("looked for an effect") == 1


class TestAlerts:
    def test_one_is_read_by_its_role_and_closed_as_not_worth_acting_on(self, here: Desks, client: ClientId) -> None:
        enters(here, client, alt="240", alt_upper="40")
        (alert,) = all_of(here, Alert)
        refused = here.seat(Role.NURSE).post(at(client, f"/alerts/{alert.id}/read"))
        assert "This alert is for the doctor." in text_of(refused)
        assert "I have read it" not in text_of(here.seat(Role.NURSE).get(at(client)))
        here.doctor.post(at(client, f"/alerts/{alert.id}/read"))
        assert "read by Doctor" in text_of(here.doctor.get(at(client)))
        form = {"resolution": "Known for years.", "dismissed": "yes"}
        for _ in range(2):
            assert here.doctor.post(at(client, f"/alerts/{alert.id}/close"), form).status_code == 303
        (alert,) = all_of(here, Alert)
        assert alert.dismissed
        said = text_of(here.doctor.get("/consulting/health/alerts"))
        assert "ALT by its upper limit 1 1 1 (100 %)" in said
        assert "doctor 1 1 0.04" in said or "doctor 1 " in said

    def test_what_nobody_reads_is_passed_on_and_the_list_says_to_whom(self, here: Desks, client: ClientId) -> None:
        enters(here, client, alt="240", alt_upper="40")
        with here.database.writing() as session:
            escalate(session, site_id=here.place.site_id, at=here.place.now + timedelta(hours=25))
        said = text_of(here.doctor.get("/consulting"))
        assert "(for the doctor, passed on to the counter)" in said
        counter = here.seat(Role.PHARMACIST)
        page = text_of(counter.get(f"/counter/clients/{client}"))
        assert "An alert that nobody has read was passed on to you." in page
        assert "ALT" not in page
        (alert,) = all_of(here, Alert)
        assert counter.post(at(client, f"/alerts/{alert.id}/read")).status_code == 303

    def test_the_counter_has_one_quiet_line_of_an_interaction_and_no_result(
        self, here: Desks, client: ClientId
    ) -> None:
        starts(here, client, "rifampicin")
        enters(here, client, viral_load="50000")
        page = text_of(here.seat(Role.PHARMACIST).get(f"/counter/clients/{client}"))
        assert "rifampicin: methadone falls" in page
        assert "iral load" not in page

    def test_how_somebody_takes_their_hiv_medicine_never_costs_them_take_home(
        self, here: Desks, client: ClientId
    ) -> None:
        enters(here, client, viral_load="50000", alt="240", alt_upper="40")
        with here.database.reading() as session:
            history = history_of(session, client, here.today)
        assert history is not None
        assert [alert.cause for alert in history.open_alerts] == ["alt"]

    def test_the_doctor_sees_it_beside_the_dose_that_is_to_change(self, here: Desks, client: ClientId) -> None:
        starts(here, client, "rifampicin")
        starts(here, client, "diazepam")
        enters(here, client, qt="520", heart_rate="70", alt="240", alt_upper="40")
        for below in ("order", "plan"):
            said = text_of(here.doctor.get(f"/consulting/clients/{client}/{below}"))
            assert "rifampicin: methadone falls" in said
            assert "QTc 561.7 ms (Bazett)" in said
            assert "ALT 240 U/L" in said
            assert "1 sedating medicine beside methadone: diazepam" in said


class TestLists:
    def test_everybody_who_needs_something_stands_there_and_leads_to_their_page(
        self, here: Desks, client: ClientId
    ) -> None:
        other = here.place.client()
        here.doctor.post(at(other, "/conditions"), {"kind": "hepatitis_c", "noted_on": day(-300, here)})
        enters(here, client, alt="240", alt_upper="40", viral_load="50000")
        here.doctor.post(
            at(client, "/treatments"), {"kind": "art", "substances": "lamivudine", "began_on": day(0, here)}
        )
        (treatment,) = all_of(here, Treatment)
        (medicine,) = all_of(here, Medication)
        here.doctor.post(
            at(client, f"/treatments/{treatment.id}/refill"),
            {"on": day(0, here), "days": "1", "parts": [str(medicine.id)]},
        )
        later(here, 1)
        page = here.doctor.get("/consulting/health")
        said = text_of(page)
        for words in (
            "ALT 240 U/L",
            "unsuppressed",
            "HIV treatment (ART): none left for today",
            "Liver tests, was due",
        ):
            assert words in said
        assert f'href="/consulting/clients/{client}/health"' in page.text
        only = text_of(here.doctor.get("/consulting/health?show=no-medicine"))
        assert "none left for today" in only
        later(here, 2)
        since = text_of(here.doctor.get("/consulting/health?show=no-medicine"))
        assert "HIV treatment (ART): 2 days without, since" in since
        assert "Offer a refill with the next dose" in since
        assert "ALT 240" not in only

    def test_that_somebody_saw_the_list_is_written_down(self, here: Desks) -> None:
        here.doctor.get("/consulting/health?show=viral-load")
        assert "looked at health lists" in here.acts_about(here.place.site_id)


class TestConditions:
    def test_one_is_noted_makes_tests_due_and_is_over(self, here: Desks, client: ClientId) -> None:
        here.doctor.post(at(client, "/conditions"), {"kind": "hepatitis_c", "noted_on": day(-200, here)})
        assert "Liver tests: was due on" in text_of(here.doctor.get(at(client)))
        here.doctor.post(at(client, "/conditions/hepatitis_c/end"), {"ended_on": day(0, here)})
        assert "Liver tests: was due on" not in text_of(here.doctor.get(at(client)))
        here.doctor.post(at(client, "/conditions"), {"kind": "hepatitis_c", "noted_on": day(-200, here)})
        assert "Liver tests: was due on" in text_of(here.doctor.get(at(client)))


class TestSetting:
    def test_a_draft_is_off_until_a_doctor_sets_an_interval_and_signs_for_it(
        self, here: Desks, client: ClientId
    ) -> None:
        assert "draft: off" in text_of(here.doctor.get("/office/health"))
        assert "HIV test" not in text_of(here.doctor.get(at(client)))
        form = {"rule": "hiv-test", "every_months": "6"}
        assert "Say what it rests on." in text_of(here.doctor.post("/office/health/due", form))
        assert here.administrator.post("/office/health/due", {**form, "reason": "so"}).status_code == 403
        here.doctor.post("/office/health/due", {**form, "reason": "National guideline 2024"})
        said = text_of(here.doctor.get("/office/health"))
        assert "National guideline 2024 (Doctor," in said
        assert "HIV test: due on" in text_of(here.doctor.get(at(client)))
        here.doctor.post("/office/health/due", {"rule": "hiv-test", "ignored": "yes", "reason": "done elsewhere"})
        assert "HIV test: due on" not in text_of(here.doctor.get(at(client)))

    def test_judging_and_limits_are_set_by_doctor_or_administrator(self, here: Desks, client: ClientId) -> None:
        form = {
            "viral_load_version": "WHO-2021",
            "adherence_percent": "90",
            "urgent_hours": "12",
            "warning_hours": "72",
        }
        assert here.administrator.post("/office/health/judging", {**form, "urgent_hours": "0"}).status_code != 303
        assert here.administrator.post("/office/health/judging", form).status_code == 303
        limit = {"laboratory": "Makmal Jaya", "analyte": "alt", "upper": "35"}
        assert here.administrator.post("/office/health/limits", limit).status_code == 303
        enters(here, client, alt="70", laboratory="Makmal Jaya")
        assert "ALT 70 U/L, 2 times the upper limit" in text_of(here.doctor.get(at(client)))
        here.doctor.post("/office/health/due", {"rule": "ecg-start", "every_months": "500", "reason": "x"})


class TestWhoSeesIt:
    TREATS = frozenset({Role.DOCTOR, Role.NURSE, Role.PHARMACIST})

    def test_no_route_opens_to_reception_evaluator_or_administrator(self, here: Desks, client: ClientId) -> None:
        some_id = UUID(int=7)
        seen = 0
        for module in MODULES:
            for handler in module.HANDLERS:
                assert isinstance(handler, HTTPRouteHandler)
                for path in handler.paths:
                    real = path.replace("{client_id:uuid}", str(client)).replace("{code:str}", "alt")
                    real = re.sub(r"\{[a-z_]+:(uuid|str)\}", str(some_id), real)
                    for role in set(Role) - self.TREATS:
                        if role is Role.ADMINISTRATOR and real.startswith("/office"):
                            continue
                        visitor = here.seat(role)
                        answer = visitor.get(real) if "GET" in handler.http_methods else visitor.post(real)
                        assert answer.status_code == 403, (role, real)
                        seen += 1
        assert seen > 60

    def test_the_cascades_count_each_step_and_name_nobody(self, here: Desks, client: ClientId) -> None:
        other = here.place.client()
        for each in (client, other):
            here.doctor.post(at(each, "/conditions"), {"kind": "hiv", "noted_on": day(-30, here)})
        here.doctor.post(
            at(client, "/treatments"), {"kind": "art", "substances": "lamivudine", "began_on": day(0, here)}
        )
        page = here.doctor.get("/consulting/health/cascades")
        said = text_of(page)
        assert "clients in care who live with HIV 2" in said
        assert "on ART, of those in care 1 50 %" in said
        for each in (client, other):
            assert str(each) not in page.text
        assert here.seat(Role.RECEPTION).get("/consulting/health/cascades").status_code == 403

    @pytest.mark.parametrize("role", sorted(TREATS))
    def test_those_who_treat_see_it_and_each_look_is_written_down(
        self, here: Desks, client: ClientId, role: Role
    ) -> None:
        for below in ("", "/results", "/medicines", "/tests/alt"):
            before = here.acts_about(client).count("looked at")
            assert here.seat(role).get(at(client, below)).status_code == 200
            assert here.acts_about(client).count("looked at") == before + 1
        assert here.seat(role).get("/consulting/health").status_code == 200
        assert here.seat(role).get("/office/health").status_code == (200 if may([role], Act.SET_HEALTH) else 403)

    def test_the_page_of_reception_and_the_office_name_no_illness(self, here: Desks, client: ClientId) -> None:
        here.doctor.post(at(client, "/conditions"), {"kind": "hiv", "noted_on": day(-10, here)})
        enters(here, client, viral_load="50000")
        for role, path in ((Role.RECEPTION, "/reception"), (Role.ADMINISTRATOR, "/office/health")):
            said = text_of(here.seat(role).get(path))
            assert "50,000" not in said
            assert "H0" not in said or role is Role.RECEPTION
