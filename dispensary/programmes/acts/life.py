"""Work, home and what somebody wants to reach, as they tell it."""

from __future__ import annotations

from sqlalchemy import select

from dispensary.clients.goals import close_goal, set_goal
from dispensary.clients.life import note_life
from dispensary.clients.life_rules import Aspect
from dispensary.clients.models import ClientGoal
from dispensary.programmes.acts import Act, act
from dispensary.programmes.scene import Scene
from dispensary.refusals import Refusal, Refused
from dispensary.staff.rules import Role


@act("life")
class Life(Act, frozen=True):
    """How they work (`work`) or live (`housing`) from that day on."""

    aspect: Aspect
    word: str

    def do(self, scene: Scene) -> None:
        note_life(
            scene.session,
            actor=scene.actor(Role.NURSE, Role.DOCTOR),
            client_id=scene.client,
            aspect=self.aspect,
            word=self.word,
            from_day=scene.today,
            key=scene.key("life"),
            today=scene.today,
            at=scene.at,
        )


@act("goal")
class Goal(Act, frozen=True):
    """A goal in their own words."""

    words: str

    def do(self, scene: Scene) -> None:
        set_goal(
            scene.session,
            actor=scene.actor(Role.NURSE, Role.DOCTOR),
            client_id=scene.client,
            words=self.words,
            today=scene.today,
            at=scene.at,
        )


@act("goal-over")
class GoalOver(Act, frozen=True):
    """What became of their oldest goal that stands: `reached` or `let_go`."""

    state: str

    def do(self, scene: Scene) -> None:
        goal = scene.session.scalar(
            select(ClientGoal)
            .where(ClientGoal.client_id == scene.client, ClientGoal.closed_on.is_(None))
            .order_by(ClientGoal.set_on)
            .limit(1)
        )
        if goal is None:
            raise Refused(Refusal("no-goal", "They have no goal that stands.", "Add the act goal before."))
        close_goal(
            scene.session,
            actor=scene.actor(Role.NURSE, Role.DOCTOR),
            client_id=scene.client,
            goal_id=goal.id,
            state=self.state,
            today=scene.today,
            at=scene.at,
        )
