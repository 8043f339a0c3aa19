"""Bottles that are brought to a home: prepared, counted out, taken by the carrier, and handed over against the pass."""

from __future__ import annotations

from datetime import timedelta

from dispensary.programmes.acts import Act, act
from dispensary.programmes.acts.contacts import person
from dispensary.programmes.scene import Scene
from dispensary.refusals import Refusal, Refused
from dispensary.staff.rules import Role
from dispensary.supplies.carrying import count_out, deliver, take
from dispensary.supplies.moment import read_moment
from dispensary.supplies.pickups import prepare_pickup
from dispensary.supplies.rules import LONGEST_SUPPLY
from dispensary.supplies.shown import proposed_days
from dispensary.units import DoseDay

_PASS_HOLDS = timedelta(hours=12)


@act("bring")
class Brought(Act, frozen=True):
    """A carrier brings as many bottles as the decision allows, but no more than `bottles`, to the client's home.

    The pharmacist prepares and counts them out, the carrier confirms the count, the client's pass opens them at the
    door, and nothing is left out on the road.
    """

    carrier: str
    bottles: int

    def do(self, scene: Scene) -> None:
        session, today = scene.session, DoseDay(scene.today)
        pharmacist, carrier = scene.actor(Role.PHARMACIST), scene.account(self.carrier)
        ahead = [DoseDay(today + timedelta(days=n)) for n in range(1, LONGEST_SUPPLY + 1)]
        reading = read_moment(session, site_id=scene.site.id, client_id=scene.client, today=today, days=ahead)
        days = proposed_days(reading.moment)[: self.bottles]
        if not days:
            raise Refused(
                Refusal(
                    "nothing-to-bring",
                    "The decision in force lets them carry nothing from tomorrow on.",
                    "Let the act take-home come before, and `collects = []` in their doses.",
                )
            )
        prepared = prepare_pickup(
            session,
            actor=pharmacist,
            client_id=scene.client,
            collect_on=today,
            take_home_days=days,
            valid=(scene.at, scene.at + _PASS_HOLDS),
            today=today,
            at=scene.at,
        )
        carried = count_out(
            session,
            actor=pharmacist,
            pickup_id=prepared.pickup_id,
            carrier_id=person(scene, self.carrier),
            bottles=prepared.bottles,
            today=today,
            at=scene.at,
        )
        take(session, actor=carrier, carrying_id=carried.id, bottles=prepared.bottles, today=today, at=scene.at)
        deliver(
            session,
            actor=carrier,
            carrying_id=carried.id,
            shown=prepared.code,
            identified_by="second_identifier",
            well=True,
            happened_at=None,
            key=str(scene.key("bring")),
            zone=scene.site.zone,
            at=scene.at,
        )
