"""Treatment: an order, an exit, what was told of circumstances, a condition, a take-home decision, a satellite."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Literal

import msgspec

from dispensary.clients.circumstances import Circumstances, note_circumstances
from dispensary.clients.rules import ExitReason
from dispensary.monitoring.service import note_condition
from dispensary.prescribing.service import order_dose
from dispensary.programmes.acts import Act, act
from dispensary.programmes.acts.naloxone import give
from dispensary.programmes.people import milligrams_of
from dispensary.programmes.scene import Scene
from dispensary.programmes.shapes import Milligrams
from dispensary.refusals import Refusal, Refused
from dispensary.staff.rules import Role
from dispensary.supplies.satellites import send_to
from dispensary.takehome.deciding import decide
from dispensary.takehome.rules import Answer
from dispensary.takehome.service import assess_client
from dispensary.takehome.terms import Naloxone
from dispensary.units import milligrams
from dispensary.web.dosing_acts import leave


@act("order")
class Order(Act, frozen=True):
    """A doctor orders a dose (mg a day) from that day on: one for all, or from the first of them to the last."""

    mg: Decimal | Milligrams
    reason: str = "came on this dose"
    outside: str = ""
    """Why it is right to leave the guideline that the site follows."""
    second_look: str = ""
    """Why a jump from the dose before is right."""

    def do(self, scene: Scene) -> None:
        mg = milligrams_of(self.mg, scene.n, scene.of) if isinstance(self.mg, Milligrams) else self.mg
        order_dose(
            scene.session,
            actor=scene.actor(Role.DOCTOR),
            client_id=scene.client,
            mg=milligrams(mg),
            from_day=scene.today,
            reason=self.reason,
            outside=self.outside,
            second_look=self.second_look,
            today=scene.today,
            at=scene.at,
        )


@act("exit")
class Exit(Act, frozen=True):
    """The stay in treatment ends on that day, and with it what was ordered and decided."""

    reason: ExitReason

    def do(self, scene: Scene) -> None:
        leave(
            scene.session,
            actor=scene.actor(Role.DOCTOR, Role.NURSE),
            client_id=scene.client,
            ended_on=scene.today,
            reason=self.reason,
            at=scene.at,
        )


@act("circumstances")
class Told(Act, frozen=True):
    """What they told of storage, home, work and health; what is not said was not asked."""

    lockbox: bool | None = None
    housing_stable: bool | None = None
    employed: bool | None = None
    health_stable: bool | None = None
    children_at_home: bool | None = None
    guardian: bool | None = None
    distance_km: int | None = None

    def do(self, scene: Scene) -> None:
        told = Circumstances(
            self.lockbox,
            self.housing_stable,
            self.employed,
            self.health_stable,
            self.children_at_home,
            self.guardian,
            self.distance_km,
        )
        actor = scene.actor(Role.DOCTOR, Role.NURSE)
        note_circumstances(scene.session, actor=actor, client_id=scene.client, told=told, at=scene.at)


@act("condition")
class Condition(Act, frozen=True):
    """A condition that is on record from that day on, such as `hiv` or `hepatitis_c`."""

    kind: str

    def do(self, scene: Scene) -> None:
        note_condition(
            scene.session,
            actor=scene.actor(Role.DOCTOR),
            client_id=scene.client,
            kind=self.kind,
            noted_on=scene.today,
            at=scene.at,
        )


@act("take-home")
class TakeHome(Act, frozen=True):
    """They are assessed by the site's policy, and the doctor grants what it allows, from that day on.

    `judged` are the practitioner's answers to what the policy leaves to them. Naloxone that is `given` comes out of the
    site's kits. Raises Refused where the policy allows nothing.
    """

    judged: Mapping[str, bool] = msgspec.field(default_factory=dict)
    reason: str = "Spoke with the client; benefit outweighs the risk."
    naloxone: Literal["given", "declined", "has_one"] = "given"

    def do(self, scene: Scene) -> None:
        doctor = scene.actor(Role.DOCTOR)
        assessment = assess_client(
            scene.session, actor=doctor, client_id=scene.client, on=scene.today, at=scene.at, judged=self.judged
        )
        allowance = assessment.result["allowance"]
        per_week, most = allowance["per_week"], allowance["per_supply"]
        if allowance["answer"] not in (Answer.ALLOW, Answer.ALLOW_WITH_REASON) or not (per_week or most):
            raise Refused(
                Refusal(
                    "nothing-allowed",
                    f"{assessment.result['policy']} allows them nothing: {allowance['answer']}.",
                    "Let what it asks for be on record before that day, such as doses, circumstances or `judged`.",
                    {"assessment": assessment.id},
                )
            )
        decide(
            scene.session,
            actor=doctor,
            assessment_id=assessment.id,
            days_from=scene.today,
            days_until=None,
            per_supply=most if most is not None else per_week,
            per_week=per_week,
            reason=self.reason,
            naloxone=Naloxone(self.naloxone),
            at=scene.at,
        )
        if self.naloxone == "given":
            give(scene)


@act("satellite")
class ToSatellite(Act, frozen=True):
    """Their doses are given at a satellite of their site from the next open day on."""

    code: str

    def do(self, scene: Scene) -> None:
        send_to(
            scene.session,
            actor=scene.actor(Role.PHARMACIST, Role.DOCTOR),
            client_id=scene.client,
            satellite=self.code,
            key=str(scene.key("satellite")),
            at=scene.at,
        )
