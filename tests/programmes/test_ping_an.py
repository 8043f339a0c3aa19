"""Ping An and Chunhui, Yuxi: two to six doses a week by prior adherence; a satellite that shares the ledger."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from sqlalchemy import text

from dispensary.refusals import Refused
from dispensary.supplies.rules import Wanted
from dispensary.supplies.service import dispense
from dispensary.units import DoseDay
from tests.programmes.conftest import Built
from tests.programmes.spoken import is_spoken


def test_ping_an_runs_and_its_figures_are_the_published_ones(built: Callable[[str], Built], tmp_path: Path) -> None:
    centre = built("ping-an")
    assert centre.not_equal() == {}
    assert len([line for line in centre.table.values() if line.equal]) == 10

    with centre.database.reading() as session:
        weekly = "SELECT per_week, count(*) FROM decision WHERE upper_inf(days) GROUP BY 1 ORDER BY 1"
        assert list(map(tuple, session.execute(text(weekly)))) == [(2, 24), (3, 26), (4, 30), (5, 32), (6, 40)]
        agrees = """SELECT count(*) FROM decision d JOIN assessment a ON a.id = d.assessment_id
            WHERE a.level = d.per_week || ' a week' AND NOT d.differs"""
        assert session.execute(text(agrees)).scalar_one() == 152, "each is what the policy says of their adherence"
        percent = """SELECT a.level, min(share), max(share) FROM decision d JOIN assessment a ON a.id = d.assessment_id,
            LATERAL (SELECT 100.0 * count(*) FILTER (WHERE outcome <> 'missed') / count(*) AS share FROM day_outcome o
                WHERE o.client_id = d.client_id AND o.dose_day BETWEEN lower(d.days) - 12 AND lower(d.days) - 1) AS s
            GROUP BY 1 ORDER BY 1"""
        shares = {level: (round(low), round(high)) for level, low, high in session.execute(text(percent))}
        assert shares == {
            "2 a week": (67, 67),
            "3 a week": (75, 75),
            "4 a week": (83, 83),
            "5 a week": (92, 92),
            "6 a week": (100, 100),
        }

        results = (
            "SELECT choice, count(DISTINCT client_id) FROM health_result WHERE analyte = 'hcv_antibody' GROUP BY 1"
        )
        assert dict(session.execute(text(results)).all()) == {"positive": 348, "negative": 232}
        linked = """SELECT count(*) FROM linkage_step l JOIN health_result r ON r.client_id = l.client_id
            WHERE l.step = 'linked' AND r.choice = 'positive' AND r.taken_on < l.on_day"""
        assert session.scalar(text(linked)) == 348, "those who were linked are those in whom it was found, and after it"
        assert session.scalar(text("SELECT count(*) FROM linkage_step WHERE step = 'tested'")) == 0

    _the_satellite_shares_the_ledger(centre)
    is_spoken(centre, tmp_path)


def _the_satellite_shares_the_ledger(centre: Built) -> None:
    main, satellite = centre.house.sites["PA"], centre.house.sites["PA-C"]
    with centre.database.reading() as session:
        moved = """SELECT l.site_id, r.kind, r.ml FROM register_line r JOIN lot l ON l.id = r.lot_id
            WHERE transfer_id IS NOT NULL"""
        assert set(map(tuple, session.execute(text(moved)))) == {
            (main.id, "sent", Decimal(-12_000)),
            (satellite.id, "received", Decimal(12_000)),
        }
        given = "SELECT count(DISTINCT client_id), count(*), sum(ml) FROM dose WHERE site_id = :there"
        people, doses, ml = session.execute(text(given), {"there": satellite.id}).one()
        assert (people, doses) == (24, 72)
        left = "SELECT balance FROM lot WHERE site_id = :there"
        assert session.execute(text(left), {"there": satellite.id}).scalar_one() == 12_000 - ml
    villager = centre.house.groups["of the village"][1]

    def gives(code: str) -> None:
        with centre.database.writing() as session:
            dispense(
                session,
                actor=centre.house.bulk[code].pharmacist,
                client_id=villager,
                wanted=Wanted(observed=True, identified_by="second_identifier", well=True),
                key=f"today at {code}",
                today=DoseDay(main.dose_day(centre.now)),
                at=centre.now + timedelta(seconds=5),
            )

    with pytest.raises(Refused, match=r"PA-C|Chunhui"):
        gives("PA")
    gives("PA-C")
