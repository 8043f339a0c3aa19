"""Results, medicines and alerts: kept once, never changed, judged for one as for everybody."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from decimal import Decimal
from uuid import UUID

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError

from dispensary.database import Database
from dispensary.jobs import judge_sites, pass_alerts_on
from dispensary.monitoring.alerts import escalate, read_alert
from dispensary.monitoring.due_models import DueTest
from dispensary.monitoring.importing import put_away
from dispensary.monitoring.incoming_models import ResultFile
from dispensary.monitoring.judging import judge_health
from dispensary.monitoring.models import Alert
from dispensary.monitoring.refills import refill, void_refill
from dispensary.monitoring.result_models import HealthResult
from dispensary.monitoring.results import Measurement, correct_result, enter_results, laboratory, results_of, set_limit
from dispensary.monitoring.service import note_condition, resolve_alert
from dispensary.monitoring.support import give_support
from dispensary.monitoring.treatment_models import ScheduledLook
from dispensary.monitoring.treatments import start_medicine, start_treatment, stop_medicine
from dispensary.refusals import BadInput, NotThere, Refused
from dispensary.units import ClientId, new_id
from dispensary.verification.verifying import verify
from tests.builders import Clinic, clinic


@pytest.fixture
def here(database: Database, now: datetime) -> Clinic:
    return clinic(database, now)


def entered(here: Clinic, client: ClientId, *values: Measurement, key: str = "key-1", ago: int = 0, **more):
    with here.database.writing() as session:
        rows = enter_results(
            session,
            actor=here.doctor,
            client_id=client,
            taken_on=here.today - timedelta(days=ago),
            measurements=values,
            key=key,
            today=here.today,
            at=here.now,
            **more,
        )
        judge_health(session, site_id=here.site_id, on=here.today, at=here.now, client_ids=[client])
        return [row.id for row in rows]


def alt(value: str, upper: str = "40") -> Measurement:
    return Measurement("alt", value, upper=upper)


def alerts(here: Clinic, client: ClientId, *, closed: bool = False) -> list[tuple[str, str]]:
    with here.database.reading() as session:
        rows = session.scalars(
            select(Alert).where(Alert.client_id == client, Alert.resolved_at.is_not(None) == closed).order_by(Alert.id)
        )
        return [(row.cause, row.severity) for row in rows]


def close(here: Clinic, client: ClientId) -> None:
    with here.database.writing() as session:
        alert = session.scalars(select(Alert).where(Alert.client_id == client, Alert.resolved_at.is_(None))).one()
        resolve_alert(session, actor=here.doctor, alert_id=alert.id, resolution="Seen; repeated soon.", at=here.now)


class TestResults:
    def test_the_same_entry_twice_is_one(self, here: Clinic) -> None:
        client = here.client()
        first = entered(here, client, alt("30"), Measurement("ast", "25"))
        assert entered(here, client, alt("30"), Measurement("ast", "25")) == first
        with here.database.reading() as session:
            assert len(results_of(session, client_id=client)) == 2

    def test_every_fault_is_named_where_it_is_and_nothing_is_kept(self, here: Clinic) -> None:
        client = here.client()
        with pytest.raises(BadInput) as refused:
            entered(
                here, client, alt("many"), Measurement("platelets", "2", field="p"), Measurement("moon", "1"), ago=-1
            )
        assert [(each.code, each.field) for each in refused.value.refusals] == [
            ("bad-value", "alt"),
            ("implausible", "p"),
            ("no-test", "moon"),
            ("day-to-come", "taken_on"),
        ]
        with here.database.reading() as session:
            assert results_of(session, client_id=client) == []

    def test_an_unusual_value_is_kept_when_somebody_is_sure(self, here: Clinic) -> None:
        client = here.client()
        entered(here, client, Measurement("platelets", "2"), sure=True)

    def test_a_correction_stands_in_the_place_of_what_was_wrong_and_both_are_kept(self, here: Clinic) -> None:
        client = here.client()
        (wrong,) = entered(here, client, alt("240"))
        for _ in range(2):  # a form that was sent again
            with here.database.writing() as session:
                correct_result(
                    session, actor=here.doctor, result_id=wrong, value="24", unit="", reason="a slip", at=here.now
                )
        with here.database.reading() as session:
            (now,) = results_of(session, client_id=client)
            assert (now.number, now.upper, now.replaces) == (24, 40, wrong)
            assert session.get_one(HealthResult, wrong).number == 240
        with here.database.writing() as session, pytest.raises(Refused):
            correct_result(session, actor=here.doctor, result_id=wrong, value="25", unit="", reason="no", at=here.now)
        with here.database.writing() as session:
            correct_result(
                session, actor=here.doctor, result_id=now.id, value="", unit="", reason="not theirs", at=here.now
            )
        with here.database.reading() as session:
            assert results_of(session, client_id=client) == []

    def test_postgresql_keeps_what_was_measured(self, here: Clinic) -> None:
        client, other = here.client(), here.client()
        (result,) = entered(here, client, alt("30"))
        for sql in (
            "UPDATE health_result SET number = 3",
            "DELETE FROM health_result",
            "TRUNCATE health_result CASCADE",
            f"INSERT INTO health_result SELECT gen_random_uuid(), '{other}', site_id, analyte, taken_on, number,"
            " comparator, choice, lower, upper, laboratory_id, panel, formula, typed, source, 'x',"
            f" '{result}', 'why', entered_at, entered_by FROM health_result",
        ):
            with pytest.raises(DBAPIError), here.database.writing() as session:
                session.execute(text(sql))

    def test_another_site_sees_nothing(self, here: Clinic, database: Database, now: datetime) -> None:
        there, client = clinic(database, now, code="KLG"), here.client()
        (result,) = entered(here, client, alt("30"))
        with pytest.raises(NotThere):
            entered(there, client, alt("30"))
        with there.database.writing() as session, pytest.raises(NotThere):
            correct_result(session, actor=there.doctor, result_id=result, value="3", unit="", reason="x", at=now)

    def test_a_result_takes_the_limits_of_its_laboratory(self, here: Clinic) -> None:
        client = here.client()
        with here.database.writing() as session:
            place = laboratory(session, actor=here.doctor, name="  City   lab ")
            assert laboratory(session, actor=here.doctor, name="City lab").id == place.id
            limits = {"analyte": "bilirubin", "sex": "", "lower": "", "upper": "1.2", "unit": "mg/dL"}
            set_limit(session, actor=here.doctor, laboratory_id=place.id, at=here.now, **limits)
            place_id: UUID = place.id
        (result,) = entered(here, client, Measurement("bilirubin", "42"), laboratory_id=place_id)
        with here.database.reading() as session:
            assert session.get_one(HealthResult, result).upper == Decimal("20.52")


class TestAlerts:
    def test_a_grave_result_opens_one_alert_for_its_cause(self, here: Clinic) -> None:
        client = here.client()
        entered(here, client, alt("130"))
        assert alerts(here, client) == [("alt", "warning")]
        entered(here, client, alt("240"), key="key-2")
        assert alerts(here, client) == [("alt", "urgent")]
        entered(here, client, alt("50"), key="key-3")
        assert alerts(here, client) == [("alt", "urgent")], "it stays until somebody closes it"

    def test_a_closed_one_is_opened_by_newer_evidence_and_not_by_the_same(self, here: Clinic) -> None:
        client = here.client()
        entered(here, client, alt("130"))
        close(here, client)
        with here.database.writing() as session:
            judge_health(session, site_id=here.site_id, on=here.today, at=here.now)
        assert alerts(here, client) == []
        entered(here, client, alt("135"), key="key-2")
        assert alerts(here, client) == [("alt", "warning")]

    def test_growing_graver_it_has_to_be_read_again(self, here: Clinic) -> None:
        client = here.client()
        entered(here, client, alt("130"))
        with here.database.writing() as session:
            alert = session.scalars(select(Alert).where(Alert.client_id == client)).one()
            read_alert(session, actor=here.doctor, alert_id=alert.id, at=here.now)
        with here.database.writing() as session:
            assert escalate(session, site_id=here.site_id, at=here.now + timedelta(days=30)) == 0
        entered(here, client, alt("240"), key="key-2")
        with here.database.writing() as session:
            again = session.get_one(Alert, alert.id)
            assert (again.read_at, again.raised_at) == (None, here.now)
            assert escalate(session, site_id=here.site_id, at=here.now + timedelta(hours=23)) == 0
            assert escalate(session, site_id=here.site_id, at=here.now + timedelta(hours=24)) == 1
            assert escalate(session, site_id=here.site_id, at=here.now + timedelta(hours=25)) == 0
        with here.database.reading() as session:
            assert session.get_one(Alert, alert.id).escalated_to == "pharmacist"

    def test_one_by_one_and_all_at_once_come_to_the_same(self, here: Clinic) -> None:
        clients = [here.client() for _ in range(6)]
        for number, client in enumerate(clients):
            with here.database.writing() as session:
                enter_results(
                    session,
                    actor=here.doctor,
                    client_id=client,
                    taken_on=here.today,
                    measurements=[alt(str(60 * number + 20)), Measurement("qtc", str(440 + 15 * number))],
                    key="k",
                    today=here.today,
                    at=here.now,
                )
        with here.database.writing() as session:
            for client in clients[:3]:
                judge_health(session, site_id=here.site_id, on=here.today, at=here.now, client_ids=[client])
        singly = [alerts(here, client) for client in clients[:3]]
        with here.database.writing() as session:
            done = judge_health(session, site_id=here.site_id, on=here.today, at=here.now)
        assert done.clients == 6
        assert [alerts(here, client) for client in clients[:3]] == singly
        assert alerts(here, clients[5]) == [("alt", "urgent"), ("qtc", "urgent")]


class TestMedicines:
    def start(self, here: Clinic, client: ClientId, substance: str, ago: int = 0) -> UUID:
        with here.database.writing() as session:
            return start_medicine(
                session,
                actor=here.doctor,
                client_id=client,
                substance=substance,
                started_on=here.today - timedelta(days=ago),
                today=here.today,
                at=here.now,
            ).id

    def stop(self, here: Clinic, medicine: UUID) -> None:
        with here.database.writing() as session:
            stop_medicine(
                session,
                actor=here.doctor,
                medication_id=medicine,
                stopped_on=here.today,
                reason="finished",
                today=here.today,
                at=here.now,
            )

    def looks(self, here: Clinic, *, moment: str) -> list[date]:
        with here.database.reading() as session:
            found = select(ScheduledLook.on_day).where(ScheduledLook.moment == moment, ScheduledLook.done_at.is_(None))
            return sorted(session.execute(found).scalars())

    def test_efavirenz_is_spoken_of_when_it_starts_and_when_it_stops(self, here: Clinic) -> None:
        client = here.client()
        medicine = self.start(here, client, "Efavirenz")
        assert self.start(here, client, "efavirenz") == medicine
        assert alerts(here, client) == [(f"start {medicine}", "warning")]
        assert self.looks(here, moment="start") == [here.today + timedelta(days=n) for n in (8, 10)]
        here.move_on(3)
        self.stop(here, medicine)
        self.stop(here, medicine)
        assert alerts(here, client) == [(f"stop {medicine}", "warning")]
        assert alerts(here, client, closed=True) == [(f"start {medicine}", "warning")]
        assert self.looks(here, moment="start") == []
        self.start(here, client, "EFAVIRENZ")
        assert f"stop {medicine}" in [cause for cause, _ in alerts(here, client, closed=True)]
        assert len(alerts(here, client)) == 1

    def test_rifampicin_is_looked_after_for_two_weeks_after_its_end(self, here: Clinic) -> None:
        client = here.client()
        self.stop(here, self.start(here, client, "rifampicin", ago=60))
        assert self.looks(here, moment="stop")[-1] == here.today + timedelta(days=14)

    def test_what_is_unknown_is_an_alert_and_what_does_nothing_is_none(self, here: Clinic) -> None:
        client, other = here.client(), here.client()
        self.start(here, client, "xyzol")
        self.start(here, other, "dolutegravir")
        assert [severity for _, severity in alerts(here, client)] == ["warning"]
        assert alerts(here, other) == []

    def test_a_treatment_runs_once_and_a_refill_counts_once(self, here: Clinic) -> None:
        client = here.client()
        with here.database.writing() as session:
            begun = {"kind": "art", "substances": ["dolutegravir", "lamivudine"], "started_on": here.today}
            who = {"actor": here.doctor, "client_id": client, "today": here.today, "at": here.now}
            start_treatment(session, **who, **begun)
            with pytest.raises(Refused):
                start_treatment(session, **who, **begun)
        medicine = self.start(here, client, "lamivudine")
        with here.database.writing() as session:
            asked = {"actor": here.pharmacist, "medication_id": medicine, "today": here.today, "at": here.now}
            once = refill(session, **asked, on=here.today, days=30, key="a")
            assert refill(session, **asked, on=here.today, days=30, key="a").id == once.id
            for wrong in ({"days": 0}, {"days": 367}, {"days": 2, "observed": True}):
                with pytest.raises(BadInput):
                    refill(session, **asked, on=here.today, key=str(wrong), **wrong)
            void_refill(session, actor=here.pharmacist, refill_id=once.id, reason="another's", at=here.now)
        with pytest.raises(DBAPIError), here.database.writing() as session:
            session.execute(text("UPDATE refill SET voided_at = NULL"))

    def test_poor_cover_over_three_months_is_an_offer_of_help_once_a_month(self, here: Clinic) -> None:
        client = here.client(began=here.today)
        with here.database.writing() as session:
            who = {"actor": here.doctor, "client_id": client, "today": here.today, "at": here.now}
            start_treatment(
                session, **who, kind="art", substances=["dolutegravir"], started_on=here.today - timedelta(days=100)
            )
        medicine = self.start(here, client, "dolutegravir")
        with here.database.writing() as session:
            asked = {"actor": here.pharmacist, "medication_id": medicine, "today": here.today, "at": here.now}
            refill(session, **asked, on=here.today - timedelta(days=90), days=30, key="a")
            judge_health(session, site_id=here.site_id, on=here.today, at=here.now)
        assert alerts(here, client) == [("adherence art", "warning")]


class TestDue:
    def due(self, here: Clinic, client: ClientId) -> dict[str, date]:
        with here.database.writing() as session:
            judge_health(session, site_id=here.site_id, on=here.today, at=here.now)
        with here.database.reading() as session:
            rows = session.scalars(select(DueTest).where(DueTest.client_id == client))
            return {row.test: row.due_on for row in rows}

    def test_what_is_due_follows_from_what_is_known(self, here: Clinic) -> None:
        client = here.client(mg="120")
        assert self.due(here, client) == {"ecg": here.today}
        entered(here, client, Measurement("qtc", "410"))
        with here.database.writing() as session:
            note_condition(
                session,
                actor=here.doctor,
                client_id=client,
                kind="hepatitis_c",
                noted_on=here.today,
                at=here.now,
            )
        assert self.due(here, client) == {"ecg": here.today + timedelta(days=30), "liver": here.today}
        entered(here, client, alt("30"), key="key-2")
        assert self.due(here, client)["liver"] > here.today + timedelta(days=180)


class TestVerification:
    @pytest.fixture
    def kept(self, here: Clinic) -> Clinic:
        one, other = here.client(), here.client()
        (wrong,) = entered(here, one, alt("30"))
        entered(here, other, alt("30"), key="key-2")
        with here.database.writing() as session:
            who = {"actor": here.doctor, "today": here.today, "at": here.now}
            correct_result(session, actor=here.doctor, result_id=wrong, value="31", unit="", reason="slip", at=here.now)
            treatment = start_treatment(
                session, **who, client_id=one, kind="tb", substances=["rifabutin"], started_on=here.today
            )
            medicine = start_medicine(session, **who, client_id=one, substance="rifabutin", started_on=here.today)
            assert medicine.treatment_id == treatment.id
            refill(session, **who, medication_id=medicine.id, on=here.today, days=30, key="r")
            start_medicine(session, **who, client_id=one, substance="rifampicin", started_on=here.today)
            about = {"laboratory_id": laboratory(session, actor=here.doctor, name="General Hospital").id}
            file = ResultFile(
                id=new_id(),
                site_id=here.site_id,
                **about,
                format="csv",
                name="a",
                digest=b"0" * 32,
                left_out=[],
                content_sealed=b"0",
                uploaded_at=here.now,
            )
            session.add(file)
            session.flush()
            put_away(session, actor=here.doctor, file_id=file.id, at=here.now)
            give_support(session, **who, client_id=one, on=here.today, kind="peer", note="", key="s")
            gone = start_medicine(session, **who, client_id=one, substance="efavirenz", started_on=here.today)
            stopped = {"medication_id": gone.id, "stopped_on": here.today, "reason": "not tolerated"}
            stop_medicine(session, **who, **stopped)
        entered(here, one, alt("300"), key="key-3")
        return here

    def found(self, here: Clinic) -> list[str]:
        with here.database.reading() as session:
            return [str(each) for each in verify(session, now=here.now)]

    def test_a_clinic_at_work_has_no_finding(self, kept: Clinic) -> None:
        assert self.found(kept) == []

    @pytest.mark.parametrize(
        ("sql", "expected"),
        [
            ("UPDATE health_result SET analyte = 'ast' WHERE replaces IS NOT NULL", "is of another client or test"),
            ("UPDATE health_result SET entered_at = entered_at - interval '1 day'", "nobody is written down"),
            ("UPDATE refill SET on_day = on_day - 9", "was not taken then"),
            (
                "UPDATE treatment SET client_id = (SELECT id FROM client WHERE id <> treatment.client_id LIMIT 1)",
                "of another client",
            ),
            (
                "UPDATE alert SET client_id = (SELECT id FROM client WHERE id <> alert.client_id LIMIT 1)",
                "or support of theirs",
            ),
            ("UPDATE scheduled_look SET moment = 'stop'", "or one that went on"),
            ("UPDATE result_file SET closed_at = closed_at + interval '1 second'", "taken it or put it away"),
            ("UPDATE adherence_support SET given_at = given_at - interval '1 day'", "nobody is written down"),
            (
                "UPDATE alert SET resolved_at = NULL, resolution = '' WHERE cause LIKE 'start %'",
                "the start of a medicine that has stopped",
            ),
        ],
        ids=[
            "another test",
            "nobody",
            "not taken",
            "another client",
            "another's alert",
            "a look",
            "a file",
            "support of nobody",
            "start of what stopped",
        ],
    )
    def test_damage_is_found_and_named(self, kept: Clinic, sql: str, expected: str) -> None:
        with kept.database.writing() as session:
            session.execute(text("SET LOCAL session_replication_role = replica"))
            session.execute(text(sql))
        assert any(expected in each for each in self.found(kept))


def test_the_night_judges_everybody_once_and_passes_on_what_nobody_read(here: Clinic) -> None:
    client = here.client()
    with here.database.writing() as session:
        enter_results(
            session,
            actor=here.doctor,
            client_id=client,
            taken_on=here.today,
            measurements=[alt("240")],
            key="k",
            today=here.today,
            at=here.now,
        )
    assert [judge_sites(here.database, lambda: here.now) for _ in range(2)] == [1, 0]
    assert alerts(here, client) == [("alt", "urgent")]
    later = here.now + timedelta(hours=25)
    assert [pass_alerts_on(here.database, lambda: later) for _ in range(2)] == [1, 0]
