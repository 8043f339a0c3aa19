"""What docs/policies.md tells whoever writes a policy: every key and word that is read, and examples that are read."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from dispensary.commands.checking import check
from dispensary.documents import Reader, Status
from dispensary.takehome.measures import AT_LEAST, AT_MOST, Concern, Fact, Measure
from dispensary.takehome.policy import Kind, SetBy, parse
from tests.dispensary.policy_documents import EVERYTHING, SHIPPED, document_of

PAGE = (Path(__file__).parents[2] / "docs" / "policies.md").read_text("utf-8")
NAMED = set(re.findall(r"\b([a-z][a-z0-9_]+)\b", PAGE))


def test_every_key_that_a_document_may_have_is_on_the_page(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: set[str] = set()
    take = Reader.take

    def listening(self: Reader, key: str, *, required: bool = False) -> object:
        asked.add(key)
        return take(self, key, required=required)

    monkeypatch.setattr(Reader, "take", listening)
    parse.cache_clear()
    for document in (EVERYTHING, document_of("MY-TAKEAWAY")):
        parse(document)

    assert len(asked) > 35
    assert asked - NAMED == set()


def test_every_word_that_a_document_may_say_is_on_the_page() -> None:
    for words in (Measure, Fact, Kind, SetBy, Concern, Status):
        assert {word.value for word in words} - NAMED == set()
    at_least, at_most = PAGE.split("| in `at_most`")
    assert all(f"`{measure}`" in at_least for measure in AT_LEAST)
    assert all(f"| `{measure}`" in at_most for measure in AT_MOST)


def test_every_shipped_policy_is_on_the_page_with_its_standing() -> None:
    told = dict(re.findall(r"^\| `([A-Z][A-Z0-9a-z.-]+)` \| ([a-z' ]+) \|", PAGE, re.MULTILINE))
    standing = {Status.ACTIVE: ("in force", "a clinic's own"), Status.SUPERSEDED: ("superseded",)}
    assert set(told) == set(SHIPPED)
    for name, policy in SHIPPED.items():
        assert told[name] in standing.get(policy.status, ("figures to be set",))


def test_the_example_on_the_page_is_a_policy_and_answers_as_the_page_asks_it() -> None:
    example = next(each for each in re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL) if 'policy = "MY-CLINIC"' in each)
    assert parse(example).status is Status.ACTIVE
    (asked,) = re.findall(r'"on": .*?"ruled out": false}', PAGE, re.DOTALL)
    question = {"document": example, **json.loads("{" + asked + "}")}

    asking = CliRunner().invoke(check, ["take-home", "-"], input=json.dumps(question))

    assert asking.exit_code == 0, asking.output
    answer = json.loads(asking.output)
    assert (answer["answer"], answer["assessment"]["level"]) == ("allow", "two a week")


def test_the_part_on_open_figures_is_what_a_document_can_say() -> None:
    part = next(each for each in re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL) if "$min_months" in each)
    head, _ = EVERYTHING.split("[[levels]]", 1)
    more = '[[parameters]]\nname = "max_days"\ntext = "Days"\nleast = 0\nmost = 28\nsource = "Here"\n'
    policy = parse(head.replace('"active"', '"draft"') + part + more)
    assert [one.name for one in policy.parameters] == ["min_months", "max_days"]
