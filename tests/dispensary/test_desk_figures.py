"""The office's page on which a site sets the figures that a policy leaves to it."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pytest
from sqlalchemy import select

from dispensary.database import Database
from dispensary.takehome.models import PolicyVersion
from dispensary.takehome.policy import Status, parse
from tests.dispensary.desk_place import Desks, desks
from tests.dispensary.visiting import text_of

MALAYSIA = "MY-TAKEAWAY"
FIGURES = {
    "value-min_months": "3",
    "value-urine_negative_months": "2",
    "value-max_consecutive_missed": "1",
    "value-window_days": "60",
    "value-max_days": "7",
    "value-work_or_guardian": "consideration",
    "value-lockbox": "required",
    "policy": "KL-TAKEAWAY",
    "version": "2026",
    "title": 'Dos Bawa Pulang, "Kuala Lumpur"',
    "set_by": "Dr Lim, from the SOP of 2024",
}


@pytest.fixture
def here(database: Database, now: datetime, tmp_path: Path) -> Desks:
    place = desks(database, now, tmp_path)
    place.follow()
    return place


def version(here: Desks, policy: str) -> PolicyVersion:
    with here.database.reading() as session:
        return session.scalars(select(PolicyVersion).where(PolicyVersion.policy == policy)).one()


def address(here: Desks, policy: str = MALAYSIA) -> str:
    return f"/office/policies/{version(here, policy).id}/figures"


def test_each_figure_is_asked_for_with_its_bounds_and_source(here: Desks) -> None:
    said = text_of(here.administrator.get(address(here)))

    assert "Months in treatment before any take-away dose (months)" in said
    assert "0 to 60. To be read in the policy in force" in said
    assert "A lockbox at home is" in said
    assert 'value="Take-away methadone doses, Malaysia"' in here.administrator.get(address(here)).text


def test_the_site_publishes_a_version_of_its_own_once(here: Desks) -> None:
    for _ in range(2):
        answer = here.administrator.post(address(here), FIGURES)
        assert answer.headers["location"] == "/office/policies?done=set"

    kept = version(here, "KL-TAKEAWAY")
    policy = parse(kept.document)
    assert (policy.status, policy.values_set_by) == (Status.ACTIVE, "Dr Lim, from the SOP of 2024")
    assert {one.name: one.value for one in policy.parameters} == {
        "min_months": 3,
        "urine_negative_months": 2,
        "max_consecutive_missed": 1,
        "window_days": 60,
        "max_days": 7,
        "work_or_guardian": "consideration",
        "lockbox": "required",
    }
    assert set(here.acts_about(kept.id)) == {"published policy"}
    said = text_of(here.administrator.get("/office/policies"))
    assert "Set by Dr Lim, from the SOP of 2024." in said
    assert "3 whole months of treatment, at most 1 missed day in a row up to 7 days at once" in said


def test_a_version_that_is_set_can_be_set_anew(here: Desks) -> None:
    here.administrator.post(address(here), FIGURES)

    page = here.administrator.get(address(here, "KL-TAKEAWAY")).text
    assert 'value="60"' in page
    answer = here.administrator.post(
        address(here, "KL-TAKEAWAY"), {**FIGURES, "version": "2027", "value-max_days": "5"}
    )

    assert answer.status_code == 303
    with here.database.reading() as session:
        kept = session.scalars(select(PolicyVersion).where(PolicyVersion.version == "2027")).one()
    assert parse(kept.document).levels[0].per_supply == 5


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"value-max_days": "29"}, "a number from 0 to 28"),
        ({"value-max_days": ""}, "This is missing."),
        ({"value-max_days": "nan"}, "a number from 0 to 28"),
        ({"value-max_days": "1e500"}, "a number from 0 to 28"),
        ({"value-min_months": "1.5"}, "whole unless it is per cent"),
        ({"value-lockbox": ""}, "This is missing."),
        ({"value-lockbox": "perhaps"}, "Choose one."),
        ({"policy": "kl takeaway"}, "A name has capital letters"),
        ({"set_by": " "}, "This is missing."),
    ],
    ids=lambda value: "told" if isinstance(value, str) else "-".join(f"{k}={v}" for k, v in value.items()),
)
def test_what_is_wrong_is_told_and_what_was_typed_is_kept(here: Desks, changed: dict[str, str], told: str) -> None:
    answer = here.administrator.post(address(here), {**FIGURES, **changed})

    assert answer.status_code == 422
    assert told in text_of(answer)
    assert 'value="60"' in answer.text


def test_a_policy_without_open_figures_has_no_such_page(here: Desks) -> None:
    assert here.administrator.get(address(here, "US-42CFR8.12i-2024")).status_code == 404


def test_only_an_administrator_sets_them(here: Desks) -> None:
    assert here.doctor.get(address(here)).status_code == 403
