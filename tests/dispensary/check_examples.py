"""Worked examples, checked by hand: a rule, a question, and what the answer must say."""

from __future__ import annotations

from typing import Any

from tests.dispensary import health_examples, screening_examples
from tests.dispensary.health_examples import Example

AU, CPSO, VN, UK, ASAM = "AU-NAT-2003", "ON-CPSO-2011", "VN-3140-2010", "UK-ORANGE-2017", "US-ASAM-2020"
RULE_2024 = "US-42CFR8.12i-2024"
REVIEWED = dict.fromkeys(("conditions", "attendance", "behaviour", "diversion", "storage", "other"), True)


def missed(guideline: str, mg: str, days: int) -> dict[str, Any]:
    return {"guideline": guideline, "dose_mg": mg, "missed": days}


def first_day(year: int, mg: str, reason: str = "") -> dict[str, Any]:
    return {"guideline": f"US-42CFR8.12h-{year}", "total_mg": mg, "reason": reason}


def started(mg: str, tolerance: str) -> dict[str, Any]:
    return {"guideline": "WHO-2009", "mg": mg, "tolerance": tolerance}


def raised(new: str, days: int) -> dict[str, Any]:
    return {"guideline": ASAM, "current_mg": "60", "new_mg": new, "days_since_change": days}


def vomited(minutes: int, witnessed: bool = True) -> dict[str, Any]:
    return {"guideline": "US-TIP63", "dose_mg": "80", "minutes": minutes, "witnessed": witnessed}


def carried(day: int, days: int, **more: Any) -> dict[str, Any]:
    return {
        "policy": RULE_2024,
        "on": "2026-03-02",
        "day_of_treatment": day,
        "per_supply": days,
        "judged": REVIEWED,
        **more,
    }


def by_policy(policy: str, on: str, **more: Any) -> dict[str, Any]:
    return {"policy": policy, "on": on, "day_of_treatment": 100, **more}


SAFE, MODERATE = {"handles it safely": True}, {"stabilised": True, "not high risk": True}


def counted(after_dose: bool) -> dict[str, Any]:
    return {"first_day": "2026-03-02", "last_day": "2026-03-14", "on": "2026-03-06", "after_dose": after_dose}


GIVE = {"answer": "allow", "instruction": "give_as_ordered"}
STOP = {"answer": "withhold_refer", "instruction": "do_not_supply"}
CALL = {"answer": "withhold_refer", "instruction": "reduced_after_call"}
NEW = ["new_induction"]

EXAMPLES: list[Example] = [
    ("1 day 14 asks 7", "take-home", carried(14, 7), {"answer": "allow", "source": "42 CFR 8.12(i)(3)(i)"}),
    ("1 day 14 asks 8", "take-home", carried(14, 8), {"answer": "refuse"}),
    *[
        (f"2 day {day} asks {cap + more}", "take-home", carried(day, cap + more), {"answer": answer})
        for day, cap in ((14, 7), (15, 14), (30, 14), (31, 28))
        for more, answer in ((0, "allow"), (1, "refuse"))
        if cap + more <= 28
    ],
    (
        "3 one no, a rationale",
        "take-home",
        carried(40, 10, judged={**REVIEWED, "diversion": False}, reason="Works offshore; spoke with the family."),
        {"answer": "allow_with_reason", "reason_needed": False},
    ),
    (
        "3 one no, no rationale",
        "take-home",
        carried(40, 10, judged={**REVIEWED, "diversion": False}),
        {"answer": "allow_with_reason", "reason_needed": True},
    ),
    *[
        (
            f"6 {name} asks {days}",
            "take-home",
            by_policy("US-SAMHSA-2020-03-16", "2021-06-01", per_supply=days, judged={**SAFE, "stable": stable}),
            {"answer": answer},
        )
        for name, stable, days, answer in (
            ("stable", True, 28, "allow"),
            ("less stable", False, 14, "allow"),
            ("less stable", False, 15, "refuse"),
        )
    ],
    *[
        (
            f"8 moderate risk asks {n} a week",
            "take-home",
            by_policy("SA-MATOD", "2026-03-02", per_supply=1, per_week=n, judged=MODERATE),
            {"answer": answer},
        )
        for n, answer in ((3, "refer_to_prescriber"), (2, "allow"))
    ],
    (
        "9 14 days",
        "prescription-length",
        {"guideline": "UK-FP10MDA", "first_day": "2026-03-01", "last_day": "2026-03-14"},
        {"answer": "allow"},
    ),
    (
        "9 15 days",
        "prescription-length",
        {"guideline": "UK-FP10MDA", "first_day": "2026-03-01", "last_day": "2026-03-15"},
        {"answer": "refuse"},
    ),
    ("12 2024 50", "first-day", first_day(2024, "50"), {"answer": "allow"}),
    ("12 2024 55", "first-day", first_day(2024, "55"), {"answer": "allow_with_reason", "reason_needed": True}),
    (
        "12 2024 55 transfer",
        "first-day",
        first_day(2024, "55", "Verified transfer."),
        {"answer": "allow_with_reason", "reason_needed": False},
    ),
    ("12 2001 40", "first-day", first_day(2001, "40"), {"answer": "allow"}),
    ("12 2001 45", "first-day", first_day(2001, "45"), {"answer": "allow_with_reason", "reason_needed": True}),
    ("13 uncertain 20", "induction-start", started("20", "uncertain"), {"answer": "allow_with_reason"}),
    ("13 high 30", "induction-start", started("30", "high"), {"answer": "allow"}),
    ("13 high 35", "induction-start", started("35", "high"), {"answer": "refer_to_prescriber"}),
    (
        "14 early",
        "induction-step",
        raised("70", 3),
        {"answer": "allow_with_reason", "limits": ["days-between"]},
    ),
    ("14 in time", "induction-step", raised("70", 5), {"answer": "allow", "limits": []}),
    ("14 too large", "induction-step", raised("75", 5), {"answer": "allow_with_reason", "limits": ["step"]}),
    ("16 AU 1", "missed-days", missed(AU, "100", 1), {**GIVE, "mg": "100"}),
    ("16 AU 2", "missed-days", missed(AU, "100", 2), {**GIVE, "mg": "100"}),
    ("16 AU 2 intoxicated", "missed-days", {**missed(AU, "100", 2), "intoxicated": True}, {**STOP, "mg": None}),
    ("16 AU 3", "missed-days", missed(AU, "100", 3), {**CALL, "mg": "50", "source": "AU-NAT-2003, s3-3.5"}),
    ("16 AU 4", "missed-days", missed(AU, "100", 4), {**STOP, "mg": "40"}),
    ("16 AU 5", "missed-days", missed(AU, "100", 5), {**STOP, "mg": None, "consequences": NEW}),
    ("18 CPSO 2", "missed-days", missed(CPSO, "90", 2), {**GIVE, "mg": "90"}),
    (
        "18 CPSO 3",
        "missed-days",
        missed(CPSO, "90", 3),
        {**STOP, "mg": "45", "consequences": ["prescription_cancelled", "take_home_suspended"]},
    ),
    (
        "18 CPSO 4",
        "missed-days",
        missed(CPSO, "90", 4),
        {**STOP, "mg": "30", "consequences": [*NEW, "prescription_cancelled", "take_home_suspended"]},
    ),
    ("19 VN 3", "missed-days", missed(VN, "80", 3), {**GIVE, "mg": "80", "status": "superseded"}),
    ("19 VN 5", "missed-days", missed(VN, "80", 5), {**CALL, "mg": "40", "consequences": ["re_examine"]}),
    ("19 VN 6", "missed-days", missed(VN, "80", 6), {**STOP, "mg": None, "consequences": NEW}),
    ("20 UK 2", "missed-days", missed(UK, "80", 2), GIVE),
    (
        "20 UK 3",
        "missed-days",
        missed(UK, "80", 3),
        {**STOP, "mg": None, "consequences": ["tell_prescriber", "consider_lower_dose"]},
    ),
    (
        "20 UK 5",
        "missed-days",
        missed(UK, "80", 5),
        {**STOP, "consequences": ["tell_prescriber", "consider_lower_dose", "assess_illicit_use"]},
    ),
    ("22 before", "recall-count", counted(after_dose=False), {"expected_full": 9, "expected_empty": 4}),
    ("22 after", "recall-count", counted(after_dose=True), {"expected_full": 8, "expected_empty": 5}),
    ("24 TIP63 10", "vomited", vomited(10), {"answer": "allow", "mg": "80"}),
    ("24 TIP63 20", "vomited", vomited(20), {"answer": "allow", "mg": "40"}),
    ("24 TIP63 40", "vomited", vomited(40), {"answer": "withhold_refer", "mg": "0"}),
    ("24 unwitnessed", "vomited", vomited(10, witnessed=False), {"answer": "refer_to_prescriber", "mg": "0"}),
    (
        "31 levels",
        "split",
        {"trough_ng_ml": 250, "peak_ng_ml": 600},
        {"answer": "allow", "instruction": "consider_split"},
    ),
    (
        "a taper in steps of ten per cent",
        "taper",
        {"guideline": "US-TIP63", "current_mg": "80", "new_mg": "71", "days_since_change": 14},
        {"answer": "allow_with_reason", "limits": ["step"], "figures": {"lowest_mg": "72", "days_between": 7}},
    ),
    (
        "a taper with its dates",
        "taper-plan",
        {"guideline": AU, "from_mg": "45", "to_mg": "35", "first_day": "2026-03-02"},
        {"steps": [{"first_day": "2026-03-02", "mg": "40"}, {"first_day": "2026-03-09", "mg": "35"}]},
    ),
    (
        "double the dose of somebody who takes doses home",
        "wrong-dose",
        {
            "guideline": AU,
            "ordered_mg": "80",
            "given_mg": "160",
            "day_of_treatment": 300,
            "takes_home_or_not_daily": True,
        },
        {"answer": "withhold_refer", "instruction": "observe"},
    ),
    (
        "a draft answers nothing",
        "vomited",
        {**vomited(5), "guideline": VN},
        {"answer": "refer_to_prescriber", "mg": None, "status": "draft"},
    ),
    *health_examples.EXAMPLES,
    *screening_examples.EXAMPLES,
]
