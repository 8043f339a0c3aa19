"""Stock of many sites: how long it lasts, what is on its way, and who could send some to whom."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text

from dispensary.database import Database
from dispensary.evaluation.rollup import stocked
from dispensary.stock.sharing_rules import Figures, Moved, OnHand, proposals, since_close
from dispensary.stock.transfers import send
from dispensary.units import Millilitres
from tests.dispensary.branch_place import Programme, programme
from tests.dispensary.lending import lent_app
from tests.dispensary.visiting import PASSWORD, MovableClock, Visitor, demo_settings, text_of


@pytest.fixture
def here(database: Database, now: datetime) -> Programme:
    return programme(database, now)


def on_hand(code: str, left: int, daily: int, near: str = "D1", around: str = "P1", product: str = "m5") -> OnHand:
    return OnHand(UUID(int=sum(map(ord, code + product))), code, product, Decimal(left), Decimal(daily), near, around)


class TestTransfersThatWouldHelp:
    def test_come_from_the_nearest_with_most_to_spare_and_leave_the_giver_what_it_keeps(self) -> None:
        stock = [
            on_hand("DRY", 50, 10),  # lasts 5 days, wants 230 mL more
            on_hand("NEAR", 560, 10),  # keeps 420, spares 140
            on_hand("FAR", 2000, 10, near="D9"),
            on_hand("OTHER", 9000, 10, near="X1", around="P2"),
            on_hand("WRONG", 9000, 10, product="m1"),
        ]
        found = [(each.giver.code, each.taker.code, each.ml, each.how_near) for each in proposals(stock, Figures())]
        assert found == [("NEAR", "DRY", 140, "district"), ("FAR", "DRY", 90, "province")]

    @given(
        st.lists(
            st.tuples(st.integers(0, 3000), st.integers(0, 40), st.sampled_from("AB"), st.sampled_from("PQ")),
            max_size=8,
        )
    )
    def test_never_take_more_than_is_spare_nor_fill_beyond_the_target(
        self, sites: list[tuple[int, int, str, str]]
    ) -> None:
        rule = Figures()
        stock = [
            OnHand(UUID(int=n + 1), f"S{n}", "m5", Decimal(left), Decimal(daily), near, around)
            for n, (left, daily, near, around) in enumerate(sites)
        ]
        after = {each.site_id: each.left_ml for each in stock}
        for each in proposals(stock, rule):
            assert each.ml > 0
            assert each.giver.site_id != each.taker.site_id
            after[each.giver.site_id] -= each.ml
            after[each.taker.site_id] += each.ml
        for each in stock:
            if after[each.site_id] < each.left_ml:
                assert after[each.site_id] >= each.daily_ml * rule.keep
            if after[each.site_id] > each.left_ml:
                assert each.days is not None
                assert each.days < rule.low
                assert after[each.site_id] <= each.daily_ml * rule.target


AT = datetime(2026, 11, 24, 16, tzinfo=UTC)
SENT, TAKEN = UUID(int=1), UUID(int=2)


def moved(state: str = "in_transit", *, sent: int, settled: int | None = None, measured: int | None = None) -> Moved:
    """300 mL, sent and settled so many hours after the close."""
    return Moved(
        SENT, TAKEN, "m5", Decimal(300), AT + timedelta(hours=sent), state,
        None if settled is None else AT + timedelta(hours=settled), None if measured is None else Decimal(measured),
    )  # fmt: skip


class TestTransfersUnderWay:
    @pytest.mark.parametrize(
        ("move", "at_sender", "at_receiver"),
        [
            (moved(sent=-5), (0, 0), (0, 300)),  # gone from the safe before its close, not there yet
            (moved(sent=5), (-300, 0), (0, 300)),
            (moved("received", sent=-5, settled=-1, measured=298), (0, 0), (0, 0)),  # both closes know of it
            (moved("received", sent=-5, settled=3, measured=298), (0, 0), (298, 0)),
            (moved("received", sent=2, settled=3, measured=298), (-300, 0), (298, 0)),
            (moved("taken_back", sent=-5, settled=3), (300, 0), (0, 0)),
            (moved("taken_back", sent=2, settled=3), (0, 0), (0, 0)),
        ],
    )
    def test_change_a_safe_by_what_its_last_close_does_not_know(
        self, move: Moved, at_sender: tuple[int, int], at_receiver: tuple[int, int]
    ) -> None:
        for site, told in ((SENT, at_sender), (TAKEN, at_receiver), (UUID(int=3), (0, 0))):
            assert since_close([move], site_id=site, product="m5", closed_at=AT) == told
            assert since_close([move], site_id=site, product="m1", closed_at=AT) == (0, 0)

    def test_are_not_proposed_again_and_an_unknown_stock_neither_gives_nor_gets(self) -> None:
        dry, giver = on_hand("DRY", 50, 10), on_hand("NEAR", 9000, 10)
        assert [each.ml for each in proposals([dry, giver], Figures())] == [230]
        assert [each.ml for each in proposals([replace(dry, on_way_ml=Decimal(85)), giver], Figures())] == [145]
        assert proposals([replace(dry, on_way_ml=Decimal(90)), giver], Figures()) == []
        assert proposals([replace(dry, stale=True), giver], Figures()) == []
        assert proposals([dry, replace(giver, stale=True)], Figures()) == []


FACTS = """
INSERT INTO fact_site_day SELECT CAST(:site AS uuid), d::date, d + interval '16 hours', 20, 0, 0, 20, 0, 0, 0
    FROM generate_series(CAST(:first AS date), CAST(:last AS date), interval '1 day') d;
INSERT INTO fact_stock_day SELECT site_id, dose_day, :product,
    CASE extract(dow FROM dose_day) WHEN 0 THEN 0 ELSE 100 END, :left_ml
    FROM fact_site_day WHERE site_id = CAST(:site AS uuid)
"""


def test_a_new_site_a_silent_one_and_a_transfer_under_way_are_told_as_they_are(here: Programme, tmp_path: Path) -> None:
    """A new site has closed eight days, a silent one none for ten; each gives 100 mL on every day but Sunday."""
    today, product = here.main.today, "methadone oral solution 5 mg/mL"
    new, silent, rich = here.satellite, here.main, here.other
    for place, first, last, left in ((new, 8, 1, 1000), (silent, 40, 11, 1900), (rich, 60, 1, 9000)):
        values = {"site": place.site_id, "first": today - timedelta(days=first), "last": today - timedelta(days=last)}
        with here.database.writing() as session:
            for statement in FACTS.split(";"):
                session.execute(text(statement), {**values, "product": product, "left_ml": left})
    with here.database.reading() as session:
        known = {each.site_id: each for each in stocked(session, site_ids=[new.site_id, silent.site_id, rich.site_id])}
    week, month = Decimal(700) / 8, Decimal(2400) / 28
    assert [known[place.site_id].daily_ml for place in (new, silent)] == [
        week.quantize(Decimal("0.001")), month.quantize(Decimal("0.001")),
    ]  # fmt: skip
    app = lent_app(demo_settings(tmp_path), here.database, MovableClock(here.main.now))
    chief = Visitor(app)
    assert chief.signs_in("chief", PASSWORD).status_code == 303
    before = text_of(chief.get("/programme/stock"))
    yesterday = f"KLG closed {today - timedelta(days=1):%a %-d %b %Y}"
    assert f"HRP closed {today - timedelta(days=11):%a %-d %b %Y} {product} 1042 mL 85.714 mL 12.1 low" in before, (
        "1900 mL, less ten usual days"
    )
    assert f"{yesterday} {product} 1000 mL 87.5 mL 11.4 low {today + timedelta(days=11):%a %-d %b %Y}" in before
    assert re.search(rf"OTH KLG {product} 1450 11\.4 days farther", before)

    with here.database.writing() as session:
        lot = session.execute(text("SELECT id FROM lot WHERE site_id = :site"), {"site": rich.site_id}).scalar_one()
        send(
            session, actor=rich.pharmacist, lot_id=lot, to_site_id=new.site_id, ml=Millilitres(Decimal(1450)),
            carried_by="seal 7", day=today, at=here.main.now,
        )  # fmt: skip
    after = text_of(chief.get("/programme/stock"))
    assert "OTH KLG" not in after
    assert f"{yesterday} {product} 1000 mL 1450 mL on the way 87.5 mL 11.4 low" in after
    assert "Sent long ago" not in after
    later = Visitor(lent_app(demo_settings(tmp_path), here.database, MovableClock(here.main.now + timedelta(days=30))))
    assert later.signs_in("chief", PASSWORD).status_code == 303
    seen = text_of(later.get("/programme/stock"))
    assert f"Sent long ago and not received From To Product mL Sent OTH KLG {product} 1450 Tue 24 Nov" in seen
    assert "The stock of 3 sites is not known: no day closed in 28 days." in seen
    assert "No transfer is proposed." in seen
