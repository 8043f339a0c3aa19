"""The table of attacks in docs/security.md is what `make attack` runs, row by row, and each row has its tests."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.attack import ATTACKS, HEAD, PAGE, ROOT, Attack, rows_on


def test_the_rows_of_the_page_are_those_that_are_run() -> None:
    page = PAGE.read_text("utf-8")
    assert HEAD in page
    assert list(rows_on(page)) == [attack.name for attack in ATTACKS]
    assert "broken" not in "".join(rows_on(page).values())


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.name)
def test_each_names_tests_that_are_there(attack: Attack) -> None:
    for test in attack.tests:
        assert named(test), test


def named(test: str) -> bool:
    """Whether a test, a class of tests or a file of them is there under this name."""
    file, *names = test.split("::")
    if not (ROOT / file).is_file():
        return False
    body: list[ast.stmt] = ast.parse(Path(ROOT / file).read_text("utf-8")).body
    for name in names:
        found = [
            each
            for each in body
            if isinstance(each, ast.ClassDef | ast.FunctionDef) and each.name == name.split("[")[0]
        ]
        if not found:
            return False
        body = found[0].body
    return True
