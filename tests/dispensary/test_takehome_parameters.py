"""The figures that a policy leaves to the site: set within their bounds, in a version of its own, and nowhere else."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispensary.documents import BadDocument, Status
from dispensary.takehome.measures import Measure
from dispensary.takehome.parameters import Value, fill
from dispensary.takehome.policy import Kind, parse
from tests.dispensary.policy_documents import SHIPPED, WITH_PARAMETERS, document_of, filled, some_value

values = (
    st.integers(0, 40_000) | st.decimals(0, 200, places=1) | st.sampled_from(["required", "advice", "anything", ""])
)


class TestFigures:
    @pytest.mark.parametrize("name", WITH_PARAMETERS)
    def test_a_site_sets_them_in_a_version_of_its_own(self, name: str) -> None:
        policy = filled(name)
        assert (policy.policy, policy.version, policy.status) == (f"MY-{name}", "7", Status.ACTIVE)
        assert policy.values_set_by == "The tests"
        draft = SHIPPED[name]
        assert [level.source for level in policy.levels] == [level.source for level in draft.levels]
        assert {one.name: one.value for one in policy.parameters} == {
            one.name: some_value(one) for one in draft.parameters
        }

    def test_the_figures_are_those_that_were_set(self) -> None:
        policy = filled(
            "MY-TAKEAWAY", min_months=4, max_consecutive_missed=2, max_days=7, window_days=90, urine_negative_months=3
        )
        level = policy.levels[0]
        assert (level.needs, level.at_most) == (
            {Measure.MONTHS_OF_TREATMENT: Decimal(4)},
            {Measure.CONSECUTIVE_MISSED_DAYS: Decimal(2)},
        )
        assert (level.per_supply, policy.window_days) == (7, 90)
        assert policy.criteria[0].text == "Urine tests have been negative for 3 months."
        assert policy.criteria[1].kind is Kind.REQUIRED

    def test_words_with_quotes_and_lines_stay_words(self) -> None:
        words = 'A "clinic\'s" \\ own\n[levels]\nstatus = "draft" \x7f é'
        document = document_of("WHO-2009")
        written = fill(document, {"days_at_once": 5}, policy="X", version="1", title=words, set_by=words)
        policy = parse(written)
        assert (policy.title, policy.values_set_by) == (words, words)
        assert fill(written, {"days_at_once": 6}, policy="X", version="2", title="T", set_by="S").count("[values]") == 1

    @given(st.sampled_from(WITH_PARAMETERS), st.data())
    def test_a_value_out_of_bounds_is_named_and_nothing_else_is_taken(self, name: str, data: st.DataObject) -> None:
        parameters = SHIPPED[name].parameters
        chosen: dict[str, Value] = {one.name: data.draw(values) for one in parameters}
        faults = [one.name for one in parameters if one.fault(chosen[one.name])]
        document = document_of(name)
        if not faults:
            assert "[values]" in fill(document, chosen, policy="X", version="1", title="T", set_by="S")
            return
        with pytest.raises(BadDocument) as bad:
            fill(document, chosen, policy="X", version="1", title="T", set_by="S")
        assert [told.split(" is ")[0] for told in bad.value.problems] == faults

    @pytest.mark.parametrize(
        ("changed", "by", "problem"),
        [
            ('per_supply = "$days_at_once"', "per_supply = 3", "Parameter “days_at_once” is used nowhere."),
            ('"$days_at_once"', '"$days"', "The policy uses $days, which no parameter describes."),
            ("least = 0", "", "Parameter 1 needs choices, or least and most."),
            ("least = 0", "least = 29", "Parameter 1 needs choices, or least and most."),
            ('name = "days_at_once"', 'name = "Days"', "Parameter 1 has a name that is no plain word: Days."),
            ('status = "draft"', 'status = "active"', "has no value; only a draft may lack it."),
            (
                "[[criteria]]",
                "[values]\ndays_at_once = 29\n[[criteria]]",
                "Parameter 1 has a value that it cannot have",
            ),
            ("[[criteria]]", "[values]\nother = 1\n[[criteria]]", "There is a value for other, which is no parameter."),
        ],
        ids=lambda value: value[:24],
    )
    def test_what_is_wrong_with_parameters_is_named(self, changed: str, by: str, problem: str) -> None:
        document = document_of("WHO-2009")
        assert changed in document
        with pytest.raises(BadDocument) as bad:
            parse(document.replace(changed, by, 1))
        assert any(problem in told for told in bad.value.problems), bad.value.problems
