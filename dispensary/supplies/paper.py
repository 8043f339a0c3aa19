"""How a site prints: read with what holds where nothing was set, and changed by its administrator."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from dispensary.database import ReadSession, WriteSession
from dispensary.refusals import BadInput, Refusal
from dispensary.staff import audit
from dispensary.staff.models import Site
from dispensary.staff.rules import Actor
from dispensary.staff.service import refuse_unless_runs_site
from dispensary.supplies.paper_models import PaperSetting
from dispensary.supplies.printing.law import Field, Law, laws
from dispensary.units import Millilitres, SiteId, plain
from dispensary.words import catalogues

LONGEST_DIRECTIONS = 120
"""Characters of a site's own directions: a label has no room for more."""


class LabelSize(StrEnum):
    """How large a label is."""

    SMALL = "small"
    LARGE = "large"


class Printer(StrEnum):
    """What labels come out of."""

    SHEET = "sheet"
    """A4 with labels to peel off, printed at 100 %."""
    ROLL = "roll"
    """A label printer that the computer has a driver for: a PDF page for each label."""
    ZPL203 = "zpl203"
    ZPL300 = "zpl300"
    """A label printer that speaks ZPL II, at so many dots an inch."""


@dataclass(frozen=True)
class Dilution:
    """The volume that a bottle is made up to by the site's own rule, with what, and where the rule is written."""

    ml: Millilitres
    made_up_with: str
    source: str


@dataclass(frozen=True)
class Paper:
    """How a site prints."""

    languages: tuple[str, ...]
    law: Law = field(default_factory=lambda: laws()["none"])
    named: bool = False
    second_identifier: bool = False
    fields: frozenset[Field] = frozenset(Field) - {Field.NAME, Field.PRESCRIBER}
    directions: Mapping[str, str] = field(default_factory=dict)
    size: LabelSize = LabelSize.SMALL
    printer: Printer = Printer.SHEET
    dilution: Dilution | None = None

    @property
    def shown(self) -> frozenset[Field]:
        """What stands on a label of what may be left off: what was chosen, and what the law asks for in any case."""
        chosen = self.fields | ({Field.NAME} if self.named else frozenset())
        return chosen | self.law.fields


def paper_of(session: ReadSession, site: Site) -> Paper:
    """How the site prints; a site that set nothing prints numbers and initials in its own language."""
    row = session.get(PaperSetting, site.id)
    if row is None:
        return Paper(languages=(site.language,))
    return Paper(
        languages=tuple(row.languages),
        law=laws()[row.law],
        named=row.named,
        second_identifier=row.second_identifier,
        fields=frozenset(map(Field, row.fields)),
        directions={str(language): str(text) for language, text in row.directions.items()},
        size=LabelSize(row.size),
        printer=Printer(row.printer),
        dilution=Dilution(row.dilution_ml, row.dilution_with, row.dilution_source) if row.dilution_ml else None,
    )


FIELD_WORDS = {
    Field.NAME: "the client's name",
    Field.ADDRESS: "the address",
    Field.PHONE: "the telephone",
    Field.NUMBER_OF: "bottle n of N",
    Field.BATCH: "batch and expiry",
    Field.PACKED: "when it was dispensed, and by whom",
    Field.CHECKED: "who checked it",
    Field.PRESCRIBER: "the prescriber",
    Field.RETURN_EMPTY: "return the empty bottle",
}
"""What may be left off a label, in words for a refusal."""


def change_paper(session: WriteSession, *, actor: Actor, site: Site, paper: Paper, at: datetime) -> None:
    """Sets how the site prints. Raises BadInput with each thing that is wrong, such as a field that the law asks for.

    What was set is in the audit trail, with what it was before.
    """
    refuse_unless_runs_site(actor, site.id)
    faults = [*_law_faults(paper), *_language_faults(paper), *_dilution_faults(paper)]
    if faults:
        raise BadInput(*faults)
    before = session.get(PaperSetting, site.id)
    wanted = _row(site.id, paper)
    changed = {
        name: [getattr(before, name, None), value]
        for name, value in wanted.items()
        if name != "site_id" and getattr(before, name, None) != value
    }
    session.merge(PaperSetting(**wanted))
    session.flush()
    if changed:
        audit.record(
            session, actor=actor, act="changed paper", subject="site", subject_id=site.id, at=at, details=changed
        )


def _row(site_id: SiteId, paper: Paper) -> dict[str, object]:
    dilution = paper.dilution
    return {
        "site_id": site_id,
        "law": paper.law.law,
        "named": paper.named,
        "second_identifier": paper.second_identifier,
        "languages": list(paper.languages),
        "fields": sorted(paper.fields - {Field.NAME}),
        "directions": {language: text for language, text in sorted(paper.directions.items()) if text},
        "size": paper.size.value,
        "printer": paper.printer.value,
        "dilution_ml": dilution.ml if dilution else None,
        "dilution_with": dilution.made_up_with if dilution else "",
        "dilution_source": dilution.source if dilution else "",
    }


def _law_faults(paper: Paper) -> list[Refusal]:
    """What the law asks for cannot be switched off, since a bottle without it may not leave."""
    chosen = paper.fields | ({Field.NAME} if paper.named else frozenset())
    return [
        Refusal(
            "label-law",
            f"The law of this layout asks for {FIELD_WORDS[missing]} on each label: {paper.law.label_source}.",
            "Leave it on, or choose another layout.",
            {"field": missing, "law": paper.law.law},
            field="named" if missing is Field.NAME else "fields",
        )
        for missing in sorted(paper.law.fields - chosen)
    ]


def _language_faults(paper: Paper) -> list[Refusal]:
    faults = []
    known = catalogues()
    if not 1 <= len(paper.languages) <= 2 or len(set(paper.languages)) != len(paper.languages):
        faults.append(
            Refusal("languages", "A label has one language, or two different ones.", "Choose them.", field="second")
        )
    elif unknown := [language for language in paper.languages if language not in known]:
        faults.append(Refusal("languages", f"There are no words in {unknown[0]}.", "Choose another.", field="first"))
    for language, text in paper.directions.items():
        if len(text) > LONGEST_DIRECTIONS:
            faults.append(
                Refusal(
                    "too-long",
                    f"Directions have at most {LONGEST_DIRECTIONS} characters.",
                    "Shorten them.",
                    field=f"directions-{language}",
                )
            )
    if len(paper.languages) > 1 and paper.size is LabelSize.SMALL:
        faults.append(
            Refusal("label-full", "A small label has no room for two languages.", "Choose the large one.", field="size")
        )
    return faults


def _dilution_faults(paper: Paper) -> list[Refusal]:
    if paper.dilution is None:
        return []
    faults = []
    if not 0 < paper.dilution.ml <= 1000:
        volume = plain(paper.dilution.ml)
        faults.append(
            Refusal("bad-amount", f"{volume} mL is no volume of a bottle.", "Correct it.", field="dilution_ml")
        )
    for name, value in (("dilution_with", paper.dilution.made_up_with), ("dilution_source", paper.dilution.source)):
        if not value.strip():
            faults.append(
                Refusal(
                    "missing",
                    "A volume needs what it is made up with, and where the rule is written.",
                    "Fill it in, or leave the volume empty.",
                    field=name,
                )
            )
    return faults
