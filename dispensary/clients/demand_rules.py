"""Who asks about a person, what they have shown, and what may be answered on it. Pure.

The default answer confirms nothing and denies nothing. Something is told only on a paper that the document says
suffices, within what that paper names, and by the person whom the site has named.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from importlib.resources import files

from dispensary.clients.consent_rules import Information, told_by
from dispensary.refusals import Refusal


class Asker(StrEnum):
    """Who asks."""

    POLICE = "police"
    PROSECUTOR = "prosecutor"
    COURT = "court"
    AUTHORITY = "authority"
    """Another authority."""
    FAMILY = "family"
    EMPLOYER = "employer"
    PRESS = "press"
    OTHER = "other"


class Shown(StrEnum):
    """What they showed."""

    NOTHING = "nothing"
    LETTER = "letter"
    WARRANT = "warrant"
    """A warrant, a subpoena or a summons."""
    COURT_ORDER = "court_order"


class Step(StrEnum):
    """What was done about a demand."""

    NEITHER = "neither"
    """The sentence was said: neither confirmed nor denied."""
    REFUSED = "refused"
    ANSWERED = "answered"
    """The minimum was told; its line is on the register."""
    COUNSEL = "counsel"
    """Sent on to counsel."""
    CLOSED = "closed"


BY_ANYBODY = frozenset({Step.NEITHER})
"""What whoever enters a demand may have done. All else is the named person's."""


@dataclass(frozen=True)
class Paper:
    """What a document says of a kind of paper that is shown."""

    suffices: bool
    source: str


@dataclass(frozen=True)
class Sentence:
    """What is said to whoever asks, in one language."""

    language: str
    words: str
    draft: bool


@dataclass(frozen=True)
class Document:
    """What comes with the program about demands."""

    sentences: Mapping[str, Sentence]
    papers: Mapping[Shown, Paper]
    whole: frozenset[str]
    anywhere: tuple[str, ...]


@cache
def document() -> Document:
    """`figures/demands.toml`, read once."""
    text = files("dispensary.clients").joinpath("figures/demands.toml").read_text(encoding="utf-8")
    read = tomllib.loads(text)
    status = read["sentence"]["status"]
    return Document(
        sentences={
            language: Sentence(language, words, status[language] != "active")
            for language, words in read["sentence"]["words"].items()
        },
        papers={Shown(one["key"]): Paper(one["suffices"], one["source"]) for one in read["shown"]},
        whole=frozenset(read["words"]["whole"]),
        anywhere=tuple(read["words"]["anywhere"]),
    )


def looks_like_demand(*texts: str) -> bool:
    """Whether the words of an export or a disclosure belong to a demand of police, prosecution or a court."""
    known = document()
    for text in texts:
        plain = " ".join(text.casefold().split())
        if any(phrase in plain for phrase in known.anywhere) or known.whole & set(re.findall(r"\w+", plain)):
            return True
    return False


def a_demand(field: str) -> Refusal:
    """That an export, a study or an audit is not how a demand is served."""
    return Refusal(
        "looks-like-demand",
        "This reads like a demand of police, prosecution or a court. An export never serves one.",
        "Enter the demand at reception: the person whom the site has named answers it.",
        field=field,
    )


def may_tell(shown: Shown, ordered: frozenset[Information], told: frozenset[Information]) -> Refusal | None:
    """Nothing when this may be told on what was shown; else why not. `ordered` is what the paper itself names."""
    if not document().papers[shown].suffices:
        return Refusal(
            "paper-does-not-suffice",
            "On what was shown nothing may be told.",
            "Say neither yes nor no, refuse with the reason, or send it on to counsel.",
            {"shown": shown.value},
        )
    if not told:
        return Refusal("nothing-told", "Nothing was chosen that is to be told.", "Choose the least.", field="kinds")
    if told - told_by(ordered):
        return Refusal(
            "more-than-ordered",
            "The paper does not name all of that.",
            "Tell what it names, and no more.",
            field="kinds",
        )
    return None
