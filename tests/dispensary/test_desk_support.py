"""Support and symptoms on the pages and through the API, and how alerts are answered, in figures."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest

from dispensary.database import Database
from dispensary.monitoring.alert_load import alert_load
from dispensary.monitoring.alerts import escalate
from dispensary.monitoring.models import Alert
from dispensary.monitoring.support_models import AdherenceSupport
from dispensary.staff.rules import Role
from dispensary.units import ClientId, new_id
from tests.dispensary.desk_place import Desks, day, desks
from tests.dispensary.test_desk_health import all_of, at, enters, later, starts
from tests.dispensary.visiting import text_of


@pytest.fixture
def here(database: Database, now: datetime, tmp_path: Path) -> Desks:
    return desks(database, now, tmp_path)


@pytest.fixture
def client(here: Desks) -> ClientId:
    return here.place.client()


class TestSupport:
    def test_it_is_given_from_the_alert_and_taken_back_on_the_page(self, here: Desks, client: ClientId) -> None:
        enters(here, client, viral_load="4000")
        nurse = here.seat(Role.NURSE)
        assert "Support given" in text_of(nurse.get(at(client)))
        form = {"support": "peer", "support_on": day(0, here), "key": str(uuid4())}
        for _ in range(2):
            assert nurse.post(at(client, "/support"), form).status_code == 303
        (row,) = all_of(here, AdherenceSupport)
        assert "Last: somebody who takes the same stands by on" in text_of(nurse.get(at(client)))
        back = {"reason": "was another client"}
        assert nurse.post(at(client, f"/support/{row.id}/take-back"), back).status_code == 303
        said = text_of(nurse.get(at(client)))
        assert "was another client" in said
        assert "gave adherence support" in here.acts_about(client)
        assert "took adherence support back" in here.acts_about(client)

    def test_what_was_typed_is_kept_when_it_is_refused(self, here: Desks, client: ClientId) -> None:
        form = {"support": "counselling", "support_on": day(1, here), "support_note": "by telephone"}
        page = here.doctor.post(at(client, "/support"), form)
        assert "is still to come" in text_of(page)
        assert 'value="by telephone"' in page.text
        assert all_of(here, AdherenceSupport) == []

    def test_the_api_gives_lists_and_takes_back(self, here: Desks, client: ClientId) -> None:
        path = f"/api/clients/{client}/support"
        body = {"key": str(uuid4()), "on": day(0, here), "kind": "together", "note": "with the doses"}
        first = here.doctor.send("POST", path, body)
        assert first.status_code == 201, first.text
        assert here.doctor.send("POST", path, body).json() == first.json()
        given = first.json()["id"]
        assert here.doctor.send("POST", f"{path}/{given}/take-back", {"reason": "not theirs"}).json()["reason"]
        (listed,) = here.doctor.get(path).json()
        assert listed["taken_back_at"]
        stranger = here.place.client()
        assert here.doctor.send("POST", f"/api/clients/{stranger}/support/{given}/take-back", {"reason": "x"}).is_error
        for role in set(Role) - {Role.DOCTOR, Role.NURSE, Role.PHARMACIST}:
            assert here.seat(role).get(path).status_code == 403


class TestSymptoms:
    @pytest.fixture
    def client(self, here: Desks) -> ClientId:
        client = here.place.client()
        begun = {"kind": "tb", "substances": "rifampicin, isoniazid", "began_on": day(-20, here)}
        assert here.doctor.post(at(client, "/treatments"), begun).status_code == 303
        enters(here, client, alt="190", alt_upper="40")
        return client

    def test_one_press_beside_the_alert_says_that_there_are_some(self, here: Desks, client: ClientId) -> None:
        nurse = here.seat(Role.NURSE)
        page = text_of(nurse.get(at(client)))
        assert "symptoms were not asked about" in page
        assert "With symptoms" in page
        form = {"symptoms": "present", "key": str(uuid4())}
        for _ in range(2):
            assert nurse.post(at(client, "/symptoms"), form).status_code == 303
        page = text_of(nurse.get(at(client)))
        assert "on TB medicines, with symptoms" in page
        assert "Stop isoniazid, rifampicin and pyrazinamide" in page

    def test_the_api_takes_them_as_a_result(self, here: Desks, client: ClientId) -> None:
        body = {
            "key": str(uuid4()),
            "taken_on": day(0, here),
            "results": [{"test": "liver_symptoms", "value": "present"}],
        }
        assert here.doctor.send("POST", f"/api/clients/{client}/results", body).status_code == 201
        alerts = here.doctor.get(f"/api/alerts?client_id={client}").json()
        (found,) = [each for each in alerts if each["rule"] == "tb-alt"]
        assert (found["severity"], found["evidence"]["figures"]["symptoms"]) == ("urgent", True)


def test_a_list_of_everybody_through_the_api_is_written_down_as_seen(here: Desks) -> None:
    for path in ("alerts", "due-tests"):
        before = here.acts_about(here.place.site_id).count("looked at health lists")
        assert here.doctor.get(f"/api/{path}").status_code == 200
        assert here.acts_about(here.place.site_id).count("looked at health lists") == before + 1


class TestFigures:
    def answered(self, here: Desks, client: ClientId, *, dismissed: int, of: int, rule: str = "qtc") -> None:
        opened = here.place.now - timedelta(days=3)
        with here.database.writing() as session:
            for number in range(of):
                session.add(
                    Alert(
                        id=new_id(),
                        site_id=here.place.site_id,
                        client_id=client,
                        cause=f"{rule} {number}",
                        severity="warning",
                        role="doctor",
                        sentence="x",
                        opened_at=opened,
                        rule=rule,
                        evidence={},
                        advice="",
                        read_at=opened + timedelta(hours=1 + number),
                        read_by=here.place.doctor.account_id,
                        resolved_at=opened + timedelta(hours=2 + number),
                        resolved_by=here.place.doctor.account_id,
                        resolution="x",
                        dismissed=number < dismissed,
                    )
                )

    @pytest.mark.parametrize(
        ("dismissed", "of", "said"),
        [(9, 10, True), (4, 5, True), (4, 4, False), (3, 5, False), (0, 10, False)],
        ids=["9 of 10", "4 of 5", "too few", "half", "none"],
    )
    def test_a_rule_that_nobody_heeds_is_named_with_what_to_do(
        self, here: Desks, client: ClientId, dismissed: int, of: int, said: bool
    ) -> None:
        self.answered(here, client, dismissed=dismissed, of=of)
        page = text_of(here.doctor.get("/consulting/health/alerts"))
        sentence = f"{dismissed} of {of} alerts of “QTc” were closed as not worth acting on."
        assert (sentence in page) == said

    def test_times_are_measured_by_severity_and_by_rule(self, here: Desks, client: ClientId) -> None:
        self.answered(here, client, dismissed=0, of=20)
        with here.database.reading() as session:
            load = alert_load(session, site_id=here.place.site_id, zone="Asia/Kuala_Lumpur", at=here.place.now, days=28)
        for (row,) in (load.by_severity, load.by_rule):
            assert (row.read_median, row.read_p95) == (timedelta(hours=10.5), timedelta(hours=19.05))
            assert (row.closed_median, row.closed_p95) == (timedelta(hours=11.5), timedelta(hours=20.05))

    def test_what_was_over_by_itself_is_nobodys_answer(self, here: Desks, client: ClientId) -> None:
        here.doctor.post(at(client, "/medicines"), {"substance": "efavirenz", "started_on": day(0, here)})
        (row,) = all_of(here, Alert)
        medicine = row.cause.removeprefix("start ")
        form = {"stopped_on": day(0, here), "stop_reason": "not tolerated"}
        here.doctor.post(at(client, f"/medicines/{medicine}/stop"), form)
        with here.database.reading() as session:
            load = alert_load(session, site_id=here.place.site_id, zone="Asia/Kuala_Lumpur", at=here.place.now, days=28)
        (rule,) = load.rules
        assert (rule.rule, rule.opened, rule.closed, rule.dismissed) == ("interaction", 2, 0, 0)


class TestQuietRules:
    def test_a_doctor_leaves_a_warning_out_with_a_reason_and_what_is_urgent_still_alerts(
        self, here: Desks, client: ClientId
    ) -> None:
        form = {"quiet": "qtc", "off": "yes"}
        assert "Say why they are not needed." in text_of(here.doctor.post("/office/health/quiet", form))
        form["quiet_reason"] = "The heart clinic sees all of them."
        assert here.administrator.post("/office/health/quiet", form).status_code == 403
        assert here.doctor.post("/office/health/quiet", form).status_code == 303
        assert "opens none The heart clinic sees all of them. (Doctor," in text_of(here.doctor.get("/office/health"))
        enters(here, client, qtc="480")
        assert all_of(here, Alert) == []
        assert "QTc 480 ms" in text_of(here.doctor.get(at(client))), "it is still shown"
        enters(here, client, qtc="500")
        assert [row.severity for row in all_of(here, Alert)] == ["urgent"]
        assert here.doctor.post("/office/health/quiet", {"quiet": "qtc"}).status_code == 303
        other = here.place.client()
        enters(here, other, qtc="480")
        assert [row.severity for row in all_of(here, Alert) if row.client_id == other] == ["warning"]

    @pytest.mark.parametrize("rule", ["interaction", "tb-alt", "hy", "child-pugh", "moon"])
    def test_what_moves_methadone_or_stops_a_medicine_is_never_left_out(self, here: Desks, rule: str) -> None:
        form = {"quiet": rule, "off": "yes", "quiet_reason": "too many"}
        assert here.doctor.post("/office/health/quiet", form).status_code == 404


def test_each_role_has_the_alerts_that_are_for_it_or_were_passed_on_to_it(here: Desks, client: ClientId) -> None:
    enters(here, client, alt="240", alt_upper="40", viral_load="50000")
    nurse, counter = here.seat(Role.NURSE), here.seat(Role.PHARMACIST)
    path = "/consulting/health?show=mine"
    assert "ALT 240 U/L" in text_of(here.doctor.get(path))
    assert "50,000" not in text_of(here.doctor.get(path))
    assert "50,000" in text_of(nurse.get(path))
    assert "ALT 240 U/L" not in text_of(counter.get(path))
    with here.database.writing() as session:
        escalate(session, site_id=here.place.site_id, at=here.place.now + timedelta(hours=25))
    assert "passed on to you ALT 240 U/L" in text_of(counter.get(path))
    assert "ALT 240 U/L" in text_of(here.doctor.get(path)), "it stays with the first role"
    assert text_of(here.doctor.get("/consulting/health")).count("ALT 240 U/L") == 1


def test_days_to_look_for_one_effect_are_one_line_of_the_list(here: Desks, client: ClientId) -> None:
    starts(here, client, "rifampicin")
    later(here, 7)
    said = text_of(here.doctor.get("/consulting/health?show=look"))
    assert said.count("look for withdrawal") == 1
    assert "2 since" in said
