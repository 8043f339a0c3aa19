"""Acts of telling somebody outside: a consent is taken or ended, and a report of attendance goes to whom it names."""

from __future__ import annotations

from datetime import timedelta

from dispensary.clients.consent_rules import Asked, Information, RecipientKind, Revoked, Signed
from dispensary.clients.consents import Agreed, consents_of, revoke_consent, take_consent
from dispensary.clients.telling import tell_by_consent
from dispensary.programmes.acts import Act, act
from dispensary.programmes.scene import Scene
from dispensary.refusals import BadInput, Refusal
from dispensary.staff import rules as staff
from dispensary.staff.rules import Role

_ATTENDANCE = frozenset({Information.ATTENDANCE})


@act("consent")
class TakeConsent(Act, frozen=True):
    """The client agrees in writing that this is told to this recipient, for so many days."""

    kinds: tuple[Information, ...]
    recipient_kind: RecipientKind
    recipient: str
    purpose: str
    days: int
    signature: str
    """Where the paper is kept; `{n}` stands for the client's number in the group."""
    by: Role = Role.NURSE

    def do(self, scene: Scene) -> None:
        asked = Asked(
            kinds=self.kinds,
            recipient_kind=self.recipient_kind,
            recipient=self.recipient,
            purpose=self.purpose,
            from_day=scene.today,
            until_day=scene.today + timedelta(days=self.days),
            until_event="",
            signed=Signed.PAPER,
            signature=self.signature.format(n=scene.n),
        )
        take_consent(
            scene.session,
            actor=scene.actor(self.by),
            client_id=scene.client,
            asked=asked,
            today=scene.today,
            at=scene.at,
        )


@act("revoke-consent")
class RevokeConsent(Act, frozen=True):
    """The client ends their newest consent to this recipient."""

    recipient: str
    by: Role = Role.NURSE

    def do(self, scene: Scene) -> None:
        revoke_consent(
            scene.session,
            actor=scene.actor(self.by),
            client_id=scene.client,
            consent_id=_to(scene, self.recipient).id,
            how=Revoked.SAID,
            at=scene.at,
        )


@act("progress-report")
class ProgressReport(Act, frozen=True):
    """On which days the client came is told to a recipient whom their consent names, and is on the register."""

    recipient: str
    by: Role = Role.NURSE

    def do(self, scene: Scene) -> None:
        tell_by_consent(
            scene.session,
            actor=scene.actor(self.by),
            client_id=scene.client,
            consent_id=_to(scene, self.recipient).id,
            kinds=_ATTENDANCE,
            event_not_come=False,
            what="attendance",
            key=scene.key("progress"),
            today=scene.today,
            at=scene.at,
            by=staff.Act.REPORT_PROGRESS,
        )


def _to(scene: Scene, recipient: str) -> Agreed:
    for each in consents_of(scene.session, client_id=scene.client):
        if each.rule.recipient == recipient and each.holds(scene.today):
            return each
    raise BadInput(Refusal("no-consent", f"No consent to tell {recipient} holds.", "Let an earlier act take one."))
