"""Results, treatments and refills, as doctor and pharmacist write them."""

from __future__ import annotations

from dispensary.monitoring.refills import refill
from dispensary.monitoring.results import Measurement, enter_results, laboratory
from dispensary.monitoring.treatments import medicines_of, start_treatment
from dispensary.programmes.acts import Act, act
from dispensary.programmes.scene import Scene
from dispensary.refusals import Refusal, Refused
from dispensary.staff.rules import Role


@act("results")
class Results(Act, frozen=True):
    """What a laboratory measured that day, such as {alt = "42", ast = "31"}."""

    values: dict[str, str]
    laboratory: str

    def do(self, scene: Scene) -> None:
        doctor = scene.actor(Role.DOCTOR)
        enter_results(
            scene.session,
            actor=doctor,
            client_id=scene.client,
            taken_on=scene.today,
            measurements=[Measurement(code, value) for code, value in self.values.items()],
            key=str(scene.key("results")),
            today=scene.today,
            at=scene.at,
            laboratory_id=laboratory(scene.session, actor=doctor, name=self.laboratory).id,
        )


@act("treatment")
class Treatment(Act, frozen=True):
    """A treatment begins that day, such as `art` with its substances."""

    kind: str
    substances: tuple[str, ...]

    def do(self, scene: Scene) -> None:
        start_treatment(
            scene.session,
            actor=scene.actor(Role.DOCTOR),
            client_id=scene.client,
            kind=self.kind,
            substances=self.substances,
            started_on=scene.today,
            today=scene.today,
            at=scene.at,
        )


@act("refill")
class Refill(Act, frozen=True):
    """Medicine of so many days is handed over, of each part of their treatment."""

    days: int

    def do(self, scene: Scene) -> None:
        medicines = [
            each for each in medicines_of(scene.session, client_id=scene.client) if each.treatment_id is not None
        ]
        if not medicines:
            raise Refused(Refusal("no-treatment", "They have no treatment.", "Add the act treatment before."))
        for each in medicines:
            refill(
                scene.session,
                actor=scene.actor(Role.PHARMACIST),
                medication_id=each.id,
                on=scene.today,
                days=self.days,
                key=str(scene.key("refill", each.id)),
                today=scene.today,
                at=scene.at,
            )
