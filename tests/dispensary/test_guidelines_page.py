"""What docs/guidelines.md tells whoever writes a guideline: every key that is read, and an example that is read."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from dispensary.documents import Reader
from dispensary.prescribing.guideline import parse, shipped_guidelines
from dispensary.prescribing.sections import Consequence, Counter, Topic, Verdict

PAGE = (Path(__file__).parents[2] / "docs" / "guidelines.md").read_text("utf-8")
NAMED = set(re.findall(r"\b([a-z][a-z0-9_]+)\b", PAGE))


def test_every_key_that_a_document_may_have_is_on_the_page(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: set[str] = set()
    take = Reader.take

    def listening(self: Reader, key: str, *, required: bool = False) -> object:
        asked.add(key)
        return take(self, key, required=required)

    monkeypatch.setattr(Reader, "take", listening)
    parse.cache_clear()
    for document in shipped_guidelines():
        parse(document)
    ours = {key for key in asked if key.endswith("_source") or key.startswith(("early_", "settle_", "ecg_", "review_"))}

    assert len(asked) > 40
    assert asked - ours - {"everywhere", "rows", "bands", "first_day"} - NAMED == set()


def test_every_word_that_a_document_may_say_is_on_the_page() -> None:
    for words in (Topic, Verdict, Counter, Consequence):
        assert {word.value for word in words} - NAMED == set()


def test_the_example_on_the_page_is_a_guideline() -> None:
    (example,) = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)

    guideline = parse(example)

    assert guideline.answers(Topic.MISSED)
    assert not guideline.answers(Topic.VOMITED)
