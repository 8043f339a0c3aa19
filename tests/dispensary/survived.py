"""What the tests of survival share: stays made of times and endings, and cohorts drawn at random with many ties."""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, timedelta
from decimal import Decimal
from uuid import UUID

from dispensary.evaluation.cohorts import Seen, Split, split
from dispensary.evaluation.rules import DEFAULT_ROLES, IN_TREATMENT, Role, Scale, Stay, until

BEGAN = date(2020, 1, 1)
DAYS = Scale(Decimal(30))
Ending = str | None


def seen(observed: Iterable[tuple[int, Ending]], *, roles: Mapping[str, Role] = DEFAULT_ROLES) -> list[Seen]:
    """First stays that lasted so many days and ended so; nothing is a stay that is going on."""
    found = []
    for n, (days, ending) in enumerate(observed, 1):
        ends = BEGAN + timedelta(days=days)
        role = roles.get(ending, Role.EVENT) if ending else Role.CENSORED
        stay = Stay(UUID(int=n), 1, BEGAN, ends, False, ends if ending else None, ending, ends)
        found.append((stay, until(stay, ends, DAYS, ending or IN_TREATMENT, role)))
    return found


def by_groups(observed: Sequence[tuple[int, Ending]], groups: Sequence[tuple[str, ...]], *by: str) -> Split:
    """The same stays in these groups."""
    stays = seen(observed)
    levels = {(stay.client_id, stay.number): group for (stay, _), group in zip(stays, groups, strict=True)}
    return split(stays, levels, by=by, scale=DAYS, months=(0, 1, 3), least=5)


def drawn(seed: int, *, n: int, longest: int) -> tuple[list[tuple[int, Ending]], list[tuple[str, str]]]:
    """A cohort with many ties: days and endings, and two strata of which the first speeds or slows dropping out."""
    chance = random.Random(seed)
    observed, groups = list[tuple[int, Ending]](), list[tuple[str, str]]()
    for _ in range(n):
        arm, sex = chance.choice("abc"), chance.choice(("f", "m"))
        pace = {"a": 1.0, "b": 0.6, "c": 1.5}[arm]
        days = min(longest, 1 + int(chance.expovariate(pace / (longest / 2))))
        ending = chance.choice(("dropped_out", "dropped_out", "ended_by_programme", "died", "imprisoned", None))
        observed.append((days, None if days == longest else ending))
        groups.append((arm, sex))
    return observed, groups
