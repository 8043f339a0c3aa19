"""Around the doses: goals, tasks, who takes a client on, reports, an order stopped or printed, bottles called back."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import IntegrityError

from dispensary.clients.models import ClientAssignment, ClientGoal, Episode, LookedAfter, Task
from dispensary.clients.tasks import open_task
from dispensary.database import Database
from dispensary.monitoring.models import Alert
from dispensary.prescribing.models import DoseOrder, Hold
from dispensary.prescribing.service import order_dose
from dispensary.staff.models import Account, AuditEntry
from dispensary.staff.rules import Role
from dispensary.supplies.models import DoseException, Recall
from dispensary.takehome.facts import told
from dispensary.takehome.history import History, OpenAlert
from dispensary.takehome.measures import Fact
from dispensary.takehome.models import Decision
from dispensary.takehome.policy import parse, shipped_policies
from dispensary.units import ClientId, milligrams
from tests.dispensary.desk_place import Desks, day, desks
from tests.dispensary.visiting import text_of
from tests.paper import words_of

KEY = "018f0000-0000-7000-8000-000000000001"


@pytest.fixture
def here(database: Database, now: datetime, tmp_path: Path) -> Desks:
    return desks(database, now, tmp_path)


@pytest.fixture
def client(here: Desks) -> ClientId:
    return here.place.client()


@pytest.fixture
def stranger(here: Desks, now: datetime, tmp_path: Path) -> ClientId:
    """A client of another site."""
    return desks(here.database, now, tmp_path, code="SAT").place.client()


def at(client_id: ClientId, below: str = "") -> str:
    return f"/consulting/clients/{client_id}{below}"


def all_of(here: Desks, table: type) -> list:  # type: ignore[type-arg]
    with here.database.reading() as session:
        return list(session.scalars(select(table)))


class TestGoals:
    def test_they_stand_on_the_page_in_the_client_s_own_words_and_sealed_in_the_table(
        self, here: Desks, client: ClientId
    ) -> None:
        for _ in range(2):
            assert here.doctor.post(at(client, "/goals"), {"goal": "see my son every week"}).status_code == 303

        (goal,) = all_of(here, ClientGoal)
        assert b"son" not in goal.words_sealed
        assert "“see my son every week” 24 Nov 2026" in text_of(here.doctor.get(at(client)))
        assert here.acts_about(client).count("set goal") == 1

    @pytest.mark.parametrize(("state", "words"), [("reached", "reached"), ("let_go", "let go")])
    def test_one_is_reached_or_let_go_and_stays_readable(
        self, here: Desks, client: ClientId, state: str, words: str
    ) -> None:
        here.doctor.post(at(client, "/goals"), {"goal": "a job"})
        path = at(client, f"/goals/{all_of(here, ClientGoal)[0].id}/close")

        for _ in range(2):
            assert here.doctor.post(path, {"state": state}).status_code == 303

        said = text_of(here.doctor.get(at(client)))
        assert "None is written down." in said
        assert f"“a job” {words} 24 Nov 2026" in said
        assert here.acts_about(client).count("closed goal") == 1

    def test_what_is_no_end_of_a_goal_is_refused(self, here: Desks, client: ClientId) -> None:
        here.doctor.post(at(client, "/goals"), {"goal": "a job"})
        path = at(client, f"/goals/{all_of(here, ClientGoal)[0].id}/close")

        assert here.doctor.post(path, {"state": "failed"}).status_code == 422
        assert all_of(here, ClientGoal)[0].state == "open"

    def test_without_words_nothing_is_kept_and_the_form_stands_open(self, here: Desks, client: ClientId) -> None:
        answer = here.doctor.post(at(client, "/goals"), {"goal": " "})

        assert answer.status_code == 422
        assert all_of(here, ClientGoal) == []

    def test_a_goal_of_another_client_is_not_there(self, here: Desks, client: ClientId) -> None:
        here.doctor.post(at(client, "/goals"), {"goal": "a job"})
        path = at(here.place.client(), f"/goals/{all_of(here, ClientGoal)[0].id}/close")

        assert here.doctor.post(path, {"state": "reached"}).status_code == 404

    def test_a_client_of_another_site_has_none_from_here(self, here: Desks, stranger: ClientId) -> None:
        assert here.doctor.post(at(stranger, "/goals"), {"goal": "a job"}).status_code == 404
        assert all_of(here, ClientGoal) == []


class TestTasks:
    def asked(self, here: Desks, **changed: str) -> dict[str, str]:
        return {"sentence": "Ask about the ECG", "due_on": day(1, here), "role": "nurse", **changed}

    def test_it_is_on_the_page_and_on_the_list_when_it_is_due(self, here: Desks, client: ClientId) -> None:
        for _ in range(2):
            assert here.doctor.post(at(client, "/tasks"), self.asked(here)).status_code == 303

        assert here.acts_about(client).count("opened task") == 1
        assert "Ask about the ECG Wed 25 Nov · nurse" in text_of(here.doctor.get(at(client)))
        assert "Ask about the ECG" not in text_of(here.doctor.get("/consulting"))
        here.days_pass(1)
        assert "due today Ask about the ECG" in text_of(here.seat(Role.NURSE).get("/consulting"))

    def test_it_is_done_from_the_list_once_and_one_is_back_on_the_list(self, here: Desks, client: ClientId) -> None:
        here.doctor.post(at(client, "/tasks"), self.asked(here, due_on=day(0, here)))
        path = at(client, f"/tasks/{all_of(here, Task)[0].id}/done")
        form = {"outcome": "done at noon", "back": "/consulting?show=task"}

        for _ in range(2):
            answer = here.doctor.post(path, form)
            assert (answer.status_code, answer.headers["location"]) == (303, "/consulting?show=task")

        assert here.acts_about(client).count("did task") == 1
        assert "Ask about the ECG" not in text_of(here.doctor.get("/consulting"))

    @pytest.mark.parametrize("back", ["https://elsewhere.example", "//elsewhere.example", "/counter", "", "/\\x"])
    def test_it_leads_to_no_other_place(self, here: Desks, client: ClientId, back: str) -> None:
        here.doctor.post(at(client, "/tasks"), self.asked(here))
        path = at(client, f"/tasks/{all_of(here, Task)[0].id}/done")

        answer = here.doctor.post(path, {"outcome": "done", "back": back})

        assert answer.headers["location"] == at(client, "?done=task-done#tasks")

    def test_without_a_word_of_how_it_stays_open(self, here: Desks, client: ClientId) -> None:
        here.doctor.post(at(client, "/tasks"), self.asked(here))

        assert here.doctor.post(at(client, f"/tasks/{all_of(here, Task)[0].id}/done"), {}).status_code == 422
        assert all_of(here, Task)[0].done_at is None

    def test_another_clients_task_is_not_there(self, here: Desks, client: ClientId) -> None:
        here.doctor.post(at(client, "/tasks"), self.asked(here))
        path = at(here.place.client(), f"/tasks/{all_of(here, Task)[0].id}/done")

        assert here.doctor.post(path, {"outcome": "done"}).status_code == 404

    def test_none_is_opened_for_another_site_s_client(self, here: Desks, stranger: ClientId) -> None:
        assert here.doctor.post(at(stranger, "/tasks"), self.asked(here)).status_code == 404
        assert all_of(here, Task) == []


class TestWhoHasTakenAClientOn:
    def me(self, here: Desks, name: str = "doctor") -> UUID:
        with here.database.reading() as session:
            return session.scalars(select(Account.id).where(Account.username == name)).one()

    def test_one_press_takes_a_client_on_and_another_gives_them_away(self, here: Desks, client: ClientId) -> None:
        here.doctor.get("/consulting")
        here.seat(Role.NURSE)
        doctor, nurse = self.me(here), self.me(here, "nurse")
        for to in (doctor, doctor, nurse):
            answer = here.doctor.post("/consulting/assign", {"assign": f"{client}:{to}", "back": at(client)})
            assert (answer.status_code, answer.headers["location"]) == (303, at(client))

        assert self.have(here) == {doctor, nurse}
        assert "Taken on by Doctor, Nurse" in text_of(here.doctor.get(at(client)))
        assert here.acts_about(client).count("assigned client") == 2

        for _ in range(2):
            gone = here.doctor.post("/consulting/assign", {"unassign": f"{client}:{doctor}", "back": at(client)})
            assert gone.headers["location"] == at(client)
        assert self.have(here) == {nurse}
        assert here.acts_about(client).count("unassigned client") == 1
        shown = text_of(here.doctor.get(at(client)))
        assert "Taken on by Nurse" in shown
        assert "Doctor, from" in shown, "who had them stays on record"

        here.doctor.post("/consulting/assign", {"assign": f"{client}:{doctor}"})
        assert self.have(here) == {doctor, nurse}, "and may have them again"
        assert len(all_of(here, LookedAfter)) == 3

    def have(self, here: Desks) -> set[UUID]:
        return {row.account_id for row in all_of(here, LookedAfter) if row.ended_at is None}

    def test_who_looked_after_somebody_is_ended_once_and_never_removed(self, here: Desks, client: ClientId) -> None:
        here.doctor.post("/consulting/assign", {"assign": f"{client}:{self.me(here)}"})
        for statement in ("DELETE FROM looked_after", "UPDATE looked_after SET assigned_at = now()"):
            with pytest.raises(IntegrityError), here.database.writing() as session:
                session.execute(text(statement))
        here.doctor.post("/consulting/assign", {"unassign": f"{client}:{self.me(here)}"})
        with pytest.raises(IntegrityError), here.database.writing() as session:
            session.execute(text("UPDATE looked_after SET ended_at = NULL, ended_by = NULL"))

    def test_a_program_of_before_reads_one_of_them_and_what_it_writes_counts(
        self, here: Desks, client: ClientId
    ) -> None:
        here.doctor.get("/consulting")
        here.seat(Role.NURSE)
        doctor, nurse = self.me(here), self.me(here, "nurse")
        one = select(ClientAssignment.account_id).where(ClientAssignment.client_id == client)

        def before(statement: str, **bound: object) -> None:
            with here.database.writing() as session:
                session.execute(text(statement), {"client": client, "by": doctor, **bound})

        gives = (
            "INSERT INTO client_assignment (client_id, account_id, assigned_by, assigned_at)"
            " VALUES (:client, :to, :by, now()) ON CONFLICT (client_id) DO UPDATE SET account_id = :to"
        )
        before(gives, to=doctor)
        assert self.have(here) == {doctor}
        here.doctor.post("/consulting/assign", {"assign": f"{client}:{nurse}"})
        with here.database.reading() as session:
            assert session.scalars(one).all() == [doctor]
        here.doctor.post("/consulting/assign", {"unassign": f"{client}:{doctor}"})
        with here.database.reading() as session:
            assert session.scalars(one).all() == [nurse]
        before(gives, to=doctor)
        assert self.have(here) == {doctor}, "it knows one person, in place of whom it knew"
        before("DELETE FROM client_assignment WHERE client_id = :client")
        assert self.have(here) == set()
        assert len(all_of(here, LookedAfter)) == 3

    def test_the_list_shows_mine_and_nobody_s_apart(self, here: Desks) -> None:
        mine, other = here.enrolled("M1", "Mine Indeed"), here.enrolled("N1", "Nobody Yet")
        here.doctor.get("/consulting")
        here.doctor.post("/consulting/assign", {"assign": f"{mine}:{self.me(here)}"})

        shown = {whose: text_of(here.doctor.get(f"/consulting?whose={whose}")) for whose in ("", "mine", "nobody")}

        assert other
        named = {
            whose: [name for name in ("Mine Indeed", "Nobody Yet") if name in text] for whose, text in shown.items()
        }
        assert named == {"": ["Mine Indeed", "Nobody Yet"], "mine": ["Mine Indeed"], "nobody": ["Nobody Yet"]}

    @pytest.mark.parametrize("to", ["x", "", ":", "018f0000-0000-7000-8000-000000000001"])
    def test_what_names_no_client_or_colleague_changes_nothing(self, here: Desks, client: ClientId, to: str) -> None:
        value = f"{client}:{to}" if len(to) > 30 else to
        assert here.doctor.post("/consulting/assign", {"assign": value}).status_code in (404, 422)
        assert all_of(here, LookedAfter) == []

    def test_another_site_s_client_is_not_given_away(self, here: Desks, stranger: ClientId) -> None:
        here.doctor.get("/consulting")
        answer = here.doctor.post("/consulting/assign", {"assign": f"{stranger}:{self.me(here)}"})
        assert answer.status_code == 404


class TestReports:
    def asked(self, **changed: str) -> dict[str, str]:
        return {"reported": "diversion", "report_words": "seen at the market, says a neighbour", "key": KEY, **changed}

    def test_it_reaches_the_doctors_and_sanctions_nobody(self, here: Desks, client: ClientId) -> None:
        here.place.decide(client, per_supply=2)

        for _ in range(2):
            assert here.seat(Role.PHARMACIST).post(at(client, "/report"), self.asked()).status_code == 303

        (alert,) = all_of(here, Alert)
        assert alert.cause.startswith("diversion")
        assert (alert.severity, alert.role) == ("warning", "doctor")
        assert "seen at the market" in alert.sentence
        assert here.acts_about(client).count("reported") == 1
        assert [row.per_supply for row in all_of(here, Decision) if row.voided_at is None] == [2]
        assert all_of(here, Hold) == []
        assert here.place.give(client, take_home_days=here.place.ahead(1))

    def test_a_second_report_is_an_alert_of_its_own(self, here: Desks, client: ClientId) -> None:
        here.doctor.post(at(client, "/report"), self.asked())
        here.doctor.post(at(client, "/report"), self.asked(key=KEY[:-1] + "2"))

        assert len(all_of(here, Alert)) == 2

    def test_who_lost_bottles_is_not_reported_for_giving_them_away(self, here: Desks, client: ClientId) -> None:
        here.doctor.post(at(client, "/report"), self.asked(reported="loss", report_words="stolen on the bus"))

        (alert,) = all_of(here, Alert)
        assert alert.cause.startswith("loss")
        shown = [
            text_of(here.doctor.get("/consulting")),
            *(text for text in re.findall(r"Reported: [^“]*", text_of(here.doctor.get(at(client))))),
            str(here.doctor.get(f"/api/clients/{client}").json()["alerts"]),
        ]
        assert all("Reported: bottles were lost, stolen or broken." in text for text in shown)
        assert len(shown) > 2
        assert not [text for text in shown if "diver" in text.casefold() or "somebody else" in text]

    @pytest.mark.parametrize(("reported", "none_open"), [("loss", True), ("diversion", False)])
    def test_a_policy_that_asks_for_reports_of_diversion_reads_those_alone(
        self, here: Desks, client: ClientId, reported: str, none_open: bool
    ) -> None:
        here.doctor.post(at(client, "/report"), self.asked(reported=reported))

        (alert,) = all_of(here, Alert)
        open_now = (OpenAlert(alert.cause, alert.severity, here.today),)
        known = History(here.today, here.today, "", open_alerts=open_now)
        (policy,) = [each for each in map(parse, shipped_policies()) if each.policy == "VIC-2016"]
        assert told(Fact.NO_DIVERSION_REPORT, policy, known, here.today).value is none_open

    @pytest.mark.parametrize("changed", [{"reported": ""}, {"report_words": ""}, {"key": ""}])
    def test_without_what_was_said_nothing_is_told(
        self, here: Desks, client: ClientId, changed: dict[str, str]
    ) -> None:
        assert here.doctor.post(at(client, "/report"), self.asked(**changed)).status_code == 422
        assert all_of(here, Alert) == []

    def test_of_another_site_s_client_nothing_is_told(self, here: Desks, stranger: ClientId) -> None:
        assert here.doctor.post(at(stranger, "/report"), self.asked()).status_code == 404


class TestAnOrderStoppedOrPrinted:
    def asked(self, here: Desks) -> dict[str, str]:
        newest = max(order.id for order in all_of(here, DoseOrder))
        return {"stop_from": day(2, here), "stop_reason": "moves away", "stop_seen": str(newest)}

    def test_it_is_stopped_from_a_day_on_for_a_reason_once(self, here: Desks, client: ClientId) -> None:
        form = self.asked(here)

        for _ in range(2):
            answer = here.doctor.post(at(client, "/stop"), form)
            assert (answer.status_code, answer.headers["location"]) == (303, at(client, "?done=stopped"))

        (order,) = all_of(here, DoseOrder)
        assert (order.end_reason, order.days.upper) == ("stopped", here.today + timedelta(days=2))
        assert here.acts_about(client).count("stopped order") == 1

    def test_a_day_that_has_passed_or_no_reason_stops_nothing(self, here: Desks, client: ClientId) -> None:
        for changed in ({"stop_from": day(-1, here)}, {"stop_reason": ""}):
            form = {**self.asked(here), **changed}
            assert here.doctor.post(at(client, "/stop"), form).status_code == 422
        assert all_of(here, DoseOrder)[0].end_reason is None

    def test_a_doctor_alone_stops_it(self, here: Desks, client: ClientId) -> None:
        form = self.asked(here)

        assert here.seat(Role.NURSE).post(at(client, "/stop"), form).status_code == 403
        assert "Stop the order" not in here.seat(Role.NURSE).get(at(client)).text

    def test_an_order_that_was_written_since_the_page_was_opened_is_not_stopped_by_a_form_sent_again(
        self, here: Desks, client: ClientId
    ) -> None:
        form = self.asked(here)
        assert f'value="{form["stop_seen"]}"' in here.doctor.get(at(client)).text
        assert here.doctor.post(at(client, "/stop"), form).status_code == 303
        with here.database.writing() as session:
            order_dose(
                session, actor=here.place.doctor, client_id=client, mg=milligrams("70"), reason="back again",
                from_day=here.today + timedelta(days=2), today=here.today, at=here.clock(),
            )  # fmt: skip

        again = here.doctor.post(at(client, "/stop"), form)

        assert again.status_code == 409
        assert "A dose was ordered since this page was opened" in again.text
        newest = max(all_of(here, DoseOrder), key=lambda order: order.id)
        assert newest.end_reason is None
        assert newest.voided_at is None

    def test_every_print_is_written_down_with_who_printed_it(self, here: Desks, client: ClientId) -> None:
        (order,) = all_of(here, DoseOrder)
        path = at(client, f"/orders/{order.id}/prescription.pdf")
        assert path in here.doctor.get(at(client)).text

        for _ in range(2):
            answer = here.doctor.get(path)

        assert answer.headers["content-type"] == "application/pdf"
        assert "eighty milligrams a day" in words_of(answer.content)
        assert not re.search("Ahmad", answer.headers["content-disposition"])
        assert here.acts_about(client).count("printed order") == 2
        with here.database.reading() as session:
            entries = session.scalars(select(AuditEntry).where(AuditEntry.act == "printed order")).all()
        assert {str(order.id) in entry.details for entry in entries} == {True}

    def test_another_client_s_order_is_not_printed_and_nothing_is_written_down(
        self, here: Desks, client: ClientId
    ) -> None:
        other = here.place.client()
        order = next(order for order in all_of(here, DoseOrder) if order.client_id == other)

        assert here.doctor.get(at(client, f"/orders/{order.id}/prescription.pdf")).status_code == 404
        assert "printed order" not in here.acts_about(client)

    def test_the_page_says_that_the_counter_sees_a_signed_order_at_once(self, here: Desks, client: ClientId) -> None:
        said = text_of(here.doctor.get(at(client, "?done=ordered")))

        assert "The order is written. The counter sees it at once." in said
        assert "Print the order" in said


class TestANewStay:
    def test_who_had_left_begins_again_once_on_the_same_record(self, here: Desks) -> None:
        client = here.place.client(began=here.today - timedelta(days=90))
        here.doctor.post(at(client, "/end"), {"ended_on": day(0, here), "exit_reason": "transferred"})
        assert "Begin a new stay" in here.doctor.get(at(client)).text

        for _ in range(2):
            answer = here.doctor.post(at(client, "/begin"), {"began_on": day(0, here)})
            assert (answer.status_code, answer.headers["location"]) == (303, at(client, "?done=began"))

        assert [stay.ended_on for stay in all_of(here, Episode)].count(None) == 1
        assert here.acts_about(client).count("began episode") == 1
        said = text_of(here.doctor.get(at(client)))
        assert "Begin a new stay" not in said
        assert "24 Nov 2026 stay ended: went on elsewhere" in said

    def test_no_stay_begins_while_one_runs(self, here: Desks, client: ClientId) -> None:
        assert here.doctor.post(at(client, "/begin"), {"began_on": day(-1, here)}).status_code == 409
        assert len(all_of(here, Episode)) == 1

    def test_a_pharmacist_begins_none(self, here: Desks, client: ClientId) -> None:
        form = {"began_on": day(0, here)}
        assert here.seat(Role.PHARMACIST).post(at(client, "/begin"), form).status_code == 403


class TestBottlesCalledBack:
    def test_the_counter_counts_them_and_the_page_says_so(self, here: Desks, client: ClientId) -> None:
        here.place.decide(client, per_supply=2)
        here.place.give(client, take_home_days=here.place.ahead(1, 2))

        for _ in range(2):
            assert here.doctor.post(at(client, "/recall"), {"bring_by": day(1, here)}).status_code == 303

        (recall,) = all_of(here, Recall)
        assert (recall.cause, recall.state) == ("check", "open")
        said = text_of(here.doctor.get(at(client)))
        assert "are called back, to be brought by Wed 25 Nov." in said
        assert "Call the bottles back" not in said

    def test_without_a_bottle_at_home_nothing_is_called_back(self, here: Desks, client: ClientId) -> None:
        assert here.doctor.post(at(client, "/recall"), {"bring_by": day(1, here)}).status_code == 409
        assert all_of(here, Recall) == []


class TestAWrongDose:
    @pytest.fixture
    def blocked(self, here: Desks, client: ClientId) -> UUID:
        with here.database.writing() as session:
            happened = DoseException(
                site_id=here.place.site_id,
                client_id=client,
                dose_day=here.today,
                kind="wrong_dose",
                details={},
                blocks=True,
                recorded_by=here.place.pharmacist.account_id,
                recorded_at=here.place.now,
            )
            session.add(happened)
            session.flush()
            return happened.id

    def test_it_is_first_on_the_list_until_a_doctor_has_reviewed_it(
        self, here: Desks, client: ClientId, blocked: UUID
    ) -> None:
        assert "blocked No dose leaves the counter" in text_of(here.doctor.get("/consulting"))
        path = at(client, f"/exceptions/{blocked}/review")
        nurse = here.seat(Role.NURSE)
        assert "Review it" not in nurse.get(at(client)).text
        assert nurse.post(path, {"review_outcome": "well"}).status_code == 403
        assert here.doctor.post(path, {"review_outcome": ""}).status_code == 422

        for _ in range(2):
            assert here.doctor.post(path, {"review_outcome": "awake, breathing well"}).status_code == 303

        assert "Nobody waits for you." in text_of(here.doctor.get("/consulting"))
        assert "wrong dose given: awake, breathing well" in text_of(here.doctor.get(at(client)))

    def test_it_is_reviewed_on_its_own_client_s_page_alone(self, here: Desks, blocked: UUID) -> None:
        path = at(here.place.client(), f"/exceptions/{blocked}/review")

        assert here.doctor.post(path, {"review_outcome": "well"}).status_code == 404


class TestTheChart:
    def test_it_tells_what_was_ordered_held_reported_and_done(self, here: Desks, client: ClientId) -> None:
        with here.database.writing() as session:
            open_task(
                session,
                site_id=here.place.site_id,
                client_id=client,
                role=Role.DOCTOR,
                kind="review",
                sentence="Review the dose.",
                due_on=here.today,
                opened_by=None,
                at=here.place.now,
            )
        here.doctor.post(at(client, "/holds"), {"hold_from": day(0, here), "hold_reason": "chest pain"})
        here.doctor.post(at(client, "/report"), TestReports().asked())

        said = text_of(here.doctor.get(at(client)))

        for words in (
            "24 Nov 2026 ordered: 80 mg: stable Dr. Lim Wei",
            "since 24 Nov 2026 doses held: chest pain Doctor",
            "since 24 Nov 2026 alert: Reported: doses are said to have gone to somebody else.",
            "since 24 Nov 2026 review due: Review the dose.",
            "24 Nov 2026 stay in treatment began Dr. Lim Wei",
        ):
            assert words in said, words

    def test_a_dose_that_differs_from_the_order_is_marked(self, here: Desks) -> None:
        client = here.place.client(mg="80", parts=("60", "20"))
        here.place.give(client)
        here.days_pass(1)

        said = text_of(here.doctor.get(at(client)))

        assert "given otherwise than ordered 1" in said
        assert "24 Nov 2026 60 mg 80 mg" in said
