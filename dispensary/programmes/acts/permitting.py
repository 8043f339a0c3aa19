"""Acts of permitting: what a site lets a role do otherwise than the house."""

from __future__ import annotations

from dataclasses import replace

from dispensary.programmes.acts import Act, act
from dispensary.programmes.scene import Scene
from dispensary.staff import rules as staff
from dispensary.staff.permissions import own_of, set_permission
from dispensary.staff.rules import Actor, Role


@act("permit")
class Permit(Act, frozen=True):
    """A role may do something at the site that the house leaves to the site; or may not."""

    role: Role
    what: staff.Act
    reason: str
    allowed: bool = True

    def do(self, scene: Scene) -> None:
        set_permission(
            scene.session,
            actor=scene.actor(Role.ADMINISTRATOR),
            role=self.role,
            act=self.what,
            allowed=self.allowed,
            reason=self.reason,
            at=scene.at,
        )


def able(scene: Scene, actor: Actor, what: staff.Act) -> Actor:
    """The actor with what the site has otherwise, where the house alone does not let them do it."""
    return actor if actor.may(what) else replace(actor, own=own_of(scene.session, scene.site.id))
