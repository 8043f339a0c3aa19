"""What the pages of health call tests, groups, treatments and rules, in the reader's language."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from dispensary.monitoring.analytes import Analyte, analytes
from dispensary.monitoring.result_models import HealthResult
from dispensary.units import plain
from dispensary.words import gettext


def _(message: str) -> str:
    return message  # marks a message for extraction; it is translated where it is shown


_GROUPS = {
    "liver": _("Liver"),
    "heart": _("Heart"),
    "hiv": _("HIV"),
    "hepatitis": _("Hepatitis"),
    "tb": _("Tuberculosis"),
    "drug test": _("Drug tests"),
    "general": _("Other"),
}
_TREATMENTS = {"art": _("HIV treatment (ART)"), "tb": _("TB treatment"), "hcv": _("hepatitis C treatment")}
_TESTS = {"liver": _("Liver tests"), "ecg": _("ECG")}
_CONDITIONS = {
    "hiv": _("HIV"),
    "hepatitis_b": _("hepatitis B"),
    "hepatitis_c": _("hepatitis C"),
    "tuberculosis": _("tuberculosis"),
    "pregnancy": _("pregnancy"),
}
_RULES = {
    "alt": _("ALT by its upper limit"),
    "hy": _("Hy's rule"),
    "tb-alt": _("ALT on TB medicines"),
    "fib-4": _("FIB-4"),
    "apri": _("APRI"),
    "child-pugh": _("Child-Pugh"),
    "qtc": _("QTc"),
    "viral-load": _("HIV viral load"),
    "adherence": _("Cover of a treatment"),
    "interaction": _("Interactions"),
}
_SUPPORT = {
    "counselling": _("a talk about the medicines"),
    "peer": _("somebody who takes the same stands by"),
    "reminders": _("reminders"),
    "together": _("handed over together with methadone"),
}
_MEND = {
    "interaction": _("Tell whoever keeps the table of interactions which medicines these were."),
    "tb-alt": _("Talk with the TB clinic: this rule is the guideline's own, and nobody can switch it off here."),
    "adherence": _("Change from which cover on a treatment is good, or let its warnings open no alert here."),
    "viral-load": _("Change the version by which viral loads are judged, or let its warnings open no alert here."),
}
_MEND_ANY = _("Let its warnings open no alert here. What is urgent always opens one.")
_GOES = {
    "rising": _("rising"),
    "falling": _("falling"),
    "steady": _("neither rising nor falling"),
    "the first result": "",
    "": "",
}

_FOR_PROGRAMS = frozenset(("row", "direction", "effects", "size_of", "prolonged_source", "carry_forward"))


@dataclass(frozen=True)
class Said:
    """The words, each found by the program's own name for the thing; an unknown name is shown as it is."""

    groups: Mapping[str, str]
    treatments: Mapping[str, str]
    conditions: Mapping[str, str]
    rules: Mapping[str, str]
    goes: Mapping[str, str]
    support: Mapping[str, str]

    def mend(self, rule: str) -> str:
        """What can be done about a rule that nobody heeds."""
        return gettext(_MEND.get(rule, _MEND_ANY))

    def test(self, code: str) -> str:
        """A test, or what a rule of due tests calls one."""
        if code in _TESTS:
            return gettext(_TESTS[code])
        known = analytes().get(code)
        return gettext(known.name) if known else code

    def value(self, row: HealthResult) -> str:
        """A result with its unit, as it is kept; empty for one that was taken back."""
        if row.number is None:
            return gettext(row.choice) if row.choice else ""
        known = analytes()[row.analyte]
        unit = known.unit.replace("10^9", "10⁹")
        return f"{row.comparator}{self.number(row.number)}\N{NO-BREAK SPACE}{unit}".strip()

    def units(self, analyte: Analyte) -> list[str]:
        """The units that a value may be written in, each once however many names it has; the kept one first."""
        if not analyte.unit:
            return []
        others: dict[Decimal, str] = {}
        for unit, factor in analyte.units.items():
            if factor != 1:
                others.setdefault(factor, unit)
        return [analyte.unit, *others.values(), *analyte.logs[:1]]

    def figures(self, found: Mapping[str, object]) -> dict[str, object]:
        """The figures of a finding that a person reads; what only programs ask for is left out."""
        return {name: value for name, value in found.items() if name not in _FOR_PROGRAMS and value is not None}

    def number(self, amount: Decimal) -> str:
        """A figure without noughts at its end, thousands apart where there are many."""
        whole = amount == amount.to_integral_value()
        return f"{int(amount):,}" if whole and amount >= 1_000 else plain(amount)


def said_of() -> Said:
    """The words in the language that is read now."""
    return Said(
        *(
            {name: gettext(word) if word else "" for name, word in each.items()}
            for each in (_GROUPS, _TREATMENTS, _CONDITIONS, _RULES, _GOES, _SUPPORT)
        )
    )
