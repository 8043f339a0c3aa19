"""The doctor's page of the handbook names what the consulting room can refuse, and nothing that nobody refuses."""

from __future__ import annotations

import re

from tests.test_docs import DOCS, ROOT, codes_in

SAID_HERE = (
    *("clients/goals", "clients/tasks", "monitoring/reports", "monitoring/service"),
    *("monitoring/results", "monitoring/treatments", "monitoring/alerts", "monitoring/setting", "web/health_acts"),
    *("desks/health", "desks/health_results", "desks/health_medicines", "desks/health_treatments"),
    *("desks/caring", "desks/dosing", "desks/plan_form", "desks/planning"),
    *("web/caring_acts", "web/dosing_acts", "web/planning_acts", "web/typed"),
    *("prescribing/service", "prescribing/planning", "prescribing/plans", "prescribing/judging", "prescribing/rules"),
)
KEPT_FROM_THIS_PAGE = {"bad-number"}
"""No page of this desk notes numbers."""


def test_it_explains_every_refusal_of_what_is_done_around_the_doses() -> None:
    page = (DOCS / "handbook" / "doctor.md").read_text("utf-8")
    said = set(re.findall(r"`([a-z-]+)`", page))
    shown = {code for file in SAID_HERE for code in codes_in(ROOT / f"dispensary/{file}.py")}

    assert len(shown) > 10
    assert shown - KEPT_FROM_THIS_PAGE - said == set()


def test_it_names_no_refusal_that_nobody_makes() -> None:
    page = (DOCS / "handbook" / "doctor.md").read_text("utf-8")
    written = "".join(path.read_text("utf-8") for path in sorted((ROOT / "dispensary").rglob("*.py")))

    def made(code: str) -> bool:
        field, _, kind = code.rpartition("-")
        of_a_field = f'f"{{field}}-{kind}"' in written and f'"{field}"' in written  # said of several fields alike
        return f'"{code}"' in written or of_a_field

    unknown = {code for code in re.findall(r"`([a-z-]+)`", page) if not made(code)}

    assert unknown == set()
    assert not made("nothing-of-the-kind-missing")
