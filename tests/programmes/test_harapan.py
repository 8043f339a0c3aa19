"""Harapan, Kuala Lumpur: flexible doses, take-away for up to two weeks, ART and liver watched beside the dose."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from sqlalchemy import text

from tests.programmes.conftest import Built
from tests.programmes.spoken import is_spoken


def test_harapan_runs_and_its_figures_are_the_published_ones(built: Callable[[str], Built], tmp_path: Path) -> None:
    harapan = built("harapan")
    assert harapan.not_equal() == {}
    assert {key: line.ours for key, line in harapan.table.items() if line.figure.unit == "people"} == {
        "registered": 1000,
        "active": 96,
        "retained": 92,
    }
    with harapan.database.reading() as session:

        def one(sql: str) -> object:
            return session.execute(text(sql)).one()

        lowest, highest = "SELECT min(mg), max(mg) FROM dose_order WHERE upper_inf(days)", (20, 250)
        assert tuple(one(lowest)) == highest, "doses are flexible from 20 to 250 mg"
        decided = "SELECT max(per_supply), count(*) FROM decision WHERE voided_at IS NULL AND upper_inf(days)"
        assert tuple(one(decided)) == (14, 63), "up to two weeks, for those whose health and work are stable"
        carried = "SELECT max(n) FROM (SELECT count(*) AS n FROM dose WHERE kind = 'take_home' GROUP BY supply_id) AS s"
        assert tuple(one(carried)) == (14,)
        booked = "SELECT count(*) FROM booking WHERE state = 'arrived'"
        assert session.execute(text(booked)).scalar_one() > 500, "most come at the time that they booked"
        languages = set(session.scalars(text("SELECT language FROM contact")))
        assert languages == {"ms", "zh_Hans", "ta", "en"}
        seen = "SELECT count(*) FROM contact_note WHERE how = 'screen'"
        assert session.execute(text(seen)).scalar_one() == 7, "telemedicine"
        told = "SELECT count(*) FROM message WHERE kind = 'news'"
        assert session.execute(text(told)).scalar_one() == 40, "news go to those who want them"
        liver = "SELECT count(DISTINCT taken_on) FROM health_result WHERE analyte = 'alt' GROUP BY client_id"
        assert set(session.scalars(text(liver))) == {2}, "twice a year"
        kits = """SELECT count(*), bool_and(k.trained AND l.expires_on > k.given_on) FROM decision d
            JOIN naloxone_kit k ON k.client_id = d.client_id AND k.to_whom = 'client'
            JOIN naloxone_lot l ON l.id = k.lot_id WHERE d.naloxone = 'given'"""
        assert tuple(one(kits)) == (63, True), "whoever is said to have been given naloxone has a kit of a batch"
    _bottles_reach_the_home(harapan)
    is_spoken(harapan, tmp_path)


def _bottles_reach_the_home(harapan: Built) -> None:
    """Counted out by one, taken and handed over by another, against the pass; none is out, and each covers its day."""
    people = harapan.house.groups["visited at home"]
    with harapan.database.reading() as session:
        rounds = """SELECT c.client_id, c.state, c.bottles, c.counted_out_by <> c.carrier_id, c.ended_by = c.carrier_id,
                v.purpose, v.state, p.state
            FROM carrying c JOIN pickup p ON p.id = c.pickup_id JOIN home_visit v ON v.client_id = c.client_id"""
        ended = ("delivered", 7, True, True, "doses", "done", "collected")
        assert {row[0]: tuple(row[1:]) for row in session.execute(text(rounds))} == dict.fromkeys(
            people.values(), ended
        )
        brought = """SELECT b.state, count(*) FROM bottle b JOIN carrying c ON c.pickup_id = b.pickup_id GROUP BY 1"""
        assert dict(session.execute(text(brought)).all()) == {"handed_over": 21}
        outcomes = """SELECT count(*) FILTER (WHERE o.outcome = 'take_home'),
                count(*) FILTER (WHERE o.outcome = 'missed')
            FROM day_outcome o WHERE o.client_id = ANY(:people)"""
        since = session.execute(text(outcomes), {"people": list(people.values())}).one()
        assert tuple(since) == (9, 0), "the three days since then are covered by what was brought"
