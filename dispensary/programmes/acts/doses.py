"""At the counter: a dose that is taken there with bottles that are carried home, and stock that comes or moves."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import scheduling.service
from dispensary.programmes.acts import Act, act
from dispensary.programmes.scene import Scene
from dispensary.refusals import Refusal, Refused
from dispensary.staff.rules import Role
from dispensary.stock.queries import lots
from dispensary.stock.receiving import receive_lot
from dispensary.stock.transfers import receive, send
from dispensary.supplies.handover import hand_over
from dispensary.supplies.moment import read_moment
from dispensary.supplies.rules import LONGEST_SUPPLY, Wanted
from dispensary.supplies.shown import proposed_days
from dispensary.units import DoseDay, millilitres, strength


@act("dose")
class Dose(Act, frozen=True):
    """They come, drink their dose, and carry home as many bottles as the decision allows, but no more than `bottles`.

    `at` is the code of the site whose counter it is: their own, or the satellite that they go to.
    """

    bottles: int = 0
    at: str = ""

    def do(self, scene: Scene) -> None:
        code = self.at or scene.site.code
        counter = scene.house.bulk.get(code)
        here, today = scene.house.sites.get(code), DoseDay(scene.today)
        if counter is None or here is None:
            raise Refused(
                Refusal("no-counter", f"{code} has no counter.", "Add a pharmacist under its [[site.staff]].")
            )
        if counter.writes(today):
            raise Refused(
                Refusal(
                    "days-together",
                    f"The doses of {code} of this day are written together, by the `doses` of a group.",
                    "Give this dose on another day, or let those end before.",
                )
            )
        ahead = [DoseDay(today + timedelta(days=n)) for n in range(1, LONGEST_SUPPLY + 1)]
        moment = read_moment(scene.session, site_id=here.id, client_id=scene.client, today=today, days=ahead).moment
        days = tuple(proposed_days(moment)[: self.bottles]) if self.bottles else ()
        place = {"place_id": here.id, "holder_id": scene.client}
        visit = scheduling.service.check_in(scene.session, now=scene.at, **place)
        scheduling.service.start(scene.session, visit_id=visit.id, now=scene.at)
        hand_over(
            scene.session,
            actor=counter.pharmacist,
            client_id=scene.client,
            wanted=Wanted(observed=True, take_home_days=days, identified_by="second_identifier", well=True),
            key=str(scene.key("dose")),
            today=today,
            zone=here.zone,
            at=scene.at,
        )


@act("lot")
class Received(Act, frozen=True):
    """Another lot comes into the safe: mg/mL, mL, and in how many days it is over."""

    batch: str
    strength: Decimal
    ml: Decimal
    expires_in: int = 500

    def do(self, scene: Scene) -> None:
        receive_lot(
            scene.session,
            actor=scene.actor(Role.PHARMACIST),
            batch=self.batch,
            strength=strength(self.strength),
            expires_on=scene.today + timedelta(days=self.expires_in),
            ml=millilitres(self.ml),
            day=scene.today,
            at=scene.at,
        )


@act("transfer")
class Moved(Act, frozen=True):
    """Stock of the lot that is over first goes to another site, and is measured there by its pharmacist as written."""

    to: str
    ml: Decimal

    def do(self, scene: Scene) -> None:
        there, counter = scene.house.sites.get(self.to), scene.house.bulk.get(self.to)
        if there is None or counter is None:
            raise Refused(
                Refusal("no-counter", f"{self.to} has no safe.", "Add a pharmacist under its [[site.staff]].")
            )
        ml = millilitres(self.ml)
        lot = next((each for each in lots(scene.session, site_id=scene.site.id) if each.balance >= ml), None)
        if lot is None:
            raise Refused(
                Refusal("no-lot", f"No lot of {scene.site.code} has {ml} mL.", "Send less, or add a larger one.")
            )
        sent = send(
            scene.session,
            actor=scene.actor(Role.PHARMACIST),
            lot_id=lot.id,
            to_site_id=there.id,
            ml=ml,
            carried_by=f"seal {scene.today:%y%m%d}",
            day=scene.today,
            at=scene.at,
            key=str(scene.key("transfer")),
        )
        receive(
            scene.session,
            actor=counter.pharmacist,
            transfer_id=sent.id,
            measured=ml,
            reason="",
            day=scene.today,
            at=scene.at,
        )
