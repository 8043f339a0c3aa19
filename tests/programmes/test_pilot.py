"""Viet Nam's take-home pilot: its published retention, and a draft policy that leaves each client to the doctor."""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import text

from dispensary.takehome.queries import last_assessment
from tests.programmes.conftest import Built


def test_retention_is_the_published_one_and_the_draft_decides_nothing(built: Callable[[str], Built]) -> None:
    pilot = built("vn-pilot")
    assert pilot.not_equal() == {}
    assert pilot.table["missed"].ours is None
    assert pilot.table["people"].ours == 922
    with pilot.database.reading() as session:
        asked = pilot.house.groups["pilot at HP"][1]
        assessment = last_assessment(session, asked)
        assert assessment is not None
        assert assessment.result["policy"] == "VN-PILOT-2021"
        assert assessment.result["allowance"]["answer"] == "refer_to_prescriber"
        decided = """SELECT count(*), count(agreement_signed_on), bool_and(reason <> ''), max(per_supply),
            count(DISTINCT site_id) FROM decision WHERE voided_at IS NULL"""
        assert tuple(session.execute(text(decided)).one()) == (12, 12, True, 6, 3)
        without = "SELECT count(*) FROM dose WHERE client_id = :c AND kind = 'take_home'"
        for n, carried in ((1, True), (5, False)):
            client = pilot.house.groups["pilot at HP"][n]
            assert bool(session.scalar(text(without), {"c": client})) is carried, (
                "who has signed nothing carries nothing"
            )
