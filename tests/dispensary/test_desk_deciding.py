from __future__ import annotations

import re
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import delete, select, text

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


class TestTheOfferOfNaloxone:
    @pytest.fixture
    def assessed(self, here: Desks, regular: ClientId) -> ClientId:
        here.doctor.post(at(regular, "/assess"), told())
        return regular

    def test_without_an_answer_it_is_asked_beside_the_field_and_all_that_was_typed_stays(
        self, here: Desks, assessed: ClientId
    ) -> None:
        form = decision(
            here, assessed, naloxone="", weekdays="2", consecutive="3", review_on=day(90, here), reason="so"
        )

        answer = here.doctor.post(at(assessed, "/decide"), form)

        assert answer.status_code == 422
        assert "Naloxone is offered at each start and renewal of take-home." in text_of(answer)
        assert re.search(r'name="naloxone" value="given" aria-invalid="true"', answer.text)
        assert re.search(r'name="weekdays" value="2" checked', answer.text)
        assert re.search(rf'id="field-review_on"[^>]* value="{day(90, here)}"', answer.text)
        assert re.search(r'id="field-consecutive"[^>]* value="3"', answer.text)

    def test_the_usual_case_is_the_answer_and_one_press(self, here: Desks, assessed: ClientId) -> None:
        page = here.doctor.get(at(assessed)).text
        form = re.search(rf'<form action="{at(assessed, "/decide")}".*?</form>', page, re.DOTALL)
        assert form is not None
        sent = dict(re.findall(r'name="(\w+)" (?:type="\w+" )?value="([^"]*)"', form[0]))
        sent = {name: value for name, value in sent.items() if name not in ("naloxone", "weekdays")}

        assert here.doctor.post(at(assessed, "/decide"), {**sent, "naloxone": "has_one"}).status_code == 303

        with here.database.reading() as session:
            (kept,) = decisions_of(session, assessed)
        assert (kept.per_supply, kept.per_week, kept.naloxone, kept.differs) == (6, 6, "has_one", False)


class TestDecidingMore:
    @pytest.fixture
    def decided(self, here: Desks, regular: ClientId) -> ClientId:
        here.doctor.post(at(regular, "/assess"), told())
        assert here.doctor.post(at(regular, "/decide"), decision(here, regular)).status_code == 303
        return regular

    def standing(self, here: Desks, client: ClientId) -> list[tuple[str, int]]:
        with here.database.reading() as session:
            found = [one for one in decisions_of(session, client) if one.voided_at is None]
        return [(one.kind, one.per_supply) for one in sorted(found, key=lambda one: one.days.lower or here.today)]

    def trip(self, here: Desks, client: ClientId, **changed: str) -> dict[str, str]:
        return {
            "assessment_id": str(newest(here, client).id),
            "once_occasion": "travel",
            "once_days": "10",
            "once_from": day(3, here),
            "once_last": day(12, here),
            "once_reason": "a funeral in Ipoh",
            **changed,
        }

    def test_a_weekly_pattern_is_ticked_and_told(self, here: Desks, regular: ClientId) -> None:
        here.doctor.post(at(regular, "/assess"), told())
        form = decision(here, regular, per_supply="2", per_week="2", reason="at work on weekdays")

        assert here.doctor.post(at(regular, "/decide"), {**form, "weekdays": ["5", "6"]}).status_code == 303

        assert "up to 2 days a week · Sat, Sun" in text_of(here.doctor.get(at(regular)))

    def test_once_leaves_what_was_decided_to_go_on(self, here: Desks, decided: ClientId) -> None:
        for _ in range(2):
            answer = here.doctor.post(at(decided, "/take-home/once"), self.trip(here, decided))
            assert answer.headers["location"] == at(decided, "/take-home?done=once")

        assert self.standing(here, decided) == [("grant", 6), ("one_off", 10), ("grant", 6)]
        said = text_of(here.doctor.get(at(decided)))
        assert "once, for travel up to 10 days at once" in said
        assert "a funeral in Ipoh" in said
        assert here.acts_about(decided).count("granted take-home once") == 1

    @pytest.mark.parametrize(
        ("changed", "field", "said"),
        [
            ({"once_last": ""}, "once_last", "This is missing."),
            ({"once_reason": ""}, "once_reason", "This is missing."),
            ({"once_occasion": ""}, "once_occasion", "Nothing was chosen here."),
            ({"once_days": "29"}, "once_days", "a whole number from 1 to 28"),
            ({"once_last": "2026-11-01"}, "once_last", "The decision ends before it begins."),
            ({"once_from": "2026-11-01"}, "once_from", "begins today or later"),
        ],
    )
    def test_each_fault_stands_beside_its_field_of_its_form(
        self, here: Desks, decided: ClientId, changed: dict[str, str], field: str, said: str
    ) -> None:
        answer = here.doctor.post(at(decided, "/take-home/once"), self.trip(here, decided, **changed))

        assert answer.status_code == 422
        beside = re.search(rf'id="error-{field}">(.*?)</p>', answer.text, re.DOTALL)
        assert beside is not None
        assert said in beside[1]
        assert self.standing(here, decided) == [("grant", 6)]

    def test_it_is_suspended_for_a_reason_and_restored_for_another(self, here: Desks, decided: ClientId) -> None:
        stop = {"suspend_from": day(0, here), "suspend_review": day(14, here), "suspend_reason": "moves house"}
        for _ in range(2):
            answer = here.doctor.post(at(decided, "/take-home/suspend"), stop)
            assert answer.headers["location"] == at(decided, "/take-home?done=suspended")
        page = text_of(here.doctor.get(at(decided)))
        assert "suspended no take-home doses" in page
        assert "moves house" in page
        assert "Suspend take-home" not in page

        on = {"restore_from": day(0, here), "restore_review": day(60, here), "restore_reason": "has moved"}
        for _ in range(2):
            answer = here.doctor.post(at(decided, "/take-home/restore"), on)
            assert answer.headers["location"] == at(decided, "/take-home?done=restored")

        assert self.standing(here, decided) == [("grant", 6)]
        acts = here.acts_about(decided)
        assert (acts.count("suspended take-home"), acts.count("restored take-home")) == (1, 1)
        window = here.seat(Role.PHARMACIST).send("GET", f"/api/clients/{decided}").json()
        assert window["take_home"]["per_supply"] == 6

    @pytest.mark.parametrize(
        ("changed", "field"),
        [({"suspend_reason": ""}, "suspend_reason"), ({"suspend_review": ""}, "suspend_review")],
    )
    def test_nobody_suspends_without_a_reason_and_a_review(
        self, here: Desks, decided: ClientId, changed: dict[str, str], field: str
    ) -> None:
        stop = {"suspend_from": day(0, here), "suspend_review": day(14, here), "suspend_reason": "x", **changed}

        answer = here.doctor.post(at(decided, "/take-home/suspend"), stop)

        assert answer.status_code == 422
        assert f'id="error-{field}"' in answer.text
        assert self.standing(here, decided) == [("grant", 6)]

    def test_what_the_policy_still_says_goes_on_as_before_in_one_press(self, here: Desks, decided: ClientId) -> None:
        here.doctor.post(at(decided, "/assess"), told())
        page = here.doctor.get(at(decided)).text
        assert "The policy still says the same." in page

        assert here.doctor.post(at(decided, "/take-home/renew"), {}).status_code == 422
        for _ in range(2):
            answer = here.doctor.post(at(decided, "/take-home/renew"), {"renew_naloxone": "has_one"})
            assert answer.status_code == 303

        assert here.acts_about(decided).count("decided take-home") == 2
        assert "The policy still says the same." not in here.doctor.get(at(decided)).text

    def test_where_it_says_something_else_nothing_is_offered_to_go_on(self, here: Desks, decided: ClientId) -> None:
        here.doctor.post(at(decided, "/assess"), told(lockbox="no"))

        assert "Goes on as before" not in here.doctor.get(at(decided)).text
        assert here.doctor.post(at(decided, "/take-home/renew"), {"renew_naloxone": "given"}).status_code == 409

    def test_a_nurse_reads_all_of_it_and_decides_none(self, here: Desks, decided: ClientId) -> None:
        nurse = here.seat(Role.NURSE)

        page = nurse.get(at(decided)).text

        assert "/take-home/once" not in page
        for below in ("once", "renew", "suspend", "restore"):
            assert nurse.post(at(decided, f"/take-home/{below}"), {}).status_code == 403


class TestReplaying:
    def test_an_auditor_sees_what_it_was_judged_by_and_that_it_gives_the_same_again(
        self, here: Desks, regular: ClientId
    ) -> None:
        here.doctor.post(at(regular, "/assess"), told())
        here.doctor.post(at(regular, "/decide"), decision(here, regular))
        kept = newest(here, regular)

        page = here.doctor.get(at(regular, f"/take-home/assessments/{kept.id}"))

        said = text_of(page)
        assert "Judged again, it gives the same answer." in said
        assert "up to 6 days a week" in said
        assert kept.inputs_sha256.hex() in said
        assert "naloxone given" in said

    def test_one_that_somebody_changed_is_told(self, here: Desks, regular: ClientId) -> None:
        here.doctor.post(at(regular, "/assess"), told())
        kept = newest(here, regular)
        with here.database.writing() as session:
            session.execute(text("ALTER TABLE assessment DISABLE TRIGGER never_changed"))
            session.execute(text("UPDATE assessment SET result = jsonb_set(result, '{allowance,per_supply}', '28')"))
            session.execute(text("ALTER TABLE assessment ENABLE TRIGGER never_changed"))

        assert "does not give the kept answer" in text_of(
            here.doctor.get(at(regular, f"/take-home/assessments/{kept.id}"))
        )

    def test_of_another_client_nothing_is_there(self, here: Desks, regular: ClientId) -> None:
        here.doctor.post(at(regular, "/assess"), told())
        other = here.place.client()

        assert here.doctor.get(at(other, f"/take-home/assessments/{newest(here, regular).id}")).status_code == 404


class TestCircumstances:
    def test_children_a_guardian_and_the_way_here_are_written_down(self, here: Desks, regular: ClientId) -> None:
        more = {"children_at_home": "yes", "guardian": "no", "distance_km": "37"}
        assert here.doctor.post(at(regular, "/assess"), told(**more)).status_code == 303

        with here.database.reading() as session:
            client = session.get_one(Client, regular)
        assert (client.children_at_home, client.guardian, client.distance_km) == (True, False, 37)
        assert re.search(r'id="field-distance_km"[^>]* value="37"', here.doctor.get(at(regular)).text)

    @pytest.mark.parametrize("km", ["-3", "2001", "far", "3.5"])
    def test_a_way_that_cannot_be_is_told_beside_its_field(self, here: Desks, regular: ClientId, km: str) -> None:
        answer = here.doctor.post(at(regular, "/assess"), told(distance_km=km))

        assert answer.status_code == 422
        assert 'id="error-distance_km"' in answer.text


class TestTheApi:
    """The same acts for programs."""

    @pytest.fixture
    def decided(self, here: Desks, regular: ClientId) -> ClientId:
        here.doctor.post(at(regular, "/assess"), told())
        here.doctor.post(at(regular, "/decide"), decision(here, regular))
        return regular

    def test_suspend_restore_and_the_list(self, here: Desks, decided: ClientId) -> None:
        path = f"/api/clients/{decided}/decisions"
        stop = {"from_day": day(0, here), "reason": "moves house", "review_on": day(14, here)}
        first, second = (here.doctor.send("POST", f"{path}/suspend", stop).json() for _ in range(2))
        assert first == second
        assert (first["kind"], first["review_on"]) == ("suspension", day(14, here))

        on = here.doctor.send("POST", f"{path}/restore", {"from_day": day(1, here), "reason": "has moved"}).json()
        assert (on["kind"], on["days_from"], on["per_supply"]) == ("grant", day(1, here), 6)

        listed = here.doctor.get(path).json()
        assert [each["kind"] for each in listed] == ["grant", "suspension", "grant"]
        assert listed[0]["continues"] == listed[2]["id"]

    def test_once_and_on_as_before(self, here: Desks, decided: ClientId) -> None:
        path = f"/api/clients/{decided}/decisions"
        trip = {
            "assessment_id": str(newest(here, decided).id),
            "days_from": day(2, here),
            "days_until": day(9, here),
            "per_supply": 7,
            "occasion": "work",
            "reason": "on a ship",
        }
        assert here.doctor.send("POST", path, trip).json()["occasion"] == "work"
        refused = here.doctor.send("POST", f"{path}/renew", {"naloxone": "declined"})
        assert (refused.status_code, refused.json()["code"]) == (409, "not-as-before")
        here.doctor.post(at(decided, "/assess"), told())
        assert here.doctor.send("POST", f"{path}/renew", {"naloxone": "given"}).status_code == 201

    def test_circumstances_and_replay(self, here: Desks, decided: ClientId) -> None:
        told = {"lockbox": True, "distance_km": 12, "children_at_home": False}
        answer = here.doctor.send("PUT", f"/api/clients/{decided}/circumstances", told)
        assert answer.json() == {
            "lockbox": True,
            "housing_stable": None,
            "employed": None,
            "health_stable": None,
            "children_at_home": False,
            "guardian": None,
            "distance_km": 12,
        }
        too_far = here.doctor.send("PUT", f"/api/clients/{decided}/circumstances", {"distance_km": 5000})
        assert too_far.status_code == 422
        kept = newest(here, decided)
        again = here.doctor.get(f"/api/clients/{decided}/assessments/{kept.id}/replay").json()
        assert (again["same"], again["inputs_sha256"]) == (True, kept.inputs_sha256.hex())

    @pytest.mark.parametrize("weekdays", [[], [7], [-1], [0, 1, 2, 3, 4, 5, 6, 0]])
    def test_a_pattern_that_names_no_weekday_is_refused(
        self, here: Desks, decided: ClientId, weekdays: list[int]
    ) -> None:
        body = {"assessment_id": str(newest(here, decided).id), "days_from": day(0, here), "per_supply": 2}

        answer = here.doctor.send("POST", f"/api/clients/{decided}/decisions", {**body, "weekdays": weekdays})

        assert (answer.status_code, answer.json()["code"]) == (422, "bad-value")
