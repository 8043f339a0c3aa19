"""The question how many doses may be carried home, put to a policy."""

from __future__ import annotations

from datetime import date, timedelta
from functools import lru_cache

import msgspec

from dispensary.checks.questions import TakeHome
from dispensary.checks.typed import bad, day
from dispensary.documents import BadDocument
from dispensary.prescribing.sections import Verdict
from dispensary.refusals import BadInput, Refusal
from dispensary.takehome.history import COVERED, MISSED, History
from dispensary.takehome.permitted import may_decide
from dispensary.takehome.policy import Policy, parse, shipped_policies
from dispensary.takehome.rules import Allowance, Answer, Assessment, assess

_BY_LAW = "above-legal-limit"
_NEEDS_REASON = "reason-missing"


def of_take_home(question: TakeHome) -> dict[str, object]:
    """What the policy says of the record, and whether so many bottles may be decided.

    More than a limit of the law is refused. More than a policy gives is for the prescriber, who may with a written
    reason. Fewer than it gives are never answered more strictly than all of them.
    """
    policy = _written(question.document) if question.document else _policy(question.policy, question.version)
    on = day("on", question.on)
    found = assess(policy, _history(question, on), on)
    faults = may_decide(
        found.allowance,
        per_supply=question.per_supply,
        per_week=question.per_week,
        consecutive=_in_a_row(found.allowance, question),
        reason=question.reason,
    )
    legal = [fault for fault in faults if fault.code == _BY_LAW]
    wrong = [fault for fault in faults if fault.code not in (_BY_LAW, _NEEDS_REASON)]
    if wrong:
        raise BadInput(*wrong)
    verdict = Verdict.REFUSE if legal else _verdict(found.allowance, question)
    return {
        "answer": verdict.value,
        "sentence": " ".join(fault.sentence for fault in legal) or found.sentence,
        "reason_needed": verdict is Verdict.ALLOW_WITH_REASON and not question.reason.strip(),
        "per_supply": question.per_supply,
        "per_week": question.per_week,
        "assessment": found.as_json(),
        "policy": policy.policy,
        "version": policy.version,
        "source": _source(policy, found),
        "confidence": policy.confidence,
        "status": policy.status.value,
    }


def _verdict(allowance: Allowance, question: TakeHome) -> Verdict:
    if allowance.answer is Answer.REFUSE:
        return Verdict.ALLOW if question.per_supply == 0 else Verdict.REFUSE
    if allowance.answer is Answer.REFER or _asks_more(allowance, question):
        return Verdict.ALLOW_WITH_REASON if question.reason.strip() else Verdict.REFER
    return Verdict(allowance.answer.value)


def _asks_more(allowance: Allowance, question: TakeHome) -> bool:
    """Whether more is asked than the policy gives; a question that names no week asks within the policy's week."""
    at_once, a_week = allowance.per_supply, allowance.per_week
    if at_once is not None and question.per_supply > at_once:
        return True
    if a_week is not None and question.per_week is not None and question.per_week > a_week:
        return True
    in_a_row = allowance.consecutive
    return in_a_row is not None and question.consecutive is not None and question.consecutive > in_a_row


def _in_a_row(allowance: Allowance, question: TakeHome) -> int | None:
    """A question that names no days in a row asks within the policy's."""
    return allowance.consecutive if question.consecutive is None else question.consecutive


def _source(policy: Policy, found: Assessment) -> str:
    return next((level.source for level in policy.levels if level.name == found.level and level.source), policy.source)


@lru_cache(maxsize=1)
def _policies() -> dict[str, dict[str, Policy]]:
    """The policies that come with the program: by name, then by version."""
    kept: dict[str, dict[str, Policy]] = {}
    for document in shipped_policies():
        policy = parse(document)
        kept.setdefault(policy.policy, {})[policy.version] = policy
    return kept


def _written(document: str) -> Policy:
    try:
        return parse(document)
    except BadDocument as reason:
        raise BadInput(
            *(Refusal("policy-problem", each, "Correct the document.", field="document") for each in reason.problems)
        ) from None


def _policy(name: str, version: str) -> Policy:
    versions = _policies().get(name)
    if not versions:
        raise bad("policy", f"There is no policy {name}.", f"There are {', '.join(_policies())}.")
    if version and version not in versions:
        raise bad("version", f"{name} has no version {version}.", f"It has {', '.join(versions)}.")
    return versions[version] if version else versions[max(versions, key=lambda each: (len(each), each))]


def _history(question: TakeHome, on: date) -> History:
    """The record as it was given: letters, or so many missed and then covered days, with whatever `history` adds."""
    letters = question.record or MISSED * question.missed_days + COVERED * question.covered_days
    kept = History(
        first_dose_day=_days_before(on, question.day_of_treatment),
        record_from=on - timedelta(days=len(letters)),
        record=letters,
        dose_stable_since=_days_before(on, question.dose_stable_days),
        judged=question.judged,
    ).as_json()
    try:
        read = History.from_json({**kept, **question.history})
        # Reading what an assessment kept trusts it; what is typed here may be anything.
        return msgspec.convert(msgspec.to_builtins(read), type=History)
    except (TypeError, ValueError, KeyError) as reason:  # msgspec's own is a ValueError
        sentence = f"It is not the record of an assessment: {reason}."
        raise bad("history", sentence, "Give it as an assessment keeps it.") from None


def _days_before(on: date, days: int | None) -> date | None:
    """The first of so many days that end on this one."""
    return None if days is None else on - timedelta(days=days - 1)
