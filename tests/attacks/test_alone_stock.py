"""Cans between a main site and its satellite apart: each is received where it arrives, and both registers agree."""

from __future__ import annotations

from tests.attacks.boxes import Pair
from tests.dispensary.safe_place import arrived, sent

CANS = "SELECT id, state, measured_ml FROM stock_transfer ORDER BY sent_at"
LINES = "SELECT to_jsonb(l)::text FROM register_line l WHERE transfer_id IS NOT NULL ORDER BY 1"


def test_a_can_of_the_main_site_is_received_at_the_box_and_one_of_the_box_at_the_main_site(pair: Pair) -> None:
    with pair.counters() as (home, alone):
        there = sent(home, alone, "500")
        assert pair.far.asks(CANS) == [], "it is known with the next cut"
        pair.cut()
        assert pair.far.asks("SELECT state FROM stock_transfer") == [("in_transit",)]
        pair.holds()
        arrived(alone, there, "499", "less in the can")
        for place in (home, alone):
            place.move_on()
        back = sent(alone, home, "120")
        pair.joins()
        arrived(home, back, "120")
        pair.holds()
        pair.cut()
        assert pair.far.asks(CANS) == pair.centre.asks(CANS)
        assert [state for _, state, _ in pair.centre.asks(CANS)] == ["received", "received"]
        assert pair.far.asks(LINES) == pair.centre.asks(LINES)
        assert len(pair.far.asks(LINES)) == 5, "both ends of both, and what was less in one"
        assert pair.centre.asks("SELECT sentence FROM stock_discrepancy") == []
        pair.holds()
        assert "0 hand-overs, 0 lines" in pair.joins(), "none of it comes back"
    assert "written here again" in pair.joins("--last")
    assert "no row breaks a rule" in pair.centre.types("verify")
