"""Acts of satisfaction: a client comes, is served, is asked after it by text, and answers."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import select

import notifications.service
import scheduling.service
from dispensary.clients.wish_rules import Group
from dispensary.clients.wishes import set_wishes, wishes_of
from dispensary.phone.feedback import AFTER, answer_visit, answer_wait, ask_after_visits
from dispensary.programmes.acts import Act, act
from dispensary.programmes.scene import Scene
from dispensary.refusals import BadInput, Refusal
from dispensary.staff.rules import Role
from notifications.models import Message, State

_LASTS = timedelta(minutes=2)


@act("satisfaction")
class Satisfaction(Act, frozen=True):
    """A visit after which the client is asked how it was, and answers: 1 good, 2 fair, 3 poor; the wait likewise.

    They have a phone and have said that they want to be asked. Nobody is asked twice in a month.
    """

    visit: int
    wait: int | None = None
    waited: int = 0
    """Minutes."""
    by: Role = Role.NURSE

    def do(self, scene: Scene) -> None:
        session, site, client_id = scene.session, scene.site, scene.client
        wishes = wishes_of(session, client_id)
        if not wishes.wants(Group.FEEDBACK):
            wants = wishes.with_(Group.FEEDBACK, wanted=True, hours=None)
            set_wishes(session, actor=scene.actor(self.by), client_id=client_id, wishes=wants, at=scene.at)
        begins = scene.at + timedelta(minutes=self.waited)
        visit = scheduling.service.check_in(session, place_id=site.id, holder_id=client_id, now=scene.at)
        scheduling.service.start(session, visit_id=visit.id, now=begins)
        scheduling.service.finish(session, visit_id=visit.id, now=begins + _LASTS)
        asked = begins + _LASTS + AFTER
        ask_after_visits(session, site=site, now=asked)
        _reached(scene, f"feedback:{visit.id}", asked)
        answer_id = answer_visit(session, client_id=client_id, site=site, number=self.visit, at=asked + _LASTS)
        if answer_id is None:
            said = "They were not asked after this visit."
            raise BadInput(Refusal("not-asked", said, "They need a phone, the site hours, and a month in between."))
        if self.wait is not None:
            answer_wait(session, answer_id=answer_id, number=self.wait)


def _reached(scene: Scene, reason_key: str, at: datetime) -> None:
    """The question was on the phone at once; without a gateway nothing else would say so."""
    message = scene.session.scalar(select(Message).where(Message.reason_key == reason_key))
    if message is not None:
        message.gateway = "console"
        scene.session.flush()
        notifications.service.move(
            scene.session,
            message_id=message.id,
            state=State.DELIVERED,
            code=None,
            provider_id=f"console-{message.id}",
            now=at,
        )
