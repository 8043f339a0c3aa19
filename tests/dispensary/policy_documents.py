"""Policies for tests: one that uses every word a policy can say, and the shipped ones with their figures set."""

from __future__ import annotations

from dispensary.takehome.parameters import Parameter, Value, fill
from dispensary.takehome.policy import Policy, parse, shipped_policies

EVERYTHING = """
policy = "EVERYTHING"
version = "1"
jurisdiction = "XX"
title = "A policy that says everything that can be said"
source = "The tests"
source_date = "2026"
status = "active"
confidence = "none"
limits_set_by = "programme"
closed_days_apart = true
closed_days_in_a_row = 2
window_days = 60
[[levels]]
name = "low"
needs = { months_of_treatment = 1, dose_stable_days = 7 }
at_most = { consecutive_missed_days = 2 }
per_supply = 2
per_week = 2
consecutive = 1
source = "The tests"
[[levels]]
name = "high"
needs = { day_of_treatment = 45, adherence_percent = 92.5, covered_days = 20, distance_km = 5 }
at_most = { missed_days = 3, consecutive_missed_days = 1, intoxicated_presentations = 0, days_since_review = 90 }
requires = ["weighed", "bottles"]
observed_per_week = 1
consecutive = 5
source = "The tests"
[law]
per_supply = 14
per_week = 6
consecutive = 6
source = "The tests"
[[criteria]]
name = "storage"
kind = "required"
text = "Doses are locked away."
reads = ["lockbox"]
source = "The tests"
[[criteria]]
name = "ruled out"
kind = "exclusion"
text = "Something rules the client out."
reads = ["no_diversion_report"]
at_most = { intoxicated_presentations = 2 }
judged = true
source = "The tests"
[[criteria]]
name = "weighed"
kind = "consideration"
text = "Weighed."
reads = ["attendance", "housing_stable", "health_stable", "no_open_alerts"]
judged = true
source = "The tests"
[[criteria]]
name = "bottles"
kind = "consideration"
text = "Bottles come back."
reads = ["bottles_returned", "recalls_passed", "agreement_signed"]
source = "The tests"
[[criteria]]
name = "tests"
kind = "consideration"
text = "Tests show nothing else."
judged = true
about = "drug_tests"
source = "The tests"
[[criteria]]
name = "life"
kind = "advice"
text = "Work, somebody who vouches, no children at home."
reads = ["employed", "guardian", "employed_or_guardian", "no_children_at_home"]
source = "The tests"
"""

SHIPPED: dict[str, Policy] = {parse(document).policy: parse(document) for document in shipped_policies()}


def document_of(policy: str) -> str:
    """The shipped document, word for word."""
    return next(document for document in shipped_policies() if parse(document).policy == policy)


def some_value(parameter: Parameter) -> Value:
    """A value within the bounds of the parameter; no figure that anybody recommends."""
    if parameter.choices:
        return parameter.choices[0]
    return parameter.least + (parameter.most - parameter.least) // 8


def filled(policy: str, **values: Value) -> Policy:
    """A shipped policy whose parameters are set, to `values` or else to anything that they may be."""
    document = document_of(policy)
    every = {one.name: values.get(one.name, some_value(one)) for one in parse(document).parameters}
    return parse(fill(document, every, policy=f"MY-{policy}", version="7", title="A site's own", set_by="The tests"))


WITH_PARAMETERS = [name for name, policy in SHIPPED.items() if policy.parameters]
EXTRA: list[Policy] = [
    parse(EVERYTHING),
    filled("MY-TAKEAWAY", min_months=2, max_consecutive_missed=1, window_days=40, max_days=7),
    filled("VN-PILOT-2021", min_months=3, stable_days=14, no_missed_days=30, days_at_once=5),
    filled(
        "PING-AN-ADHERENCE",
        window_days=30,
        covered_days=20,
        percent_for_2=70,
        percent_for_3=80,
        percent_for_4=85,
        percent_for_5=90,
        percent_for_6=98,
    ),
]
