"""Naloxone: kits that come in, that are given to clients and to others, and uses that were told of."""

from __future__ import annotations

from datetime import timedelta

from dispensary.care.naloxone import give_kit, lots_of, receive_kits, report_use
from dispensary.care.naloxone_models import NaloxoneKit
from dispensary.care.naloxone_rules import Outcome, ToWhom
from dispensary.programmes.acts import Act, act
from dispensary.programmes.scene import Scene
from dispensary.refusals import Refusal, Refused
from dispensary.staff.rules import Role


@act("naloxone-in")
class Received(Act, frozen=True):
    """Kits of a batch come in; they are over in so many days."""

    batch: str
    product: str
    kits: int
    expires_in: int = 700

    def do(self, scene: Scene) -> None:
        receive_kits(
            scene.session,
            actor=scene.actor(Role.NURSE, Role.PHARMACIST),
            batch=self.batch,
            product=self.product,
            expires_on=scene.today + timedelta(days=self.expires_in),
            kits=self.kits,
            today=scene.today,
            at=scene.at,
        )


@act("kit")
class Kit(Act, frozen=True):
    """Kits are given: to the client, or under [[act]] to somebody who says a code, of whom nothing is on record."""

    kits: int = 1
    to: ToWhom = ToWhom.CLIENT
    trained: bool = True
    code: str = ""
    """Such as FAM{n}: by it somebody counts once. Each is somebody else without."""

    def do(self, scene: Scene) -> None:
        give(scene, kits=self.kits, to=self.to, trained=self.trained, code=self.code.format(n=scene.n))


def give(
    scene: Scene, *, kits: int = 1, to: ToWhom = ToWhom.CLIENT, trained: bool = True, code: str = ""
) -> NaloxoneKit:
    """Kits of the lot that is over first and has so many; nobody is said to have been given one that is nowhere."""
    lots = [lot for lot in lots_of(scene.session, site_id=scene.site.id) if lot.left_over >= kits]
    if not lots:
        raise Refused(
            Refusal("no-kits", f"{scene.site.code} has no {kits} kits left.", "Add the act naloxone-in before.")
        )
    return give_kit(
        scene.session,
        actor=scene.actor(Role.NURSE, Role.PHARMACIST, Role.PEER_WORKER),
        lot_id=lots[0].id,
        to_whom=to,
        client_id=scene.about,
        code=code,
        kits=kits,
        trained=trained,
        key=scene.key("kit"),
        today=scene.today,
        at=scene.at,
    )


@act("naloxone-use")
class Use(Act, frozen=True):
    """Somebody tells that a kit was used that day, and what became of it."""

    outcome: Outcome
    told_by: ToWhom = ToWhom.CLIENT
    kits: int = 1

    def do(self, scene: Scene) -> None:
        report_use(
            scene.session,
            actor=scene.actor(Role.NURSE, Role.PHARMACIST, Role.PEER_WORKER),
            client_id=scene.about,
            told_by=self.told_by,
            happened_on=scene.today,
            kits=self.kits,
            outcome=self.outcome,
            key=scene.key("use"),
            today=scene.today,
            at=scene.at,
        )
