"""Viet Nam's take-home pilot: its published retention, and a draft policy that leaves each client to the doctor."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

from sqlalchemy import text

from dispensary.takehome.queries import last_assessment
from tests.programmes.conftest import Built
from tests.programmes.spoken import is_spoken


def test_retention_is_the_published_one_and_the_draft_decides_nothing(
    built: Callable[[str], Built], tmp_path: Path
) -> None:
    pilot = built("vn-pilot")
    assert pilot.not_equal() == {}
    assert pilot.table["missed"].ours is None
    assert {key: pilot.table[key].ours for key in ("people", "retained", "take-home")} == {
        "people": 922,
        "retained": Decimal(89200) / 922,
        "take-home": Decimal(81100) / 922,
    }
    with pilot.database.reading() as session:
        asked = pilot.house.groups["take-home at HP"][1]
        assessment = last_assessment(session, asked)
        assert assessment is not None
        assert assessment.result["policy"] == "VN-PILOT-2021"
        assert assessment.result["allowance"]["answer"] == "refer_to_prescriber"
        decided = """SELECT count(*), count(agreement_signed_on), bool_and(reason <> ''), max(per_supply),
            count(DISTINCT site_id) FROM decision WHERE voided_at IS NULL"""
        assert tuple(session.execute(text(decided)).one()) == (811, 811, True, 6, 3)
        without = "SELECT count(*) FROM dose WHERE client_id = :c AND kind = 'take_home'"
        for group, carried in (("take-home at HP", True), ("daily at HP", False)):
            client = pilot.house.groups[group][1]
            assert bool(session.scalar(text(without), {"c": client})) is carried, (
                "who has signed nothing carries nothing"
            )
        kits = """SELECT count(DISTINCT k.client_id) FROM decision d JOIN naloxone_kit k ON k.client_id = d.client_id
            WHERE d.naloxone = 'given' AND k.given_on = lower(d.days)"""
        assert session.scalar(text(kits)) == 811
        reasons = "SELECT coalesce(exit_reason, ''), count(*) FROM episode GROUP BY 1"
        assert dict(session.execute(text(reasons)).all()) == {"": 892, "dropped_out": 30}
    is_spoken(pilot, tmp_path)
