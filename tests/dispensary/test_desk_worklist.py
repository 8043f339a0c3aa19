from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import pytest

from dispensary.database import Database
from dispensary.desks.worklist import Kind, Waits, waiting
from dispensary.monitoring.service import open_alert
from dispensary.prescribing.service import stop_order
from dispensary.staff.rules import Role
from dispensary.takehome.deciding import decide
from dispensary.takehome.service import assess_client
from dispensary.takehome.terms import Naloxone
from dispensary.units import ClientId
from tests.dispensary.desk_place import Desks, desks
from tests.dispensary.visiting import text_of


@pytest.fixture
def here(database: Database, now: datetime, tmp_path: Path) -> Desks:
    return desks(database, now, tmp_path)


def listed(here: Desks) -> list[Waits]:
    with here.database.reading() as session:
        return waiting(session, site_id=here.place.site_id, today=here.today)


def kinds(here: Desks) -> dict[ClientId, list[str]]:
    return {row.client_id: [reason.kind.value for reason in row.reasons] for row in listed(here)}


def alert(here: Desks, client_id: ClientId, severity: str, cause: str = "ecg") -> None:
    with here.database.writing() as session:
        open_alert(
            session,
            site_id=here.place.site_id,
            client_id=client_id,
            cause=cause,
            severity=severity,
            role=Role.DOCTOR,
            sentence=f"Something {severity}.",
            at=here.place.now,
        )


class TestWhoIsOnTheList:
    def test_nobody_who_has_an_order_and_comes_is_on_it(self, here: Desks) -> None:
        here.place.give(here.place.client())

        assert listed(here) == []

    def test_a_client_who_was_never_ordered_a_dose(self, here: Desks) -> None:
        client = here.enrolled("N1")

        assert kinds(here) == {client: ["order"]}

    @pytest.mark.parametrize(("days_to_come", "is_listed"), [(0, True), (7, True), (8, False), (None, False)])
    def test_a_client_whose_order_ends_within_a_week(
        self, here: Desks, days_to_come: int | None, is_listed: bool
    ) -> None:
        client = here.enrolled("N1")
        until = None if days_to_come is None else here.today + timedelta(days=days_to_come + 1)
        here.ordered(client, "40", until=until)

        assert (client in kinds(here)) is is_listed

    def test_not_one_whose_order_goes_on_with_another(self, here: Desks) -> None:
        client = here.enrolled("N1")
        here.ordered(client, "40", until=here.today + timedelta(days=2))
        here.days_pass(1)
        here.ordered(client, "45")

        assert kinds(here) == {}

    def test_not_one_whose_order_somebody_stopped_for_a_reason(self, here: Desks) -> None:
        client = here.place.client()
        with here.database.writing() as session:
            stop_order(
                session,
                actor=here.place.doctor,
                client_id=client,
                from_day=here.today + timedelta(days=1),
                reason="moves away",
                today=here.today,
                at=here.place.now,
            )

        assert kinds(here) == {}

    def test_one_whose_order_has_run_out_waits_before_one_whose_order_will(self, here: Desks) -> None:
        soon, over = here.enrolled("A1"), here.enrolled("Z9")
        here.ordered(over, "40", until=here.today + timedelta(days=2))
        here.days_pass(5)
        here.ordered(soon, "40", until=here.today + timedelta(days=3))

        assert [row.client_id for row in listed(here)] == [over, soon]

    @pytest.mark.parametrize(("days", "is_listed"), [(3, False), (4, True)])
    def test_a_client_without_a_dose_for_as_long_as_the_site_asks(
        self, here: Desks, days: int, is_listed: bool
    ) -> None:
        client = here.place.client()
        here.place.give(client)
        here.days_pass(days)

        assert (client in kinds(here)) is is_listed

    def test_who_was_ordered_a_dose_again_is_still_missed_and_it_is_said(self, here: Desks) -> None:
        client = here.place.client()
        here.place.give(client)
        here.days_pass(6)
        assert not listed(here)[0].reasons[0].ordered_since

        here.ordered(client, "40")

        reason = listed(here)[0].reasons[0]
        assert (reason.kind, reason.days, reason.ordered_since) == (Kind.ABSENT, 5, True)

    def test_who_has_come_again_is_missed_no_more(self, here: Desks) -> None:
        client = here.place.client()
        here.place.give(client)
        here.days_pass(6)
        here.ordered(client, "80")

        here.place.give(client)

        assert kinds(here) == {}

    def test_a_client_of_another_site_is_never_on_it(self, here: Desks, tmp_path: Path) -> None:
        there = desks(here.database, here.place.now, tmp_path, code="SAT")
        alert(there, there.enrolled("N1"), "urgent")

        assert listed(here) == []
        assert len(listed(there)) == 1


class TestTakeHomeToDecide:
    def assessed(self, here: Desks, client: ClientId) -> object:
        with here.database.writing() as session:
            return assess_client(
                session, actor=here.place.doctor, client_id=client, on=here.today, at=here.place.now
            ).id

    @pytest.fixture
    def regular(self, here: Desks) -> ClientId:
        """Four weeks without a missed day: the policy says six a week."""
        here.follow()
        client = here.place.client()
        for _ in range(28):
            here.place.give(client)
            here.days_pass(1)
        return client

    def test_a_client_of_whom_the_policy_says_more_than_was_decided(self, here: Desks, regular: ClientId) -> None:
        self.assessed(here, regular)

        reason = listed(here)[0].reasons[0]
        assert (reason.kind, reason.proposed, reason.decided) == (Kind.TAKE_HOME, (6, 6), None)

    def test_what_a_doctor_has_decided_is_no_task_even_when_it_differs(self, here: Desks, regular: ClientId) -> None:
        assessment = self.assessed(here, regular)
        with here.database.writing() as session:
            decide(
                session,
                actor=here.place.doctor,
                assessment_id=assessment,  # type: ignore[arg-type]
                days_from=here.today,
                days_until=None,
                per_supply=2,
                per_week=2,
                reason="begins with two",
                naloxone=Naloxone.GIVEN,
                at=here.place.now,
            )
        assert kinds(here) == {}

        self.assessed(here, regular)

        assert listed(here)[0].reasons[0].decided == (2, 2)

    def test_a_client_of_whom_the_policy_says_nothing_new_is_not(self, here: Desks) -> None:
        here.follow()
        client = here.place.client()
        self.assessed(here, client)

        assert kinds(here) == {}


class TestThePage:
    def test_the_gravest_is_first_and_each_client_stands_there_once(self, here: Desks) -> None:
        mild, urgent = here.enrolled("A1", "Mild Case"), here.place.client()
        alert(here, mild, "info")
        alert(here, urgent, "urgent")
        alert(here, urgent, "warning", cause="liver")

        assert kinds(here) == {urgent: ["alert", "alert"], mild: ["order", "alert"]}
        said = text_of(here.doctor.get("/consulting"))
        assert "2 clients wait for you" in said
        assert said.index("Something urgent.") < said.index("Something warning.") < said.index("Mild Case")
        assert said.count("Mild Case") == 1

    def test_it_shows_one_kind_of_reason_when_asked(self, here: Desks) -> None:
        alert(here, here.place.client(), "urgent")
        here.enrolled("N1", "New Comer")

        said = text_of(here.doctor.get("/consulting?show=order"))

        assert "New Comer" in said
        assert "Something urgent." not in said

    def test_a_long_list_is_cut_to_a_screen_and_one_link_shows_all(self, here: Desks) -> None:
        for n in range(12):
            here.enrolled(f"N{n:02d}")

        short, whole = here.doctor.get("/consulting").text, here.doctor.get("/consulting?every=true").text

        assert "Show 4 more" in short
        assert ("N11" in short, "N11" in whole) == (False, True)

    def test_it_takes_as_many_statements_for_twelve_clients_as_for_two(self, here: Desks) -> None:
        def busy(n: int) -> None:
            alert(here, here.place.client(), "urgent")
            here.enrolled(f"N{n:02d}")

        busy(0)
        few = here.statements_of(here.doctor, "/consulting?every=true")
        for n in range(1, 6):
            busy(n)

        assert here.statements_of(here.doctor, "/consulting?every=true") == few

    @pytest.mark.parametrize("role", [Role.RECEPTION, Role.EVALUATOR, Role.ADMINISTRATOR])
    def test_it_is_closed_to_who_looks_at_no_record(self, here: Desks, role: Role) -> None:
        assert here.seat(role).get("/consulting").status_code == 403


class TestFinding:
    def test_a_number_opens_the_client(self, here: Desks) -> None:
        client = here.enrolled("H-77", "Ahmad bin Yusof")

        answer = here.doctor.post("/consulting/find", {"sought": "h-77"})

        assert (answer.status_code, answer.headers["location"]) == (303, f"/consulting/clients/{client}")

    def test_a_name_that_several_share_lets_one_choose(self, here: Desks) -> None:
        here.enrolled("H1", "Ahmad bin Yusof")
        here.enrolled("H2", "Ahmad bin Musa")

        said = text_of(here.doctor.post("/consulting/find", {"sought": "ahmad"}))

        assert "Which?" in said
        assert "Ahmad bin Yusof" in said
        assert "Ahmad bin Musa" in said

    def test_nobody_is_said_plainly_and_what_was_typed_is_kept(self, here: Desks) -> None:
        answer = here.doctor.post("/consulting/find", {"sought": "nobody"})

        assert "Nobody was found." in text_of(answer)
        assert 'value="nobody"' in answer.text

    def test_a_client_of_another_site_is_not_found(self, here: Desks, tmp_path: Path) -> None:
        desks(here.database, here.place.now, tmp_path, code="SAT").enrolled("H-77")

        assert "Nobody was found." in text_of(here.doctor.post("/consulting/find", {"sought": "H-77"}))
