"""The people of the demonstration clinic: drawn from a seed, none of them real."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from functools import cache
from io import BytesIO
from random import Random

from PIL import Image, ImageDraw

from dispensary.clients.rules import EntryRoute, ExitReason, Sex

ACTIVE = 96
LEFT = 44
YEAR = 365

_MALAY_MEN = ("Ahmad", "Azman", "Faizal", "Hafiz", "Ismail", "Kamarul", "Mohd Nor", "Rosli", "Shahrul", "Zulkifli")
_MALAY_WOMEN = ("Aminah", "Fatimah", "Hasnah", "Noraini", "Rohani", "Siti Zubaidah", "Zaleha")
_MALAY_FATHERS = ("Abdullah", "Hassan", "Idris", "Osman", "Razak", "Salleh", "Yusof", "Zainal")
_CHINESE_FAMILIES = ("Chan", "Cheong", "Lee", "Lim", "Ng", "Ong", "Tan", "Wong")
_CHINESE_GIVEN = ("Ah Kow", "Boon Hock", "Chee Keong", "Kok Leong", "Mei Ling", "Siew Fong", "Wai Kit", "Yoke Lan")
_TAMIL_MEN = ("Arumugam", "Ganesan", "Kumar", "Murugan", "Raju", "Selvam", "Suresh", "Vijayan")
_TAMIL_WOMEN = ("Devi", "Kavitha", "Lakshmi", "Meena", "Saraswathy")
_TAMIL_FATHERS = ("Kandasamy", "Maniam", "Muniandy", "Perumal", "Ramasamy", "Subramaniam")
_ROUTES = (
    EntryRoute.SELF,
    EntryRoute.FAMILY,
    EntryRoute.OUTREACH,
    EntryRoute.SELF,
    EntryRoute.HOSPITAL,
    EntryRoute.TRANSFER,
    EntryRoute.OUTREACH,
    EntryRoute.SELF,
    EntryRoute.POLICE,
    None,
)
_MARKS = (
    "scar over the left eyebrow",
    "mother's name: Halimah",
    "two rings on the right hand",
    "chose the word KELAPA",
)


@dataclass(frozen=True)
class Person:
    """Somebody of the demonstration: who, how much, how steadily, and whether and why they left."""

    number: str
    name: str
    sex: Sex
    born: date
    language: str
    phone: str
    second_identifier: str
    enrolled_on: date
    route: EntryRoute | None
    """How they came; nothing where nobody has asked."""
    target_mg: Decimal
    split: bool
    misses: float
    """How likely a day on which a visit is due is missed."""
    collects_on: int
    """The weekday on which bottles are collected (0 Monday)."""
    prefers: int
    """Which slot of the morning, counted from the first."""
    lockbox: bool | None
    housing_stable: bool
    employed: bool
    health_stable: bool
    conditions: tuple[str, ...]
    leaves_on: date | None = None
    leaves_because: ExitReason | None = None
    away_from: date | None = None
    """The first of the last days before today on which they did not come; they come back today."""


AWAY = {9: 3, 13: 6}
"""How many days some have been away for: so many that a smaller dose is asked for, and that the dose begins anew."""


def people(random: Random, today: date) -> list[Person]:
    """Everybody who ever came in the clinic's one year: the 96 of today, and 44 who left."""
    return [_person(random, today, n, leaves=n > ACTIVE) for n in range(1, ACTIVE + LEFT + 1)]


def _person(random: Random, today: date, n: int, *, leaves: bool) -> Person:
    opened = today - timedelta(days=YEAR)
    sex = Sex.FEMALE if random.random() < 0.18 else Sex.MALE
    name, language = _name(random, sex)
    employed = random.random() < 0.8
    enrolled = opened + timedelta(days=random.randrange(90) if random.random() < 0.65 else random.randrange(90, 300))
    leaves_on, because = None, None
    away_from = today - timedelta(days=AWAY[n]) if n in AWAY else None
    if leaves:
        enrolled = opened + timedelta(days=random.randrange(150))
        leaves_on = min(enrolled + timedelta(days=int(random.triangular(15, 230, 60))), today - timedelta(days=40))
        because = random.choices(
            (
                ExitReason.DROPPED_OUT,
                ExitReason.TRANSFERRED,
                ExitReason.COMPLETED,
                ExitReason.IMPRISONED,
                ExitReason.DIED,
            ),
            weights=(25, 8, 5, 4, 2),
        )[0]
    return Person(
        number=f"H{n:04d}",
        name=name,
        sex=sex,
        born=today - timedelta(days=int(random.triangular(21, 66, 41) * 365.25)),
        language=language,
        phone=f"+6012{3_000_000 + n * 137:07d}",
        second_identifier=random.choice(_MARKS),
        enrolled_on=enrolled,
        route=_ROUTES[n % len(_ROUTES)],
        target_mg=_target(random),
        split=n % 24 == 0,
        misses=random.choices((0.01, 0.06, 0.2), weights=(5, 3, 2))[0],
        collects_on=random.randrange(7),
        prefers=min(int(random.expovariate(1 / 6)), 20),
        lockbox=random.choices((True, False, None), weights=(8, 1, 1))[0],
        housing_stable=random.random() < 0.85,
        employed=employed,
        health_stable=random.random() < 0.9,
        conditions=tuple(kind for kind, share in (("hiv", 0.14), ("hepatitis_c", 0.38)) if random.random() < share),
        leaves_on=leaves_on,
        leaves_because=because,
        away_from=away_from,
    )


def _name(random: Random, sex: Sex) -> tuple[str, str]:
    of = random.choices(("malay", "chinese", "tamil"), weights=(6, 3, 2))[0]
    woman = sex is Sex.FEMALE
    if of == "malay":
        given = random.choice(_MALAY_WOMEN if woman else _MALAY_MEN)
        return f"{given} {'binti' if woman else 'bin'} {random.choice(_MALAY_FATHERS)}", "ms"
    if of == "chinese":
        return f"{random.choice(_CHINESE_FAMILIES)} {random.choice(_CHINESE_GIVEN)}", "zh_Hans"
    given = random.choice(_TAMIL_WOMEN if woman else _TAMIL_MEN)
    return f"{given} {'a/p' if woman else 'a/l'} {random.choice(_TAMIL_FATHERS)}", "en"


def _target(random: Random) -> Decimal:
    """A stable dose from 20 to 250 mg in steps of 5, most from 60 to 120."""
    low, high, mode = random.choices(((20, 50, 40), (55, 130, 85), (130, 250, 150)), weights=(2, 8, 1))[0]
    return Decimal(5 * round(random.triangular(low, high, mode) / 5))


_SKIN = ("#8d5a3c", "#a8714a", "#c68c5f", "#d9a678", "#e8bf98")
_CLOTH = ("#31556b", "#5b6f3a", "#7a4040", "#4b4572", "#6b5a31", "#2f6b5c")
_GROUND = ("#dfe7ea", "#e9e4da", "#e2e8dc", "#e8dfe3")


@cache
def _colours(seed: int) -> Sequence[str]:
    random = Random(seed)
    return random.choice(_SKIN), random.choice(_CLOTH), random.choice(_GROUND)


def portrait(person: Person, seed: int) -> bytes:
    """A drawn face (PNG, 240 by 288), different for each person: nobody's photograph."""
    skin, cloth, ground = _colours(seed)
    random = Random(seed)
    image = Image.new("RGB", (240, 288), ground)
    draw = ImageDraw.Draw(image)
    wide, long = random.randint(56, 68), random.randint(74, 88)
    middle, brow = 120, 132
    draw.ellipse((20, 216, 220, 400), fill=cloth)
    draw.rectangle((98, 180, 142, 240), fill=skin)
    if person.sex is Sex.FEMALE:
        draw.ellipse((middle - wide - 20, 36, middle + wide + 20, 250), fill=cloth)
    draw.ellipse((middle - wide, brow - long, middle + wide, brow + long), fill=skin)
    if person.sex is not Sex.FEMALE:
        draw.pieslice((middle - wide - 2, brow - long - 8, middle + wide + 2, brow + 30), 185, 355, fill="#2b2320")
    for side in (-1, 1):
        x = middle + side * random.randint(22, 26)
        draw.ellipse((x - 5, brow - 6, x + 5, brow + 4), fill="#241c18")
        draw.line((x - 12, brow - 20, x + 12, brow - 22 + side), fill="#2b2320", width=4)
    draw.line((middle, brow + 2, middle - 6, brow + 26, middle + 4, brow + 28), fill="#3b2a20", width=3)
    draw.arc((middle - 22, brow + 30, middle + 22, brow + 54), 20, 160, fill="#5a2a24", width=4)
    if random.random() < 0.35 and person.sex is not Sex.FEMALE:
        draw.arc((middle - 26, brow + 24, middle + 26, brow + 44), 200, 340, fill="#2b2320", width=7)
    if random.random() < 0.3:
        for side in (-1, 1):
            draw.ellipse(
                (middle + side * 25 - 17, brow - 16, middle + side * 25 + 17, brow + 14), outline="#222222", width=3
            )
    kept = BytesIO()
    image.quantize(32).save(kept, "PNG", optimize=True)
    return kept.getvalue()
