"""What stands beside a dose: other medicines and looks before the doctor, one quiet line before the pharmacist."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from uuid import uuid4

import pytest

from dispensary.database import Database
from dispensary.monitoring.interactions import Moment, burden, interaction, known_as
from dispensary.monitoring.results import Measurement
from dispensary.staff.rules import Role
from dispensary.supplies.queries import at_the_window
from dispensary.units import ClientId
from dispensary.web import health_acts
from dispensary.web.health_acts import When
from tests.builders import clinic
from tests.dispensary.desk_place import Desks, day, desks
from tests.dispensary.guest_place import TwoSites
from tests.dispensary.test_desk_health import at, later, starts
from tests.dispensary.visiting import text_of


@pytest.fixture
def here(database: Database, now: datetime, tmp_path: Path) -> Desks:
    return desks(database, now, tmp_path)


@pytest.fixture
def client(here: Desks) -> ClientId:
    return here.place.client()


def beside(here: Desks, client: ClientId, below: str) -> str:
    return text_of(here.doctor.get(f"/consulting/clients/{client}/{below}"))


@pytest.mark.parametrize("below", ["order", "plan", "plan?kind=taper"])
class TestBeforeTheDoctor:
    def test_what_runs_what_is_to_be_looked_for_and_what_adds_up(
        self, here: Desks, client: ClientId, below: str
    ) -> None:
        for name in ("RIFADIN", "valium", "diazepam", "haloperidol", "Zoloft"):
            starts(here, client, name)
        starts(here, client, "xyzol", sure="yes")
        said = beside(here, client, below)
        assert "rifampicin: methadone falls by 33 to 68 %" in said
        assert "look for withdrawal" in said
        assert "2 sedating medicines beside methadone: " in said
        assert "1 QT medicine beside methadone: haloperidol" in said
        assert "1 medicine for serotonin: Zoloft" in said
        assert "unknown Nothing is known here about xyzol. That is not to say that it is safe." in said

    def test_what_has_stopped_stands_there_until_somebody_closes_its_alert(
        self, here: Desks, client: ClientId, below: str
    ) -> None:
        starts(here, client, "efavirenz")
        medicine = here.doctor.get(at(client)).text.partition("/health/medicines/")[2][:36]
        here.doctor.post(at(client, f"/medicines/{medicine}/stop"), {"stopped_on": day(0, here), "stop_reason": "x"})
        said = beside(here, client, below)
        assert "efavirenz has stopped: methadone rises again" in said
        assert "methadone falls" not in said


class TestBeforeThePharmacist:
    def test_one_line_says_what_to_look_for_once_the_day_has_come(self, here: Desks, client: ClientId) -> None:
        starts(here, client, "rifampicin")
        counter = here.seat(Role.PHARMACIST)
        assert "rifampicin: methadone falls" in text_of(counter.get(f"/counter/clients/{client}"))
        later(here, 3)
        assert counter.signs_in("pharmacist").status_code == 303
        page = text_of(counter.get(f"/counter/clients/{client}"))
        assert "rifampicin started on" in page
        assert page.count("look for withdrawal") == 1


class TestNames:
    @pytest.mark.parametrize(
        ("typed", "key"),
        [
            ("Rifadin", "rifampicin"),
            ("RIFAMPIN", "rifampicin"),
            (" stocrin ", "efavirenz"),
            ("EFV", "efavirenz"),
            ("Kaletra", "lopinavir/ritonavir"),
            ("Tegretol", "carbamazepine"),
        ],
    )
    def test_another_spelling_or_a_brand_is_the_same_medicine(self, typed: str, key: str) -> None:
        assert [row.key for row in known_as(typed)] == [key]

    @pytest.mark.parametrize("typed", ["rifadine", "Stokrin", "Rifadin 300 mg", "TLD"])
    def test_what_is_nearly_a_name_is_unknown_and_never_safe(self, typed: str) -> None:
        (finding,) = interaction(typed, Moment.START)
        assert (finding.finding, finding.severity.word) == ("unknown", "warning")

    def test_a_substance_under_two_names_counts_once(self) -> None:
        assert len(burden(["valium", "Diazepam", "DIAZEPAM"]).sedating) == 1
        assert burden(["stocrin", "alcohol", "xyzol"]).unknown == ("xyzol",)


class TestGuests:
    """Another site's counter is told what concerns the dose, and no illness."""

    @pytest.fixture
    def sites(self, database: Database, now: datetime) -> TwoSites:
        return TwoSites(database, clinic(database, now), clinic(database, now, code="KLG"))

    def test_the_qt_time_and_a_medicine_yes_and_liver_tb_and_hiv_no(self, sites: TwoSites, now: datetime) -> None:
        client = sites.home.client()
        with sites.database.writing() as session:
            who = {"actor": sites.home.doctor, "client_id": client, "when": When(sites.home.today, now)}
            health_acts.start_treatment(
                session, **who, kind="tb", substances=["isoniazid"], started_on=sites.home.today
            )
            health_acts.start_medicine(session, **who, substance="naltrexone", started_on=sites.home.today)
            health_acts.start_medicine(session, **who, substance="rifampicin", started_on=sites.home.today)
            measured = [Measurement("alt", "400", upper="40"), Measurement("qtc", "520")]
            health_acts.enter(session, **who, taken_on=sites.home.today, measurements=measured, key=uuid4())
        sites.arrange(client)
        with sites.database.reading() as session:
            asked = {"client_id": client, "today": sites.guest.today, "guests": True}
            there = at_the_window(session, site_id=sites.guest.site_id, **asked)
            home = at_the_window(session, site_id=sites.home.site_id, **asked)
        assert sorted(each.rule for each in there.alerts) == ["interaction", "qtc"]
        assert all(each.severity == "urgent" for each in there.alerts)
        assert {each.rule for each in home.alerts} >= {"interaction", "qtc", "alt", "tb-alt"}
