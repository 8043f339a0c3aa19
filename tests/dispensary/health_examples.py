"""Worked examples of the rules of health, checked by hand: a rule, a question, and what the answer must say."""

from __future__ import annotations

from typing import Any

Example = tuple[str, str, dict[str, Any], dict[str, Any]]


def ecg(qt: str, rate: str, **more: str) -> dict[str, Any]:
    return {"qt_ms": qt, "heart_rate": rate, **more}


def alt(value: str, **more: Any) -> dict[str, Any]:
    return {"results": [{"on": "2026-03-02", "value": value, "upper": "40"}], **more}


def loads(*results: tuple[str, str], support: str = "", version: str = "WHO-2023") -> dict[str, Any]:
    return {
        "results": [{"on": on, "value": value} for on, value in results],
        "support_on": [support] if support else [],
        "version": version,
    }


def refilled(**more: Any) -> dict[str, Any]:
    fills = ("2024-01-01", "2024-01-28", "2024-03-05")
    return {
        "first": "2024-01-01",
        "last": "2024-03-30",
        "refills": [{"on": on, "days": 30} for on in fills],
        **more,
    }


def starts(substance: str, **more: Any) -> dict[str, Any]:
    return {"substance": substance, **more}


def stops(substance: str, **more: Any) -> dict[str, Any]:
    return {"substance": substance, "moment": "stop", **more}


def child_pugh(**more: str) -> dict[str, Any]:
    return {
        "bilirubin": "2.5",
        "bilirubin_unit": "mg/dL",
        "albumin": "3.0",
        "albumin_unit": "g/dL",
        "inr": "1.5",
        **more,
    }


EXAMPLES: list[Example] = [
    ("25 QT 400 at 75", "qtc", ecg("400", "75"), {"severity": "none", "finding": "ok"}),
    ("25 QT 420 at 80", "qtc", ecg("420", "80"), {"severity": "warning", "finding": "monitor"}),
    ("25 QT 440 at 90", "qtc", ecg("440", "90"), {"severity": "urgent", "finding": "urgent"}),
    ("QTc exactly 450", "qtc", {"reported_ms": "450"}, {"severity": "none", "finding": "ok"}),
    ("QTc exactly 450 of a man", "qtc", {"reported_ms": "450", "sex": "male"}, {"severity": "info", "finding": "ok"}),
    ("QTc exactly 500", "qtc", {"reported_ms": "500", "formula": "Bazett"}, {"severity": "urgent"}),
    ("QTc 499.4", "qtc", {"reported_ms": "499.4"}, {"severity": "warning"}),
    ("nothing measured", "qtc", {}, {"finding": "refer_to_prescriber"}),
    ("26 carry-forward", "adherence", refilled(), {"finding": "good", "severity": "none"}),
    ("26 no carry-forward", "adherence", refilled(carry_forward=False), {"finding": "amber", "severity": "info"}),
    (
        "two parts, one of which ran out",
        "adherence",
        refilled(refills=[{"on": "2024-01-01", "days": 90}, {"on": "2024-01-01", "days": 45, "part": "b"}]),
        {"finding": "low", "severity": "warning"},
    ),
    ("28 Child-Pugh", "child-pugh", child_pugh(ascites="mild"), {"finding": "B", "severity": "info"}),
    ("Child-Pugh of a healthy liver", "child-pugh", child_pugh(bilirubin="1", albumin="4"), {"finding": "A"}),
    ("30 with symptoms", "tb-alt", {"result": alt("190")["results"][0], "symptoms": True}, {"finding": "stop"}),
    (
        "30 without",
        "tb-alt",
        {"result": alt("190")["results"][0], "symptoms": False},
        {"finding": "continue_monitor_weekly"},
    ),
    (
        "30, nobody has asked",
        "tb-alt",
        {"result": alt("190")["results"][0]},
        {
            "finding": "continue_monitor_weekly",
            "severity": "warning",
            "sentence": "ALT 4.75 times the upper limit on TB medicines, symptoms were not asked about.",
        },
    ),
    (
        "TB, 5 times, no symptoms",
        "tb-alt",
        {"result": alt("200")["results"][0], "symptoms": False},
        {"finding": "stop"},
    ),
    ("ALT within its limit", "alt", alt("40"), {"finding": "within_limit", "severity": "none"}),
    ("ALT above its limit", "alt", alt("41"), {"finding": "above_limit", "severity": "info"}),
    ("ALT exactly 3 times", "alt", alt("120"), {"finding": "above_limit", "severity": "info"}),
    ("ALT more than 3 times", "alt", alt("121"), {"finding": "repeat", "severity": "warning"}),
    ("ALT exactly 5 times", "alt", alt("200"), {"finding": "repeat", "severity": "warning"}),
    ("ALT 6 times", "alt", alt("240"), {"finding": "urgent_review", "severity": "urgent"}),
    (
        "Hy's rule",
        "alt",
        alt("120", bilirubin={"on": "2026-03-02", "value": "42", "upper": "21"}),
        {"finding": "hys_law", "severity": "urgent"},
    ),
    (
        "ALT without a limit",
        "alt",
        {"results": [{"on": "2026-03-02", "value": "500"}]},
        {"finding": "refer_to_prescriber"},
    ),
    ("FIB-4 high", "fib-4", {"age": 60, "ast": "100", "alt": "64", "platelets": "100"}, {"finding": "high"}),
    ("FIB-4 low", "fib-4", {"age": 30, "ast": "25", "alt": "25", "platelets": "250"}, {"finding": "low"}),
    ("APRI of cirrhosis", "apri", {"ast": "100", "upper": "40", "platelets": "100"}, {"finding": "cirrhosis"}),
    ("APRI exactly 2", "apri", {"ast": "80", "upper": "40", "platelets": "100"}, {"finding": "fibrosis"}),
    ("viral load exactly 1000", "viral-load", loads(("2026-03-02", "1000")), {"finding": "suppressed"}),
    (
        "viral load 1001",
        "viral-load",
        loads(("2026-03-02", "1001")),
        {"finding": "unsuppressed", "severity": "warning"},
    ),
    ("viral load below 40", "viral-load", loads(("2026-03-02", "<40")), {"finding": "undetectable"}),
    (
        "viral load 50, WHO 2021",
        "viral-load",
        loads(("2026-03-02", "50"), version="WHO-2021"),
        {"finding": "low_level"},
    ),
    ("viral load 50, WHO 2023", "viral-load", loads(("2026-03-02", "50")), {"finding": "suppressed"}),
    (
        "two high ones, 4 months apart, after support",
        "viral-load",
        loads(("2026-01-02", "4000"), ("2026-05-02", "2500"), support="2026-02-01"),
        {"finding": "failure", "severity": "urgent"},
    ),
    (
        "two high ones without support",
        "viral-load",
        loads(("2026-01-02", "4000"), ("2026-05-02", "2500")),
        {"finding": "unsuppressed"},
    ),
    (
        "two high ones, support before the first",
        "viral-load",
        loads(("2026-01-02", "4000"), ("2026-05-02", "2500"), support="2026-01-01"),
        {"finding": "unsuppressed", "severity": "warning"},
    ),
    (
        "two high ones, support on the day of the first",
        "viral-load",
        loads(("2026-01-02", "4000"), ("2026-05-02", "2500"), support="2026-01-02"),
        {"finding": "failure", "severity": "urgent"},
    ),
    (
        "two high ones, support on the day of the second",
        "viral-load",
        loads(("2026-01-02", "4000"), ("2026-05-02", "2500"), support="2026-05-02"),
        {"finding": "unsuppressed"},
    ),
    (
        "two high ones, 2 months apart",
        "viral-load",
        loads(("2026-01-02", "4000"), ("2026-03-01", "2500"), support="2026-02-01"),
        {"finding": "unsuppressed"},
    ),
    (
        "a low one between two high ones",
        "viral-load",
        loads(("2026-01-02", "4000"), ("2026-03-02", "60"), ("2026-05-02", "2500"), support="2026-02-01"),
        {"finding": "unsuppressed"},
    ),
    ("38 rifampicin starts", "interaction", starts("Rifampicin"), {"finding": "methadone_down", "severity": "warning"}),
    ("38 rifampicin stops", "interaction", stops("Rifampicin"), {"finding": "methadone_up", "severity": "warning"}),
    ("efavirenz starts", "interaction", starts("EFV"), {"finding": "methadone_down"}),
    ("fluconazole stops", "interaction", stops("fluconazole"), {"finding": "methadone_down"}),
    ("naltrexone", "interaction", starts("naltrexone"), {"finding": "contraindicated", "severity": "urgent"}),
    ("a MAO inhibitor", "interaction", starts("phenelzine"), {"severity": "urgent"}),
    ("dolutegravir", "interaction", starts("dolutegravir"), {"finding": "no_effect", "severity": "none"}),
    ("alcohol stops", "interaction", stops("alcohol"), {"finding": "nothing_to_do"}),
    ("a name that nobody knows", "interaction", starts("xyzol"), {"finding": "unknown", "severity": "warning"}),
    (
        "what adds up",
        "interaction",
        starts("diazepam", beside=["citalopram", "moxifloxacin", "xyzol"]),
        {
            "adds_up": {
                "sedating": ["diazepam"],
                "lengthening_qt": ["citalopram", "moxifloxacin"],
                "serotonergic": ["citalopram"],
                "unknown": ["xyzol"],
            }
        },
    ),
]
