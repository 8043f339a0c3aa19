"""The programmes that come with the program stand on the page that says how one is made."""

from __future__ import annotations

import re
from pathlib import Path

from dispensary.programmes.reading import shipped

PAGE = Path(__file__).parents[2] / "docs/new-programme.md"


def test_the_page_names_every_programme_that_comes_with_it() -> None:
    table = PAGE.read_text("utf-8").split("| --- | --- |")[1].split("A country is built")[0]
    firsts = " ".join(line.split("|")[1] for line in table.splitlines() if line.startswith("|"))
    named = re.findall(r"`([a-z-]+)`", firsts)
    assert {each if each[0] != "-" else f"community{each}" for each in named} == set(shipped())
