"""From the offer of a test to treatment: the steps that nurse and doctor write down."""

from __future__ import annotations

from dispensary.care.linkage import note_step
from dispensary.care.linkage_rules import Disease, Step
from dispensary.programmes.acts import Act, act
from dispensary.programmes.scene import Scene
from dispensary.staff.rules import Role


@act("linkage")
class Linkage(Act, frozen=True):
    """A step of a disease, such as `tested` or `linked`."""

    disease: Disease
    step: Step

    def do(self, scene: Scene) -> None:
        note_step(
            scene.session,
            actor=scene.actor(Role.NURSE, Role.DOCTOR),
            client_id=scene.client,
            disease=self.disease,
            step=self.step,
            on=scene.today,
            key=scene.key("step"),
            today=scene.today,
            at=scene.at,
        )
