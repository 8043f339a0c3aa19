"""Acts of a pilot: the written undertaking, and what the doctor decides on it."""

from __future__ import annotations

from collections.abc import Mapping

from dispensary.programmes.acts import Act, act
from dispensary.programmes.acts.naloxone import give
from dispensary.programmes.scene import Scene
from dispensary.staff.rules import Role
from dispensary.takehome.deciding import decide
from dispensary.takehome.service import assess_client
from dispensary.takehome.terms import Naloxone


@act("undertaking")
class Undertaking(Act, frozen=True):
    """The client signs the undertaking, and the doctor decides on so many days where the policy leaves it to them.

    A naloxone kit of the site goes with it.
    """

    days: int
    reason: str
    judged: Mapping[str, bool] = {}

    def do(self, scene: Scene) -> None:
        doctor = scene.actor(Role.DOCTOR)
        assessment = assess_client(
            scene.session, actor=doctor, client_id=scene.client, on=scene.today, at=scene.at, judged=self.judged
        )
        decide(
            scene.session,
            actor=doctor,
            assessment_id=assessment.id,
            days_from=scene.today,
            days_until=None,
            per_supply=self.days,
            per_week=None,
            reason=self.reason,
            agreement_signed_on=scene.today,
            naloxone=Naloxone.GIVEN,
            at=scene.at,
        )
        give(scene)
