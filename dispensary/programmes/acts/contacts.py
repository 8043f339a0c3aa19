"""Acts of keeping in touch: who looks after whom, what a peer worker notes, and visits at home by consent."""

from __future__ import annotations

from datetime import timedelta

from dispensary.care.reaching import note_own_contact
from dispensary.care.rounds import round_of
from dispensary.care.visits import Purpose, end_visit, plan_visit
from dispensary.clients.contacts import note_visit_wish
from dispensary.clients.goals import assign
from dispensary.programmes.acts import Act, act
from dispensary.programmes.scene import Scene
from dispensary.refusals import BadInput, Refusal
from dispensary.staff.rules import Role
from dispensary.units import AccountId


def person(scene: Scene, username: str) -> AccountId:
    """The account of somebody of the staff."""
    account_id = scene.account(username).account_id
    assert account_id is not None, "whoever works at a site has an account"
    return account_id


@act("assign")
class Assign(Act, frozen=True):
    """The client is given to somebody of the staff."""

    to: str
    by: Role = Role.NURSE

    def do(self, scene: Scene) -> None:
        assign(
            scene.session,
            actor=scene.actor(self.by),
            client_id=scene.client,
            account_id=person(scene, self.to),
            at=scene.at,
        )


@act("contact")
class Contact(Act, frozen=True):
    """The peer worker who looks after the client was in touch with them, or tried to."""

    words: str
    reached: bool = True

    def do(self, scene: Scene) -> None:
        note_own_contact(
            scene.session,
            actor=scene.actor(Role.PEER_WORKER),
            client_id=scene.client,
            reached=self.reached,
            words=self.words,
            key=scene.key("contact"),
            at=scene.at,
        )


@act("visit-wish")
class VisitWish(Act, frozen=True):
    """Whether the client wants to be visited at home, and where to come."""

    agreed: bool
    where: str = ""
    by: Role = Role.NURSE

    def do(self, scene: Scene) -> None:
        note_visit_wish(
            scene.session,
            actor=scene.actor(self.by),
            client_id=scene.client,
            agreed=self.agreed,
            where=self.where,
            today=scene.today,
            at=scene.at,
        )


@act("plan-visit")
class PlanVisit(Act, frozen=True):
    """A visit is planned, so many days ahead."""

    visitor: str
    purpose: Purpose = Purpose.LOOK
    ahead: int = 0
    by: Role = Role.NURSE

    def do(self, scene: Scene) -> None:
        plan_visit(
            scene.session,
            actor=scene.actor(self.by),
            client_id=scene.client,
            visitor_id=person(scene, self.visitor),
            on=scene.today + timedelta(days=self.ahead),
            purpose=self.purpose,
            today=scene.today,
            at=scene.at,
        )


@act("visited")
class Visited(Act, frozen=True):
    """The visit that was planned for this day is over: they were met, and what was found; or they were not."""

    found: str = ""
    met: bool = True
    by: Role = Role.NURSE

    def do(self, scene: Scene) -> None:
        for each in round_of(scene.session, site_id=scene.site.id, on=scene.today):
            if each.visit.client_id == scene.client and each.visit.state == "planned":
                end_visit(
                    scene.session,
                    actor=scene.actor(self.by),
                    visit_id=each.visit.id,
                    met=self.met,
                    found=self.found,
                    key=scene.key("visited"),
                    today=scene.today,
                    at=scene.at,
                )
                return
        raise BadInput(Refusal("no-visit", "No visit is planned for this day.", "Let an earlier act plan one."))
