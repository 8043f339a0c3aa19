"""Stop flags: who may set and clear which, and what may not leave while one stands. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from uuid import UUID

from dispensary.refusals import Refusal
from dispensary.staff.rules import Act, Role, may
from dispensary.units import DoseDay

OWNERS = (Role.DOCTOR, Role.PHARMACIST, Role.NURSE)
"""The roles that can own a flag: those that look at a client's record."""


class FlagKind(StrEnum):
    """What a flag does at the counter."""

    STOP_DOSE = "stop_dose"
    """Nothing leaves. A prescriber's word alone: nobody else withholds an observed dose."""
    STOP_BOTTLES = "stop_bottles"
    """The dose is taken at the counter; no bottle is carried home or prepared."""
    SAY_FIRST = "say_first"
    """Something is said to the client before they go. It withholds nothing."""


@dataclass(frozen=True)
class Stop:
    """A live flag that withholds, as the counter judges by it."""

    flag_id: UUID
    kind: FlagKind
    sentence: str
    first: date
    until: date | None
    """The first day on which it does not stand any more; nothing until it is cleared."""
    owner: str
    """Who clears it: the name of an account, or a role."""

    def stands_on(self, day: date) -> bool:
        return self.first <= day and (self.until is None or day < self.until)


def may_set(kind: FlagKind, roles: Collection[Role]) -> bool:
    """Whether these roles may set such a flag, and may own one."""
    return may(roles, Act.HOLD if kind is FlagKind.STOP_DOSE else Act.LOOK_AT_CLIENT)


def may_clear(*, is_owner: bool, owner_role: Role | None, roles: Collection[Role], owner_is_there: bool) -> bool:
    """Whether somebody may clear a flag: its owner, anybody with the owning role, or a prescriber once nobody is left.

    `owner_is_there` says whether the owner, or anybody with the owning role, still works at the site in a role that
    may own it: otherwise a flag would stand for ever.
    """
    return is_owner or (owner_role in roles) or (not owner_is_there and may(roles, Act.HOLD))


def stopped(
    stops: Iterable[Stop], *, today: date, observed: bool, take_home_days: Collection[DoseDay]
) -> tuple[Refusal, ...]:
    """Why none of this may leave: a flag that stands on the day of handing over or on the day that a dose is for."""
    faults = []
    for stop in stops:
        days = {today, *take_home_days}
        asked = observed or take_home_days if stop.kind is FlagKind.STOP_DOSE else take_home_days
        if asked and any(stop.stands_on(day) for day in days):
            faults.append(_refusal(stop))
    return tuple(faults)


def _refusal(stop: Stop) -> Refusal:
    if stop.kind is FlagKind.STOP_DOSE:
        return Refusal(
            "stop-dose",
            f"A prescriber has stopped the dose: {stop.sentence}",
            f"Call {stop.owner}, who clears it, before anything is prepared.",
            {"flag": stop.flag_id},
        )
    return Refusal(
        "stop-bottles",
        f"No bottle is carried home for now: {stop.sentence}",
        f"Give today's dose here. {stop.owner} clears it.",
        {"flag": stop.flag_id},
    )
