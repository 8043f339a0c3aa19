"""The house's own rules of writing hold everywhere, and each of them still finds what it is there for."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import PurePosixPath

import pytest

from tests.lint import RULES, SHOWN, Rule
from tests.test_house import HOUSES, ROOT, code


@cache
def houses() -> list[tuple[PurePosixPath, ast.Module]]:
    return [(PurePosixPath(path.relative_to(ROOT).as_posix()), tree) for path, tree in code(*HOUSES)]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
class TestNeverWritten:
    def test_nowhere_in_the_three_houses(self, rule: Rule) -> None:
        found: dict[str, list[int]] = {}
        for at, tree in houses():
            if rule.where(at) and (lines := list(rule.find(tree))):
                found[str(at)] = lines

        broken = {path: lines for path, lines in found.items() if path not in rule.excused}
        assert broken == {}, rule.why
        assert set(rule.excused) <= set(found), "excused for what it does not do any more"

    def test_the_rule_finds_what_it_forbids_and_nothing_else(self, rule: Rule) -> None:
        forbidden, allowed = SHOWN[rule.name]

        assert list(rule.find(ast.parse(forbidden)))
        assert not list(rule.find(ast.parse(allowed)))
