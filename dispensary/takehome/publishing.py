"""Publishing versions of policies, word for word and once, and the site's choice of one from a day on."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from hashlib import sha256

from sqlalchemy import func, select, tuple_
from sqlalchemy.dialects.postgresql import Range
from sqlalchemy.dialects.postgresql import insert as upsert

from dispensary.database import ReadSession, WriteSession
from dispensary.documents import BadDocument
from dispensary.refusals import BadInput, NotAllowed, NotThere, Refusal, Refused
from dispensary.staff import audit
from dispensary.staff.models import Site
from dispensary.staff.queries import place
from dispensary.staff.rules import Actor
from dispensary.takehome.models import PolicyAdoption, PolicyVersion
from dispensary.takehome.policy import Policy, parse, shipped_policies
from dispensary.units import SiteId, new_id

LONGEST_DOCUMENT = 100_000


def publish_policies(session: WriteSession, *, at: datetime) -> list[PolicyVersion]:
    """Publishes every policy that comes with the program, word for word. What is published already stays as it is.

    Raises Refused when a document differs from the one that was published under the same version.
    """
    return _published(session, shipped_policies(), at)


def publish(session: WriteSession, *, document: str, at: datetime) -> PolicyVersion:
    """Publishes one version of a policy, a site's own for example. It affects nobody until a site adopts it.

    The same document again changes nothing. Raises BadInput with each problem of the document, or Refused when the
    version was published with other words: a published version is never edited.
    """
    return _published(session, [document], at)[0]


def _published(session: WriteSession, documents: Sequence[str], at: datetime) -> list[PolicyVersion]:
    """Each of these as it is published now; all of them in one exchange with the database, and one look at it."""
    policies = [(_parsed(document), document) for document in documents]
    session.execute(
        upsert(PolicyVersion).on_conflict_do_nothing(index_elements=["policy", "version"]),
        [
            {
                "id": new_id(),
                "policy": policy.policy,
                "version": policy.version,
                "document": document,
                "sha256": sha256(document.encode()).digest(),
                "status": policy.status.value,
                "published_at": at,
            }
            for policy, document in policies
        ],
    )
    named = tuple_(PolicyVersion.policy, PolicyVersion.version)
    found = session.scalars(
        select(PolicyVersion).where(named.in_([(each.policy, each.version) for each, _ in policies]))
    )
    kept = {(version.policy, version.version): version for version in found}
    for policy, document in policies:
        version = kept[policy.policy, policy.version]
        if version.document != document:
            raise Refused(
                Refusal(
                    "policy-published",
                    f"{policy.policy} version {policy.version} was published on {version.published_at:%Y-%m-%d} "
                    "with other words.",
                    "Give the changed document another version.",
                    {"published_sha256": version.sha256.hex()},
                    field="version",
                )
            )
    return [kept[policy.policy, policy.version] for policy, _ in policies]


def _parsed(document: str) -> Policy:
    if len(document) > LONGEST_DOCUMENT:
        raise BadInput(Refusal("policy-long", "The document is too long to be a policy.", field="document"))
    try:
        return parse(document)
    except BadDocument as reason:
        raise BadInput(
            *(
                Refusal("policy-problem", problem, "Correct the document.", field="document")
                for problem in reason.problems
            )
        ) from None


def _version(session: ReadSession, policy: str, version: str) -> PolicyVersion:
    kept = session.scalar(select(PolicyVersion).where(PolicyVersion.policy == policy, PolicyVersion.version == version))
    if kept is None:
        published = session.execute(select(PolicyVersion.policy, PolicyVersion.version).order_by(PolicyVersion.policy))
        known = ", ".join(f"{name} {number}" for name, number in published) or "none"
        raise NotThere(
            Refusal(
                "no-policy",
                f"No policy {policy} version {version} is published.",
                f"Published: {known}.",
                field="policy",
            )
        )
    return kept


def adopt(
    session: WriteSession, *, actor: Actor, site_id: SiteId, policy: str, version: str, from_day: date, at: datetime
) -> PolicyAdoption:
    """The site follows this version from a day on. The one before ends there; decisions made under it stay.

    What was adopted for that day or a later one is replaced. Days that have passed under a policy keep it.
    """
    if actor.site_id != site_id:
        raise NotAllowed(Refusal("other-site", "A policy is adopted at the site itself.", "Switch to that site."))
    kept = _version(session, policy, version)
    _refuse_out_of_force(parse(kept.document), from_day)
    session.execute(select(Site.id).where(Site.id == site_id).with_for_update(key_share=True))
    replaced = session.scalars(
        select(PolicyAdoption)
        .where(PolicyAdoption.site_id == site_id)
        .where(func.coalesce(func.upper(PolicyAdoption.days), date.max) > from_day)
        .order_by(func.lower(PolicyAdoption.days))
    ).all()
    if replaced and from_day < place(session, site_id).dose_day(at):
        raise Refused(
            Refusal(
                "policy-backdated",
                f"Another policy was followed on {from_day}, which has passed.",
                "Adopt the policy from today or a later day.",
                field="from_day",
            )
        )
    for adoption in replaced:
        begins = adoption.days.lower
        if begins is not None and begins < from_day:
            adoption.days = Range(begins, from_day, bounds="[)")
        else:
            session.delete(adoption)
    session.flush()
    adopted = PolicyAdoption(
        site_id=site_id,
        policy_version_id=kept.id,
        days=Range(from_day, None, bounds="[)"),
        adopted_by=actor.account_id,
        adopted_at=at,
    )
    session.add(adopted)
    session.flush()
    details = {"policy": policy, "version": version, "from": from_day, "replaced": [one.id for one in replaced]}
    audit.record(session, actor=actor, act="adopted policy", subject="site", subject_id=site_id, at=at, details=details)
    return adopted


def _refuse_out_of_force(policy: Policy, day: date) -> None:
    if not policy.in_force(day):
        raise Refused(
            Refusal(
                "policy-not-in-force",
                f"{policy.policy} version {policy.version} is not in force on {day} "
                f"(from {policy.effective_from or 'always'} to {policy.effective_to or 'now'}).",
                "Choose another version or another day.",
                field="from_day",
            )
        )
