"""Every rule as a calculator, at the command line and in the API: worked examples, one clear line for a mistake."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from dispensary.checks.catalogue import RULES
from dispensary.cli import main
from dispensary.database import Database
from dispensary.staff.rules import Role
from tests.dispensary.check_examples import EXAMPLES, carried, counted, missed
from tests.dispensary.desk_place import Desks, desks
from tests.dispensary.screening_examples import about, assist, cows

NAMES = [name for name, *_ in EXAMPLES]


def run(*words: str, typed: str = "") -> Result:
    return CliRunner().invoke(main, ["check", *words], input=typed)


def within(answer: dict[str, Any], expected: dict[str, Any]) -> dict[str, Any]:
    """As much of the answer as the example speaks of."""
    return {key: answer.get(key) for key in expected}


@pytest.fixture
def here(database: Database, now: datetime, tmp_path: Path) -> Desks:
    return desks(database, now, tmp_path)


@pytest.mark.parametrize(("rule", "question", "expected"), [rest for _, *rest in EXAMPLES], ids=NAMES)
def test_the_command_answers_each_worked_example(rule: str, question: dict[str, Any], expected: dict[str, Any]) -> None:
    said = run(rule, json.dumps(question))
    assert said.exit_code == 0, said.output
    answer = json.loads(said.output)
    assert within(answer, expected) == expected
    assert answer["sentence"]
    assert answer["source"]


def test_the_api_answers_each_worked_example_as_the_command_does(here: Desks) -> None:
    for name, rule, question, expected in EXAMPLES:
        answered = here.doctor.send("POST", f"/api/check/{rule}", question)
        assert answered.status_code == 200, (name, answered.text)
        assert within(answered.json(), expected) == expected, name
        assert answered.json() == json.loads(run(rule, json.dumps(question)).output), name


def test_every_rule_has_an_example() -> None:
    assert {rule for _, rule, *_ in EXAMPLES} == set(RULES)


class TestTheCommand:
    def test_the_question_may_come_on_standard_input(self) -> None:
        said = run("missed-days", "-", typed=json.dumps(missed("AU-NAT-2003", "100", 3)))
        assert json.loads(said.output)["mg"] == "50"

    def test_the_list_names_every_rule_and_the_schema_every_field(self) -> None:
        assert [each["rule"] for each in json.loads(run("--list").output)] == list(RULES)
        for rule in RULES.values():
            schema = json.loads(run("--schema", rule.name).output)
            (question,) = [part for part in schema["$defs"].values() if part["title"] == rule.question.__name__]
            assert set(question["properties"]) == set(rule.question.__struct_fields__)

    def test_it_needs_no_database(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        monkeypatch.setenv("DATABASE_URL", "postgresql://nobody@127.0.0.1:1/none")
        monkeypatch.setenv("DISPENSARY_DATA", str(tmp_path / "data"))
        assert run("recall-count", json.dumps(counted(after_dose=True))).exit_code == 0
        assert not (tmp_path / "data").exists()

    @pytest.mark.parametrize(
        ("rule", "question", "line"),
        [
            ("missed-days", '{"guideline": "AU-NAT-2003", "dose_mg": "100"}', "missed: It is missing."),
            (
                "missed-days",
                '{"guideline": "AU", "dose_mg": "100", "missed": 3}',
                "guideline: There is no guideline AU.",
            ),
            (
                "missed-days",
                '{"guideline": "AU-NAT-2003", "dose_mg": "1O0", "missed": 3}',
                "dose_mg: “1O0” is not an amount in mg.",
            ),
            (
                "missed-days",
                '{"guideline": "AU-NAT-2003", "dose_mg": 100, "missed": 3}',
                "dose_mg: Expected `str`, got `int`.",
            ),
            (
                "missed-days",
                '{"guideline": "AU-NAT-2003", "dose_mg": "100", "missed": -1}',
                "missed: Expected `int` >= 0.",
            ),
            (
                "missed-days",
                '{"guideline": "AU-NAT-2003", "dose_mg": "NaN", "missed": 3}',
                "dose_mg: “NaN” is not an amount in mg.",
            ),
            (
                "missed-days",
                '{"guideline": "AU-NAT-2003", "dose_mg": "100", "missed": 3, "colour": "red"}',
                "colour: missed-days has no such field.",
            ),
            ("missed-days", "{", "The question is not what missed-days is asked: Input data was truncated."),
            ("missed-days", "[]", "The question is not what missed-days is asked: Expected `object`, got `array`."),
            ("no-such-rule", "{}", "There is no rule no-such-rule."),
            (
                "recall-count",
                json.dumps({**counted(after_dose=True), "last_day": "2026-03-01"}),
                "last_day: The last day is before the first.",
            ),
            ("take-home", json.dumps(carried(14, 7, policy="X")), "policy: There is no policy X."),
            ("take-home", json.dumps(carried(14, 7, version="0")), "version: US-42CFR8.12i-2024 has no version 0."),
            ("take-home", json.dumps(carried(14, 29)), "per_supply: A supply has 0 to 28 take-home days, not 29."),
            ("take-home", json.dumps(carried(14, 7, history={"shoes": 1})), "history: It is not the record"),
            ("take-home", json.dumps(carried(14, 7, history={"record": 5})), "history: It is not the record"),
            ("take-home", json.dumps(carried(14, 7, history={"lockbox": "yes"})), "history: It is not the record"),
            ("take-home", json.dumps(carried(14, 7, history={"open_alerts": [5]})), "history: It is not the record"),
            ("take-home", json.dumps(carried(14, 7, record="cx")), "record: Expected `str` matching regex"),
            ("cows", json.dumps(cows(pupils=3)), "pupils: Pupils has 0, 1, 2, 5 points."),
            ("dast-10", json.dumps({"answers": [True] * 9}), "answers: "),
            (
                "assist",
                json.dumps(assist(about("cannabis", "weekly"))),
                "substances: “craving” of cannabis is not answered.",
            ),
            (
                "assist",
                json.dumps(assist(about("cannabis", "never", problems="daily"))),
                "substances: cannabis was not used: “problems” is not asked.",
            ),
            (
                "assist",
                json.dumps(assist(about("tobacco", "daily", craving="daily", problems="never", failed="daily"))),
                "substances: “failed” is not asked of tobacco.",
            ),
        ],
    )
    def test_a_mistake_is_one_line_that_names_the_field(self, rule: str, question: str, line: str) -> None:
        said = run(rule, question)
        assert said.exit_code == 2
        assert said.output.startswith(line), said.output
        assert len(said.output.splitlines()) == 1

    def test_without_a_question_it_says_what_to_give(self) -> None:
        said = run("missed-days")
        assert (said.exit_code, said.output[:43]) == (2, "Name a rule and its question in JSON. Or as")


class TestTheApi:
    def test_whoever_may_look_at_a_client_may_ask_and_nobody_else(self, here: Desks) -> None:
        question = missed("AU-NAT-2003", "100", 3)

        def answered(role: Role) -> bool:
            seat = here.seat(role)
            codes = {
                seat.send("POST", "/api/check/missed-days", question).status_code,
                seat.get("/api/check").status_code,
            }
            assert codes in ({200}, {403})
            return codes == {200}

        assert {role for role in Role if answered(role)} == {Role.PHARMACIST, Role.DOCTOR, Role.NURSE}

    def test_the_list_has_each_rule_with_its_schema(self, here: Desks) -> None:
        listed = here.doctor.get("/api/check").json()
        assert [each["rule"] for each in listed] == list(RULES)
        assert all(each["schema"]["$defs"] for each in listed)

    def test_a_question_that_does_not_fit_is_a_problem_that_names_the_field(self, here: Desks) -> None:
        for changed, field in (({"dose_mg": "1O0"}, "dose_mg"), ({"missed": "three"}, "missed"), ({"x": 1}, "x")):
            answered = here.doctor.send(
                "POST", "/api/check/missed-days", {**missed("AU-NAT-2003", "100", 3), **changed}
            )
            assert answered.status_code == 422
            assert answered.json()["field"] == field
        assert here.doctor.send("POST", "/api/check/no-such-rule", {}).status_code == 404

    def test_each_rule_has_a_path_with_its_own_question_in_the_description(self, here: Desks) -> None:
        paths = here.doctor.get("/schema/openapi.json").json()["paths"]
        for rule in RULES.values():
            body = paths[f"/api/check/{rule.name}"]["post"]["requestBody"]["content"]["application/json"]["schema"]
            assert body["$ref"].endswith(rule.question.__name__)
