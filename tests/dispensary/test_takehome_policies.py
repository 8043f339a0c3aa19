"""Take-home policies as documents: what is shipped says what its source says, and a slip of the pen is refused."""

from __future__ import annotations

import re
from datetime import date

import pytest

from dispensary.documents import BadDocument
from dispensary.takehome.measures import Measure
from dispensary.takehome.policy import (
    Kind,
    Policy,
    SetBy,
    Status,
    parse,
    shipped_policies,
)

SHIPPED = {parse(document).policy: parse(document) for document in shipped_policies()}

SOUND = """
policy = "X"
version = "1"
jurisdiction = "XX"
title = "A policy"
source = "A source"
source_date = "2026"
status = "active"
confidence = "high"
limits_set_by = "clinic"
closed_days_apart = false
window_days = 28
[[levels]]
name = "low"
needs = { adherence_percent = 80 }
per_week = 2
source = "A source"
[[levels]]
name = "high"
needs = { adherence_percent = 92.5, day_of_treatment = 30 }
per_supply = 5
per_week = 4
source = "A source"
[[criteria]]
name = "lockbox"
kind = "required"
text = "Doses are locked away."
reads = ["lockbox"]
source = "A source"
"""


def changed(pattern: str, by: str) -> str:
    document, times = re.subn(pattern, by, SOUND, count=1, flags=re.MULTILINE)
    assert times == 1
    return document


def test_the_united_states_rule_has_its_three_bands_and_six_considerations() -> None:
    policy = SHIPPED["US-42CFR8.12i-2024"]
    assert [(dict(level.needs), level.per_supply, level.per_week) for level in policy.levels] == [
        ({Measure.DAY_OF_TREATMENT: 1}, 7, None),
        ({Measure.DAY_OF_TREATMENT: 15}, 14, None),
        ({Measure.DAY_OF_TREATMENT: 31}, 28, None),
    ]
    assert [criterion.kind for criterion in policy.criteria] == [Kind.CONSIDERATION] * 6
    assert all(criterion.judged for criterion in policy.criteria), "a practitioner weighs each of them"
    assert policy.closed_days_apart
    assert policy.limits_set_by is SetBy.LAW
    assert not policy.in_force(date(2024, 4, 1))
    assert policy.in_force(date(2024, 4, 2))


def test_the_ping_an_table_has_two_to_six_a_week_and_no_cut_point_since_none_is_published() -> None:
    policy = SHIPPED["PING-AN-ADHERENCE"]
    assert policy.status is Status.DRAFT
    assert [level.per_week for level in policy.levels] == [2, 3, 4, 5, 6]
    assert not any(policy.all_needs())


def test_cut_points_of_a_clinics_own_say_that_the_clinic_set_them() -> None:
    policy = SHIPPED["DEMONSTRATION-CLINIC-ADHERENCE"]
    assert policy.limits_set_by is SetBy.CLINIC
    assert "not national policy" in policy.title
    assert {level.source for level in policy.levels} == {"Set by the clinic"}


@pytest.mark.parametrize("policy", SHIPPED.values(), ids=SHIPPED)
def test_every_shipped_policy_names_its_sources(policy: Policy) -> None:
    assert policy.source
    assert policy.source_date
    assert all(criterion.source for criterion in policy.criteria)


def test_a_sound_document_is_read() -> None:
    policy = parse(SOUND)
    assert policy.levels[0].per_supply == 2, "a supply is at most a week's where only the week is counted"
    assert (policy.levels[1].per_supply, policy.levels[1].per_week) == (5, 4)


@pytest.mark.parametrize(
    ("pattern", "by", "problem"),
    [
        ("^version.*$", "", "The policy has no version."),
        ("^title.*$", 'title = " "', "The policy needs words for title."),
        ("^title.*$", 'title = "A"\ncolour = "red"', "The policy has “colour”, which means nothing here."),
        ("^status.*$", 'status = "old"', "The policy needs one of active, superseded, draft for status."),
        ("^closed_days_apart.*$", "closed_days_apart = 1", "The policy needs true or false for closed_days_apart."),
        ("^window_days.*$", "window_days = 366", "The policy needs a whole number from 1 to 365 for window_days."),
        (
            "^window_days.*$",
            "",
            "The policy counts covered days but does not say over how many (window_days).",
        ),
        ("^source_date.*$", 'source_date = "2026"\neffective_from = "2026"', "The policy needs a date such as"),
        (
            "^source_date.*$",
            'source_date = "2026"\neffective_from = 2026-01-02\neffective_to = 2026-01-02',
            "The policy ends before it begins.",
        ),
        ("^per_week = 2$", "per_week = 8", "Level 1 needs a whole number from 0 to 7 for per_week."),
        ("^per_week = 2$", "per_week = true", "Level 1 needs a whole number from 0 to 7 for per_week."),
        ("^per_week = 2$", "", "Level 1 has neither per_supply nor per_week."),
        ("^per_week = 2$", "per_week = 6", "Level “high” allows less than “low” before it."),
        ("^per_supply = 5$", "per_supply = 29", "Level 2 needs a whole number from 0 to 28 for per_supply."),
        ("adherence_percent = 80", "adherence_percent = 101", "Level 1 needs a number from 0 to 100"),
        ("adherence_percent = 80", "adherence_percent = nan", "Level 1 needs a number from 0 to 100"),
        ("adherence_percent = 80", "adherence_percent = inf", "Level 1 needs a number from 0 to 100"),
        ("adherence_percent = 80", "urine = 3", "Level 1 needs “urine”, which is not measured"),
        ("day_of_treatment = 30", "day_of_treatment = 30.5", "whole unless it is per cent"),
        ("^needs = .*$", "", "Level “low” has no cut point (needs); only a draft may lack it."),
        ("^needs = .*$", "needs = 3", "Level 1 needs a table for needs"),
        ('^name = "high"$', 'name = "low"', "Two parts of the kind level are called “low”."),
        ("^reads = .*$", 'reads = ["weather"]', "Criterion 1 needs a list of attendance, lockbox"),
        ("^reads = .*$", "", "Criterion 1 reads nothing, needs nothing and is judged by nobody."),
        (
            '^kind = "required"$',
            'kind = "must"',
            "Criterion 1 needs one of required, exclusion, consideration, advice for kind.",
        ),
        ("^policy = .*$", "policy = ", "The document is not TOML"),
    ],
)
def test_what_is_wrong_with_a_document_is_named(pattern: str, by: str, problem: str) -> None:
    with pytest.raises(BadDocument) as bad:
        parse(changed(pattern, by))
    assert any(problem in told for told in bad.value.problems), bad.value.problems


def test_every_problem_is_named_and_not_only_the_first() -> None:
    with pytest.raises(BadDocument) as bad:
        parse('policy = "X"\nlevels = 3')
    assert len(bad.value.problems) >= 10
