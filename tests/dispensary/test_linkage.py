"""Testing and linkage: how far somebody has come, who is stuck, what other records say by themselves, the counts."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as some
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from dispensary.care.linkage import note_step, set_aside, standings, steps_of, stuck
from dispensary.care.linkage_rules import NOWHERE, Dated, Disease, Step, standing
from dispensary.care.referral_models import Outcome, Service
from dispensary.care.referrals import close_referral, refer
from dispensary.database import Database
from dispensary.monitoring.service import note_condition
from dispensary.refusals import BadInput, NotThere
from dispensary.staff.rules import Role
from dispensary.units import ClientId
from tests.builders import Clinic, clinic
from tests.dispensary.desk_place import Desks, day, desks
from tests.dispensary.measured import YEAR, asked, figures
from tests.dispensary.visiting import text_of

D = date(2026, 11, 24)


def dated(*steps: tuple[Step, int] | tuple[Step, int, bool | None]) -> list[Dated]:
    return [Dated(each[0], D + timedelta(days=each[1]), *each[2:]) for each in steps]


@pytest.mark.parametrize(
    ("steps", "reached", "waits"),
    [
        ([], None, None),
        ([(Step.OFFERED, 0)], Step.OFFERED, Step.TESTED),
        ([(Step.OFFERED, 0), (Step.DECLINED, 0)], Step.DECLINED, None),
        ([(Step.OFFERED, 0), (Step.DECLINED, 1), (Step.OFFERED, 90)], Step.OFFERED, Step.TESTED),
        ([(Step.TESTED, 2, None)], Step.TESTED, Step.RESULT_GIVEN),
        ([(Step.TESTED, 2, False)], Step.TESTED, Step.RESULT_GIVEN),
        ([(Step.TESTED, 2, False), (Step.RESULT_GIVEN, 3)], Step.RESULT_GIVEN, None),
        ([(Step.TESTED, 2, True)], Step.TESTED, Step.RESULT_GIVEN),
        ([(Step.TESTED, 2, True), (Step.RESULT_GIVEN, 3)], Step.RESULT_GIVEN, Step.LINKED),
        ([(Step.TESTED, 2, True), (Step.LINKED, 3)], Step.LINKED, Step.ON_TREATMENT),
        ([(Step.ON_TREATMENT, 0), (Step.TESTED, 2, True)], Step.ON_TREATMENT, None),
        ([(Step.TESTED, 0, True), (Step.TESTED, 9, False)], Step.TESTED, Step.RESULT_GIVEN),
        ([(Step.RESULT_GIVEN, 0), (Step.TESTED, 2, True)], Step.TESTED, Step.RESULT_GIVEN),
    ],
)
def test_how_far_they_have_come(steps: list[tuple[Step, int]], reached: Step | None, waits: Step | None) -> None:
    found = standing(dated(*steps))
    assert (found.reached, found.waits_for) == (reached, waits)


STEPS = some.lists(
    some.builds(Dated, some.sampled_from(Step), some.dates(D, D + timedelta(days=99)), some.none() | some.booleans())
)


@given(steps=STEPS, days=some.integers(1, 60))
def test_whoever_is_treated_and_whoever_said_no_last_is_never_stuck(steps: list[Dated], days: int) -> None:
    later = D + timedelta(days=200)
    declined = [each for each in steps if each.positive is None or each.step is not Step.TESTED]
    assert not standing([*declined, Dated(Step.DECLINED, later)]).stuck(later + timedelta(days=99), days)
    treated = standing([*steps, Dated(Step.TESTED, later, True), Dated(Step.ON_TREATMENT, later)])
    assert (treated.reached, treated.waits_for) == (Step.ON_TREATMENT, None)
    assert standing(steps) == standing(reversed(steps))


@pytest.fixture
def place(database: Database, now: datetime) -> Clinic:
    return clinic(database, now)


def noted(place: Clinic, client: ClientId, disease: Disease, step: Step, on: int = 0) -> None:
    with place.database.writing() as session:
        note_step(
            session,
            actor=place.doctor,
            client_id=client,
            disease=disease,
            step=step,
            on=place.today + timedelta(days=on),
            key=uuid4(),
            today=place.today,
            at=place.now,
        )


def result(place: Clinic, client: ClientId, analyte: str, choice: str) -> None:
    with place.database.writing() as session:
        session.execute(
            text("""INSERT INTO health_result (id, client_id, site_id, analyte, taken_on, comparator, choice, panel,
            formula, typed, source, source_key, reason, entered_at)
            VALUES (gen_random_uuid(), :client, :site, :analyte, :day, '', :choice, gen_random_uuid(), '', :choice,
            'hand', gen_random_uuid()::text, '', :at)"""),
            {
                "client": client,
                "site": place.site_id,
                "analyte": analyte,
                "choice": choice,
                "day": place.today,
                "at": place.now,
            },
        )


def attended(place: Clinic, client: ClientId, service: Service, after: int = 0) -> None:
    with place.database.writing() as session:
        sent = refer(
            session,
            actor=place.doctor,
            client_id=client,
            service=service,
            place="Hospital",
            agreed=True,
            ask_on=place.today,
            today=place.today,
            at=place.now,
        )
    place.move_on(after)
    with place.database.writing() as session:
        close_referral(
            session,
            actor=place.doctor,
            client_id=client,
            referral_id=sent.id,
            outcome=Outcome.ATTENDED,
            attended_on=place.today,
            today=place.today,
            at=place.now,
        )


def art(place: Clinic, client: ClientId, kind: str, stopped: bool = False) -> None:
    """A treatment that began ten days ago, as it was brought in; `stopped` yesterday where it is over."""
    with place.database.writing() as session:
        session.execute(
            text("""INSERT INTO treatment (id, client_id, site_id, kind, started_on, stopped_on, stop_reason, observed,
            entered_at) VALUES (gen_random_uuid(), :client, :site, :kind, :began, :stopped, :why, false, :at)"""),
            {
                "client": client,
                "site": place.site_id,
                "kind": kind,
                "began": place.today - timedelta(days=10),
                "stopped": place.today - timedelta(days=1) if stopped else None,
                "why": "completed" if stopped else "",
                "at": place.now,
            },
        )


def condition(place: Clinic, client: ClientId, kind: str) -> None:
    with place.database.writing() as session:
        note_condition(session, actor=place.doctor, client_id=client, kind=kind, noted_on=place.today, at=place.now)


class TestWhatAReferralWas:
    """Going for a test is a test and links nobody; the way to care is one where it was known when they were sent."""

    @pytest.mark.parametrize(
        ("known", "service", "then", "disease", "reached", "linked"),
        [
            # nobody knew: they went to be tested, whatever was found there
            ([], "hiv_test", [], "hiv", "tested", "None"),
            ([], "hepatitis_c", [], "hcv", "tested", "None"),
            ([], "tuberculosis", [], "tb", "tested", "None"),
            ([], "hiv_test", [("hiv_test", "positive")], "hiv", "tested", "0 of 1"),
            ([], "hepatitis_c", [("hcv_rna_test", "positive")], "hcv", "tested", "0 of 1"),
            ([], "tuberculosis", [("tb_test", "negative")], "tb", "tested", "None"),
            # what was looked for and not found, or not certain, is not known
            ([("hcv_antibody", "negative")], "hepatitis_c", [], "hcv", "tested", "None"),
            ([("hcv_antibody", "positive"), ("hcv_rna_test", "negative")], "hepatitis_c", [], "hcv", "tested", None),
            ([("tb_test", "indeterminate")], "tuberculosis", [], "tb", "tested", "None"),
            ([("hiv_test", "positive")], "hepatitis_c", [], "hcv", "tested", "0 of 1"),  # of another disease
            # it was known when they were sent: they went to the place that treats it
            ([("hcv_rna_test", "positive")], "hepatitis_c", [], "hcv", "linked", "1 of 1"),
            ([("hcv_antibody", "positive")], "hepatitis_c", [], "hcv", "linked", "1 of 1"),
            ([("tb_test", "positive")], "tuberculosis", [], "tb", "linked", "1 of 1"),
            ([("hiv_test", "positive")], "art", [], "hiv", "linked", "1 of 1"),
            ([("hiv_test", "positive")], "hiv_test", [], "hiv", "tested", "0 of 1"),  # tested again, and not linked
            # known by what was brought in, without a result here
            (["hepatitis_c"], "hepatitis_c", [], "hcv", "linked", "None"),
            (["tuberculosis"], "tuberculosis", [], "tb", "linked", "None"),
            (["hcv running"], "hepatitis_c", [], "hcv", "on_treatment", "None"),
            (["hcv over"], "hepatitis_c", [], "hcv", "tested", None),  # cured, as far as anybody knows
            ([], "art", [], "hiv", "linked", "None"),  # nobody is sent for ART of whom HIV is not known
        ],
    )
    def test_is_told_by_what_was_known_when_they_were_sent(
        self,
        place: Clinic,
        known: list[tuple[str, str] | str],
        service: str,
        then: list[tuple[str, str]],
        disease: str,
        reached: str,
        linked: str | None,
    ) -> None:
        client = place.client()
        for each in known:
            if isinstance(each, tuple):
                result(place, client, *each)
                place.move_on(1)
            elif each.startswith("hcv "):
                art(place, client, "hcv", stopped=each.endswith("over"))
            else:
                condition(place, client, each)
        attended(place, client, Service(service), after=1)
        for analyte, choice in then:
            result(place, client, analyte, choice)
        with place.database.reading() as session:
            steps = steps_of(session, client_id=client)
            went = [each.step for each in steps if each.on == place.today and each.positive is None]
            at = standings(steps)[Disease(disease)]
        assert (reached if reached != "on_treatment" else "linked") in went
        if reached != "tested" or not then:
            assert at.reached is not None
        counts = figures(asked(place, "linkage", by=("disease",), period=YEAR))
        if linked is not None:
            found = counts.get("linked", ("0", "0"))
            assert ("None" if found[1] == "0" else f"{found[0]} of {found[1]}") == linked
        assert (counts.get("linked_all", ("0", ""))[0] != "0") is (reached != "tested" or "hcv over" in known)


class TestAClient:
    def test_comes_on_by_what_other_records_say(self, place: Clinic) -> None:
        client = place.client()

        def at(disease: Disease) -> tuple[Step | None, Step | None]:
            with place.database.reading() as session:
                found = standings(steps_of(session, client_id=client))[disease]
                return found.reached, found.waits_for

        assert at(Disease.HCV) == (None, None)
        noted(place, client, Disease.HCV, Step.OFFERED)
        result(place, client, "hcv_antibody", "positive")
        assert at(Disease.HCV) == (Step.TESTED, Step.RESULT_GIVEN)
        assert at(Disease.HIV) == (None, None)
        place.move_on(1)
        result(place, client, "hcv_rna_test", "negative")
        assert at(Disease.HCV) == (Step.TESTED, Step.RESULT_GIVEN), "the antibody alone is no infection"
        place.move_on(1)
        result(place, client, "hcv_rna_test", "positive")
        noted(place, client, Disease.HCV, Step.RESULT_GIVEN)
        assert at(Disease.HCV) == (Step.RESULT_GIVEN, Step.LINKED)
        attended(place, client, Service.HEPATITIS_C)
        assert at(Disease.HCV) == (Step.LINKED, Step.ON_TREATMENT)
        noted(place, client, Disease.HCV, Step.ON_TREATMENT)
        assert at(Disease.HCV) == (Step.ON_TREATMENT, None)

    def test_is_on_the_list_after_the_sites_days_and_off_it_when_the_step_is_taken_or_was_an_error(
        self, place: Clinic
    ) -> None:
        client, other = place.client(), place.client()
        noted(place, client, Disease.TB, Step.OFFERED)
        noted(place, client, Disease.TB, Step.OFFERED)
        noted(place, other, Disease.HIV, Step.OFFERED)

        def listed() -> list[tuple[ClientId, Disease]]:
            with place.database.reading() as session:
                found = stuck(session, site_id=place.site_id, today=place.today)
                return sorted((each.client_id, each.disease) for each in found)

        place.move_on(14)
        assert listed() == []
        place.move_on(1)
        assert listed() == sorted([(client, Disease.TB), (other, Disease.HIV)])
        noted(place, client, Disease.TB, Step.DECLINED)
        with place.database.writing() as session:
            (step,) = steps_of(session, client_id=other)
            assert step.step_id is not None
            for _ in range(2):
                set_aside(session, actor=place.doctor, client_id=other, step_id=step.step_id, at=place.now)
            with pytest.raises(NotThere):
                set_aside(session, actor=place.doctor, client_id=client, step_id=step.step_id, at=place.now)
        assert listed() == []
        for statement in ("UPDATE linkage_step SET voided_at = NULL", "DELETE FROM linkage_step"):
            with pytest.raises(IntegrityError), place.database.writing() as session:
                session.execute(text(statement))

    def test_takes_no_step_tomorrow(self, place: Clinic) -> None:
        with pytest.raises(BadInput, match="today or on an earlier"):
            noted(place, place.client(), Disease.HIV, Step.TESTED, 1)


def test_the_measure_counts_each_step_of_the_one_before(place: Clinic) -> None:
    clients = [place.client() for _ in range(5)]
    for client in clients:
        noted(place, client, Disease.HIV, Step.OFFERED)
    for client, found in zip(clients, ("positive", "positive", "negative"), strict=False):
        result(place, client, "hiv_test", found)
    noted(place, clients[0], Disease.HIV, Step.RESULT_GIVEN)
    noted(place, clients[3], Disease.HIV, Step.DECLINED)
    then = place.now
    place.move_on(1)
    attended(place, clients[0], Service.ART)
    noted(place, clients[0], Disease.HIV, Step.ON_TREATMENT)
    result(place, clients[4], "hbsag", "negative")
    assert figures(asked(place, "linkage", by=("disease",)))["linked"] == ("1", "2")
    assert figures(asked(place, "linkage")) == {
        "offered": ("6", "None"), "tested": ("4", "6"), "told": ("1", "4"), "positive": ("2", "4"),
        "linked": ("1", "2"), "treated": ("1", "1"), "linked_all": ("1", "None"),
    }  # fmt: skip
    assert figures(asked(place, "linkage", as_of=then))["linked"] == ("0", "2")
    assert standing([]) == NOWHERE


def test_the_pages_list_note_and_keep_what_was_typed(database: Database, now: datetime, tmp_path: Path) -> None:
    here: Desks = desks(database, now, tmp_path)
    client = here.place.client()
    nurse, at = here.seat(Role.NURSE), f"/care/linkage/{client}"
    wrong = nurse.post(f"{at}/steps", {"disease": "hcv", "step": "", "on_day": day(1, here)})
    assert (wrong.status_code, f'value="{day(1, here)}"' in wrong.text) == (422, True)
    form = {"disease": "hcv", "step": "offered", "on_day": day(-20, here)}
    assert nurse.post(f"{at}/steps", form).headers["location"] == f"{at}?done=step"
    listed = text_of(nurse.get("/care/linkage?show=hcv"))
    assert "the test is to be done" in listed
    assert "Nobody is stuck" not in listed
    assert "the test is to be done" not in text_of(nurse.get("/care/linkage?show=tb"))
    with database.reading() as session:
        (step,) = steps_of(session, client_id=client)
    assert nurse.post(f"{at}/steps/{step.step_id}/aside").status_code == 303
    assert "not offered yet" in text_of(nurse.get(at))
    assert here.acts_about(client)[-3:] == ["noted step to treatment", "set step to treatment aside", "looked at"]
    boss = here.administrator
    assert (
        boss.post("/office/care/reminders", {"stuck_days": "0", "lost_days": "9", "intake_days": "20"}).status_code
        == 422
    )
    assert (
        boss.post("/office/care/reminders", {"stuck_days": "40", "lost_days": "9", "intake_days": "20"}).status_code
        == 303
    )
    assert 'value="40"' in boss.get("/office/care").text
