"""Acts of outreach: somebody is met outside, by a code or by nothing."""

from __future__ import annotations

from collections.abc import Mapping

from dispensary.care.outreach import Kind, Material, Met, note_met
from dispensary.care.referral_models import Service
from dispensary.programmes.acts import Act, act
from dispensary.programmes.scene import Scene
from dispensary.staff.rules import Role


@act("met")
class MetOutside(Act, frozen=True):
    """A contact with what was handed out. `code` may hold `{n}`, the number of the person; empty for no code."""

    place: str
    kind: Kind = Kind.OUTREACH
    code: str = ""
    services: tuple[Service, ...] = ()
    materials: Mapping[Material, int] = {}
    by: Role = Role.NURSE

    def do(self, scene: Scene) -> None:
        met = Met(
            on=scene.today,
            kind=self.kind,
            place=self.place,
            code=self.code.format(n=scene.n),
            services=tuple(each.value for each in self.services),
            materials=self.materials,
        )
        key = scene.key("met", self.place)
        note_met(scene.session, actor=scene.actor(self.by), met=met, key=key, today=scene.today, at=scene.at)
