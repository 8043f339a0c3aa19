"""The programmes that come with the program stand on the page that says how one is made."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from dispensary.programmes.reading import read_programme, shipped
from dispensary.staff.branch_rules import Kind
from dispensary.staff.rules import Role
from dispensary.words import catalogues

PAGE = Path(__file__).parents[2] / "docs/new-programme.md"


def test_the_page_names_every_programme_that_comes_with_it() -> None:
    table = PAGE.read_text("utf-8").split("| --- | --- |")[1].split("A country is built")[0]
    firsts = " ".join(line.split("|")[1] for line in table.splitlines() if line.startswith("|"))
    named = re.findall(r"`([a-z-]+)`", firsts)
    assert {each if each[0] != "-" else f"community{each}" for each in named} == set(shipped())


@pytest.mark.parametrize("name", shipped())
def test_each_says_how_it_prints_and_how_it_is_with_take_home_at_every_site(name: str) -> None:
    programme = read_programme(name)
    mains = {site.code for site in programme.sites}
    for site in programme.sites:
        paper = site.paper or programme.paper
        assert paper is not None, f"{site.code} says how labels and the register are printed"
        assert set(paper.languages) <= set(catalogues()), "a label is in a language that paper has words in"
        assert site.policy or site.parent in mains or programme.head.take_home, f"{site.code} says how doses go home"
        assert site.languages, "and in which languages texts are"


def test_whoever_evaluates_a_programme_sees_all_of_its_sites() -> None:
    """Else the page of its published figures could tell them none."""
    for name in shipped():
        programme = read_programme(name)
        evaluators = [each for site in programme.sites for each in site.staff if Role.EVALUATOR in each.roles]
        assert evaluators, f"{name} has an evaluator"
        countries = {area.code for area in programme.areas if area.kind is Kind.COUNTRY}
        if len(programme.sites) > 1:
            assert [each.branch for each in evaluators if each.branch not in countries] == [], name
