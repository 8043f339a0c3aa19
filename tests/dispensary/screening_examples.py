"""Worked examples of screening instruments, checked by hand: an instrument, the answers, and what must be said."""

from __future__ import annotations

from typing import Any

from tests.dispensary.health_examples import Example


def about(substance: str, use: str, **more: str) -> dict[str, str]:
    return {"substance": substance, "use": use, **more}


def assist(*substances: dict[str, str], **more: Any) -> dict[str, Any]:
    return {"substances": list(substances), **more}


def yes_to(*numbers: int, of: int) -> list[bool]:
    return [number in numbers for number in range(1, of + 1)]


def cows(**more: int) -> dict[str, int]:
    signs = {"sweating": 2, "restlessness": 3, "pupils": 1, "aches": 2, "nose_or_eyes": 2, "stomach": 3}
    return {"pulse": 96, **signs, "tremor": 1, "yawning": 1, "anxiety": 2, "gooseflesh": 3, **more}


def calm(pulse: int) -> dict[str, int]:
    return {**dict.fromkeys(cows(), 0), "pulse": pulse}


def _points(points: int, band: str) -> dict[str, Any]:
    return {"points": points, "band": band}


_OFTEN = {"craving": "daily", "problems": "daily", "concern": "past_three_months", "cut_down": "past_three_months"}
_MOST = about("tobacco", "daily", **_OFTEN)
_SELDOM = {"craving": "never", "problems": "never", "failed": "never"}

EXAMPLES: list[Example] = [
    (
        "32 opioids",
        "assist",
        assist(
            about(
                "opioids",
                "daily",
                craving="daily",
                problems="weekly",
                failed="monthly",
                concern="past_three_months",
                cut_down="earlier",
            )
        ),
        {"finding": "high", "figures": {"substance": "opioids", "points": 33}},
    ),
    (
        "33 tobacco at most",
        "assist",
        assist(_MOST),
        {"finding": "high", "figures": {"substance": "tobacco", "points": 31}},
    ),
    (
        "33 anything else at most",
        "assist",
        assist(about("cocaine", "daily", failed="daily", **_OFTEN)),
        {"finding": "high", "figures": {"substance": "cocaine", "points": 39}},
    ),
    (
        "34 cannabis once or twice",
        "assist",
        assist(about("cannabis", "once_or_twice", **_SELDOM)),
        {"finding": "low", "figures": {"substance": "cannabis", "points": 2}},
    ),
    (
        "34 cannabis monthly",
        "assist",
        assist(about("cannabis", "monthly", **_SELDOM)),
        {"finding": "low", "figures": {"substance": "cannabis", "points": 3}},
    ),
    (
        "cannabis weekly",
        "assist",
        assist(about("cannabis", "weekly", **_SELDOM)),
        {"finding": "moderate", "severity": "info"},
    ),
    (
        "alcohol 10",
        "assist",
        assist(about("alcohol", "weekly", **_SELDOM, concern="past_three_months")),
        {"finding": "low"},
    ),
    (
        "alcohol 12",
        "assist",
        assist(about("alcohol", "daily", **_SELDOM, concern="past_three_months")),
        {"finding": "moderate"},
    ),
    (
        "injecting is asked by a draft",
        "assist",
        assist(about("opioids", "never"), injected="past_three_months", injected_days_a_month=9),
        {"finding": "refer_to_prescriber", "severity": "info"},
    ),
    ("35 all no", "dast-10", {"answers": yes_to(of=10)}, {"finding": "low", "figures": {"points": 1}}),
    (
        "35 with question 3 yes",
        "dast-10",
        {"answers": yes_to(1, 2, 3, 5, 6, of=10)},
        {"finding": "moderate", "figures": {"points": 4}},
    ),
    (
        "35 with question 3 no",
        "dast-10",
        {"answers": yes_to(1, 2, 5, 6, of=10)},
        {"finding": "moderate", "figures": {"points": 5}},
    ),
    ("DAST-10 none", "dast-10", {"answers": yes_to(3, of=10)}, {"finding": "none", "severity": "none"}),
    ("DAST-10 8", "dast-10", {"answers": yes_to(*range(4, 11), of=10)}, {"finding": "substantial"}),
    ("DAST-10 9", "dast-10", {"answers": yes_to(1, *range(4, 11), of=10)}, {"finding": "severe"}),
    (
        "SRQ-20 without a cut-off",
        "srq-20",
        {"answers": yes_to(*range(1, 13), of=20)},
        {"finding": "refer_to_prescriber"},
    ),
    ("SRQ-20 7 of 8", "srq-20", {"answers": yes_to(*range(1, 8), of=20), "positive_from": 8}, {"finding": "negative"}),
    ("SRQ-20 8 of 8", "srq-20", {"answers": yes_to(*range(1, 9), of=20), "positive_from": 8}, {"finding": "positive"}),
    (
        "SRQ-20, thoughts of ending their life alone",
        "srq-20",
        {"answers": yes_to(17, of=20), "positive_from": 8},
        {"finding": "risk", "severity": "urgent"},
    ),
    ("37 COWS", "cows", cows(), {"finding": "moderate", "figures": {"points": 21, "pulse_points": 1}}),
    ("COWS pulse 80", "cows", calm(80), {"finding": "none", "figures": {"points": 0, "pulse_points": 0}}),
    ("COWS pulse 120", "cows", calm(120), {"finding": "none", "figures": {"points": 2, "pulse_points": 2}}),
    ("COWS pulse 121", "cows", calm(121), {"finding": "none", "figures": {"points": 4, "pulse_points": 4}}),
    ("COWS 5", "cows", {**calm(121), "tremor": 1}, {"finding": "mild"}),
    (
        "COWS at most",
        "cows",
        {
            "pulse": 130,
            "sweating": 4,
            "restlessness": 5,
            "pupils": 5,
            "aches": 4,
            "nose_or_eyes": 4,
            "stomach": 5,
            "tremor": 4,
            "yawning": 4,
            "anxiety": 4,
            "gooseflesh": 5,
        },
        {"finding": "severe", "figures": {"points": 48, "pulse_points": 4}},
    ),
    ("PHQ-9 4", "phq-9", {"answers": [1, 1, 1, 1, 0, 0, 0, 0, 0]}, {"finding": "minimal", "severity": "none"}),
    ("PHQ-9 5", "phq-9", {"answers": [1, 1, 1, 1, 1, 0, 0, 0, 0]}, {"finding": "mild", "figures": _points(5, "mild")}),
    ("PHQ-9 14", "phq-9", {"answers": [2, 2, 2, 2, 2, 2, 2, 0, 0]}, {"finding": "moderate", "severity": "warning"}),
    ("PHQ-9 19", "phq-9", {"answers": [3, 3, 3, 3, 3, 3, 1, 0, 0]}, {"finding": "moderately_severe"}),
    ("PHQ-9 20", "phq-9", {"answers": [3, 3, 3, 3, 3, 3, 2, 0, 0]}, {"finding": "severe"}),
    (
        "PHQ-9, the ninth alone",
        "phq-9",
        {"answers": [0, 0, 0, 0, 0, 0, 0, 0, 1]},
        {"finding": "risk", "severity": "urgent", "figures": _points(1, "minimal")},
    ),
    (
        "PHQ-9 at most",
        "phq-9",
        {"answers": [3] * 9},
        {"finding": "risk", "severity": "urgent", "figures": _points(27, "severe")},
    ),
    ("GAD-7 4", "gad-7", {"answers": [1, 1, 1, 1, 0, 0, 0]}, {"finding": "minimal", "figures": {"points": 4}}),
    ("GAD-7 9", "gad-7", {"answers": [3, 3, 3, 0, 0, 0, 0]}, {"finding": "mild"}),
    ("GAD-7 10", "gad-7", {"answers": [3, 3, 3, 1, 0, 0, 0]}, {"finding": "moderate", "severity": "warning"}),
    ("GAD-7 at most", "gad-7", {"answers": [3] * 7}, {"finding": "severe", "figures": {"points": 21}}),
    (
        "TOP as it was told",
        "top",
        {"days": {"opioids": [0, 2, 3, 7]}, "health": {"psychological": 11}, "yes_no": {"housing": False}},
        {"finding": "told", "figures": {"opioids_days": 12, "psychological": 11, "housing": False}},
    ),
]
