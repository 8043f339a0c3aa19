from __future__ import annotations

import re
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import delete, select

from dispensary.clients.models import Client
from dispensary.database import Database
from dispensary.staff.rules import Role
from dispensary.takehome.models import Assessment, PolicyAdoption
from dispensary.takehome.queries import decisions_of, last_assessment
from dispensary.units import ClientId
from tests.dispensary.desk_place import LAW, Desks, day, desks
from tests.dispensary.visiting import text_of


@pytest.fixture
def here(database: Database, now: datetime, tmp_path: Path) -> Desks:
    return desks(database, now, tmp_path)


@pytest.fixture
def regular(here: Desks) -> ClientId:
    """Four weeks without a missed day at a site that follows its own policy: six a week, once storage is known."""
    here.follow()
    client = here.place.client()
    for _ in range(28):
        here.place.give(client)
        here.days_pass(1)
    return client


def at(client: ClientId, below: str = "/take-home") -> str:
    return f"/consulting/clients/{client}{below}"


def told(**changed: str) -> dict[str, str]:
    known = {"lockbox": "yes", "housing_stable": "yes", "employed": "not asked", "health_stable": "yes"}
    return {"circumstances": "asked", **known, **changed}


def newest(here: Desks, client: ClientId) -> Assessment:
    with here.database.reading() as session:
        found = last_assessment(session, client)
    assert found is not None
    return found


def decision(here: Desks, client: ClientId, **changed: str) -> dict[str, str]:
    return {
        "assessment_id": str(newest(here, client).id),
        "per_supply": "6",
        "per_week": "6",
        "days_from": day(0, here),
        "days_until": "",
        "reason": "",
        "naloxone": "given",
        **changed,
    }


class TestAssessing:
    def test_what_was_told_is_written_down_and_the_policy_says_what_follows(
        self, here: Desks, regular: ClientId
    ) -> None:
        answer = here.doctor.post(at(regular, "/assess"), told(lockbox="no"))

        assert (answer.status_code, answer.headers["location"]) == (303, at(regular, "/take-home?done=assessed"))
        with here.database.reading() as session:
            client = session.get_one(Client, regular)
        assert (client.lockbox, client.housing_stable, client.employed) == (False, True, None)
        said = text_of(here.doctor.get(answer.headers["location"]))
        assert "up to 6 days a week allowed with a reason" in said
        assert "✕ not met Doses are locked away in a stable home." in said
        assert "Nothing changes until the doctor decides." in said

    def test_the_evidence_of_each_criterion_is_one_click_away(self, here: Desks, regular: ClientId) -> None:
        here.doctor.post(at(regular, "/assess"), told())

        for path in (at(regular), at(regular, "")):
            page = here.doctor.get(path).text
            opened = re.findall(r'<details class="finding">.*?</details>', page, re.DOTALL)
            assert len(opened) == 3
            assert "Lockbox" in opened[0]
            assert "Doses are locked away at home." in opened[0]
            assert "Set by the clinic" in opened[0]

    def test_assess_now_on_the_clients_page_leaves_what_was_told_as_it_is(self, here: Desks, regular: ClientId) -> None:
        here.doctor.post(at(regular, "/assess"), told())

        here.doctor.post(at(regular, "/assess"), {})

        with here.database.reading() as session:
            assert session.get_one(Client, regular).lockbox is True
            assert len(session.scalars(select(Assessment)).all()) == 2

    def test_what_a_practitioner_answers_is_kept_and_shown_the_next_time(self, here: Desks) -> None:
        here.follow(LAW)
        client = here.place.client()
        page = here.doctor.get(at(client)).text
        asked = re.findall(r'name="(judged:\w+)" value="yes"', page)
        assert len(asked) == 6

        here.doctor.post(at(client, "/assess"), told(**dict.fromkeys(asked[:5], "yes"), **{asked[5]: ""}))

        findings = {finding["criterion"]: finding["state"] for finding in newest(here, client).result["findings"]}
        assert [findings[name.removeprefix("judged:")] for name in asked[:5]] == ["met"] * 5
        assert findings[asked[5].removeprefix("judged:")] == "unknown"
        page = here.doctor.get(at(client)).text
        assert re.search(rf'name="{asked[0]}" value="yes" checked', page)

    def test_a_site_without_a_policy_says_so_and_assesses_nobody(self, here: Desks) -> None:
        client = here.place.client()
        with here.database.writing() as session:
            session.execute(delete(PolicyAdoption))

        assert "follows no take-home policy" in text_of(here.doctor.get(at(client)))
        answer = here.doctor.post(at(client, "/assess"), {})
        assert answer.status_code == 409
        assert "An administrator adopts one." in text_of(answer)

    def test_a_nurse_assesses_and_decides_nothing(self, here: Desks, regular: ClientId) -> None:
        nurse = here.seat(Role.NURSE)

        assert nurse.post(at(regular, "/assess"), told()).status_code == 303

        assert 'name="per_supply"' not in nurse.get(at(regular)).text
        assert nurse.post(at(regular, "/decide"), decision(here, regular)).status_code == 403


class TestDeciding:
    @pytest.fixture
    def assessed(self, here: Desks, regular: ClientId) -> ClientId:
        here.doctor.post(at(regular, "/assess"), told())
        return regular

    def test_the_form_proposes_what_the_policy_says_and_the_counter_obeys(
        self, here: Desks, assessed: ClientId
    ) -> None:
        page = here.doctor.get(at(assessed)).text
        assert re.search(r'id="field-per_supply"[^>]* value="6"', page)
        assert re.search(r'id="field-per_week"[^>]* value="6"', page)

        answer = here.doctor.post(at(assessed, "/decide"), decision(here, assessed))

        assert answer.headers["location"] == at(assessed, "?done=decided")
        window = here.seat(Role.PHARMACIST).send("GET", f"/api/clients/{assessed}").json()
        assert (window["take_home"]["per_supply"], len(window["proposed_days"])) == (6, 6)

    def test_what_differs_needs_a_reason_and_the_form_comes_again_with_all_that_was_typed(
        self, here: Desks, assessed: ClientId
    ) -> None:
        typed = decision(here, assessed, per_supply="2", per_week="4", days_until=day(13, here))

        answer = here.doctor.post(at(assessed, "/decide"), typed)

        assert answer.status_code == 422
        assert "This differs from what the policy says" in text_of(answer)
        for name, value in (("per_supply", "2"), ("per_week", "4"), ("days_until", day(13, here))):
            assert re.search(rf'id="field-{name}"[^>]* value="{value}"', answer.text)
        assert here.doctor.post(at(assessed, "/decide"), {**typed, "reason": "two to begin with"}).status_code == 303
        with here.database.reading() as session:
            (kept,) = decisions_of(session, assessed)
        assert (kept.per_supply, kept.per_week, kept.days.upper) == (2, 4, here.today + timedelta(days=14))
        assert kept.differs

    @pytest.mark.parametrize(
        ("changed", "said"),
        [
            ({"per_supply": ""}, "This is missing."),
            ({"per_supply": "29"}, "a whole number from 0 to 28"),
            ({"per_supply": "-1"}, "a whole number from 0 to 28"),
            ({"per_supply": "٣"}, "a whole number from 0 to 28"),
            ({"per_week": "8"}, "a whole number from 0 to 7"),
            ({"days_from": "2026-11-01"}, "begins today or later"),
            ({"assessment_id": "x"}, "Open the page again."),
        ],
    )
    def test_what_cannot_be_decided_is_refused_and_nothing_is_in_force(
        self, here: Desks, assessed: ClientId, changed: dict[str, str], said: str
    ) -> None:
        answer = here.doctor.post(at(assessed, "/decide"), decision(here, assessed, **changed))

        assert answer.status_code == 422
        assert said in text_of(answer)
        with here.database.reading() as session:
            assert list(decisions_of(session, assessed)) == []

    def test_an_assessment_of_another_client_decides_nothing(self, here: Desks, assessed: ClientId) -> None:
        other = here.place.client()

        assert here.doctor.post(at(other, "/decide"), decision(here, assessed)).status_code == 404

    def test_sent_twice_it_is_one_decision(self, here: Desks, assessed: ClientId) -> None:
        form = decision(here, assessed)

        for _ in range(2):
            assert here.doctor.post(at(assessed, "/decide"), form).status_code == 303

        assert here.acts_about(assessed).count("decided take-home") == 1
        with here.database.reading() as session:
            assert len(decisions_of(session, assessed)) == 1

    def test_an_outdated_assessment_is_refused_in_words(self, here: Desks, assessed: ClientId) -> None:
        old = decision(here, assessed)
        here.doctor.post(at(assessed, "/assess"), {})

        answer = here.doctor.post(at(assessed, "/decide"), old)

        assert answer.status_code == 409
        assert "The client has been assessed again since." in text_of(answer)
