"""What people do at three sites on random days, and what the copybook says of it afterwards."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from dispensary.database import WriteSession
from dispensary.refusals import Refused
from dispensary.supplies import service, voiding
from dispensary.supplies.full_bottles import destroy_bottles
from dispensary.supplies.losses import Decision, Lost, decide_loss, report_loss
from dispensary.supplies.pickups import cancel_pickup
from dispensary.supplies.recalls import call_back, call_off
from dispensary.supplies.recalls import count as count_recall
from dispensary.supplies.returns import take_back
from dispensary.supplies.rules import Wanted
from tests.dispensary.test_pickups import prepared
from tests.dispensary.three_sites import AT_HOME, ML, PIN, WRONG_PIN, Sites, mostly, picks, sites
from tests.dispensary.three_sites_safe import InTheSafe


class AtTheCounter(Sites):
    """Doses, bottles, pickups, voids, returns, losses, recalls."""

    @rule(pick=picks, ahead=st.integers(0, 3))
    def somebody_comes(self, pick: int, ahead: int) -> None:
        self.gives(pick, ahead)

    @rule(pick=picks, ahead=st.integers(0, 3))
    def a_day_passes_and_some_come(self, pick: int, ahead: int) -> None:
        """Somebody, and whoever was not there yesterday: who stays away for three days is dosed by nobody any more."""
        for place in self.places:
            place.move_on()
        yesterday = self.today - timedelta(days=1)
        for each, (_, client) in enumerate(self.clients):
            if each == pick % len(self.clients) or (client, yesterday) not in self.model.days:
                self.gives(each, ahead)

    def gives(self, pick: int, ahead: int) -> None:
        n, place, client = self.who(pick)
        days, key = place.ahead(*range(1, ahead + 1)), self.key()
        wanted = Wanted(observed=True, take_home_days=days, identified_by="photo", well=True)

        def act(session: WriteSession) -> UUID:
            return service.dispense(
                session, actor=place.pharmacist, client_id=client, wanted=wanted, key=key, today=self.today,
                at=place.now,
            ).supply_id  # fmt: skip

        asked = [self.today, *days]
        free = (
            all((client, day) not in self.model.days for day in asked)
            and not any(each == client for each, _, _ in self.model.pickups.values())
            and (n, self.today) not in self.model.closed
            and self.model.lots[place.lot_id] - self.model.promised(place.lot_id) >= ML * len(asked)
            and self.model.in_hand(client, self.today) + ahead <= 6
            and (place.today == self.began or self.model.was_here(client, self.today))
        )
        supply = self.does(act)
        if supply is None:
            assert not free, "what was free was refused"
            self.saw("a dose was refused")
            return
        self.saw("a dose was given")
        for day in asked:
            assert (client, day) not in self.model.days, "a day was covered twice"
            self.model.days[client, day] = supply
        drawn = self.read("SELECT lot_id, -ml FROM register_line WHERE supply_id = :of", of=supply)
        assert sum(ml for _, ml in drawn) == ML * len(asked), "the register says another amount"
        for lot, ml in drawn:
            self.model.lots[lot] -= ml
        self.model.supplies[supply] = (client, n, self.today)
        self.learn_bottles(supply, None, client, "handed_over")
        assert len(self.model.of_supply(supply)) == ahead
        self.seen["a bottle was carried home"] += ahead
        assert self.does(act) == supply, "the same key did it twice"

    @precondition(lambda self: self.model.supplies)
    @rule(pick=picks, right=mostly)
    def voids(self, pick: int, right: bool) -> None:
        """Mostly one of the last: a mistake is seen soon."""
        newest = list(reversed(self.model.supplies))[: 3 if pick % 4 else None]
        self.undoes(newest[pick % len(newest)], right)

    def undoes(self, supply: UUID, right: bool) -> None:
        client, n, _ = self.model.supplies[supply]
        place = self.places[n]
        gave = self.read("SELECT lot_id, sum(-ml) FROM register_line WHERE supply_id = :of GROUP BY 1", of=supply)
        voided = self.does(
            lambda session: voiding.void_supply(
                session,
                actor=place.pharmacist,
                supply_id=supply,
                reason="another client was meant",
                second_id=place.doctor.account_id,
                pin=PIN if right else WRONG_PIN,
                key=self.key(),
                today=self.today,
                at=place.now,
            ),
            cut=right,
        )
        at_home = all(self.model.bottles[each].state in AT_HOME for each in self.model.of_supply(supply))
        if voided is None:
            needs_two = self.model.of_supply(supply) or any(
                (n, day) in self.model.closed for (_, day), by in self.model.days.items() if by == supply
            )
            assert not at_home or (needs_two and not right), "an entry in error stayed"
            self.saw("a void was refused")
            return
        assert at_home
        self.saw("a supply was voided")
        assert sum(ml for _, ml in gave) == ML * len(self.model.days_of(supply)), "the lots get back another amount"
        for lot, ml in gave:
            self.model.lots[lot] += ml
        for day in self.model.days_of(supply):
            del self.model.days[day]
        for each in self.model.of_supply(supply):
            bottle = self.model.bottles[each]
            bottle.state, bottle.supply = ("prepared", None) if bottle.pickup else ("void", supply)
            if bottle.pickup:
                self.saw("a voided pickup stands prepared again")
                self.model.pickups[bottle.pickup] = (client, n, self.collect_day(bottle.pickup))
        del self.model.supplies[supply]

    @precondition(lambda self: self.model.at_home())
    @rule(pick=picks, full=st.booleans())
    def brings_back(self, pick: int, full: bool) -> None:
        home = self.model.at_home()
        bottle_id = home[pick % len(home)]
        bottle = self.model.bottles[bottle_id]
        place = self.place_of(bottle.client)
        done = self.does(
            lambda session: take_back(
                session, actor=place.pharmacist, client_id=bottle.client, bottles=[(bottle_id, full)],
                reason="travels", today=self.today, at=place.now,
            )
        )  # fmt: skip
        assert done is not None
        bottle.state = "returned_full" if full else "returned_empty"
        self.saw(f"a bottle was {bottle.state}")
        if full:
            self.model.days.pop((bottle.client, bottle.day), None)

    @rule(n=sites, right=mostly)
    def destroys_what_came_back(self, n: int, right: bool) -> None:
        place = self.places[n]
        here = [
            b for b, each in self.model.bottles.items()
            if each.state == "returned_full" and self.place_of(each.client) is place
        ]  # fmt: skip
        done = self.does(
            lambda session: destroy_bottles(
                session, actor=place.pharmacist, bottle_ids=here, how="onto cat litter",
                second_id=place.doctor.account_id, pin=PIN if right else WRONG_PIN, at=place.now,
            ),
            cut=right,
        )  # fmt: skip
        assert (done is not None) == bool(here and right)
        self.seen["a bottle was destroyed"] += len(here if done else ())
        for each in here if done else ():
            self.model.bottles[each].state = "destroyed"

    @precondition(lambda self: self.model.at_home())
    @rule(pick=picks, again=st.booleans())
    def loses(self, pick: int, again: bool) -> None:
        home = self.model.at_home()
        bottle_id = home[pick % len(home)]
        bottle = self.model.bottles[bottle_id]
        place = self.place_of(bottle.client)

        def act(session: WriteSession) -> bool:
            report = report_loss(
                session, actor=place.pharmacist, client_id=bottle.client, bottle_ids=[bottle_id], what=Lost.LOST,
                told="on the bus", police_number="", key=self.key(), at=place.now,
            )  # fmt: skip
            decide_loss(
                session, actor=place.doctor, report_id=report.id, said="as agreed", today=self.today, at=place.now,
                decision=Decision.GIVEN_AGAIN if again else Decision.STAYS,
            )  # fmt: skip
            return True

        assert self.does(act)
        bottle.state = "lost"
        self.saw("a bottle was lost")
        if again and bottle.day >= self.today and not self.is_frozen(bottle):
            self.model.days.pop((bottle.client, bottle.day), None)

    @rule(pick=picks)
    def calls_back(self, pick: int) -> None:
        _, place, client = self.who(pick)
        if has := [each for _, each in self.clients if pick % 4 and self.model.full_at_home(each, self.today)]:
            client = has[pick % len(has)]
            place = self.place_of(client)
        recall = self.does(
            lambda session: call_back(
                session, actor=place.doctor, client_id=client, cause="check", from_day=self.today,
                bring_by=self.today, at=place.now,
            ).id
        )  # fmt: skip
        out = self.model.full_at_home(client, self.today)
        if client in self.model.recalls:
            assert recall == self.model.recalls[client], "there is one thing to bring"
            return
        assert (recall is not None) == bool(out)
        if recall is None:
            return
        self.saw("bottles were called back")
        self.model.recalls[client] = recall
        for each in out:
            self.model.bottles[each].state = "recalled"

    @precondition(lambda self: self.model.recalls)
    @rule(pick=picks, how=st.sampled_from(["right", "one short", "off"]))
    def answers_a_recall(self, pick: int, how: str) -> None:
        client = sorted(self.model.recalls)[pick % len(self.model.recalls)]
        recall, place = self.model.recalls.pop(client), self.place_of(client)
        expected = len(self.model.full_at_home(client, self.today))
        counted = max(0, expected - (how == "one short"))

        def act(session: WriteSession) -> str:
            if how == "off":
                return call_off(session, actor=place.pharmacist, recall_id=recall, note="rain", at=place.now).state
            return count_recall(
                session, actor=place.pharmacist, recall_id=recall, counted_full=counted, portions_taken=0,
                note="spilt" if counted < expected else "", today=self.today, at=place.now,
            ).state  # fmt: skip

        state = self.does(act)
        assert state == ("cancelled" if how == "off" else "passed" if counted == expected else "failed")
        self.saw(f"a recall was {state}")
        for bottle in self.model.bottles.values():
            if bottle.client == client and bottle.state == "recalled":
                bottle.state = "handed_over"

    @rule(pick=picks, ahead=st.integers(1, 3), then=st.sampled_from(["waits", "comes", "was another"]))
    def prepares(self, pick: int, ahead: int, then: str) -> None:
        """A pickup is prepared; and at once handed over, or handed over to somebody else by mistake."""
        n, place, client = self.who(pick)
        try:
            ready = prepared(place, client, *range(1, ahead + 1))
        except Refused:
            return
        self.saw("a pickup was prepared")
        self.model.pickups[ready.pickup_id] = (client, n, self.today)
        self.learn_bottles(None, ready.pickup_id, client, "prepared")
        if then != "waits" and (supply := self.hands_over(ready.pickup_id)) and then == "was another":
            self.undoes(supply, right=True)

    @precondition(lambda self: self.model.pickups)
    @rule(pick=picks)
    def hands_the_pickup_over(self, pick: int) -> None:
        self.hands_over(sorted(self.model.pickups)[pick % len(self.model.pickups)])

    def hands_over(self, pickup: UUID) -> UUID | None:
        client, n, _ = self.model.pickups[pickup]
        place = self.places[n]
        wanted = Wanted(observed=False, identified_by="photo", well=True, pickup_id=pickup)
        supply = self.does(
            lambda session: service.dispense(
                session, actor=place.pharmacist, client_id=client, wanted=wanted, key=self.key(), today=self.today,
                at=place.now,
            ).supply_id
        )  # fmt: skip
        if supply is None:
            return None
        self.saw("a pickup was handed over")
        del self.model.pickups[pickup]
        self.model.supplies[supply] = (client, n, self.today)
        for each in self.model.bottles.values():
            if each.pickup == pickup and each.state == "prepared":
                assert (client, each.day) not in self.model.days, "a day was covered twice"
                each.state, each.supply = "handed_over", supply
                self.model.days[client, each.day] = supply
                self.model.lots[each.lot] -= ML
        return supply

    @precondition(lambda self: self.model.pickups)
    @rule(pick=picks)
    def puts_the_pickup_back(self, pick: int) -> None:
        pickup = sorted(self.model.pickups)[pick % len(self.model.pickups)]
        _, n, _ = self.model.pickups[pickup]
        place = self.places[n]

        def act(session: WriteSession) -> bool:
            cancel_pickup(
                session, actor=place.pharmacist, pickup_id=pickup, reason="moved", day=self.today, at=place.now
            )
            return True

        assert self.does(act)
        self.model.put_back(pickup)
        self.saw("a pickup was put back")


class ThreeSites(AtTheCounter, InTheSafe):
    """Everything that people do there."""
