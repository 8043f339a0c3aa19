"""Each of the forty points of docs/asvs.md names tests that are there, or says why it has none."""

from __future__ import annotations

import re

from tests.attack import ROOT
from tests.test_attack import named

POINTS = """1.2.1 1.2.4 2.2.1 2.2.2 2.3.1 2.3.3 2.3.4 2.4.1 3.3.1 3.3.3 3.3.4 3.4.1 3.4.3 3.5.1 4.1.3 6.2.4 6.3.1 6.3.3
6.5.1 6.5.4 6.6.3 7.2.4 7.3.1 7.3.2 7.4.1 7.4.2 8.2.1 8.2.2 8.2.3 9.1.1 9.2.1 11.3.2 11.4.2 11.5.1 13.4.5 14.2.1
14.3.2 15.3.4 16.4.2 16.5.3"""


def test_each_point_has_its_tests_or_a_reason() -> None:
    lines = [line for line in (ROOT / "docs" / "asvs.md").read_text("utf-8").splitlines() if line.startswith("| V")]
    told = {}
    for line in lines:
        point, asks, shown, beside = (cell.strip() for cell in line.strip("|").split("|"))
        tests = re.findall(r"`([^`]+)`", shown)
        assert asks, point
        assert tests or beside, point
        assert [test for test in tests if not named(test)] == [], point
        told[point.removeprefix("V")] = tests
    assert list(told) == POINTS.split()
