"""What people do in the safes of three sites on random days: transfers, counts, destruction, closes."""

from __future__ import annotations

from decimal import Decimal

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from dispensary.database import WriteSession
from dispensary.staff.rules import the_program
from dispensary.stock import transfers
from dispensary.stock.counting import count_lot
from dispensary.stock.destroying import destroy
from dispensary.supplies.closing import Counted, close_day, to_count
from dispensary.units import Millilitres
from tests.dispensary.three_sites import PIN, WRONG_PIN, Sites, mostly, picks, sites


class InTheSafe(Sites):
    """Transfers, counts, destruction, closes."""

    @rule(pick=picks, to=st.integers(1, 2), ml=st.sampled_from(["100", "250.5", "9000"]))
    def sends(self, pick: int, to: int, ml: str) -> None:
        place = self.places[pick % 3]
        other = self.places[(pick + to) % 3]
        sent = self.does(
            lambda session: transfers.send(
                session, actor=place.pharmacist, lot_id=place.lot_id, to_site_id=other.site_id,
                ml=Millilitres(Decimal(ml)), carried_by="seal 4711", day=self.today, at=place.now, key=self.key(),
            ).id
        )  # fmt: skip
        there = self.model.lots[place.lot_id] - self.model.promised(place.lot_id)
        assert (sent is not None) == (Decimal(ml) <= there), "more was sent than there was, or less than could be"
        self.saw("stock was sent" if sent else "more than there is was not sent")
        if sent is not None:
            self.model.lots[place.lot_id] -= Decimal(ml)
            self.model.road[sent] = (place.lot_id, Decimal(ml))

    @precondition(lambda self: self.model.road)
    @rule(pick=picks, arrives=st.booleans(), less=st.sampled_from(["0", "1.5"]))
    def settles(self, pick: int, arrives: bool, less: str) -> None:
        transfer = sorted(self.model.road)[pick % len(self.model.road)]
        from_lot, ml = self.model.road.pop(transfer)
        ((from_site, to_site),) = self.read(
            "SELECT from_site_id, to_site_id FROM stock_transfer WHERE id = :of", of=transfer
        )
        place = next(each for each in self.places if each.site_id == (to_site if arrives else from_site))
        day, at = self.today, place.now
        if not arrives:
            assert self.does(
                lambda session: transfers.take_back(
                    session, actor=place.pharmacist, transfer_id=transfer, reason="no van", day=day, at=at
                )
            )
            self.model.lots[from_lot] += ml
            self.saw("a transfer was taken back")
            return
        assert self.does(
            lambda session: transfers.receive(
                session, actor=place.pharmacist, transfer_id=transfer, measured=Millilitres(ml - Decimal(less)),
                reason="as measured", day=day, at=at,
            )
        )  # fmt: skip
        ((lot,),) = self.read("SELECT to_lot_id FROM stock_transfer WHERE id = :of", of=transfer)
        self.model.lots[lot] = self.model.lots.get(lot, Decimal(0)) + ml - Decimal(less)
        self.saw("a transfer arrived" if less == "0" else "a transfer arrived short")

    @rule(n=sites, gap=st.sampled_from(["0", "-2", "3.5"]), right=mostly)
    def counts_and_destroys(self, n: int, gap: str, right: bool) -> None:
        place = self.places[n]
        lot, now = place.lot_id, self.model.lots[place.lot_id]
        counted = self.does(
            lambda session: count_lot(
                session, actor=place.pharmacist, lot_id=lot, measured=Millilitres(now + Decimal(gap)), reason="seen",
                day=self.today, at=place.now, key=self.key(),
            )
        )  # fmt: skip
        if counted is not None:
            self.saw(f"a count was {'as expected' if gap == '0' else 'short' if gap < '0' else 'over'}")
            self.model.lots[lot] += Decimal(gap)
        gone = self.does(
            lambda session: destroy(
                session, actor=place.pharmacist, lot_id=lot, ml=Millilitres(Decimal(5)), reason="cloudy",
                method="incinerated", reference="form 41", second_id=place.doctor.account_id,
                pin=PIN if right else WRONG_PIN, day=self.today, at=place.now, key=self.key(),
            ),
            cut=right,
        )  # fmt: skip
        if gone is not None:
            assert right
            self.saw("stock was destroyed")
            self.model.lots[lot] -= Decimal(5)

    @rule(n=sites, at_counter=st.booleans())
    def closes(self, n: int, at_counter: bool) -> None:
        place = self.places[n]

        def act(session: WriteSession) -> bool:
            counts = {
                row.lot.id: Counted(row.expected_bulk)
                for row in to_count(session, site_id=place.site_id, day=self.today)
            }
            close_day(
                session, actor=place.pharmacist if at_counter else the_program(place.site_id), day=self.today,
                today=self.today, counts=counts if at_counter else None, at=place.now,
            )  # fmt: skip
            return True

        closed = self.does(act)
        assert (closed is not None) == ((n, self.today) not in self.model.closed)
        if closed is None:
            return
        self.saw("a day was closed at the counter" if at_counter else "a day was closed by the night")
        self.model.closed |= {(n, day) for (day,) in self.read(
            "SELECT dose_day FROM day_close WHERE site_id = :of", of=place.site_id)}  # fmt: skip
        for pickup in [p for p, (_, where, on) in self.model.pickups.items() if where == n and on <= self.today]:
            if at_counter:
                self.model.put_back(pickup)
