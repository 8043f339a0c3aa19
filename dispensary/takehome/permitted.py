"""What a doctor may decide on what a policy says, and when they must say why. Pure."""

from __future__ import annotations

from dispensary.refusals import Refusal
from dispensary.takehome.policy import MOST_PER_SUPPLY, MOST_PER_WEEK
from dispensary.takehome.rules import Allowance, Answer
from dispensary.units import in_days


def may_decide(
    allowance: Allowance, *, per_supply: int, per_week: int | None, reason: str, consecutive: int | None = None
) -> tuple[Refusal, ...]:
    """Why a doctor may not decide so; empty when they may.

    More than a limit of the law is refused whatever the reason; anything else that differs from the assessment, be it
    more or less, needs one.
    """
    faults = []
    if not 0 <= per_supply <= MOST_PER_SUPPLY:
        faults.append(
            Refusal(
                "per-supply-out-of-bounds",
                f"A supply has 0 to {MOST_PER_SUPPLY} take-home days, not {per_supply}.",
                "Correct the number.",
                field="per_supply",
            )
        )
    if per_week is not None and not 0 <= per_week <= MOST_PER_WEEK:
        faults.append(
            Refusal(
                "per-week-out-of-bounds",
                f"A week has 0 to {MOST_PER_WEEK} take-home days, not {per_week}.",
                "Correct the number, or leave it empty for no weekly limit.",
                field="per_week",
            )
        )
    if faults:
        return tuple(faults)
    if per_supply > allowance.most_per_supply:
        faults.append(
            Refusal(
                "above-legal-limit",
                f"The law allows at most {in_days(allowance.most_per_supply)} at once here, not {per_supply}.",
                "Decide on less. No reason lifts a limit of the law; days on which the site is closed come on top."
                if allowance.closed_days_apart
                else "Decide on less. No reason lifts a limit of the law.",
                {"most": allowance.most_per_supply},
                field="per_supply",
            )
        )
    most = allowance.most_per_week
    if most is not None and (per_week is None or per_week > most):
        faults.append(
            Refusal(
                "above-legal-limit",
                f"The law allows at most {most} a week here.",
                "Decide on less. No reason lifts a limit of the law.",
                {"most": most},
                field="per_week",
            )
        )
    most = allowance.most_consecutive
    if most is not None and per_supply and (consecutive is None or consecutive > most):
        faults.append(
            Refusal(
                "above-legal-limit",
                f"The law allows at most {in_days(most)} in a row here.",
                "Decide on less. No reason lifts a limit of the law.",
                {"most": most},
                field="consecutive",
            )
        )
    wanted = {"per_supply": per_supply, "per_week": per_week, "consecutive": consecutive}
    if not reason.strip() and needs_reason(allowance, **wanted):
        faults.append(
            Refusal(
                "reason-missing",
                "This differs from what the policy says, or the policy asks for a documented reason.",
                "Write down why.",
                field="reason",
            )
        )
    return tuple(faults)


def differs(
    allowance: Allowance, *, per_supply: int | None, per_week: int | None, consecutive: int | None = None
) -> bool:
    """Whether a decision allows something else than the assessment says, be it more or less.

    Fewer days in a row than a policy limits are something else too; where it limits none they are a matter of the
    weekly pattern, which the doctor chooses.
    """
    if (per_supply, per_week) != (allowance.per_supply, allowance.per_week):
        return True
    return bool(per_supply) and allowance.consecutive is not None and consecutive != allowance.consecutive


def needs_reason(
    allowance: Allowance, *, per_supply: int | None, per_week: int | None, consecutive: int | None = None
) -> bool:
    """Whether a decision must say why: it differs, or the policy asks for a documented reason anyway."""
    unlike = differs(allowance, per_supply=per_supply, per_week=per_week, consecutive=consecutive)
    return unlike or allowance.answer is not Answer.ALLOW
