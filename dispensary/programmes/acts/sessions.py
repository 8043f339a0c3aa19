"""Acts of sessions: a plan is begun with a client, and each session is kept or not."""

from __future__ import annotations

from datetime import time, timedelta

from dispensary.care.own_documents import plans_there
from dispensary.care.plans import Chosen, usual
from dispensary.care.session_models import SessionState
from dispensary.care.sessions import begin_plan, end_plan, mark_session, plans_of
from dispensary.programmes.acts import Act, act
from dispensary.programmes.scene import Scene
from dispensary.refusals import BadInput, Refusal
from dispensary.staff.rules import Role


@act("begin-plan")
class BeginPlan(Act, frozen=True):
    """A plan is begun. `chosen` is how many times and how far apart for each of its parts; without, the least.

    `minutes`, and how many times, are said here where no source says them.
    """

    plan: str
    chosen: tuple[tuple[int, int], ...] = ()
    first_in: int = 0
    """Days from the act to the first session."""
    at_time: time | None = None
    minutes: int | None = None
    by: Role = Role.NURSE

    def do(self, scene: Scene) -> None:
        plans = plans_there(scene.session)
        plan = plans.get(self.plan)
        if plan is None:
            raise BadInput(Refusal("no-plan", f"There is no plan “{self.plan}”.", f"There are {', '.join(plans)}."))
        begin_plan(
            scene.session,
            actor=scene.actor(self.by),
            client_id=scene.client,
            plan=plan.key,
            first=scene.today + timedelta(days=self.first_in),
            at_time=self.at_time,
            minutes=(plan.minutes or (0,))[0] if self.minutes is None else self.minutes,
            chosen=tuple(Chosen(*each) for each in self.chosen) or usual(plan),
            agreed=True,
            key=scene.key("plan", self.plan),
            today=scene.today,
            at=scene.at,
        )


@act("session")
class Marked(Act, frozen=True):
    """The earliest session that is planned, and whose day has come, is marked."""

    plan: str
    state: SessionState = SessionState.ATTENDED
    by: Role = Role.NURSE

    def do(self, scene: Scene) -> None:
        running = [each for each in plans_of(scene.session, client_id=scene.client) if each.begun.plan == self.plan]
        waits = [
            each
            for begun in running
            for each in begun.sessions
            if each.state == SessionState.PLANNED and each.on_day <= scene.today
        ]
        if not waits:
            raise BadInput(Refusal("no-session", f"No session of “{self.plan}” is due by this day.", "Move the act."))
        mark_session(
            scene.session,
            actor=scene.actor(self.by),
            client_id=scene.client,
            session_id=waits[0].id,
            state=self.state,
            today=scene.today,
            at=scene.at,
        )


@act("end-plan")
class EndPlan(Act, frozen=True):
    """The client wants no more of a plan: what is still planned is called off, and nobody missed it."""

    plan: str
    by: Role = Role.NURSE

    def do(self, scene: Scene) -> None:
        for each in plans_of(scene.session, client_id=scene.client):
            if each.begun.plan == self.plan and not each.over:
                end_plan(
                    scene.session,
                    actor=scene.actor(self.by),
                    client_id=scene.client,
                    plan_id=each.begun.id,
                    at=scene.at,
                )
