"""Acts of a pilot: stays that were kept elsewhere, as `dispensary import episodes` takes them, and an undertaking."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from dispensary.evaluation.episode_files import read_episodes
from dispensary.evaluation.episode_sets import bring_in
from dispensary.programmes.acts import Act, act
from dispensary.programmes.scene import Scene
from dispensary.staff.rules import Role
from dispensary.takehome.deciding import decide
from dispensary.takehome.service import assess_client
from dispensary.takehome.terms import Naloxone


@act("episodes")
class Episodes(Act, frozen=True):
    """So many people's stays, all begun so many days before this one; of some it is known why they left, and when.

    Those who left are spread over the days from the first of their stay to `left_by`.
    """

    name: str
    people: int
    days: int
    left: Mapping[str, int]
    """How many left for which reason."""
    left_by: int
    by: Role = Role.EVALUATOR

    def do(self, scene: Scene) -> None:
        began = scene.today - timedelta(days=self.days)
        reasons = [reason for reason, count in sorted(self.left.items()) for _ in range(count)]
        ends = [1 + n * self.left_by // max(1, len(reasons)) for n in range(len(reasons))]
        with TemporaryDirectory() as folder:
            path = Path(folder) / f"{self.name}.csv"
            with path.open("w", encoding="utf-8", newline="") as file:
                writer = csv.writer(file)
                writer.writerow(("client", "started", "ended", "exit_reason"))
                for n in range(self.people):
                    gone = (began + timedelta(days=ends[n]), reasons[n]) if n < len(reasons) else ("", "")
                    writer.writerow((n + 1, began, *gone))
            found = read_episodes(path, seen_to=scene.today)
        bring_in(scene.session, actor=scene.actor(self.by), name=self.name, file=found, at=scene.at)


@act("undertaking")
class Undertaking(Act, frozen=True):
    """The client signs the undertaking, and the doctor decides on so many days where the policy leaves it to them."""

    days: int
    reason: str
    judged: Mapping[str, bool] = {}

    def do(self, scene: Scene) -> None:
        doctor = scene.actor(Role.DOCTOR)
        assessment = assess_client(
            scene.session, actor=doctor, client_id=scene.client, on=scene.today, at=scene.at, judged=self.judged
        )
        decide(
            scene.session,
            actor=doctor,
            assessment_id=assessment.id,
            days_from=scene.today,
            days_until=None,
            per_supply=self.days,
            per_week=None,
            reason=self.reason,
            agreement_signed_on=scene.today,
            naloxone=Naloxone.GIVEN,
            at=scene.at,
        )
