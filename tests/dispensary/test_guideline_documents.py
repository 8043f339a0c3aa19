"""Dosing guidelines as documents: what is shipped says what its source says, and a slip of the pen is refused."""

from __future__ import annotations

import re
from decimal import Decimal

import pytest

from dispensary.documents import BadDocument, Status
from dispensary.prescribing.guideline import Guideline, everywhere, guidelines, guidelines_with, parse
from dispensary.prescribing.sections import Confidence, Topic

SHIPPED = guidelines()
SECTIONS = [
    pytest.param(guideline, topic, id=f"{name} {topic}")
    for name, guideline in SHIPPED.items()
    for topic in guideline.topics()
]

SOUND = """
guideline = "X"
version = "1"
jurisdiction = "XX"
title = "A guideline"
source_date = "2026"
[induction]
source = "A source"
confidence = "high"
status = "active"
start = { least = 10, most = 30 }
[[induction.first_day]]
above_mg = 30
answer = "allow_with_reason"
text = "Much."
[[induction.first_day]]
above_mg = 40
answer = "refuse"
text = "Too much."
[missed]
source = "A source"
confidence = "medium"
status = "active"
[[missed.rows]]
first = 1
last = 2
instruction = "give_as_ordered"
[[missed.rows]]
first = 3
instruction = "reduced_after_call"
percent = 50
consequences = ["re_examine"]
[taper]
source = "A source"
confidence = "high"
status = "active"
[[taper.bands]]
above_mg = 40
mg = 10
days_between = 7
[[taper.bands]]
above_mg = 0
percent = 5
days_between = 14
[vomited]
source = "A source"
confidence = "high"
status = "active"
[[vomited.rows]]
up_to_minutes = 15
replace_percent = 50
answer = "allow"
[[vomited.rows]]
replace_percent = 0
answer = "withhold_refer"
"""


def changed(pattern: str, by: str) -> str:
    document, times = re.subn(pattern, by, SOUND, count=1, flags=re.MULTILINE)
    assert times == 1
    return document


def test_the_shipped_guidelines_are_these() -> None:
    assert list(SHIPPED) == [
        "AU-NAT-2003",
        "BC-AB",
        "CA-CAMH",
        "MY-DRAFT",
        "NSW-2018",
        "ON-CPSO-2011",
        "ON-METAPHI-2021",
        "PRODUCT-DEFAULT",
        "UK-FP10MDA",
        "UK-ORANGE-2017",
        "US-42CFR8.12h-2001",
        "US-42CFR8.12h-2024",
        "US-ASAM-2020",
        "US-TIP63",
        "VN-3140-2010",
        "VN-CIRC26-2023",
        "WHO-2009",
    ]


def test_what_nobody_has_confirmed_is_a_draft() -> None:
    drafts = {
        (name, topic)
        for name, guideline in SHIPPED.items()
        for topic in guideline.topics()
        if not guideline.answers(topic)
    }
    assert drafts == {
        ("CA-CAMH", Topic.VOMITED),
        ("MY-DRAFT", Topic.MISSED),
        ("MY-DRAFT", Topic.VOMITED),
        ("NSW-2018", Topic.MISSED),
        ("ON-CPSO-2011", Topic.VOMITED),
        ("ON-METAPHI-2021", Topic.INDUCTION),
        ("ON-METAPHI-2021", Topic.MISSED),
        ("US-ASAM-2020", Topic.MISSED),
        ("VN-3140-2010", Topic.VOMITED),
    }


@pytest.mark.parametrize(("guideline", "topic"), SECTIONS)
def test_every_section_names_its_source_and_none_of_low_confidence_answers(guideline: Guideline, topic: Topic) -> None:
    section = guideline.section(topic)
    assert section is not None
    assert section.source
    assert (section.confidence is Confidence.LOW) <= (section.status is Status.DRAFT)


def test_a_site_can_choose_among_those_that_speak_of_a_topic() -> None:
    assert list(guidelines_with(Topic.PRESCRIPTION)) == ["UK-FP10MDA", "UK-ORANGE-2017", "VN-CIRC26-2023"]
    assert "MY-DRAFT" in guidelines_with(Topic.MISSED), "a draft is shown, and answers with a referral"


def test_the_warnings_that_hold_everywhere_name_a_source_each() -> None:
    warned = everywhere()
    assert (warned.settle_days, warned.ecg_above_mg, warned.review_above_mg) == (3, Decimal(100), Decimal(120))
    assert all((warned.source, warned.early_source, warned.intoxicated_source, warned.pregnant_source))


def test_a_superseded_guideline_can_still_be_followed() -> None:
    assert SHIPPED["VN-3140-2010"].answers(Topic.MISSED)
    section = SHIPPED["VN-3140-2010"].missed
    assert section is not None
    assert section.status is Status.SUPERSEDED


def test_a_sound_document_is_read_with_exact_numbers() -> None:
    guideline = parse(SOUND)
    assert guideline.topics() == (Topic.INDUCTION, Topic.TAPER, Topic.MISSED, Topic.VOMITED)
    assert guideline.taper is not None
    assert guideline.taper.bands[1].percent == Decimal(5)
    assert guideline.wrong_dose is None


@pytest.mark.parametrize(
    ("pattern", "by", "problem"),
    [
        ("^version.*$", "", "The guideline has no version."),
        ("^title.*$", 'title = "A"\ncolour = "red"', "The guideline has “colour”, which means nothing here."),
        (
            "^source_date.*$",
            'source_date = "2026"\neffective_from = 2026-02-01\neffective_to = 2026-02-01',
            "The guideline ends before it begins.",
        ),
        ('^confidence = "high"', 'confidence = "low"', "The guideline, induction is of low confidence"),
        ("most = 30 }", "most = 5 }", "has a least above its most."),
        ("^start.*$", "start = { least = 10 }", "The guideline, induction, start has no most."),
        ('^answer = "refuse"', 'answer = "allow"', "has first-day bands that do not rise in mg and strictness."),
        ("^above_mg = 40\nanswer", "above_mg = 20\nanswer", "has first-day bands that do not rise"),
        ("^last = 2", "last = 3", "needs rows from the first missed day on, without a gap"),
        ("^first = 3", "first = 4", "needs rows from the first missed day on, without a gap"),
        ("^first = 3", "first = 3\nlast = 9", "needs rows from the first missed day on, without a gap"),
        ('instruction = "give_as_ordered"', 'instruction = "do_not_supply"', "a longer absence with a laxer"),
        ("^percent = 50", "", "Missed row 2 reduces the dose and needs percent or most_mg."),
        (r'\["re_examine"\]', '["punish"]', "Missed row 2 needs a list of new_induction,"),
        ("^mg = 10", "mg = 10\npercent = 5", "Taper band 1 needs either percent or mg."),
        ("^above_mg = 0", "above_mg = 1", "needs bands from the highest dose down to one above 0 mg."),
        ("^replace_percent = 0", "replace_percent = 60", "replaces more after a longer time."),
        ("^up_to_minutes = 15", "", "needs rows of rising minutes, the last without any."),
        (
            "^up_to_minutes = 15",
            "up_to_minutes = 15\nbefore_minutes = 15",
            "up_to_minutes or before_minutes, not both.",
        ),
        ("^replace_percent = 50", "replace_percent = 150", "needs a number from 0 to 100 for replace_percent."),
    ],
)
def test_a_document_with_a_slip_is_refused_by_name(pattern: str, by: str, problem: str) -> None:
    with pytest.raises(BadDocument) as caught:
        parse(changed(pattern, by))
    assert problem in str(caught.value)


def test_a_document_that_speaks_of_nothing_is_refused() -> None:
    with pytest.raises(BadDocument, match="speaks of no topic"):
        parse(SOUND[: SOUND.index("[induction]")])


def test_a_draft_may_lack_its_figures() -> None:
    bare = SOUND[: SOUND.index("[induction]")] + '[missed]\nsource = "S"\nconfidence = "low"\nstatus = "draft"\n'
    assert not parse(bare).answers(Topic.MISSED)
    with pytest.raises(BadDocument, match="needs rows"):
        parse(bare.replace("draft", "active").replace("low", "high"))
