"""Whatever a rule is asked, it answers with one of the verdicts or severities, or names the field; it never breaks."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispensary.checks.catalogue import RULES, Rule
from dispensary.monitoring.findings import Severity
from dispensary.prescribing.guideline import guidelines
from dispensary.prescribing.sections import Verdict
from dispensary.prescribing.steps import Tolerance
from dispensary.refusals import BadInput
from tests.dispensary.check_examples import EXAMPLES

VALUES: st.SearchStrategy[Any] = st.one_of(
    st.sampled_from(["0", "0.01", "1", "40", "99.99", "1000", "1000.01", "-1", "NaN", "Infinity", "1e3", "", "ccmc"]),
    st.integers(-1, 400),
    st.booleans(),
    st.none(),
    st.sampled_from(list(guidelines())),
    st.sampled_from([each.value for each in Tolerance]),
    st.sampled_from(["0001-01-01", "2026-02-29", "2026-03-02", "9999-12-31"]),
    st.dictionaries(st.sampled_from(["lockbox", "record", "record_from", "open_alerts"]), st.integers() | st.text()),
)
GRAVE = [each.word for each in Severity]
"""What a finding about health says in place of a verdict."""


@pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
@given(data=st.data())
def test_every_question_is_answered_or_refused_by_field(rule: Rule, data: st.DataObject) -> None:
    base = data.draw(st.sampled_from([question for _, name, question, _ in EXAMPLES if name == rule.name]))
    fields = st.sampled_from(rule.question.__struct_fields__)
    question = {**base, **data.draw(st.dictionaries(fields, VALUES, max_size=4))}
    try:
        answer = rule.answer(msgspec.convert(question, type=rule.question))
    except msgspec.ValidationError:
        return
    except BadInput as refused:
        fields_refused = {refusal.field for refusal in refused.refusals}
    else:
        fields_refused = set()
        assert (answer["severity"] in GRAVE) if "severity" in answer else Verdict(str(answer["answer"]))
        assert answer["sentence"]
        msgspec.json.encode(answer)
    assert fields_refused <= set(rule.question.__struct_fields__)


@pytest.mark.parametrize("day", ["0001-01-01", "9999-12-31"])
@pytest.mark.parametrize(
    ("rule", "field"),
    [
        ("taper-plan", "first_day"),
        ("prescription-length", "first_day"),
        ("prescription-length", "last_day"),
        ("recall-count", "first_day"),
        ("recall-count", "last_day"),
        ("recall-count", "on"),
        ("take-home", "on"),
    ],
)
def test_a_day_at_the_edge_of_the_calendar_is_refused(rule: str, field: str, day: str) -> None:
    base = next(question for _, name, question, _ in EXAMPLES if name == rule)
    asked = RULES[rule]
    with pytest.raises(BadInput) as refused:
        asked.answer(msgspec.convert({**base, field: day}, type=asked.question))
    assert refused.value.first.field == field
