"""Acts of referring: a client is sent on with their consent, something is heard of it, and it is closed."""

from __future__ import annotations

from datetime import timedelta

from dispensary.care.referral_models import Outcome, Referral, Service
from dispensary.care.referral_words import Heard, note_word
from dispensary.care.referrals import ASK_AFTER, close_referral, refer, referrals_of
from dispensary.programmes.acts import Act, act
from dispensary.programmes.scene import Scene
from dispensary.refusals import BadInput, Refusal
from dispensary.staff.rules import Role


@act("refer")
class Refer(Act, frozen=True):
    """A client is referred. Of several places the first takes the first of them, the second the next, and so on."""

    service: Service
    places: tuple[str, ...]
    by: Role = Role.NURSE

    def do(self, scene: Scene) -> None:
        refer(
            scene.session,
            actor=scene.actor(self.by),
            client_id=scene.client,
            service=self.service,
            place=self.places[(scene.n + scene.turn - 1) % len(self.places)],
            agreed=True,
            ask_on=scene.today + ASK_AFTER,
            today=scene.today,
            at=scene.at,
        )


@act("hear-of-referral")
class HearOf(Act, frozen=True):
    """The place said that it expects them, that it is full, or how it went."""

    service: Service
    heard: Heard
    words: str = ""
    by: Role = Role.NURSE

    def do(self, scene: Scene) -> None:
        note_word(
            scene.session,
            actor=scene.actor(self.by),
            client_id=scene.client,
            referral_id=_open(scene, self.service).id,
            heard=self.heard,
            words=self.words,
            on=scene.today,
            key=scene.key("heard", self.service, self.heard),
            today=scene.today,
            at=scene.at,
        )


@act("close-referral")
class CloseReferral(Act, frozen=True):
    """What became of a referral is written down: they went so many days ago, did not go, or want it no more."""

    service: Service
    outcome: Outcome
    went_days_before: int = 0
    by: Role = Role.NURSE

    def do(self, scene: Scene) -> None:
        went = self.outcome is Outcome.ATTENDED
        close_referral(
            scene.session,
            actor=scene.actor(self.by),
            client_id=scene.client,
            referral_id=_open(scene, self.service).id,
            outcome=self.outcome,
            attended_on=scene.today - timedelta(days=self.went_days_before) if went else None,
            today=scene.today,
            at=scene.at,
        )


def _open(scene: Scene, service: Service) -> Referral:
    for each in referrals_of(scene.session, client_id=scene.client):
        if each.service == service and each.closed_at is None:
            return each
    raise BadInput(Refusal("no-referral", f"No referral for “{service}” is open.", "Let an earlier act refer them."))
