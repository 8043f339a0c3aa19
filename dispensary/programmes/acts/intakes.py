"""Acts of entry from outside: somebody is sent or comes, is assessed, and what becomes of it is written down."""

from __future__ import annotations

from uuid import UUID

import msgspec

from dispensary.care.intake_closing import Outcome, close_intake
from dispensary.care.intake_consents import tell_referrer
from dispensary.care.intake_services import Given, give_service
from dispensary.care.intakes import Heard, Part, assess_part, take_in
from dispensary.care.referral_models import Service
from dispensary.clients.rules import EntryRoute
from dispensary.programmes.acts import Act, act
from dispensary.programmes.scene import Scene
from dispensary.staff.rules import Role
from dispensary.units import ClientId


class Assessed(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One assessment, and the services that it opens."""

    part: Part
    words: str
    services: tuple[Service, ...] = ()


class Gave(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Something that they were given without a record of theirs, and for a referral, for what."""

    given: Given
    service: Service | None = None


class _Intake(Act, frozen=True):
    route: EntryRoute
    name: str = "Somebody"
    reach: str = ""
    words: str = ""
    referrer: str = ""
    """Who sent them; `{n}` stands for the number of the referrer, of whom there are as many as `referrers` says."""
    referrers: int = 1
    consent: str = ""
    """Where the signed paper is by which the referrer may hear that they came; nothing is told without one."""
    told: bool = False
    told_days: bool = False
    parts: tuple[Assessed, ...] = ()
    given: tuple[Gave, ...] = ()
    by: Role = Role.NURSE

    def _heard(self, scene: Scene) -> UUID:
        """Takes them in, assesses, and tells what they have agreed to; its id."""
        heard = Heard(
            f"{self.name} {scene.n}",
            self.route,
            self.reach,
            self.words,
            self.referrer.format(n=(scene.n - 1) % self.referrers + 1),
            self.consent,
        )
        actor = scene.actor(self.by)
        intake = take_in(scene.session, actor=actor, heard=heard, today=scene.today, at=scene.at)
        for each in self.parts:
            assess_part(
                scene.session,
                actor=actor,
                intake_id=intake.id,
                part=each.part,
                words=each.words,
                services=[service.value for service in each.services],
                key=scene.key("assessed", each.part),
                today=scene.today,
                at=scene.at,
            )
        for n, gave in enumerate(self.given):
            give_service(
                scene.session,
                actor=actor,
                intake_id=intake.id,
                given=gave.given,
                service=gave.service,
                key=scene.key("gave", n),
                today=scene.today,
                at=scene.at,
            )
        if self.told:
            key = scene.key("told")
            tell_referrer(
                scene.session,
                actor=actor,
                intake_id=intake.id,
                days=self.told_days,
                key=key,
                today=scene.today,
                at=scene.at,
            )
        return intake.id

    def _close(self, scene: Scene, intake_id: UUID, outcome: Outcome, client_id: ClientId | None = None) -> None:
        close_intake(
            scene.session,
            actor=scene.actor(self.by),
            intake_id=intake_id,
            outcome=outcome,
            client_id=client_id,
            at=scene.at,
        )


@act("intake")
class Intake(_Intake, frozen=True):
    """Somebody who is no client is heard and assessed; without an outcome they are still waited for."""

    outcome: Outcome | None = None

    def do(self, scene: Scene) -> None:
        intake_id = self._heard(scene)
        if self.outcome is not None:
            self._close(scene, intake_id, self.outcome)


@act("came-by-intake")
class CameByIntake(_Intake, frozen=True):
    """A client was heard and assessed before they were one; it is closed by their enrolment."""

    def do(self, scene: Scene) -> None:
        self._close(scene, self._heard(scene), Outcome.ENROLLED, scene.client)
