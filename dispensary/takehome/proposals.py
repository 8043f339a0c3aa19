"""What an assessment that nobody asked for means beside what was said and decided before. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta
from uuid import UUID

from dispensary.takehome.policy import Policy
from dispensary.takehome.rules import Allowance, Assessment
from dispensary.takehome.terms import Terms

STANDS_FOR = timedelta(days=28)
"""So long an assessment stands for those after it that say the same; then one is kept again, with its evidence."""


@dataclass(frozen=True)
class Said:
    """What the newest assessment of a client said, as far as the next one is held against it."""

    policy_version_id: UUID
    on: date
    level: str
    allowance: Allowance
    states: Mapping[str, str]
    """Met, not met or unknown, by the name of the criterion."""


def is_news(before: Said | None, policy_version_id: UUID, said: Assessment) -> bool:
    """Whether an assessment is worth keeping beside the newest one.

    It is when the level, the answer with its limits or the state of any criterion differs, when the policy is another
    or another version of it, and when the newest is older than 28 days. That figures moved on by a day is no news.
    """
    return (
        before is None
        or before.policy_version_id != policy_version_id
        or before.level != said.level
        or before.allowance != said.allowance
        or before.states != states_of(said)
        or said.on - before.on > STANDS_FOR
    )


def states_of(said: Assessment) -> dict[str, str]:
    """What became of each criterion, by its name."""
    return {finding.criterion: finding.state.value for finding in said.findings}


def carried_answers(answers: Mapping[str, bool], asked: Policy, asks: Policy) -> dict[str, bool]:
    """A practitioner's answers as far as the policy that is followed now asks the same, word for word."""
    texts = {criterion.name: criterion.text for criterion in asked.criteria}
    now = {criterion.name: criterion.text for criterion in asks.criteria}
    return {name: answer for name, answer in answers.items() if name in now and texts.get(name) == now[name]}


def cut_to_law(allowance: Allowance, terms: Terms) -> Terms | None:
    """The terms of a decision cut to the limits that no reason lifts; nothing when they are within them already.

    Nothing else of them changes, and nothing rises.
    """
    if terms.per_supply == 0:
        return None
    most = allowance.most_per_week
    too_many_a_week = most is not None and (terms.a_week is None or terms.a_week > most)
    row = allowance.most_consecutive
    too_many_in_a_row = row is not None and (terms.consecutive is None or terms.consecutive > row)
    cut = replace(
        terms,
        per_supply=min(terms.per_supply, allowance.most_per_supply),
        per_week=most if too_many_a_week else terms.per_week,
        consecutive=row if too_many_in_a_row else terms.consecutive,
    )
    return cut if cut != terms else None
