"""The words of a label: what each bottle says, in one language or two, and what the site's law adds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from dispensary.staff.models import Site
from dispensary.supplies.paper import Paper
from dispensary.supplies.printing.law import Field
from dispensary.supplies.printing.wording import moment, plain_day, short_day, weekday
from dispensary.supplies.serials import bottle_code, spoken_serial
from dispensary.units import plain
from dispensary.words import _, spoken


@dataclass(frozen=True)
class BottleLabel:
    """What one label is about."""

    number: str
    name: str
    """Of the client, or the initials of it."""
    born: str | None
    """The date of birth, where the site wants a second identifier."""
    product: str
    mg: Decimal
    ml: Decimal
    day: date
    portion: int
    portions: int
    n: int
    of: int
    batch: str
    expires_on: date
    packed_by: str
    packed_at: datetime
    checked_by: str
    prescriber: str
    serial: str


@dataclass(frozen=True)
class Said:
    """A line of small print; bold for a warning."""

    text: str
    size: float
    bold: bool = False


@dataclass(frozen=True)
class LabelText:
    """What one label says, from the top down."""

    clinic: str
    code: str
    """The site's, where its name is in letters that nobody has."""
    where: str
    take_on: str
    number_of: str
    days: tuple[str, ...]
    """Weekday and day, in each language."""
    portion: str
    dark: bool
    """Every other portion, so that none is mixed up."""
    whose: str
    product: str
    amount: str
    small: tuple[Said, ...]
    qr: str
    serial: str


def label_text(label: BottleLabel, site: Site, paper: Paper) -> LabelText:
    """The label's words, in the site's one or two languages; figures and what the law words itself stand once."""
    shown = paper.shown

    def both(say: Callable[[], str]) -> str:
        return " / ".join(dict.fromkeys(_in(language, say) for language in paper.languages))

    small: list[Said] = []
    for language in paper.languages:
        with spoken(language):
            small += [Said(line, 7) for line in _directions(label, paper, language)]
            small += [Said(line, 6.5, bold=True) for line in _warnings(shown)]
    small += [Said(words, 6.5, bold=True) for words in paper.law.words]
    small.append(Said(_made(label, site.zone, shown), 6))
    return LabelText(
        clinic=site.name,
        code=site.code,
        where=", ".join(
            part
            for field, part in ((Field.ADDRESS, site.address), (Field.PHONE, site.phone))
            if part and field in shown
        ),
        take_on=both(lambda: _("Take on")),
        number_of=both(lambda: _("Bottle %(n)s of %(of)s", n=label.n, of=label.of)) if Field.NUMBER_OF in shown else "",
        days=(both(lambda: weekday(label.day)), both(lambda: plain_day(label.day))),
        portion=both(lambda: _portion(label)),
        dark=label.portion % 2 == 0,
        whose="  ".join(filter(None, (label.number, label.name, _born(label)))),
        product=label.product,
        amount=f"{plain(label.mg)} mg = {plain(label.ml)} mL",
        small=tuple(dict.fromkeys(line for line in small if line.text)),
        qr=bottle_code(label.serial),
        serial=spoken_serial(label.serial),
    )


def _in(language: str, say: Callable[[], str]) -> str:
    with spoken(language):
        return say()


def _born(label: BottleLabel) -> str:
    return _("born %(day)s", day=short_day(date.fromisoformat(label.born))) if label.born else ""


def _portion(label: BottleLabel) -> str:
    if label.portions == 1:
        return ""
    name = portion_name(label.portion, label.portions)
    return _("%(portion)s: %(n)s of %(of)s", portion=name, n=label.portion, of=label.portions)


def portion_name(portion: int, portions: int) -> str:
    """When a portion of a split day is taken; empty for a whole day's dose."""
    names = {
        2: (_("Morning"), _("Evening")),
        3: (_("Morning"), _("Midday"), _("Evening")),
        4: (_("Morning"), _("Midday"), _("Evening"), _("Night")),
    }
    return names[portions][portion - 1] if portions > 1 else ""


def _directions(label: BottleLabel, paper: Paper, language: str) -> list[str]:
    """What to do with it: drink it all, what it is made up to, and what the site says besides."""
    whole = (
        _("Drink the whole bottle on this day.")
        if label.portions == 1
        else _("Drink the whole bottle on this day, at the time above.")
    )
    said = [whole]
    dilution = paper.dilution
    if dilution is not None and label.ml < dilution.ml:  # what has the volume already is not made up to it
        said.append(
            _(
                "%(mg)s mg (%(ml)s mL) made up to %(volume)s mL with %(made_up_with)s.",
                mg=plain(label.mg),
                ml=plain(label.ml),
                volume=plain(dilution.ml),
                made_up_with=dilution.made_up_with,
            )
        )
    said.append(paper.directions.get(language, ""))
    return said


def _warnings(shown: frozenset[Field]) -> tuple[str, ...]:
    last = _("Do not drive if drowsy.")
    if Field.RETURN_EMPTY in shown:
        last = f"{last} {_('Return the empty bottle.')}"
    return (_("Keep locked away from children. May be fatal to others."), last)


def _made(label: BottleLabel, zone: str, shown: frozenset[Field]) -> str:
    """Where it is from: batch, expiry, who packed, checked and prescribed it, and when."""
    parts = {
        Field.BATCH: _("Batch %(batch)s, expires %(expiry)s", batch=label.batch, expiry=short_day(label.expires_on)),
        Field.PACKED: _("Packed %(packed)s, %(by)s", packed=moment(label.packed_at, zone), by=label.packed_by),
        Field.CHECKED: _("Checked %(by)s", by=label.checked_by or "........"),
        Field.PRESCRIBER: _("Prescriber %(name)s", name=label.prescriber) if label.prescriber else "",
    }
    return ". ".join(words for field, words in parts.items() if words and field in shown)
