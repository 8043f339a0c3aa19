"""What a rule of this room says of results: how grave, what was found, what to do, where that stands. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import IntEnum

from dispensary.monitoring.sources import Sourced
from dispensary.units import plain

REFER = "refer_to_prescriber"


class Severity(IntEnum):
    """How grave a finding is. They can be compared: a worse value never has a lower one."""

    NONE = 0
    """Nothing to do."""
    INFO = 1
    WARNING = 2
    URGENT = 3

    @property
    def word(self) -> str:
        return self.name.lower()


@dataclass(frozen=True)
class Finding:
    """One thing that a rule found, with the figures from which it follows."""

    kind: str
    severity: Severity
    finding: str
    """A word for programs, of the kind's own list."""
    sentence: str
    source: str
    confidence: str
    advice: str = ""
    figures: Mapping[str, object] = field(default_factory=dict)
    """Numbers are Decimals or whole numbers, in the unit that their name ends with."""

    def as_json(self) -> dict[str, object]:
        """The same, with amounts as strings, so that no reader turns them into floats."""
        return {
            "kind": self.kind,
            "severity": self.severity.word,
            "finding": self.finding,
            "sentence": self.sentence,
            "advice": self.advice,
            "figures": {
                name: plain(each) if isinstance(each, Decimal) else each for name, each in self.figures.items()
            },
            "source": self.source,
            "confidence": self.confidence,
        }


def found(
    by: Sourced,
    kind: str,
    severity: Severity,
    finding: str,
    sentence: str,
    *,
    advice: str = "",
    figures: Mapping[str, object] | None = None,
) -> Finding:
    """A finding by these figures; where they are not in force, the prescriber is asked instead."""
    if not by.used:
        return referred(
            kind, "The figures for this are a draft: ask the prescriber.", source=by.source, figures=figures
        )
    return Finding(kind, severity, finding, sentence, by.source, by.confidence, advice, figures or {})


def referred(
    kind: str, sentence: str, *, source: str = "No figure is in force", figures: Mapping[str, object] | None = None
) -> Finding:
    """No answer: somebody who may decide has to."""
    return Finding(kind, Severity.INFO, REFER, sentence, source, "", "Refer to prescriber.", figures or {})
