"""The page of published figures: whoever evaluates or runs the programme reads them beside what the records come to."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from pathlib import Path

import pytest
from httpx import Response
from litestar import Litestar

from dispensary.app import create_app
from dispensary.demo.clinic import PASSWORD
from dispensary.published.keeping import NAME, keep
from dispensary.staff.branches import grant_at_branch
from dispensary.staff.models import Site
from dispensary.staff.rules import Role, the_program
from tests.dispensary import visiting
from tests.dispensary.visiting import Visitor, acts_of, demo_settings, hire, text_of
from tests.programmes.conftest import Built
from tests.programmes.test_new_programme import example

Builds = Callable[[Path], Built]


def served(built: Built, folder: Path) -> Litestar:
    return create_app(demo_settings(folder), built.database, lambda: built.now)


def asks(app: Litestar, username: str, path: str = "/programme/published", password: str = PASSWORD) -> Response:
    visitor = Visitor(app)
    assert visitor.signs_in(username, password).status_code == 303
    return visitor.get(path)


def site(built: Built) -> Site:
    with built.database.reading() as session:
        return session.get_one(Site, built.house.sites["EX"].id)


def test_each_figure_stands_with_its_source_beside_what_the_records_come_to(built: Builds, tmp_path: Path) -> None:
    clinic = built(example(tmp_path / "my-folder"))
    app = served(clinic, tmp_path)
    assert asks(app, "evaluator").status_code == 404, "of a clinic of no programme nothing was published"
    assert "Published figures" not in asks(app, "evaluator", "/evaluation").text

    keep(tmp_path, clinic.programme.publication)

    assert 'href="/programme/published"' in asks(app, "evaluator", "/evaluation").text
    assert 'href="/programme/published"' in asks(app, "evaluator", "/programme").text
    page = text_of(asks(app, "evaluator"))
    assert "people in treatment 24 people 24 people equal this page" in page
    assert "work or study, of those asked 37.5 % 37.5 % equal this page" in page
    assert "money saved 1,000 dollars – not from records: no record has a price this page" in page
    assert "5 of 5 figures equal" in page
    rows = list(csv.DictReader(io.StringIO(asks(app, "evaluator", "/programme/published.csv").text)))
    assert [(row["figure"], row["published"], row["ours"], row["equal"]) for row in rows] == [
        ("in-treatment", "24", "24", "yes"),
        ("carry", "10", "10", "yes"),
        ("work", "37.5", "37.5", "yes"),
        ("tested", "12", "12", "yes"),
        ("kits", "40", "40", "yes"),
        ("saved", "1000", "", ""),
    ]
    assert {row["source"] for row in rows} == {"this page"}
    assert {"looked at figures", "exported published figures"} <= set(acts_of(clinic.database, site(clinic)))
    assert asks(app, "kampung").status_code == 403
    (tmp_path / NAME).write_text("{}", "utf-8")
    damaged = asks(app, "evaluator")
    assert (damaged.status_code, "cannot be read" in text_of(damaged)) == (404, True)


@pytest.mark.parametrize("everywhere", [False, True])
def test_an_evaluator_sees_no_figure_of_few_people_and_none_of_sites_that_are_not_theirs(
    built: Builds, tmp_path: Path, everywhere: bool
) -> None:
    folder = example(tmp_path / "my-folder")
    words = (folder / "records.toml").read_text("utf-8")
    assert "who = { last = 10 }" in words
    (folder / "records.toml").write_text(words.replace("who = { last = 10 }", "who = { last = 3 }"), "utf-8")
    clinic = built(folder)
    keep(tmp_path, clinic.programme.publication)
    app, here = served(clinic, tmp_path), site(clinic)
    hire(clinic.database, here, "looks", [Role.EVALUATOR], clinic.now)
    if everywhere:
        with clinic.database.writing() as session:
            grant_at_branch(
                session,
                actor=the_program(clinic.house.sites["EX"].id),
                username="looks",
                branch="MY",
                role=Role.EVALUATOR,
                at=clinic.now,
            )

    page = text_of(asks(app, "looks", password=visiting.PASSWORD))

    if everywhere:
        assert "people who may carry doses home 10 people – not told: it is about fewer than 5 people" in page
        assert "people in treatment 24 people 24 people equal" in page
        whole = text_of(asks(app, "evaluator"))
        assert "people who may carry doses home 10 people 3 people not equal" in whole, "who runs it reads it whole"
    else:
        assert "1 site is not in your view" in page
        assert "24 people" not in page
